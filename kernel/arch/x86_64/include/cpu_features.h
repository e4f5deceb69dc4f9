/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu_features.h - what the CPUs can do, decided once at boot on CPU 0.
 *
 * The predicates work on CPUID values, not on the CPU, so that a host program can feed them the
 * values of processors this project cannot run on.
 */
#ifndef RF_CPU_FEATURES_H
#define RF_CPU_FEATURES_H

#include "compiler.h"
#include "types.h"
#include "x86.h"

struct cpuid_values {
	u32 max_basic, max_ext;
	char vendor[13];
	char hypervisor[13]; /* empty on bare metal */
	u32 signature;	     /* leaf 1 eax */
	struct cpuid_regs l1, l7, l7_1, lext1, lext7, lext8, xs0, xs1;
	u64 arch_capabilities; /* 0 if the MSR is absent */
};

struct cpu_features {
	bool nx, syscall; /* required */
	bool fsgsbase;	  /* else the bases of FS and GS are reached by MSR: fsgsbase.h */
	bool xsave;	  /* else FXSAVE: x87 and SSE are all there is */
	bool tsc_aux;	  /* RDTSCP or RDPID, hence MSR_TSC_AUX */
	bool gib_pages;
	bool smep, smap, umip;
	bool pcid, invpcid, tsc_deadline, x2apic, rdrand;
	bool xsaveopt, xsaves, avx;
	bool tsc_invariant;
	bool tcg, kvm;
	bool sysret_ss_attrs; /* AMD leaves SS attributes unusable after SYSRET with a null SS */
	bool x87_pointers_stay; /* AMD: FXRSTOR and XRSTOR load FIP, FDP and FOP only with an exception pending */
	bool meltdown, l1tf, mds;
	u64 xcr0;	/* what is saved and a guest may use: x87, SSE, AVX */
	u32 xsave_size; /* bytes that takes */
	u8 phys_bits;
};

extern struct cpu_features cpu_features;

void cpuid_collect(struct cpuid_values *v);
void cpu_features_decide(struct cpu_features *f, const struct cpuid_values *v);
/* Name of the first missing requirement, NULL if all are there. */
const char *cpu_features_missing(const struct cpu_features *f);
/* CR4, XCR0, EFER and the like of the calling CPU; needs cpu_features. */
void cpu_features_enable(void);

#endif
