/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The manifest blob: header, domains, strings. What cannot be known from the blob alone (is there enough
 * memory, do the CPUs exist) is left to init, which has the machine in front of it.
 */
#include <string.h>

#include "internal.h"

#define MDOM_KNOWN \
	(PV_MDOM_CONSOLE | PV_MDOM_UART | PV_MDOM_PRIVILEGED | PV_MDOM_DMA_TRUSTED | PV_MDOM_FUSED)
#define MAX_SECTORS (UINT64_MAX / 512)
#define MAX_PAGES ((uint64_t)PV_MAX_GFN + 1)
#define MAX_DEVICE_RAM (3ull << (30 - PV_PAGE_SHIFT)) /* of a walked domain with devices */
#define MAX_CAP (100 * PV_MAX_VCPUS)
#define MAX_WATCHDOG 3600u

static const char *manifest_check_header(const struct pv_manifest_header *header, uint64_t size)
{
	uint64_t domains_size = (uint64_t)header->domains * sizeof(struct pv_manifest_domain);
	uint64_t links_size = (uint64_t)header->links * sizeof(struct pv_manifest_link);
	uint64_t devices_size = (uint64_t)header->devices * sizeof(struct pv_manifest_device);

	if (header->magic != PV_MANIFEST_MAGIC)
		return "is not a manifest blob (wrong magic)";
	if (header->version != PV_MANIFEST_VERSION)
		return "has a version this program does not know";
	if (header->size != size)
		return "is truncated or too long: its header gives another size";
	if (!header->domains || header->domains > PV_MANIFEST_MAX_DOMAINS)
		return "has an impossible number of domains";
	if (header->links > PV_MANIFEST_MAX_LINKS)
		return "has an impossible number of links";
	if (header->devices > PV_MANIFEST_MAX_DEVICES)
		return "has an impossible number of devices";
	if (sizeof(*header) + domains_size + links_size + devices_size + header->strings_size !=
	    size)
		return "has parts that do not add up to its size";
	if (!mf_name_ok(header->name))
		return "has an unreadable name";
	if (!mf_zero(header->reserved, sizeof(header->reserved)))
		return "has a reserved field that is not zero";
	if (mf_crc32(0, header + 1, size - sizeof(*header)) != header->crc32)
		return "is damaged: checksum";
	return NULL;
}

static const char *domain_check_numbers(const struct pv_manifest_domain *domain)
{
	if (domain->kind != PV_KIND_EXPLICIT && domain->kind != PV_KIND_WALKED)
		return "has an unknown kind";
	if (domain->flags & ~(uint32_t)MDOM_KNOWN)
		return "has unknown flags";
	if ((domain->flags & PV_MDOM_FUSED) && domain->kind != PV_KIND_WALKED)
		return "has user and kernel fused, and is no Linux domain";
	if (!domain->mem_pages || domain->mem_pages > MAX_PAGES)
		return "has an impossible amount of memory";
	if (!domain->kmem_pages || domain->kmem_pages > MAX_PAGES)
		return "has an impossible amount of kernel memory";
	if (!domain->vcpus || domain->vcpus > PV_MAX_VCPUS)
		return "has an impossible number of vCPUs";
	if (!domain->weight || domain->weight > 65535)
		return "has a weight outside 1..65535";
	if (domain->cap > MAX_CAP)
		return "has a cap that is too large";
	if (domain->on_exit > PV_ON_EXIT_SHUTDOWN)
		return "has an unknown on_exit action";
	if (domain->dma_pages > PV_DMA_PAGES_MAX)
		return "has an impossible amount of memory for DMA";
	if (domain->watchdog_s > MAX_WATCHDOG)
		return "has a watchdog that waits for more than an hour";
	if (domain->reserved1)
		return "has a reserved field that is not zero";
	return NULL;
}

static const char *domain_check_entries(const struct pv_manifest_domain *domain,
					const struct mf_image *image)
{
	if (domain->kernel_entry >= image->count ||
	    image->entries[domain->kernel_entry].type != PV_ENTRY_KERNEL)
		return "names a kernel that is not in the image";
	if (domain->initrd_entry == PV_MANIFEST_NO_ENTRY)
		return NULL;
	if (domain->initrd_entry >= image->count ||
	    image->entries[domain->initrd_entry].type != PV_ENTRY_INITRD)
		return "names an initrd that is not in the image";
	if (image->entries[domain->kernel_entry].size + image->entries[domain->initrd_entry].size >
	    domain->mem_pages << PV_PAGE_SHIFT)
		return "has less memory than its kernel and initrd take";
	return NULL;
}

static const char *domain_check_cmdline(const struct pv_manifest_domain *domain,
					const struct mf_manifest *manifest)
{
	uint32_t room = manifest->header->strings_size;

	if (domain->cmdline_len >= PV_CMDLINE_MAX)
		return "has a command line that is too long";
	if (domain->cmdline_off >= room || domain->cmdline_len >= room - domain->cmdline_off)
		return "has a command line outside the string area";
	if (memchr(manifest->strings + domain->cmdline_off, 0, domain->cmdline_len + 1) !=
	    manifest->strings + domain->cmdline_off + domain->cmdline_len)
		return "has a command line whose length is wrong";
	return NULL;
}

