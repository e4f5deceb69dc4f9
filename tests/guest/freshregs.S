/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * freshregs.S - a program without a library whose exit status says which register was not clean when
 * it started: 1 a general one, 2 flags, 3 a vector register, 4 MXCSR, 5 the x87 control word,
 * 6 FS or GS.
 */
	.text
	.globl _start
_start:
	or %rbx, %rax
	or %rcx, %rax
	or %rdx, %rax
	or %rsi, %rax
	or %rdi, %rax
	or %rbp, %rax
	or %r8, %rax
	or %r9, %rax
	or %r10, %rax
	or %r11, %rax
	or %r12, %rax
	or %r13, %rax
	or %r14, %rax
	or %r15, %rax
	mov $1, %edi
	test %rax, %rax
	jnz leave
	mov $2, %edi
	pushfq
	pop %rax
	and $0x254700, %eax		/* ID AC NT IOPL DF IF TF: the status bits are ours by now */
	cmp $0x200, %eax
	jne leave
	mov $3, %edi
.irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	por %xmm\n, %xmm0
.endr
	movq %xmm0, %rax
	psrldq $8, %xmm0
	movq %xmm0, %rcx
	or %rcx, %rax
	jnz leave
	mov $4, %edi
	stmxcsr -8(%rsp)
	cmpl $0x1f80, -8(%rsp)
	jne leave
	mov $5, %edi
	fnstcw -8(%rsp)
	cmpw $0x37f, -8(%rsp)
	jne leave
	mov $6, %edi
	mov %fs, %eax
	mov %gs, %ecx
	or %ecx, %eax
	jnz leave
	xor %edi, %edi
leave:
	mov $60, %eax
	syscall
	ud2

	.section .note.GNU-stack, "", @progbits
