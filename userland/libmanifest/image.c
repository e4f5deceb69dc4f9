/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot image: header, entry table, page-aligned files. Everything is compared with the number of bytes
 * that are really there before it is used; sums are arranged so that they cannot wrap.
 */
#include <string.h>

#include "internal.h"

bool mf_fail(struct mf_error *err, enum mf_scope scope, uint32_t index, const uint8_t *name,
	     const char *what)
{
	err->scope = scope;
	err->index = index;
	err->what = what;
	memset(err->name, 0, sizeof(err->name));
	if (name && mf_name_ok(name))
		memcpy(err->name, name, strlen((const char *)name));
	return false;
}

bool mf_name_ok(const uint8_t *name)
{
	size_t len = 0;

	while (len < PV_NAME_LEN && name[len]) {
		if (name[len] <= ' ' || name[len] > '~')
			return false;
		len++;
	}
	if (!len || len == PV_NAME_LEN)
		return false;
	for (; len < PV_NAME_LEN; len++)
		if (name[len])
			return false;
	return true;
}

bool mf_zero(const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		if (*p++)
			return false;
	return true;
}

static const char *image_check_header(const struct pv_image_header *header, uint64_t size)
{
	if (header->magic != PV_IMAGE_MAGIC)
		return "is not a Ringfence boot image (wrong magic)";
	if (header->version != PV_IMAGE_VERSION)
		return "has a version this program does not know";
	if (header->size > size)
		return "is truncated: its header promises more bytes than there are";
	if (!header->count || header->count > PV_IMAGE_MAX_ENTRIES)
		return "has an impossible number of entries";
	if (header->reserved0 || !mf_zero(header->reserved, sizeof(header->reserved)))
		return "has a reserved field that is not zero";
	if (header->size < sizeof(*header) + header->count * sizeof(struct pv_image_entry))
		return "is smaller than its entry table";
	return NULL;
}

static const char *image_check_entry(const struct mf_image *image, uint32_t index)
{
	const struct pv_image_entry *entry = &image->entries[index];
	uint64_t table_end = sizeof(struct pv_image_header) +
			     (uint64_t)image->count * sizeof(struct pv_image_entry);

	if (!mf_name_ok(entry->name))
		return "has an unreadable name";
	if (entry->type < PV_ENTRY_INIT || entry->type > PV_ENTRY_INITRD)
		return "has an unknown type";
	if (entry->reserved)
		return "has a reserved field that is not zero";
	if (entry->offset & ((1u << PV_PAGE_SHIFT) - 1))
		return "does not start at a page boundary";
	if (!entry->size)
		return "is empty";
	if (entry->offset < table_end || entry->offset > image->size ||
	    entry->size > image->size - entry->offset)
		return "lies outside the image";
	for (uint32_t i = 0; i < index; i++) {
		const struct pv_image_entry *other = &image->entries[i];

		if (!memcmp(entry->name, other->name, PV_NAME_LEN))
			return "has the name of another entry";
		if (entry->offset < other->offset + other->size &&
		    other->offset < entry->offset + entry->size)
			return "overlaps another entry";
	}
	return NULL;
}

static uint32_t image_count_type(const struct mf_image *image, uint32_t type)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < image->count; i++)
		count += image->entries[i].type == type;
	return count;
}

bool mf_image_open(struct mf_image *image, const void *base, uint64_t size, struct mf_error *err)
{
	const struct pv_image_header *header = base;
	const char *bad;

	if ((uintptr_t)base % _Alignof(struct pv_image_header))
		return mf_fail(err, MF_SCOPE_IMAGE, 0, NULL, "is not aligned in memory");
	if (size < sizeof(*header))
		return mf_fail(err, MF_SCOPE_IMAGE, 0, NULL, "is truncated: not even a header");
	bad = image_check_header(header, size);
	if (bad)
		return mf_fail(err, MF_SCOPE_IMAGE, 0, NULL, bad);

	image->base = base;
	image->size = header->size;
	image->count = header->count;
	image->entries = (const struct pv_image_entry *)(header + 1);
	if (mf_crc32(0, image->entries, image->count * sizeof(*image->entries)) != header->crc32)
		return mf_fail(err, MF_SCOPE_IMAGE, 0, NULL, "is damaged: entry table checksum");

	for (uint32_t i = 0; i < image->count; i++) {
		bad = image_check_entry(image, i);
		if (bad)
			return mf_fail(err, MF_SCOPE_ENTRY, i, image->entries[i].name, bad);
	}
	if (image_count_type(image, PV_ENTRY_INIT) != 1)
		return mf_fail(err, MF_SCOPE_IMAGE, 0, NULL, "needs exactly one root domain");
	if (image_count_type(image, PV_ENTRY_MANIFEST) != 1)
		return mf_fail(err, MF_SCOPE_IMAGE, 0, NULL, "needs exactly one manifest");
	return true;
}

bool mf_image_verify(const struct mf_image *image, uint32_t index, struct mf_error *err)
{
	const struct pv_image_entry *entry = &image->entries[index];

	if (mf_crc32(0, mf_image_bytes(image, index), entry->size) != entry->crc32)
		return mf_fail(err, MF_SCOPE_ENTRY, index, entry->name, "is damaged: checksum");
	return true;
}

uint32_t mf_image_single(const struct mf_image *image, uint32_t type)
{
	uint32_t i = 0;

	while (i < image->count - 1 && image->entries[i].type != type)
		i++;
	return i;
}
