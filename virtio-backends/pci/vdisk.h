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

#include "arena.h"
#include "../ring/drvq.h"
#include "cutter.h"
#include "vpci.h"

#define VDISK_QUEUE 256u
#define VDISK_CONTROL_PAGES 4u /* descriptors, available ring, used ring, headers */
#define VDISK_ARENA_MIN (VDISK_CONTROL_PAGES + CUTTER_SLOT_PAGES)
#define VDISK_ARENA_MAX (VDISK_CONTROL_PAGES + CUTTER_SLOTS_MAX * CUTTER_SLOT_PAGES)

struct vdisk {
	struct storage storage; /* first */
	struct vpci *vpci;
	struct pci_arena arena; /* more pages than VDISK_ARENA_MAX are not used */
	struct drvq queue;
	struct drvq_slot queue_slots[VDISK_QUEUE];
	uint16_t *doorbell;
	struct cutter cutter;
	uint32_t slot_bytes;	 /* most data of a command */
	uint32_t discard_sectors, zero_sectors; /* most of a command */
	bool has_flush;
	const char *failed; /* why the device is not used any more, or NULL */
};

/*
 * Makes a device that has just been reset (vpci_reset) ready. vector: MSI-X vector of its queue, bound.
 * NULL, or what is wrong with the device; it is then of no use.
 */
const char *vdisk_init(struct vdisk *disk, struct vpci *vpci, const struct pci_arena *arena,
		       uint16_t vector, bool remapped) __attribute__((warn_unused_result));

#endif
