/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the validator. The input is a list of changes to a good image, three bytes each: where in the
 * tables or the blob, and what to. Checksums would keep a fuzzer at the door, so they are made right
 * afterwards; what is tested is that the structure checks alone keep every later access inside the
 * bytes: an accepted image is walked as init walks it.
 */
#include <stdlib.h>
#include <string.h>

#include "manifest.h"

#define PAGE 4096u
#define ENTRIES 4
#define TABLES (sizeof(struct pv_image_header) + ENTRIES * sizeof(struct pv_image_entry))
#define STRINGS 16
#define BLOB (sizeof(struct pv_manifest_header) + 2 * sizeof(struct pv_manifest_domain) + \
	      sizeof(struct pv_manifest_link) + sizeof(struct pv_manifest_device) + STRINGS)
#define SIZE ((ENTRIES + 1) * PAGE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill_domain(struct pv_manifest_domain *domain, char last)
{
	memcpy(domain->name, "vm", 2);
	domain->name[2] = (uint8_t)last;
	domain->mem_pages = 64;
	domain->kmem_pages = 8;
	domain->vcpus = 1;
	domain->weight = 256;
	domain->kernel_entry = 2;
	domain->initrd_entry = 3;
	domain->cmdline_len = STRINGS - 1;
}

static void fill_image(uint8_t *bytes)
{
	struct pv_image_header *header = (void *)bytes;
	struct pv_image_entry *entries = (void *)(header + 1);
	struct pv_manifest_header *blob = (void *)(bytes + 2 * PAGE);
	struct pv_manifest_domain *domains = (void *)(blob + 1);
	struct pv_manifest_link *link = (void *)(domains + 2);
	struct pv_manifest_device *device = (void *)(link + 1);

	memset(bytes, 0, SIZE);
	header->magic = PV_IMAGE_MAGIC;
	header->version = PV_IMAGE_VERSION;
	header->count = ENTRIES;
	header->size = SIZE;
	for (uint32_t i = 0; i < ENTRIES; i++) {
		entries[i].name[0] = (uint8_t)('a' + i);
		entries[i].type = PV_ENTRY_INIT + i;
		entries[i].offset = (i + 1) * PAGE;
		entries[i].size = i == 1 ? BLOB : 64;
	}
	blob->magic = PV_MANIFEST_MAGIC;
	blob->version = PV_MANIFEST_VERSION;
	blob->domains = 2;
	blob->size = BLOB;
	blob->strings_size = STRINGS;
	blob->name[0] = 'f';
	fill_domain(&domains[0], '1');
	fill_domain(&domains[1], '2');
	domains[1].kind = PV_KIND_EXPLICIT;
	blob->links = 1;
	link->name[0] = 'l';
	link->kind = PV_LINK_BLK;
	link->back = 1;
	link->window_pages = PV_LINK_WINDOW_MIN;
	link->disk_pages = 1;
	blob->devices = 1;
	domains[1].dma_pages = 256;
	device->domain = 1;
	memset(device + 1, 'x', STRINGS - 1);
}

/* Makes every checksum right that can be reached without trusting a number of the input. */
static void seal(uint8_t *bytes)
{
	struct pv_image_header *header = (void *)bytes;
	struct pv_image_entry *entries = (void *)(header + 1);

	if (header->count > (SIZE - sizeof(*header)) / sizeof(*entries))
		return;
	for (uint32_t i = 0; i < header->count; i++) {
		struct pv_image_entry *entry = &entries[i];
		struct pv_manifest_header *blob = (void *)(bytes + entry->offset);

		if (entry->offset > SIZE || entry->size > SIZE - entry->offset)
			continue;
		if (entry->type == PV_ENTRY_MANIFEST && entry->offset >= PAGE &&
		    entry->offset % PAGE == 0 && entry->size >= sizeof(*blob))
			blob->crc32 = mf_crc32(0, blob + 1, entry->size - sizeof(*blob));
		entry->crc32 = mf_crc32(0, bytes + entry->offset, entry->size);
	}
	header->crc32 = mf_crc32(0, entries, header->count * sizeof(*entries));
}

/* Touches everything an accepted image promises. */
static size_t walk(const struct mf_image *image, const struct mf_manifest *manifest)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < image->count; i++)
		sum += mf_image_bytes(image, i)[image->entries[i].size - 1];
	for (uint32_t i = 0; i < manifest->count; i++)
		sum += strlen(mf_manifest_cmdline(manifest, i)) +
		       strlen((const char *)manifest->domains[i].name);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mf_manifest manifest;
	struct mf_image image;
	struct mf_error err;
	char text[128];
	size_t sum = 0;
	uint8_t *bytes = aligned_alloc(PAGE, SIZE);
	bool good;

	fill_image(bytes);
	for (; size >= 3; size -= 3, data += 3) {
		size_t at = (size_t)(data[0] | data[1] << 8) % (TABLES + BLOB);

		bytes[at < TABLES ? at : 2 * PAGE + at - TABLES] = data[2];
	}
	seal(bytes);
	good = mf_image_open(&image, bytes, SIZE, &err);
	for (uint32_t i = 0; good && i < image.count; i++)
		good = mf_image_verify(&image, i, &err);
	if (good && mf_manifest_open(&manifest, &image, &err))
		sum = walk(&image, &manifest);
	else
		sum = strlen(mf_error_text(&err, text, sizeof(text)));
	free(bytes);
	return sum ? 0 : -1;
}
