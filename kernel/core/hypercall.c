// SPDX-License-Identifier: BSD-2-Clause
/*
 * hypercall.c - the way from a trap to the functions that implement the calls.
 *
 * The table is generated from abi.toml. Calls that have operations take the operation in their
 * first argument; one that does not exist never reaches the function. The short way of entry.S does
 * by itself what hypercall_dispatch() does, but for the trace: who wants that takes the long way.
 */
#include "hypercall.h"

#include <pv/abi.h>

#include "nospec.h"
#include "regs.h"
#include "trace.h"
#include "vcpu.h"

#define PV_CALL(nr, NAME, name, nargs, nops, max_insns) [nr] = { hc_##name, (u64)(nops)-1 },
const struct hypercall hypercall_table[] = {
#include <pv/calls.def>
};
#undef PV_CALL

BUILD_ASSERT(ARRAY_SIZE(hypercall_table) == PV_HC_COUNT);
BUILD_ASSERT(sizeof(struct hypercall) == 1 << HC_ENTRY_SHIFT);
BUILD_ASSERT(offsetof(struct hypercall, fn) == 0);
BUILD_ASSERT(offsetof(struct hypercall, max_op) == HC_ENTRY_MAX_OP);

BUILD_ASSERT(offsetof(struct hc_args, a5) == REGS_R9 - REGS_R10);
BUILD_ASSERT(offsetof(struct hc_args, a4) == REGS_R8 - REGS_R10);
BUILD_ASSERT(offsetof(struct hc_args, nr) == REGS_RAX - REGS_R10);
BUILD_ASSERT(offsetof(struct hc_args, a2) == REGS_RDX - REGS_R10);
BUILD_ASSERT(offsetof(struct hc_args, a1) == REGS_RSI - REGS_R10);
BUILD_ASSERT(offsetof(struct hc_args, a0) == REGS_RDI - REGS_R10);

i64 hypercall_dispatch(struct vcpu *v)
{
	const struct hc_args *args = (const struct hc_args *)&v->regs.r10;
	const struct hypercall *call;

	v->hypercalls++;
	if (unlikely(trace_hot))
		trace(TRACE_HYPERCALL, args->nr, args->a0);
	if (unlikely(args->nr >= PV_HC_COUNT))
		return -PV_ENOSYS;
	call = &hypercall_table[idx_nospec(args->nr, PV_HC_COUNT)];
	if (unlikely(args->a0 > call->max_op))
		return -PV_ENOSYS;
	return call->fn(v, args);
}