static const char *domain_check_others(const struct mf_manifest *manifest, uint32_t index)
{
	const struct pv_manifest_domain *domain = &manifest->domains[index];

	if (!mf_name_ok(domain->name))
		return "has an unreadable name";
	if (!strcmp((const char *)domain->name, "init"))
		return "is called init, which is the root domain's name";
	for (uint32_t i = 0; i < index; i++) {
		if (!memcmp(domain->name, manifest->domains[i].name, PV_NAME_LEN))
			return "has the name of another domain";
		if (domain->flags & manifest->domains[i].flags & PV_MDOM_UART)
			return "asks for the serial line, which another domain owns";
	}
	return NULL;
}

static uint32_t link_count_ends(const struct mf_manifest *manifest, uint32_t upto, uint32_t domain)
{
	uint32_t ends = 0;

	for (uint32_t i = 0; i < upto; i++)
		ends += (manifest->links[i].front == domain) + (manifest->links[i].back == domain);
	return ends;
}

/* The only kind of device there is a program for in Linux. */
static bool link_has_device(const struct pv_manifest_link *link)
{
	return link->kind == PV_LINK_BLK && mf_link_blk(link).device;
}

static const char *link_check_ends(const struct mf_manifest *manifest, uint32_t index)
{
	const struct pv_manifest_link *link = &manifest->links[index];

	if (link->front >= manifest->count || link->back >= manifest->count)
		return "names a domain that does not exist";
	if (link->front == link->back)
		return "has the same domain at both ends";
	if (manifest->domains[link->back].kind != PV_KIND_EXPLICIT && !link_has_device(link))
		return "has a Linux domain as back end, but no device of it";
	if (link_count_ends(manifest, index, link->front) >= PV_MAX_LINKS ||
	    link_count_ends(manifest, index, link->back) >= PV_MAX_LINKS)
		return "is one more than a domain of it can have";
	return NULL;
}

/* A RAM disk, or a part of a device of the back end. */
static const char *link_check_disk(const struct mf_manifest *manifest,
				   const struct pv_manifest_link *link)
{
	struct pv_manifest_link_blk blk = mf_link_blk(link);

	if (blk.reserved)
		return "has a reserved field that is not zero";
	if (!blk.device) {
		if (!link->disk_pages || link->disk_pages > PV_LINK_DISK_MAX)
			return "has an impossible disk";
		return blk.first || blk.sectors ? "has a part of a RAM disk" : NULL;
	}
	if (link->disk_pages)
		return "has both a RAM disk and a device";
	if (blk.device > mf_manifest_devices_of(manifest, link->back))
		return "names a device its back end does not have";
	if (blk.first > MAX_SECTORS || blk.sectors > MAX_SECTORS - blk.first)
		return "has an impossible part of a device";
	return NULL;
}

static const char *link_check_blk(const struct mf_manifest *manifest,
				  const struct pv_manifest_link *link)
{
	if (link->flags & ~(uint32_t)PV_LINK_READ_ONLY)
		return "has unknown flags";
	if (link->window_pages < PV_LINK_WINDOW_MIN)
		return "has a window that is too small";
	return link_check_disk(manifest, link);
}

static const char *link_check_net(const struct mf_manifest *manifest, uint32_t index)
{
	static const uint8_t any[4];
	const struct pv_manifest_link *link = &manifest->links[index];
	const struct pv_manifest_link_net net = mf_link_net(link);

	if (link->window_pages < PV_LINK_WINDOW_MIN)
		return "has a window that is too small";
	if (!mf_zero(net.reserved0, sizeof(net.reserved0)) || !mf_zero(net.reserved, sizeof(net.reserved)))
		return "has a reserved field that is not zero";
	if ((net.mac[0] & 1) || mf_zero(net.mac, sizeof(net.mac)))
		return "has a MAC address that is not one station's";
	for (uint32_t i = 0; i < index; i++) {
		const struct pv_manifest_link *before = &manifest->links[i];
		const struct pv_manifest_link_net other = mf_link_net(before);

		if (before->kind != PV_LINK_NET || before->back != link->back)
			continue;
		if (!memcmp(other.mac, net.mac, sizeof(net.mac)))
			return "has the MAC address of another link of its back end";
		if (!memcmp(other.ip4, net.ip4, sizeof(net.ip4)) && memcmp(net.ip4, any, sizeof(any)))
			return "has the IP address of another link of its back end";
	}
	return NULL;
}

