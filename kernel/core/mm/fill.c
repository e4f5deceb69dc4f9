// SPDX-License-Identifier: BSD-2-Clause
/*
 * fill.c - the page-fault path: translate as the guest would, put the result where the hardware
 * finds it, and tell the guest only of faults that its own tables explain.
 *
 * Which view gets what: leaves are U=1 for the hardware, since guest kernel and guest user both run
 * in ring 3; the user view simply lacks the kernel half. In the low half both views share their
 * tables, the kernel view's top entries carrying NX (SMEP). A page that the guest keeps from its
 * user mode (U=0 in the low half) makes its slot private: the kernel view gets a subtree of its own.
 *
 * Where one root serves both modes (fused domains, explicit spaces) there is one view: no slot is
 * ever private, nothing carries NX for SMEP, and what is filled for guest kernel mode is there for guest
 * user mode as well. Who asks is still judged by the guest's tables, so only what was filled before is
 * shared.
 */
#include "bits.h"
#include "counters.h"
#include "mm_internal.h"
#include "panic.h"
#include "string.h"

#define PREFILL_MAX 16u
#define FILL_AROUND 7u
#define KERNEL_SLOTS_MAX 8u /* that have something below, at a time: Linux uses 5 or 6 */
#define LOW_SLOTS_MAX 16u   /* of one space; a program uses 2 to 6 */
#define LEAF_BITS (PTE_P | PTE_U | PTE_A | PTE_D)
#define IO_BITS (PTE_PCD | PTE_PWT | PTE_NX)

/* Does the guest keep this low-half page to its kernel mode, and has a view to keep it in? */
static bool kernel_only(const struct aspace *as, vaddr_t va, const struct xlate *x)
{
	return !(x->flags & PTE_U) && !is_kernel_half(va) && !aspace_fused(as);
}

static bool slot_private(const struct aspace *as, u32 slot)
{
	return slot < L4_SLOTS_LOW && bitmap_test(as->private, slot);
}

/* What the hardware gets for a frame, given its entry in the gfn map. */
static inline u64 leaf_for(u64 entry, const struct aspace *as, int view, vaddr_t va, const struct xlate *x)
{
	u64 leaf = LEAF_BITS | (entry & PTE_ADDR) | (x->flags & PTE_NX);

	BUILD_ASSERT(GFN_WRITABLE == PTE_W << 3);
	leaf |= x->flags & entry >> 3 & PTE_W;
	if (unlikely(gfn_entry_state(entry) == GFN_IO))
		leaf |= IO_BITS;
	if (view == VIEW_KERNEL && (x->flags & PTE_U) && slot_private(as, l4_slot(va)))
		leaf |= PTE_NX;
	return leaf;
}

/* The same for what has no frame; 0 if it cannot be made accessible. */
static __noinline u64 leaf_for_absent(struct domain *dom, const struct aspace *as, int view, vaddr_t va,
				      const struct xlate *x)
{
	mfn_t mfn = as->kind == AS_EXPLICIT ? 0 : mm_dummy(dom);

	if (!mfn)
		return 0;
	dom->mm.absent_seen = true;
	return leaf_for(gfn_entry(GFN_HOLE, mfn, true), as, view, va, x);
}

static inline u64 make_leaf(struct domain *dom, const struct aspace *as, int view, vaddr_t va,
			    const struct xlate *x)
{
	u64 entry = gfn_lookup(&dom->mm, x->gfn);

	return likely(entry) ? leaf_for(entry, as, view, va, x) : leaf_for_absent(dom, as, view, va, x);
}

/* ---- finding and making the way down ---- */

