/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair.c - plays a pair: both orders, then rounds with both at once; see pair.h.
 */
#include "pair.h"

#include "turns.h"

#define ROUNDS 24u
#define LONG_ENOUGH 3000000u /* spins; time alone would judge the machine below */

struct result {
	i64 a, b;
	u64 state;
};

enum order { A_FIRST, B_FIRST, AT_ONCE };

u64 things[THINGS], pair_made[2];

static const struct pair *row;
static struct random delays[2];
static u64 begun[2], ended[2]; /* TSC of the round's deeds */
static i64 result_b;
static volatile u64 asked, answered; /* numbers of requests to vCPU 1 */
static enum { DEED, CLEAR } request;
static u64 at_once; /* the deed of vCPU 1 begins after a delay */

/* ---- one deed ---- */

static u64 value_of(u64 arg)
{
	return arg >> 16 == IT(0) >> 16 ? things[arg & 0xffff] : arg;
}

static i64 do_call(const struct deed *d)
{
	u64 args[6];
	i64 result;

	for (u32 i = 0; i < 6; i++)
		args[i] = value_of(d->args[i]);
	while ((result = hc_call(d->nr, args)) == -PV_EAGAIN)
		pause_for(1);
	return result;
}

static u64 ticks(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (u64)high << 32 | low;
}

static i64 perform(u32 who, const struct deed *d)
{
	i64 result;

	begun[who] = ticks();
	result = d->fn ? d->fn() : do_call(d);
	ended[who] = ticks();
	pair_made[who] = result > 0 ? (u64)result : 0;
	return result > 0 && !d->value && !d->fn ? 0 : result;
}

static void delay(u32 who)
{
	pause_for(random_below(&delays[who], 1ull << random_below(&delays[who], 5)));
}

/* ---- the two vCPUs ---- */

static void give_way(u32 *spins)
{
	pause_for(1);
	if (++*spins % 32 == 0) /* something else may have to run here */
		hc_call(PV_HC_VCPU_CTL, (const u64[6]){ PV_VCPU_CTL_YIELD });
}

static void second_actor(void)
{
	for (u64 done = 0;; done++) {
		u32 spins = 0;

		while (load_acquire(&asked) == done)
			give_way(&spins);
		if (request == CLEAR) {
			row->clear_b();
		} else {
			if (at_once)
				delay(1);
			result_b = perform(1, &row->b);
		}
		store_release(&answered, done + 1);
	}
}

static void ask(u32 what)
{
	request = what;
	store_release(&asked, asked + 1);
}

static void wait_for_answer(void)
{
	u64 end = clock_ns() + 1000 * MS;
	u32 spins = 0;

	while (load_acquire(&answered) != asked) {
		give_way(&spins);
		if (spins > LONG_ENOUGH && clock_ns() > end)
			abi_fail(__LINE__, "the second of the pair came back, of requests", answered, asked);
	}
}

static struct result play(enum order order)
{
	struct result r = { 0, 0, 0 };

	row->setup();
	at_once = order == AT_ONCE;
	if (order != A_FIRST)
		ask(DEED);
	if (order == B_FIRST)
		wait_for_answer();
	if (order == AT_ONCE)
		delay(0);
	r.a = perform(0, &row->a);
	if (order == A_FIRST)
		ask(DEED);
	wait_for_answer();
	r.b = result_b;
	r.state = row->state ? row->state() : 0;
	if (row->clear_b) {
		ask(CLEAR);
		wait_for_answer();
	}
	if (row->clear)
		row->clear();
	return r;
}

/* ---- what may come out ---- */

static bool same(const struct result *x, const struct result *y)
{
	return x->a == y->a && x->b == y->b && x->state == y->state;
}

static bool is_named(const struct result *r)
{
	for (u32 i = 0; i < 4 && row->also[i].may; i++)
		if (row->also[i].a == r->a && row->also[i].b == r->b)
			return true;
	return false;
}

static bool overlapped(void)
{
	return begun[0] < ended[1] && begun[1] < ended[0];
}

static void refuse(const struct result *got, const struct result *order)
{
	static const char *const names[] = { "came", "A first", "B first" };
	const struct result *all[] = { got, &order[A_FIRST], &order[B_FIRST] };

	for (u32 i = 0; i < 3; i++)
		abi_note("%s: A %lld, B %lld, state %#llx", names[i], (long long)all[i]->a, (long long)all[i]->b,
			 (unsigned long long)all[i]->state);
	abi_fail(__LINE__, "an outcome of neither order, A's result", (u64)got->a, (u64)order[A_FIRST].a);
}

/* word[0]: seed, word[1]: host capability; word[10..14]: rounds, met, like A first, like B first, named. */
void pair_play(void)
{
	struct result order[2], got;

	row = this_case->row;
	host = share->word[1];
	things[HOST] = host;
	random_seed(&delays[0], share->word[0] * 2 + 1);
	random_seed(&delays[1], share->word[0] * 2 + 2);
	events_on(0);
	vcpu_launch(1, second_actor);
	order[A_FIRST] = play(A_FIRST);
	order[B_FIRST] = row->one_order ? order[A_FIRST] : play(B_FIRST);
	for (u32 i = 0; i < ROUNDS; i++) {
		got = play(AT_ONCE);
		share->word[10]++;
		share->word[11] += overlapped();
		if (same(&got, &order[A_FIRST]))
			share->word[12]++;
		else if (same(&got, &order[B_FIRST]))
			share->word[13]++;
		else if (is_named(&got))
			share->word[14]++;
		else
			refuse(&got, order);
	}
}

void pair_run(void)
{
	struct child *c = child_make(0);
	const u64 *w = c->share->word;

	c->share->word[0] = abi_seed();
	c->share->word[1] = child_give(c, host, PV_RIGHT_HOST_CREATE | PV_RIGHT_HOST_DEV);
	child_start(c);
	child_expect_pass(c);
	abi_note("pair %s rounds=%llu met=%llu a=%llu b=%llu named=%llu", this_case->name,
		 (unsigned long long)w[10], (unsigned long long)w[11], (unsigned long long)w[12],
		 (unsigned long long)w[13], (unsigned long long)w[14]);
}
