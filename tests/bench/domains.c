// SPDX-License-Identifier: BSD-2-Clause
/*
 * domains.c - what the kernel's own operations cost, without Linux: the null hypercall, sending an event, a switch
 * between two domains. Runs in the frame of the ABI suite's driver; markers bracket the operations, as in bench.c,
 * and which marker is which goes to the kernel log, read by run.py. On one CPU everything but sending to a
 * domain that runs meanwhile, which is measured on two.
 */
#include "abitest.h"
#include "mark.h"

#define CALLS 1000
#define ROUNDS 200
#define WARM 10
#define CPU_0 1ull
#define CPU_1 2ull

/* HC() notes each call for the suite's record, which is not what is measured here. */
#define CALL(name, ...) hc_call(PV_HC_##name, (const u64[6]){ __VA_ARGS__ })

/* Markers of bench.c and of this file are told apart by what was booted. */
enum { NULL_HYPERCALL = 1, SEND_PENDING, SEND_RUNNING, EVENT_ROUND, YIELD_ROUND };

static void tell(u32 id, const char *name, u64 count)
{
	abi_note("BENCH-ID %u %s %llu", id, name, (unsigned long long)count);
}

PV_TEST(null_hypercall, "PVABI-INFO-001.1")
{
	for (u32 warm = 0; warm < WARM; warm++)
		TRY(CALL(INFO, PV_INFO_VERSION, 0));
	START(1);
	for (u32 i = 0; i < CALLS; i++)
		CALL(INFO, PV_INFO_VERSION, 0);
	END(1);
	tell(NULL_HYPERCALL, "null_hypercall", CALLS);
}

static bool port_take(u64 port)
{
	u64 bit = 1ull << port % 64;

	return (__atomic_fetch_and(&port_page->pending[port / 64], ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

static void forget_delivery(void)
{
	__atomic_store_n(&vcs0->pend[0], 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcs0->port_sel, 0, __ATOMIC_SEQ_CST);
}

/* Waits, without taking deliveries, until the one connected port is pending; takes it back. */
static void await_port(u64 port)
{
	while (!port_take(port)) {
		CALL(WAIT, 0, PV_FOREVER);
		forget_delivery();
	}
}

/* The same, running. */
static void spin_port(u64 port)
{
	while (!port_take(port))
		__asm__ volatile("pause" ::: "memory");
	forget_delivery();
}

static void pair_run(u64 cpus_a, u64 cpus_b)
{
	struct child *a = child_make(0), *b = child_make(1);
	u64 pa = TRY(OP(PORT_CTL, ALLOC, 0, a->dom)), pb = TRY(OP(PORT_CTL, ALLOC, 0, b->dom));

	CHECK_OK(OP(PORT_CTL, CONNECT, pa, a->dom, b->dom, pb));
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, a->dom, cpus_a));
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, b->dom, cpus_b));
	a->share->word[0] = pa;
	b->share->word[0] = pb;
	child_start(a);
	child_start(b);
	child_expect_pass(b);
	child_expect_pass(a);
}

/* ---- send, block, switch, both ways ---- */

static void answer(void)
{
	for (u64 i = 0; i < ROUNDS + WARM; i++) {
		await_port(share->word[0]);
		TRY(CALL(PORT_SEND, share->word[0]));
	}
}

static void ask(void)
{
	for (u64 i = 0; i < ROUNDS + WARM; i++) {
		if (i == WARM)
			START(4);
		TRY(CALL(PORT_SEND, share->word[0]));
		await_port(share->word[0]);
	}
	END(4);
	tell(EVENT_ROUND, "event_round_trip", ROUNDS);
}

PV_DRIVER_TEST(event_round_trip, "PVABI-SND-005.1", PARTS(answer, ask))
{
	pair_run(0, 0);
}

/* ---- two domains that do nothing but yield: each round is two switches ---- */

static void yield(void)
{
	CALL(VCPU_CTL, PV_VCPU_CTL_YIELD, PV_SELF);
}

static void yield_back(void)
{
	while (!port_take(share->word[0]))
		yield();
}

static void yield_and_count(void)
{
	for (u64 i = 0; i < ROUNDS + WARM; i++) {
		if (i == WARM)
			START(5);
		yield();
	}
	END(5);
	TRY(CALL(PORT_SEND, share->word[0]));
	tell(YIELD_ROUND, "domain_switch_x2", ROUNDS);
}

