// SPDX-License-Identifier: BSD-2-Clause
/*
 * tables.c - hardware page tables as a cache: where their pages come from, how they are forgotten,
 * and when a forgotten page may be used again.
 *
 * Tables of one kind hang together in a ring through their frame entries, so that dropping a whole
 * half is: clear the top entries, hand the ring to limbo. Limbo pages keep their contents, because
 * another CPU may still walk them; after an epoch they are clean: the domain's to use again, for
 * tables first. Where no other CPU can have them they are clean at once. A fill that finds nothing but
 * pages in limbo lets the guest run into the same fault again: running it is what ends the epoch.
 *
 * Two views (kernel, user) of a low half share everything below their top entries, except in slots
 * marked private. Where they are one and the same page (fused, explicit) there are no such slots.
 */
#include "bits.h"
#include "counters.h"
#include "mm_internal.h"
#include "panic.h"
#include "string.h"
#include "tlbflush.h"

#define LIMBO_HIGH 32u	   /* pages in limbo from which on an epoch is started without need */
#define PAGE_TRIES 3u /* what is dropped first goes through limbo */
#define DROP_BUDGET 4500u  /* instructions, about, of a range drop before it becomes a drop of the whole half */
#define DROP_LEAF 4u
#define DROP_LOOK 20u
#define DROP_TABLE 60u
#define EVICT_STEP 8u

/* ---- rings ---- */

void set_push(struct table_set *set, mfn_t mfn, u8 level)
{
	struct frame *f = frame_of(mfn);

	f->level = level;
	if (!set->first) {
		f->next = (u32)mfn;
		f->prev = (u32)mfn;
		set->first = (u32)mfn;
	} else {
		struct frame *head = frame_of(set->first);

		f->next = set->first;
		f->prev = head->prev;
		frame_of(head->prev)->next = (u32)mfn;
		head->prev = (u32)mfn;
	}
	set->tables++;
	set->leaves += level == 1;
}

void set_remove(struct table_set *set, mfn_t mfn)
{
	struct frame *f = frame_of(mfn);

	if (f->next == (u32)mfn) {
		set->first = 0;
	} else {
		frame_of(f->next)->prev = f->prev;
		frame_of(f->prev)->next = f->next;
		if (set->first == (u32)mfn)
			set->first = f->next;
	}
	set->tables--;
	set->leaves -= f->level == 1;
}

void set_splice(struct table_set *to, struct table_set *from)
{
	if (!from->first)
		return;
	if (!to->first) {
		to->first = from->first;
	} else {
		struct frame *a = frame_of(to->first), *b = frame_of(from->first);
		u32 a_last = a->prev, b_last = b->prev;

		frame_of(a_last)->next = from->first;
		b->prev = a_last;
		frame_of(b_last)->next = to->first;
		a->prev = b_last;
	}
	to->tables += from->tables;
	to->leaves += from->leaves;
	*from = (struct table_set){ 0 };
}

/* ---- limbo ---- */

static void limbo_add_set(struct domain *dom, struct table_set *set)
{
	level_add(LVL_TABLES, -(i64)set->tables);
	level_add(LVL_LIMBO, (i64)set->tables);
	set_splice(&dom->mm.limbo_new, set);
}

void tables_retire(struct domain *dom, struct table_set *set, u64 entry)
{
	mfn_t mfn = (entry & PTE_ADDR) >> PAGE_SHIFT;

	near_forget(&dom->mm);
	if (frame_of(mfn)->level == 1)
		dom->mm.leaf_tables--;
	set_remove(set, mfn);
	level_add(LVL_TABLES, -1);
	level_add(LVL_LIMBO, 1);
	set_push(&dom->mm.limbo_new, mfn, 0);
}

void tables_clean(struct domain *dom, struct table_set *set)
{
	level_add(LVL_TABLES, -(i64)set->tables);
	set_splice(&dom->mm.clean, set);
}

static void limbo_end(struct domain *dom, struct table_set *limbo)
{
	level_add(LVL_LIMBO, -(i64)limbo->tables);
	set_splice(&dom->mm.clean, limbo);
}

void limbo_reap(struct domain *dom)
{
	struct mm *mm = &dom->mm;

	if (nr_cpus == 1) {
		if (mm->limbo_new.first)
			arch_flush_tlb();
		limbo_end(dom, &mm->limbo_new);
		return;
	}
	if (mm->limbo.first && epoch_passed(mm->limbo_epoch))
		limbo_end(dom, &mm->limbo);
	if (!mm->limbo.first && mm->limbo_new.first) {
		set_splice(&mm->limbo, &mm->limbo_new);
		mm->limbo_epoch = epoch_start();
	}
}

void limbo_end_all(struct domain *dom)
{
	limbo_end(dom, &dom->mm.limbo);
	limbo_end(dom, &dom->mm.limbo_new);
}

