/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile.c - domains that mean harm, and many that come and go: the kernel lives, the others do
 * not notice, and what was taken comes back.
 */
#include <string.h>

#include "../lib/abitest.h"
#include "../lib/random.h"

#define FUZZ_CALLS 4000

/* An argument of the kind that finds mistakes: small, near a limit, an address, or noise. */
static u64 fuzz_argument(struct random *r)
{
	static const u64 special[] = {
		0, 1, 2, 3, 63, 64, 255, 511, 512, 513, 0xfff, 0x1000, 0x1001, 0x400, 0x400000,
		0x10000, 0x20000000, PV_MAX_GFN, PV_MAX_GFN + 1ull, 0x7fffffffffff, 0x800000000000,
		PV_HOLE_START, PV_HOLE_END, 0xffffffff80000000, 1ull << 63, ~0ull, ~0ull - 0xfff,
		0x10001, 0x10002, 0x10003, 1ull << 32, 0xffffffff,
	};
	u64 kind = random_below(r, 8);

	if (kind < 4)
		return special[random_below(r, sizeof(special) / sizeof(u64))];
	if (kind < 6)
		return random_below(r, 16);
	if (kind == 6)
		return free_gfn() + random_below(r, 64);
	return random_next(r);
}

/* Calls that end or block the caller, or hang a lone vCPU, are left to other cases. */
static bool fuzz_avoids(u64 nr, const u64 *a)
{
	switch (nr) {
	case PV_HC_CONSOLE_WRITE:
		return a[0] <= PV_CONSOLE_MAX; /* noise in the log helps nobody */
	case PV_HC_DOM_CTL:
		return a[0] == PV_DOM_CTL_SHUTDOWN;
	case PV_HC_VCPU_CTL:
		return a[0] == PV_VCPU_CTL_STOP;
	case PV_HC_WAIT:
		return true;
	case PV_HC_MEM_CTL:
		return a[0] == PV_MEM_CTL_RELEASE || a[0] == PV_MEM_CTL_COPY;
	case PV_HC_AS_MAP:
		return a[0] != PV_AS_MAP_MAP && a[2] < 0x20000000;
	case PV_HC_AS_LOAD_ROOT:
	case PV_HC_AS_CTL:
		return this_case->kind == PV_KIND_WALKED;
	case PV_HC_VCPU_SETUP:
		return true; /* would take the program's own pages away */
	case PV_HC_DEBUG_REG:
		return a[0] == PV_DEBUG_REG_WRITE && a[1] == 7;
	case PV_HC_SEG_CTL:
		return a[0] == PV_SEG_CTL_LOAD_GS;
	}
	return false;
}

static void fuzz(u64 seed, u32 calls)
{
	struct random r;

	random_seed(&r, seed);
	for (u32 i = 0; i < calls; i++) {
		u64 nr = random_below(&r, PV_HC_COUNT + 2), a[6];

		for (u32 j = 0; j < 6; j++)
			a[j] = fuzz_argument(&r);
		a[0] = random_below(&r, 4) ? random_below(&r, 8) : a[0];
		if (random_below(&r, 8) == 0)
			for (u32 j = 0; j < 256; j++)
				vcs0->batch[j] = (u8)random_next(&r);
		share->word[8] = i;
		if (!fuzz_avoids(nr, a))
			hc_call(nr, a);
	}
}

/* Everything goes, on two vCPUs at once, and no answer is wrong. */
static void fuzz_everything(u64 seed)
{
	struct random r;

	random_seed(&r, seed);
	for (;;) {
		u64 nr = random_below(&r, PV_HC_COUNT), a[6];

		for (u32 j = 0; j < 6; j++)
			a[j] = fuzz_argument(&r);
		a[0] = random_below(&r, 4) ? random_below(&r, 8) : a[0];
		if (random_below(&r, 3) == 0)
			a[1] = PV_SELF;
		bool ends = nr == PV_HC_DOM_CTL && a[0] == PV_DOM_CTL_SHUTDOWN;
		bool sleeps = nr == PV_HC_WAIT || nr == PV_HC_CONSOLE_WRITE ||
			      (nr == PV_HC_VCPU_CTL && a[0] == PV_VCPU_CTL_STOP);

		if (!ends && (!sleeps || random_below(&r, 200) == 0))
			hc_call(nr, a);
	}
}

static void second_fuzzer(void)
{
	fuzz_everything(share->word[0] * 1000);
}

static void fuzz_recklessly(void)
{
	vcpu_launch_bare(1, second_fuzzer);
	fuzz_everything(share->word[0]);
}

static void fuzz_alone(void)
{
	fuzz(share->word[0], FUZZ_CALLS);
}

