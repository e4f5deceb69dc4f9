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

static enum walk_result walk_guest(const struct mm *mm, gfn_t gfn, vaddr_t va, u64 access,
				   struct xlate *x)
{
	u64 flags = PTE_W | PTE_U, need, e, *p;
	u8 shift;

	x->error = 0;
	for (shift = 39;; shift -= 9) {
		u64 ge = gfn_lookup(mm, gfn);

		if (unlikely(gfn_entry_state(ge) != GFN_PRIVATE))
			return WALK_FAULT;
		p = (u64 *)mfn_ptr(gfn_entry_mfn(ge)) + (va >> shift & 511);
		e = READ_ONCE(*p);
		if (!(e & PTE_P))
			return WALK_FAULT;
		x->upper = flags;
		flags = (flags & e & (PTE_W | PTE_U)) | ((flags | e) & PTE_NX);
		if (shift == 12 || ((e & PTE_PS) && shift <= 30))
			break;
		if (unlikely(!(e & PTE_A)) && !(access & ACCESS_PEEK) &&
		    !atomic_cmpxchg(p, &e, e | PTE_A))
			return WALK_RETRY;
		gfn = (e & PTE_ADDR) >> PAGE_SHIFT;
	}
	if (!may_access(flags, va, access, x))
		return WALK_FAULT;
	RACE_POINT();
	need = PTE_A | ((access & ACCESS_WRITE) ? PTE_D : 0);
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

enum walk_result translate(struct domain *dom, struct aspace *as, vaddr_t va, u64 access,
			   struct xlate *x)
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
		enum walk_result r = walk_guest(mm, root, va, access, x);

		if (likely(r != WALK_RETRY))
			return r;
	}
	return WALK_RETRY;
}
