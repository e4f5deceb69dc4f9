/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hypercall.h - from a trap to one of the functions that implement the calls.
 * Each hc_NAME() shows the same five steps: fetch, validate, look up, commit, return.
 */
#ifndef RF_HYPERCALL_H
#define RF_HYPERCALL_H

#include "types.h"

struct vcpu;

struct hc_args {
	u64 a[6]; /* rdi rsi rdx r10 r8 r9 */
};

/* Takes number and arguments from v->regs, puts the result into v->regs.rax. */
void hypercall_dispatch(struct vcpu *v);

#define PV_CALL(nr, NAME, name, nargs, nops, max_insns) \
	i64 hc_##name(struct vcpu *v, const struct hc_args *args);
#include <pv/calls.def>
#undef PV_CALL

#endif
