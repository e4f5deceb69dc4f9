/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First instructions of a newlib domain.
 * In: rsi = start_info, rsp = top of the stack, virtual IF clear. Never returns.
 */
	.section .text.start, "ax", @progbits
	.globl _start
	.type _start, @function
_start:
	xorl %ebp, %ebp
	movq %rsi, %rdi
	andq $-16, %rsp
	call pv_start
	ud2
	.size _start, . - _start

/* First instructions of a further vCPU. In: rdi = its argument, rsi = the function, rsp = stack top. */
	.globl pv_vcpu_entry
	.type pv_vcpu_entry, @function
pv_vcpu_entry:
	xorl %ebp, %ebp
	call pv_vcpu_main
	ud2
	.size pv_vcpu_entry, . - pv_vcpu_entry

	.section .note.GNU-stack, "", @progbits