static void fuzz_rounds(u32 rounds)
{
	for (u64 seed = 1; seed <= rounds; seed++) {
		struct child *c = child_make(0);

		c->share->word[0] = seed + abi_seed();
		child_start(c);
		child_expect_pass(c);
		child_destroy(c);
	}
}

PV_DRIVER_TEST(fuzz_unprivileged, "PVABI-HOS-001.1", PARTS(fuzz_alone), .noise = true, .vcpus = 2, .budget_ms = 20000)
{
	fuzz_rounds(6);
}

PV_DRIVER_TEST(fuzz_walked, "PVABI-HOS-001.1", PARTS(fuzz_alone), .noise = true, .kind = PV_KIND_WALKED, .vcpus = 2,
	       .budget_ms = 20000)
{
	fuzz_rounds(6);
}

/* Two frames of the driver that hold nothing. */
static u64 spare_frames(void)
{
	return (start->heap_start >> PV_PAGE_SHIFT) + 32;
}

static void reckless_rounds(u64 seed, u32 kind)
{
	struct abi_case opt = *this_case;
	struct pv_dom_status s;

	opt.kind = kind;
	for (u32 i = 0; i < 15; i++) {
		u64 sibling = empty_domain(64, 96);
		struct child *c = child_make_opt(0, &opt);
		u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, spare_frames(), 2, GRANT_RW));
		u64 end = clock_ns() + 40 * MS;

		child_give(c, sibling, PV_RIGHT_DOM_ALL);
		child_give(c, grant, GRANT_RW);
		c->share->word[0] = seed + i + abi_seed();
		child_start(c);
		do {
			HC(WAIT, 0, end);
			child_status(c, &s);
		} while (s.state != PV_DOM_SHUTDOWN && clock_ns() < end);
		child_destroy(c);
		i64 gone = dom_destroy(sibling);

		CHECK(gone == 0 || gone == -PV_EDEAD);
		if (gone)
			OP(CAP_CTL, DROP, sibling);
		CHECK_OK(revoke(grant));
	}
}

PV_DRIVER_TEST(fuzz_two_vcpus, "PVABI-HOS-002.1 PVABI-HOS-001.1", PARTS(fuzz_recklessly), .noise = true, .vcpus = 3)
{
	reckless_rounds(1, PV_KIND_EXPLICIT);
}

PV_DRIVER_TEST(fuzz_two_vcpus_walked, "PVABI-HOS-002.1 PVABI-HOS-001.1", PARTS(fuzz_recklessly), .noise = true,
	       .vcpus = 3)
{
	reckless_rounds(10000, PV_KIND_WALKED);
}

/* A child with a grant, a port and every right on a sibling. */
PV_DRIVER_TEST(fuzz_with_capabilities, "PVABI-HOS-002.1", PARTS(fuzz_alone), .noise = true, .budget_ms = 20000)
{
	for (u64 seed = 100; seed < 106; seed++) {
		u64 sibling = empty_domain(64, 96);
		struct child *c = child_make(0);
		u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, spare_frames(), 2, GRANT_RO));
		u64 mine = TRY(OP(PORT_CTL, ALLOC, 0, sibling));
		u64 its = TRY(OP(PORT_CTL, ALLOC, 0, c->dom));

		CHECK_OK(OP(PORT_CTL, CONNECT, mine, sibling, c->dom, its));
		child_give(c, sibling, PV_RIGHT_DOM_ALL);
		child_give(c, grant, GRANT_RO);
		c->share->word[0] = seed + abi_seed();
		child_start(c);
		child_expect_pass(c);
		child_destroy(c);
		i64 gone = dom_destroy(sibling); /* the child may have been faster */

		CHECK(gone == 0 || gone == -PV_EDEAD);
		if (gone)
			OP(CAP_CTL, DROP, sibling);
		CHECK_OK(revoke(grant));
	}
}

/* ---- exhaustion beside a neighbour ---- */

static void eat_memory(void)
{
	u64 gfn = free_gfn(), n = 0;

	while (OP(MEM_CTL, POPULATE, PV_SELF, gfn + n, 1) == 1)
		n++;
	CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, gfn + n, 1), ENOMEM);
	share->word[0] = 1;
	CHECK(wait_for(&share->word[1], 1, 1500));
}

static void need_memory(void)
{
	populate(PV_SELF, free_gfn(), 32);
}

PV_DRIVER_TEST(memory_eater, "PVABI-HOS-003.1", PARTS(eat_memory, need_memory), .budget_ms = 4000)
{
	struct child *a = child_make(0), *b = child_make(1);

	child_start(a);
	CHECK(wait_for(&a->share->word[0], 1, 1500));
	child_start(b);
	child_expect_pass(b);
	a->share->word[1] = 1;
	child_expect_pass(a);
}