static const char *link_check_kind(const struct mf_manifest *manifest, uint32_t index)
{
	const struct pv_manifest_link *link = &manifest->links[index];

	if (link->kind < PV_LINK_BLK || link->kind > PV_LINK_RNG)
		return "has an unknown kind";
	if (link->kind == PV_LINK_BLK)
		return link_check_blk(manifest, link);
	if (link->flags || link->disk_pages)
		return "has what only a block device has";
	if (link->kind == PV_LINK_NET)
		return link_check_net(manifest, index);
	return mf_zero(link->config, sizeof(link->config)) ? NULL : "has what only links of other kinds have";
}

static const char *link_check(const struct mf_manifest *manifest, uint32_t index)
{
	const struct pv_manifest_link *link = &manifest->links[index];
	const char *bad;

	if (!mf_name_ok(link->name))
		return "has an unreadable name";
	for (uint32_t i = 0; i < index; i++)
		if (!memcmp(link->name, manifest->links[i].name, PV_NAME_LEN))
			return "has the name of another link";
	if (link->window_pages < PV_LINK_WINDOW_LEAST || link->window_pages > PV_LINK_WINDOW_MAX)
		return "has a window that is too small or too large";
	bad = link_check_kind(manifest, index);
	return bad ? bad : link_check_ends(manifest, index);
}

uint32_t mf_manifest_devices_of(const struct mf_manifest *manifest, uint32_t domain)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < manifest->device_count; i++)
		count += manifest->devices[i].domain == domain;
	return count;
}

/* A newlib domain's devices reach memory of their own; a walked domain's its RAM, above which, and below
 * 4 GiB, it looks for their registers. */
static const char *device_check_memory(const struct pv_manifest_domain *domain)
{
	if (domain->kind == PV_KIND_EXPLICIT)
		return domain->dma_pages ? NULL : "is for a domain without memory for DMA";
	if (domain->dma_pages)
		return "is for a Linux domain with memory for DMA alone";
	return domain->mem_pages > MAX_DEVICE_RAM ? "is for a Linux domain of more than 3 GiB" : NULL;
}

static const char *device_check(const struct mf_manifest *manifest, uint32_t index)
{
	const struct pv_manifest_device *device = &manifest->devices[index];
	const char *bad;

	if (device->domain >= manifest->count)
		return "is for a domain that does not exist";
	if (mf_manifest_devices_of(manifest, device->domain) > PV_MAX_DEVICES)
		return "is for a domain that has too many of them";
	bad = device_check_memory(&manifest->domains[device->domain]);
	if (bad)
		return bad;
	if (device->match > PV_MDEV_CLASS)
		return "is looked for in an unknown way";
	if (device->bdf > 0xffff || device->vendor > 0xffff || device->device > 0xffff ||
	    device->class > 0xffff)
		return "has an impossible address, id or class";
	if (device->reserved)
		return "has a reserved field that is not zero";
	for (uint32_t i = 0; i < index; i++)
		if (device->match == PV_MDEV_ADDRESS && manifest->devices[i].match == device->match &&
		    manifest->devices[i].bdf == device->bdf)
			return "is given to two domains";
	return NULL;
}

bool mf_manifest_open(struct mf_manifest *manifest, const struct mf_image *image,
		      struct mf_error *err)
{
	uint32_t entry = mf_image_single(image, PV_ENTRY_MANIFEST);
	const struct pv_manifest_header *header = (const void *)mf_image_bytes(image, entry);
	uint64_t size = image->entries[entry].size;
	const char *bad;

	if (size < sizeof(*header))
		return mf_fail(err, MF_SCOPE_MANIFEST, 0, NULL, "is truncated: not even a header");
	bad = manifest_check_header(header, size);
	if (bad)
		return mf_fail(err, MF_SCOPE_MANIFEST, 0, NULL, bad);

	manifest->header = header;
	manifest->count = header->domains;
	manifest->domains = (const struct pv_manifest_domain *)(header + 1);
	manifest->links = (const struct pv_manifest_link *)(manifest->domains + header->domains);
	manifest->link_count = header->links;
	manifest->devices = (const struct pv_manifest_device *)(manifest->links + header->links);
	manifest->device_count = header->devices;
	manifest->strings = (const char *)(manifest->devices + header->devices);
	for (uint32_t i = 0; i < manifest->count; i++) {
		const struct pv_manifest_domain *domain = &manifest->domains[i];

		bad = domain_check_others(manifest, i);
		if (!bad)
			bad = domain_check_numbers(domain);
		if (!bad)
			bad = domain_check_entries(domain, image);
		if (!bad)
			bad = domain_check_cmdline(domain, manifest);
		if (bad)
			return mf_fail(err, MF_SCOPE_DOMAIN, i, domain->name, bad);
	}
	for (uint32_t i = 0; i < manifest->device_count; i++) {
		bad = device_check(manifest, i);
		if (bad)
			return mf_fail(err, MF_SCOPE_DEVICE, i, NULL, bad);
	}
	for (uint32_t i = 0; i < manifest->link_count; i++) {
		bad = link_check(manifest, i);
		if (bad)
			return mf_fail(err, MF_SCOPE_LINK, i, manifest->links[i].name, bad);
	}
	return true;
}
