/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * puppet.S - the program of a puppet's vCPU: one page, copied wherever; rdi is its struct command (oracle.h). It has
 * no stack and no events, and gives way while there is nothing to do.
 */
#include <pv/abi.h>

#define POSTED 0
#define DONE 8
#define DEED 16
#define NR 24
#define A0 32
#define A1 40
#define A2 48
#define A3 56
#define A4 64
#define A5 72
#define RESULT 80

	.section .rodata
	.balign 16
	.globl puppet_code, puppet_code_end
puppet_code:
	mov %rdi, %r15
idle:
	mov POSTED(%r15), %rax
	cmp DONE(%r15), %rax
	jne work
	pause
	mov $PV_HC_VCPU_CTL, %eax
	mov $PV_VCPU_CTL_YIELD, %edi
	xor %esi, %esi
	xor %edx, %edx
	xor %r10d, %r10d
	xor %r8d, %r8d
	xor %r9d, %r9d
	syscall
	jmp idle
work:
	mov DEED(%r15), %rbx
	mov A0(%r15), %rdi
	mov A1(%r15), %rsi
	cmp $1, %rbx
	je load
	cmp $2, %rbx
	je store
	cmp $3, %rbx
	je clear
	mov NR(%r15), %rax
	mov A2(%r15), %rdx
	mov A3(%r15), %r10
	mov A4(%r15), %r8
	mov A5(%r15), %r9
	syscall
	jmp finish
store:
	mov %rsi, (%rdi)
load:
	mov (%rdi), %rax
	jmp finish
clear:
	movq $0, (%rdi)
	add $8, %rdi
	dec %rsi
	jnz clear
	xor %eax, %eax
finish:
	mov %rax, RESULT(%r15)
	mov POSTED(%r15), %rax
	mov %rax, DONE(%r15)
	jmp idle
puppet_code_end:

	.section .note.GNU-stack, "", @progbits
