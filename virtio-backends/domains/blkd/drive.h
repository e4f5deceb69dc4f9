/* SPDX-License-Identifier: BSD-2-Clause */
/* drive.h - a virtio disk among the PCI functions of this domain, from its capability to a storage. */
#ifndef BLKD_DRIVE_H
#define BLKD_DRIVE_H

#include <pci/vdisk.h>
#include <port/newlib/function.h>

struct drive {
	struct function fn;
	struct vdisk disk;
	uint64_t bus[VDISK_ARENA_MAX];
	bool failure_said;
};

/* on_irq(port, arg) is called when the disk has finished something; it ends with drive_served(). False:
 * the reason is in the log. */
bool drive_open(struct drive *drive, unsigned index, pv_event_fn on_irq, void *arg);

/* Interrupts may come again; says once when the disk has failed. */
void drive_served(struct drive *drive);

#endif
