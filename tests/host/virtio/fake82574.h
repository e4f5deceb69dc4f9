/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake82574.h - an 82574L network card on the PCI bus as its driver sees it: registers in memory that answer (mmio.h),
 * an arena whose pages lie apart on the bus, a wire with a test at its other end. Honest until a test says how it
 * lies. It shares no code with the driver.
 */
#ifndef FAKE82574_H
#define FAKE82574_H

#include <pci/e1000e.h>

#define FAKE82574_PAGES (E1000E_CONTROL_PAGES + 18u) /* of the arena: 16 descriptors a ring, and some to spare */
#define FAKE82574_RING 16u

enum fake82574_lie {
	FAKE82574_HONEST,
	FAKE82574_EMPTY,     /* a frame of length 0 */
	FAKE82574_LONG,	     /* longer than a frame can be */
	FAKE82574_DAMAGED,   /* with a wrong checksum of the wire */
	FAKE82574_SCRIBBLES, /* over the addresses of descriptors it gives back */
};

struct fake82574 {
	uint8_t registers[E1000E_REGISTERS] __attribute__((aligned(4096)));
	enum fake82574_lie lie;
	bool slow_reset, slow_eeprom;
	unsigned resets, interrupts, tail_writes;
	uint8_t sent[E1000E_FRAME_MAX];
	uint32_t sent_len;
	struct pci_arena arena;
	uint64_t bus[FAKE82574_PAGES];
};

/* The one device the hooks of mmio.h belong to. */
extern struct fake82574 fake82574;

void fake82574_init(void);
void fake82574_free(void);
uint32_t *fake82574_register(uint32_t at);

/* Sends at most `limit` of the frames offered; the last is in `sent`. */
unsigned fake82574_transmit(unsigned limit);

/* A frame comes from the wire, in buffers of at most `piece` bytes. False: nowhere to put it. */
bool fake82574_receive(const uint8_t *frame, uint32_t len, uint32_t piece);

void fake82574_link(bool up);

#endif
