// SPDX-License-Identifier: BSD-2-Clause
/*
 * hc_mem.c - memory: address spaces, frames, grants. Here are the checks that need no table and the
 * handles; everything that looks at frames or translations is mm's.
 */
#include "hypercall.h"

#include "bits.h"
#include "cap.h"
#include "counters.h"
#include "grant.h"
#include "mm.h"
#include "vcpu.h"

#define LOW_HALF_END 0x800000000000ull

static bool page_aligned(u64 x)
{
	return IS_ALIGNED(x, PAGE_SIZE);
}

/* A guest-physical root. -PV_EINVAL, -PV_ERANGE; -PV_ESTATE comes after both. */
static int root_check(const struct vcpu *v, gpa_t root)
{
	if (!page_aligned(root))
		return -PV_EINVAL;
	if (root >> PAGE_SHIFT > PV_MAX_GFN)
		return -PV_ERANGE;
	return v->dom->kind == PV_KIND_WALKED ? 0 : -PV_ESTATE;
}

i64 hc_as_load_root(struct vcpu *v, const struct hc_args *args)
{
	u64 root = args->a0, flags = args->a1;
	int err;

	if (flags & ~(u64)PV_ROOT_KEEP)
		return -PV_EINVAL;
	err = root_check(v, root);
	return err ? err : aspace_load_root(v, root, flags);
}

static int flush_check(const struct vcpu *v, u64 root, u64 start, u64 end, u64 flags)
{
	if (flags & ~(u64)(PV_FLUSH_ALL | PV_FLUSH_KERNEL) || !page_aligned(start) ||
	    !page_aligned(end) || (end && end <= start))
		return -PV_EINVAL;
	if (root != PV_FOREVER && (flags & PV_FLUSH_KERNEL || !page_aligned(root)))
		return -PV_EINVAL;
	if (root != PV_FOREVER && root >> PAGE_SHIFT > PV_MAX_GFN)
		return -PV_ERANGE;
	if (end && (flags & PV_FLUSH_KERNEL ? start < PV_HOLE_START : end > LOW_HALF_END))
		return -PV_ERANGE;
	return v->dom->kind == PV_KIND_WALKED ? 0 : -PV_ESTATE;
}

i64 hc_as_flush(struct vcpu *v, const struct hc_args *args)
{
	u64 root = args->a0, start = args->a1, end = args->a2, flags = args->a3;
	int err = flush_check(v, root, start, end, flags);

	if (err)
		return err;
	count(CNT_FLUSHES);
	return aspace_flush(v, root, start, end, flags);
}

i64 hc_as_ctl(struct vcpu *v, const struct hc_args *args)
{
	int err = root_check(v, args->a1);

	return err ? err : aspace_ctl(v, args->a0, args->a1);
}

static int map_check(u64 op, u64 va, u64 gfn, u64 n, u64 prot)
{
	const u64 all = PV_PROT_READ | PV_PROT_WRITE | PV_PROT_EXEC;

	if (!page_aligned(va) || !n)
		return -PV_EINVAL;
	if ((prot & PV_PROT_WRITE) && (prot & PV_PROT_EXEC))
		return -PV_EINVAL;
	if (op == PV_AS_MAP_UNMAP ? prot : (prot & ~all || !(prot & PV_PROT_READ)))
		return -PV_EINVAL;
	if (op != PV_AS_MAP_MAP && gfn)
		return -PV_EINVAL;
	if (n > PV_MAX_MAP_PAGES || va < PAGE_SIZE || va >= LOW_HALF_END ||
	    n > (LOW_HALF_END - va) >> PAGE_SHIFT || !gfns_valid(gfn, n))
		return -PV_ERANGE;
	return 0;
}