static void garbage_vcs(void)
{
	struct random r;

	random_seed(&r, share->word[0]);
	for (u32 i = 0; i < 2000; i++) {
		u64 *words = (u64 *)vcs0;

		for (u32 j = 0; j < 40; j++)
			if (random_below(&r, 2))
				words[j] = fuzz_argument(&r);
		switch (random_below(&r, 4)) {
		case 0:
			HC(IRQ_WIN);
			break;
		case 1:
			HC(SEND_IPI, 1, 0x44);
			break;
		case 2:
			HC(TIMER_SET, 1);
			break;
		default:
			HC(WAIT, PV_WAIT_ENABLE, 1);
		}
	}
}

PV_DRIVER_TEST(vcs_of_garbage, "PVABI-HOS-005.1", PARTS(garbage_vcs), .noise = true, .budget_ms = 10000)
{
	for (u64 seed = 1; seed <= 8; seed++) {
		struct child *c = child_make(0);
		struct pv_dom_status s;

		c->share->word[0] = seed + abi_seed();
		child_start(c);
		CHECK(child_wait(c, 5000, &s));
		child_destroy(c);
	}
}

/* ---- a storm of events ---- */

/* word[0]: a port to the other one; word[1]: rounds, word[2]: interrupts taken. */
static void flood(void)
{
	events_on(0);
	for (;;) {
		HC(PORT_SEND, share->word[0]);
		HC(SEND_IPI, 1, 0x40 + share->word[1] % 64);
		HC(TIMER_SET, 1);
		irq_enable(vcs0);
		share->word[1]++;
		share->word[2] = abi_cpus[0].irqs;
	}
}

static void count_for_ever(void);

PV_DRIVER_TEST(flood_between_two, "PVABI-HOS-008.1", PARTS(flood, count_for_ever), .budget_ms = 10000)
{
	struct child *a = child_make(0), *b = child_make(0), *third = child_make(1);
	struct child *all[] = { a, b, third };
	u64 pa = TRY(OP(PORT_CTL, ALLOC, 0, a->dom)), pb = TRY(OP(PORT_CTL, ALLOC, 0, b->dom));
	struct pv_dom_status before, after;
	u64 begin, elapsed;

	CHECK_OK(OP(PORT_CTL, CONNECT, pa, a->dom, b->dom, pb));
	a->share->word[0] = pa;
	b->share->word[0] = pb;
	for (u32 i = 0; i < 3; i++) {
		CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, all[i]->dom, 1)); /* one CPU for all */
		child_start(all[i]);
	}
	sleep_ms(20);
	child_status(third, &before);
	begin = clock_ns();
	sleep_ms(120);
	child_status(third, &after);
	elapsed = clock_ns() - begin;
	CHECK(after.run_ns - before.run_ns > elapsed / 3 * 3 / 4);
	for (u32 i = 0; i < 2; i++) {
		CHECK_EQ(all[i]->share->verdict, VERDICT_NONE);
		CHECK(all[i]->share->word[1] > 100);
		CHECK(all[i]->share->word[2] > 100);
	}
}

/* ---- coming and going ---- */

static void say_hello(void)
{
	share->word[0] = 0x600d;
}

PV_DRIVER_TEST(thousand_lives, "PVABI-LIF-001.1 PVABI-DOM-019.1", PARTS(say_hello),
	       .budget_ms = 60000)
{
	for (u32 i = 0; i < 1000; i++) {
		struct child *c = child_make(0);

		child_start(c);
		child_expect_pass(c);
		CHECK_EQ(c->share->word[0], 0x600d);
		child_destroy(c);
	}
}

static void steady_worker(void)
{
	for (u64 i = 0; i < 200; i++) {
		HC(WAIT, 0, clock_ns() + MS / 5);
		share->word[0] = i;
	}
}

static void count_for_ever(void)
{
	for (;;)
		(*(volatile u64 *)&share->word[0])++;
}

PV_DRIVER_TEST(restless_life, "PVABI-HOS-006.1", PARTS(steady_worker, count_for_ever),
	       .budget_ms = 10000)
{
	struct child *worker = child_make(0);
	struct random r;

	random_seed(&r, 42);
	child_start(worker);
	for (u32 i = 0; i < 30; i++) {
		struct child *c = child_make(1);
		u32 paused = 0;

		if (random_below(&r, 4))
			child_start(c);
		for (u32 j = 0; j < random_below(&r, 10); j++) {
			if (random_below(&r, 2) || !paused) {
				CHECK_OK(OP(DOM_CTL, PAUSE, c->dom));
				paused++;
			} else {
				CHECK_OK(OP(DOM_CTL, UNPAUSE, c->dom));
				paused--;
			}
			if (random_below(&r, 3) == 0)
				HC(WAIT, 0, clock_ns() + MS / 10);
		}
		child_destroy(c);
	}
	child_expect_pass(worker);
}
