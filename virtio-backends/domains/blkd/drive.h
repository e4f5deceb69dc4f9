/* SPDX-License-Identifier: BSD-2-Clause */
/* drive.h - a disk among the PCI functions of this domain, virtio or NVMe, from its capability to a storage. */
#ifndef BLKD_DRIVE_H
#define BLKD_DRIVE_H

#include <pci/nvme.h>
#include <pci/vdisk.h>
#include <port/newlib/function.h>

#define DRIVE_PAGES_MAX (VDISK_ARENA_MAX > NVME_ARENA_MAX ? VDISK_ARENA_MAX : NVME_ARENA_MAX)

struct drive {
	struct function fn;
	union {
		struct storage storage;
		struct vdisk vdisk;
		struct nvme nvme;
	};
	uint64_t bus[DRIVE_PAGES_MAX];
	bool failure_said;
};

/* on_irq(port, arg) is called when the disk has finished something; it ends with drive_served(). False:
 * the reason is in the log. */
bool drive_open(struct drive *drive, unsigned index, pv_event_fn on_irq, void *arg);

static inline struct storage *drive_storage(struct drive *drive)
{
	return &drive->storage;
}

/* Interrupts may come again; says once when the disk has failed. */
void drive_served(struct drive *drive);

#endif
