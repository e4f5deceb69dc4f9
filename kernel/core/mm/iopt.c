// SPDX-License-Identifier: BSD-2-Clause
/*
 * iopt.c - what a device may reach: tables of the IOMMU, guest-physical to machine.
 *
 * Three or four levels of 512 entries as the hardware wants them; three cover all gfns there are. A frame is only
 * ever added, by whoever holds it pinned; all go at once, with the table.
 */
#include "iommu.h"

#include "bits.h"
#include "mm_internal.h"

#define IOPT_READ 0x1ull
#define IOPT_WRITE 0x2ull
#define IOPT_BITS (IOPT_READ | IOPT_WRITE)

BUILD_ASSERT(PV_MAX_GFN < BIT(27));

static u64 *table_make(struct domain *dom, struct iopt *t)
{
	u64 *page = mm_page_alloc(dom);

	if (!page)
		return NULL;
	set_push(&t->tables, ptr_to_mfn(page), 0);
	arch_iommu_written(page, PAGE_SIZE);
	return page;
}

static void entry_set(u64 *entry, paddr_t pa)
{
	WRITE_ONCE(*entry, pa | IOPT_BITS);
	arch_iommu_written(entry, sizeof(*entry));
}

static int map_locked(struct domain *dom, struct iopt *t, gfn_t gfn, mfn_t mfn)
{
	u64 *table;

	if (!t->root)
		t->root = table_make(dom, t);
	table = t->root;
	for (u32 level = arch_iommu_levels() - 1; table && level; level--) {
		u64 *entry = &table[gfn >> 9 * level & 511];

		table = *entry ? entry_table(*entry) : table_make(dom, t);
		if (table && !*entry)
			entry_set(entry, ptr_to_paddr(table));
	}
	if (!table)
		return -PV_ENOMEM;
	entry_set(&table[gfn & 511], mfn << PAGE_SHIFT);
	return 0;
}

int iopt_map(struct domain *dom, struct iopt *t, gfn_t gfn, mfn_t mfn)
{
	int err;

	spin_lock(&dom->mm.lock);
	err = map_locked(dom, t, gfn, mfn);
	spin_unlock(&dom->mm.lock);
	return err;
}

void iopt_free(struct domain *dom, struct iopt *t)
{
	spin_lock(&dom->mm.lock);
	set_splice(&dom->mm.clean, &t->tables);
	t->root = NULL;
	spin_unlock(&dom->mm.lock);
}
