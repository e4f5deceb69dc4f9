/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices.c - PCI functions of domains: found, judged, given, and silenced before they change hands.
 *
 * The policy. A domain gets the functions its manifest names and no others. A function that could
 * reach memory beyond its domain's is refused: one without an IOMMU above it unless the manifest says
 * dma = "trusted", which is said aloud; a virtio device that would go past an IOMMU always. A newlib
 * domain's functions reach an arena made for them; a Linux domain's all its RAM, at its own addresses, which
 * only an IOMMU can give them.
 *
 * The fence. The domain's vCPUs do not run any more, but its device may still have work. It loses the
 * bus, and a virtio device is reset, which ends what it was asked for, before the frames it was told of
 * are freed and before a successor is started.
 */
#include "init.h"

#include <stdio.h>
#include <string.h>

#include <port/newlib/pcidev.h>

#define DMA_GFN 0x2000000ull /* 128 GiB: the part of a device's memory, beyond heap and links */
#define DMA_STRIDE PV_DMA_PAGES_MAX
#define RESET_TRIES 1000u
#define ASSIGN_TRIES 1000u /* the kernel resets a function for a tenth of a second */
#define ASSIGN_WAIT (1 * PV_NSEC_PER_MSEC)

#define VIRTIO_FEATURE_SELECT 0u /* registers of the common configuration */
#define VIRTIO_FEATURES 4u
#define VIRTIO_STATUS 20u
#define VIRTIO_ACCESS_PLATFORM (1u << (33 - 32)) /* of the second word */
#define VIRTIO_DEVICE_FIRST 0x1000u
#define VIRTIO_DEVICE_LAST 0x107fu

struct device {
	const struct pv_manifest_device *spec;
	struct guest *guest;
	pv_handle_t cap; /* 0: the machine has no such function */
	struct pv_dev_info info;
	bool given; /* to a domain that is not destroyed yet */
	struct pci_config config;
	struct pci_virtio virtio; /* config_cap 0: none, or not to be reached */
};

static struct device devices[PV_MANIFEST_MAX_DEVICES];

static const char *bdf_text(uint32_t bdf)
{
	static char text[12];

	snprintf(text, sizeof(text), "%02x:%02x.%x", bdf >> 8 & 0xff, bdf >> 3 & 31, bdf & 7);
	return text;
}

/* ---- at boot: which function is meant ---- */

static bool matches(const struct pv_manifest_device *spec, const struct pv_dev_info *info)
{
	if (info->flags & PV_DEV_BRIDGE)
		return false;
	switch (spec->match) {
	case PV_MDEV_ADDRESS:
		return info->bdf == spec->bdf;
	case PV_MDEV_IDS:
		return info->vendor == spec->vendor && info->device == spec->device;
	default:
		return info->class_code >> 8 == spec->class;
	}
}

static void find(struct device *device)
{
	struct pv_dev_info info;

	for (unsigned i = 0; !device->cap && pv_dev_list(init.host, i, &info) >= 0; i++) {
		int64_t cap;

		if (!matches(device->spec, &info))
			continue;
		cap = pv_dev_cap(init.host, info.bdf); /* EBUSY: another one's */
		if (cap < 0)
			continue;
		device->cap = (pv_handle_t)cap;
		device->info = info;
	}
}

/* ---- virtio devices ---- */

static bool is_virtio(const struct device *device)
{
	return device->info.vendor == PCI_VENDOR_VIRTIO &&
	       device->info.device >= VIRTIO_DEVICE_FIRST &&
	       device->info.device <= VIRTIO_DEVICE_LAST;
}

/* NULL or why this function is not given away. */
static const char *open_virtio(struct device *device)
{
	if (!is_virtio(device))
		return NULL;
	return pcidev_find_virtio(&device->config, &device->info, &device->virtio);
}

/* A device without the feature takes addresses for physical ones, whatever stands above it. */
static bool goes_past_iommu(struct device *device)
{
	uint32_t features;

	if (!is_virtio(device) ||
	    !pci_virtio_write(&device->config, &device->virtio, VIRTIO_FEATURE_SELECT, 4, 1) ||
	    !pci_virtio_read(&device->config, &device->virtio, VIRTIO_FEATURES, 4, &features))
		return false; /* not to be seen from here: its driver looks too */
	return !(features & VIRTIO_ACCESS_PLATFORM);
}

