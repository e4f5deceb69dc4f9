/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.S - see probes.h. struct gprs is 16 words in the order of the pushes below, lowest last.
 * rsp is not part of it: a probe keeps its stack, which is how it finds its way back.
 */
	.text

/* In: rdi = registers to load, rsi = where to store what the instruction left. */
.macro PROBE name, insn:vararg
	.globl \name
	.globl \name\()_after
	.type \name, @function
\name:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rsi
	pushq 120(%rdi)
	mov 0(%rdi), %rax
	mov 8(%rdi), %rbx
	mov 16(%rdi), %rcx
	mov 24(%rdi), %rdx
	mov 32(%rdi), %rsi
	mov 48(%rdi), %rbp
	mov 56(%rdi), %r8
	mov 64(%rdi), %r9
	mov 72(%rdi), %r10
	mov 80(%rdi), %r11
	mov 88(%rdi), %r12
	mov 96(%rdi), %r13
	mov 104(%rdi), %r14
	mov 112(%rdi), %r15
	mov 40(%rdi), %rdi
	popfq
	\insn
\name\()_after:
	pushfq
	push %r15
	push %r14
	push %r13
	push %r12
	push %r11
	push %r10
	push %r9
	push %r8
	push %rbp
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rbx
	push %rax
	pushq $0x202
	popfq
	mov 128(%rsp), %rdi
	mov %rsp, %rsi
	mov $16, %ecx
	rep movsq
	add $136, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.size \name, . - \name
.endm

PROBE probe_syscall, syscall
PROBE probe_int80, int $0x80
PROBE probe_store, movb $1, (%rbx)
PROBE probe_loop, 77: loop 77b
PROBE probe_ud2, ud2
PROBE probe_int3, int3

/* Sets TF; the first trap comes after the instruction that follows popfq. */
.macro STEPS name
	.globl \name, \name\()_1, \name\()_2, \name\()_3, \name\()_4
	.type \name, @function
\name:
	pushfq
	orl $0x100, (%rsp)
	popfq
\name\()_1:
.endm

/* Clears TF again: traps after pushfq, andl and not after popfq's successor. */
.macro STEPS_END
	pushfq
	andl $~0x100, (%rsp)
	popfq
	ret
.endm

STEPS steps_syscall
	mov $39, %eax
steps_syscall_2:
	syscall
steps_syscall_3:
	nop
steps_syscall_4:
	STEPS_END

STEPS steps_int80
	mov $20, %eax
steps_int80_2:
	int $0x80
steps_int80_3:
	nop
steps_int80_4:
	STEPS_END

STEPS steps_store
	nop
steps_store_2:
	movb $1, (%rdi)
steps_store_3:
	nop
steps_store_4:
	STEPS_END

STEPS steps_cpuid
	xor %eax, %eax
steps_cpuid_2:
	push %rbx
	cpuid
steps_cpuid_3:
	pop %rbx
steps_cpuid_4:
	STEPS_END

	.section .note.GNU-stack, "", @progbits
