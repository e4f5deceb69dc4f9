// SPDX-License-Identifier: BSD-2-Clause
/*
 * timer.c - one-shot deadlines of vCPUs and the end of a time slice, on one hardware timer per CPU.
 *
 * Each CPU has a list of vCPUs ordered by their next deadline (TIMER_SET or WAIT, whichever comes
 * first). A vCPU stands on the list of the CPU that set its deadline last. The hardware is only
 * moved to earlier times; a late deadline costs one early interrupt instead.
 *
 * The list lock is a leaf: it is dropped before anyone is told.
 */
#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "counters.h"
#include "cpu.h"
#include "sched.h"
#include "spinlock.h"
#include "vcpu.h"

struct timer_cpu {
	struct spinlock lock;
	struct vcpu *first;
	u64 slice_end; /* PV_FOREVER: no slice to end. Own CPU only, as the next */
	u64 armed;     /* what the hardware was told, PV_FOREVER: nothing; never later than the list's first */
} __aligned(64);

static struct timer_cpu timers[MAX_CPUS];

static struct timer_cpu *this_timer(void)
{
	return &timers[this_cpu()->id];
}

/* Own CPU only. */
static void arm_locked(struct timer_cpu *t)
{
	u64 want = t->first ? MIN(t->first->timer_key, t->slice_end) : t->slice_end;

	if (want >= t->armed)
		return;
	t->armed = want;
	arch_timer_arm(want);
}

static void unlink_locked(struct timer_cpu *t, struct vcpu *v)
{
	if (v->timer_prev)
		v->timer_prev->timer_next = v->timer_next;
	else
		t->first = v->timer_next;
	if (v->timer_next)
		v->timer_next->timer_prev = v->timer_prev;
	v->timer_next = NULL;
	v->timer_prev = NULL;
}

static void link_locked(struct timer_cpu *t, struct vcpu *v)
{
	struct vcpu *prev = NULL, *at = t->first;

	while (at && at->timer_key <= v->timer_key) {
		prev = at;
		at = at->timer_next;
	}
	v->timer_prev = prev;
	v->timer_next = at;
	if (prev)
		prev->timer_next = v;
	else
		t->first = v;
	if (at)
		at->timer_prev = v;
	atomic_store_release(&v->timer_cpu, (u32)(t - timers));
}

/*
 * Takes v off whichever list it is on. Only v's own CPU puts it on one, so it is on none afterwards;
 * timer_cpu names a list until that list's lock holder has taken v off for good.
 */
static void take_off(struct vcpu *v)
{
	u32 cpu;

	while ((cpu = atomic_load_acquire(&v->timer_cpu)) != NO_TIMER_CPU) {
		struct timer_cpu *t = &timers[cpu];

		spin_lock(&t->lock);
		if (atomic_load_relaxed(&v->timer_cpu) == cpu) {
			unlink_locked(t, v);
			atomic_store_release(&v->timer_cpu, NO_TIMER_CPU);
		}
		spin_unlock(&t->lock);
	}
}

void timer_update(struct vcpu *v)
{
	struct timer_cpu *t = this_timer();

	take_off(v);
	v->timer_key = MIN(v->timer_deadline, v->wait_deadline);
	if (v->timer_key == PV_FOREVER)
		return;
	spin_lock(&t->lock);
	link_locked(t, v);
	arm_locked(t);
	spin_unlock(&t->lock);
}

/* A deadline in the past fires before the call returns, not when an interrupt comes to tell. */
void timer_set(struct vcpu *v, u64 deadline_ns)
{
	bool past = deadline_ns <= clock_now_ns();

	take_off(v);
	v->timer_deadline = past ? PV_FOREVER : deadline_ns;
	timer_update(v);
	if (past) {
		count(CNT_TIMER_FIRES);
		vcpu_post(v, PV_VEC_TIMER);
	}
}

void timer_cancel(struct vcpu *v)
{
	take_off(v);
	v->timer_deadline = PV_FOREVER;
	v->wait_deadline = PV_FOREVER;
}

/* No lock: both numbers are this CPU's own, and no deadline of the list is earlier than what is armed. */
void timer_slice(u64 end_ns)
{
	struct timer_cpu *t = this_timer();

	t->slice_end = end_ns;
	if (end_ns >= t->armed)
		return;
	t->armed = end_ns;
	arch_timer_arm(end_ns);
}

/*
 * The next vCPU that has a deadline behind it, off the list or at the place of its other deadline.
 * *timer: it was that of TIMER_SET. That of a WAIT is left for sched_wait_timeout() to look at.
 */
static struct vcpu *take_due(struct timer_cpu *t, u64 now, bool *timer)
{
	struct vcpu *v;

	spin_lock(&t->lock);
	v = t->first;
	if (!v || v->timer_key > now) {
		spin_unlock(&t->lock);
		return NULL;
	}
	unlink_locked(t, v);
	*timer = v->timer_deadline <= now;
	if (*timer)
		v->timer_deadline = PV_FOREVER;
	v->timer_key = v->wait_deadline > now ? MIN(v->timer_deadline, v->wait_deadline) :
						v->timer_deadline;
	if (v->timer_key != PV_FOREVER)
		link_locked(t, v);
	else
		atomic_store_release(&v->timer_cpu, NO_TIMER_CPU);
	spin_unlock(&t->lock);
	return v;
}

void timer_interrupt(u8 vector)
{
	struct timer_cpu *t = this_timer();
	u64 now = clock_now_ns();
	bool timer;
	struct vcpu *v;

	(void)vector;
	while ((v = take_due(t, now, &timer))) {
		count(CNT_TIMER_FIRES);
		sched_wait_timeout(v, now);
		if (timer)
			vcpu_post(v, PV_VEC_TIMER);
	}
	if (t->slice_end <= now) {
		t->slice_end = PV_FOREVER;
		sched_slice_over();
	}
	spin_lock(&t->lock);
	t->armed = PV_FOREVER;
	arm_locked(t);
	spin_unlock(&t->lock);
}

void timer_init_cpu(void)
{
	struct timer_cpu *t = this_timer();

	t->slice_end = PV_FOREVER;
	t->armed = PV_FOREVER;
	arch_vector_set(VEC_TIMER, timer_interrupt);
}
