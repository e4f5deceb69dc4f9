// SPDX-License-Identifier: BSD-2-Clause
/*
 * grant.c - sharing frames, revocably.
 *
 * A grant is an entry in its owner's table: which frames, which rights, who uses it. Each use has a
 * record in the holder's table: where the frames appear there. The frames carry a reference per
 * grant, so the owner cannot release them; the holder's page for revoked frames is made at map time,
 * so revocation cannot fail.
 *
 * grant_lock guards both kinds of table of all domains; it comes before any mm.lock. A use ends only
 * after the holder's CPUs have been flushed, which happens without locks; the serial number of a
 * record tells whether it is still the same one afterwards.
 */
#include "grant.h"

#include "bits.h"
#include "counters.h"
#include "fail.h"
#include "mm_internal.h"
#include "panic.h"
#include "tlbflush.h"

#define STEP_PAGES 128u
#define STEP_RECORDS 64u

struct use {
	struct domain_ref holder; /* gen 0: unused */
	u32 record;
	u32 serial;
};

enum grant_state { GRANT_FREE, GRANT_LIVE, GRANT_REVOKING };

struct grant {
	u32 gen; /* of the slot; a capability must name it */
	u32 gfn;
	u16 n;
	u8 state;
	u8 rights;
	u32 spare[13];
	struct use uses[GRANT_MAPS];
};
BUILD_ASSERT(sizeof(struct grant) == 128);
#define GRANTS_PER_PAGE (PAGE_SIZE / sizeof(struct grant))

/* In the holder: a grant appears at [gfn, gfn+n). */
struct grant_map {
	struct domain_ref owner;
	u32 index, gen; /* of the grant */
	u32 gfn;
	u16 n;
	u16 left;   /* frames still there; 0 = unused record */
	u32 serial; /* changes with every use of the record */
	u32 spare;
};
BUILD_ASSERT(sizeof(struct grant_map) == 32);
#define RECORDS_PER_PAGE (PAGE_SIZE / sizeof(struct grant_map))

static struct spinlock grant_lock = SPINLOCK_INIT;
static u32 next_serial;

static struct grant *grant_at(const struct domain *owner, u64 index)
{
	u64 page = index / GRANTS_PER_PAGE;

	ASSERT(page < ARRAY_SIZE(owner->grant_pages)); /* capabilities and loops name no other */
	if (!owner->grant_pages[page])
		return NULL;
	return &owner->grant_pages[page][index % GRANTS_PER_PAGE];
}

/* NULL: the grant of this generation is gone. A capability or a record names it, hence there is its page. */
static struct grant *grant_find(const struct domain *owner, u32 index, u32 gen)
{
	struct grant *g = grant_at(owner, index);

	ASSERT(g);
	return g->state != GRANT_FREE && g->gen == gen ? g : NULL;
}

static struct grant_map *record_at(const struct domain *holder, u32 index)
{
	struct grant_map *page = holder->mm.grant_maps[index / RECORDS_PER_PAGE];

	return page ? &page[index % RECORDS_PER_PAGE] : NULL;
}

#define RECORDS_MAX ((u32)(ARRAY_SIZE(((struct mm *)0)->grant_maps) * RECORDS_PER_PAGE))

bool grant_is_live(const struct cap *cap)
{
	const struct domain *owner = domain_lookup(cap->dom);
	const struct grant *g;
	bool live;

	spin_lock(&grant_lock);
	g = owner ? grant_find(owner, cap->index, cap->obj_gen) : NULL;
	live = g && g->state == GRANT_LIVE;
	spin_unlock(&grant_lock);
	return live;
}

/* ---- create ---- */

/* A free slot; its page is made if need be. */
static i64 slot_take(struct domain *owner)
{
	if (FAIL_POINT(PV_ENOSPC))
		return -PV_ENOSPC;
	for (u32 p = 0; p < ARRAY_SIZE(owner->grant_pages); p++) {
		if (!owner->grant_pages[p]) {
			owner->grant_pages[p] = kmem_alloc(owner);
			if (!owner->grant_pages[p])
				return -PV_ENOMEM;
		}
		for (u32 i = 0; i < GRANTS_PER_PAGE; i++)
			if (owner->grant_pages[p][i].state == GRANT_FREE)
				return p * (u32)GRANTS_PER_PAGE + i;
	}
	return -PV_ENOSPC;
}

static i64 check_frames(const struct mm *mm, gfn_t gfn, u64 n)
{
	if (mm->dying)
		return -PV_EDEAD;
	for (u64 i = 0; i < n; i++)
		if (gfn_entry_state(gfn_lookup(mm, gfn + i)) != GFN_PRIVATE)
			return -PV_EFAULT;
	return 0;
}

