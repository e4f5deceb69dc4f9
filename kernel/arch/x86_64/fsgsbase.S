/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsgsbase.S - what stands in for the instructions of FSGSBASE: see fsgsbase.h.
 * in: rax = the base to write; out: rax = the base read; all else is kept but the flags
 */
#include "x86.h"

	.section .text.fsgsbase, "ax"
	.code64
	.globl rdfsbase_by_msr, rdgsbase_by_msr, wrfsbase_by_msr, wrgsbase_by_msr
rdfsbase_by_msr:
	pushq %rcx
	movl $MSR_FS_BASE, %ecx
	jmp read
rdgsbase_by_msr:
	pushq %rcx
	movl $MSR_GS_BASE, %ecx
read:	pushq %rdx
	rdmsr
	shlq $32, %rdx
	orq %rdx, %rax
	popq %rdx
	popq %rcx
	ret

wrfsbase_by_msr:
	pushq %rcx
	movl $MSR_FS_BASE, %ecx
	jmp write
wrgsbase_by_msr:
	pushq %rcx
	movl $MSR_GS_BASE, %ecx
write:	pushq %rdx
	movq %rax, %rdx
	shrq $32, %rdx
	wrmsr
	popq %rdx
	popq %rcx
	ret

	.section .note.GNU-stack, "", @progbits