static u64 *kernel_half_l3(struct domain *dom, struct aspace *as, u32 slot, enum fill_status *status)
{
	struct mm *mm = &dom->mm;
	u64 *pattern = &mm->kernel_l4[slot];

	if (unlikely(!*pattern)) {
		u64 *page = table_alloc(dom, &mm->kernel_tops, 3, status);

		if (!page)
			return NULL;
		*pattern = ptr_to_paddr(page) | TABLE_BITS;
	}
	if (unlikely(!bitmap_test(mm->kernel_used, slot - 256))) {
		if (mm->kernel_slots == KERNEL_SLOTS_MAX)
			tables_drop_kernel(dom); /* keeps a drop bounded */
		bitmap_set(mm->kernel_used, slot - 256);
		mm->kernel_slots++;
	}
	if (unlikely(as->l4[VIEW_KERNEL][slot] != *pattern))
		atomic_store_release(&as->l4[VIEW_KERNEL][slot], *pattern);
	return entry_table(*pattern);
}

/* A table for a slot of the low half, which is counted with it. */
static u64 *low_l3(struct domain *dom, struct aspace *as, u32 slot, enum fill_status *status)
{
	u64 *page;

	if (!bitmap_test(as->used, slot) && as->slots == LOW_SLOTS_MAX)
		(void)tables_drop_low(dom, as); /* the same */
	page = table_alloc(dom, &as->tables, 3, status);
	if (page && !bitmap_test(as->used, slot)) {
		bitmap_set(as->used, slot);
		as->slots++;
	}
	return page;
}

static u64 *private_l3(struct domain *dom, struct aspace *as, u32 slot, enum fill_status *status)
{
	u64 *e = &as->l4[VIEW_KERNEL][slot];

	if (!bitmap_test(as->private, slot)) {
		u64 *page = low_l3(dom, as, slot, status);

		if (!page)
			return NULL;
		near_forget(&dom->mm); /* the kernel view's leaves were the shared ones */
		bitmap_set(as->private, slot);
		atomic_store_release(e, ptr_to_paddr(page) | TABLE_BITS);
	}
	return entry_table(*e);
}

static u64 *shared_l3(struct domain *dom, struct aspace *as, u32 slot, enum fill_status *status)
{
	u64 *e = &as->l4[VIEW_USER][slot];

	if (unlikely(!*e)) {
		u64 *page = low_l3(dom, as, slot, status);

		if (!page)
			return NULL;
		atomic_store_release(e, ptr_to_paddr(page) | TABLE_BITS);
		if (!aspace_fused(as) && !bitmap_test(as->private, slot))
			atomic_store_release(&as->l4[VIEW_KERNEL][slot], *e | PTE_NX);
	}
	return entry_table(*e);
}

static u64 *find_l3(struct domain *dom, struct aspace *as, int view, vaddr_t va, bool only_kernel,
		    enum fill_status *status)
{
	u32 slot = l4_slot(va);

	if (is_kernel_half(va))
		return kernel_half_l3(dom, as, slot, status);
	if (only_kernel || (view == VIEW_KERNEL && slot_private(as, slot)))
		return private_l3(dom, as, slot, status);
	return shared_l3(dom, as, slot, status);
}

/* The table below *e, made if absent or if a large leaf stands there. */
static u64 *descend(struct domain *dom, struct table_set *set, u64 *e, u8 level, bool splinter,
		    enum fill_status *status)
{
	if (unlikely((*e & (PTE_P | PTE_PS)) != PTE_P)) {
		u64 *page = table_alloc(dom, set, level, status);

		if (!page)
			return NULL;
		atomic_store_release(e, ptr_to_paddr(page) | TABLE_BITS);
	}
	if (unlikely(splinter))
		*e |= PTE_SPLINTER;
	return entry_table(*e);
}

static void note_splinter(struct domain *dom, struct aspace *as, vaddr_t va)
{
	if (is_kernel_half(va))
		dom->mm.kernel_splintered = true;
	else
		as->splintered = true;
}

/* Can one large leaf stand for the 2 MiB around va, which are part of a large page of the guest's? */
static bool large_fits(const struct mm *mm, const struct xlate *x)
{
	return gfn_leaf_entry(mm, x->gfn) & GFN_LEAF_CONTIG;
}