PV_DRIVER_TEST(yield_round_trip, "PVABI-VCP-007.1", PARTS(yield_back, yield_and_count))
{
	pair_run(0, 0);
}

/* ---- sending to a domain that has not looked since ---- */

static void look_later(void)
{
	sleep_ms(20);
	await_port(share->word[0]);
}

static void send_pending(void)
{
	TRY(CALL(PORT_SEND, share->word[0]));
	START(2);
	for (u64 i = 0; i < CALLS; i++)
		CALL(PORT_SEND, share->word[0]);
	END(2);
	tell(SEND_PENDING, "send_pending", CALLS);
}

PV_DRIVER_TEST(send_pending_event, "PVABI-SND-005.1", PARTS(look_later, send_pending))
{
	pair_run(0, 0);
}

/* ---- sending to a domain that runs on another CPU and takes each ---- */

static void spin_and_answer(void)
{
	for (u64 i = 0; i < ROUNDS; i++) {
		spin_port(share->word[0]);
		TRY(CALL(PORT_SEND, share->word[0]));
	}
}

static void send_running(void)
{
	for (u64 i = 0; i < ROUNDS; i++) {
		START(3);
		CALL(PORT_SEND, share->word[0]);
		END(3);
		spin_port(share->word[0]);
	}
	tell(SEND_RUNNING, "send_running", 1);
}

PV_DRIVER_TEST(send_running_event, "PVABI-SND-005.1", PARTS(spin_and_answer, send_running))
{
	pair_run(CPU_1, CPU_0);
}

/* ---- four domains of different weights that want one CPU, for a second ---- */

#define SHARERS 4
#define PERIOD_NS (SHARERS * 5000000ull) /* a slice of 5 ms for each */
#define PERIODS_MAX 4

/* Looks at the clock all the time: a gap is a wait. */
static void want_cpu(void)
{
	u64 last, now, longest = 0;

	while (!__atomic_load_n(&share->word[0], __ATOMIC_ACQUIRE))
		__asm__ volatile("pause" ::: "memory");
	for (last = clock_ns(); !__atomic_load_n(&share->word[1], __ATOMIC_ACQUIRE); last = now) {
		now = clock_ns();
		if (now - last > longest)
			longest = now - last;
	}
	share->word[2] = longest;
}

static void read_run_times(struct child *const *c, u64 *run_ns)
{
	struct pv_dom_status status;

	for (u32 i = 0; i < SHARERS; i++) {
		child_status(c[i], &status);
		run_ns[i] = status.run_ns;
	}
}

static void tell_all(struct child *const *c, u32 word)
{
	for (u32 i = 0; i < SHARERS; i++)
		__atomic_store_n(&c[i]->share->word[word], 1, __ATOMIC_RELEASE);
}

PV_DRIVER_TEST(fair_shares, "PVABI-SCH-004.1", PARTS(want_cpu))
{
	static const u64 weights[SHARERS] = { 128, 256, 384, 512 };
	u64 before[SHARERS], after[SHARERS], ran = 0, weight = 0;
	struct child *c[SHARERS];

	for (u32 i = 0; i < SHARERS; i++) {
		c[i] = child_make(0);
		CHECK_OK(OP(SCHED_CTL, SET_WEIGHT, c[i]->dom, weights[i]));
		weight += weights[i];
	}
	for (u32 i = 0; i < SHARERS; i++)
		child_start(c[i]);
	sleep_ms(100);
	tell_all(c, 0);
	read_run_times(c, before);
	sleep_ms(1000);
	read_run_times(c, after);
	tell_all(c, 1);
	for (u32 i = 0; i < SHARERS; i++) {
		child_expect_pass(c[i]);
		ran += after[i] - before[i];
	}
	for (u32 i = 0; i < SHARERS; i++) {
		u64 is = (after[i] - before[i]) * 10000 / ran, ought = weights[i] * 10000 / weight;
		u64 waited = c[i]->share->word[2];

		abi_note("SHARE weight %llu share %llu of %llu longest_wait_us %llu", (unsigned long long)weights[i],
			 (unsigned long long)is, (unsigned long long)ought, (unsigned long long)(waited / 1000));
		CHECK(is * 100 >= ought * 98 && is * 100 <= ought * 102);
		CHECK(waited <= PERIODS_MAX * PERIOD_NS);
	}
}
