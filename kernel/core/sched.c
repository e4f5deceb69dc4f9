// SPDX-License-Identifier: BSD-2-Clause
/*
 * sched.c - which vCPU runs where.
 *
 * One queue per CPU, ordered by virtual run time: CPU time divided by the vCPU's part of its domain's
 * weight. A vCPU runs until its slice ends and another one has had less, or until one wakes that has had much
 * less. A domain over its cap is passed by until its window ends. An idle CPU takes from the others.
 *
 * The queue lock of vcpu.cpu guards a vCPU's state. A vCPU that is RUNNABLE but neither queued nor
 * parked is on its way between two queues, in the hands of whoever took it off the first.
 *
 * State is saved before a vCPU is shown as anything but RUNNING, under the lock: whoever sees it
 * stopped or takes it to another CPU finds all of it in memory.
 */
#include "sched.h"

#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "counters.h"
#include "cpu.h"
#include "domain.h"
#include "init.h"
#include "race.h"
#include "runq.h"
#include "spinlock.h"
#include "tlbflush.h"
#include "trace.h"
#include "vcpu.h"

#define SLICE_NS 5000000ull
#define WAKE_GRAIN_NS 1000000ull /* a waking vCPU must be this far behind to preempt */

enum fate { FATE_RUN, FATE_BLOCK, FATE_STOP, FATE_PARK, FATE_MOVE };

/* ---- time ---- */

static void account_run(struct runq *rq, struct vcpu *v, u64 now)
{
	u64 delta = now - v->since_ns;

	v->since_ns = now;
	v->run_ns += delta;
	WRITE_ONCE(v->vcs->run_ns, v->run_ns);
	v->vruntime += runq_weigh(v, delta);
	if (unlikely(v->dom->cap))
		(void)atomic_fetch_add_relaxed(&v->dom->cap_used_ns, delta);
	runq_advance(rq, v->vruntime);
}

static void account_steal(struct vcpu *v, u64 now)
{
	u64 delta = now - v->since_ns;

	v->since_ns = now;
	v->steal_ns += delta;
	WRITE_ONCE(v->vcs->steal_ns, v->steal_ns);
	WRITE_ONCE(v->vcs->preempted, 0);
}

/* Up to this moment, that is with the piece the vCPU is in the middle of. */
void sched_times(struct vcpu *v, u64 *run_ns, u64 *steal_ns)
{
	struct runq *rq = runq_lock_of(v);
	u64 now = clock_now_ns();
	u64 piece = now > v->since_ns ? now - v->since_ns : 0;

	*run_ns = v->run_ns + (v->state == VCPU_RUNNING ? piece : 0);
	*steal_ns = v->steal_ns + (v->state == VCPU_RUNNABLE ? piece : 0);
	spin_unlock(&rq->lock);
}

/*
 * Under the queue's lock: another CPU may have chosen v while its domain still might run and be about
 * to show it as RUNNING. Whoever chooses after this lock was taken sees that the domain may not.
 */
bool sched_runs(struct vcpu *v)
{
	struct runq *rq = runq_lock_of(v);
	bool runs = v->state == VCPU_RUNNING;

	spin_unlock(&rq->lock);
	return runs;
}

/* Under the queue's lock too, and under dom->lock, which whoever would make it run must take. */
bool sched_is_at_rest(struct vcpu *v)
{
	struct runq *rq = runq_lock_of(v);
	bool rests = v->state == VCPU_STOPPED || (v->state != VCPU_RUNNING && !domain_may_run(v->dom));

	spin_unlock(&rq->lock);
	return rests;
}

/* ---- choosing ---- */

/* What becomes of the vCPU that ran until now. */
static enum fate decide_fate(struct vcpu *v)
{
	u32 work = atomic_fetch_and(&v->exit_work, ~(WORK_RESCHED | WORK_STOP | WORK_BLOCK));

	if (unlikely(atomic_load_relaxed(&v->stop_requested))) {
		atomic_store_relaxed(&v->stop_requested, false);
		return FATE_STOP;
	}
	if ((work & WORK_BLOCK) && !vcpu_pending(v) &&
	    !(atomic_load_relaxed(&v->kicked) && atomic_xchg(&v->kicked, 0u)))
		return FATE_BLOCK;
	if (unlikely(!domain_may_run(v->dom)))
		return FATE_PARK;
	if (unlikely(!runq_cpu_allowed(v, this_cpu()->id)))
		return FATE_MOVE;
	return FATE_RUN;
}

/* First of the queue that may run; those of paused domains leave it here. NULL: *retry_ns says when
 * a capped one may. */
