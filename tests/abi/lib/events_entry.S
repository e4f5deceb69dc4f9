/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events_entry.S - where the kernel delivers events of a test domain, and first code of its
 * further vCPUs.
 *
 * abi_event_entry: rsp and every register but rcx and r11 (both in vcs.kframe) are those of the
 * interrupted code; virtual IF is 0. Compiled code here has no red zone, so its stack serves.
 */
#include <pv/abi.h>

/* Start of struct abi_cpu; events.c asserts them. */
#define ABI_CPU_KERNEL_RSP 8
#define ABI_CPU_USER_RSP 16
#define ABI_CPU_USER_RAX 24
#define ABI_CPU_USER_HOW 32
#define ABI_CPU_EVENT_RSP 40

	.text
	.globl abi_event_entry_on_stack
abi_event_entry_on_stack:
	mov %gs:ABI_CPU_EVENT_RSP, %rsp /* the kernel frame has the other one */
	.globl abi_event_entry
abi_event_entry:
	push %rax
	push %rbx
	push %rdx
	push %rsi
	push %rdi
	push %rbp
	push %r8
	push %r9
	push %r10
	mov %rsp, %rbp
	and $-64, %rsp
	sub $512, %rsp
	fxsave (%rsp)
	cld
	call abi_event
	fxrstor (%rsp)
	mov %rbp, %rsp
	pop %r10
	pop %r9
	pop %r8
	pop %rbp
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rbx
	pop %rax
	syscall
	.globl abi_erets_address
abi_erets_address:
	ud2

/* rdi: function to run; stack as for a call. Stops the vCPU when it returns. */
	.globl abi_vcpu_start
abi_vcpu_start:
	xor %ebp, %ebp
	and $-16, %rsp
	call abi_vcpu_main
	ud2

/*
 * int abi_call_registers(u64 in[15], u64 out[15]): a hypercall with every register loaded.
 * Order: rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15.
 */
	.globl abi_call_registers
abi_call_registers:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rsi
	mov %rdi, %r15
	mov 0(%r15), %rax
	mov 8(%r15), %rbx
	mov 16(%r15), %rcx
	mov 24(%r15), %rdx
	mov 32(%r15), %rsi
	mov 48(%r15), %rbp
	mov 56(%r15), %r8
	mov 64(%r15), %r9
	mov 72(%r15), %r10
	mov 80(%r15), %r11
	mov 88(%r15), %r12
	mov 96(%r15), %r13
	mov 104(%r15), %r14
	mov 40(%r15), %rdi
	mov 112(%r15), %r15
	syscall
	push %r15
	mov 8(%rsp), %r15
	mov %rax, 0(%r15)
	mov %rbx, 8(%r15)
	mov %rcx, 16(%r15)
	mov %rdx, 24(%r15)
	mov %rsi, 32(%r15)
	mov %rdi, 40(%r15)
	mov %rbp, 48(%r15)
	mov %r8, 56(%r15)
	mov %r9, 64(%r15)
	mov %r10, 72(%r15)
	mov %r11, 80(%r15)
	mov %r12, 88(%r15)
	mov %r13, 96(%r15)
	mov %r14, 104(%r15)
	pop %r14
	mov %r14, 112(%r15)
	pop %rsi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/*
 * void abi_run_user(struct abi_user *u): runs user code from vcs.uframe until it makes a system call
 * or traps. rdi: the vCPU's struct abi_cpu; the user's rsp, rax and rdi are in it.
 */
	.globl abi_run_user
abi_run_user:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, ABI_CPU_KERNEL_RSP(%rdi)
	mov ABI_CPU_USER_RAX(%rdi), %rax
	mov ABI_CPU_USER_RSP(%rdi), %rsp
	syscall
	.globl abi_eretu_address
abi_eretu_address:
	ud2

	.globl abi_user_refused
abi_user_refused:
	movq $3, %gs:ABI_CPU_USER_HOW
	jmp 2f

	.globl abi_user_entry
abi_user_entry:
	movq $1, %gs:ABI_CPU_USER_HOW
	jmp 1f
	.globl abi_syscall_entry
abi_syscall_entry:
	movq $2, %gs:ABI_CPU_USER_HOW
1:	mov %rax, %gs:ABI_CPU_USER_RAX
	mov %rsp, %gs:ABI_CPU_USER_RSP
2:	mov %gs:ABI_CPU_KERNEL_RSP, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	cld
	ret

	.section .note.GNU-stack, "", @progbits
