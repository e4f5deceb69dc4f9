// SPDX-License-Identifier: BSD-2-Clause
/*
 * hypercall.c - the one way from a trap to the functions that implement the calls.
 *
 * The table is generated from abi.toml. Calls that have operations take the operation in their
 * first argument; one that does not exist never reaches the function.
 */
#include "hypercall.h"

#include <pv/abi.h>

#include "nospec.h"
#include "regs.h"
#include "trace.h"
#include "vcpu.h"

struct call {
	i64 (*fn)(struct vcpu *v, const struct hc_args *args);
	u64 max_op; /* largest value of the first argument; ~0: any */
};

#define PV_CALL(nr, NAME, name, nargs, nops, max_insns) [nr] = { hc_##name, (u64)(nops)-1 },
static const struct call calls[] = {
#include <pv/calls.def>
};
#undef PV_CALL

BUILD_ASSERT(ARRAY_SIZE(calls) == PV_HC_COUNT);

BUILD_ASSERT(offsetof(struct hc_args, a5) == REGS_R9 - REGS_R10);
BUILD_ASSERT(offsetof(struct hc_args, a4) == REGS_R8 - REGS_R10);
BUILD_ASSERT(offsetof(struct hc_args, nr) == REGS_RAX - REGS_R10);
BUILD_ASSERT(offsetof(struct hc_args, a2) == REGS_RDX - REGS_R10);
BUILD_ASSERT(offsetof(struct hc_args, a1) == REGS_RSI - REGS_R10);
BUILD_ASSERT(offsetof(struct hc_args, a0) == REGS_RDI - REGS_R10);

/* Out of the way, so that the path below keeps nothing but v across the call. */
static __noinline void record(const struct hc_args *args)
{
	trace(TRACE_HYPERCALL, args->nr, args->a0);
}

void hypercall_dispatch(struct vcpu *v)
{
	struct hc_args *args = (struct hc_args *)&v->regs.r10;
	const struct call *call;

	v->dom->hypercalls++; /* two vCPUs at once may count one */
	if (unlikely(trace_hypercalls))
		record(args);
	if (unlikely(args->nr >= PV_HC_COUNT))
		goto nosys;
	call = &calls[idx_nospec(args->nr, PV_HC_COUNT)];
	if (unlikely(args->a0 > call->max_op))
		goto nosys;
	args->nr = (u64)call->fn(v, args); /* rax */
	return;
nosys:
	args->nr = (u64)-PV_ENOSYS;
}
