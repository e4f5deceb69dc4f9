/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched.h - which vCPU runs where. Per-CPU queues ordered by weighted virtual time, a cap per
 * domain, affinity, stealing by idle CPUs. The kernel is event-driven: picking another vCPU is
 * setting this_cpu()->current before the exit path runs.
 */
#ifndef RF_SCHED_H
#define RF_SCHED_H

#include "types.h"

struct vcpu;

void sched_init(void); /* once, before any vCPU */
void sched_init_cpu(void);
void sched_vcpu_init(struct vcpu *v);
void sched_make_runnable(struct vcpu *v); /* from STOPPED or BLOCKED; picks a CPU, kicks it if need be */
void sched_wake(struct vcpu *v);	  /* BLOCKED -> RUNNABLE; else sets kicked */
void sched_block_current(u64 deadline_ns); /* takes effect at exit */
void sched_stop_current(void);
void sched_yield_current(void);
void sched_params_changed(struct vcpu *v); /* weight, cap or affinity of its domain */
void sched_vcpu_exit(struct vcpu *v);

/* Exit path: runs deferred work, switches vCPU if asked, never returns without a guest to run:
 * idles in between. Afterwards this_cpu()->current is what the assembly restores. */
void sched_exit_to_guest(void);
void __attribute__((noreturn)) sched_start_cpu(void); /* end of boot on each CPU: idle until there is work */

void timer_set(struct vcpu *v, u64 deadline_ns);
void timer_cancel(struct vcpu *v);
void timer_interrupt(void); /* VEC_TIMER */
/* A vCPU whose WAIT deadline or TIMER_SET deadline may be in the past is found by timer_interrupt(). */

#endif
