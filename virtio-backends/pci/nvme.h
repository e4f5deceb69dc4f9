/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nvme.h - a storage that is the first namespace of an NVMe controller on the PCI bus (NVM Express 1.4, a part).
 *
 *	nvme_look -> nvme_stopped until true -> nvme_start -> nvme_step and nvme_tick until live or failed
 *
 * As a virtio disk (vdisk.h) it reaches an arena and nothing else, and may be hostile: what it answers is checked,
 * and when it breaks a rule it is switched off and every request fails. One that is silent is reset and asked
 * again; a reset ends what it was asked for before, so nothing of that comes later.
 *
 * Nothing here waits: time is what nvme_tick() says has passed.
 */
#ifndef VIRTIO_NVME_H
#define VIRTIO_NVME_H

#include "arena.h"
#include "cutter.h"
#include "nvmeq.h"

#define NVME_CONTROL_PAGES 7u /* two pairs of queues, an answer, lists of pages */
#define NVME_ARENA_MIN (NVME_CONTROL_PAGES + CUTTER_SLOT_PAGES)
#define NVME_SLOTS_MAX (NVMEQ_SIZE_MAX - 1u)
#define NVME_ARENA_MAX (NVME_CONTROL_PAGES + NVME_SLOTS_MAX * CUTTER_SLOT_PAGES)
#define NVME_DOORBELLS 0x1000u	  /* where they begin; before them are the other registers */
#define NVME_COMMAND_MS 30000u	  /* an answer that takes longer does not come */
#define NVME_RESETS_MAX 3u	  /* one behind the other, without a command done in between */

struct nvme_registers {
	uint32_t cap[2], version, mask_set, mask_clear, config, reserved, status, subsystem_reset;
	uint32_t admin_sizes, admin_sq[2], admin_cq[2];
};

_Static_assert(sizeof(struct nvme_registers) == 0x38, "part of the protocol");

enum nvme_state {
	NVME_STOPPING, /* told to let go of everything, or to do so again */
	NVME_STARTING, /* switched on */
	NVME_ASKING,   /* asked one thing after the other */
	NVME_LIVE,
	NVME_FAILED,
};

/* What it said of itself; nothing of it may change when it is asked again. */
struct nvme_identity {
	uint8_t serial[20];
	uint32_t nsid;
	uint64_t sectors;
};

struct nvme {
	struct storage storage; /* first */
	struct nvme_registers *registers;
	uint32_t bytes; /* of its first BAR from the start: registers and the doorbells that are used */
	uint32_t stride; /* from a doorbell to the next */
	uint32_t patience_ms; /* how long it may take to be switched on and off */
	struct pci_arena arena; /* more pages than NVME_ARENA_MAX are not used */
	uint16_t vector;
	enum nvme_state state;
	unsigned question; /* while ASKING */
	uint32_t waited_ms;
	unsigned resets; /* since a command was done */
	unsigned resets_ever;
	struct nvmeq admin, io;
	struct cutter cutter;
	uint32_t ages_ms[NVME_SLOTS_MAX];
	uint32_t slot_bytes; /* most data of a command */
	bool has_flush;
	struct nvme_identity identity;
	const char *failed; /* why the device is not used any more, or NULL */
	/* Work has come: nvme_tick() is to be called until it says that there is none; once each time. */
	void (*arm)(void *self);
	void *self;
	bool armed;
};

/*
 * Looks at the registers of which the first page is mapped, and begins to switch the controller off. bar_bytes: of the
 * BAR. Then nvme->bytes of it must be mapped, next to each other. NULL, or why it is of no use.
 */
const char *nvme_look(struct nvme *nvme, struct nvme_registers *registers, uint64_t bar_bytes)
	__attribute__((warn_unused_result));

/* True: it has let go of all memory. Ask again until then, nvme->patience_ms at most. */
bool nvme_stopped(const struct nvme *nvme);

/* Begins to make a stopped one ready. vector: that of its interrupt, bound. arm, or NULL. NULL, or why not. */
const char *nvme_start(struct nvme *nvme, const struct pci_arena *arena, uint16_t vector,
		       void (*arm)(void *self), void *self) __attribute__((warn_unused_result));

/* Goes on as far as that needs no waiting. */
void nvme_step(struct nvme *nvme);

/* So much time has passed. True: call it again later. */
bool nvme_tick(struct nvme *nvme, uint32_t ms);

/* ---- between nvme.c and nvmeup.c ---- */

/* Not to be trusted any more: everything it was asked for fails. */
void nvme_fail(struct nvme *nvme, const char *why);
/* Silent: switched off and on again, then asked again for what is out. */
void nvme_reset(struct nvme *nvme);
/* It is live (again): what the slots hold is offered. */
void nvme_resume(struct nvme *nvme);

#endif