static enum fill_status install_far(struct domain *dom, struct aspace *as, int view, vaddr_t va,
				    const struct xlate *x, u64 leaf, u64 **slot)
{
	struct table_set *set = is_kernel_half(va) ? &dom->mm.kernel_tables : &as->tables;
	enum fill_status status = FILL_DONE;
	u64 *table = find_l3(dom, as, view, va, kernel_only(as, va, x), &status);

	if (!table)
		return status;
	table = descend(dom, set, &table[va >> 30 & 511], 2, x->shift == 30, &status);
	if (!table)
		return status;
	*slot = &table[va >> 21 & 511];
	if (unlikely(x->shift > 12)) {
		if (large_fits(&dom->mm, x)) {
			if (x->shift == 30)
				note_splinter(dom, as, va);
			if ((**slot & (PTE_P | PTE_PS)) == PTE_P)
				tables_retire(dom, set, **slot);
			leaf = (leaf & ~((MIB(2) - 1) & PTE_ADDR)) | PTE_PS;
			atomic_store_release(*slot, leaf);
			return FILL_DONE;
		}
		note_splinter(dom, as, va);
	}
	table = descend(dom, set, *slot, 1, x->shift >= 21, &status);
	if (!table)
		return status;
	*slot = &table[va >> 12 & 511];
	atomic_store_release(*slot, leaf);
	return FILL_DONE;
}

/* Puts a leaf where the hardware finds it; *slot: where that is. */
static enum fill_status install(struct domain *dom, struct aspace *as, int view, vaddr_t va,
				const struct xlate *x, u64 leaf, u64 **slot)
{
	struct near *n = near_of(as, va);
	bool ours = x->shift == 12 && !kernel_only(as, va, x) && near_holds(&dom->mm, n, va);
	u32 index = (u32)(va >> 12 & 511);
	enum fill_status status;

	if (likely(ours && n->leaves)) {
		*slot = &n->leaves[index];
		atomic_store_release(*slot, leaf);
		return FILL_DONE;
	}
	status = install_far(dom, as, view, va, x, leaf, slot);
	if (status == FILL_DONE && ours && near_holds(&dom->mm, n, va) && !slot_private(as, l4_slot(va)))
		n->leaves = *slot - index;
	return status;
}

u64 *leaf_find(struct domain *dom, struct aspace *as, int view, vaddr_t va, u8 *shift)
{
	u64 e = is_kernel_half(va) ? dom->mm.kernel_l4[l4_slot(va)] : as->l4[view][l4_slot(va)];
	u64 *p;

	if (!(e & PTE_P))
		return NULL;
	e = entry_table(e)[va >> 30 & 511];
	if (!(e & PTE_P))
		return NULL;
	p = &entry_table(e)[va >> 21 & 511];
	*shift = 21;
	if ((*p & (PTE_P | PTE_PS)) == PTE_P) {
		p = &entry_table(*p)[va >> 12 & 511];
		*shift = 12;
	}
	return *p & PTE_P ? p : NULL;
}

/* The guest took U away and has not flushed yet: its user view must lose the page now. */
static void hide_from_user(struct domain *dom, struct aspace *as, vaddr_t va)
{
	u8 shift;
	u64 *leaf = leaf_find(dom, as, VIEW_USER, va, &shift);

	if (leaf)
		WRITE_ONCE(*leaf, 0);
}

/*
 * Up to count pages from va on that the guest's leaf table has, between two tables that are known. Only what is
 * absent is filled, but for the first if `over` says that it has changed. Returns pages passed.
 */
