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

void cpu_relax(void);

/* A number that grows with time. Here it only has to be the same in every run. */
static inline u64 arch_cycles(void)
{
	static u64 cycles;

	return ++cycles;
}

#endif
