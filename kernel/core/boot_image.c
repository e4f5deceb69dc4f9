// SPDX-License-Identifier: BSD-2-Clause
/*
 * boot_image.c - the one file handed to the kernel as its module: header, table, contents.
 *
 * The kernel needs only init's ELF out of it; the root domain checks the other entries when it
 * uses them. Every mistake in the file has a sentence of its own.
 */
#include "boot_image.h"

#include "bits.h"
#include "string.h"

#define CRC32_POLY 0xedb88320u

u32 crc32(const void *data, u64 size)
{
	const u8 *p = data;
	u32 table[16], crc = ~0u;

	for (u32 i = 0; i < 16; i++) {
		table[i] = i;
		for (u32 bit = 0; bit < 4; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? CRC32_POLY : 0);
	}
	for (u64 i = 0; i < size; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

static const char *check_entry(const struct pv_image_entry *e, u64 size)
{
	if (strnlen((const char *)e->name, sizeof(e->name)) == sizeof(e->name))
		return "an entry's name is not terminated";
	if (!IS_ALIGNED(e->offset, PAGE_SIZE))
		return "an entry is not page-aligned";
	if (e->offset > size || e->size > size - e->offset)
		return "an entry lies outside the image: truncated?";
	return NULL;
}

const char *boot_image_find_init(const void *image, u64 size, struct pv_image_entry *out)
{
	const struct pv_image_header *h = image;
	const struct pv_image_entry *table = (const struct pv_image_entry *)(h + 1);
	const char *wrong;
	u32 found = 0;

	if (size < sizeof(*h) || h->magic != PV_IMAGE_MAGIC)
		return "not a Ringfence boot image (wrong magic)";
	if (h->version != PV_IMAGE_VERSION)
		return "made for another version of the kernel";
	if (!h->count || h->count > PV_IMAGE_MAX_ENTRIES ||
	    size - sizeof(*h) < h->count * sizeof(*table))
		return "its table of entries does not fit";
	if (h->size > size)
		return "truncated: shorter than its header says";
	if (crc32(table, h->count * sizeof(*table)) != h->crc32)
		return "its table of entries is corrupt (checksum)";
	for (u32 i = 0; i < h->count; i++) {
		wrong = check_entry(&table[i], h->size);
		if (wrong)
			return wrong;
		if (table[i].type != PV_ENTRY_INIT)
			continue;
		*out = table[i];
		found++;
	}
	if (found != 1)
		return "it must hold exactly one root domain";
	if (crc32((const char *)image + out->offset, out->size) != out->crc32)
		return "the root domain in it is corrupt (checksum)";
	return NULL;
}
