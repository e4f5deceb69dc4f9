/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * race_life.c - vCPUs and domains that end, stop and start while others deal with them: destroying
 * against running, and hotplug against interrupts.
 */
#include <string.h>

#include "../lib/abitest.h"
#include "../lib/pagetable.h"
#include "../lib/turns.h"

/* ---- destroy against run ---- */

#define LIVES 8u
#define SCRIBBLE 0xbadbadbad0000000ull
#define CANARY_PAGES 48u

/* Everything a domain can be in the middle of. word[1]: seed; word[2]: a port to the driver;
 * word[3]: a grant; word[4 + vCPU]: rounds. */
static void live_wildly(void)
{
	u64 vcpu = this_abi_cpu()->vcs->vcpu, gfn = free_gfn() + 16 * vcpu;
	bool walked = this_case->kind == PV_KIND_WALKED;
	u64 va = walked ? gfn << 12 : 0x20000000ull + 0x400000 * vcpu;
	struct random r;

	random_seed(&r, share->word[1] * 10 + vcpu);
	irq_enable(this_abi_cpu()->vcs);
	for (;;) {
		u64 n = 1 + random_below(&r, 8);

		switch (random_below(&r, 9)) {
		case 0:
			OP(MEM_CTL, POPULATE, PV_SELF, gfn, n);
			break;
		case 1:
			OP(MEM_CTL, RELEASE, PV_SELF, gfn, n);
			break;
		case 2:
			if (!walked)
				OP(AS_MAP, MAP, PV_SELF, va, gfn, n, RW);
			break;
		case 3:
			if (!walked)
				OP(AS_MAP, UNMAP, PV_SELF, va, 0, n);
			break;
		case 4:
			HC(SEND_IPI, 7, 0x40 + vcpu);
			break;
		case 5:
			HC(PORT_SEND, share->word[2]);
			HC(TIMER_SET, 1);
			break;
		case 6:
			OP(GRANT_CTL, MAP, share->word[3], free_gfn() + 128 + 8 * vcpu, 2, 1);
			OP(GRANT_CTL, UNMAP, 0, free_gfn() + 128 + 8 * vcpu, 2);
			break;
		case 7:
			OP(VCPU_CTL, KICK, PV_SELF, random_below(&r, 3));
			OP(VCPU_CTL, YIELD, PV_SELF);
			break;
		default:
			for (u64 i = 0; i < n; i++)
				try_write(va + i * PAGE_BYTES, SCRIBBLE | vcpu);
		}
		__atomic_fetch_add(&share->word[4 + vcpu], 1, __ATOMIC_RELAXED);
		some_turns(&r);
	}
}

/* A third domain sends to whoever lives: word[20] is its port to it, 0: none. It holds pointers into the
 * dying one when nobody else does. */
static void send_to_the_living(void)
{
	struct random r;

	random_seed(&r, share->word[1]);
	for (;;) {
		u64 port = load_acquire(&share->word[20]);

		if (!port) {
			rest();
		} else if (HC(PORT_SEND, port) == -PV_EDEAD) {
			store_release(&share->word[20], 0);
			CHECK_OK(OP(PORT_CTL, CLOSE, port));
		}
		share->word[21]++;
		some_turns(&r);
	}
}

static struct child *sender;

static void make_sender(void)
{
	sender = child_make(1);
	sender->share->word[1] = abi_seed();
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, sender->dom, 2));
	child_start(sender);
}

/* A fresh port of it to this one. */
static void let_it_send_to(const struct child *c)
{
	u64 from = TRY(OP(PORT_CTL, ALLOC, 0, sender->dom)), to = TRY(OP(PORT_CTL, ALLOC, 0, c->dom));

	CHECK_OK(OP(PORT_CTL, CONNECT, from, sender->dom, c->dom, to));
	store_release(&sender->share->word[20], from);
}

static void live(void)
{
	events_on(0);
	for (u32 i = 1; i < 3; i++)
		vcpu_launch(i, live_wildly);
	live_wildly();
}

/* Fresh frames, most likely those of the dead: nobody else stores to them. */
static void check_frames(struct random *r)
{
	u64 gfn = DRIVER_WINDOW_GFN + 300, va = gfn << PV_PAGE_SHIFT;

	populate(PV_SELF, gfn, CANARY_PAGES);
	map(PV_SELF, va, gfn, CANARY_PAGES, RW);
	for (u32 k = 0; k < 2; k++) {
		for (u64 i = 0; i < CANARY_PAGES * 512; i++)
			CHECK_EQ(((volatile u64 *)va)[i], 0);
		pause_for(1ull << random_below(r, 6));
		OP(VCPU_CTL, YIELD, PV_SELF);
	}
	unmap(PV_SELF, va, CANARY_PAGES);
	release(PV_SELF, gfn, CANARY_PAGES);
}

