// SPDX-License-Identifier: BSD-2-Clause
/*
 * mem.c - MEM_CTL: giving a domain frames, taking them back, copying between domains; and frames that
 * devices have to do with.
 *
 * Each call does a bounded piece and says how much; the caller calls again with the rest. A populate
 * that asks for a whole aligned 2 MiB gets one block for all its calls: the first call takes it, the
 * rest waits as the domain's reservation (charged like memory in use) until the following calls come; a call
 * for other frames uses and gives back some of it first.
 */
#include "bits.h"
#include "fail.h"
#include "mm_internal.h"
#include "panic.h"
#include "string.h"
#include "tlbflush.h"

#define STEP_PAGES 16u
#define STEP_PAGES_SHORT 4u /* when a reservation is made, or some of one had to be given back first */
#define STEP_PAGES_CLEARED 8u
#define STEP_PAGES_COPY 8u
#define STEP_RESERVED 96u
#define LARGE_FRAMES 512u

bool mem_drop_reservation_step(struct domain *dom)
{
	struct mm *mm = &dom->mm;
	u32 n = MIN(mm->resv_count, STEP_RESERVED);

	mm->resv_gfn = NO_GFN; /* what is left is for any frame */
	mm->resv_count -= n;
	mm->mem_used -= n;
	frame_free_run(mm->resv_mfn + mm->resv_count, n);
	return !mm->resv_count;
}

/* A charged frame for gfn, of which `left` are wanted from here on. 0: quota exhausted. */
static mfn_t next_frame(struct mm *mm, gfn_t gfn, u64 left)
{
	mfn_t mfn;

	if (mm->resv_count) {
		mm->resv_gfn += mm->resv_gfn != NO_GFN;
		mm->resv_count--;
		return mm->resv_mfn++;
	}
	if (FAIL_POINT(PV_ENOMEM))
		return 0;
	if (!(gfn % LARGE_FRAMES) && left >= LARGE_FRAMES &&
	    mm->mem_used + LARGE_FRAMES <= mm->mem_quota) {
		mfn = frame_alloc_large();
		if (mfn) {
			mm->mem_used += LARGE_FRAMES;
			mm->resv_gfn = gfn + 1;
			mm->resv_mfn = mfn + 1;
			mm->resv_count = LARGE_FRAMES - 1;
			return mfn;
		}
	}
	if (mm->mem_used >= mm->mem_quota)
		return 0;
	mfn = frame_alloc();
	if (mfn)
		mm->mem_used++;
	return mfn;
}

/* All 512 gfns around gfn are backed by one aligned block: large leaves may be used. */
static void check_contig(struct domain *dom, gfn_t gfn)
{
	gfn_t base = gfn & ~(gfn_t)(LARGE_FRAMES - 1);
	const u64 *leaf = (const u64 *)(gfn_leaf_entry(&dom->mm, base) & ~GFN_LEAF_CONTIG);
	mfn_t mfn = gfn_entry_mfn(leaf[0]);

	if (mfn % LARGE_FRAMES)
		return;
	for (u64 want = gfn_entry(GFN_PRIVATE, mfn, true), i = 0; i < LARGE_FRAMES; i++, want += GFN_NEXT_MFN)
		if (leaf[i] != want)
			return;
	gfn_mark_contig_locked(dom, base);
}

static void populate_one(struct domain *dom, gfn_t gfn, mfn_t mfn)
{
	struct frame *f = frame_of(mfn);

	memset(mfn_ptr(mfn), 0, PAGE_SIZE);
	*f = (struct frame){ .gfn = (u32)gfn, .owner = (u16)dom->self.slot, .state = FRAME_PRIVATE };
	gfn_set_nofail_locked(dom, gfn, gfn_entry(GFN_PRIVATE, mfn, true));
	if (gfn % LARGE_FRAMES == LARGE_FRAMES - 1)
		check_contig(dom, gfn);
}

static i64 populate_locked(struct domain *dom, gfn_t gfn, u64 n)
{
	struct mm *mm = &dom->mm;
	u64 step = MIN(MIN(n, STEP_PAGES_CLEARED), LARGE_FRAMES - gfn % LARGE_FRAMES);
	u64 done;

	if (mm->dying)
		return -PV_EDEAD;
	if (gfn_lookup(mm, gfn))
		return -PV_EEXIST;
	if (mm->resv_count && mm->resv_gfn != gfn) {
		(void)mem_drop_reservation_step(dom);
		step = MIN(step, STEP_PAGES_SHORT);
	}
	if (!(gfn % LARGE_FRAMES) && n >= LARGE_FRAMES)
		step = MIN(step, STEP_PAGES_SHORT);
	if (gfn_reserve_locked(dom, gfn, step))
		return -PV_ENOMEM;
	for (done = 0; done < step && !gfn_lookup(mm, gfn + done); done++) {
		mfn_t mfn = next_frame(mm, gfn + done, n - done);

		if (!mfn)
			return done ? (i64)done : -PV_ENOMEM;
		populate_one(dom, gfn + done, mfn);
	}
	return (i64)done;
}

/* A guest may have leaves for memory that was absent: they show the dummy page. */
bool mem_forget_absent(struct domain *dom)
{
	if (!dom->mm.absent_seen)
		return false;
	tables_drop_all(dom);
	dom->mm.absent_seen = false;
	return true;
}

