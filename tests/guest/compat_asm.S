/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compat_asm.S - 32-bit code inside a 64-bit program. compat_code is copied to COMPAT_BASE, so that
 * its absolute addresses fit 32 bits; compat_enter goes there by a far jump and comes back by one.
 */
#include "compat.h"

	.text
	.globl compat_enter
	.type compat_enter, @function
/* In: edi = number of the call to make in 32-bit mode. Out: eax = its result. */
compat_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, COMPAT_SAVED_RSP
	mov $COMPAT_STACK, %esp
	mov %edi, %eax
	movl $COMPAT_BASE, COMPAT_TARGET
	movw $0x23, COMPAT_TARGET + 4
	ljmp *COMPAT_TARGET
compat_return:
	mov COMPAT_SAVED_RSP, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.size compat_enter, . - compat_enter

	.section .rodata
	.globl compat_code, compat_code_end, compat_return_address
compat_return_address:
	.quad compat_return
compat_code:
	.code32
	mov $0x11223344, %ebx
	mov $0x55667788, %esi
	int $0x80
	cmp $0x11223344, %ebx
	jne 1f
	cmp $0x55667788, %esi
	jne 1f
	ljmp $0x33, $(COMPAT_BASE + 0x100)
1:	mov $-1, %eax
	ljmp $0x33, $(COMPAT_BASE + 0x100)
	.org compat_code + 0x100
	.code64
	mov %eax, %eax
	jmp *COMPAT_RETURN
compat_code_end:

	.section .note.GNU-stack, "", @progbits
