// SPDX-License-Identifier: BSD-2-Clause
/*
 * elf.c - decode only: nothing is loaded here, and no field of the file is believed.
 *
 * Accepted is what our linker scripts make: a static executable for x86-64 whose loadable segments
 * ascend, share no page and are never writable and executable at once.
 */
#include "elf.h"

#include <pv/abi.h>

#include "bits.h"
#include "string.h"

#define ET_EXEC 2
#define EM_X86_64 62
#define PT_LOAD 1
#define PT_DYNAMIC 2
#define PT_INTERP 3
#define PF_X 1u
#define PF_W 2u
#define MAX_PHDRS 64

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

BUILD_ASSERT(sizeof(struct elf_header) == 64 && sizeof(struct elf_phdr) == 56);

static const char *check_header(const struct elf_header *h, u64 size)
{
	static const u8 magic[7] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 }; /* 64-bit, little endian */

	if (memcmp(h->ident, magic, sizeof(magic)))
		return "not a 64-bit ELF file";
	if (h->type != ET_EXEC || h->machine != EM_X86_64)
		return "not a static x86-64 executable";
	if (h->phentsize != sizeof(struct elf_phdr) || !h->phnum || h->phnum > MAX_PHDRS)
		return "no program headers, or too many";
	if (h->phoff > size || size - h->phoff < (u64)h->phnum * sizeof(struct elf_phdr))
		return "program headers outside the file";
	return NULL;
}

static const char *add_segment(const struct elf_phdr *p, u64 size, vaddr_t base, vaddr_t limit,
			       struct elf_image *out)
{
	struct elf_segment *s = &out->segments[out->nr_segments];

	if (out->nr_segments == ELF_MAX_SEGMENTS)
		return "too many segments";
	if (p->offset > size || p->filesz > size - p->offset || p->filesz > p->memsz)
		return "a segment lies outside the file: truncated?";
	if (p->vaddr < base || p->vaddr >= limit || p->memsz > limit - p->vaddr)
		return "a segment lies outside the memory of the domain";
	if (ALIGN_DOWN(p->vaddr, PAGE_SIZE) < out->high)
		return "segments overlap, share a page or do not ascend";
	if (p->flags & PF_W && p->flags & PF_X)
		return "a segment is writable and executable";
	s->va = ALIGN_DOWN(p->vaddr, PAGE_SIZE);
	s->npages = (ALIGN_UP(p->vaddr + p->memsz, PAGE_SIZE) - s->va) >> PAGE_SHIFT;
	s->prot = PV_PROT_READ | (p->flags & PF_W ? PV_PROT_WRITE : 0) |
		  (p->flags & PF_X ? PV_PROT_EXEC : 0);
	s->data_va = p->vaddr;
	s->offset = p->offset;
	s->filesz = p->filesz;
	if (!out->nr_segments++)
		out->low = s->va;
	out->high = s->va + (s->npages << PAGE_SHIFT);
	return NULL;
}

static bool entry_executable(const struct elf_image *image)
{
	for (u32 i = 0; i < image->nr_segments; i++) {
		const struct elf_segment *s = &image->segments[i];

		if (s->prot & PV_PROT_EXEC && image->entry >= s->va &&
		    image->entry - s->va < s->npages << PAGE_SHIFT)
			return true;
	}
	return false;
}

const char *elf_parse(const void *file, u64 size, vaddr_t base, vaddr_t limit,
		      struct elf_image *out)
{
	const char *bytes = file, *wrong;
	struct elf_header h;
	struct elf_phdr p;

	memset(out, 0, sizeof(*out));
	if (size < sizeof(h))
		return "shorter than an ELF header";
	memcpy(&h, bytes, sizeof(h));
	wrong = check_header(&h, size);
	out->entry = h.entry;
	for (u32 i = 0; i < h.phnum && !wrong; i++) {
		memcpy(&p, bytes + h.phoff + i * sizeof(p), sizeof(p));
		if (p.type == PT_DYNAMIC || p.type == PT_INTERP)
			return "not a static executable";
		if (p.type == PT_LOAD && p.memsz)
			wrong = add_segment(&p, size, base, limit, out);
	}
	if (wrong)
		return wrong;
	return entry_executable(out) ? NULL : "the entry point is not in an executable segment";
}
