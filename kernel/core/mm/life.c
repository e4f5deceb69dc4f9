// SPDX-License-Identifier: BSD-2-Clause
/*
 * life.c - a domain's memory from its first page to its last.
 *
 * The end is a walk of its own: when it begins no CPU runs the domain, nobody maps its grants and an
 * epoch has passed, so pages are given back as they are met, a bounded number per step.
 */
#include "bits.h"
#include "counters.h"
#include "mm_internal.h"
#include "panic.h"
#include "string.h"

#define STEP_SPACES 8u
#define STEP_TABLES 16u
#define STEP_FRAMES 64u
#define STEP_LEAVES 192u
#define MIN_CAPACITY 16u /* leaf tables one instruction may need at once, with room to spare */

void mm_lock_two(struct domain *a, struct domain *b)
{
	struct domain *first = a->self.slot < b->self.slot ? a : b;

	spin_lock(&first->mm.lock);
	if (a != b)
		spin_lock(&(first == a ? b : a)->mm.lock);
}

void mm_unlock_two(struct domain *a, struct domain *b)
{
	spin_unlock(&a->mm.lock);
	if (a != b)
		spin_unlock(&b->mm.lock);
}

mfn_t mm_dummy(struct domain *dom)
{
	void *page;

	if (dom->mm.dummy)
		return dom->mm.dummy;
	page = mm_page_alloc(dom);
	if (!page)
		return 0;
	memset(page, 0xff, PAGE_SIZE); /* what absent memory reads as */
	dom->mm.dummy = ptr_to_mfn(page);
	return dom->mm.dummy;
}

static int init_locked(struct domain *dom)
{
	struct mm *mm = &dom->mm;
	bool explicit = dom->kind == PV_KIND_EXPLICIT;

	mm->gfn_root = kmem_alloc(dom);
	if (explicit)
		mm->map_root = kmem_alloc(dom);
	else
		mm->kernel_l4 = kmem_alloc(dom);
	if (!mm->gfn_root || !(explicit ? mm->map_root : mm->kernel_l4))
		return -PV_ENOMEM;
	mm->initial = aspace_create(dom, explicit ? AS_EXPLICIT : AS_LINEAR);
	return mm->initial ? 0 : -PV_ENOMEM;
}

int mm_init(struct domain *dom, u64 mem_pages, u64 kmem_pages, u32 vtlb_tables)
{
	struct mm *mm = &dom->mm;
	int err;

	spin_lock_init(&mm->lock);
	mm->mem_quota = mem_pages;
	mm->kmem_quota = kmem_pages;
	mm->vtlb_tables = vtlb_tables ? MAX(vtlb_tables, MIN_CAPACITY) : 0;
	mm->kernel_root = NO_GFN;
	mm->walk_gen = 1;
	spin_lock(&mm->lock);
	err = init_locked(dom);
	spin_unlock(&mm->lock);
	if (err)
		while (!mm_destroy_step(dom))
			;
	return err;
}

static void free_page(struct domain *dom, void *slot)
{
	void **page = slot;

	if (*page)
		kmem_free(dom, *page);
	*page = NULL;
}

/* Spaces, then what else is made of tables: all becomes clean pages. Nobody is in a space. */
static bool destroy_spaces(struct domain *dom)
{
	struct mm *mm = &dom->mm;

	for (u32 i = 0; i < STEP_SPACES; i++) {
		struct aspace *as = mm->lru_first ? mm->lru_first : mm->initial;

		if (!as)
			break;
		if (as == mm->initial)
			mm->initial = NULL;
		as->users = 0;
		aspace_free(dom, as);
	}
	if (mm->lru_first || mm->initial)
		return false;
	tables_clean(dom, &mm->kernel_tables);
	tables_clean(dom, &mm->kernel_tops);
	limbo_end_all(dom);
	set_splice(&mm->clean, &mm->reserve);
	set_splice(&mm->clean, &mm->map_tables);
	set_splice(&mm->clean, &mm->object_pages);
	return true;
}

static bool destroy_tables(struct domain *dom)
{
	struct mm *mm = &dom->mm;
	u32 left = STEP_TABLES;

	for (; left && mm->clean.first; left--) {
		mfn_t mfn = mm->clean.first;

		set_remove(&mm->clean, mfn);
		kmem_free(dom, mfn_ptr(mfn));
	}
	if (!left || !mem_drop_reservation_step(dom))
		return false;
	free_page(dom, &mm->map_root);
	free_page(dom, &mm->kernel_l4);
	mm->spare = NULL;
	free_page(dom, &mm->audit);
	if (mm->dummy)
		kmem_free(dom, mfn_ptr(mm->dummy));
	mm->dummy = 0;
	for (u32 i = 0; i < ARRAY_SIZE(mm->grant_maps); i++)
		free_page(dom, &mm->grant_maps[i]);
	mm->resv_gfn = 0; /* where destroy_frames() goes on */
	return true;
}

/* Frees the frames of one leaf page from index resv_gfn % 512 on; true at its end. */
static bool free_leaf_frames(struct domain *dom, const u64 *leaf)
{
	struct mm *mm = &dom->mm;

	for (u32 i = 0; i < STEP_FRAMES; i++) {
		u64 entry = leaf[mm->resv_gfn & 511];

		if (gfn_entry_state(entry) == GFN_PRIVATE) {
			ASSERT(frame_of(gfn_entry_mfn(entry))->refs == 0);
			frame_free(gfn_entry_mfn(entry));
			mm->mem_used--;
		}
		mm->resv_gfn++;
	}
	return (mm->resv_gfn & 511) == 0;
}

static bool destroy_frames(struct domain *dom)
{
	struct mm *mm = &dom->mm;

	for (u32 scanned = 0; mm->gfn_root && scanned < STEP_LEAVES; scanned++) {
		u64 *top = &mm->gfn_root[mm->resv_gfn >> 18 & 511];
		u64 *mid = (u64 *)*top;
		u64 *leaf;

		if (mm->resv_gfn > PV_MAX_GFN)
			break;
		if (!mid) {
			mm->resv_gfn += 1u << 18;
			continue;
		}
		leaf = (u64 *)(mid[mm->resv_gfn >> 9 & 511] & ~GFN_LEAF_CONTIG);
		if (leaf) {
			bool last = (mm->resv_gfn >> 9 & 511) == 511;

			if (!free_leaf_frames(dom, leaf))
				return false;
			kmem_free(dom, leaf);
			mid[(mm->resv_gfn - 1) >> 9 & 511] = 0;
			if (last)
				free_page(dom, top);
			return false;
		}
		mm->resv_gfn += 512;
		if ((mm->resv_gfn >> 9 & 511) == 0)
			free_page(dom, top);
	}
	if (mm->gfn_root && mm->resv_gfn <= PV_MAX_GFN)
		return false;
	free_page(dom, &mm->gfn_root);
	return true;
}

bool mm_destroy_step(struct domain *dom)
{
	struct mm *mm = &dom->mm;
	bool done = false;

	spin_lock(&mm->lock);
	mm->dying = true;
	switch (mm->destroy_stage) {
	case 0:
		done = destroy_spaces(dom);
		break;
	case 1:
		done = destroy_tables(dom);
		break;
	case 2:
		done = destroy_frames(dom);
		break;
	default:
		break;
	}
	if (done)
		mm->destroy_stage++;
	done = mm->destroy_stage == 3;
	spin_unlock(&mm->lock);
	return done;
}
