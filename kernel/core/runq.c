// SPDX-License-Identifier: BSD-2-Clause
/*
 * runq.c - the queues of sched.c: order, weights, caps, and which CPU a vCPU goes to.
 */
#include "runq.h"

#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "cpu.h"
#include "domain.h"
#include "sched.h"
#include "vcpu.h"

#define CAP_WINDOW_NS 100000000ull
#define CAP_SLICE_MIN_NS 100000ull
#define SLEEPER_BONUS_NS 3000000ull /* how far behind the others a sleeper may come back */
#define PREEMPT_GRAIN_NS 1000000ull

struct runq runqs[MAX_CPUS];

struct runq *runq_lock_of(struct vcpu *v)
{
	for (;;) {
		u32 cpu = atomic_load_relaxed(&v->cpu);
		struct runq *rq = &runqs[cpu];

		spin_lock(&rq->lock);
		if (atomic_load_relaxed(&v->cpu) == cpu)
			return rq;
		spin_unlock(&rq->lock);
	}
}

/* From the end: a vCPU whose slice ended is usually the last. */
void runq_insert(struct runq *rq, struct vcpu *v)
{
	struct vcpu *prev = rq->last;

	ASSERT_LOCKED(&rq->lock);
	while (prev && prev->vruntime > v->vruntime)
		prev = prev->rq_prev;
	v->rq_prev = prev;
	v->rq_next = prev ? prev->rq_next : rq->first;
	if (v->rq_next)
		v->rq_next->rq_prev = v;
	else
		rq->last = v;
	if (prev)
		prev->rq_next = v;
	else
		rq->first = v;
	v->queued = true;
	atomic_store_relaxed(&rq->fresh, true);
	atomic_store_seq(&rq->nr, rq->nr + 1);
}

void runq_remove(struct runq *rq, struct vcpu *v)
{
	ASSERT_LOCKED(&rq->lock);
	if (v->rq_prev)
		v->rq_prev->rq_next = v->rq_next;
	else
		rq->first = v->rq_next;
	if (v->rq_next)
		v->rq_next->rq_prev = v->rq_prev;
	else
		rq->last = v->rq_prev;
	v->rq_next = NULL;
	v->rq_prev = NULL;
	v->queued = false;
	atomic_store_seq(&rq->nr, rq->nr - 1);
}

static u64 cap_budget(const struct domain *dom)
{
	return CAP_WINDOW_NS / 100 * dom->cap;
}

bool runq_capped(struct domain *dom, u64 now, u64 *retry_ns)
{
	u64 budget, used, window;

	budget = cap_budget(dom);
	window = atomic_load_relaxed(&dom->cap_window_ns);
	if (now - window >= CAP_WINDOW_NS && atomic_cmpxchg(&dom->cap_window_ns, &window, now)) {
		/* What was used beyond the budget counts against the next window. */
		used = atomic_load_relaxed(&dom->cap_used_ns);
		(void)atomic_fetch_sub(&dom->cap_used_ns, MIN(used, budget));
	}
	if (atomic_load_relaxed(&dom->cap_used_ns) < budget)
		return false;
	window = atomic_load_relaxed(&dom->cap_window_ns);
	*retry_ns = MIN(*retry_ns, window + CAP_WINDOW_NS);
	return true;
}

u64 runq_cap_left(struct domain *dom)
{
	u64 budget = cap_budget(dom), used = atomic_load_relaxed(&dom->cap_used_ns);

	return MAX(used < budget ? budget - used : 0, CAP_SLICE_MIN_NS);
}

BUILD_ASSERT(MAX_CPUS < 64);

static u64 allowed_cpus(const struct vcpu *v)
{
	u64 all = BIT(nr_cpus) - 1;
	u64 mask = v->dom->affinity & all;

	return mask ? mask : all;
}

bool runq_cpu_in_mask(const struct vcpu *v, u32 cpu)
{
	return (allowed_cpus(v) & BIT(cpu)) != 0;
}

u32 runq_first_cpu(const struct vcpu *v)
{
	return bit_lowest(allowed_cpus(v));
}

static bool cpu_is_free(u32 cpu)
{
	return !atomic_load_relaxed(&runqs[cpu].current) && !atomic_load_relaxed(&runqs[cpu].nr);
}

