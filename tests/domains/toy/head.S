/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * head.S - where the toy guest starts, and its doors: the excursion to user mode and back, and
 * events from its own kernel mode. The shape is that of a real port, with a C function called for
 * each event instead of a kernel behind it.
 */
#include <pv/abi.h>

#include "toy.h"

#define UF(field) (PV_VCS_UFRAME + PV_FRAME_##field)
#define KF(field) (PV_VCS_KFRAME + PV_FRAME_##field)

	.section .note.ringfence, "a", @note
	.balign 4
	.long 10, 8, PV_NOTE_TYPE_ENTRY
	.asciz "ringfence"
	.balign 4
	.quad toy_start

	.section .text.head, "ax"
	.code64
/* in: rsi = guest-physical address of start_info; linear translation, no stack */
	.globl toy_start
toy_start:
	leaq boot_stack_top(%rip), %rsp
	xorl %ebp, %ebp
	movq %rsi, %rdi
	call toy_main
	ud2

/* vCPUs other than 0. in: rdi = index, rsp = stack */
	.globl toy_ap_start
toy_ap_start:
	xorl %ebp, %ebp
	call ap_main
	ud2

/* i64 hypercall(u64 nr, a0, a1, a2, a3, a4, a5) */
	.globl hypercall
hypercall:
	movq %rdi, %rax
	movq %rsi, %rdi
	movq %rdx, %rsi
	movq %rcx, %rdx
	movq %r8, %r10
	movq %r9, %r8
	movq 8(%rsp), %r9
	syscall
	ret

/*
 * u64 user_run(struct user_ctx *ctx): enters user mode with ctx's registers; the frame is in the
 * VCS. Returns when user mode is left: 1 by an event, 2 by SYSCALL, the registers in ctx.
 */
	.globl user_run
user_run:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %gs:PERCPU_KSP
	movq %rdi, %gs:PERCPU_CTX
	movq CTX_RAX(%rdi), %rax
	movq CTX_RBX(%rdi), %rbx
	movq CTX_RDX(%rdi), %rdx
	movq CTX_RSI(%rdi), %rsi
	movq CTX_RBP(%rdi), %rbp
	movq CTX_R8(%rdi), %r8
	movq CTX_R9(%rdi), %r9
	movq CTX_R10(%rdi), %r10
	movq CTX_R12(%rdi), %r12
	movq CTX_R13(%rdi), %r13
	movq CTX_R14(%rdi), %r14
	movq CTX_R15(%rdi), %r15
	movq CTX_RSP(%rdi), %rsp
	movq CTX_RDI(%rdi), %rdi
	syscall
	.globl toy_eretu
toy_eretu:
	ud2

	.globl toy_syscall_entry
toy_syscall_entry:
	movq %rsp, %gs:PERCPU_USP
	movq %gs:PERCPU_CTX, %rsp
	movq $2, CTX_KIND(%rsp)
	jmp 1f
	.globl toy_user_entry
toy_user_entry:
	movq %rsp, %gs:PERCPU_USP
	movq %gs:PERCPU_CTX, %rsp
	movq $1, CTX_KIND(%rsp)
1:	movq %rax, CTX_RAX(%rsp)
	movq %rbx, CTX_RBX(%rsp)
	movq %rdx, CTX_RDX(%rsp)
	movq %rsi, CTX_RSI(%rsp)
	movq %rdi, CTX_RDI(%rsp)
	movq %rbp, CTX_RBP(%rsp)
	movq %r8, CTX_R8(%rsp)
	movq %r9, CTX_R9(%rsp)
	movq %r10, CTX_R10(%rsp)
	movq %r12, CTX_R12(%rsp)
	movq %r13, CTX_R13(%rsp)
	movq %r14, CTX_R14(%rsp)
	movq %r15, CTX_R15(%rsp)
	movq %gs:PERCPU_USP, %rax
	movq %rax, CTX_RSP(%rsp)
	movq CTX_KIND(%rsp), %rax
	movq %gs:PERCPU_KSP, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

/* Leaves user_run() as if user mode had been left with `kind` in rdi: for an ERETU that failed. */
	.globl user_run_abort
user_run_abort:
	movq %rdi, %rax
	movq %gs:PERCPU_KSP, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

/*
 * An event from kernel mode: all registers to the stack, the frame behind them, then C. The frame
 * is free for the next event once it is copied.
 */
	.globl toy_kernel_entry
toy_kernel_entry:
	pushq %rax
	pushq %rbx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %rbp
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %gs:PERCPU_VCS, %rbx
	pushq KF(R11)(%rbx)
	pushq KF(RCX)(%rbx)
	pushq KF(SS)(%rbx)
	pushq KF(RSP)(%rbx)
	pushq KF(RFLAGS)(%rbx)
	pushq KF(CS)(%rbx)
	pushq KF(RIP)(%rbx)
	pushq KF(ERROR)(%rbx)
	pushq KF(VECTOR)(%rbx)
	movq $0, PV_VCS_BUSY(%rbx)
	movq %rsp, %rdi
	movq %rsp, %rbp
	andq $~15, %rsp
	cld
	call kernel_event
	movq %rbp, %rsp
	popq KF(VECTOR)(%rbx)
	popq KF(ERROR)(%rbx)
	popq KF(RIP)(%rbx)
	popq KF(CS)(%rbx)
	popq KF(RFLAGS)(%rbx)
	popq KF(RSP)(%rbx)
	popq KF(SS)(%rbx)
	popq KF(RCX)(%rbx)
	popq KF(R11)(%rbx)
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r10
	popq %r9
	popq %r8
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rbx
	popq %rax
	syscall
	.globl toy_erets
toy_erets:
	ud2

	.bss
	.balign 16
	.skip 16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