i64 mem_populate(struct domain *dom, gfn_t gfn, u64 n)
{
	bool flush;
	i64 ret;

	spin_lock(&dom->mm.lock);
	ret = populate_locked(dom, gfn, n);
	flush = ret > 0 && mem_forget_absent(dom);
	spin_unlock(&dom->mm.lock);
	if (flush)
		flush_cpus(flush_mask(dom));
	return ret;
}

/* Takes up to n frames out of the map into taken[]. */
static i64 release_locked(struct domain *dom, gfn_t gfn, u64 n, mfn_t *taken)
{
	i64 err = dom->mm.dying ? -PV_EDEAD : 0;
	u64 done;

	for (done = 0; !err && done < n; done++) {
		u64 entry = gfn_lookup(&dom->mm, gfn + done);
		struct frame *f;

		if (!entry) {
			err = -PV_ENOENT;
			break;
		}
		if (gfn_entry_state(entry) != GFN_PRIVATE) {
			err = -PV_EFAULT;
			break;
		}
		taken[done] = gfn_entry_mfn(entry);
		f = frame_of(taken[done]);
		if (f->refs || atomic_load_acquire(&f->pins)) {
			err = -PV_EBUSY;
			break;
		}
		gfn_set_nofail_locked(dom, gfn + done, 0);
	}
	if (done)
		tables_drop_all(dom);
	return done ? (i64)done : err;
}

i64 mem_release(struct domain *dom, gfn_t gfn, u64 n)
{
	mfn_t taken[STEP_PAGES];
	i64 ret;

	spin_lock(&dom->mm.lock);
	ret = release_locked(dom, gfn, MIN(n, STEP_PAGES), taken);
	spin_unlock(&dom->mm.lock);
	if (ret <= 0)
		return ret;
	RACE_POINT();
	flush_cpus(flush_mask(dom)); /* after it no guest can reach the frames */
	for (i64 i = 0; i < ret; i++)
		frame_free(taken[i]);
	spin_lock(&dom->mm.lock);
	dom->mm.mem_used -= (u64)ret;
	spin_unlock(&dom->mm.lock);
	return ret;
}

static bool readable(u64 entry)
{
	enum gfn_state state = gfn_entry_state(entry);

	return state == GFN_PRIVATE || state == GFN_GRANTED || state == GFN_MODULE;
}

static bool writable(u64 entry)
{
	enum gfn_state state = gfn_entry_state(entry);

	return state == GFN_PRIVATE || (state == GFN_GRANTED && (entry & GFN_WRITABLE));
}

i64 mem_copy(struct domain *dst, gfn_t dst_gfn, struct domain *src, gfn_t src_gfn, u64 n)
{
	u64 step = MIN(n, STEP_PAGES_COPY), done = 0;
	i64 err = 0;

	mm_lock_two(dst, src);
	if (dst->mm.dying || src->mm.dying)
		err = -PV_EDEAD;
	for (; !err && done < step; done++) {
		u64 to = gfn_lookup(&dst->mm, dst_gfn + done);
		u64 from = gfn_lookup(&src->mm, src_gfn + done);

		if (!writable(to) || !readable(from)) {
			err = -PV_EFAULT;
			break;
		}
		if (gfn_entry_mfn(to) != gfn_entry_mfn(from))
			memcpy(mfn_ptr(gfn_entry_mfn(to)), mfn_ptr(gfn_entry_mfn(from)), PAGE_SIZE);
	}
	mm_unlock_two(dst, src);
	return done ? (i64)done : err;
}

int mem_map_module(struct domain *dom, gfn_t gfn, paddr_t start, u64 npages)
{
	int err;

	if (!gfns_valid(gfn, npages))
		return -PV_ERANGE;
	spin_lock(&dom->mm.lock);
	err = gfn_reserve_locked(dom, gfn, npages);
	for (u64 i = 0; !err && i < npages; i++)
		gfn_set_nofail_locked(dom, gfn + i,
				      gfn_entry(GFN_MODULE, (start >> PAGE_SHIFT) + i, false));
	spin_unlock(&dom->mm.lock);
	return err;
}

static i64 map_io_locked(struct domain *dom, gfn_t gfn, mfn_t mfn, u64 n)
{
	i64 err = dom->mm.dying ? -PV_EDEAD : 0;
	u64 done = 0;

	while (!err && done < n) {
		if (gfn_lookup(&dom->mm, gfn + done))
			err = -PV_EEXIST;
		else
			err = gfn_reserve_locked(dom, gfn + done, 1);
		if (!err) {
			gfn_set_nofail_locked(dom, gfn + done, gfn_entry(GFN_IO, mfn + done, true));
			done++;
		}
	}
	return done ? (i64)done : err;
}

i64 mem_map_io(struct domain *dom, gfn_t gfn, mfn_t mfn, u64 n)
{
	bool flush;
	i64 ret;

	spin_lock(&dom->mm.lock);
	ret = map_io_locked(dom, gfn, mfn, MIN(n, STEP_PAGES));
	flush = ret > 0 && mem_forget_absent(dom);
	spin_unlock(&dom->mm.lock);
	if (flush)
		flush_cpus(flush_mask(dom));
	return ret;
}
