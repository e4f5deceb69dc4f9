// SPDX-License-Identifier: BSD-2-Clause
/*
 * vcpu.c - life of a vCPU, and the calls that make one wait.
 *
 * A vCPU is two pages of its domain's kernel memory: the struct with the FPU area behind it, and a
 * page of zeros that stands in for the VCS until one is registered.
 */
#include "vcpu.h"

#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "counters.h"
#include "mm.h"
#include "panic.h"
#include "race.h"
#include "sched.h"
#include "trace.h"

#define XSAVE_OFFSET ALIGN_UP(sizeof(struct vcpu), 64)

int vcpu_create(struct domain *dom, u32 index)
{
	struct vcpu *v = kmem_alloc(dom);

	ASSERT(XSAVE_OFFSET + arch_vcpu_xsave_size() <= PAGE_SIZE);
	if (!v)
		return -PV_ENOMEM;
	v->no_vcs = (struct pv_vcs __guest *)kmem_alloc(dom);
	if (!v->no_vcs) {
		kmem_free(dom, v);
		return -PV_ENOMEM;
	}
	v->dom = dom;
	v->index = index;
	v->xsave = (u8 *)v + XSAVE_OFFSET;
	v->fpu_cpu = NO_FPU_CPU;
	arch_vcpu_init(v);
	sched_vcpu_init(v);
	mm_vcpu_init(v);
	if (mm_wants_events(dom) || trace_hot)
		v->exit_work |= WORK_SLOW;
	atomic_store_release(&dom->vcpus[index], v);
	dom->nr_vcpus++;
	level_add(LVL_VCPUS, 1);
	return 0;
}

void vcpu_destroy(struct vcpu *v)
{
	struct domain *dom = v->dom;

	arch_vcpu_forget(v);
	atomic_store_relaxed(&dom->vcpus[v->index], NULL);
	level_add(LVL_VCPUS, -1);
	kmem_free(dom, (void __own *)v->no_vcs);
	kmem_free(dom, v);
}

int vcpu_start(struct vcpu *v)
{
	if (atomic_load_acquire(&v->state) != VCPU_STOPPED)
		return -PV_ESTATE;
	sched_make_runnable(v);
	return 0;
}

void vcpu_stop_sync(struct vcpu *v)
{
	sched_stop_sync(v);
}

/* The numbers are those of VCPU_CTL STATUS, which are not those of enum vcpu_state. */
void vcpu_get_runstate(struct vcpu *v, struct pv_runstate *out)
{
	static const u32 shown[] = {
		[VCPU_STOPPED] = 0, [VCPU_RUNNING] = 1, [VCPU_RUNNABLE] = 2, [VCPU_BLOCKED] = 3
	};

	*out = (struct pv_runstate){
		.state = shown[atomic_load_relaxed(&v->state) & 3],
		.cpu = atomic_load_relaxed(&v->cpu),
		.switches = v->switches,
	};
	sched_times(v, &out->run_ns, &out->steal_ns);
}

void vcpu_kick(struct vcpu *v)
{
	atomic_store_seq(&v->kicked, 1u);
	RACE_POINT();
	(void)sched_wake(v);
}

/*
 * The vCPU leaves its CPU at the exit check, which looks once more: what arrives from here on is
 * not lost. The result of a deadline that passes while it is blocked is written by the timer.
 */
i64 vcpu_wait(struct vcpu *v, u64 flags, u64 deadline_ns)
{
	struct pv_vcs __guest *vcs = v->vcs;

	if (flags & PV_WAIT_ENABLE) {
		WRITE_ONCE(vcs->flags, READ_ONCE(vcs->flags) | PV_VCS_IF);
		(void)atomic_fetch_or(&v->exit_work, WORK_EVENTS);
	}
	if (vcpu_pending(v))
		return 0;
	if (atomic_load_relaxed(&v->kicked) && atomic_xchg(&v->kicked, 0u))
		return 0;
	if (deadline_ns != PV_FOREVER && deadline_ns <= clock_now_ns())
		return 1;
	RACE_POINT();
	v->wait_deadline = deadline_ns;
	(void)atomic_fetch_or(&v->exit_work, WORK_BLOCK);
	return 0;
}

/* The exit check does the work; WORK_EVENTS makes it run. */
i64 vcpu_irq_win(struct vcpu *v)
{
	(void)atomic_fetch_or(&v->exit_work, WORK_EVENTS);
	return 0;
}
