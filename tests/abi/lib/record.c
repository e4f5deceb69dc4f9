/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - hypercalls as the cases make them, with a note of what they returned.
 *
 * Two vCPUs of one domain share the note without a lock: what may be lost is a credit, and a credit for
 * the wrong call needs two calls that return the same at the same moment.
 */
#include "record.h"

#include <pv/abi.h>

/* Which calls have operations; the others count as operation 0. */
#define PV_CALL(nr, NAME, name, nargs, nops, max_insns) [nr] = nops,
static const u8 operations[PV_HC_COUNT] = {
#include <pv/calls.def>
};
#undef PV_CALL

static struct record own;
struct record *abi_record = &own;

i64 hc_noted(u64 nr, const u64 *a)
{
	i64 result = hc_call(nr, a);
	struct record *r = abi_record;

	r->last_nr = nr;
	r->last_op = nr < PV_HC_COUNT && operations[nr] ? a[0] : 0;
	r->last_result = result;
	return result;
}

void abi_checked(u64 value)
{
	struct record *r = abi_record;
	i64 result = r->last_result;
	u32 bit = 0;

	r->checks++;
	if ((i64)value != result || r->last_nr >= PV_HC_COUNT || r->last_op >= RECORD_OPS)
		return;
	if (result < 0) {
		if (result <= -RECORD_ERRORS)
			return;
		bit = (u32)-result;
		r->bad++;
	} else {
		r->good++;
	}
	if (!(r->seen[r->last_nr][r->last_op] >> bit & 1))
		__atomic_fetch_or(&r->seen[r->last_nr][r->last_op], (u16)(1u << bit), __ATOMIC_RELAXED);
}

void record_add(struct record *to, const struct record *from)
{
	to->checks += from->checks;
	to->good += from->good;
	to->bad += from->bad;
	for (u32 nr = 0; nr < PV_HC_COUNT; nr++)
		for (u32 op = 0; op < RECORD_OPS; op++)
			to->seen[nr][op] |= from->seen[nr][op];
}