void devices_setup(void)
{
	for (unsigned i = 0; i < init.manifest.device_count; i++) {
		struct device *device = &devices[i];

		device->spec = &init.manifest.devices[i];
		device->guest = &init.guests[device->spec->domain];
		device->config = pcidev_config(&device->cap);
		find(device);
	}
}

/* ---- a domain is built ---- */

uint64_t devices_dma_pages(const struct guest *guest)
{
	return guest->spec->dma_pages;
}

static bool is_trusted(const struct guest *guest)
{
	return guest->spec->flags & PV_MDOM_DMA_TRUSTED;
}

static bool is_walked(const struct guest *guest)
{
	return guest->spec->kind == PV_KIND_WALKED;
}

/* NULL or why the device would not be confined to its domain's memory. */
static const char *judge(struct device *device)
{
	bool remapped = device->info.flags & PV_DEV_REMAPPED;

	if (!remapped && is_walked(device->guest))
		return "cannot be a Linux domain's: this machine has no IOMMU, and without one a device "
		       "knows that memory by other addresses";
	if (!remapped && !is_trusted(device->guest))
		return "could reach all memory: this machine has no IOMMU "
		       "(dma = \"trusted\" gives it all the same)";
	if (remapped && goes_past_iommu(device))
		return "would go past the IOMMU: it does not offer ACCESS_PLATFORM";
	if (!remapped)
		printf("%s: TRUSTED WITH ALL MEMORY: its device %s does DMA without an IOMMU\n",
		       (const char *)device->guest->spec->name, bdf_text(device->info.bdf));
	return NULL;
}

static int64_t dma_map_all(const struct device *device, pv_gfn_t gfn, uint64_t pages)
{
	while (pages) {
		int64_t done = pv_dev_dma_map(device->cap, gfn, pages);

		if (pv_again(done))
			continue;
		if (done <= 0)
			return done < 0 ? done : -PV_EINVAL;
		gfn += (uint64_t)done;
		pages -= (uint64_t)done;
	}
	return 0;
}

/* Linux takes buffers from anywhere in its RAM. Its console's page is no RAM, and granted to another domain. */
static const char *give_ram(struct device *device, const struct pv_start_info *info)
{
	for (unsigned i = 0; i < info->memmap_count; i++) {
		const struct pv_memmap_entry *entry = &info->memmap[i];

		if (entry->type == PV_MEM_RAM &&
		    dma_map_all(device, entry->base >> PV_PAGE_SHIFT, entry->size >> PV_PAGE_SHIFT) < 0)
			return "cannot be given its domain's memory: kmem is too small";
	}
	return NULL;
}

/* Memory the device of a newlib domain may reach: fresh frames, and nothing else of the domain. */
static const char *give_arena(struct device *device, pv_gfn_t gfn, uint64_t pages)
{
	pv_handle_t dom = device->guest->dom;

	if (pv_mem_populate_all(dom, gfn, pages) < 0)
		return "finds no memory for DMA";
	if (pv_as_map_all(dom, gfn << PV_PAGE_SHIFT, gfn, pages, PV_PROT_READ | PV_PROT_WRITE) < 0)
		return "finds kmem too small for its memory for DMA";
	if (dma_map_all(device, gfn, pages) < 0)
		return "cannot be given memory for DMA";
	return NULL;
}

/* A function that another domain had is being reset for a while. */
static int64_t assign(struct device *device)
{
	uint64_t flags = is_trusted(device->guest) ? PV_DEV_TRUSTED : 0;
	int64_t r = -PV_EAGAIN;

	for (unsigned i = 0; i < ASSIGN_TRIES && r == -PV_EAGAIN; i++) {
		if (i)
			pv_sleep_until(pv_clock_ns() + ASSIGN_WAIT);
		r = pv_dev_assign(device->cap, device->guest->dom, flags);
	}
	return r;
}

static const char *give_memory(struct device *device, const struct pv_start_info *info,
			       const struct pv_start_device *start)
{
	return is_walked(device->guest) ? give_ram(device, info) :
					  give_arena(device, start->dma_gfn, start->dma_pages);
}

/* start: where its memory is meant to be; completed here. */
static const char *give(struct device *device, const struct pv_start_info *info,
			struct pv_start_device *start)
{
	const char *why;
	int64_t r;

	if (!device->cap)
		return "does not exist, or another domain has it";
	r = assign(device);
	if (r < 0)
		return pv_strerror(r);
	device->given = true;
	pv_dev_info(device->cap, &device->info); /* what stands above it is known now */
	why = open_virtio(device);
	if (!why)
		why = judge(device);
	if (!why)
		why = give_memory(device, info, start);
	if (why)
		return why;
	r = pv_cap_copy(device->cap, device->guest->dom, PV_RIGHT_DEV_USE);
	if (r < 0)
		return "cannot be given: its domain can hold no more capabilities";
	start->handle = (uint32_t)r;
	start->bdf = device->info.bdf;
	return NULL;
}

