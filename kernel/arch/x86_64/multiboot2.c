// SPDX-License-Identifier: BSD-2-Clause
/*
 * multiboot2.c - GRUB's boot information, from BIOS and UEFI alike.
 */
#include "arch.h"
#include "bits.h"
#include "panic.h"
#include "platform.h"
#include "string.h"

#define INFO_MAX MIB(1)

enum {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_MODULE = 3,
	TAG_MMAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
};

#define FRAMEBUFFER_EGA_TEXT 2

struct tag {
	u32 type, size;
};

struct tag_module {
	struct tag tag;
	u32 start, end;
	char cmdline[];
};

struct tag_mmap {
	struct tag tag;
	u32 entry_size, entry_version;
};

struct mmap_entry {
	u64 start, size;
	u32 type, reserved;
};

struct tag_framebuffer {
	struct tag tag;
	u64 addr;
	u32 pitch, width, height;
	u8 bpp, type;
};

/* GRUB passes a copy of the RSDP, not its address: keep the copy in the image. */
static u8 rsdp_copy[64] __aligned(16);

static void parse_mmap(const struct tag_mmap *t)
{
	u32 n;

	if (t->entry_size < sizeof(struct mmap_entry) || t->tag.size < sizeof(*t))
		panic("multiboot2: memory map entries of %u bytes", t->entry_size);
	n = (t->tag.size - (u32)sizeof(*t)) / t->entry_size;
	for (u32 i = 0; i < n; i++) {
		const struct mmap_entry *e = (const void *)((const char *)(t + 1) +
							    (u64)i * t->entry_size);

		boot_add_range(e->start, e->size, e->type);
	}
}

static void parse_module(const struct tag_module *t)
{
	if (t->tag.size < sizeof(*t) || t->end < t->start)
		panic("multiboot2: module from %x to %x", t->start, t->end);
	boot_add_module(t->start, t->end - t->start, t->cmdline, t->tag.size - sizeof(*t));
}

static void parse_tag(const struct tag *t)
{
	const char *text = (const char *)(t + 1);
	size_t body = t->size - sizeof(*t);

	switch (t->type) {
	case TAG_CMDLINE:
		str_copy(boot_info.cmdline, text, MIN(sizeof(boot_info.cmdline), body + 1));
		break;
	case TAG_MODULE:
		parse_module((const void *)t);
		break;
	case TAG_MMAP:
		parse_mmap((const void *)t);
		break;
	case TAG_FRAMEBUFFER:
		if (((const struct tag_framebuffer *)(const void *)t)->type != FRAMEBUFFER_EGA_TEXT)
			console_no_vga();
		break;
	case TAG_RSDP_OLD:
		if (boot_info.rsdp)
			break;
		__attribute__((fallthrough));
	case TAG_RSDP_NEW:
		memcpy(rsdp_copy, text, MIN(body, sizeof(rsdp_copy)));
		boot_info.rsdp = image_to_paddr(rsdp_copy);
		break;
	default:
		break;
	}
}

void multiboot2_parse(paddr_t info)
{
	const u32 *head = paddr_to_ptr(info);
	u32 total = head[0], at = 8;

	boot_info.loader = "multiboot2";
	if (!info || total < 16 || total > INFO_MAX)
		panic("multiboot2: information of %u bytes at %lx makes no sense", total, info);
	while (at + sizeof(struct tag) <= total) {
		const struct tag *t = (const void *)((const char *)head + at);

		if (t->size < sizeof(*t) || t->size > total - at)
			panic("multiboot2: tag %u of %u bytes at offset %u", t->type, t->size, at);
		if (t->type == TAG_END)
			return;
		parse_tag(t);
		at = (u32)ALIGN_UP(at + t->size, 8);
	}
	panic("multiboot2: information has no end");
}
