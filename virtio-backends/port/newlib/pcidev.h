/* SPDX-License-Identifier: BSD-2-Clause */
/* pcidev.h - a PCI function of which one holds a capability (DEV_CTL), as pci/pci.h wants to see it. */
#ifndef VIRTIO_PORT_NEWLIB_PCIDEV_H
#define VIRTIO_PORT_NEWLIB_PCIDEV_H

#include <pci/pci.h>
#include <pv/libpv.h>

/* Its configuration space; *dev must stay where it is. */
struct pci_config pcidev_config(pv_handle_t *dev);

/* pci_find_virtio() with the BARs the kernel tells of. */
const char *pcidev_find_virtio(const struct pci_config *config, const struct pv_dev_info *info,
			       struct pci_virtio *virtio) __attribute__((warn_unused_result));

#endif