static u32 fill_run(struct domain *dom, const struct aspace *as, const struct near *n, vaddr_t va, u32 count,
		    bool over)
{
	u32 first = (u32)(va >> 12 & 511), end = MIN(first + count, 512u);
	bool high = is_kernel_half(va);
	struct xlate x;

	for (u32 i = first; i < end; i++) {
		u64 e = READ_ONCE(n->entries[i]), entry;

		if ((e & (PTE_P | PTE_A)) != (PTE_P | PTE_A) || ((n->leaves[i] & PTE_P) && !(over && i == first)))
			continue;
		x.flags = flags_below(n->upper, e);
		if (!(e & PTE_D))
			x.flags &= ~PTE_W;
		entry = gfn_lookup(&dom->mm, (e & PTE_ADDR) >> PAGE_SHIFT);
		if (unlikely(!entry || (!high && !(x.flags & PTE_U))))
			continue;
		WRITE_ONCE(n->leaves[i], leaf_for(entry, as, VIEW_USER, va, &x));
		dom->fills++;
	}
	return end - first;
}

/* Beside a page that was filled since the guest's tables had it already: there will be more, after a fork or an exec. */
static void fill_around(struct domain *dom, struct aspace *as, vaddr_t va)
{
	const struct near *n = near_of(as, va);

	if ((va >> 12 & 511) != 511 && near_holds(&dom->mm, n, va) && n->leaves)
		(void)fill_run(dom, as, n, va + PAGE_SIZE, FILL_AROUND, false);
}

/* ---- the fault ---- */

/* No page was to be had: for good, or only until some leave limbo? */
static enum fault_result no_page(const struct mm *mm)
{
	return mm->limbo.first || mm->limbo_new.first ? FAULT_RESUME : FAULT_FATAL;
}

/* Without a kernel root there is nothing to go on with: its kernel half may know what to do. */
static enum fault_result fault_low_detached(struct vcpu *v)
{
	struct aspace *as;

	if (v->dom->mm.kernel_root == NO_GFN)
		return FAULT_INJECT;
	as = aspace_obtain(v, v->dom->mm.kernel_root);
	if (!as)
		return no_page(&v->dom->mm);
	aspace_enter(v, as);
	return FAULT_RESUME;
}

static enum fault_result fill(struct vcpu *v, vaddr_t va, u64 access, u64 *p_bit)
{
	struct domain *dom = v->dom;
	struct aspace *as = v->as;
	int view = v->mode == MODE_USER ? VIEW_USER : VIEW_KERNEL;
	struct xlate x;
	u64 leaf, *slot;

	if (unlikely(as->detached) && !is_kernel_half(va))
		return fault_low_detached(v);
	switch (translate(dom, as, va, access, &x)) {
	case WALK_OK:
		break;
	case WALK_RETRY:
		return FAULT_RESUME;
	case WALK_FAULT:
		*p_bit = x.error;
		return FAULT_INJECT;
	}
	*p_bit = PTE_P;
	if (unlikely(view == VIEW_USER && is_kernel_half(va)))
		return FAULT_INJECT; /* the user view has no kernel half, whatever U says */
	leaf = make_leaf(dom, as, view, va, &x);
	if (unlikely(!leaf)) {
		*p_bit = 0;
		return as->kind == AS_EXPLICIT ? FAULT_INJECT : no_page(&dom->mm);
	}
	if (unlikely(((access & ACCESS_WRITE) && !(leaf & PTE_W)) ||
		     ((access & ACCESS_EXEC) && (leaf & PTE_NX))))
		return FAULT_INJECT; /* a frame that is this domain's to read only, or a device */
	switch (install(dom, as, view, va, &x, leaf, &slot)) {
	case FILL_DONE:
		break;
	case FILL_RETRY:
		return FAULT_RESUME;
	case FILL_NO_MEMORY:
		return FAULT_FATAL;
	}
	if (unlikely(kernel_only(as, va, &x)))
		hide_from_user(dom, as, va);
	else if (!is_kernel_half(va))
		fill_around(dom, as, va);
	dom->fills++;
	count(CNT_FILLS);
	return FAULT_RESUME;
}