static u64 rounds_of(const struct child *c)
{
	return load_acquire(&c->share->word[4]) + load_acquire(&c->share->word[5]) +
	       load_acquire(&c->share->word[6]);
}

/* One life: begun, busy with all its vCPUs, and ended in the middle of it. */
static u64 one_life(struct random *r, u64 seed)
{
	void *frames = (void *)((start->heap_start + 64 * PAGE_BYTES) & ~(PAGE_BYTES - 1));
	struct child *c = child_make(0);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn_of(frames), 2, GRANT_RW));
	u64 mine = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
	u64 its = TRY(OP(PORT_CTL, ALLOC, 0, c->dom)), busy;

	CHECK_OK(OP(PORT_CTL, CONNECT, mine, PV_SELF, c->dom, its));
	c->share->word[1] = seed;
	c->share->word[2] = its;
	if (seed & 1) /* apart from the driver, which then need not wait for a slice to end */
		CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, c->dom, 2));
	c->share->word[3] = child_give(c, grant, GRANT_RW);
	child_start(c);
	let_it_send_to(c);
	for (u64 end = clock_ns() + 300 * MS; clock_ns() < end;) {
		if (rounds_of(c) > 10 + random_below(r, 40))
			break;
		rest();
	}
	busy = rounds_of(c);
	if (random_below(r, 3) == 0) {
		CHECK_OK(OP(DOM_CTL, PAUSE, c->dom));
		if (random_below(r, 2))
			CHECK_OK(OP(DOM_CTL, UNPAUSE, c->dom));
	}
	if (random_below(r, 3) == 0)
		CHECK_OK(revoke(grant)); /* half of the time while it is being mapped */
	pause_for(1ull << random_below(r, 8));
	if (c->share->verdict == VERDICT_FAIL)
		child_expect_pass(c);
	child_destroy(c);
	CHECK_EQ(OP(PORT_CTL, STATUS, mine) & 0xff, PV_PORT_CLOSED_PEER);
	CHECK_OK(OP(PORT_CTL, CLOSE, mine));
	__atomic_fetch_and(&vcs0->pend[0], ~(1ull << PV_VEC_PORTS), __ATOMIC_SEQ_CST);
	revoke(grant);
	check_frames(r);
	return busy;
}

static void destroy_against_run(void)
{
	u64 busy = 0;
	struct random r;

	random_seed(&r, abi_seed());
	make_sender();
	for (u32 i = 0; i < LIVES; i++)
		busy += one_life(&r, abi_seed() * LIVES + i);
	if (sender->share->verdict == VERDICT_FAIL)
		child_expect_pass(sender);
	abi_note("%u lives, %llu rounds, %llu sends to them", LIVES, (unsigned long long)busy,
		 (unsigned long long)sender->share->word[21]);
	CHECK(busy > LIVES * 10);
}

PV_DRIVER_TEST(race_destroy_run, "PVABI-RAC-003.1", PARTS(live, send_to_the_living), .vcpus = 3, .cpus = 2, .extra = 128,
	       .budget_ms = 20000)
{
	destroy_against_run();
}

PV_DRIVER_TEST(race_destroy_run_walked, "PVABI-RAC-003.1", PARTS(live, send_to_the_living), .vcpus = 3, .cpus = 2, .extra = 128,
	       .kind = PV_KIND_WALKED, .budget_ms = 20000)
{
	destroy_against_run();
}

/* ---- hotplug against interrupts ---- */

#define PLUGS 250u
#define VECTOR 0x55
#define OTHER_VECTOR 0x56

static volatile u64 sent[2], seen[2]; /* by sender: the number of the last interrupt */
static volatile u64 heartbeat, kicks_sent, kicks_seen, storm, quit, helper_done, sleeps;

/* vCPU 1: sleeps until something comes, says what it has seen. Interrupts are taken by abi_event(),
 * with the counters read behind it, so what was sent before the interrupt is seen after it. */
