/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch_cpu.h - which fake CPU the calling thread plays.
 */
#ifndef RF_ARCH_CPU_H
#define RF_ARCH_CPU_H

extern __thread struct cpu *host_cpu;

static inline struct cpu *this_cpu(void)
{
	return host_cpu;
}

void cpu_relax(void);

#endif
