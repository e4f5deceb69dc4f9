// SPDX-License-Identifier: BSD-2-Clause
/*
 * hypercall.c - the one way from a trap to the functions that implement the calls.
 *
 * The table is generated from abi.toml. Calls that have operations take the operation in their
 * first argument; one that does not exist never reaches the function.
 */
#include "hypercall.h"

#include <pv/abi.h>

#include "counters.h"
#include "nospec.h"
#include "trace.h"
#include "vcpu.h"

struct call {
	i64 (*fn)(struct vcpu *v, const struct hc_args *args);
	u64 ops; /* values the first argument may have; ~0: any */
};

#define PV_CALL(nr, NAME, name, nargs, nops, max_insns) [nr] = { hc_##name, (nops) ? (nops) : ~0ull },
static const struct call calls[] = {
#include <pv/calls.def>
};
#undef PV_CALL

BUILD_ASSERT(ARRAY_SIZE(calls) == PV_HC_COUNT);

void hypercall_dispatch(struct vcpu *v)
{
	struct cpu_regs *r = &v->regs;
	const struct hc_args args = { { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 } };
	const struct call *call;

	count(CNT_HYPERCALLS);
	v->dom->hypercalls++;
	if (unlikely(r->rax >= PV_HC_COUNT))
		goto nosys;
	call = &calls[idx_nospec(r->rax, PV_HC_COUNT)];
	if (unlikely(args.a[0] >= call->ops))
		goto nosys;
	trace(TRACE_HYPERCALL, r->rax, args.a[0]);
	r->rax = (u64)call->fn(v, &args);
	return;
nosys:
	r->rax = (u64)-PV_ENOSYS;
}
