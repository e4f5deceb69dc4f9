/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vdisk.h - a storage that is a virtio block device on the PCI bus.
 *
 * The device reads and writes an arena and nothing else: data is copied between it and the segments
 * of a request, so a client's window is never the device's to reach. A request is cut into commands
 * of a slot each; they are in flight together, and the request is done when all of them are.
 *
 * The device may be hostile. What it answers is checked by the ring library (drvq.h) and here; a
 * device that breaks a rule is reset and from then on every request fails.
 */
#ifndef VIRTIO_VDISK_H
#define VIRTIO_VDISK_H

#include "../blk/storage.h"
#include "../ring/drvq.h"
#include "vpci.h"

#define VDISK_PAGE 4096u
#define VDISK_QUEUE 256u
#define VDISK_SLOT_PAGES 16u
#define VDISK_SLOT_BYTES (VDISK_SLOT_PAGES * VDISK_PAGE)
#define VDISK_CONTROL_PAGES 4u /* descriptors, available ring, used ring, headers */
#define VDISK_SLOTS_MAX 64u
#define VDISK_ARENA_MIN (VDISK_CONTROL_PAGES + VDISK_SLOT_PAGES)
#define VDISK_ARENA_MAX (VDISK_CONTROL_PAGES + VDISK_SLOTS_MAX * VDISK_SLOT_PAGES)

/* Memory the device may reach: page i of base is at bus[i] for the device, which need not be next
 * to bus[i - 1]. Zeroed. */
struct vdisk_arena {
	uint8_t *base;
	const uint64_t *bus;
	unsigned pages; /* VDISK_ARENA_MIN..; more than VDISK_ARENA_MAX is not used */
};

struct vdisk_slot {
	struct storage_request *request; /* NULL: free */
	uint64_t at;			 /* of the request's bytes: which this command is for */
	uint32_t len;
};

struct vdisk_counters {
	uint64_t commands, errors;
};

struct vdisk {
	struct storage storage; /* first */
	struct vpci *vpci;
	struct vdisk_arena arena;
	struct drvq queue;
	struct drvq_slot queue_slots[VDISK_QUEUE];
	uint16_t *doorbell;
	struct vdisk_slot slots[VDISK_SLOTS_MAX];
	unsigned slot_count;
	uint32_t slot_bytes;	 /* most data of a command */
	uint32_t discard_sectors, zero_sectors; /* most of a command */
	bool has_flush;
	struct storage_request *current; /* taken, not all of its commands are out yet; or NULL */
	const char *failed; /* why the device is not used any more, or NULL */
	struct vdisk_counters counters;
};

/*
 * Makes a device that has just been reset (vpci_reset) ready. vector: MSI-X vector of its queue, bound.
 * NULL, or what is wrong with the device; it is then of no use.
 */
const char *vdisk_init(struct vdisk *disk, struct vpci *vpci, const struct vdisk_arena *arena,
		       uint16_t vector, bool remapped) __attribute__((warn_unused_result));

#endif