static void add_refs(const struct mm *mm, gfn_t gfn, u64 n, u32 add)
{
	for (u64 i = 0; i < n; i++)
		frame_of(gfn_entry_mfn(gfn_lookup(mm, gfn + i)))->refs += add;
}

/* Locks held. On success *cap names the new grant. */
static i64 create_locked(struct domain *owner, gfn_t gfn, u64 n, u32 rights, struct cap *cap)
{
	i64 index = check_frames(&owner->mm, gfn, n);
	struct grant *g;

	if (index)
		return index;
	index = slot_take(owner);
	if (index < 0)
		return index;
	g = grant_at(owner, (u64)index);
	*g = (struct grant){ .gen = g->gen + 1, .gfn = (u32)gfn, .n = (u16)n,
			     .state = GRANT_LIVE, .rights = (u8)rights };
	add_refs(&owner->mm, gfn, n, 1);
	*cap = (struct cap){ .type = PV_CAP_GRANT, .rights = rights | PV_RIGHT_GRANT_REVOKE,
			     .dom = owner->self, .index = (u32)index, .obj_gen = g->gen };
	level_add(LVL_GRANTS, 1);
	return 0;
}

i64 grant_create(struct domain *caller, struct domain *owner, gfn_t gfn, u64 n, u32 rights)
{
	i64 handle = cap_reserve(caller), err;
	struct cap cap;

	spin_lock(&grant_lock);
	spin_lock(&owner->mm.lock);
	if (handle < 0)
		err = check_frames(&owner->mm, gfn, n); /* its errors come first */
	else
		err = create_locked(owner, gfn, n, rights, &cap);
	spin_unlock(&owner->mm.lock);
	spin_unlock(&grant_lock);
	if (handle < 0)
		return err ? err : handle;
	if (err) {
		cap_unreserve(caller, (u64)handle);
		return err;
	}
	cap_fill_nofail(caller, (u64)handle, &cap);
	return handle;
}

/* ---- map ---- */

static i64 record_take(struct domain *holder)
{
	if (FAIL_POINT(PV_ENOSPC))
		return -PV_ENOSPC;
	for (u32 p = 0; p < ARRAY_SIZE(holder->mm.grant_maps); p++) {
		if (!holder->mm.grant_maps[p])
			holder->mm.grant_maps[p] = mm_page_alloc(holder);
		if (!holder->mm.grant_maps[p])
			return -PV_ENOMEM;
		for (u32 i = 0; i < RECORDS_PER_PAGE; i++)
			if (!holder->mm.grant_maps[p][i].left)
				return p * (u32)RECORDS_PER_PAGE + i;
	}
	return -PV_ENOSPC;
}

static struct use *use_free(struct grant *g)
{
	if (FAIL_POINT(PV_ENOSPC))
		return NULL;
	for (u32 i = 0; i < GRANT_MAPS; i++)
		if (!g->uses[i].holder.gen)
			return &g->uses[i];
	return NULL;
}

/* First gfn of the range that is taken, counted from its start; n = none. */
static u64 count_holes(const struct mm *mm, gfn_t gfn, u64 n)
{
	for (u64 i = 0; i < n;) {
		const u64 *leaf = (const u64 *)(gfn_leaf_entry(mm, gfn + i) & ~GFN_LEAF_CONTIG);
		u64 end = MIN(n, i + 512 - ((gfn + i) & 511));

		if (!leaf) {
			i = end;
			continue;
		}
		for (; i < end; i++)
			if (leaf[(gfn + i) & 511])
				return i;
	}
	return n;
}

static i64 map_prepare(struct domain *owner, struct domain *holder, const struct grant *g,
		       gfn_t gfn, i64 *record)
{
	if (owner->mm.dying || holder->mm.dying)
		return -PV_EDEAD;
	if (count_holes(&holder->mm, gfn, g->n) != g->n)
		return -PV_EEXIST;
	*record = record_take(holder);
	if (*record < 0)
		return *record;
	if (!mm_dummy(holder) || gfn_reserve_locked(holder, gfn, g->n))
		return -PV_ENOMEM;
	return 0;
}

/* Both mm.locks and grant_lock held; cannot fail. */
static void map_commit(struct domain *owner, struct domain *holder, u32 index, struct use *use,
		       u32 record, gfn_t gfn, bool writable)
{
	struct grant *g = grant_at(owner, index);

	for (u32 i = 0; i < g->n; i++) {
		u64 entry = gfn_lookup(&owner->mm, g->gfn + i);

		gfn_set_nofail_locked(holder, gfn + i,
				      gfn_entry(GFN_GRANTED, gfn_entry_mfn(entry), writable));
	}
	*record_at(holder, record) = (struct grant_map){ .owner = owner->self, .index = index,
							 .gen = g->gen, .gfn = (u32)gfn, .n = g->n,
							 .left = g->n, .serial = ++next_serial };
	*use = (struct use){ holder->self, record, next_serial };
	level_add(LVL_GRANT_MAPS, g->n);
}

