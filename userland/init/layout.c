/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout.c - where things lie in a new domain, and how bytes get there.
 *
 * explicit (newlib), virtual == guest-physical:
 *   PV_EXPLICIT_BASE  ELF segments, W^X
 *                     guard page
 *                     stack, STACK_PAGES
 *                     guard page
 *                     start_info, command line (read-only); VCS, port page, console ring
 *                     heap: what is left of the quota
 * walked (Linux), RAM from 0 without holes:
 *   0x10000 start_info   0x11000 command line   0x12000 console ring (reserved in the memory map)
 *   p_paddr              ELF segments, 1 MiB or higher
 *   end of RAM           initrd, page-aligned, below the end
 *
 * Frames of a child are not mapped here: bytes go through a buffer of init's own and MEM_CTL COPY.
 */
#include "init.h"

#include <string.h>

#define PAGE PV_PAGE_SIZE
#define STACK_PAGES 16
#define HEAP_PAGES_MIN 8
/* A privileged domain builds domains itself: most of its quota stays free for them. */
#define PRIVILEGED_HEAP_PAGES 1024

#define WALKED_START_INFO 0x10000ull
#define WALKED_CMDLINE 0x11000ull
#define WALKED_CONSOLE 0x12000ull
#define WALKED_KERNEL_MIN 0x100000ull

#define BUFFER_PAGES 64

static uint8_t buffer[BUFFER_PAGES * PV_PAGE_SIZE] __attribute__((aligned(4096)));

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + PAGE - 1) >> PV_PAGE_SHIFT;
}

/* Page-aligned gpa; the rest of the last page becomes zero. */
const char *load_bytes(pv_handle_t dom, uint64_t gpa, const void *bytes, uint64_t len)
{
	const uint8_t *from = bytes;

	while (len) {
		uint64_t step = len < sizeof(buffer) ? len : sizeof(buffer);
		uint64_t pages = pages_of(step);

		memcpy(buffer, from, step);
		memset(buffer + step, 0, pages * PAGE - step);
		if (pv_mem_copy_all(dom, gpa >> PV_PAGE_SHIFT, pages,
				    (uint64_t)buffer >> PV_PAGE_SHIFT) < 0)
			return "its memory cannot be written";
		from += step;
		gpa += step;
		len -= step;
	}
	return NULL;
}

static const char *parse_kernel(struct guest *guest, enum elf_address which, struct elf_image *elf)
{
	uint32_t entry = guest->spec->kernel_entry;

	return elf_parse(mf_image_bytes(&init.image, entry), init.image.entries[entry].size, which,
			 elf);
}

static const char *load_segments(pv_handle_t dom, const struct elf_image *elf)
{
	const char *why = NULL;

	for (unsigned i = 0; i < elf->count && !why; i++)
		why = load_bytes(dom, elf->segments[i].addr, elf->segments[i].data,
				 elf->segments[i].filesz);
	return why;
}

static const char *load_cmdline(struct guest *guest, uint64_t gpa, struct built *built)
{
	built->info.cmdline_addr = gpa;
	built->info.cmdline_len = strlen(guest->cmdline);
	return load_bytes(guest->dom, gpa, guest->cmdline, built->info.cmdline_len + 1);
}

/* ---- explicit domains ---- */

static const char *give(pv_handle_t dom, uint64_t addr, uint64_t pages, uint32_t prot)
{
	uint64_t gfn = addr >> PV_PAGE_SHIFT;

	if (pv_mem_populate_all(dom, gfn, pages) < 0)
		return "mem is too small";
	if (pv_as_map_all(dom, addr, gfn, pages, prot) < 0)
		return "kmem is too small for its mappings";
	return NULL;
}

static uint64_t heap_pages(const struct guest *guest, uint64_t used)
{
	uint64_t left = guest->spec->mem_pages > used ? guest->spec->mem_pages - used : 0;

	if ((guest->spec->flags & PV_MDOM_PRIVILEGED) && left > PRIVILEGED_HEAP_PAGES)
		return PRIVILEGED_HEAP_PAGES;
	return left;
}

static const char *map_segments(pv_handle_t dom, const struct elf_image *elf)
{
	for (unsigned i = 0; i < elf->count; i++) {
		const struct elf_segment *seg = &elf->segments[i];
		const char *why;

		if ((seg->prot & PV_PROT_WRITE) && (seg->prot & PV_PROT_EXEC))
			return "a segment is both writable and executable";
		why = give(dom, seg->addr, pages_of(seg->memsz), seg->prot);
		if (why)
			return why;
	}
	return NULL;
}

