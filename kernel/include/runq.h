/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runq.h - the queues of sched.c: order, weights, caps, placement. Nothing else includes this.
 */
#ifndef RF_RUNQ_H
#define RF_RUNQ_H

#include "atomic.h"
#include "bits.h"
#include "compiler.h"
#include "cpu.h"
#include "domain.h"
#include "spinlock.h"
#include "types.h"
#include "vcpu.h"

#define WEIGHT_UNIT 256ull

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

extern struct runq runqs[MAX_CPUS];

static inline struct runq *runq_this(void)
{
	return &runqs[this_cpu()->id];
}

struct runq *runq_lock_of(struct vcpu *v); /* locks and returns the queue of v->cpu */
void runq_insert(struct runq *rq, struct vcpu *v);
void runq_remove(struct runq *rq, struct vcpu *v);

/* vruntime is that of the running vCPU; the first in the queue may have had less. */
static inline void runq_advance(struct runq *rq, u64 vruntime)
{
	if (rq->first)
		vruntime = MIN(vruntime, rq->first->vruntime);
	rq->min_vruntime = MAX(rq->min_vruntime, vruntime);
}

/* CPU time -> virtual time. The weight is the domain's: those of its vCPUs that want to run share it. */
static inline u64 runq_weigh(const struct vcpu *v, u64 ns)
{
	u64 busy = atomic_load_relaxed(&v->dom->busy_vcpus);

	return ns * WEIGHT_UNIT * MAX(busy, 1u) / v->dom->weight; /* never 0: hc_domain.c */
}

/* The cap of a domain: CPU time within a window. *retry_ns falls to when that ends. */
bool runq_capped(struct domain *dom, u64 now, u64 *retry_ns); /* it has a cap: is it used up? */
static inline bool runq_over_cap(struct domain *dom, u64 now, u64 *retry_ns)
{
	return unlikely(dom->cap) && runq_capped(dom, now, retry_ns);
}
u64 runq_cap_left(struct domain *dom); /* at least 100 us, so that slices stay longer than a switch */

bool runq_cpu_in_mask(const struct vcpu *v, u32 cpu);
static inline bool runq_cpu_allowed(const struct vcpu *v, u32 cpu)
{
	return likely(!v->dom->affinity) || runq_cpu_in_mask(v, cpu);
}
u32 runq_first_cpu(const struct vcpu *v);
/* v is RUNNABLE, not queued, not parked, no lock held: to the best queue, or parked. */
void runq_place(struct vcpu *v, u64 now);
bool runq_steal(struct runq *mine); /* own CPU is idle: something was moved here */

#endif
