// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_sched.c - who runs where and when, without a hand that leads the scheduler: time passes, and the vCPUs that
 * should run do.
 */
#include "calls.h"

#include "host.h"
#include "runq.h"
#include "sched.h"

#define MS 1000000ull

static struct pv_dom_status status_of(u64 handle)
{
	struct pv_dom_status status;

	assert_int_equal(CALL(root->vcpus[0], DOM_CTL, PV_DOM_CTL_STATUS, handle), 0);
	memcpy(&status, root->vcpus[0]->vcs->batch, sizeof(status));
	return status;
}

static struct pv_runstate runstate_of(u64 handle)
{
	struct pv_runstate s;

	assert_int_equal(CALL(root->vcpus[0], VCPU_CTL, PV_VCPU_CTL_STATUS, handle, 0), 0);
	memcpy(&s, root->vcpus[0]->vcs->batch, sizeof(s));
	return s;
}

/* The root domain waits, so that the others have the machine. */
static void root_sleeps(void)
{
	struct vcpu *r = root->vcpus[0];

	assert_int_equal(CALL(r, WAIT, 0, PV_FOREVER), 0);
	assert_int_equal(r->state, VCPU_BLOCKED);
}

static void root_wakes(void)
{
	vcpu_kick(root->vcpus[0]);
	whole_settle();
}

static void pass(u64 ms)
{
	for (u64 i = 0; i < ms; i++)
		whole_time(MS);
}

/* Two on one CPU: whoever ran alone has an end now, and both get the same. */
static void shares(void **state)
{
	struct domain *a, *b;
	u64 ha = child_run(&a, 2), hb = child_run(&b, 2), ra, rb;

	(void)state;
	root_sleeps();
	ra = a->vcpus[0]->run_ns;
	rb = b->vcpus[0]->run_ns;
	pass(100);
	root_wakes();
	ra = status_of(ha).run_ns - ra;
	rb = status_of(hb).run_ns - rb;
	assert_true(ra > 40 * MS && rb > 40 * MS);
	assert_true(ra + rb >= 99 * MS && ra + rb <= 101 * MS);
	assert_true(status_of(ha).steal_ns >= 40 * MS); /* the time of the other */
	assert_true(runstate_of(ha).switches >= 5);
	end(ha);
	end(hb);
}

/* A second one on a CPU has its turn though the first one had no end. */
static void not_alone_after(unsigned alone_for)
{
	struct domain *a, *b;
	u64 hb = child_make(&b), ha;
	struct vcpu *r = root->vcpus[0];

	assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, hb, 2), 0);
	assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, PV_SELF, 1), 0);
	ha = child_run(&a, 2);
	pass(alone_for); /* it runs alone there */
	assert_int_equal(a->vcpus[0]->state, VCPU_RUNNING);
	assert_int_equal(CALL(r, DOM_CTL, PV_DOM_CTL_UNPAUSE, hb), 0);
	pass(12);
	assert_true(b->vcpus[0]->switches > 0);
	assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, PV_SELF, 0), 0);
	end(ha);
	end(hb);
}

static void not_alone_any_more(void **state)
{
	(void)state;
	not_alone_after(20);
}

/* The same when who ran alone has only just begun: nobody is behind yet, but from now on there is an end. */
static void not_alone_from_the_start(void **state)
{
	(void)state;
	not_alone_after(0);
}

/* Of two idle CPUs it is the one where it was. */
static void wakes_where_it_was(void **state)
{
	struct domain *a;
	u64 ha;
	struct vcpu *c;

	(void)state;
	for (u32 cpu = 0; cpu < 2; cpu++) {
		ha = child_run(&a, 1ull << cpu);
		c = a->vcpus[0];
		root_sleeps();
		pass(1);
		assert_int_equal(c->state, VCPU_RUNNING);
		assert_int_equal(c->cpu, cpu);
		a->affinity = 0; /* from now on it may go anywhere */
		assert_int_equal(CALL(c, WAIT, 0, host_ns + 5 * MS), 0);
		assert_int_equal(c->state, VCPU_BLOCKED);
		pass(6);
		assert_int_equal(c->state, VCPU_RUNNING);
		assert_int_equal(c->cpu, cpu);
		root_wakes();
		end(ha);
	}
}

