/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * latency.c - how long a domain that waits for an interrupt is kept from its first instruction by another one that
 * makes the longest calls there are. The case tells; maxima.py judges, where instructions are the clock.
 */
#include "../lib/abitest.h"
#include "../lib/random.h"

#define WAKES 400u
#define WARM_UP 40u

/* word[0]: the longest from a deadline to the instruction behind WAIT; word[1]: wakes. */
static void wake_up(void)
{
	struct random r;

	random_seed(&r, 7);
	for (u32 i = 0; i < WAKES; i++) {
		u64 deadline = clock_ns() + 200000 + random_below(&r, 50000), late;

		while (HC(WAIT, 0, deadline) == 0)
			;
		late = clock_ns() - deadline;
		if (i >= WARM_UP && late > share->word[0])
			share->word[0] = late;
		share->word[1]++;
	}
}

static void call_for_long(void)
{
	u64 gfn = free_gfn(), va = 0x20000000;

	for (;;) {
		OP(MEM_CTL, POPULATE, PV_SELF, gfn, 512);
		OP(AS_MAP, MAP, PV_SELF, va, gfn, 512, RW);
		OP(MEM_CTL, COPY, PV_SELF, gfn, 512, gfn);
		OP(AS_MAP, PROTECT, PV_SELF, va, 0, 512, PV_PROT_READ);
		OP(AS_MAP, UNMAP, PV_SELF, va, 0, 512);
		OP(MEM_CTL, RELEASE, PV_SELF, gfn, 512);
		OP(VCPU_CTL, STATUS, PV_SELF, 0);
	}
}

PV_DRIVER_TEST(wake_beside_long_calls, "PVABI-SCH-010.1", PARTS(wake_up, call_for_long), .extra = 600, .kmem = 160,
	       .budget_ms = 20000)
{
	struct child *sleeper = child_make(0), *noise = child_make(1);

	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, sleeper->dom, 1));
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, noise->dom, 1));
	child_start(noise);
	child_start(sleeper);
	child_expect_pass(sleeper);
	CHECK_EQ(sleeper->share->word[1], WAKES);
	abi_note("insns interrupt-to-domain=%llu", (unsigned long long)sleeper->share->word[0]);
}
