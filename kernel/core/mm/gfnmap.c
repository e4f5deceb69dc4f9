// SPDX-License-Identifier: BSD-2-Clause
/*
 * gfnmap.c - which frame backs a guest frame number.
 *
 * A radix tree of three levels of 512 over 27 bits of gfn. Upper entries are pointers through the
 * direct map; pages come from the domain's kmem and stay until the domain goes. Bit 0 of the
 * pointer to a leaf page says that its 512 gfns are PRIVATE and backed by one 2 MiB block, so a
 * large hardware leaf may stand for all of them.
 */
#include "bits.h"
#include "mm_internal.h"
#include "panic.h"

BUILD_ASSERT(PV_MAX_GFN == BIT(GFN_BITS) - 1);

u64 gfn_get_locked(struct domain *dom, gfn_t gfn)
{
	return gfn_lookup(&dom->mm, gfn);
}

static u64 *leaf_make(struct domain *dom, gfn_t gfn)
{
	u64 *slot = &dom->mm.gfn_root[gfn >> 18];

	if (!*slot)
		*slot = (u64)kmem_alloc(dom);
	if (!*slot)
		return NULL;
	slot = (u64 *)*slot + (gfn >> 9 & 511);
	if (!*slot)
		*slot = (u64)kmem_alloc(dom);
	return slot;
}

int gfn_reserve_locked(struct domain *dom, gfn_t gfn, u64 n)
{
	ASSERT(gfn <= PV_MAX_GFN && n <= PV_MAX_GFN + 1 - gfn);
	for (gfn_t g = gfn & ~511ull; g < gfn + n; g += 512) {
		u64 *slot = leaf_make(dom, g);

		if (!slot || !*slot)
			return -PV_ENOMEM;
	}
	return 0;
}

void gfn_set_nofail_locked(struct domain *dom, gfn_t gfn, u64 entry)
{
	u64 *mid = (u64 *)dom->mm.gfn_root[gfn >> 18];
	u64 *slot = &mid[gfn >> 9 & 511];

	*slot &= ~GFN_LEAF_CONTIG;
	((u64 *)*slot)[gfn & 511] = entry;
	near_forget(&dom->mm);
}

void gfn_mark_contig_locked(struct domain *dom, gfn_t gfn)
{
	u64 *mid = (u64 *)dom->mm.gfn_root[gfn >> 18];

	mid[gfn >> 9 & 511] |= GFN_LEAF_CONTIG;
}

int gfn_pin(struct domain *dom, gfn_t gfn, mfn_t *out)
{
	int err = -PV_EFAULT;
	u64 entry;

	spin_lock(&dom->mm.lock);
	entry = gfn_lookup(&dom->mm, gfn);
	if (!dom->mm.dying && gfn_entry_state(entry) == GFN_PRIVATE) {
		*out = gfn_entry_mfn(entry);
		atomic_fetch_add(&frame_of(*out)->pins, 1);
		err = 0;
	}
	spin_unlock(&dom->mm.lock);
	return err;
}

void mfn_unpin(mfn_t mfn)
{
	atomic_fetch_sub(&frame_of(mfn)->pins, 1);
}