static __noinline struct vcpu *search_queue(struct runq *rq, u64 now, u64 *retry_ns)
{
	struct vcpu *v = rq->first, *next;

	for (; v; v = next) {
		next = v->rq_next;
		if (!domain_may_run(v->dom)) {
			runq_remove(rq, v);
			v->parked = true;
			continue;
		}
		if (!runq_over_cap(v->dom, now, retry_ns))
			return v;
	}
	return NULL;
}

/* It is nearly always the first. */
static inline struct vcpu *best_queued(struct runq *rq, u64 now, u64 *retry_ns)
{
	struct vcpu *v = rq->first;

	if (likely(!v || (domain_may_run(v->dom) && !v->dom->cap)))
		return v;
	return search_queue(rq, now, retry_ns);
}

static struct vcpu *choose(struct runq *rq, struct vcpu *prev, u64 now)
{
	u64 retry = PV_FOREVER;
	struct vcpu *v = best_queued(rq, now, &retry);
	bool yields = rq->yield;

	rq->yield = false;
	if (likely(prev) && !runq_over_cap(prev->dom, now, &retry)) {
		if (!v)
			v = prev;
		else if (likely(yields))
			prev->vruntime = MAX(prev->vruntime, v->vruntime + 1);
		else if (v->vruntime + (now < rq->slice_end ? WAKE_GRAIN_NS : 0) >= prev->vruntime)
			v = prev;
	}
	if (v && v != prev)
		runq_remove(rq, v);
	if (!v)
		timer_slice(retry);
	return v;
}

static __noinline void set_capped_slice(struct runq *rq, struct domain *dom, u64 now)
{
	u64 left = runq_cap_left(dom);

	rq->slice_end = now + MIN(left, SLICE_NS);
	timer_slice(rq->slice_end);
}

static inline void set_slice(struct runq *rq, struct vcpu *v, u64 now)
{
	if (unlikely(v->dom->cap)) {
		set_capped_slice(rq, v->dom, now);
		return;
	}
	rq->slice_end = now + SLICE_NS;
	timer_slice(rq->first ? rq->slice_end : PV_FOREVER);
}

/* ---- switching ---- */

/* Under the queue's lock, when a vCPU begins or ceases to want a CPU: among how many its domain's weight
 * is divided. */
static void now_busy(struct vcpu *v)
{
	(void)atomic_fetch_add_relaxed(&v->dom->busy_vcpus, 1u);
}

static void now_idle(struct vcpu *v)
{
	(void)atomic_fetch_sub(&v->dom->busy_vcpus, 1u);
}

/* prev's state is in memory: show what it is now. */
static inline void settle(struct runq *rq, struct vcpu *v, enum fate fate)
{
	if (likely(fate == FATE_RUN)) {
		WRITE_ONCE(v->vcs->preempted, 1);
		atomic_store_release(&v->state, (u32)VCPU_RUNNABLE);
		runq_insert(rq, v);
		return;
	}
	switch (fate) {
	case FATE_BLOCK:
		if (v->wait_deadline != PV_FOREVER)
			timer_update(v);
		RACE_POINT();
		/* Pairs with notify() of event.c and vcpu_kick(): whichever comes second sees it. */
		atomic_store_seq(&v->state, (u32)VCPU_BLOCKED);
		if (!vcpu_pending(v) && !atomic_load_seq(&v->kicked)) {
			now_idle(v);
			break;
		}
		atomic_store_relaxed(&v->kicked, 0u);
		atomic_store_release(&v->state, (u32)VCPU_RUNNABLE);
		runq_insert(rq, v);
		break;
	case FATE_STOP:
		now_idle(v);
		atomic_store_release(&v->state, (u32)VCPU_STOPPED);
		break;
	case FATE_PARK:
		v->parked = true;
		/* falls through */
	case FATE_RUN: /* above */
	case FATE_MOVE:
		atomic_store_release(&v->state, (u32)VCPU_RUNNABLE);
		break;
	}
}