/* Who wakes while a CPU has nothing to do runs at once, where it was if it can. */
static void wakes_on_an_idle_cpu(void **state)
{
	struct domain *a;
	u64 ha = child_run(&a, 0);
	struct vcpu *c = a->vcpus[0], *r = root->vcpus[0];
	u32 cpu;

	(void)state;
	for (u32 i = 0; i < 4; i++) {
		assert_true(whole_run(r));
		cpu = r->cpu ? 0 : 1;
		assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, ha, 1ull << cpu), 0);
		assert_int_equal(CALL(c, WAIT, 0, PV_FOREVER), 0);
		assert_int_equal(c->state, VCPU_BLOCKED);
		assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, ha, 0), 0);
		assert_int_equal(CALL(r, VCPU_CTL, PV_VCPU_CTL_KICK, ha, 0), 0);
		assert_int_equal(c->state, VCPU_RUNNING);
		assert_int_equal(c->cpu, cpu);
	}
	end(ha);
}

/* A CPU with nothing to do takes from one with too much. */
static void takes_from_the_busy(void **state)
{
	struct domain *a, *b;
	u64 ha = child_run(&a, 2), hb = child_run(&b, 2);
	struct vcpu *r = root->vcpus[0];

	(void)state;
	assert_true(whole_run(r));
	assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, PV_SELF, 1), 0);
	assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, ha, 0), 0);
	assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, hb, 0), 0);
	root_sleeps();
	pass(1);
	assert_int_equal(a->vcpus[0]->state, VCPU_RUNNING);
	assert_int_equal(b->vcpus[0]->state, VCPU_RUNNING);
	root_wakes();
	assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, PV_SELF, 0), 0);
	end(ha);
	end(hb);
}

/* A new affinity moves who runs, and who waits in a queue. */
static void moves(void **state)
{
	struct domain *a, *b;
	u64 ha = child_run(&a, 2), hb = child_run(&b, 2);
	struct vcpu *r = root->vcpus[0];

	(void)state;
	for (u32 i = 0; i < 6; i++) {
		u64 where = i % 2 ? 2 : 1;

		pass(i); /* now one runs, now the other */
		assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, ha, where), 0);
		assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, hb, where), 0);
		assert_int_equal(a->vcpus[0]->cpu, where - 1);
		assert_int_equal(b->vcpus[0]->cpu, where - 1);
		assert_true(whole_run(a->vcpus[0]));
		assert_int_equal(a->vcpus[0]->cpu, where - 1);
	}
	end(ha);
	end(hb);
}

/* Over its cap a domain rests, though the CPU is free; in the next window it goes on by itself. */
static void capped(void **state)
{
	struct domain *a;
	u64 ha = child_run(&a, 2), before, used;
	struct vcpu *r = root->vcpus[0];

	(void)state;
	assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_CAP, ha, 20), 0);
	root_sleeps();
	pass(200);
	before = a->vcpus[0]->run_ns;
	pass(1000);
	used = a->vcpus[0]->run_ns - before;
	assert_true(used > 150 * MS && used < 250 * MS);
	root_wakes();
	end(ha);
}

/* A deadline that is not yet there wakes nobody, whatever other deadline is. */
static void two_deadlines(void **state)
{
	struct domain *a;
	u64 ha = child_run(&a, 0);
	struct vcpu *c = a->vcpus[0];

	(void)state;
	assert_int_equal(CALL(c, TIMER_SET, host_ns + 5 * MS), 0);
	assert_int_equal(CALL(c, WAIT, 0, host_ns + 9 * MS), 0);
	pass(4);
	assert_int_equal(c->state, VCPU_BLOCKED);
	pass(1);
	assert_int_not_equal(c->state, VCPU_BLOCKED);
	assert_int_equal(c->regs.rax, 0); /* by its timer, not by its patience */
	c->vcs->pend[0] = c->vcs->pend[1] = c->vcs->pend[2] = c->vcs->pend[3] = 0;
	assert_int_equal(CALL(c, TIMER_SET, host_ns + 9 * MS), 0);
	assert_int_equal(CALL(c, WAIT, 0, host_ns + 5 * MS), 0);
	pass(5);
	assert_int_not_equal(c->state, VCPU_BLOCKED);
	assert_int_equal(c->regs.rax, 1);
	assert_int_equal(CALL(c, TIMER_SET, PV_FOREVER), 0);
	pass(9);
	assert_int_equal(c->vcs->pend[0] | c->vcs->pend[1] | c->vcs->pend[2] | c->vcs->pend[3], 0);
	end(ha);
}

