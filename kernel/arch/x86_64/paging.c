// SPDX-License-Identifier: BSD-2-Clause
/*
 * paging.c - the kernel's own address space, built once at boot.
 *
 * Slots 256..271 get their next-level tables here and never change afterwards, so every root that
 * copies the sixteen entries sees later kernel mappings too. Memory is mapped with the largest
 * pages that fit, except where the direct map shows the kernel's text and constants: there the
 * alias is read-only, so W^X holds for both views.
 */
#include "paging.h"

#include "arch.h"
#include "bits.h"
#include "boot_info.h"
#include "compiler.h"
#include "cpu_features.h"
#include "panic.h"
#include "platform.h"
#include "string.h"

#define DATA_FLAGS (PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX)
#define RODATA_FLAGS (PTE_P | PTE_A | PTE_NX)
#define TEXT_FLAGS (PTE_P | PTE_A)
#define MMIO_FLAGS (DATA_FLAGS | PTE_PCD | PTE_PWT)

extern const char text_start[], text_end[], rodata_start[], rodata_end[], data_start[], image_end[];

paddr_t kernel_root_paddr;
static vaddr_t mmio_next = MMIO_BASE;

static u64 *entry_of(u64 *table, vaddr_t va, u32 level)
{
	return &table[(va >> (12 + 9 * level)) & 511];
}

static u64 *next_table(u64 *entry)
{
	if (!(*entry & PTE_P))
		*entry = boot_mem_alloc(PAGE_SIZE, PAGE_SIZE) | PTE_P | PTE_W | PTE_A;
	ASSERT(!(*entry & PTE_PS));
	return paddr_to_ptr(*entry & PTE_ADDR);
}

/* Largest page level (0, 1, 2) that fits at this place. */
static u32 page_level(vaddr_t va, paddr_t pa, u64 size)
{
	for (u32 level = cpu_features.gib_pages ? 2 : 1; level; level--) {
		u64 bytes = PAGE_SIZE << (9 * level);

		if (IS_ALIGNED(va | pa, bytes) && size >= bytes)
			return level;
	}
	return 0;
}

void paging_map(vaddr_t va, paddr_t pa, u64 size, u64 flags)
{
	ASSERT(IS_ALIGNED(va | pa | size, PAGE_SIZE));
	while (size) {
		u32 level = page_level(va, pa, size);
		u64 bytes = PAGE_SIZE << (9 * level);
		u64 *table = paddr_to_ptr(kernel_root_paddr);

		for (u32 l = 3; l > level; l--)
			table = next_table(entry_of(table, va, l));
		*entry_of(table, va, level) = pa | flags | (level ? PTE_PS : 0);
		va += bytes;
		pa += bytes;
		size -= bytes;
	}
}

static void map_image_part(const char *start, const char *end, u64 flags)
{
	u64 size = ALIGN_UP((vaddr_t)end, PAGE_SIZE) - (vaddr_t)start;

	paging_map((vaddr_t)start, image_to_paddr(start), size, flags);
}

/* Memory [start, end) into the direct map; parts mapped already are left alone. */
static void map_direct(paddr_t start, paddr_t end)
{
	static paddr_t done; /* ranges come sorted */

	start = MAX(ALIGN_DOWN(start, MIB(2)), done);
	end = MIN(ALIGN_UP(end, MIB(2)), DIRECTMAP_SIZE);
	if (start >= end)
		return;
	paging_map(DIRECTMAP_BASE + start, start, end - start, DATA_FLAGS);
	done = end;
}

/*
 * The direct map: low memory around the image in 4 KiB pages, the rest as large as possible. RAM
 * the firmware kept for its tables is included, address space high above all RAM is not.
 */
static void map_memory(void)
{
	paddr_t text = image_to_paddr(text_start), writable = image_to_paddr(data_start);
	paddr_t low_end = ALIGN_UP(writable, MIB(2));
	paddr_t limit = ALIGN_UP(boot_mem_top(), MIB(64));

	for (paddr_t pa = 0; pa < low_end; pa += PAGE_SIZE)
		paging_map(DIRECTMAP_BASE + pa, pa, PAGE_SIZE,
			   pa >= text && pa < writable ? RODATA_FLAGS : DATA_FLAGS);
	for (u32 i = 0; i < boot_info.nr_ranges; i++) {
		const struct boot_range *r = &boot_info.ranges[i];

		if (r->type == BOOT_MEM_BAD || r->start >= limit)
			continue;
		map_direct(MAX(r->start, low_end), MIN(r->start + r->size, limit));
	}
}

void paging_init(void)
{
	u64 *root;

	kernel_root_paddr = boot_mem_alloc(PAGE_SIZE, PAGE_SIZE);
	root = paddr_to_ptr(kernel_root_paddr);
	for (u32 i = 0; i < KERNEL_SLOT_COUNT; i++)
		next_table(&root[KERNEL_SLOT_FIRST + i]);
	map_image_part(text_start, text_end, TEXT_FLAGS);
	map_image_part(rodata_start, rodata_end, RODATA_FLAGS);
	map_image_part(data_start, image_end, DATA_FLAGS);
	map_memory();
	write_cr3(kernel_root_paddr);
}

void paging_copy_kernel_half(u64 *l4)
{
	const u64 *root = paddr_to_ptr(kernel_root_paddr);

	memcpy(l4 + KERNEL_SLOT_FIRST, root + KERNEL_SLOT_FIRST, KERNEL_SLOT_COUNT * sizeof(*l4));
}

void *paging_map_mmio(paddr_t pa, u64 size)
{
	u64 offset = pa % PAGE_SIZE;
	vaddr_t va = mmio_next;

	size = ALIGN_UP(offset + size, PAGE_SIZE);
	paging_map(va, pa - offset, size, MMIO_FLAGS);
	mmio_next += size + PAGE_SIZE; /* a hole after each, so that an overrun faults */
	return (void *)(va + offset);
}

bool paging_is_mapped(vaddr_t va)
{
	u64 *table = paddr_to_ptr(read_cr3() & PTE_ADDR);

	if (va < DIRECTMAP_BASE || va >= KERNEL_END)
		return false;
	for (u32 level = 3;; level--) {
		u64 entry = *entry_of(table, va, level);

		if (!(entry & PTE_P))
			return false;
		if (!level || (entry & PTE_PS))
			return true;
		table = paddr_to_ptr(entry & PTE_ADDR);
	}
}

const void *paging_map_firmware(paddr_t pa, u64 size)
{
	for (paddr_t at = ALIGN_DOWN(pa, PAGE_SIZE); at < pa + size; at += PAGE_SIZE)
		if (!paging_is_mapped(DIRECTMAP_BASE + at))
			return paging_map_mmio(pa, size);
	return paddr_to_ptr(pa);
}
