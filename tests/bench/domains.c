// SPDX-License-Identifier: BSD-2-Clause
/*
 * domains.c - what the kernel's own operations cost, without Linux: the null hypercall and an event
 * round trip between two domains. Runs in the frame of the ABI suite's driver; the numbers go to
 * the kernel log as `BENCH name value`, read by run.py.
 */
#include "abitest.h"

#define CALLS 1000
#define ROUNDS 200

/* HC() notes each call for the suite's record, which is not what is measured here. */
#define CALL(name, ...) hc_call(PV_HC_##name, (const u64[6]){ __VA_ARGS__ })

static u64 ticks(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (u64)hi << 32 | lo;
}

static void report(const char *name, u64 total, u64 count)
{
	u64 tenths = total * 10 / count;

	abi_note("BENCH %s %llu.%llu", name, (unsigned long long)(tenths / 10),
		 (unsigned long long)(tenths % 10));
}

PV_TEST(null_hypercall, "PVABI-INFO-001.1")
{
	u64 start_ticks;

	for (u32 warm = 0; warm < 10; warm++)
		TRY(CALL(INFO, PV_INFO_VERSION, 0));
	start_ticks = ticks();
	for (u32 i = 0; i < CALLS; i++)
		CALL(INFO, PV_INFO_VERSION, 0);
	report("null_hypercall", ticks() - start_ticks, CALLS);
}

/* Waits, without taking deliveries, until the one connected port is pending; takes it back. */
static void take_port(u64 port)
{
	for (;;) {
		u64 bit = 1ull << port % 64;

		if (__atomic_fetch_and(&port_page->pending[port / 64], ~bit, __ATOMIC_SEQ_CST) & bit)
			break;
		CALL(WAIT, 0, PV_FOREVER);
		__atomic_store_n(&vcs0->pend[0], 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&vcs0->port_sel, 0, __ATOMIC_SEQ_CST);
	}
}

static void answer(void)
{
	for (u64 i = 0; i < ROUNDS + 10; i++) {
		take_port(share->word[0]);
		TRY(CALL(PORT_SEND, share->word[0]));
	}
}

static void ask(void)
{
	u64 start_ticks = 0;

	for (u64 i = 0; i < ROUNDS + 10; i++) {
		if (i == 10)
			start_ticks = ticks();
		TRY(CALL(PORT_SEND, share->word[0]));
		take_port(share->word[0]);
	}
	report("event_round_trip", ticks() - start_ticks, ROUNDS);
}

PV_DRIVER_TEST(event_round_trip, "PVABI-SND-005.1", PARTS(answer, ask))
{
	struct child *a = child_make(0), *b = child_make(1);
	u64 pa = TRY(OP(PORT_CTL, ALLOC, 0, a->dom)), pb = TRY(OP(PORT_CTL, ALLOC, 0, b->dom));

	CHECK_OK(OP(PORT_CTL, CONNECT, pa, a->dom, b->dom, pb));
	a->share->word[0] = pa;
	b->share->word[0] = pb;
	child_start(a);
	child_start(b);
	child_expect_pass(b);
	child_expect_pass(a);
}
