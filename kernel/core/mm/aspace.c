// SPDX-License-Identifier: BSD-2-Clause
/*
 * aspace.c - address spaces as guests name them: by the gfn of their top table.
 *
 * A walked space is cache like everything below it: an unknown root makes one, the least recently
 * entered ones go when room is needed. A space that some vCPU is in (running or not) stays, because
 * its roots may be loaded somewhere. DESTROY of such a space unhooks its name at once; the object
 * lives on, empty, until its vCPUs have left.
 *
 * Without PCID a CPU has translations of the root in its CR3 and of nothing else, so freshness per
 * (space, CPU) needs no bookkeeping: every entry into a space loads a root.
 */
#include "bits.h"
#include "counters.h"
#include "mm_internal.h"
#include "panic.h"
#include "string.h"
#include "tlbflush.h"

#define INVLPG_MAX 8u /* pages up to which single flushes are cheaper than all */

/* ---- objects ---- */

static struct aspace *object_take(struct domain *dom)
{
	struct mm *mm = &dom->mm;
	struct aspace *as = mm->spare;

	if (!as) {
		struct aspace *page = mm_page_alloc(dom);

		if (!page)
			return NULL;
		set_push(&mm->object_pages, ptr_to_mfn(page), 0);
		for (u32 i = 0; i < PAGE_SIZE / sizeof(*as); i++) {
			page[i].hash_next = mm->spare;
			mm->spare = &page[i];
		}
		as = mm->spare;
	}
	mm->spare = as->hash_next;
	return as;
}

static void object_put(struct mm *mm, struct aspace *as)
{
	as->hash_next = mm->spare;
	mm->spare = as;
}

static void lru_add(struct mm *mm, struct aspace *as)
{
	as->lru_prev = NULL;
	as->lru_next = mm->lru_first;
	if (mm->lru_first)
		mm->lru_first->lru_prev = as;
	else
		mm->lru_last = as;
	mm->lru_first = as;
}

static void lru_del(struct mm *mm, struct aspace *as)
{
	if (as->lru_prev)
		as->lru_prev->lru_next = as->lru_next;
	else
		mm->lru_first = as->lru_next;
	if (as->lru_next)
		as->lru_next->lru_prev = as->lru_prev;
	else
		mm->lru_last = as->lru_prev;
}

static struct aspace **bucket(struct mm *mm, gfn_t root)
{
	return &mm->hash[(root ^ root >> 6) % MM_HASH];
}

static void hash_add(struct mm *mm, struct aspace *as)
{
	struct aspace **b = bucket(mm, as->root);

	as->hash_next = *b;
	*b = as;
}

static void hash_del(struct mm *mm, struct aspace *as)
{
	struct aspace **p = bucket(mm, as->root);

	while (*p != as) /* it is there */
		p = &(*p)->hash_next;
	*p = as->hash_next;
}

struct aspace *aspace_lookup(struct domain *dom, gfn_t root)
{
	struct aspace *as = *bucket(&dom->mm, root);

	while (as && as->root != root)
		as = as->hash_next;
	return as;
}

/* Top tables: the pages in reserve see to it that a vCPU always finds a space to be in. */
static u64 *root_alloc(struct domain *dom)
{
	struct table_set *reserve = &dom->mm.reserve;
	u64 *l4 = mm_page_alloc(dom);

	if (!l4 && reserve->first) {
		l4 = mfn_ptr(reserve->first);
		set_remove(reserve, reserve->first);
		memset(l4, 0, PAGE_SIZE);
	}
	if (!l4)
		return NULL;
	level_add(LVL_TABLES, 1);
	arch_copy_kernel_half(l4);
	return l4;
}

static void root_free(struct domain *dom, u64 *l4)
{
	struct mm *mm = &dom->mm;
	bool keep = mm->reserve.tables < mm_roots(mm) * mm->vcpus;

	if (!l4)
		return;
	set_push(keep ? &mm->reserve : &mm->clean, ptr_to_mfn(l4), 0);
	mm->cache_pages += !keep;
	level_add(LVL_TABLES, -1);
}

struct aspace *aspace_create(struct domain *dom, u32 kind)
{
	struct mm *mm = &dom->mm;
	struct aspace *as = object_take(dom);
	u64 *kernel, *user;

	if (!as)
		return NULL;
	kernel = root_alloc(dom);
	user = kind == AS_EXPLICIT || mm->fused ? kernel : root_alloc(dom);
	if (!kernel || !user) {
		root_free(dom, kernel);
		if (user != kernel)
			root_free(dom, user);
		object_put(mm, as);
		return NULL;
	}
	*as = (struct aspace){ .l4 = { kernel, user }, .kind = kind, .root = NO_GFN, .gen = mm->gen };
	if (kind == AS_WALKED)
		lru_add(mm, as);
	level_add(LVL_ASPACES, 1);
	return as;
}

