/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hypercall.h - from a trap to one of the functions that implement the calls.
 * Each hc_NAME() shows the same five steps: fetch, validate, look up, commit, return.
 */
#ifndef RF_HYPERCALL_H
#define RF_HYPERCALL_H

#include "types.h"

struct vcpu;

/* A view of the caller's registers, r10 to rdi: no copy, and nothing writes them during a call. */
struct hc_args {
	u64 a3, a5, a4; /* r10 r9 r8 */
	u64 nr;		/* rax; for hypercall_dispatch() alone: the short way does not store it */
	u64 unused;	/* rcx */
	u64 a2, a1, a0; /* rdx rsi rdi */
};

/* Of the errors two parts of a call have, 0 = none, the one that is told: codes ascend in order of precedence. */
static inline int first_error(int a, int b)
{
	if (a && b)
		return a > b ? a : b;
	return a ? a : b;
}

struct hypercall {
	i64 (*fn)(struct vcpu *v, const struct hc_args *args);
	u64 max_op; /* largest value of the first argument; ~0: any */
};
extern const struct hypercall hypercall_table[]; /* by number, PV_HC_COUNT of them */

/* Takes number and arguments from v->regs and returns what goes into rax. */
i64 hypercall_dispatch(struct vcpu *v);

#define PV_CALL(nr, NAME, name, nargs, nops, max_insns) \
	i64 hc_##name(struct vcpu *v, const struct hc_args *args);
#include <pv/calls.def>
#undef PV_CALL

#endif