/* Makes this CPU, whose queue is rq, run what it should; NULL: nothing. */
static __noinline struct vcpu *schedule(struct runq *rq)
{
	u64 now = clock_now_ns();
	enum fate fate = FATE_RUN;
	struct vcpu *prev, *next;

	spin_lock(&rq->lock);
	atomic_store_relaxed(&rq->fresh, false);
	prev = rq->current;
	if (likely(prev)) {
		account_run(rq, prev, now);
		fate = decide_fate(prev);
	}
	next = choose(rq, fate == FATE_RUN ? prev : NULL, now);
	if (next == prev) {
		if (next)
			set_slice(rq, next, now);
		spin_unlock(&rq->lock);
		return next;
	}
	RACE_POINT();
	arch_vcpu_switch(prev, next);
	RACE_POINT();
	atomic_store_relaxed(&rq->current, next);
	if (likely(prev))
		settle(rq, prev, fate);
	if (likely(next)) {
		next->switches++;
		account_steal(next, now);
		/* seq: a poster that reads an older state has posted where sched_exit_to_guest() looks */
		atomic_store_seq(&next->state, (u32)VCPU_RUNNING);
		count(CNT_SWITCHES);
		set_slice(rq, next, now); /* after prev was queued: it is whom the slice is for */
	}
	spin_unlock(&rq->lock);
	if (unlikely(fate == FATE_MOVE))
		runq_place(prev, now);
	return next;
}

static __noinline void idle(void)
{
	struct runq *rq = runq_this();

	if (runq_steal(rq))
		return;
	cpu_idle_quiesce();
	RACE_POINT();
	/* Who enqueues here from another CPU interrupts; interrupts are off until arch_idle(). */
	if (!atomic_load_seq(&rq->fresh))
		arch_idle();
	cpu_leave_guest();
}

/* What is not the scheduler's; true if it made none for it. */
static __noinline bool do_work(struct vcpu *v)
{
	if (atomic_load_seq(&v->exit_work) & WORK_EVENTS)
		event_check(v);
	RACE_POINT();
	if (atomic_load_relaxed(&v->exit_work) & WORK_MAIL)
		(void)atomic_fetch_and(&v->exit_work, ~WORK_MAIL);
	return !(atomic_load_seq(&v->exit_work) & ~WORK_SLOW);
}

void sched_exit_to_guest(void)
{
	for (;;) {
		struct vcpu *v = this_cpu()->current;

		if (!v || (atomic_load_seq(&v->exit_work) & (WORK_RESCHED | WORK_STOP | WORK_BLOCK)))
			v = schedule(runq_this());
		if (unlikely(!v)) {
			idle();
			continue;
		}
		if (unlikely(atomic_load_seq(&v->exit_work) & ~WORK_SLOW) && !do_work(v))
			continue;
		arch_vcpu_load_root(v);
		if (cpu_enter_guest())
			return;
	}
}

void sched_idle_loop(void)
{
	sched_init_cpu();
	sched_exit_to_guest();
	arch_enter_guest();
}

/* ---- requests ---- */

void sched_init_cpu(void)
{
	arch_guest_init_cpu();
	timer_init_cpu();
}

void sched_vcpu_init(struct vcpu *v)
{
	v->state = VCPU_STOPPED;
	v->timer_cpu = NO_TIMER_CPU;
	v->timer_deadline = PV_FOREVER;
	v->wait_deadline = PV_FOREVER;
	v->cpu = runq_first_cpu(v);
}

void sched_make_runnable(struct vcpu *v)
{
	struct runq *rq = runq_lock_of(v);
	u32 state = v->state;

	if (state == VCPU_STOPPED || state == VCPU_BLOCKED) {
		atomic_store_relaxed(&v->stop_requested, false);
		now_busy(v);
		atomic_store_release(&v->state, (u32)VCPU_RUNNABLE);
		v->since_ns = clock_now_ns();
		v->wait_deadline = PV_FOREVER;
		spin_unlock(&rq->lock);
		runq_place(v, v->since_ns);
		return;
	}
	spin_unlock(&rq->lock);
}

/* BLOCKED -> RUNNABLE, if its deadline is not later than that; its WAIT then answers 1 or 0. */
static bool wake(struct vcpu *v, u64 deadline_until, bool timed_out)
{
	struct runq *rq;
	u64 now;

	if (atomic_load_seq(&v->state) != VCPU_BLOCKED)
		return false;
	rq = runq_lock_of(v);
	if (v->state != VCPU_BLOCKED || v->wait_deadline > deadline_until) {
		spin_unlock(&rq->lock);
		return false;
	}
	if (timed_out)
		v->regs.rax = 1;
	else
		atomic_store_relaxed(&v->kicked, 0u);
	v->wait_deadline = PV_FOREVER;
	now = clock_now_ns();
	v->since_ns = now;
	now_busy(v);
	atomic_store_release(&v->state, (u32)VCPU_RUNNABLE);
	spin_unlock(&rq->lock);
	runq_place(v, now);
	return true;
}

bool sched_wake(struct vcpu *v)
{
	return wake(v, PV_FOREVER, false);
}

void sched_wait_timeout(struct vcpu *v, u64 now)
{
	(void)wake(v, now, true);
}