/* Where it was if that is idle, any idle one, where it was, the shortest queue. */
static u32 choose_cpu(const struct vcpu *v)
{
	u64 mask = allowed_cpus(v);
	u32 last = v->cpu, best = bit_lowest(mask);

	if ((mask & BIT(last)) && cpu_is_free(last))
		return last;
	for (u64 rest = mask; rest; rest &= rest - 1) {
		u32 cpu = bit_lowest(rest);

		if (cpu_is_free(cpu))
			return cpu;
		if (atomic_load_relaxed(&runqs[cpu].nr) < atomic_load_relaxed(&runqs[best].nr))
			best = cpu;
	}
	return mask & BIT(last) ? last : best;
}

/* What the running vCPU has had up to now. */
static u64 current_vruntime(const struct vcpu *cur, u64 now)
{
	return cur->vruntime + (now > cur->since_ns ? runq_weigh(cur, now - cur->since_ns) : 0);
}

/* v was put into rq (locked): make that CPU look, if it has to. */
static void tell(struct runq *rq, const struct vcpu *v, u64 now)
{
	u32 cpu = (u32)(rq - runqs);
	struct vcpu *cur = rq->current;
	bool here = cpu == this_cpu()->id;

	if (!cur) {
		if (!here)
			arch_kick(cpu);
		return;
	}
	if (v->vruntime + PREEMPT_GRAIN_NS < current_vruntime(cur, now)) {
		(void)atomic_fetch_or(&cur->exit_work, WORK_RESCHED);
	} else if (here) {
		timer_slice(rq->slice_end); /* it ran alone, without an end */
		return;
	} else if (rq->nr == 1) {
		(void)atomic_fetch_or(&cur->exit_work, WORK_RESCHED);
	} else {
		return;
	}
	if (!here)
		arch_kick(cpu);
}

/* Virtual times of two queues cannot be compared: keep the distance to the least, ahead or behind. */
static void change_queue(struct vcpu *v, const struct runq *from, const struct runq *to)
{
	u64 behind = from->min_vruntime - MIN(v->vruntime, from->min_vruntime);
	u64 ahead = v->vruntime - MIN(v->vruntime, from->min_vruntime);

	v->vruntime = to->min_vruntime - MIN(behind, to->min_vruntime) + ahead;
	atomic_store_relaxed(&v->cpu, (u32)(to - runqs));
}

static bool is_in_transit(const struct vcpu *v)
{
	return v->state == VCPU_RUNNABLE && !v->queued && !v->parked;
}

void runq_place(struct vcpu *v, u64 now)
{
	struct runq *rq = runq_lock_of(v);
	struct runq *to;
	u64 floor;

	if (!is_in_transit(v))
		goto out;
	if (!domain_may_run(v->dom)) {
		v->parked = true;
		goto out;
	}
	to = &runqs[choose_cpu(v)];
	if (to != rq) {
		change_queue(v, rq, to);
		spin_unlock(&rq->lock);
		rq = runq_lock_of(v);
		if (!is_in_transit(v))
			goto out;
	}
	if (rq->current)
		runq_advance(rq, current_vruntime(rq->current, now));
	floor = rq->min_vruntime > SLEEPER_BONUS_NS ? rq->min_vruntime - SLEEPER_BONUS_NS : 0;
	v->vruntime = MAX(v->vruntime, floor);
	runq_insert(rq, v);
	tell(rq, v, now);
out:
	spin_unlock(&rq->lock);
}

/* One vCPU of a queue whose CPU is busy. */
static struct vcpu *take_from(struct runq *rq, struct runq *mine)
{
	struct vcpu *v;

	if (!atomic_load_relaxed(&rq->nr) || !spin_trylock(&rq->lock))
		return NULL;
	v = rq->current ? rq->first : NULL;
	while (v && !runq_cpu_allowed(v, (u32)(mine - runqs)))
		v = v->rq_next;
	if (v) {
		runq_remove(rq, v);
		change_queue(v, rq, mine);
	}
	spin_unlock(&rq->lock);
	return v;
}

bool runq_steal(struct runq *mine)
{
	u32 self = (u32)(mine - runqs);
	struct vcpu *v = NULL;

	for (u32 i = 1; i < nr_cpus && !v; i++)
		v = take_from(&runqs[(self + i) % nr_cpus], mine);
	if (!v)
		return false;
	spin_lock(&mine->lock);
	if (is_in_transit(v) && v->cpu == self)
		runq_insert(mine, v);
	spin_unlock(&mine->lock);
	return true;
}
