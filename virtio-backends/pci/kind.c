/* SPDX-License-Identifier: BSD-2-Clause */
/* What a PCI function is; see kind.h. An id says it of what is made by one, a class of what is made by many. */
#include "kind.h"

#include <stddef.h>

#include "pci.h"

#define VENDOR_INTEL 0x8086u
#define CLASS_NVME 0x010802u

static const struct {
	uint16_t vendor, device;
	enum pci_kind kind;
} ids[] = {
	{ PCI_VENDOR_VIRTIO, PCI_DEVICE_VIRTIO + 1, PCI_KIND_VIRTIO_CARD },
	{ PCI_VENDOR_VIRTIO, PCI_DEVICE_VIRTIO + 2, PCI_KIND_VIRTIO_DISK },
	{ PCI_VENDOR_VIRTIO, 0x1000, PCI_KIND_VIRTIO_CARD }, /* modern and of the days before at once */
	{ PCI_VENDOR_VIRTIO, 0x1001, PCI_KIND_VIRTIO_DISK },
	{ VENDOR_INTEL, 0x10d3, PCI_KIND_E1000E },
};

enum pci_kind pci_kind(uint16_t vendor, uint16_t device, uint32_t class_code)
{
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ids[i].vendor == vendor && ids[i].device == device)
			return ids[i].kind;
	return class_code == CLASS_NVME ? PCI_KIND_NVME : PCI_KIND_NONE;
}
