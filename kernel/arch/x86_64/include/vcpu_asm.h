/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vcpu_asm.h - the part of struct vcpu that entry.S reaches by offset; asserted in vcpu.h.
 */
#ifndef RF_VCPU_ASM_H
#define RF_VCPU_ASM_H

#define VCPU_REGS 0
#define VCPU_VCS 176
#define VCPU_MODE 184
#define VCPU_EXIT_WORK 188
#define VCPU_KERNEL_CR3 192
#define VCPU_USER_CR3 200
#define VCPU_FAST_SYSCALL 208
#define VCPU_KERNEL_GS 216
#define VCPU_ERETU 224
#define VCPU_ERETS 232
#define VCPU_HYPERCALLS 240

/* An entry of hypercall_table: a function and the largest first argument it takes. */
#define HC_ENTRY_SHIFT 4
#define HC_ENTRY_MAX_OP 8

#define VCPU_MODE_KERNEL 0
#define VCPU_MODE_USER 1

#endif
