/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flaws.c - tries an operation with one flaw, and with two; see flaws.h.
 */
#include <string.h>

#include "flaws.h"

#define LEVELS 12

/* What a failed call must not change. */
struct state {
	u64 levels[LEVELS];
	struct pv_dom_status caller, target;
};

/* Counts that every call changes, and times. */
static void forget_activity(struct pv_dom_status *s)
{
	s->run_ns = s->steal_ns = s->hypercalls = s->faults = s->fills = 0;
}

/* A child knows itself only. */
static void read_state(struct state *state)
{
	memset(state, 0, sizeof(*state));
	dom_status(PV_SELF, &state->caller);
	forget_activity(&state->caller);
	if (share)
		return;
	struct pv_counters counters;
	u64 dom = stage_value(SYM(S_DOM));

	counters_read(&counters);
	memcpy(state->levels, &counters, sizeof(state->levels));
	dom_status(dom, &state->target);
	forget_activity(&state->target);
}

static void apply(const struct flaw *flaw, u64 *args)
{
	for (u32 i = 0; flaw && i < flaw->changes; i++) {
		u64 value = stage_value(flaw->change[i].value);
		u16 at = flaw->change[i].at;

		if (at < 6)
			args[at] = value;
		else if (at < 0x2000)
			memcpy(&vcs0->batch[at - 0x1000], &value, 8);
		else
			memcpy(&vcs0->batch[at - 0x2000], &value, 4);
	}
}

i64 flaws_call(const struct flawed *row, const struct flaw *a, const struct flaw *b)
{
	u64 args[6];

	for (u32 i = 0; i < 6; i++)
		args[i] = stage_value(row->args[i]);
	if (row->batch)
		row->batch();
	apply(a, args);
	apply(b, args);
	return hc_noted(row->nr, args);
}

static bool touches(const struct flaw *flaw, u16 at)
{
	for (u32 i = 0; i < flaw->changes; i++)
		if (flaw->change[i].at == at)
			return true;
	return false;
}

static bool can_stand_together(const struct flaw *a, const struct flaw *b)
{
	for (u32 i = 0; i < a->changes; i++)
		if (touches(b, a->change[i].at))
			return false;
	return true;
}

static u64 index_of(const struct flawed *row, const struct flaw *flaw)
{
	return flaw ? (u64)(flaw - row->flaws) : 99;
}

/* The caller's own tables are a cache that may grow under it: only a change that comes again counts. */
static void expect_error(const struct flawed *row, const struct flaw *a, const struct flaw *b, u64 error)
{
	static struct state before, after;

	for (u32 tries = 0; tries < 3; tries++) {
		read_state(&before);
		i64 got = flaws_call(row, a, b);

		if (got != -(i64)error)
			abi_note("flaws %llu and %llu (99: none) of this table",
				 (unsigned long long)index_of(row, a), (unsigned long long)index_of(row, b));
		CHECK_EQ(got, -(i64)error);
		read_state(&after);
		if (!memcmp(&before, &after, sizeof(before)))
			break;
	}
	CHECK(!memcmp(before.levels, after.levels, sizeof(before.levels)));
	CHECK(!memcmp(&before.target, &after.target, sizeof(before.target)));
	CHECK(!memcmp(&before.caller, &after.caller, sizeof(before.caller)));
}

/* Errors are numbered in their order of precedence. */
static u64 first_of(u64 a, u64 b)
{
	return !a || (b && b < a) ? b : a;
}

static const struct flawed *begin(void)
{
	const struct flawed *row = this_case->row;

	if (share)
		stage_set_walked();
	else
		stage_set(row);
	return row;
}

static void end(void)
{
	if (!share)
		stage_clear();
}

void flaws_each(void)
{
	const struct flawed *row = begin();

	for (const struct flaw *f = row->flaws; f->error; f++)
		expect_error(row, f, NULL, first_of(f->error, row->ambient));
	if (row->ambient) {
		expect_error(row, NULL, NULL, row->ambient);
	} else if (!row->ends) {
		i64 got = flaws_call(row, NULL, NULL);

		if (got != -PV_EAGAIN)
			TRY(got);
		if (row->yields && dom_destroy((u64)got))
			CHECK_OK(OP(CAP_CTL, DROP, (u64)got));
	}
	end();
}

void flaws_pairs(void)
{
	const struct flawed *row = begin();

	for (const struct flaw *a = row->flaws; a->error; a++)
		for (const struct flaw *b = a + 1; b->error; b++)
			if (can_stand_together(a, b))
				expect_error(row, a, b, first_of(first_of(a->error, b->error), row->ambient));
	end();
}
