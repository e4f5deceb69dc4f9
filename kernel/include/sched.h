/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched.h - which vCPU runs where. Per-CPU queues ordered by weighted virtual time, a cap per
 * domain, affinity, stealing by idle CPUs. The kernel is event-driven: picking another vCPU is
 * setting this_cpu()->current before the exit path runs. sched_idle_loop() is in init.h.
 */
#ifndef RF_SCHED_H
#define RF_SCHED_H

#include "arch.h"
#include "atomic.h"
#include "cpu.h"
#include "types.h"
#include "vcpu.h"

struct domain;

#define NO_TIMER_CPU 0xffffffffu

void sched_init_cpu(void); /* on each CPU, before it looks for work */
void sched_vcpu_init(struct vcpu *v);
void sched_make_runnable(struct vcpu *v); /* STOPPED or BLOCKED: picks a CPU, kicks it if need be */
bool sched_wake(struct vcpu *v);	  /* BLOCKED -> RUNNABLE; false: it was not blocked */
void sched_stop_sync(struct vcpu *v);	  /* see vcpu_stop_sync() */
void sched_yield_current(void);		  /* takes effect at exit, as does everything for the caller */
void sched_params_changed(struct domain *dom); /* weight, cap or affinity */

/* exit_work was set: interrupt it if it runs elsewhere. Who was seen running and has left its CPU since has looked. */
static inline void sched_kick_running(const struct vcpu *v)
{
	u32 cpu = atomic_load_relaxed(&v->cpu);

	if (cpu != this_cpu()->id)
		arch_kick(cpu);
}

static inline void sched_kick(const struct vcpu *v)
{
	if (atomic_load_seq(&v->state) == VCPU_RUNNING)
		sched_kick_running(v);
}

/* A domain that may not run any more (domain_may_run() is false) leaves the CPUs soon; quiesce also
 * waits until it has, the caller's own vCPU excepted. No lock may be held. resume: it may run again. */
void sched_domain_stop(struct domain *dom);
void sched_domain_quiesce(struct domain *dom);
void sched_domain_resume(struct domain *dom);
bool sched_runs(struct vcpu *v); /* on a CPU now; false stays false if its domain may not run */
bool sched_is_at_rest(struct vcpu *v); /* dom->lock held: stopped, or its domain may not run and it has left */
void sched_times(struct vcpu *v, u64 *run_ns, u64 *steal_ns); /* CPU time had and waited for, by now */
void sched_vcpu_exit(struct vcpu *v); /* off every queue and list; does not run any more */

/* Exit path: runs deferred work, switches vCPU if asked, never returns without a guest to run:
 * idles in between. Afterwards this_cpu()->current is what the assembly restores. */
void sched_exit_to_guest(void);

void sched_wait_timeout(struct vcpu *v, u64 now); /* timer.c: ends a WAIT whose deadline passed */
void sched_slice_over(void);			  /* timer.c: so did this CPU's slice */

/* ---- timer.c ---- */
void timer_init_cpu(void);
void timer_interrupt(u8 vector); /* VEC_TIMER */
void timer_set(struct vcpu *v, u64 deadline_ns); /* TIMER_SET; v is the caller's */
void timer_update(struct vcpu *v); /* a deadline of v changed: put it at its place in a list */
void timer_cancel(struct vcpu *v); /* forget both deadlines */
void timer_slice(u64 end_ns);	   /* this CPU wants VEC_TIMER at end_ns too; PV_FOREVER: no more */

#endif