i64 grant_map(struct domain *holder, const struct cap *cap, gfn_t gfn, u64 n, bool writable)
{
	struct domain *owner = domain_lookup(cap->dom);
	bool flush = false;
	i64 err = -PV_EDEAD, record;
	struct grant *g;
	struct use *use;

	if (!owner)
		return err;
	spin_lock(&grant_lock);
	g = grant_find(owner, cap->index, cap->obj_gen);
	if (!g || g->state != GRANT_LIVE)
		goto out;
	err = -PV_EINVAL;
	if (n != g->n)
		goto out;
	use = use_free(g);
	mm_lock_two(owner, holder);
	err = map_prepare(owner, holder, g, gfn, &record);
	if (!use && (!err || err == -PV_ENOMEM))
		err = -PV_ENOSPC;
	if (!err) {
		map_commit(owner, holder, cap->index, use, (u32)record, gfn, writable);
		flush = mem_forget_absent(holder);
	}
	mm_unlock_two(owner, holder);
out:
	spin_unlock(&grant_lock);
	if (flush)
		flush_cpus(flush_mask(holder));
	return err ? err : (i64)n;
}

/* ---- ends of a use ---- */

/* The record is done with `frames` of its frames; with its last one the use is over. */
static void record_shrink(struct domain *holder, u32 index, u32 serial, u32 frames)
{
	struct grant_map *r = record_at(holder, index);
	struct domain *owner;
	struct grant *g;

	if (!r || r->serial != serial || !r->left)
		return; /* it ended meanwhile, and its frames were counted then */
	frames = MIN(frames, r->left);
	r->left = (u16)(r->left - frames);
	level_add(LVL_GRANT_MAPS, -(i64)frames);
	if (r->left)
		return;
	owner = domain_lookup(r->owner);
	g = owner ? grant_find(owner, r->index, r->gen) : NULL;
	for (u32 i = 0; g && i < GRANT_MAPS; i++)
		if (g->uses[i].holder.gen && g->uses[i].serial == serial)
			g->uses[i].holder.gen = 0;
}

/*
 * The record that put something at gfn; RECORDS_MAX: none that is still there. Of several whose ranges it lies
 * in the newest: the others have given it back, or it could not have been mapped again. *n shrinks to the end
 * of the record, and to where a newer one begins.
 */
static u32 record_of(const struct domain *holder, gfn_t gfn, u64 *n)
{
	const struct grant_map *found = NULL, *r;
	u32 index = RECORDS_MAX;

	for (u32 i = 0; i < RECORDS_MAX && (r = record_at(holder, i)); i++) {
		if (!r->left || gfn < r->gfn || gfn - r->gfn >= r->n)
			continue;
		if (found && (i32)(r->serial - found->serial) < 0)
			continue;
		found = r;
		index = i;
	}
	if (!found)
		return index;
	*n = MIN(*n, found->gfn + found->n - gfn);
	for (u32 i = 0; i < RECORDS_MAX && (r = record_at(holder, i)); i++)
		if (r->left && r->gfn > gfn && (i32)(r->serial - found->serial) > 0)
			*n = MIN(*n, r->gfn - gfn);
	return index;
}

/* Makes holes of GRANTED or DUMMY gfns, within one record. Counts the granted ones in *granted. */
static i64 unmap_locked(struct domain *holder, gfn_t gfn, u64 n, u32 record, u32 *granted)
{
	i64 err = 0;
	u64 done;

	for (done = 0; done < n; done++) {
		u64 entry = gfn_lookup(&holder->mm, gfn + done);
		enum gfn_state state = gfn_entry_state(entry);

		if (state != GFN_GRANTED && state != GFN_DUMMY) {
			err = entry ? -PV_EFAULT : -PV_ENOENT;
			break;
		}
		if (record == RECORDS_MAX && state == GFN_GRANTED)
			break; /* of the next record */
		*granted += state == GFN_GRANTED;
		gfn_set_nofail_locked(holder, gfn + done, 0);
	}
	if (done)
		tables_drop_all(holder);
	return done ? (i64)done : err;
}

i64 grant_unmap(struct domain *holder, gfn_t gfn, u64 n)
{
	u32 record, serial = 0, granted = 0;
	i64 ret = -PV_EDEAD;

	n = MIN(n, STEP_PAGES);
	spin_lock(&grant_lock);
	record = record_of(holder, gfn, &n);
	if (record < RECORDS_MAX)
		serial = record_at(holder, record)->serial;
	spin_lock(&holder->mm.lock);
	if (!holder->mm.dying)
		ret = unmap_locked(holder, gfn, n, record, &granted);
	spin_unlock(&holder->mm.lock);
	spin_unlock(&grant_lock);
	if (ret <= 0)
		return ret;
	RACE_POINT();
	flush_cpus(flush_mask(holder));
	if (record < RECORDS_MAX && granted) {
		spin_lock(&grant_lock);
		record_shrink(holder, record, serial, granted);
		spin_unlock(&grant_lock);
	}
	return ret;
}

