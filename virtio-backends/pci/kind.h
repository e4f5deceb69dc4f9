/* SPDX-License-Identifier: BSD-2-Clause */
/* kind.h - which of the drivers here a PCI function is for, by what it says it is. */
#ifndef VIRTIO_PCI_KIND_H
#define VIRTIO_PCI_KIND_H

#include <stdint.h>

enum pci_kind {
	PCI_KIND_NONE, /* no driver here knows it */
	PCI_KIND_VIRTIO_DISK,
	PCI_KIND_VIRTIO_CARD,
	PCI_KIND_NVME,
	PCI_KIND_E1000E,
};

/* class_code: class, subclass and interface, 8 bits each. */
enum pci_kind pci_kind(uint16_t vendor, uint16_t device, uint32_t class_code);

#endif
