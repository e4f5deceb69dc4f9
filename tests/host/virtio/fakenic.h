/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fakenic.h - a virtio network card on the PCI bus as its driver sees it: registers in memory that answer
 * (mmio.h), an arena whose pages lie apart on the bus, a wire. Honest until a test says how it lies. It
 * shares no code with the driver.
 */
#ifndef FAKENIC_H
#define FAKENIC_H

#include <pci/vnic.h>

#define FAKENIC_PAGES 30u /* of the arena: 24 buffers each way */
#define FAKENIC_BUFFERS 24u

enum fakenic_lie {
	NIC_HONEST,
	NIC_SHORT,    /* a frame shorter than its headers */
	NIC_EMPTY,    /* nothing written at all */
	NIC_LONG,     /* more bytes said than there is room for */
	NIC_OVERSIZE, /* more than a frame has, within the buffer */
	NIC_ID,	      /* a used entry for a head that is not out */
	NIC_TWICE,    /* the same head returned again */
	NIC_INDEX,    /* used.idx jumps */
};

struct fakenic_queue {
	uint64_t desc, avail, used;
	uint16_t size, vector;
	bool enabled;
	uint16_t taken, kicks;
};

struct fakenic {
	uint8_t registers[0x4000] __attribute__((aligned(4096)));
	struct pci_virtio virtio;
	uint64_t offered, accepted;
	uint16_t queue_max;
	bool refuse_features, refuse_vector, restless;
	struct fakenic_queue queues[2];
	enum fakenic_lie lie;
	unsigned resets, interrupts;
	struct pci_arena arena;
	uint64_t bus[FAKENIC_PAGES];
	/* the frame that went out last */
	uint8_t sent[PAIR_FRAME_MAX];
	uint32_t sent_len;
	unsigned sent_count;
};

/* The one device the hooks of mmio.h belong to. */
extern struct fakenic fakenic;

void fakenic_init(void);
void fakenic_free(void);
struct vpci_common *fakenic_common(void);

/* Sends at most `limit` of the frames offered; how many. */
unsigned fakenic_transmit(unsigned limit);

/* A frame comes over the wire; false: no buffer is offered. */
bool fakenic_receive(const uint8_t *frame, uint32_t len);

#endif
