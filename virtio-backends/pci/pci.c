/* SPDX-License-Identifier: BSD-2-Clause */
/* Capabilities of a function and of a modern virtio device; see pci.h. */
#include "pci.h"

#define CAPS_MAX 48u /* so many fit behind the header, four bytes each */
#define CAPS_START 0x40u

#define TYPE_COMMON 1u
#define TYPE_NOTIFY 2u
#define TYPE_ISR 3u
#define TYPE_DEVICE 4u
#define TYPE_CONFIG 5u

#define CAP_BYTES 16u
#define CAP_LONG_BYTES 20u /* NOTIFY has its multiplier behind, CONFIG its window */
#define COMMON_BYTES 56u

static uint32_t config_read(const struct pci_config *config, unsigned off, unsigned width)
{
	return config->read(config->self, off, width);
}

unsigned pci_find_cap(const struct pci_config *config, unsigned id, unsigned after)
{
	unsigned at;

	if (!after && !(config_read(config, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
		return 0;
	at = config_read(config, after ? after + 1 : PCI_CAPABILITIES, 1) & 0xfc;
	for (unsigned i = 0; i < CAPS_MAX && at >= CAPS_START; i++) {
		uint32_t head = config_read(config, at, 2);

		if ((head & 0xff) == id)
			return at;
		at = head >> 8 & 0xfc;
	}
	return 0;
}

struct wanted {
	struct pci_region *region;
	uint32_t least, align;
};

/* Does the capability at `cap` give a usable place for it? */
static bool read_region(const struct pci_config *config, const uint64_t bar_bytes[PCI_BARS],
			unsigned cap, const struct wanted *wanted)
{
	struct pci_region region = {
		.bar = config_read(config, cap + 4, 1) & 0xff,
		.off = config_read(config, cap + 8, 4),
		.len = config_read(config, cap + 12, 4),
	};

	if (region.len < wanted->least || region.off % wanted->align || region.bar >= PCI_BARS ||
	    region.len > bar_bytes[region.bar] ||
	    region.off > bar_bytes[region.bar] - region.len)
		return false;
	*wanted->region = region;
	return true;
}

static void read_cap(const struct pci_config *config, const uint64_t bar_bytes[PCI_BARS],
		     unsigned cap, struct pci_virtio *virtio)
{
	const struct wanted wanted[] = {
		[TYPE_COMMON] = { &virtio->common, COMMON_BYTES, 4 },
		[TYPE_NOTIFY] = { &virtio->notify, 2, 2 },
		[TYPE_ISR] = { &virtio->isr, 1, 1 },
		[TYPE_DEVICE] = { &virtio->device, 1, 4 },
	};
	unsigned type = config_read(config, cap + 3, 1) & 0xff;
	unsigned needs = type == TYPE_NOTIFY || type == TYPE_CONFIG ? CAP_LONG_BYTES : CAP_BYTES;

	if (type < TYPE_COMMON || type > TYPE_CONFIG || cap > 256 - needs ||
	    (config_read(config, cap + 2, 1) & 0xff) < needs)
		return;
	if (type == TYPE_CONFIG)
		virtio->config_cap = virtio->config_cap ? virtio->config_cap : cap;
	else if (!wanted[type].region->len &&
		 read_region(config, bar_bytes, cap, &wanted[type]) && type == TYPE_NOTIFY)
		virtio->notify_multiplier = config_read(config, cap + 16, 4);
}

const char *pci_find_virtio(const struct pci_config *config, const uint64_t bar_bytes[PCI_BARS],
			    struct pci_virtio *virtio)
{
	unsigned cap = 0;

	*virtio = (struct pci_virtio){ .config_cap = 0 };
	for (unsigned i = 0; i < CAPS_MAX; i++) {
		cap = pci_find_cap(config, PCI_CAP_VENDOR, cap);
		if (!cap)
			break;
		read_cap(config, bar_bytes, cap, virtio);
	}
	if (!virtio->common.len)
		return "has no common registers of a modern virtio device";
	if (!virtio->notify.len)
		return "has no doorbell registers of a modern virtio device";
	if (!virtio->isr.len)
		return "has no interrupt status register of a modern virtio device";
	/* 0 (one doorbell for all) or a power of two that keeps each of them aligned */
	if (virtio->notify_multiplier & 1 ||
	    virtio->notify_multiplier & (virtio->notify_multiplier - 1))
		return "spaces its doorbells in an impossible way";
	return NULL;
}

/* Points the capability's window at a register of `common`. */
static bool aim(const struct pci_config *config, const struct pci_virtio *virtio, uint32_t off,
		unsigned width)
{
	unsigned cap = virtio->config_cap;

	return cap && off <= COMMON_BYTES - width &&
	       config->write(config->self, cap + 4, 1, virtio->common.bar) &&
	       config->write(config->self, cap + 8, 4, virtio->common.off + off) &&
	       config->write(config->self, cap + 12, 4, width);
}

bool pci_virtio_read(const struct pci_config *config, const struct pci_virtio *virtio, uint32_t off,
		     unsigned width, uint32_t *value)
{
	if (!aim(config, virtio, off, width))
		return false;
	*value = config_read(config, virtio->config_cap + 16, width);
	return true;
}

bool pci_virtio_write(const struct pci_config *config, const struct pci_virtio *virtio,
		      uint32_t off, unsigned width, uint32_t value)
{
	return aim(config, virtio, off, width) &&
	       config->write(config->self, virtio->config_cap + 16, width, value);
}
