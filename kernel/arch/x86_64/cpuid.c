// SPDX-License-Identifier: BSD-2-Clause
/*
 * cpuid.c - the processor as this ABI shows it: the real one, less what a guest at CPL 3 cannot
 * use, plus a hypervisor leaf. Feature leaves are allow-lists, so that a bit this file does not know
 * stays hidden.
 */
#include "arch.h"
#include "bits.h"
#include "cpu_features.h"
#include "guest.h"
#include "string.h"

#define LEAF_HV 0x40000000u
#define LEAF_HV_MAX 0x40000001u
#define MAX_BASIC 0x16u
#define MAX_EXT 0x80000008u

/* Leaf 1 ecx: SSE3 PCLMUL SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND */
#define L1_ECX 0x76da3203u
#define L1_ECX_OSXSAVE BIT(27)
#define L1_ECX_PCID BIT(17)
#define L1_ECX_HYPERVISOR BIT(31)
/* Leaf 1 edx: FPU DE PSE TSC MSR PAE CX8 APIC PGE CMOV PAT PSE36 CLFLUSH MMX FXSR SSE SSE2 SS */
#define L1_EDX 0x0f8ba37du
#define L1_EDX_PGE BIT(13)
/* Leaf 7.0 ebx: FSGSBASE BMI1 AVX2 BMI2 ERMS RDSEED ADX CLFLUSHOPT CLWB SHA */
#define L7_EBX (BIT(0) | BIT(3) | BIT(5) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(23) | BIT(24) | BIT(29))
/* ecx: UMIP (as found) VAES VPCLMUL GFNI RDPID; edx: FSRM, MD_CLEAR, ARCH_CAPABILITIES */
#define L7_ECX (BIT(8) | BIT(9) | BIT(10) | BIT(22))
#define L7_EDX (BIT(4))
#define L7_EDX_ARCH_CAP BIT(29)
/* Leaf 0xd.1 eax: XSAVEOPT XSAVEC XGETBV1; not XSAVES */
#define XS1_EAX 0x7u
/* 0x80000001 ecx: LAHF ABM SSE4A MISALIGNSSE 3DNOWPREFETCH; edx: SYSCALL NX PDPE1GB RDTSCP LM + leaf 1 copies */
#define X1_ECX (BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
#define X1_EDX (BIT(11) | BIT(20) | BIT(22) | BIT(25) | BIT(26) | BIT(27) | BIT(29))
#define X1_EDX_COPIES 0x0183f3ffu

static struct cpuid_regs feature_leaf(const struct vcpu *v, u32 leaf, struct cpuid_regs r)
{
	switch (leaf) {
	case 1:
		r.ebx = (r.ebx & 0xffff) | 1u << 16 | v->index << 24;
		r.ecx &= (u32)L1_ECX;
		r.ecx |= (u32)(L1_ECX_HYPERVISOR | L1_ECX_PCID);
		if (cpu_features.xsave)
			r.ecx |= (u32)L1_ECX_OSXSAVE;
		r.edx = (r.edx & (u32)L1_EDX) | (u32)L1_EDX_PGE;
		break;
	case 7:
		r.eax = 0;
		r.ebx &= (u32)L7_EBX;
		r.ecx &= (u32)L7_ECX;
		r.edx = (r.edx & (u32)L7_EDX) | (u32)L7_EDX_ARCH_CAP;
		break;
	case 0x80000001:
		r.ecx &= (u32)X1_ECX;
		r.edx &= (u32)(X1_EDX | (X1_EDX_COPIES & L1_EDX));
		break;
	case 0x80000007:
		r.eax = r.ebx = r.ecx = 0;
		r.edx &= BIT(8); /* invariant TSC */
		if (clock_params.stable)
			r.edx |= BIT(8);
		break;
	case 0x80000008:
		r.eax &= 0xffff;
		r.ebx = r.ecx = r.edx = 0;
		break;
	}
	return r;
}

/* Sizes of the standard and compacted area for the components a guest may enable. */
static struct cpuid_regs xsave_leaf(const struct vcpu *v, u32 sub)
{
	struct cpuid_regs r = { 0, 0, 0, 0 };
	u64 mask = cpu_features.xcr0;

	if (!cpu_features.xsave)
		return r;
	if (sub == 0) {
		r.eax = (u32)mask;
		r.edx = (u32)(mask >> 32);
		r.ecx = cpu_features.xsave_size;
		r.ebx = v->xcr0 & XCR0_AVX ? cpu_features.xsave_size : 576;
	} else if (sub == 1) {
		r.eax = cpuid(0xd, 1).eax & XS1_EAX;
		r.ebx = v->xcr0 & XCR0_AVX ? 576 + 256 : 576;
	} else if (sub < 63 && (mask >> sub & 1)) {
		r = cpuid(0xd, sub);
		r.ecx &= 2; /* alignment in the compacted format; not supervisor state */
		r.edx = 0;
	}
	return r;
}

static struct cpuid_regs hypervisor_leaf(u32 leaf)
{
	struct cpuid_regs r = { 0, 0, 0, 0 };

	if (leaf == LEAF_HV) {
		r.eax = LEAF_HV_MAX;
		memcpy(&r.ebx, "Ring", 4);
		memcpy(&r.ecx, "fenc", 4);
		memcpy(&r.edx, "eVMM", 4);
	} else if (leaf == LEAF_HV_MAX) {
		r.eax = PV_ABI_MAJOR << 16 | PV_ABI_MINOR;
	}
	return r;
}

/* What Intel's processors answer to leaves beyond their last is that of another. */
static bool leaf_exists(u32 leaf)
{
	return leaf <= cpuid(leaf & 0x80000000, 0).eax;
}

static bool leaf_is_shown(u32 leaf)
{
	switch (leaf) {
	case 2:
	case 4:
	case 0x80000002:
	case 0x80000003:
	case 0x80000004:
	case 0x80000005:
	case 0x80000006:
		return true;
	}
	return false;
}

void arch_cpuid(struct vcpu *v, u32 leaf, u32 subleaf, struct pv_cpuid *out)
{
	struct cpuid_regs r = { 0, 0, 0, 0 };

	if (leaf >= LEAF_HV && leaf <= LEAF_HV + 0xff) {
		r = hypervisor_leaf(leaf);
	} else if (leaf == 0 || leaf == 0x80000000) {
		r = cpuid(leaf, 0);
		r.eax = leaf ? MIN(r.eax, MAX_EXT) : MIN(r.eax, MAX_BASIC);
	} else if (!leaf_exists(leaf)) {
		/* zeros */
	} else if (leaf == 0xd) {
		r = xsave_leaf(v, subleaf);
	} else if (leaf == 1 || (leaf == 7 && !subleaf) || leaf == 0x80000001 ||
		   leaf == 0x80000007 || leaf == 0x80000008) {
		r = feature_leaf(v, leaf, cpuid(leaf, subleaf));
	} else if (leaf_is_shown(leaf)) {
		r = cpuid(leaf, subleaf);
		if (leaf == 4)
			r.eax &= 0x3fff; /* a vCPU shares no cache that it could know of */
	}
	*out = (struct pv_cpuid){ .eax = r.eax, .ebx = r.ebx, .ecx = r.ecx, .edx = r.edx };
}
