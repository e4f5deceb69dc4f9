// SPDX-License-Identifier: BSD-2-Clause
/*
 * hc_vcpu.c - vCPUs: their life, registers, set-up, waiting, timers and interrupts of their own.
 */
#include "hypercall.h"

#include "bits.h"
#include "cap.h"
#include "counters.h"
#include "mm.h"
#include "nospec.h"
#include "race.h"
#include "sched.h"
#include "string.h"
#include "vcpu.h"

/* The vCPU numbered index, or NULL. index < PV_MAX_VCPUS. */
static struct vcpu *vcpu_of(struct domain *dom, u64 index)
{
	return atomic_load_acquire(&dom->vcpus[idx_nospec(index, PV_MAX_VCPUS)]);
}

static bool address_valid(u64 va)
{
	bool canonical = (u64)((i64)(va << 16) >> 16) == va;

	return canonical && (va < PV_HOLE_START || va >= PV_HOLE_END);
}

/* ---- VCPU_CTL ---- */

static i64 create(struct domain *dom, u64 index)
{
	int err = 0;

	spin_lock(&dom->lock);
	if (domain_is_dying(dom))
		err = -PV_EDEAD;
	else if (dom->state == PV_DOM_SHUTDOWN)
		err = -PV_ESTATE;
	else if (vcpu_of(dom, index))
		err = -PV_EEXIST;
	else
		err = vcpu_create(dom, (u32)index);
	spin_unlock(&dom->lock);
	return err;
}

static i64 status(struct vcpu *v, struct vcpu *target)
{
	struct pv_runstate runstate = { 0 };
	void __guest *batch = vcpu_batch(v);

	if (!batch)
		return -PV_ESTATE;
	if (!target)
		return -PV_ENOENT;
	vcpu_get_runstate(target, &runstate);
	guest_write(batch, &runstate, sizeof(runstate));
	return 0;
}

/* Under dom->lock: of two that start it one is too late, and nobody writes its registers meanwhile. */
static i64 start(struct domain *dom, struct vcpu *target)
{
	int err = -PV_EDEAD;

	spin_lock(&dom->lock);
	if (!domain_is_dying(dom))
		err = dom->state == PV_DOM_SHUTDOWN ? -PV_ESTATE : vcpu_start(target);
	spin_unlock(&dom->lock);
	return err;
}

static i64 control(struct vcpu *v, u64 op, struct domain *dom, u64 index)
{
	struct vcpu *target = vcpu_of(dom, index);

	if (op == PV_VCPU_CTL_CREATE)
		return create(dom, index);
	if (op == PV_VCPU_CTL_STATUS)
		return status(v, target);
	if (!target)
		return -PV_ENOENT;
	if (op == PV_VCPU_CTL_START)
		return start(dom, target);
	if (op == PV_VCPU_CTL_STOP)
		vcpu_stop_sync(target);
	else
		vcpu_kick(target);
	return 0;
}

static __noinline i64 control_any(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, handle = args->a1, index = args->a2, arg = args->a3;
	struct domain *dom;
	int err;

	if ((op == PV_VCPU_CTL_CREATE || op == PV_VCPU_CTL_START) && arg)
		return -PV_EINVAL;
	if (index >= PV_MAX_VCPUS)
		return -PV_ERANGE;
	err = cap_domain(v->dom, handle, PV_RIGHT_DOM_VCPU, &dom);
	if (err)
		return err;
	if (index >= dom->max_vcpus)
		return -PV_ERANGE;
	return control(v, op, dom, index);
}

i64 hc_vcpu_ctl(struct vcpu *v, const struct hc_args *args)
{
	if (args->a0 != PV_VCPU_CTL_YIELD)
		return control_any(v, args);
	if (args->a1 != PV_SELF || args->a2 || args->a3)
		return -PV_EINVAL;
	sched_yield_current();
	return 0;
}

/* ---- VCPU_REGS ---- */

static bool gpr_valid(const struct pv_vcpu_gpr *r)
{
	return address_valid(r->rip) && address_valid(r->kernel_gs_base) && !r->reserved &&
	       r->mode == MODE_KERNEL && (r->root == LINEAR_ROOT || IS_ALIGNED(r->root, PAGE_SIZE));
}

/* Under dom->lock, without which nothing that is at rest begins to run: START and UNPAUSE take it. */
static i64 access_registers(struct vcpu *v, u64 op, struct vcpu *target, struct pv_vcpu_gpr *gpr)
{
	struct domain *dom = target->dom;
	i64 result = -PV_ESTATE;

	spin_lock(&dom->lock);
	RACE_POINT();
	if (target != v && sched_is_at_rest(target))
		result = op == PV_VCPU_REGS_SET ? arch_vcpu_set_gpr(target, gpr) : arch_vcpu_get_gpr(target, gpr);
	spin_unlock(&dom->lock);
	return result;
}