void *tables_take_clean(struct domain *dom)
{
	mfn_t mfn = dom->mm.clean.first;

	if (!mfn)
		return NULL;
	set_remove(&dom->mm.clean, mfn);
	memset(mfn_ptr(mfn), 0, PAGE_SIZE);
	return mfn_ptr(mfn);
}

/* ---- room ---- */

/* Drops something of the cache. False: there is nothing. */
static bool reclaim(struct domain *dom)
{
	struct mm *mm = &dom->mm;
	bool any = false;

	count(CNT_RECLAIMS);
	if (aspace_evict(dom))
		return true;
	for (u32 i = 0; i < PV_MAX_VCPUS; i++) {
		struct vcpu *v = dom->vcpus[i];

		if (v && v->as && v->as->tables.first) {
			(void)tables_drop_low(dom, v->as);
			any = true;
		}
	}
	if (any)
		return true;
	if (!mm->kernel_tables.first)
		return false;
	tables_drop_kernel(dom);
	return true;
}

/* Something is on its way, or can be had at once now; or there is nothing at all. */
static enum fill_status make_room(struct domain *dom)
{
	struct mm *mm = &dom->mm;

	if (!mm->limbo.first && !mm->limbo_new.first && !reclaim(dom))
		return FILL_NO_MEMORY;
	limbo_reap(dom); /* starts the epoch */
	return FILL_RETRY;
}

void *mm_page_alloc(struct domain *dom)
{
	for (u32 i = 0; i < PAGE_TRIES; i++) {
		bool fits = kmem_object_fits(dom);
		void *page = fits ? tables_take_clean(dom) : NULL;

		dom->mm.cache_pages -= page != NULL;
		if (!page && fits)
			page = kmem_alloc(dom);
		if (page)
			return page;
		if (make_room(dom) != FILL_RETRY)
			break;
	}
	return NULL;
}

static void capacity_reclaim(struct domain *dom)
{
	struct mm *mm = &dom->mm;

	for (u32 i = 0; i < EVICT_STEP && mm->leaf_tables >= mm->vtlb_tables; i++)
		if (!reclaim(dom))
			return;
}

u64 *table_alloc(struct domain *dom, struct table_set *set, u8 level, enum fill_status *status)
{
	struct mm *mm = &dom->mm;
	u64 *page;

	if (level == 1 && mm->vtlb_tables && mm->leaf_tables >= mm->vtlb_tables) {
		capacity_reclaim(dom);
		*status = FILL_RETRY;
		return NULL;
	}
	if (mm->limbo.tables + mm->limbo_new.tables >= LIMBO_HIGH)
		limbo_reap(dom);
	page = tables_take_clean(dom);
	if (!page)
		page = kmem_alloc_table(dom);
	if (!page) {
		limbo_reap(dom);
		page = tables_take_clean(dom);
	}
	if (!page) {
		*status = make_room(dom);
		return NULL;
	}
	set_push(set, ptr_to_mfn(page), level);
	mm->leaf_tables += level == 1;
	level_add(LVL_TABLES, 1);
	return page;
}

/* ---- forgetting ---- */

/*
 * Where the tables go: a space nobody is in is in no CR3, so no CPU has anything of it and its pages
 * are clean at once. The same holds after a local flush if only this CPU's vCPU is in it.
 */
bool tables_drop_low(struct domain *dom, struct aspace *as)
{
	const struct vcpu *v = this_cpu()->current;
	bool alone = as->users == 1 && v && v->as == as;

	near_forget(&dom->mm);
	if (unlikely(mm_audit_enabled))
		audit_forget(dom, as, 0, 0);
	for (u32 w = 0; w < 4; w++) {
		for (u64 bits = as->used[w]; bits; bits &= bits - 1) {
			u32 slot = w * 64 + bit_lowest(bits);

			as->l4[VIEW_KERNEL][slot] = 0;
			as->l4[VIEW_USER][slot] = 0;
		}
		as->used[w] = 0;
		as->private[w] = 0;
	}
	as->slots = 0;
	dom->mm.leaf_tables -= as->tables.leaves;
	if (alone)
		arch_flush_tlb();
	if (alone || !as->users)
		tables_clean(dom, &as->tables);
	else
		limbo_add_set(dom, &as->tables);
	return alone;
}

void tables_drop_kernel(struct domain *dom)
{
	struct mm *mm = &dom->mm;

	near_forget(mm);
	if (unlikely(mm_audit_enabled))
		audit_forget(dom, NULL, 0, 0);
	for (u32 w = 0; w < 4; w++) {
		for (u64 bits = mm->kernel_used[w]; bits; bits &= bits - 1) {
			u32 slot = 256 + w * 64 + bit_lowest(bits);

			memset(entry_table(mm->kernel_l4[slot]), 0, PAGE_SIZE);
		}
		mm->kernel_used[w] = 0;
	}
	mm->kernel_slots = 0;
	mm->leaf_tables -= mm->kernel_tables.leaves;
	limbo_add_set(dom, &mm->kernel_tables);
}