enum fault_result mm_guest_fault(struct vcpu *v, vaddr_t va, u64 hw_error, u64 *error)
{
	struct domain *dom = v->dom;
	u64 access = hw_error & (ACCESS_WRITE | ACCESS_EXEC);
	enum fault_result r = FAULT_INJECT;
	u64 p_bit = 0;

	BUILD_ASSERT(ACCESS_WRITE == 2 && ACCESS_EXEC == 16 && ACCESS_USER == 4); /* = error code */
	if (v->mode == MODE_USER)
		access |= ACCESS_USER;
	if (likely(va < LOW_END || va >= KERNEL_HALF)) {
		spin_lock(&dom->mm.lock);
		r = fill(v, va, access, &p_bit);
		spin_unlock(&dom->mm.lock);
	}
	*error = access | p_bit;
	return r;
}

/* ---- hints ---- */

/* One page whose tables are not known; pages passed. 0: no use to go on. */
static u32 prefill_far(struct domain *dom, struct aspace *as, vaddr_t va)
{
	bool high = is_kernel_half(va);
	int view = high ? VIEW_KERNEL : VIEW_USER;
	struct xlate x;
	u64 entry, *slot;

	if (translate(dom, as, va, ACCESS_PEEK, &x) != WALK_OK || !x.entry)
		return 1;
	entry = gfn_lookup(&dom->mm, x.gfn);
	if (!(x.leaf & PTE_A) || (!high && !(x.flags & PTE_U)) || !entry)
		return 1;
	if (install(dom, as, view, va, &x, leaf_for(entry, as, view, va, &x), &slot) != FILL_DONE)
		return 0;
	dom->fills++;
	return 1;
}

void mm_prefill(struct vcpu *v, vaddr_t va, u32 n)
{
	struct domain *dom = v->dom;
	struct aspace *as = v->as;
	u32 passed = 1;

	n = MIN(n, PREFILL_MAX);
	va &= PAGE_MASK;
	spin_lock(&dom->mm.lock);
	if (as->detached)
		n = 0;
	while (n && passed && (va < LOW_END || va >= KERNEL_HALF)) {
		const struct near *near = near_of(as, va);

		if (likely(near_holds(&dom->mm, near, va) && near->leaves))
			passed = fill_run(dom, as, near, va, n, true);
		else
			passed = prefill_far(dom, as, va);
		n -= passed;
		va += passed * PAGE_SIZE;
	}
	spin_unlock(&dom->mm.lock);
}

size_t mm_guest_read(struct vcpu *v, vaddr_t va, void *buf, size_t n)
{
	struct domain *dom = v->dom;
	size_t done = 0;

	spin_lock(&dom->mm.lock);
	while (done < n) {
		u64 off = (va + done) & (PAGE_SIZE - 1);
		size_t part = MIN(n - done, PAGE_SIZE - off);
		struct xlate x;
		u64 entry;

		if (va + done >= LOW_END && va + done < KERNEL_HALF)
			break;
		if (translate(dom, v->as, va + done, ACCESS_PEEK, &x) != WALK_OK)
			break;
		entry = gfn_lookup(&dom->mm, x.gfn);
		if (!entry || gfn_entry_state(entry) == GFN_IO)
			break;
		memcpy((char *)buf + done, (char *)mfn_ptr(gfn_entry_mfn(entry)) + off, part);
		done += part;
	}
	spin_unlock(&dom->mm.lock);
	return done;
}

/* ---- events ---- */

bool mm_wants_events(const struct domain *dom)
{
	return mm_audit_enabled || dom->mm.vtlb_tables == 0;
}

void mm_guest_event(struct vcpu *v)
{
	struct mm *mm = &v->dom->mm;

	if (mm_audit_enabled)
		audit_event(v);
	if (mm->vtlb_tables)
		return;
	spin_lock(&mm->lock);
	(void)tables_drop_low(v->dom, v->as);
	tables_drop_kernel(v->dom);
	spin_unlock(&mm->lock);
	arch_flush_tlb();
}
