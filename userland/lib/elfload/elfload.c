/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elfload.c - see elfload.h. Every offset is compared with what is left of the file before it is
 * added to anything, so no sum can wrap.
 */
#include "elfload.h"

#include <string.h>

#include <pv/abi.h>

#define PAGE 4096ull
#define ADDR_MAX (1ull << 46)

#define ET_EXEC 2
#define EM_X86_64 62
#define PT_LOAD 1
#define PT_NOTE 4
#define PF_X 1u
#define PF_W 2u
#define PF_R 4u

struct ehdr {
	uint8_t ident[16];
	uint16_t type;
	uint16_t machine;
	uint32_t version;
	uint64_t entry;
	uint64_t phoff;
	uint64_t shoff;
	uint32_t flags;
	uint16_t ehsize;
	uint16_t phentsize;
	uint16_t phnum;
	uint16_t shentsize;
	uint16_t shnum;
	uint16_t shstrndx;
};

struct phdr {
	uint32_t type;
	uint32_t flags;
	uint64_t offset;
	uint64_t vaddr;
	uint64_t paddr;
	uint64_t filesz;
	uint64_t memsz;
	uint64_t align;
};

struct nhdr {
	uint32_t namesz;
	uint32_t descsz;
	uint32_t type;
};

_Static_assert(sizeof(struct ehdr) == 64 && sizeof(struct phdr) == 56, "ELF64 layout");

static uint64_t page_up(uint64_t x)
{
	return (x + PAGE - 1) & ~(PAGE - 1);
}

static uint64_t align4(uint64_t x)
{
	return (x + 3) & ~3ull;
}

static const char *check_header(const struct ehdr *eh, uint64_t size)
{
	static const uint8_t magic[7] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	if (memcmp(eh->ident, magic, sizeof(magic)))
		return "not a little-endian ELF64 file";
	if (eh->machine != EM_X86_64)
		return "not for x86-64";
	if (eh->type != ET_EXEC)
		return "not a fixed-address executable";
	if (eh->phentsize != sizeof(struct phdr) || !eh->phnum)
		return "no program headers";
	if (eh->phoff > size || (size - eh->phoff) / sizeof(struct phdr) < eh->phnum)
		return "program headers reach beyond the end of the file";
	return NULL;
}

static const char *add_segment(const uint8_t *file, const struct phdr *ph, enum elf_address which,
			       struct elf_image *out)
{
	struct elf_segment *seg;
	uint64_t addr = which == ELF_VIRTUAL ? ph->vaddr : ph->paddr;

	if (!ph->memsz)
		return NULL;
	if (out->count == ELF_MAX_SEGMENTS)
		return "too many segments";
	if (ph->filesz > ph->memsz)
		return "a segment is larger in the file than in memory";
	if (addr >= ADDR_MAX || ph->memsz > ADDR_MAX - addr)
		return "a segment lies beyond the address space";
	if (addr % PAGE)
		return "a segment does not start at a page";
	if (!(ph->flags & PF_R))
		return "a segment is not readable";
	seg = &out->segments[out->count++];
	*seg = (struct elf_segment){
		.addr = addr,
		.memsz = ph->memsz,
		.data = file + ph->offset,
		.filesz = ph->filesz,
		.prot = PV_PROT_READ | (ph->flags & PF_W ? PV_PROT_WRITE : 0) |
			(ph->flags & PF_X ? PV_PROT_EXEC : 0),
	};
	return NULL;
}

/* A damaged note is ignored: then the entry is missing, which the caller reports. */
static void read_notes(const uint8_t *p, uint64_t left, struct elf_image *out)
{
	static const char name[] = "ringfence";
	struct nhdr nh;

	while (left >= sizeof(nh)) {
		uint64_t name_room, desc_room;

		memcpy(&nh, p, sizeof(nh));
		p += sizeof(nh);
		left -= sizeof(nh);
		name_room = align4(nh.namesz);
		desc_room = align4(nh.descsz);
		if (name_room > left || desc_room > left - name_room)
			return;
		if (nh.type == PV_NOTE_TYPE_ENTRY && nh.namesz == sizeof(name) &&
		    !memcmp(p, name, sizeof(name)) && nh.descsz == sizeof(out->note_entry)) {
			memcpy(&out->note_entry, p + name_room, sizeof(out->note_entry));
			out->has_note = true;
		}
		p += name_room + desc_room;
		left -= name_room + desc_room;
	}
}

/* Insertion sort: at most 16 segments, nearly always in order. */
static void sort_segments(struct elf_image *image)
{
	for (unsigned i = 1; i < image->count; i++) {
		struct elf_segment seg = image->segments[i];
		unsigned at = i;

		for (; at > 0 && image->segments[at - 1].addr > seg.addr; at--)
			image->segments[at] = image->segments[at - 1];
		image->segments[at] = seg;
	}
}

const char *elf_parse(const void *file, uint64_t size, enum elf_address which, struct elf_image *out)
{
	const uint8_t *bytes = file;
	struct ehdr eh;
	const char *why;

	memset(out, 0, sizeof(*out));
	if (size < sizeof(eh))
		return "too short for an ELF file";
	memcpy(&eh, bytes, sizeof(eh));
	why = check_header(&eh, size);
	if (why)
		return why;
	out->entry = eh.entry;
	for (unsigned i = 0; i < eh.phnum; i++) {
		struct phdr ph;

		memcpy(&ph, bytes + eh.phoff + i * sizeof(ph), sizeof(ph));
		if (ph.type != PT_LOAD && ph.type != PT_NOTE)
			continue;
		if (ph.offset > size || ph.filesz > size - ph.offset)
			return "a segment reaches beyond the end of the file";
		if (ph.type == PT_NOTE)
			read_notes(bytes + ph.offset, ph.filesz, out);
		else
			why = add_segment(bytes, &ph, which, out);
		if (why)
			return why;
	}
	if (!out->count)
		return "nothing to load";
	sort_segments(out);
	for (unsigned i = 1; i < out->count; i++)
		if (page_up(out->segments[i - 1].addr + out->segments[i - 1].memsz) >
		    out->segments[i].addr)
			return "two segments share a page";
	return NULL;
}

uint64_t elf_end(const struct elf_image *image)
{
	const struct elf_segment *last = &image->segments[image->count - 1];

	return page_up(last->addr + last->memsz);
}

uint64_t elf_pages(const struct elf_image *image)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < image->count; i++)
		pages += page_up(image->segments[i].memsz) / PAGE;
	return pages;
}
