// SPDX-License-Identifier: BSD-2-Clause
/*
 * hc_cpu.c - the calls that stand for privileged instructions: SEG_CTL, DEBUG_REG, MSR, CPUID.
 * What they mean is the architecture's; here are the checks the ABI words.
 */
#include "hypercall.h"

#include <pv/abi.h>

#include "string.h"
#include "vcpu.h"

i64 hc_seg_ctl(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, a = args->a1, b = args->a2, c = args->a3;

	if (op == PV_SEG_CTL_LOAD_GS && (b || c))
		return -PV_EINVAL;
	return arch_seg_ctl(v, op, a, b, c);
}

i64 hc_debug_reg(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, n = args->a1, value = args->a2;

	if (op == PV_DEBUG_REG_READ && value)
		return -PV_EINVAL;
	if (n > 7 || n == 4 || n == 5)
		return -PV_ERANGE;
	return arch_debug_reg(v, op, n, value);
}

i64 hc_msr(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, index = args->a1, value = args->a2;

	if (op == PV_MSR_READ && value)
		return -PV_EINVAL;
	if (op == PV_MSR_READ && !vcpu_batch(v))
		return -PV_ESTATE;
	if (index >> 32)
		return -PV_ENOENT;
	return arch_msr(v, op, index, value);
}

i64 hc_cpuid(struct vcpu *v, const struct hc_args *args)
{
	u64 leaf = args->a0, subleaf = args->a1;
	struct pv_cpuid out = { 0, 0, 0, 0 };
	void __guest *batch = vcpu_batch(v);

	if (leaf >> 32 || subleaf >> 32)
		return -PV_ERANGE;
	if (!batch)
		return -PV_ESTATE;
	arch_cpuid(v, (u32)leaf, (u32)subleaf, &out);
	guest_write(batch, &out, sizeof(out));
	return 0;
}
