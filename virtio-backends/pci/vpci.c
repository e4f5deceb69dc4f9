/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of a modern virtio PCI device, driver's side; see vpci.h. */
#include "vpci.h"

#include "mmio.h"

#define CONFIG_TRIES 16u
#define GONE 0xffu /* what a device that is no more reads as */

void vpci_init(struct vpci *vpci, const struct pci_virtio *virtio, uint8_t *const bars[PCI_BARS])
{
	*vpci = (struct vpci){
		.common = (struct vpci_common *)(bars[virtio->common.bar] + virtio->common.off),
		.notify = bars[virtio->notify.bar] + virtio->notify.off,
		.notify_len = virtio->notify.len,
		.multiplier = virtio->notify_multiplier,
		.device_len = virtio->device.len,
	};
	if (virtio->device.len)
		vpci->device = bars[virtio->device.bar] + virtio->device.off;
}

static void add_status(struct vpci *vpci, uint8_t bits)
{
	uint8_t status = mmio_read8(&vpci->common->device_status);

	mmio_write8(&vpci->common->device_status, status | bits);
}

bool vpci_reset(struct vpci *vpci)
{
	mmio_write8(&vpci->common->device_status, 0);
	vpci->features = 0;
	return mmio_read8(&vpci->common->device_status) == 0;
}

static uint64_t offered(struct vpci *vpci)
{
	struct vpci_common *common = vpci->common;
	uint64_t low;

	mmio_write32(&common->device_feature_select, 0);
	low = mmio_read32(&common->device_feature);
	mmio_write32(&common->device_feature_select, 1);
	return low | (uint64_t)mmio_read32(&common->device_feature) << 32;
}

static void accept(struct vpci *vpci, uint64_t features)
{
	struct vpci_common *common = vpci->common;

	mmio_write32(&common->driver_feature_select, 0);
	mmio_write32(&common->driver_feature, (uint32_t)features);
	mmio_write32(&common->driver_feature_select, 1);
	mmio_write32(&common->driver_feature, (uint32_t)(features >> 32));
	vpci->features = features;
}

const char *vpci_negotiate(struct vpci *vpci, uint64_t wanted, bool remapped)
{
	uint64_t features;

	add_status(vpci, VIRTIO_ACKNOWLEDGE);
	add_status(vpci, VIRTIO_DRIVER);
	features = offered(vpci);
	if (!(features & VIRTIO_BIT(VIRTIO_F_VERSION_1)))
		return "is no device of virtio 1";
	if (remapped && !(features & VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM)))
		return "would go past the IOMMU: it does not offer ACCESS_PLATFORM";
	wanted |= VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM);
	accept(vpci, features & wanted);
	add_status(vpci, VIRTIO_FEATURES_OK);
	if (!(mmio_read8(&vpci->common->device_status) & VIRTIO_FEATURES_OK))
		return "refuses the features it offers";
	return NULL;
}

uint16_t vpci_queue_max(struct vpci *vpci, uint16_t queue)
{
	if (queue >= mmio_read16(&vpci->common->num_queues))
		return 0;
	mmio_write16(&vpci->common->queue_select, queue);
	return mmio_read16(&vpci->common->queue_size);
}

static void write64(uint32_t reg[2], uint64_t value)
{
	mmio_write32(&reg[0], (uint32_t)value);
	mmio_write32(&reg[1], (uint32_t)(value >> 32));
}

const char *vpci_queue(struct vpci *vpci, uint16_t queue, const struct vpci_place *place,
		       uint16_t **doorbell)
{
	struct vpci_common *common = vpci->common;
	uint64_t off;

	mmio_write16(&common->queue_select, queue);
	off = (uint64_t)mmio_read16(&common->queue_notify_off) * vpci->multiplier;
	if (off + sizeof(uint16_t) > vpci->notify_len)
		return "has a doorbell outside its doorbell registers";
	*doorbell = (uint16_t *)(vpci->notify + off);
	mmio_write16(&common->queue_size, place->size);
	mmio_write16(&common->queue_msix_vector, place->vector);
	if (mmio_read16(&common->queue_msix_vector) != place->vector)
		return "has no interrupt for its queue";
	write64(common->queue_desc, place->desc);
	write64(common->queue_driver, place->avail);
	write64(common->queue_device, place->used);
	mmio_write16(&common->queue_enable, 1);
	return NULL;
}

void vpci_driver_ok(struct vpci *vpci)
{
	add_status(vpci, VIRTIO_DRIVER_OK);
}

void vpci_kick(uint16_t *doorbell, uint16_t queue)
{
	mmio_write16(doorbell, queue);
}

bool vpci_broken(const struct vpci *vpci)
{
	uint8_t status = mmio_read8(&vpci->common->device_status);

	return status == GONE || (status & VIRTIO_NEEDS_RESET);
}

bool vpci_config(const struct vpci *vpci, uint32_t off, uint32_t *words, unsigned count)
{
	const uint32_t *from = (const uint32_t *)(vpci->device + off);
	uint32_t len = count * (uint32_t)sizeof(*words);

	if (len > vpci->device_len || off > vpci->device_len - len)
		return false;
	for (unsigned i = 0; i < CONFIG_TRIES; i++) {
		uint8_t generation = mmio_read8(&vpci->common->config_generation);

		for (unsigned j = 0; j < count; j++)
			words[j] = mmio_read32(&from[j]);
		if (mmio_read8(&vpci->common->config_generation) == generation)
			return true;
	}
	return false;
}
