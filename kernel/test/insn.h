/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * insn.h - x86.h for a test that plays the machine: its one-instruction wrappers lead to board.c.
 *
 * Included ahead of everything by the compiler's command line (board_test() in CMakeLists.txt).
 */
#ifndef RF_INSN_H
#define RF_INSN_H

#include "types.h"
#include "x86.h"

extern u64 board_cr0, board_cr2, board_cr3, board_cr4, board_xcr0, board_flushed;
u32 board_in(u16 port, u32 width);
void board_out(u16 port, u32 width, u32 v);
u64 board_rdmsr(u32 msr);
void board_wrmsr(u32 msr, u64 v);
struct cpuid_regs board_cpuid(u32 leaf, u32 sub);
u64 board_rdtsc(void);

#define inb(port) ((u8)board_in(port, 1))
#define inw(port) ((u16)board_in(port, 2))
#define inl(port) board_in(port, 4)
#define outb(port, v) board_out(port, 1, v)
#define outw(port, v) board_out(port, 2, v)
#define outl(port, v) board_out(port, 4, v)
#define rdmsr(msr) board_rdmsr(msr)
#define wrmsr(msr, v) board_wrmsr(msr, v)
#define cpuid(leaf, sub) board_cpuid(leaf, sub)
#define rdtsc() board_rdtsc()
#define read_cr2() board_cr2
#define read_cr3() board_cr3
#define read_cr4() board_cr4
#define write_cr4(v) ((void)(board_cr4 = (v)))
#define write_cr0(v) ((void)(board_cr0 = (v)))
#define xsetbv(reg, v) ((void)(board_xcr0 = (v)))
#define clflush(p) ((void)(p), (void)board_flushed++)

#endif