void aspace_free(struct domain *dom, struct aspace *as)
{
	struct mm *mm = &dom->mm;

	if (as->kind == AS_WALKED) {
		if (!as->detached)
			hash_del(mm, as);
		lru_del(mm, as);
	}
	(void)tables_drop_low(dom, as);
	root_free(dom, as->l4[VIEW_KERNEL]);
	if (!aspace_fused(as))
		root_free(dom, as->l4[VIEW_USER]);
	object_put(mm, as);
	level_add(LVL_ASPACES, -1);
}

bool aspace_evict(struct domain *dom)
{
	struct aspace *as = dom->mm.lru_last;

	while (as && as->users) /* at most as many as there are vCPUs */
		as = as->lru_prev;
	if (!as)
		return false;
	aspace_free(dom, as);
	return true;
}

/* ---- entering and leaving ---- */

static void leave(struct domain *dom, struct aspace *as)
{
	if (--as->users)
		return;
	if (as->detached)
		aspace_free(dom, as);
	else if (as == dom->mm.initial)
		(void)tables_drop_low(dom, as);
}

void aspace_enter(struct vcpu *v, struct aspace *as)
{
	struct mm *mm = &v->dom->mm;
	struct aspace *old = v->as;

	if (as->gen != mm->gen) {
		(void)tables_drop_low(v->dom, as);
		as->gen = mm->gen;
	}
	as->users++;
	v->as = as;
	v->kernel_cr3 = ptr_to_paddr(as->l4[VIEW_KERNEL]);
	v->user_cr3 = ptr_to_paddr(as->l4[VIEW_USER]);
	if (v == this_cpu()->current)
		arch_load_root(v->mode == MODE_USER ? v->user_cr3 : v->kernel_cr3);
	if (old)
		leave(v->dom, old); /* only now: its root is not loaded here any more */
	if (as->kind == AS_WALKED && mm->lru_first != as) {
		lru_del(mm, as);
		lru_add(mm, as);
	}
}

static void rename_space(struct mm *mm, struct aspace *as, gfn_t root)
{
	if (!as->detached && as->root != NO_GFN)
		hash_del(mm, as);
	as->detached = false;
	as->root = root;
	hash_add(mm, as);
}

struct aspace *aspace_obtain(struct vcpu *v, gfn_t root)
{
	struct domain *dom = v->dom;
	struct aspace *as = aspace_lookup(dom, root);

	if (as)
		return as;
	as = aspace_create(dom, AS_WALKED);
	if (!as) {
		if (!v->as || v->as->kind != AS_WALKED || v->as->users != 1)
			return NULL;
		as = v->as;
		(void)tables_drop_low(dom, as);
	}
	rename_space(&dom->mm, as, root);
	return as;
}

void mm_vcpu_init(struct vcpu *v)
{
	struct mm *mm = &v->dom->mm;

	spin_lock(&mm->lock);
	mm->vcpus++;
	while (v->dom->kind == PV_KIND_WALKED && mm->reserve.tables < mm_roots(mm) * mm->vcpus) {
		void *page = mm_page_alloc(v->dom);

		if (!page)
			break; /* it may still do, if its vCPUs share spaces */
		set_push(&mm->reserve, ptr_to_mfn(page), 0);
	}
	aspace_enter(v, mm->initial);
	spin_unlock(&mm->lock);
}

void mm_vcpu_exit(struct vcpu *v)
{
	struct mm *mm = &v->dom->mm;

	spin_lock(&mm->lock);
	if (v->as && !mm->dying) {
		leave(v->dom, v->as);
		mm->vcpus--;
	}
	v->as = NULL;
	spin_unlock(&mm->lock);
}

gpa_t aspace_root(const struct vcpu *v)
{
	if (v->dom->kind == PV_KIND_EXPLICIT)
		return LINEAR_ROOT; /* there is nothing to name */
	return v->as->kind == AS_LINEAR ? LINEAR_ROOT : v->as->root << PAGE_SHIFT;
}

/* ---- the calls ---- */

static int check_root(gpa_t root)
{
	if (root & (PAGE_SIZE - 1))
		return -PV_EINVAL;
	return root >> PAGE_SHIFT > PV_MAX_GFN ? -PV_ERANGE : 0;
}

static int load_root_locked(struct vcpu *v, gfn_t root, bool keep)
{
	struct domain *dom = v->dom;
	struct aspace *as;

	if (gfn_entry_state(gfn_lookup(&dom->mm, root)) != GFN_PRIVATE)
		return -PV_EFAULT;
	as = aspace_obtain(v, root);
	if (!as)
		return -PV_ENOMEM;
	if (!keep)
		(void)tables_drop_low(dom, as);
	if (dom->mm.kernel_root == NO_GFN)
		tables_drop_kernel(dom); /* it was walked from the root that is left */
	aspace_enter(v, as);
	return 0;
}

