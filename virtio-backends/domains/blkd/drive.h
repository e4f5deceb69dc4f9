/* SPDX-License-Identifier: BSD-2-Clause */
/* drive.h - a virtio disk among the PCI functions of this domain, from its capability to a storage. */
#ifndef BLKD_DRIVE_H
#define BLKD_DRIVE_H

#include <pci/vdisk.h>
#include <port/newlib/pcidev.h>

struct drive {
	pv_handle_t dev;
	uint32_t bdf;
	pv_port_t irq;
	struct pv_dev_info info;
	struct pci_config config;
	uint8_t *bars[PCI_BARS]; /* where byte 0 of each would be mapped */
	struct vpci vpci;
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
