/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * regs.h - the registers of interrupted code, in the order the entry code pushes them.
 *
 * From rip up it is what the CPU pushes. A trap from a guest is pushed straight into the current
 * vcpu's copy (TSS.rsp0 points at its end); a trap from the kernel is pushed on the kernel stack.
 */
#ifndef RF_REGS_H
#define RF_REGS_H

#define REGS_R15 0
#define REGS_R14 8
#define REGS_R13 16
#define REGS_R12 24
#define REGS_RBP 32
#define REGS_RBX 40
#define REGS_R11 48
#define REGS_R10 56
#define REGS_R9 64
#define REGS_R8 72
#define REGS_RAX 80
#define REGS_RCX 88
#define REGS_RDX 96
#define REGS_RSI 104
#define REGS_RDI 112
#define REGS_VECTOR 120
#define REGS_ERROR 128
#define REGS_RIP 136
#define REGS_CS 144
#define REGS_RFLAGS 152
#define REGS_RSP 160
#define REGS_SS 168
#define REGS_SIZE 176

#ifndef __ASSEMBLER__

#include "compiler.h"
#include "types.h"

struct cpu_regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	u64 rax, rcx, rdx, rsi, rdi;
	u64 vector;
	u64 error; /* 0 where the CPU pushes none */
	u64 rip, cs, rflags, rsp, ss;
};

BUILD_ASSERT(offsetof(struct cpu_regs, rbp) == REGS_RBP);
BUILD_ASSERT(offsetof(struct cpu_regs, r8) == REGS_R8);
BUILD_ASSERT(offsetof(struct cpu_regs, rax) == REGS_RAX);
BUILD_ASSERT(offsetof(struct cpu_regs, rdi) == REGS_RDI);
BUILD_ASSERT(offsetof(struct cpu_regs, vector) == REGS_VECTOR);
BUILD_ASSERT(offsetof(struct cpu_regs, rip) == REGS_RIP);
BUILD_ASSERT(sizeof(struct cpu_regs) == REGS_SIZE);

#endif
#endif
