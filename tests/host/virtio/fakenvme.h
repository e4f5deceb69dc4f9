/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fakenvme.h - an NVMe controller with one namespace as its driver sees it: registers in memory that answer (mmio.h),
 * an arena whose pages lie apart on the bus, a medium. Its own commands it does when the doorbell rings, the
 * namespace's when the test says so. Honest until a test says how it lies. It shares no code with the driver.
 */
#ifndef FAKENVME_H
#define FAKENVME_H

#include <pci/nvme.h>

#define FAKENVME_SECTORS 4096u
#define FAKENVME_PAGES (NVME_CONTROL_PAGES + 6u * CUTTER_SLOT_PAGES + 3u) /* 6 slots */
#define FAKENVME_STRIDE 2u	/* doorbells are 16 bytes apart */
#define FAKENVME_BYTES 0x2000u
#define FAKENVME_NSID 7u

enum fakenvme_lie {
	FAKENVME_HONEST,
	FAKENVME_STATUS,	/* every command fails */
	FAKENVME_UNKNOWN,	/* completes a name that was never given */
	FAKENVME_STALE,		/* completes the name its slot had before */
	FAKENVME_TWICE,
	FAKENVME_QUEUE,		/* completes a command of another queue */
	FAKENVME_HEAD,		/* a head beyond the queue */
	FAKENVME_HEAD_AHEAD,	/* one command more than there is */
	FAKENVME_HEAD_BACK,	/* goes back by one */
	FAKENVME_OLD_PHASE,	/* a completion that does not look new */
	FAKENVME_SILENT,	/* takes commands and completes none */
};

struct fakenvme_queue {
	uint64_t sq, cq;
	uint32_t size, sq_head, sq_tail, cq_tail, cq_head;
	uint16_t phase, last_cid;
	bool there;
};

struct fakenvme {
	uint8_t registers[FAKENVME_BYTES] __attribute__((aligned(4096)));
	uint8_t controller[4096], space[4096];
	uint32_t list[1024];
	struct fakenvme_queue queues[2];
	enum fakenvme_lie lie;
	bool slow_stop, never_starts, fatal, mute; /* mute: no answer to its own commands */
	uint8_t refuses; /* the opcode of a command of its own that fails; 0xff: none */
	unsigned stops, starts, commands, flushes, largest, discards, zeroes, lists;
	uint32_t vector;
	struct pci_arena arena;
	uint64_t bus[FAKENVME_PAGES];
	uint8_t *medium;
};

/* The one device the hooks of mmio.h belong to. */
extern struct fakenvme fakenvme;

void fakenvme_init(void);
void fakenvme_free(void);
struct nvme_registers *fakenvme_registers(void);

/* Does at most `limit` of the namespace's commands, the newest first when `backwards`. */
unsigned fakenvme_work(unsigned limit, bool backwards);

#endif