/* How the manifest names it. */
static const char *spec_text(const struct pv_manifest_device *spec)
{
	static char text[24];

	if (spec->match == PV_MDEV_ADDRESS)
		return bdf_text(spec->bdf);
	if (spec->match == PV_MDEV_IDS)
		snprintf(text, sizeof(text), "%04x:%04x", spec->vendor, spec->device);
	else
		snprintf(text, sizeof(text), "class %02x.%02x", spec->class >> 8, spec->class & 0xff);
	return text;
}

/* Where the memory of a domain's device number index is; it has count of them. */
static struct pv_start_device planned(const struct guest *guest, uint32_t index, uint32_t count)
{
	if (is_walked(guest))
		return (struct pv_start_device){ .dma_pages = (uint32_t)guest->spec->mem_pages };
	return (struct pv_start_device){
		.dma_gfn = DMA_GFN + index * DMA_STRIDE,
		.dma_pages = guest->spec->dma_pages / count,
	};
}

const char *devices_prepare(struct guest *guest, struct built *built)
{
	static char text[160];
	struct pv_start_info *info = &built->info;
	uint32_t domain = (uint32_t)(guest - init.guests);
	uint32_t count = mf_manifest_devices_of(&init.manifest, domain);

	for (unsigned i = 0; i < init.manifest.device_count; i++) {
		struct device *device = &devices[i];
		uint32_t index = info->device_count;
		const char *why;

		if (device->guest != guest)
			continue;
		info->devices[index] = planned(guest, index, count);
		why = give(device, info, &info->devices[index]);
		if (why) {
			snprintf(text, sizeof(text), "its device %s %s", spec_text(device->spec), why);
			return text;
		}
		info->device_count++;
	}
	return NULL;
}

/* ---- the fence ---- */

/* True: the device has said that it holds no memory any more. */
static bool reset_virtio(struct device *device)
{
	uint32_t status = 1;

	if (!pci_virtio_write(&device->config, &device->virtio, VIRTIO_STATUS, 1, 0))
		return false;
	for (unsigned i = 0; i < RESET_TRIES && status; i++) {
		if (!pci_virtio_read(&device->config, &device->virtio, VIRTIO_STATUS, 1, &status))
			return false;
		if (status)
			pv_yield();
	}
	return status == 0;
}

static void silence(struct device *device)
{
#ifdef PLANTED_NO_FENCE /* a mistake that tests/system/kills.py has to notice */
	if (device)
		return;
#endif
	const struct pci_config *config = &device->config;
	uint32_t command = config->read(config->self, PCI_COMMAND, 2);

	if (!config->write(config->self, PCI_COMMAND, 2, command & ~PCI_COMMAND_MASTER))
		printf("%s: its device %s keeps the bus\n", (const char *)device->guest->spec->name,
		       bdf_text(device->info.bdf));
	if (device->virtio.config_cap && !reset_virtio(device))
		printf("%s: its device %s cannot be reset from here\n",
		       (const char *)device->guest->spec->name, bdf_text(device->info.bdf));
}

void devices_fence(struct guest *guest)
{
	for (unsigned i = 0; i < init.manifest.device_count; i++) {
		struct device *device = &devices[i];

		if (device->guest != guest || !device->given)
			continue;
		silence(device);
		device->given = false;
	}
}

void devices_list(void)
{
	struct pv_dev_info info;

	for (unsigned i = 0; pv_dev_list(init.host, i, &info) >= 0; i++) {
		const char *owner = info.flags & PV_DEV_BRIDGE ? "kernel" : "-";

		for (unsigned j = 0; j < init.manifest.device_count; j++)
			if (devices[j].given && devices[j].info.bdf == info.bdf)
				owner = (const char *)devices[j].guest->spec->name;
		ctl_answer("%s  %04x:%04x  class %02x.%02x  %-16s%s", bdf_text(info.bdf), info.vendor,
			   info.device, info.class_code >> 16, info.class_code >> 8 & 0xff, owner,
			   info.flags & PV_DEV_REMAPPED ? "  behind an IOMMU" :
			   info.flags & PV_DEV_TRUSTED  ? "  trusted" :
							  "");
	}
}
