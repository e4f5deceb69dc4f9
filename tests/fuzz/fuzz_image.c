// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_image.c - the boot image and the root domain's ELF, which the kernel believes nothing of.
 *
 * First byte even: an image, whose checksums are made right so that what lies behind them is reached. Odd: an
 * ELF file. Either is copied into memory of exactly its size, so that one byte too far is seen.
 */
#include <pv/abi.h>

#include "boot_image.h"
#include "elf.h"

#include <stdlib.h>
#include <string.h>

#define BASE PV_EXPLICIT_BASE
#define LIMIT (BASE + 0x40000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_checksums_right(char *image, size_t size)
{
	struct pv_image_header *h = (struct pv_image_header *)image;
	struct pv_image_entry *e = (struct pv_image_entry *)(h + 1);
	size_t room = size < sizeof(*h) ? 0 : (size - sizeof(*h)) / sizeof(*e);

	if (!room)
		return;
	h->magic = PV_IMAGE_MAGIC;
	h->version = PV_IMAGE_VERSION;
	h->count %= 4;
	if (h->size & 1)
		h->size = size;
	for (u32 i = 0; i < h->count && i < room; i++) {
		e[i].offset &= 0x1fff;
		if (e[i].offset <= size && e[i].size <= size - e[i].offset)
			e[i].crc32 = crc32(image + e[i].offset, e[i].size);
	}
	if (h->count <= room)
		h->crc32 = crc32(e, h->count * sizeof(*e));
}

static void image(char *bytes, size_t size)
{
	struct pv_image_entry entry;

	make_checksums_right(bytes, size);
	if (!boot_image_find_init(bytes, size, &entry) &&
	    (entry.offset > size || entry.size > size - entry.offset))
		abort();
}

static void elf(char *bytes, size_t size)
{
	struct elf_image out;
	volatile char sum = 0;

	if (elf_parse(bytes, size, BASE, LIMIT, &out))
		return;
	for (u32 i = 0; i < out.nr_segments; i++) {
		const struct elf_segment *s = &out.segments[i];

		if (s->va < BASE || s->va + s->npages * PAGE_SIZE > LIMIT || s->data_va < s->va ||
		    s->data_va + s->filesz > s->va + s->npages * PAGE_SIZE)
			abort();
		for (u64 b = 0; b < s->filesz; b++)
			sum = (char)(sum + bytes[s->offset + b]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes;

	if (size < 2)
		return 0;
	bytes = malloc(size - 1);
	memcpy(bytes, data + 1, size - 1);
	if (data[0] & 1)
		elf(bytes, size - 1);
	else
		image(bytes, size - 1);
	free(bytes);
	return 0;
}
