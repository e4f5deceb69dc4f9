// SPDX-License-Identifier: BSD-2-Clause
/*
 * driver.c - one attacker after another beside one victim. A life: an attacker of the next seed is made, given
 * something to attack, watched until it ends or has lived long enough, and destroyed. Then the levels must be those
 * of before, the victim must have noticed nothing, and it must go on working.
 *
 * Boot parameters: evil.seed=N the first seed; evil.calls=N hypercalls in all; evil.life=N milliseconds that a life
 * may last, for a machine where the clock of the build machine counts; evil.plant=change does in the third life,
 * evil.plant=leak from then on what the attacker must not be able to do, so that somebody must notice; with
 * evil.plant=vm86 the third attacker does what ends an emulated machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../abi/lib/driver.h"
#include "../../abi/lib/select.h"
#include "../../abi/lib/turns.h"
#include "evil.h"

#define STEPS 6000u
#define LIFE_MS 60u
#define TOLD 16u /* lives */
#define LOG_GFN (DRIVER_WINDOW_GFN + 480)
#define LOG_VA (LOG_GFN << PV_PAGE_SHIFT)
#define PLANTED_LIFE 2u

/* A life begins, for who counts steps from outside: see tests/plugin/count.c. */
#define TELL_LIFE() __asm__ volatile("nopl 0x52480007(%%rax)" ::: "memory")

static u64 sums[ROWS][ERRORS], life_ns, calls, lives, died;
static struct child *victim;
static const char *plant;

static u64 number(const char *key, u64 otherwise)
{
	char text[24];

	return parameter(key, text, sizeof(text)) ? strtoull(text, NULL, 0) : otherwise;
}

static u64 spare_frames(void)
{
	return (start->heap_start >> PV_PAGE_SHIFT) + 32;
}

/* ---- the victim ---- */

static void let_victim_close(u64 port)
{
	store_release(&victim->share->word[V_CLOSE], port);
	for (u64 end = clock_ns() + 1500 * MS * PATIENCE; load_acquire(&victim->share->word[V_CLOSE]);)
		if (rest(), clock_ns() > end)
			abi_fail(__LINE__, "the victim closes its port", port, 0);
}

/* A first port and a first grant make its tables, which stay. */
static void make_victim(u64 seed)
{
	victim = child_make(1);
	victim->share->word[V_NONCE] = seed * 0x9e3779b97f4a7c15ull >> 8;
	child_start(victim);
	for (u64 end = clock_ns() + 1500 * MS * PATIENCE; !load_acquire(&victim->share->word[V_READY]);)
		if (rest(), clock_ns() > end)
			abi_fail(__LINE__, "the victim begins", 0, 1);
	CHECK_OK(revoke(TRY(OP(GRANT_CTL, CREATE, victim->dom, victim->share->word[V_READY], 1, GRANT_RO))));
	let_victim_close(TRY(OP(PORT_CTL, ALLOC, 0, victim->dom)));
}

/* It works on, and has found nothing. */
static void check_victim(void)
{
	u64 rounds = load_acquire(&victim->share->word[V_ROUNDS]);
	u64 end = clock_ns() + 1500 * MS * PATIENCE;
	u64 wrong;

	while (load_acquire(&victim->share->word[V_ROUNDS]) < rounds + 2)
		if (rest(), clock_ns() > end)
			abi_fail(__LINE__, "the victim works on, rounds", victim->share->word[V_ROUNDS], rounds + 2);
	wrong = load_acquire(&victim->share->word[V_WRONG]);
	if (wrong)
		abi_fail(__LINE__, "what the victim found wrong (1 memory, 2 registers, 3 work, 4 port), where", wrong,
			 victim->share->word[V_WRONG_AT]);
}

/* ---- one attacker ---- */

struct life {
	struct child *attacker;
	u64 sibling, scratch, shown, port, log;
	bool leak;
};

static u32 kind_of(u64 seed)
{
	return seed % 16 < 4 ? PV_KIND_EXPLICIT : PV_KIND_WALKED;
}

/* The attacker's kinds: explicit, walked, walked with a small cache; few with none, where each call takes ten times
 * as long. */
static void make_attacker(struct life *l, u64 seed)
{
	struct abi_case opt = *this_case;

	opt.kind = kind_of(seed);
	opt.tables = seed % 16 == 15 ? NO_TABLES : seed % 16 > 9 ? 64 : 0;
	l->attacker = child_make_opt(0, &opt);
	/* All it can use. But slices of a domain with a cap end by a timer, where under icount the turn passes: one that
	 * loops, alone on its CPU, would keep it for 10^8 instructions each time. */
	CHECK_OK(OP(SCHED_CTL, SET_CAP, l->attacker->dom, 200));
	l->log = TRY(OP(GRANT_CTL, CREATE, l->attacker->dom, gfn_of((void *)log_address(&l->attacker->info)), 1,
			GRANT_RW));
	CHECK_EQ(OP(GRANT_CTL, MAP, l->log, LOG_GFN, 1, 0), 1);
	CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, LOG_VA, LOG_GFN, 1, PV_PROT_READ), 1);
}