/* ---- revoke ---- */

/* What is left of a use shows the holder's dummy page from now on. */
static void replace_by_dummy(struct domain *holder, u32 record)
{
	const struct grant_map *r = record_at(holder, record);
	mfn_t dummy = holder->mm.dummy;
	u64 n;

	for (u32 done = 0; done < r->n; done += (u32)n) {
		n = r->n - done;
		if (record_of(holder, r->gfn + done, &n) != record)
			continue; /* another grant came where this one was unmapped */
		for (u32 i = done; i < done + n; i++) {
			u64 entry = gfn_lookup(&holder->mm, r->gfn + i);

			if (gfn_entry_state(entry) == GFN_GRANTED)
				gfn_set_nofail_locked(holder, r->gfn + i,
						      gfn_entry(GFN_DUMMY, dummy, entry & GFN_WRITABLE));
		}
	}
	tables_drop_all(holder);
}

/* First half of ending a use; the caller flushes the holder, then calls record_shrink(). */
static struct domain *revoke_use(struct use *use)
{
	struct domain *holder = domain_lookup(use->holder);

	if (!holder || holder->mm.dying) { /* its end has dropped the tables and cleans the record up */
		use->holder.gen = 0;
		return NULL;
	}
	/* A use ends together with its record, under grant_lock. */
	ASSERT(record_at(holder, use->record)->serial == use->serial);
	spin_lock(&holder->mm.lock);
	replace_by_dummy(holder, use->record);
	spin_unlock(&holder->mm.lock);
	return holder;
}

static void grant_free(struct domain *owner, struct grant *g)
{
	spin_lock(&owner->mm.lock);
	add_refs(&owner->mm, g->gfn, g->n, (u32)-1);
	spin_unlock(&owner->mm.lock);
	g->state = GRANT_FREE;
	level_add(LVL_GRANTS, -1);
}

/* One use ends, or the grant itself. 0 = the grant is gone. */
static i64 revoke_step(struct domain *owner, u32 index, u32 gen)
{
	struct domain *holder = NULL;
	struct use use = { { 0, 0 }, 0, 0 };
	struct grant *g;
	u32 i;

	spin_lock(&grant_lock);
	g = grant_find(owner, index, gen);
	if (!g) {
		spin_unlock(&grant_lock);
		return -PV_EDEAD;
	}
	g->state = GRANT_REVOKING;
	for (i = 0; i < GRANT_MAPS && !g->uses[i].holder.gen; i++)
		;
	if (i < GRANT_MAPS) {
		use = g->uses[i];
		holder = revoke_use(&g->uses[i]);
	} else {
		grant_free(owner, g);
	}
	spin_unlock(&grant_lock);
	if (holder) {
		RACE_POINT();
		flush_cpus(flush_mask(holder));
		spin_lock(&grant_lock);
		record_shrink(holder, use.record, use.serial, PV_MAX_GRANT_PAGES);
		spin_unlock(&grant_lock);
	}
	return i < GRANT_MAPS ? -PV_EAGAIN : 0;
}

i64 grant_revoke(const struct cap *cap)
{
	struct domain *owner = domain_lookup(cap->dom);

	return owner ? revoke_step(owner, cap->index, cap->obj_gen) : -PV_EDEAD;
}

/* ---- the end of a domain ---- */

/* Its own use of others' grants: nothing runs it any more, so there is nothing to flush. */
static bool drop_records(struct domain *dom)
{
	u32 done = 0;

	spin_lock(&grant_lock);
	for (u32 i = 0; i < RECORDS_MAX && done < STEP_RECORDS; i++) {
		struct grant_map *r = record_at(dom, i);

		if (!r)
			break;
		if (r->left) {
			record_shrink(dom, i, r->serial, r->left);
			done++;
		}
	}
	spin_unlock(&grant_lock);
	return done < STEP_RECORDS;
}

bool grant_destroy_step(struct domain *dom)
{
	spin_lock(&dom->mm.lock);
	dom->mm.dying = true; /* no new grants, no new maps */
	spin_unlock(&dom->mm.lock);
	if (!drop_records(dom))
		return false;
	for (u32 i = 0; i < ARRAY_SIZE(dom->grant_pages) * GRANTS_PER_PAGE; i++) {
		struct grant *g = grant_at(dom, i);

		if (!g)
			break;
		if (g->state != GRANT_FREE) {
			(void)revoke_step(dom, i, g->gen);
			return false;
		}
	}
	return true;
}
