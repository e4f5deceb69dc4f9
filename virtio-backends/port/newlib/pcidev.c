/* SPDX-License-Identifier: BSD-2-Clause */
#include "pcidev.h"

static uint32_t config_read(void *self, unsigned off, unsigned width)
{
	int64_t r = pv_dev_cfg_read(*(const pv_handle_t *)self, off, width);

	return r < 0 ? ~0u : (uint32_t)r;
}

static bool config_write(void *self, unsigned off, unsigned width, uint32_t value)
{
	return pv_dev_cfg_write(*(const pv_handle_t *)self, off, width, value) >= 0;
}

struct pci_config pcidev_config(pv_handle_t *dev)
{
	return (struct pci_config){ dev, config_read, config_write };
}

const char *pcidev_find_virtio(const struct pci_config *config, const struct pv_dev_info *info,
			       struct pci_virtio *virtio)
{
	uint64_t bytes[PCI_BARS];

	for (unsigned i = 0; i < PCI_BARS; i++)
		bytes[i] = info->bars[i].flags & PV_BAR_IO ? 0 : info->bars[i].size;
	return pci_find_virtio(config, bytes, virtio);
}
