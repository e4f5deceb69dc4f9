/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch_cpu.h - which fake CPU the calling thread plays.
 */
#ifndef RF_ARCH_CPU_H
#define RF_ARCH_CPU_H

#include "types.h"

extern __thread struct cpu *host_cpu;

static inline struct cpu *this_cpu(void)
{
	return host_cpu;
}

#define this_cpu_inc(field) (host_cpu->field++)

void cpu_relax(void);

/* All ones if idx < size, else 0. */
static inline u64 arch_mask_below(u64 idx, u64 size)
{
	return idx < size ? ~0ull : 0;
}

/* A number that grows with time. Here it only has to be the same in every run. */
static inline u64 arch_cycles(void)
{
	static u64 cycles;

	return ++cycles;
}

#endif
