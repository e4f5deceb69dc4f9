// SPDX-License-Identifier: BSD-2-Clause
/*
 * explicit.c - AS_MAP: the one address space of a domain that has no page tables of its own.
 *
 * What is mapped stands in a four-level table of the kernel's, made of kmem pages, with gfns where
 * hardware tables have machine frames: the authority. Hardware tables are filled from it on faults
 * and may be dropped at any time, exactly as those of walked spaces, so a gfn whose frame changes
 * needs no change here.
 */
#include "bits.h"
#include "mm_internal.h"
#include "panic.h"
#include "tlbflush.h"

#define STEP_PAGES 32u

static u64 *next_table(struct domain *dom, u64 *slot, bool make)
{
	if (!*slot && make) {
		u64 *page = mm_page_alloc(dom);

		if (!page)
			return NULL;
		set_push(&dom->mm.map_tables, ptr_to_mfn(page), 0);
		*slot = (u64)page;
	}
	return (u64 *)*slot;
}

static u64 *find_slot(struct domain *dom, vaddr_t va, bool make)
{
	u64 *table = dom->mm.map_root;

	for (u32 shift = 39; table && shift > 12; shift -= 9)
		table = next_table(dom, &table[va >> shift & 511], make);
	return table ? &table[va >> 12 & 511] : NULL;
}

enum walk_result walk_explicit(struct domain *dom, vaddr_t va, u64 access, struct xlate *x)
{
	u64 *slot = va < LOW_END ? find_slot(dom, va, false) : NULL;
	u64 e = slot ? *slot : 0;

	x->error = e ? PTE_P : 0;
	if (!e || ((access & ACCESS_WRITE) && !(e & PTE_W)) ||
	    ((access & ACCESS_EXEC) && (e & PTE_NX)))
		return WALK_FAULT;
	x->flags = (e & (PTE_W | PTE_NX)) | PTE_U;
	x->gfn = (e & PTE_ADDR) >> PAGE_SHIFT;
	x->shift = 12;
	x->entry = NULL;
	return WALK_OK;
}

static u64 prot_bits(u64 prot)
{
	return PTE_P | (prot & PV_PROT_WRITE ? PTE_W : 0) | (prot & PV_PROT_EXEC ? 0 : PTE_NX);
}

/* May gfn be mapped with these rights? */
static i64 check_frame(const struct mm *mm, gfn_t gfn, u64 prot)
{
	u64 entry = gfn_lookup(mm, gfn);

	if (!entry)
		return -PV_EFAULT;
	if ((prot & PV_PROT_WRITE) && !(entry & GFN_WRITABLE))
		return -PV_EPERM;
	return 0;
}

static i64 map_one(struct domain *dom, vaddr_t va, gfn_t gfn, u64 prot)
{
	i64 err = check_frame(&dom->mm, gfn, prot);
	u64 *slot;

	slot = find_slot(dom, va, false);
	if (!err && slot && *slot)
		err = -PV_EEXIST;
	if (err)
		return err;
	slot = find_slot(dom, va, true);
	if (!slot)
		return -PV_ENOMEM;
	*slot = gfn << PAGE_SHIFT | prot_bits(prot);
	return 0;
}

i64 aspace_map(struct domain *dom, vaddr_t va, gfn_t gfn, u64 n, u64 prot)
{
	i64 err = 0;
	u64 done = 0;

	spin_lock(&dom->mm.lock);
	if (dom->mm.dying)
		err = -PV_EDEAD;
	while (!err && done < MIN(n, STEP_PAGES)) {
		err = map_one(dom, va + done * PAGE_SIZE, gfn + done, prot);
		done += !err;
	}
	spin_unlock(&dom->mm.lock);
	return done ? (i64)done : err;
}

/* Unmap (prot 0) or protect; nothing was mapped is the only thing that can go wrong per page. */
static i64 change(struct domain *dom, vaddr_t va, u64 n, u64 prot)
{
	i64 err = 0;
	u64 done = 0;

	spin_lock(&dom->mm.lock);
	if (dom->mm.dying)
		err = -PV_EDEAD;
	while (!err && done < MIN(n, STEP_PAGES)) {
		u64 *slot = find_slot(dom, va + done * PAGE_SIZE, false);

		if (!slot || !*slot)
			err = -PV_ENOENT;
		else if (prot)
			err = check_frame(&dom->mm, (*slot & PTE_ADDR) >> PAGE_SHIFT, prot);
		if (err)
			break;
		*slot = prot ? (*slot & PTE_ADDR) | prot_bits(prot) : 0;
		done++;
	}
	if (done)
		(void)tables_drop_range(dom, dom->mm.initial, va, va + done * PAGE_SIZE);
	spin_unlock(&dom->mm.lock);
	if (done)
		flush_cpus(flush_mask(dom));
	return done ? (i64)done : err;
}

i64 aspace_unmap(struct domain *dom, vaddr_t va, u64 n)
{
	return change(dom, va, n, 0);
}

i64 aspace_protect(struct domain *dom, vaddr_t va, u64 n, u64 prot)
{
	return change(dom, va, n, prot);
}
