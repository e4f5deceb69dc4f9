/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu.h - one struct per physical CPU, reached through GS while in the kernel.
 *
 * Assembly uses the first fields by offset. Modules keep their own per-CPU data in arrays of
 * MAX_CPUS indexed by this_cpu()->id rather than growing this struct; the counters stand here because one
 * instruction counts then.
 */
#ifndef RF_CPU_H
#define RF_CPU_H

#define MAX_CPUS 16

#define CPU_SELF 0
#define CPU_CURRENT 8
#define CPU_SCRATCH 16
#define CPU_STACK_TOP 24
#define CPU_ID 32
#define CPU_APIC_ID 36
#define CPU_STATE 40
#define CPU_SIZE 256
#define CPU_COUNTERS 16
#define CPU_STATE_STARTING 1

#ifndef __ASSEMBLER__

#include "compiler.h"
#include "types.h"

struct vcpu;
struct tss;

enum cpu_state { CPU_ABSENT, CPU_STARTING, CPU_ONLINE, CPU_FAILED, CPU_STOPPED };

struct cpu {
	struct cpu *self;
	struct vcpu *current; /* NULL while idle */
	u64 scratch;	      /* user rsp during syscall entry */
	u64 stack_top;	      /* of the one kernel stack; event-driven, emptied at every exit */
	u32 id;		      /* 0..nr_cpus-1, dense */
	u32 apic_id;
	u32 state; /* enum cpu_state, atomic */
	bool in_panic;
	struct tss *tss;
	u64 *gdt;
	i64 tsc_warp; /* worst backward step seen against CPU 0 at boot, in cycles */
	u32 tsc_check; /* boot: first turn of this CPU's counter comparison */
	u32 locks; /* held; counted where there are race points only */
	u64 counters[CPU_COUNTERS]; /* counters.h */
} __aligned(64);

BUILD_ASSERT(offsetof(struct cpu, current) == CPU_CURRENT);
BUILD_ASSERT(offsetof(struct cpu, scratch) == CPU_SCRATCH);
BUILD_ASSERT(offsetof(struct cpu, stack_top) == CPU_STACK_TOP);
BUILD_ASSERT(offsetof(struct cpu, id) == CPU_ID);
BUILD_ASSERT(offsetof(struct cpu, apic_id) == CPU_APIC_ID);
BUILD_ASSERT(offsetof(struct cpu, state) == CPU_STATE);
BUILD_ASSERT(sizeof(struct cpu) == CPU_SIZE);
BUILD_ASSERT(CPU_STARTING == CPU_STATE_STARTING);

extern struct cpu cpus[MAX_CPUS];
extern u32 nr_cpus; /* set once before the first domain runs; ids 0..nr_cpus-1 are online */

#include "arch_cpu.h" /* this_cpu(), cpu_relax() */

#endif
#endif
