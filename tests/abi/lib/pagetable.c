/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagetable.c - page tables in a walked domain's own memory; virtual equals guest-physical in it.
 */
#include "pagetable.h"

static u64 *next_level(u64 *entry)
{
	if (!(*entry & PT_P))
		*entry = (u64)pages_alloc(1) | PT_P | PT_W | PT_U;
	return (u64 *)(*entry & ~0xfffull & ~PT_NX);
}

void pt_map(u64 *root, u64 va, u64 gfn, u64 flags)
{
	u64 *table = root;

	for (u32 shift = 39; shift > 12; shift -= 9)
		table = next_level(&table[va >> shift & 511]);
	table[va >> 12 & 511] = gfn << 12 | flags | PT_P;
}

u64 *pt_entry(u64 *root, u64 va)
{
	u64 *table = root;

	for (u32 shift = 39; shift > 12; shift -= 9) {
		u64 entry = table[va >> shift & 511];

		if (!(entry & PT_P))
			return NULL;
		table = (u64 *)(entry & ~0xfffull & ~PT_NX);
	}
	return &table[va >> 12 & 511];
}

u64 *pt_new_root(void)
{
	u64 *root = pages_alloc(1);

	for (u64 va = PV_EXPLICIT_BASE; va < start->heap_end; va += PAGE_BYTES)
		pt_map(root, va, va >> PV_PAGE_SHIFT, PT_W);
	return root;
}
