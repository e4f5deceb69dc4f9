/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sched.c - SCHED_CTL and the promises of the scheduler, measured with looping domains.
 */
#include "../lib/abitest.h"

PV_DRIVER_TEST(sched_weight, "PVABI-SCH-001.1")
{
	u64 dom = empty_domain(4, 64);
	struct pv_dom_status s;

	CHECK_OK(OP(SCHED_CTL, SET_WEIGHT, dom, 1));
	CHECK_OK(OP(SCHED_CTL, SET_WEIGHT, dom, 65535));
	dom_status(dom, &s);
	CHECK_EQ(s.weight, 65535);
	CHECK_ERR(OP(SCHED_CTL, SET_WEIGHT, dom, 0), ERANGE);
	CHECK_ERR(OP(SCHED_CTL, SET_WEIGHT, dom, 65536), ERANGE);
	CHECK_ERR(OP(SCHED_CTL, SET_WEIGHT, dom, 1ull << 32 | 5), ERANGE);
	dom_status(dom, &s);
	CHECK_EQ(s.weight, 65535);
	CHECK_OK(dom_destroy(dom));
}

static u32 cpus(void)
{
	struct pv_info_system system;

	CHECK_OK(OP(INFO, SYSTEM, 0));
	batch_get(&system, sizeof(system));
	return system.cpus;
}

PV_DRIVER_TEST(sched_cap, "PVABI-SCH-002.1")
{
	u64 dom = empty_domain(4, 64);
	struct pv_dom_status s;

	CHECK_OK(OP(SCHED_CTL, SET_CAP, dom, 0));
	CHECK_OK(OP(SCHED_CTL, SET_CAP, dom, 1));
	CHECK_OK(OP(SCHED_CTL, SET_CAP, dom, 100 * cpus()));
	dom_status(dom, &s);
	CHECK_EQ(s.cap, 100 * cpus());
	CHECK_ERR(OP(SCHED_CTL, SET_CAP, dom, 100 * cpus() + 1), ERANGE);
	CHECK_ERR(OP(SCHED_CTL, SET_CAP, dom, ~0ull), ERANGE);
	CHECK_OK(dom_destroy(dom));
}

PV_DRIVER_TEST(sched_affinity, "PVABI-SCH-003.1")
{
	u64 dom = empty_domain(4, 64);

	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, dom, 1));
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, dom, 0));
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, dom, ~0ull));
	CHECK_ERR(OP(SCHED_CTL, SET_AFFINITY, dom, 1ull << cpus()), ERANGE);
	CHECK_ERR(OP(SCHED_CTL, SET_AFFINITY, dom, 1ull << 63), ERANGE);
	CHECK_OK(dom_destroy(dom));
}

PV_TEST(sched_of_itself, "PVABI-SCH-001.1")
{
	CHECK_OK(OP(SCHED_CTL, SET_WEIGHT, PV_SELF, 100));
	struct pv_dom_status s;

	dom_status(PV_SELF, &s);
	CHECK_EQ(s.weight, 100);
}

static void loop(void)
{
	for (;;)
		(*(volatile u64 *)&share->word[0])++;
}

static u64 run_ns(struct child *c)
{
	struct pv_dom_status s;

	child_status(c, &s);
	return s.run_ns;
}

/* Two looping children on CPU 0 for `ms`; their CPU times. */
static void race(u64 weight_a, u64 weight_b, u64 ms, u64 *a_ns, u64 *b_ns)
{
	struct child *a = child_make(0), *b = child_make(0);

	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, a->dom, 1));
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, b->dom, 1));
	CHECK_OK(OP(SCHED_CTL, SET_WEIGHT, a->dom, weight_a));
	CHECK_OK(OP(SCHED_CTL, SET_WEIGHT, b->dom, weight_b));
	child_start(a);
	child_start(b);
	sleep_ms(20);
	u64 a0 = run_ns(a), b0 = run_ns(b);

	sleep_ms(ms);
	*a_ns = run_ns(a) - a0;
	*b_ns = run_ns(b) - b0;
}

PV_DRIVER_TEST(sched_fair, "PVABI-SCH-004.1", PARTS(loop))
{
	u64 a, b;

	race(256, 256, 400, &a, &b);
	CHECK(a > 100 * MS && b > 100 * MS);
	CHECK(a < b * 5 / 4 && b < a * 5 / 4);
}

PV_DRIVER_TEST(sched_weighted, "PVABI-SCH-005.1", PARTS(loop))
{
	u64 a, b;

	race(768, 256, 400, &a, &b);
	CHECK(b > 40 * MS);
	CHECK(a > b * 2 && a < b * 4);
}

PV_DRIVER_TEST(sched_capped, "PVABI-SCH-006.1", PARTS(loop))
{
	struct child *c = child_make(0);

	CHECK_OK(OP(SCHED_CTL, SET_CAP, c->dom, 20));
	child_start(c);
	sleep_ms(100);
	u64 before = run_ns(c);

	sleep_ms(500);
	u64 ran = run_ns(c) - before;

	CHECK(ran > 50 * MS);
	CHECK(ran < 150 * MS);
	CHECK_OK(OP(SCHED_CTL, SET_CAP, c->dom, 0));
	sleep_ms(120);
	before = run_ns(c);
	sleep_ms(100);
	CHECK(run_ns(c) - before > 60 * MS);
}

PV_DRIVER_TEST(sched_pinned, "PVABI-SCH-007.1", PARTS(loop), .cpus = 2)
{
	for (u64 cpu = 0; cpu < 2; cpu++) {
		struct child *c = child_make(0);
		struct pv_runstate state;

		CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, c->dom, 1ull << cpu));
		child_start(c);
		for (u32 i = 0; i < 20; i++) {
			sleep_ms(2);
			CHECK_OK(OP(VCPU_CTL, STATUS, c->dom, 0));
			batch_get(&state, sizeof(state));
			CHECK_EQ(state.cpu, cpu);
		}
		CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, c->dom, 1ull << !cpu));
		sleep_ms(50);
		CHECK_OK(OP(VCPU_CTL, STATUS, c->dom, 0));
		batch_get(&state, sizeof(state));
		CHECK_EQ(state.cpu, !cpu);
		child_destroy(c);
	}
}

static void short_work(void)
{
	for (u32 i = 0; i < 10; i++) {
		(*(volatile u64 *)&share->word[0])++;
		sleep_ms(1);
	}
}

PV_DRIVER_TEST(sched_loop_harms_nobody, "PVABI-SCH-008.1 PVABI-DOM-012.1",
	       PARTS(loop, short_work))
{
	struct child *loops[3], *worker;

	for (u32 i = 0; i < 3; i++) {
		loops[i] = child_make(0);
		child_start(loops[i]);
	}
	worker = child_make(1);
	child_start(worker);
	child_expect_pass(worker);
	for (u32 i = 0; i < 3; i++)
		child_destroy(loops[i]);
}