static void give_things(struct life *l, u64 seed)
{
	u64 *word = l->attacker->share->word, secrets = victim->share->word[V_READY];
	u64 its = TRY(OP(PORT_CTL, ALLOC, 0, l->attacker->dom));

	l->sibling = empty_domain(64, 96);
	l->scratch = TRY(OP(GRANT_CTL, CREATE, PV_SELF, spare_frames(), 2, GRANT_RW));
	/* A page of the victim's that it may read: zeros. Planted: one with secrets. */
	l->shown = TRY(OP(GRANT_CTL, CREATE, victim->dom, l->leak ? secrets : secrets - 1, 1, GRANT_RO));
	l->port = TRY(OP(PORT_CTL, ALLOC, 0, victim->dom));
	CHECK_OK(OP(PORT_CTL, CONNECT, its, l->attacker->dom, victim->dom, l->port));
	word[A_SEED] = seed;
	word[A_STEPS] = STEPS;
	word[A_KIND] = kind_of(seed);
	word[A_SIBLING] = child_give(l->attacker, l->sibling, PV_RIGHT_DOM_ALL);
	word[A_SCRATCH] = child_give(l->attacker, l->scratch, GRANT_RW);
	word[A_SHOWN] = child_give(l->attacker, l->shown, GRANT_RO);
	word[A_PORT] = its;
	word[A_VM86] = lives == PLANTED_LIFE && plant && !strcmp(plant, "vm86");
}

static void watch(struct life *l, u64 seed)
{
	struct pv_dom_status s;
	struct random r;
	u64 end;

	random_seed(&r, seed);
	end = clock_ns() + (random_below(&r, 4) ? life_ns : 1 + random_below(&r, life_ns / 8));
	child_start(l->attacker);
	do {
		HC(WAIT, 0, clock_ns() + MS / 2);
		child_status(l->attacker, &s);
	} while (s.state != PV_DOM_SHUTDOWN && clock_ns() < end);
	died += s.state == PV_DOM_SHUTDOWN && s.reason != PV_REASON_POWEROFF;
	if (l->attacker->share->verdict == VERDICT_FAIL)
		report_line("# attacker: line %u %s", l->attacker->share->line, l->attacker->share->text);
}

/* Whatever the attacker did to it, and to its own capabilities. */
static void end_sibling(u64 dom)
{
	if (dom_destroy(dom))
		OP(CAP_CTL, DROP, dom);
}

static void add_log(const struct attack_log *notes)
{
	for (u32 row = 0; row < ROWS; row++)
		for (u32 error = 0; error < ERRORS; error++) {
			u32 n = notes->calls[row][error];

			if (n > 4 * STEPS) /* its own page: it may have written anything there */
				continue;
			sums[row][error] += n;
			calls += n;
		}
	if (notes->leaks && (notes->leaks > 4 * STEPS || notes->leaked >> 32 != SECRET_TAG))
		return; /* the same */
	if (notes->leaks)
		abi_fail(__LINE__, "a word the attacker should not see, at", notes->leaked, notes->leaked_at);
}

/* As child_destroy(), but it lets others run while it waits for their CPU. */
static void end_attacker(struct child *c)
{
	i64 result;

	child_abandon(c);
	while ((result = OP(DOM_CTL, DESTROY, c->dom)) == -PV_EAGAIN)
		rest();
	CHECK_OK(result);
}

static void end_life(struct life *l)
{
	unmap(PV_SELF, LOG_VA, 1);
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, LOG_GFN, 1), 1);
	CHECK_OK(OP(CAP_CTL, DROP, l->log));
	end_attacker(l->attacker);
	end_sibling(l->sibling);
	CHECK_OK(revoke(l->scratch));
	CHECK_OK(revoke(l->shown));
	let_victim_close(l->port);
}

static void live_once(u64 seed)
{
	struct life l = { .leak = lives >= PLANTED_LIFE && plant && !strcmp(plant, "leak") };
	struct pv_counters before, after;

	report_line("# life %llu seed %llu calls %llu died %llu", (unsigned long long)lives, (unsigned long long)seed,
		    (unsigned long long)calls, (unsigned long long)died);
	counters_settled(&before);
	TELL_LIFE();
	make_attacker(&l, seed);
	give_things(&l, seed);
	watch(&l, seed);
	if (lives == PLANTED_LIFE && plant && !strcmp(plant, "change"))
		copy_frames(victim->dom, victim->share->word[V_READY] + 1, gfn_of((void *)start->heap_start), 1);
	add_log((const struct attack_log *)LOG_VA);
	end_life(&l);
	check_victim();
	counters_settled(&after);
	levels_compare(&before, &after);
	lives++;
}

static void tell_sums(void)
{
	for (u32 row = 0; row < ROWS; row++) {
		char text[ERRORS * 12];
		u64 all = 0;
		u32 n = 0;

		for (u32 error = 0; error < ERRORS; error++) {
			n += (u32)snprintf(text + n, sizeof(text) - n, " %llu", (unsigned long long)sums[row][error]);
			all += sums[row][error];
		}
		if (all)
			report_line("# calls %u%s", row, text);
	}
	report_line("# evil lives=%llu died=%llu calls=%llu rounds=%llu", (unsigned long long)lives,
		    (unsigned long long)died, (unsigned long long)calls,
		    (unsigned long long)victim->share->word[V_ROUNDS]);
}

PV_DRIVER_TEST(evil, "PVABI-HOS-009.1", PARTS(attack, be_victim), .noise = true, .vcpus = 3, .heap = 128, .extra = 160,
	       .kmem = 256)
{
	static char planted[16];
	u64 seed = number("evil.seed", 1), wanted = number("evil.calls", 200000);

	life_ns = number("evil.life", LIFE_MS) * MS;
	plant = parameter("evil.plant", planted, sizeof(planted)) ? planted : NULL;
	make_victim(seed);
	while (calls < wanted)
		{
		live_once(seed++);
		if (lives % TOLD == 0)
			tell_sums();
	}
	tell_sums();
	check_victim();
}