static void sleep_and_see(void)
{
	struct abi_cpu *cpu = this_abi_cpu();
	u64 taken[2] = { 0, 0 };
	struct random r;

	random_seed(&r, share->word[1] * 10 + 1);
	while (!load_acquire(&quit)) {
		u64 kicks = load_acquire(&kicks_sent);

		for (u32 i = 0; i < 2; i++) {
			u64 count = load_acquire(&cpu->vectors[VECTOR + i]);

			if (count == taken[i])
				continue;
			taken[i] = count;
			store_release(&seen[i], load_acquire(&sent[i]));
		}
		store_release(&kicks_seen, kicks);
		heartbeat++;
		some_turns(&r);
		sleeps++;
		/* IF goes on in the same step as it falls asleep: nothing comes in between. */
		__atomic_fetch_and(&cpu->vcs->flags, ~(u64)PV_VCS_IF, __ATOMIC_SEQ_CST);
		if (load_acquire(&cpu->vectors[VECTOR]) == taken[0] &&
		    load_acquire(&cpu->vectors[OTHER_VECTOR]) == taken[1])
			HC(WAIT, PV_WAIT_ENABLE, PV_FOREVER);
		irq_enable(cpu->vcs);
	}
}

/* What vCPU 1 must come to see: the last number, after a stop or not. */
static void send(u32 i)
{
	__atomic_fetch_add(&sent[i], 1, __ATOMIC_SEQ_CST);
	CHECK_OK(HC(SEND_IPI, 2, VECTOR + i));
}

static bool arrives(volatile u64 *word, u64 value)
{
	u64 end = clock_ns() + 1500 * MS * PATIENCE;

	while (load_acquire(word) < value) {
		if (clock_ns() > end)
			return false;
		rest();
	}
	return true;
}

/* vCPU 2: sends on its own while there is a storm; between storms nobody covers up a lost wake-up. */
static void send_on(void)
{
	struct random r;

	random_seed(&r, share->word[1] * 10 + 2);
	while (!load_acquire(&quit)) {
		if (load_acquire(&storm))
			send(1);
		else
			rest();
		some_turns(&r);
	}
	store_release(&helper_done, 1);
}

static void stays_still(struct random *r)
{
	u64 beat = load_acquire(&heartbeat), irqs = load_acquire(&abi_cpus[1].irqs);

	for (u32 k = 0; k < 4; k++) {
		pause_for(1ull << random_below(r, 6));
		OP(VCPU_CTL, YIELD, PV_SELF);
	}
	CHECK_EQ(load_acquire(&heartbeat), beat);
	CHECK_EQ(load_acquire(&abi_cpus[1].irqs), irqs);
}

static void plug(struct random *r)
{
	CHECK_OK(OP(VCPU_CTL, STOP, PV_SELF, 1));
	stays_still(r);
	if (random_below(r, 2))
		send(0);
	stays_still(r);
	CHECK_OK(OP(VCPU_CTL, START, PV_SELF, 1));
}

static void kick(void)
{
	__atomic_fetch_add(&kicks_sent, 1, __ATOMIC_SEQ_CST);
	CHECK_OK(OP(VCPU_CTL, KICK, PV_SELF, 1));
	if (!arrives(&kicks_seen, kicks_sent))
		abi_fail(__LINE__, "a kick was lost", kicks_seen, kicks_sent);
}

static void hotplug_against_interrupts(void)
{
	struct random r;

	random_seed(&r, share->word[1]);
	events_on(0);
	vcpu_launch(1, sleep_and_see);
	vcpu_launch(2, send_on);
	for (u32 i = 0; i < PLUGS; i++) {
		store_release(&storm, random_below(&r, 3) == 0);
		some_turns(&r);
		switch (random_below(&r, 4)) {
		case 0:
			kick();
			break;
		case 1:
			send(0);
			break;
		default:
			plug(&r);
		}
		if (random_below(&r, 2) && !arrives(&seen[0], sent[0]))
			abi_fail(__LINE__, "an interrupt was lost", seen[0], sent[0]);
	}
	store_release(&quit, 1);
	CHECK(wait_for(&helper_done, 1, 1500));
	share->word[8] = sleeps;
	share->word[9] = abi_cpus[1].irqs;
}

PV_DRIVER_TEST(race_hotplug_ipi, "PVABI-RAC-004.1", PARTS(hotplug_against_interrupts), .vcpus = 3,
	       .budget_ms = 60000)
{
	struct child *c = child_make(0);

	c->share->word[1] = abi_seed();
	child_start(c);
	child_expect_pass(c);
	abi_note("%llu sleeps, %llu deliveries", (unsigned long long)c->share->word[8],
		 (unsigned long long)c->share->word[9]);
	CHECK(c->share->word[9] > 10);
}
