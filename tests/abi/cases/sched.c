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

PV_TEST(sched_of_itself, "PVABI-SCH-011.1")
{
	u64 me = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_ALL));
	struct pv_dom_status before, after;

	dom_status(PV_SELF, &before);
	CHECK_ERR(OP(SCHED_CTL, SET_WEIGHT, me, 65535), EPERM);
	CHECK_ERR(OP(SCHED_CTL, SET_WEIGHT, PV_SELF, 65535), EPERM);
	CHECK_ERR(OP(SCHED_CTL, SET_CAP, PV_SELF, 0), EPERM);
	CHECK_ERR(OP(SCHED_CTL, SET_AFFINITY, PV_SELF, 0), EPERM);
	CHECK_ERR(OP(SCHED_CTL, SET_WEIGHT, PV_SELF, 0), ERANGE);
	dom_status(PV_SELF, &after);
	CHECK_EQ(after.weight, before.weight);
	CHECK_EQ(after.cap, before.cap);
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

/* CPU time of two looping children on CPU 0 during 400 ms. */
struct race {
	struct child *a, *b;
	u64 a_ns, b_ns;
};

/* b runs another part; its weight is the usual one. */
static void race_start(struct race *r, u64 weight_a, u32 part_b)
{
	r->a = child_make(0);
	r->b = child_make(part_b);
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, r->a->dom, 1));
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, r->b->dom, 1));
	CHECK_OK(OP(SCHED_CTL, SET_WEIGHT, r->a->dom, weight_a));
	CHECK_OK(OP(SCHED_CTL, SET_WEIGHT, r->b->dom, 256));
	child_start(r->a);
	child_start(r->b);
	sleep_ms(20);
}

static void race_lap(struct race *r)
{
	u64 a = run_ns(r->a), b = run_ns(r->b);

	sleep_ms(400);
	r->a_ns = run_ns(r->a) - a;
	r->b_ns = run_ns(r->b) - b;
}

/*
 * A machine that is itself not always running may disturb a lap; then the next one counts. Where
 * instructions are the clock the first one does.
 */
#define LAPS 6

/* a runs part 0 and b the part given, both with the usual weight. */
static void expect_equal_shares(u32 part_b, int line, const char *what)
{
	struct race r;

	race_start(&r, 256, part_b);
	for (u32 lap = 0; lap < LAPS; lap++) {
		race_lap(&r);
		if (r.a_ns > 100 * MS && r.a_ns < r.b_ns * 5 / 4 && r.b_ns < r.a_ns * 5 / 4)
			return;
	}
	abi_fail(line, what, r.a_ns, r.b_ns);
}

PV_DRIVER_TEST(sched_fair, "PVABI-SCH-004.1", PARTS(loop))
{
	expect_equal_shares(0, __LINE__, "two loops of one weight get the same");
}

static void loop_on_all(void)
{
	for (u32 i = 1; i < 4; i++)
		vcpu_launch(i, loop);
	loop();
}

/* One vCPU against four: domains are equal, not vCPUs. */
PV_DRIVER_TEST(sched_fair_whatever_the_vcpus, "PVABI-SCH-009.1", PARTS(loop, loop_on_all), .vcpus = 4)
{
	expect_equal_shares(1, __LINE__, "one loop gets what four together get");
}

PV_DRIVER_TEST(sched_weighted, "PVABI-SCH-005.1", PARTS(loop))
{
	struct race r;

	race_start(&r, 768, 0);
	for (u32 lap = 0; lap < LAPS; lap++) {
		race_lap(&r);
		if (r.b_ns > 40 * MS && r.a_ns > r.b_ns * 2 && r.a_ns < r.b_ns * 4)
			return;
	}
	abi_fail(__LINE__, "three times the weight, three times the time", r.a_ns, r.b_ns);
}

PV_DRIVER_TEST(sched_capped, "PVABI-SCH-006.1", PARTS(loop))
{
	struct child *c = child_make(0);

	u64 ran = 0;

	CHECK_OK(OP(SCHED_CTL, SET_CAP, c->dom, 20));
	child_start(c);
	sleep_ms(100);
	for (u32 lap = 0; lap < LAPS && (ran < 50 * MS || ran > 150 * MS); lap++) {
		u64 before = run_ns(c);

		sleep_ms(500);
		ran = run_ns(c) - before;
	}
	CHECK(ran > 50 * MS);
	CHECK(ran < 150 * MS);
	CHECK_OK(OP(SCHED_CTL, SET_CAP, c->dom, 0));
	sleep_ms(120);
	ran = 0;
	for (u32 lap = 0; lap < LAPS && ran < 60 * MS; lap++) {
		u64 before = run_ns(c);

		sleep_ms(100);
		ran = run_ns(c) - before;
	}
	CHECK(ran > 60 * MS);
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
		for (u32 i = 0; i < 50 * PATIENCE && state.cpu == cpu; i++) {
			sleep_ms(2);
			CHECK_OK(OP(VCPU_CTL, STATUS, c->dom, 0));
			batch_get(&state, sizeof(state));
		}
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