static bool anything_pending(const struct vcpu *v)
{
	const struct pv_vcs *vcs = v->vcs;

	return (vcs->pend[0] | vcs->pend[1] | vcs->pend[2] | vcs->pend[3]) != 0;
}

/* Timers of one CPU stand in one list: one that is taken back leaves the others, wherever it stood. */
static void timers_taken_back(void **state)
{
	struct domain *d[3];
	u64 h[3];

	(void)state;
	for (u32 gone = 0; gone < 4; gone++) {
		for (u32 i = 0; i < 3; i++)
			h[i] = child_run(&d[i], 2);
		for (u32 i = 0; i < 3; i++) {
			memset((void *)d[i]->vcpus[0]->vcs->pend, 0, sizeof(d[i]->vcpus[0]->vcs->pend));
			assert_int_equal(CALL(d[i]->vcpus[0], TIMER_SET, host_ns + (5 + i) * MS), 0);
		}
		if (gone < 3)
			assert_int_equal(CALL(d[gone]->vcpus[0], TIMER_SET, PV_FOREVER), 0);
		root_sleeps();
		pass(8 + 3 * 30);
		root_wakes();
		for (u32 i = 0; i < 3; i++)
			assert_int_equal(anything_pending(d[i]->vcpus[0]), i != gone);
		for (u32 i = 0; i < 3; i++)
			end(h[i]);
	}
}

/* Who runs already is not started; who waits is. */
static void started_twice(void **state)
{
	struct domain *a;
	u64 ha = child_run(&a, 2);
	struct vcpu *c = a->vcpus[0];
	u32 was;

	(void)state;
	assert_true(whole_run(c));
	was = c->state;
	sched_make_runnable(c);
	assert_int_equal(c->state, was);
	assert_int_equal(CALL(c, WAIT, 0, PV_FOREVER), 0);
	assert_int_equal(c->state, VCPU_BLOCKED);
	sched_make_runnable(c);
	assert_int_not_equal(c->state, VCPU_BLOCKED);
	whole_settle();
	end(ha);
}

/* However much of its cap a domain has used, it gets a slice in which something can be done. */
static void least_slice(void **state)
{
	struct domain *a;
	u64 ha = child_run(&a, 2), all, least;

	(void)state;
	assert_int_equal(CALL(root->vcpus[0], SCHED_CTL, PV_SCHED_CTL_SET_CAP, ha, 50), 0);
	a->cap_used_ns = 0;
	all = runq_cap_left(a);
	a->cap_used_ns = all - 1;
	least = runq_cap_left(a);
	assert_true(least > 1 && least < all);
	a->cap_used_ns = all;
	assert_int_equal(runq_cap_left(a), least);
	a->cap_used_ns = 2 * all;
	assert_int_equal(runq_cap_left(a), least);
	a->cap_used_ns = 0;
	end(ha);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares),
		cmocka_unit_test(not_alone_any_more),
		cmocka_unit_test(not_alone_from_the_start),
		cmocka_unit_test(wakes_where_it_was),
		cmocka_unit_test(wakes_on_an_idle_cpu),
		cmocka_unit_test(takes_from_the_busy),
		cmocka_unit_test(moves),
		cmocka_unit_test(capped),
		cmocka_unit_test(two_deadlines),
		cmocka_unit_test(timers_taken_back),
		cmocka_unit_test(started_twice),
		cmocka_unit_test(least_slice),
	};

	return cmocka_run_group_tests(tests, calls_start, NULL);
}