int aspace_load_root(struct vcpu *v, gpa_t root, u64 flags)
{
	int err;

	spin_lock(&v->dom->mm.lock);
	err = load_root_locked(v, root >> PAGE_SHIFT, flags & PV_ROOT_KEEP);
	spin_unlock(&v->dom->mm.lock);
	count(CNT_ROOT_LOADS);
	return err;
}

int aspace_set_root(struct vcpu *v, gpa_t root)
{
	if (v->dom->kind == PV_KIND_EXPLICIT)
		return root && root != LINEAR_ROOT ? -PV_EINVAL : 0;
	if (root != LINEAR_ROOT) {
		int err = check_root(root);

		return err ? err : aspace_load_root(v, root, PV_ROOT_KEEP);
	}
	spin_lock(&v->dom->mm.lock);
	aspace_enter(v, v->dom->mm.initial);
	spin_unlock(&v->dom->mm.lock);
	return 0;
}

/* CPUs that may hold translations of as (NULL: of any of dom's), this one left out. */
static u64 others(const struct domain *dom, const struct aspace *as)
{
	u64 mask = flush_mask(dom) & ~BIT(this_cpu()->id);

	for (u64 rest = as ? mask : 0; rest; rest &= rest - 1) {
		struct vcpu *v = atomic_load_relaxed(&cpus[bit_lowest(rest)].current);

		/* One that is on its way to as loads its root after it has said so. */
		if (v && atomic_load_relaxed(&v->as) != as)
			mask &= ~BIT(bit_lowest(rest));
	}
	return mask;
}

static void flush_local(vaddr_t start, vaddr_t end, bool full)
{
	if (full || !end || (end - start) >> PAGE_SHIFT > INVLPG_MAX) {
		arch_flush_tlb();
		return;
	}
	for (vaddr_t va = start; va < end; va += PAGE_SIZE)
		arch_flush_page(va);
}

int aspace_flush(struct vcpu *v, gpa_t root, vaddr_t start, vaddr_t end, u64 flags)
{
	struct domain *dom = v->dom;
	bool kernel = flags & PV_FLUSH_KERNEL, full = true, flushed = false;
	struct aspace *as = NULL;

	spin_lock(&dom->mm.lock);
	if (!kernel) {
		as = root == PV_FOREVER ? v->as : aspace_lookup(dom, root >> PAGE_SHIFT);
		if (!as) {
			spin_unlock(&dom->mm.lock);
			return 0;
		}
	}
	if (end)
		full = tables_drop_range(dom, as, start, end);
	else if (as)
		flushed = tables_drop_low(dom, as);
	else
		tables_drop_kernel(dom);
	if (unlikely(mm_audit_enabled))
		audit_flushed(dom, as, start, end);
	spin_unlock(&dom->mm.lock);

	if (!flushed && (kernel || as == v->as))
		flush_local(start, end, full); /* even if the leaves were clear: another may have done that */
	if (flags & PV_FLUSH_ALL)
		flush_cpus(others(dom, as));
	return 0;
}

static void destroy_space(struct domain *dom, struct aspace *as)
{
	(void)tables_drop_low(dom, as);
	if (!as->users) {
		aspace_free(dom, as);
		return;
	}
	hash_del(&dom->mm, as);
	as->detached = true;
}

static int set_kernel_root(struct domain *dom, gfn_t gfn)
{
	struct mm *mm = &dom->mm;
	int err = 0;

	spin_lock(&mm->lock);
	if (gfn_entry_state(gfn_lookup(mm, gfn)) == GFN_PRIVATE) {
		mm->kernel_root = gfn;
		tables_drop_kernel(dom);
	} else {
		err = -PV_EFAULT;
	}
	spin_unlock(&mm->lock);
	if (!err)
		flush_cpus(flush_mask(dom));
	return err;
}

/* Processes die all the time: only CPUs that are in the space are told. */
static void end_space(struct vcpu *v, gfn_t root, bool destroy)
{
	struct domain *dom = v->dom;
	bool used = false;
	struct aspace *as;

	spin_lock(&dom->mm.lock);
	as = aspace_lookup(dom, root);
	if (as) {
		used = as->users;
		if (destroy)
			destroy_space(dom, as);
		else
			(void)tables_drop_low(dom, as);
	}
	spin_unlock(&dom->mm.lock);
	if (!used)
		return;
	if (as == v->as)
		arch_flush_tlb();
	flush_cpus(others(dom, as));
}

int aspace_ctl(struct vcpu *v, u64 op, gpa_t root)
{
	gfn_t gfn = root >> PAGE_SHIFT;

	if (op == PV_AS_CTL_SET_KERNEL_ROOT)
		return set_kernel_root(v->dom, gfn);
	end_space(v, gfn, op == PV_AS_CTL_DESTROY);
	return 0;
}
