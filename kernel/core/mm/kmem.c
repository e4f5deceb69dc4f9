// SPDX-License-Identifier: BSD-2-Clause
/*
 * kmem.c - kernel memory of a domain: whole pages out of what its creator donated.
 *
 * There is no kernel heap. Who needs a page for a domain asks here and gets an error when the
 * domain's donation is used up; nobody else is affected.
 */
#include "counters.h"
#include "fail.h"
#include "mm_internal.h"
#include "panic.h"
#include "string.h"

/* Page tables out of use are the domain's kmem too. The caller may hold the lock that guards them. */
static void *take_clean(struct domain *dom)
{
	bool locked = spin_is_mine(&dom->mm.lock);
	void *page;

	if (!locked)
		spin_lock(&dom->mm.lock);
	page = tables_take_clean(dom);
	dom->mm.cache_pages -= page != NULL;
	if (!locked)
		spin_unlock(&dom->mm.lock);
	return page;
}

static void *page_alloc(struct domain *dom)
{
	struct mm *mm = &dom->mm;
	void *page;
	mfn_t mfn;

	if (FAIL_POINT(PV_ENOMEM))
		return NULL;
	if (atomic_fetch_add(&mm->kmem_used, 1) >= mm->kmem_quota)
		goto out;
	mfn = frame_alloc();
	if (!mfn)
		goto out;
	frame_of(mfn)->state = FRAME_KMEM;
	frame_of(mfn)->owner = (u16)dom->self.slot;
	page = mfn_ptr(mfn);
	memset(page, 0, PAGE_SIZE);
	level_add(LVL_KMEM, 1);
	return page;

out:
	atomic_fetch_sub(&mm->kmem_used, 1);
	return NULL;
}

/* Objects stay for long. They leave enough for the tables without which no instruction ends. */
bool kmem_object_fits(const struct domain *dom)
{
	const struct mm *mm = &dom->mm;
	u64 objects = atomic_load_relaxed(&mm->kmem_used) - READ_ONCE(mm->cache_pages);

	if (FAIL_POINT(PV_ENOMEM))
		return false;
	return objects + KMEM_TABLES_MIN < mm->kmem_quota;
}

void *kmem_alloc(struct domain *dom)
{
	void *page;

	if (!kmem_object_fits(dom))
		return NULL;
	page = page_alloc(dom);
	return page ? page : take_clean(dom);
}

void *kmem_alloc_table(struct domain *dom)
{
	void *page = page_alloc(dom);

	dom->mm.cache_pages += page != NULL;
	return page;
}

void kmem_free(struct domain *dom, void *page)
{
	mfn_t mfn = ptr_to_mfn(page);

	ASSERT(frame_of(mfn)->owner == dom->self.slot);
	ASSERT(frame_of(mfn)->state == FRAME_KMEM);
	frame_free(mfn);
	atomic_fetch_sub(&dom->mm.kmem_used, 1);
	level_add(LVL_KMEM, -1);
}
