/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch_cpu.h - the few CPU primitives core code uses inline.
 */
#ifndef RF_ARCH_CPU_H
#define RF_ARCH_CPU_H

/* A kernel path never moves between CPUs, so the compiler may keep the result. */
static inline struct cpu *this_cpu(void)
{
	struct cpu *c;

	__asm__("movq %%gs:0, %0" : "=r"(c));
	return c;
}

/* One instruction, so whole even if an NMI comes. The compiler is not told what it changes: who reads it does so with
 * an access of its own. */
#define this_cpu_inc(field) __asm__ volatile("incq %%gs:%c0" ::"i"(offsetof(struct cpu, field)) : "cc")

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* All ones if idx < size, else 0, by data flow: no branch to be predicted. size is a constant or a 32-bit number. */
static inline u64 arch_mask_below(u64 idx, u64 size)
{
	u64 mask;

	__asm__ volatile("cmpq %2, %1\n\tsbbq %0, %0" : "=r"(mask) : "r"(idx), "er"(size) : "cc");
	return mask;
}

/* A number that grows with time, for traces and for mixing randomness. */
static inline u64 arch_cycles(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

#endif
