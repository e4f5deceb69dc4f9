// SPDX-License-Identifier: BSD-2-Clause
/*
 * hc_domain.c - DOM_CREATE, DOM_CTL and SCHED_CTL: making, ending and weighing domains.
 */
#include "hypercall.h"

#include "cap.h"
#include "cpu.h"
#include "mm.h"
#include "sched.h"
#include "string.h"
#include "vcpu.h"

#define MIN_KMEM_PAGES 32
#define MAX_WEIGHT 65535

static bool name_valid(const u8 *name)
{
	u32 len = 0;

	while (len < PV_NAME_LEN && name[len])
		len++;
	for (u32 i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return len && len < PV_NAME_LEN;
}

static bool affinity_valid(u64 mask)
{
	return !mask || mask & ((1ull << nr_cpus) - 1);
}

static int create_check(const struct pv_dom_create *c)
{
	if (!name_valid(c->name) || c->flags & ~(u32)PV_CREATE_FUSED || c->kind > PV_KIND_WALKED ||
	    c->reserved[0] || c->reserved[1])
		return -PV_EINVAL;
	if (c->flags & PV_CREATE_FUSED && c->kind != PV_KIND_WALKED) /* it has one mode, so nothing to fuse */
		return -PV_EINVAL;
	if (!c->mem_pages || c->mem_pages > PV_MAX_GFN || c->kmem_pages < MIN_KMEM_PAGES ||
	    c->kmem_pages > PV_MAX_GFN || !c->max_vcpus || c->max_vcpus > PV_MAX_VCPUS ||
	    !c->weight || c->weight > MAX_WEIGHT || c->cap > 100 * nr_cpus ||
	    !affinity_valid(c->affinity))
		return -PV_ERANGE;
	return 0;
}

i64 hc_dom_create(struct vcpu *v, const struct hc_args *args)
{
	struct cap cap = { .type = PV_CAP_DOMAIN, .rights = PV_RIGHT_DOM_ALL };
	void __guest *batch = vcpu_batch(v);
	struct pv_dom_create create;
	struct domain *dom;
	i64 handle;
	int err;

	if (batch) {
		guest_read(&create, batch, sizeof(create));
		err = create_check(&create);
		if (err)
			return err;
	}
	err = cap_host(v->dom, args->a0, PV_RIGHT_HOST_CREATE);
	if (err)
		return err;
	if (!batch)
		return -PV_ESTATE;
	handle = cap_reserve(v->dom);
	if (handle < 0)
		return handle;
	err = domain_create(v->dom, &create, &dom);
	if (err) {
		cap_unreserve(v->dom, (u64)handle);
		return err;
	}
	cap.dom = dom->self;
	cap_fill_nofail(v->dom, (u64)handle, &cap);
	return handle;
}

static i64 dom_pause(struct vcpu *v, u64 op, u64 handle, u64 arg)
{
	struct domain *dom;
	int err;

	if (handle == PV_SELF || arg)
		return -PV_EINVAL;
	err = cap_domain(v->dom, handle, PV_RIGHT_DOM_CTL, &dom);
	if (err)
		return err;
	if (dom == v->dom)
		return -PV_EINVAL;
	return op == PV_DOM_CTL_PAUSE ? domain_pause(dom) : domain_unpause(dom);
}

/* Goes on with a domain that is dying already, so it is looked up by name only. */
static i64 dom_destroy(struct vcpu *v, u64 handle, u64 arg)
{
	struct cap cap;
	int err;

	if (handle == PV_SELF || arg)
		return -PV_EINVAL;
	err = cap_lookup(v->dom, handle, PV_CAP_DOMAIN, PV_RIGHT_DOM_CTL, &cap);
	if (err)
		return err;
	if (cap.dom.slot == v->dom->self.slot || cap.dom.slot == ROOT_SLOT)
		return -PV_EINVAL;
	err = domain_destroy_step(cap.dom);
	if (!err)
		(void)cap_drop(v->dom, handle);
	return err;
}

static i64 dom_status(struct vcpu *v, u64 handle, u64 arg)
{
	struct pv_dom_status status;
	void __guest *batch = vcpu_batch(v);
	struct domain *dom;
	struct cap cap;
	int err;

	if (arg)
		return -PV_EINVAL;
	err = cap_lookup(v->dom, handle, PV_CAP_DOMAIN, PV_RIGHT_DOM_STATUS, &cap);
	if (err)
		return err;
	dom = domain_lookup(cap.dom);
	if (!dom)
		return -PV_EDEAD;
	if (!batch)
		return -PV_ESTATE;
	domain_status(dom, &status);
	guest_write(batch, &status, sizeof(status));
	return 0;
}

static i64 dom_shutdown(struct vcpu *v, u64 handle, u64 arg)
{
	u64 reason = arg >> 32, code = arg & 0xffffffff;

	if (handle != PV_SELF || reason < PV_REASON_POWEROFF || reason > PV_REASON_HALT)
		return -PV_EINVAL;
	domain_shutdown(v->dom, (u32)reason, code, 0, v->regs.rip);
	return 0;
}

i64 hc_dom_ctl(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, handle = args->a1, arg = args->a2;

	switch (op) {
	case PV_DOM_CTL_PAUSE:
	case PV_DOM_CTL_UNPAUSE:
		return dom_pause(v, op, handle, arg);
	case PV_DOM_CTL_DESTROY:
		return dom_destroy(v, handle, arg);
	case PV_DOM_CTL_STATUS:
		return dom_status(v, handle, arg);
	case PV_DOM_CTL_SHUTDOWN:
		return dom_shutdown(v, handle, arg);
	}
	return -PV_ENOSYS;
}

static int sched_check(u64 op, u64 value)
{
	switch (op) {
	case PV_SCHED_CTL_SET_WEIGHT:
		return value && value <= MAX_WEIGHT ? 0 : -PV_ERANGE;
	case PV_SCHED_CTL_SET_CAP:
		return value <= 100 * nr_cpus ? 0 : -PV_ERANGE;
	default:
		return affinity_valid(value) ? 0 : -PV_ERANGE;
	}
}

i64 hc_sched_ctl(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, value = args->a2;
	struct domain *dom;
	int err;

	err = sched_check(op, value);
	if (err)
		return err;
	err = cap_domain(v->dom, args->a1, PV_RIGHT_DOM_CTL, &dom);
	if (err)
		return err;
	/* Anyone may hold a handle of itself and give it away; its share is not its own to decide. */
	if (!domain_is_root(v->dom) && !domain_is_child(dom, v->dom))
		return -PV_EPERM;
	spin_lock(&dom->lock);
	if (op == PV_SCHED_CTL_SET_WEIGHT)
		atomic_store_relaxed(&dom->weight, (u32)value);
	else if (op == PV_SCHED_CTL_SET_CAP)
		atomic_store_relaxed(&dom->cap, (u32)value);
	else
		atomic_store_relaxed(&dom->affinity, value);
	spin_unlock(&dom->lock);
	sched_params_changed(dom);
	return 0;
}
