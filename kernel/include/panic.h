/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * panic.h - what the kernel does when its own invariants are broken. Guest misbehaviour never
 * comes here.
 */
#ifndef RF_PANIC_H
#define RF_PANIC_H

#include "compiler.h"
#include "types.h"

struct cpu_regs;

/* CPU id + 1 of the CPU that panics, 0 while none does. */
extern u32 panic_owner;

/* Stops the other CPUs, prints everything it knows and halts (or leaves QEMU: panic=exit). */
void __noreturn panic(const char *fmt, ...) __printf_format(1, 2);

/* The same for an exception taken in the kernel: regs are the interrupted ones. */
void __noreturn panic_regs(const struct cpu_regs *regs, const char *fmt, ...) __printf_format(2, 3);

/* Symbol of a kernel text address; NULL if unknown. *offset is the distance from its start. */
const char *symbol_lookup(vaddr_t addr, u64 *offset);

/* The last events of the trace ring, printed by a panic. */
void trace_dump_last(void);

#ifdef CONFIG_DEBUG
#define ASSERT(x)                                                                                  \
	do {                                                                                       \
		if (unlikely(!(x)))                                                                \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #x);              \
	} while (0)
#else
#define ASSERT(x) ((void)sizeof(!(x)))
#endif

#endif