void tables_drop_all(struct domain *dom)
{
	struct mm *mm = &dom->mm;

	mm->gen++; /* spaces nobody is in are dropped when they are entered */
	(void)tables_drop_low(dom, mm->initial);
	mm->initial->gen = mm->gen;
	for (u32 i = 0; i < PV_MAX_VCPUS; i++) {
		struct vcpu *v = atomic_load_acquire(&dom->vcpus[i]);

		if (!v || !v->as || v->as->gen == mm->gen)
			continue;
		(void)tables_drop_low(dom, v->as);
		v->as->gen = mm->gen;
	}
	tables_drop_kernel(dom);
}

struct drop {
	struct domain *dom;
	struct table_set *set;
	vaddr_t start, last; /* inclusive */
	u32 budget;
	bool tables; /* tables were unlinked, or large pages with 4 KiB leaves died */
};

static bool covered(const struct drop *d, vaddr_t va, u64 size)
{
	vaddr_t base = va & ~(size - 1);

	return base >= d->start && base + (size - 1) <= d->last;
}

/* False: the budget does not last. */
static bool spend(struct drop *d, u32 cost)
{
	if (d->budget < cost)
		return false;
	d->budget -= cost;
	return true;
}

/* Half-way it is unlinked already, and what is left of it goes with the whole. */
static bool drop_subtree(struct drop *d, u64 *e3)
{
	u64 entry = *e3, *l2 = entry_table(entry);

	if (!spend(d, 512 * DROP_LEAF + DROP_TABLE))
		return false;
	WRITE_ONCE(*e3, 0);
	d->tables = true;
	for (u32 i = 0; i < 512; i++) {
		if ((l2[i] & (PTE_P | PTE_PS)) != PTE_P)
			continue;
		if (!spend(d, DROP_TABLE))
			return false;
		tables_retire(d->dom, d->set, l2[i]);
	}
	tables_retire(d->dom, d->set, entry);
	return true;
}

/* The part of [start, last] in the 2 MiB around va. */
static bool drop_leaves(struct drop *d, u64 *e2, vaddr_t va)
{
	u32 from = va >> 12 & 511;
	u64 *l1;
	u32 to;

	if (*e2 & PTE_PS) {
		WRITE_ONCE(*e2, 0);
		d->tables |= !covered(d, va, MIB(2));
		return true;
	}
	if ((*e2 & PTE_SPLINTER) || covered(d, va, MIB(2))) {
		if (!spend(d, DROP_TABLE))
			return false;
		tables_retire(d->dom, d->set, *e2);
		WRITE_ONCE(*e2, 0);
		d->tables = true;
		return true;
	}
	l1 = entry_table(*e2);
	to = (va | (MIB(2) - 1)) <= d->last ? 511u : (u32)(d->last >> 12 & 511);
	if (!spend(d, (to - from) * DROP_LEAF))
		return false;
	for (u32 i = from; i <= to; i++)
		WRITE_ONCE(l1[i], 0);
	return true;
}

/* False: the budget is used up. */
static bool drop_view(struct drop *d, u64 *l4)
{
	u64 size;

	for (vaddr_t va = d->start; va <= d->last && va >= d->start; va = (va | (size - 1)) + 1) {
		u64 e4 = l4[l4_slot(va)];
		u64 *e3, *e2;

		if (!spend(d, DROP_LOOK))
			return false;
		size = GIB(512);
		if (!(e4 & PTE_P))
			continue;
		size = GIB(1);
		e3 = &entry_table(e4)[va >> 30 & 511];
		if (!(*e3 & PTE_P))
			continue;
		if ((*e3 & PTE_SPLINTER) || covered(d, va, size)) {
			if (!drop_subtree(d, e3))
				return false;
			continue;
		}
		size = MIB(2);
		e2 = &entry_table(*e3)[va >> 21 & 511];
		if ((*e2 & PTE_P) && !drop_leaves(d, e2, va))
			return false;
	}
	return true;
}

static bool slots_private(const struct aspace *as, vaddr_t start, vaddr_t last)
{
	for (u32 slot = l4_slot(start); slot <= l4_slot(last); slot++)
		if (bitmap_test(as->private, slot))
			return true;
	return false;
}

bool tables_drop_range(struct domain *dom, struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct mm *mm = &dom->mm;
	struct drop d = { dom, as ? &as->tables : &mm->kernel_tables, start, end - 1, DROP_BUDGET,
			  false };
	bool ok;

	near_forget(mm);
	if (unlikely(mm_audit_enabled))
		audit_forget(dom, as, start, end);
	if (as) {
		ok = drop_view(&d, as->l4[VIEW_USER]);
		if (ok && slots_private(as, start, end - 1))
			ok = drop_view(&d, as->l4[VIEW_KERNEL]);
		if (!ok)
			(void)tables_drop_low(dom, as);
	} else {
		ok = drop_view(&d, mm->kernel_l4);
		if (!ok)
			tables_drop_kernel(dom);
	}
	return !ok || d.tables || (as ? as->splintered : mm->kernel_splintered);
}