i64 hc_vcpu_regs(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, index = args->a2;
	void __guest *batch = vcpu_batch(v);
	struct pv_vcpu_gpr gpr = { 0 };
	struct vcpu *target;
	struct domain *dom;
	i64 result;

	if (op == PV_VCPU_REGS_SET && batch) {
		guest_read(&gpr, batch, sizeof(gpr));
		if (!gpr_valid(&gpr))
			return -PV_EINVAL;
		if (gpr.root != LINEAR_ROOT && gpr.root >> PAGE_SHIFT > PV_MAX_GFN)
			return -PV_ERANGE;
	}
	if (index >= PV_MAX_VCPUS)
		return -PV_ERANGE;
	result = cap_domain(v->dom, args->a1, PV_RIGHT_DOM_VCPU, &dom);
	if (result)
		return result;
	if (index >= dom->max_vcpus)
		return -PV_ERANGE;
	target = vcpu_of(dom, index);
	if (!batch)
		return -PV_ESTATE;
	if (!target)
		return -PV_ENOENT;
	result = access_registers(v, op, target, &gpr);
	if (!result && op == PV_VCPU_REGS_GET)
		guest_write(batch, &gpr, sizeof(gpr));
	return result;
}

/* ---- VCPU_SETUP ---- */

static i64 set_entry(struct vcpu *v, u64 arg)
{
	void __guest *batch = vcpu_batch(v);
	struct pv_entry entry;

	if (arg)
		return -PV_EINVAL;
	if (!batch)
		return -PV_ESTATE;
	guest_read(&entry, batch, sizeof(entry));
	return arch_vcpu_set_entry(v, &entry);
}

static i64 set_port_page(struct vcpu *v, gfn_t gfn)
{
	struct domain *dom = v->dom;
	mfn_t mfn;
	int err;

	if (gfn > PV_MAX_GFN)
		return -PV_ERANGE;
	err = gfn_pin(dom, gfn, &mfn);
	if (err)
		return err;
	spin_lock(&dom->lock);
	if (dom->port_page) {
		err = -PV_EBUSY;
	} else {
		dom->port_page_gfn = gfn;
		atomic_store_release(&dom->port_page, (struct pv_port_page __guest *)mfn_ptr(mfn));
	}
	spin_unlock(&dom->lock);
	if (err)
		mfn_unpin(mfn);
	return err;
}

i64 hc_vcpu_setup(struct vcpu *v, const struct hc_args *args)
{
	u64 arg = args->a1;

	switch (args->a0) {
	case PV_VCPU_SETUP_SET_VCS:
		return arg > PV_MAX_GFN ? -PV_ERANGE : arch_vcpu_set_vcs(v, arg);
	case PV_VCPU_SETUP_SET_ENTRY:
		return set_entry(v, arg);
	case PV_VCPU_SETUP_SET_KERNEL_GS:
		return address_valid(arg) ? arch_vcpu_set_kernel_gs(v, arg) : -PV_EINVAL;
	case PV_VCPU_SETUP_SET_PORT_PAGE:
		return set_port_page(v, arg);
	}
	return -PV_ENOSYS;
}

/* ---- waiting and being woken ---- */

i64 hc_wait(struct vcpu *v, const struct hc_args *args)
{
	if (args->a0 & ~(u64)PV_WAIT_ENABLE)
		return -PV_EINVAL;
	if (!vcpu_batch(v))
		return -PV_ESTATE;
	return vcpu_wait(v, args->a0, args->a1);
}

i64 hc_timer_set(struct vcpu *v, const struct hc_args *args)
{
	timer_set(v, args->a0);
	return 0;
}

i64 hc_irq_win(struct vcpu *v, const struct hc_args *args)
{
	(void)args;
	if (!vcpu_batch(v) || !(READ_ONCE(v->vcs->flags) & PV_VCS_IF))
		return -PV_ESTATE;
	return vcpu_irq_win(v);
}

i64 hc_send_ipi(struct vcpu *v, const struct hc_args *args)
{
	u64 mask = args->a0, vector = args->a1;

	if (!mask)
		return -PV_EINVAL;
	if (vector < PV_VEC_IPI_MIN || vector > 255)
		return -PV_ERANGE;
	if (mask >> PV_MAX_VCPUS)
		return -PV_ENOENT;
	for (u64 m = mask; m; m &= m - 1)
		if (!vcpu_of(v->dom, bit_lowest(m)))
			return -PV_ENOENT;
	for (u64 m = mask; m; m &= m - 1) {
		count(CNT_IPIS);
		vcpu_post(vcpu_of(v->dom, bit_lowest(m)), (u32)vector);
	}
	return 0;
}
