// SPDX-License-Identifier: BSD-2-Clause
/*
 * walk.c - the three ways to translate an address, all giving the same answer form.
 *
 * LINEAR   a walked domain before its first root: low half 1:1, the kernel image's window at -2 GiB.
 * EXPLICIT the table AS_MAP edits.
 * WALKED   the guest's own tables, which are ordinary memory that other vCPUs write meanwhile: each
 *          entry is read once, A and D are set by compare-and-swap on exactly the value read, and
 *          every table must be a PRIVATE frame of the domain.
 */
#include "bits.h"
#include "mm_internal.h"

#define LINEAR_WINDOW 0xffffffff80000000ull /* gpa 0, as Linux links itself */
#define WALK_ATTEMPTS 3

static enum walk_result walk_linear(vaddr_t va, struct xlate *x)
{
	x->error = 0;
	if (va >= LINEAR_WINDOW)
		x->gfn = (va - LINEAR_WINDOW) >> PAGE_SHIFT;
	else if (va < LOW_END)
		x->gfn = va >> PAGE_SHIFT;
	else
		return WALK_FAULT;
	if (x->gfn > PV_MAX_GFN)
		return WALK_FAULT;
	x->flags = PTE_W;
	x->shift = 30;
	x->entry = NULL;
	return WALK_OK;
}

/* Rights of a present translation; sets the P bit of the error code if they do not suffice. */
static bool may_access(u64 flags, vaddr_t va, u64 access, struct xlate *x)
{
	x->error = PTE_P;
	if ((access & ACCESS_USER) && !(flags & PTE_U))
		return false;
	if ((access & ACCESS_WRITE) && !(flags & PTE_W))
		return false;
	if (access & ACCESS_EXEC) {
		if (flags & PTE_NX)
			return false;
		/* SMEP, which the kernel view's top entries enforce as well */
		if (!(access & ACCESS_USER) && (flags & PTE_U) && !is_kernel_half(va))
			return false;
	}
	return true;
}

/* The entry at p, with value e, maps the page of va; flags: of it and all levels above. */
static enum walk_result use_leaf(u64 *p, u64 e, u64 flags, u8 shift, vaddr_t va, u64 access, struct xlate *x)
{
	u64 need = PTE_A | ((access & ACCESS_WRITE) ? PTE_D : 0);

	if (!may_access(flags, va, access, x))
		return WALK_FAULT;
	RACE_POINT();
	if ((e & need) != need && !(access & ACCESS_PEEK)) {
		if (!atomic_cmpxchg(p, &e, e | need))
			return WALK_RETRY;
		e |= need;
	}
	if (!(e & PTE_D))
		flags &= ~PTE_W; /* the first write comes here and sets it */
	x->flags = flags;
	x->shift = shift;
	x->entry = p;
	x->leaf = e;
	x->gfn = ((e & PTE_ADDR) >> shift << (shift - 12)) | (va >> 12 & (BIT(shift - 12) - 1));
	return WALK_OK;
}

/* From a leaf table that is known. Rights that do not suffice may have been raised further up since. */
static enum walk_result walk_near(const struct near *n, vaddr_t va, u64 access, struct xlate *x)
{
	u64 *p = &n->entries[va >> 12 & 511], e = READ_ONCE(*p);

	x->error = 0;
	if (!(e & PTE_P))
		return WALK_FAULT;
	x->upper = n->upper;
	return use_leaf(p, e, flags_below(n->upper, e), 12, va, access, x);
}

/* n: where to note the way to the leaf table, if all of it is marked as accessed. */
static enum walk_result walk_guest(const struct mm *mm, gfn_t gfn, vaddr_t va, u64 access,
				   struct near *n, struct xlate *x)
{
	u64 flags = PTE_W | PTE_U, peeked = PTE_A, e, *p;
	u8 shift;

	x->error = 0;
	for (shift = 39;; shift -= 9) {
		u64 ge = gfn_lookup(mm, gfn);

		if (unlikely(gfn_entry_state(ge) != GFN_PRIVATE))
			return WALK_FAULT;
		p = (u64 *)mfn_ptr(gfn_entry_mfn(ge)) + (va >> shift & 511);
		e = READ_ONCE(*p);
		if (shift == 12 && (peeked & PTE_A))
			*n = (struct near){ va >> 21, mm->walk_gen, p - (va >> 12 & 511), flags, NULL };
		if (!(e & PTE_P))
			return WALK_FAULT;
		x->upper = flags;
		flags = flags_below(flags, e);
		if (shift == 12 || ((e & PTE_PS) && shift <= 30))
			break;
		if (access & ACCESS_PEEK)
			peeked &= e;
		else if (unlikely(!(e & PTE_A)) && !atomic_cmpxchg(p, &e, e | PTE_A))
			return WALK_RETRY;
		gfn = (e & PTE_ADDR) >> PAGE_SHIFT;
	}
	return use_leaf(p, e, flags, shift, va, access, x);
}

static __noinline enum walk_result translate_far(struct domain *dom, struct aspace *as, vaddr_t va, u64 access,
						 struct near *n, struct xlate *x)
{
	struct mm *mm = &dom->mm;
	gfn_t root = as->root;

	if (is_kernel_half(va) && mm->kernel_root != NO_GFN)
		root = mm->kernel_root;
	else if (as->kind == AS_LINEAR)
		return walk_linear(va, x);
	else if (as->kind == AS_EXPLICIT)
		return walk_explicit(dom, va, access, x);
	for (u32 i = 0; i < WALK_ATTEMPTS; i++) {
		enum walk_result r = walk_guest(mm, root, va, access, n, x);

		if (likely(r != WALK_RETRY))
			return r;
	}
	return WALK_RETRY;
}

enum walk_result translate(struct domain *dom, struct aspace *as, vaddr_t va, u64 access,
			   struct xlate *x)
{
	struct near *n = near_of(as, va);

	if (likely(near_holds(&dom->mm, n, va))) {
		enum walk_result r = walk_near(n, va, access, x);

		if (likely(r == WALK_OK || (r == WALK_FAULT && !x->error)))
			return r;
	}
	return translate_far(dom, as, va, access, n, x);
}
