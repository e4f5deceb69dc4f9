/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fakedisk.h - a virtio block device on the PCI bus as its driver sees it: registers in memory that
 * answer (mmio.h), an arena whose pages lie apart on the bus, a medium. Honest until a test says how it
 * lies. It shares no code with the driver.
 */
#ifndef FAKEDISK_H
#define FAKEDISK_H

#include <pci/vdisk.h>

#define FAKEDISK_SECTORS 4096u
#define FAKEDISK_PAGES 100u /* of the arena: 6 slots */

enum fakedisk_lie {
	LIE_NONE,
	LIE_STATUS,	 /* every command fails */
	LIE_SHORT,	 /* fewer bytes written than asked for, status good */
	LIE_NO_STATUS,	 /* the status byte is not written */
	LIE_LONG,	 /* more bytes said than there is room for */
	LIE_ID,		 /* a used entry for a head that is not out */
	LIE_TWICE,	 /* the same head returned again */
	LIE_INDEX,	 /* used.idx jumps */
};

struct fakedisk {
	uint8_t registers[0x4000] __attribute__((aligned(4096)));
	struct pci_virtio virtio;
	uint64_t offered, accepted;
	uint64_t config[16]; /* of the class */
	uint16_t queue_max;
	bool refuse_features, refuse_vector, slow_reset, restless;
	/* the queue as the driver set it up */
	uint64_t desc, avail, used;
	uint16_t size, vector;
	bool enabled;
	uint16_t taken, kicks;
	enum fakedisk_lie lie;
	unsigned resets, commands, flushes, longest;
	struct pci_arena arena;
	uint64_t bus[FAKEDISK_PAGES];
	uint8_t *medium;
};

/* The one device the hooks of mmio.h belong to. */
extern struct fakedisk fakedisk;

void fakedisk_init(void);
void fakedisk_free(void);
struct vpci_common *fakedisk_common(void);

/* Does at most `limit` of the commands offered, the newest first when `backwards`. */
unsigned fakedisk_work(unsigned limit, bool backwards);

#endif
