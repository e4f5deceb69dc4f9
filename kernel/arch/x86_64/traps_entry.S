/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traps_entry.S - the 256 doors of the IDT and the way in and out for traps taken in the kernel.
 *
 * A trap from a guest arrives with the stack pointer inside the current vcpu's registers and is
 * handed to guest_trap_entry (vector and error pushed, nothing else touched). A trap from the
 * kernel saves a struct cpu_regs on the stack it came on and calls C.
 *
 * NMI, #DF, #MC and #DB may hit between a guest's entry and SWAPGS, so GS proves nothing there:
 * they have stacks of their own (IST) with the struct cpu pointer stored just above the frame.
 */
#include "cpu.h"
#include "regs.h"
#include "x86.h"

.macro PUSH_REGS
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

.macro POP_REGS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
.endm

	.section .text.entry, "ax"
	.code64
/* One door per vector, 16 bytes each: a zero where the CPU pushes no error code, the vector. */
	.balign 16
	.globl trap_doors
trap_doors:
	.set vec, 0
	.rept 256
	.balign 16
	.if !((vec == 8) || (vec >= 10 && vec <= 14) || (vec == 17) || (vec == 21) || (vec == 29) || (vec == 30))
	pushq $0
	.endif
	pushq $vec
	.if (vec == EXC_DB) || (vec == EXC_NMI) || (vec == EXC_DF) || (vec == EXC_MC)
	jmp ist_trap
	.else
	jmp trap
	.endif
	.set vec, vec + 1
	.endr

/* in: stack = vector, error, CPU frame */
	.balign 16
trap:
	testb $3, 24(%rsp)
	jnz guest_trap_entry
	/* The one instruction of the kernel that runs with the guest's GS and may fault. */
	pushq %rax
	leaq guest_iret(%rip), %rax
	cmpq %rax, 24(%rsp)
	popq %rax
	je guest_iret_fault
	cld
	PUSH_REGS
	xorl %ebp, %ebp
	movq %rsp, %rdi
	call trap_kernel
	POP_REGS
	addq $16, %rsp
	iretq

/*
 * in: the same, on an IST stack; GS may be the guest's whatever CS says. Its base is reached through the
 * MSR, which every processor has: what comes here is rare.
 */
	.balign 16
ist_trap:
	testb $3, 24(%rsp)
	jz 1f
	cmpl $EXC_DB, (%rsp)
	je guest_debug_entry
1:	cld
	PUSH_REGS
	movl $MSR_GS_BASE, %ecx
	rdmsr
	movl %eax, %ebx
	movl %edx, %r12d
	movl REGS_SIZE(%rsp), %eax
	movl REGS_SIZE + 4(%rsp), %edx
	wrmsr
	xorl %ebp, %ebp
	movq %rsp, %rdi
	call trap_ist
	movl $MSR_GS_BASE, %ecx
	movl %ebx, %eax
	movl %r12d, %edx
	wrmsr
	POP_REGS
	addq $16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