void sched_slice_over(void)
{
	struct vcpu *v = this_cpu()->current;

	if (v)
		(void)atomic_fetch_or(&v->exit_work, WORK_RESCHED);
}

/* Whoever is waited for may run on another CPU: where CPUs share a core, or an emulator's thread, let it. */
void sched_yield_current(void)
{
	cpu_relax();
	runq_this()->yield = true;
	sched_slice_over();
}

/*
 * Waits until v does not run. Two CPUs may wait for each other's vCPU: the one whose own vCPU is
 * asked to leave gives up waiting; it leaves at its exit and the other one goes on.
 */
static void wait_not_running(struct vcpu *v)
{
	struct vcpu *self = this_cpu()->current;

	while (sched_runs(v)) {
		if (self && (atomic_load_relaxed(&self->exit_work) & WORK_STOP))
			return;
		cpu_relax();
		flush_serve_mailbox();
	}
}

/* Until v has stopped; it may have been started again since, and would be waited for without an end. */
static void wait_stopped(struct vcpu *v)
{
	struct vcpu *self = this_cpu()->current;

	while (atomic_load_relaxed(&v->stop_requested) && sched_runs(v)) {
		if (self && (atomic_load_relaxed(&self->exit_work) & WORK_STOP))
			return;
		cpu_relax();
		flush_serve_mailbox();
	}
	(void)sched_runs(v); /* whoever took the request is through with the queue's lock */
}

/* v does not run: stop it where it is. */
static void leave(struct runq *rq, struct vcpu *v)
{
	if (v->queued)
		runq_remove(rq, v);
	if (v->state == VCPU_RUNNABLE)
		now_idle(v);
	v->parked = false;
	atomic_store_release(&v->state, (u32)VCPU_STOPPED);
}

void sched_stop_sync(struct vcpu *v)
{
	struct runq *rq;

	if (v == this_cpu()->current) {
		atomic_store_relaxed(&v->stop_requested, true);
		(void)atomic_fetch_or(&v->exit_work, WORK_STOP);
		return;
	}
	rq = runq_lock_of(v);
	if (v->state == VCPU_RUNNING) {
		atomic_store_relaxed(&v->stop_requested, true);
		(void)atomic_fetch_or(&v->exit_work, WORK_STOP);
		spin_unlock(&rq->lock);
		sched_kick(v);
		wait_stopped(v);
		return;
	}
	leave(rq, v);
	spin_unlock(&rq->lock);
}

void sched_domain_stop(struct domain *dom)
{
	for (u32 i = 0; i < dom->max_vcpus; i++) {
		struct vcpu *v = atomic_load_acquire(&dom->vcpus[i]);

		if (!v)
			continue;
		(void)atomic_fetch_or(&v->exit_work, WORK_STOP);
		sched_kick(v);
	}
}

void sched_domain_quiesce(struct domain *dom)
{
	sched_domain_stop(dom);
	for (u32 i = 0; i < dom->max_vcpus; i++) {
		struct vcpu *v = atomic_load_acquire(&dom->vcpus[i]);

		if (v && v != this_cpu()->current)
			wait_not_running(v);
	}
}

void sched_domain_resume(struct domain *dom)
{
	for (u32 i = 0; i < dom->max_vcpus; i++) {
		struct vcpu *v = atomic_load_acquire(&dom->vcpus[i]);
		struct runq *rq;
		bool was_parked;

		if (!v)
			continue;
		rq = runq_lock_of(v);
		was_parked = v->parked && domain_may_run(dom);
		if (was_parked)
			v->parked = false;
		spin_unlock(&rq->lock);
		if (was_parked)
			runq_place(v, clock_now_ns());
	}
}

/* Whoever stands where it may not any more, or has too long a slice, is looked at again. */
void sched_params_changed(struct domain *dom)
{
	for (u32 i = 0; i < dom->max_vcpus; i++) {
		struct vcpu *v = atomic_load_acquire(&dom->vcpus[i]);
		struct runq *rq;
		bool move;

		if (!v)
			continue;
		rq = runq_lock_of(v);
		move = v->queued && !runq_cpu_allowed(v, v->cpu);
		if (move)
			runq_remove(rq, v);
		spin_unlock(&rq->lock);
		if (move)
			runq_place(v, clock_now_ns());
		(void)atomic_fetch_or(&v->exit_work, WORK_RESCHED);
		sched_kick(v);
	}
}

void sched_vcpu_exit(struct vcpu *v)
{
	struct runq *rq = runq_lock_of(v);

	ASSERT(v->state != VCPU_RUNNING);
	leave(rq, v);
	spin_unlock(&rq->lock);
	timer_cancel(v);
}