/* Stack, shared pages and heap from `at` on; addresses go into start_info and the registers. */
static const char *map_rest(struct guest *guest, uint64_t at, struct built *built)
{
	const uint32_t rw = PV_PROT_READ | PV_PROT_WRITE;
	struct pv_start_info *info = &built->info;
	uint64_t stack = at + PAGE;
	uint64_t info_addr = stack + (STACK_PAGES + 1) * PAGE;
	uint64_t shared = info_addr + 2 * PAGE;
	const char *why;

	why = give(guest->dom, stack, STACK_PAGES, rw);
	if (!why)
		why = give(guest->dom, info_addr, 2, PV_PROT_READ);
	if (!why)
		why = give(guest->dom, shared, 3, rw);
	if (!why)
		why = give(guest->dom, shared + 3 * PAGE, built->heap_pages, rw);
	if (why)
		return why;
	built->info_gfn = info_addr >> PV_PAGE_SHIFT;
	info->vcs_addr = shared;
	info->port_page_addr = shared + PAGE;
	info->console_gfn = (shared + 2 * PAGE) >> PV_PAGE_SHIFT;
	info->heap_start = shared + 3 * PAGE;
	info->heap_end = info->heap_start + built->heap_pages * PAGE;
	built->regs.rsp = stack + STACK_PAGES * PAGE;
	built->regs.rsi = info_addr;
	return load_cmdline(guest, info_addr + PAGE, built);
}

const char *layout_explicit(struct guest *guest, struct built *built)
{
	struct elf_image *elf = &built->elf;
	const char *why = parse_kernel(guest, ELF_VIRTUAL, elf);

	if (why)
		return why;
	if (elf->segments[0].addr < PV_EXPLICIT_BASE)
		return "a segment lies below the first address of a domain";
	built->heap_pages = heap_pages(guest, elf_pages(elf) + STACK_PAGES + 5);
	if (built->heap_pages < HEAP_PAGES_MIN)
		return "mem is too small for its code, stack and a heap";
	why = map_segments(guest->dom, elf);
	if (!why)
		why = map_rest(guest, elf_end(elf), built);
	if (!why)
		why = load_segments(guest->dom, elf);
	built->regs.rip = elf->entry;
	built->info.memmap_count = 1;
	built->info.memmap[0] = (struct pv_memmap_entry){
		.base = PV_EXPLICIT_BASE,
		.size = built->info.heap_end - PV_EXPLICIT_BASE,
		.type = PV_MEM_RAM,
	};
	return why;
}

/* ---- walked domains ---- */

static void walked_memmap(struct pv_start_info *info, uint64_t ram)
{
	const uint64_t after = WALKED_CONSOLE + PAGE;

	info->memmap_count = 3;
	info->memmap[0] = (struct pv_memmap_entry){ 0, WALKED_CONSOLE, PV_MEM_RAM, 0 };
	info->memmap[1] = (struct pv_memmap_entry){ WALKED_CONSOLE, PAGE, PV_MEM_RESERVED, 0 };
	info->memmap[2] = (struct pv_memmap_entry){ after, ram - after, PV_MEM_RAM, 0 };
}

/* The initrd ends at the end of RAM. Sets *limit to where the kernel must end. */
static const char *place_initrd(struct guest *guest, uint64_t ram, struct pv_start_info *info,
				uint64_t *limit)
{
	uint32_t entry = guest->spec->initrd_entry;
	uint64_t size;

	*limit = ram;
	if (entry == PV_MANIFEST_NO_ENTRY)
		return NULL;
	size = init.image.entries[entry].size;
	if (pages_of(size) * PAGE > ram)
		return "mem is smaller than the initrd";
	info->initrd_addr = ram - pages_of(size) * PAGE;
	info->initrd_size = size;
	*limit = info->initrd_addr;
	return load_bytes(guest->dom, info->initrd_addr, mf_image_bytes(&init.image, entry), size);
}

const char *layout_walked(struct guest *guest, struct built *built)
{
	struct elf_image *elf = &built->elf;
	uint64_t ram = guest->spec->mem_pages * PAGE;
	const char *why = parse_kernel(guest, ELF_PHYSICAL, elf);
	uint64_t limit;

	if (why)
		return why;
	if (!elf->has_note)
		return "its kernel has no `ringfence` note: not built for Ringfence";
	if (elf->segments[0].addr < WALKED_KERNEL_MIN)
		return "its kernel is linked below 1 MiB";
	if (elf_end(elf) > ram)
		return "mem is smaller than its kernel";
	if (pv_mem_populate_all(guest->dom, 0, guest->spec->mem_pages) < 0)
		return "its memory cannot be populated";
	why = place_initrd(guest, ram, &built->info, &limit);
	if (why)
		return why;
	if (elf_end(elf) > limit)
		return "mem is too small for its kernel and initrd";
	walked_memmap(&built->info, ram);
	built->info_gfn = WALKED_START_INFO >> PV_PAGE_SHIFT;
	built->info.console_gfn = WALKED_CONSOLE >> PV_PAGE_SHIFT;
	built->regs.rip = elf->note_entry;
	built->regs.rsi = WALKED_START_INFO;
	why = load_segments(guest->dom, elf);
	return why ? why : load_cmdline(guest, WALKED_CMDLINE, built);
}