i64 hc_as_map(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, va = args->a2, gfn = args->a3, n = args->a4, prot = args->a5;
	struct domain *dom;
	int err = map_check(op, va, gfn, n, prot);

	if (err)
		return err;
	err = cap_domain(v->dom, args->a1, PV_RIGHT_DOM_MEM, &dom);
	if (err)
		return err;
	if (dom->kind != PV_KIND_EXPLICIT)
		return -PV_ESTATE;
	if (op == PV_AS_MAP_MAP)
		return aspace_map(dom, va, gfn, n, prot);
	if (op == PV_AS_MAP_UNMAP)
		return aspace_unmap(dom, va, n);
	return aspace_protect(dom, va, n, prot);
}

i64 hc_mem_ctl(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, gfn = args->a2, n = args->a3, src = args->a4;
	struct domain *dom;
	int err;

	if (!n || (op != PV_MEM_CTL_COPY && src))
		return -PV_EINVAL;
	if (!gfns_valid(gfn, n) || !gfns_valid(src, op == PV_MEM_CTL_COPY ? n : 0))
		return -PV_ERANGE;
	err = cap_domain(v->dom, args->a1, PV_RIGHT_DOM_MEM, &dom);
	if (err)
		return err;
	if (op == PV_MEM_CTL_POPULATE)
		return mem_populate(dom, gfn, n);
	if (op == PV_MEM_CTL_RELEASE)
		return mem_release(dom, gfn, n);
	return mem_copy(dom, gfn, v->dom, src, n);
}

/* ---- grants ---- */

static i64 grant_op_create(struct vcpu *v, u64 handle, u64 gfn, u64 n, u64 rights)
{
	struct domain *owner;
	int err;

	if (!n || (rights != PV_RIGHT_GRANT_READ &&
		   rights != (PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE)))
		return -PV_EINVAL;
	if (n > PV_MAX_GRANT_PAGES || !gfns_valid(gfn, n))
		return -PV_ERANGE;
	err = cap_domain(v->dom, handle, PV_RIGHT_DOM_MEM, &owner);
	return err ? err : grant_create(v->dom, owner, gfn, n, (u32)rights);
}

static i64 grant_op_map(struct vcpu *v, u64 handle, u64 gfn, u64 n, u64 writable)
{
	u32 rights = PV_RIGHT_GRANT_READ | (writable ? PV_RIGHT_GRANT_WRITE : 0);
	struct cap cap;
	int err;

	if (!n || writable > 1)
		return -PV_EINVAL;
	if (n > PV_MAX_GRANT_PAGES || !gfns_valid(gfn, n))
		return -PV_ERANGE;
	err = cap_lookup(v->dom, handle, PV_CAP_GRANT, rights, &cap);
	return err ? err : grant_map(v->dom, &cap, gfn, n, writable);
}

static i64 grant_op_unmap(struct vcpu *v, u64 handle, u64 gfn, u64 n, u64 arg)
{
	if (!n || handle || arg)
		return -PV_EINVAL;
	return gfns_valid(gfn, n) ? grant_unmap(v->dom, gfn, n) : -PV_ERANGE;
}

static i64 grant_op_revoke(struct vcpu *v, u64 handle, u64 gfn, u64 n, u64 arg)
{
	struct cap cap;
	i64 result;

	if (gfn || n || arg)
		return -PV_EINVAL;
	result = cap_lookup(v->dom, handle, PV_CAP_GRANT, PV_RIGHT_GRANT_REVOKE, &cap);
	if (result)
		return result;
	result = grant_revoke(&cap);
	if (!result)
		(void)cap_drop(v->dom, handle);
	return result;
}

i64 hc_grant_ctl(struct vcpu *v, const struct hc_args *args)
{
	u64 handle = args->a1, gfn = args->a2, n = args->a3, arg = args->a4;

	switch (args->a0) {
	case PV_GRANT_CTL_CREATE:
		return grant_op_create(v, handle, gfn, n, arg);
	case PV_GRANT_CTL_MAP:
		return grant_op_map(v, handle, gfn, n, arg);
	case PV_GRANT_CTL_UNMAP:
		return grant_op_unmap(v, handle, gfn, n, arg);
	case PV_GRANT_CTL_REVOKE:
		return grant_op_revoke(v, handle, gfn, n, arg);
	}
	return -PV_ENOSYS;
}
