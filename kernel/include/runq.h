/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runq.h - the queues of sched.c: order, weights, caps, placement. Nothing else includes this.
 */
#ifndef RF_RUNQ_H
#define RF_RUNQ_H

#include "compiler.h"
#include "spinlock.h"
#include "types.h"

struct vcpu;
struct domain;

struct runq {
	struct spinlock lock;
	u32 nr; /* queued; read without lock by idle CPUs */
	struct vcpu *first, *last; /* by vruntime, least first; the running one is not in it */
	struct vcpu *current;
	u64 min_vruntime; /* never falls: where newcomers start */
	u64 slice_end;
	bool fresh; /* something was queued since the CPU last chose: it must not sleep */
	bool yield; /* the current one gives way even if it has had least; own CPU only */
} __aligned(64);

struct runq *runq_this(void);
struct runq *runq_lock_of(struct vcpu *v); /* locks and returns the queue of v->cpu */
void runq_insert(struct runq *rq, struct vcpu *v);
void runq_remove(struct runq *rq, struct vcpu *v);
void runq_advance(struct runq *rq, u64 vruntime);
u64 runq_weigh(const struct vcpu *v, u64 ns); /* CPU time -> virtual time */

/* The cap of a domain: CPU time within a window. */
bool runq_over_cap(struct domain *dom, u64 now, u64 *retry_ns); /* *retry_ns falls to when it ends */
u64 runq_cap_left(struct domain *dom); /* at least 100 us, so that slices stay longer than a switch */

bool runq_cpu_allowed(const struct vcpu *v, u32 cpu);
u32 runq_first_cpu(const struct vcpu *v);
/* v is RUNNABLE, not queued, not parked, no lock held: to the best queue, or parked. */
void runq_place(struct vcpu *v, u64 now);
bool runq_steal(struct runq *mine); /* own CPU is idle: something was moved here */

#endif
