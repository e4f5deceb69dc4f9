/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entry.S - the ways from a guest into the kernel and back.
 *
 * Guests run at CPL 3 in two modes that only the kernel tells apart (vcpu.mode): guest user and
 * guest kernel. A SYSCALL from user mode goes straight to the guest kernel's syscall entry, and the
 * SYSCALL at the registered ERETU address straight back, both without leaving assembly. All else
 * saves the registers in the current vcpu, runs one C function on this CPU's stack and leaves
 * through guest_resume.
 *
 * GS: in the kernel GS.base is this CPU's struct cpu and the inactive base is the guest's; SWAPGS
 * happens once on each way. Interrupts are off throughout. NMI, #MC, #DF and #DB have their own
 * stacks and find their way without GS, so they may hit anywhere in here.
 */
#include <pv/abi.h>

#include "cpu.h"
#include "regs.h"
#include "vcpu_asm.h"
#include "x86.h"

#define UFRAME(field) (PV_VCS_UFRAME + PV_FRAME_##field)

/* RFLAGS bits that SYSRET must not be given: TF, IOPL, NT, RF, VM, VIF, VIP. */
#define FLAGS_NOT_FAST 0x1b7100
#define FLAGS_HANDLER 0x202

/*
 * Saves what SYSCALL found.
 * in:  rsp = current vcpu, guest rsp in CPU_SCRATCH, rcx = rip, r11 = rflags, rest the guest's
 * out: rdi = current vcpu, rsp = kernel stack, rbp = 0, rcx clobbered
 */
.macro SAVE_SYSCALL
	movq %rcx, REGS_RIP(%rsp)
	movq %rcx, REGS_RCX(%rsp)
	movq %r11, REGS_RFLAGS(%rsp)
	movq %r11, REGS_R11(%rsp)
	movq $SEL_UCODE, REGS_CS(%rsp)
	movq $SEL_UDATA, REGS_SS(%rsp)
	movq %gs:CPU_SCRATCH, %rcx
	movq %rcx, REGS_RSP(%rsp)
	movq %rax, REGS_RAX(%rsp)
	movq %rdi, REGS_RDI(%rsp)
	movq %rsi, REGS_RSI(%rsp)
	movq %rdx, REGS_RDX(%rsp)
	movq %r10, REGS_R10(%rsp)
	movq %r8, REGS_R8(%rsp)
	movq %r9, REGS_R9(%rsp)
	movq %rbx, REGS_RBX(%rsp)
	movq %rbp, REGS_RBP(%rsp)
	movq %r12, REGS_R12(%rsp)
	movq %r13, REGS_R13(%rsp)
	movq %r14, REGS_R14(%rsp)
	movq %r15, REGS_R15(%rsp)
	movq %rsp, %rdi
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
.endm

	.section .text.entry, "ax"
	.code64

/*
 * LSTAR. in: rcx = rip behind the SYSCALL, r11 = rflags, rsp and all else the guest's.
 */
	.balign 64
	.globl guest_syscall
guest_syscall:
	swapgs
	movq %rsp, %gs:CPU_SCRATCH
	movq %gs:CPU_CURRENT, %rsp
	cmpl $VCPU_MODE_KERNEL, VCPU_MODE(%rsp)
	je from_kernel_mode

	/* Guest user mode: the frame is written so that ERETU of the same frame can use SYSRET. */
	cmpq $0, VCPU_FAST_SYSCALL(%rsp)
	je syscall_through_c
	movq VCPU_VCS(%rsp), %rsp
	movq %rcx, UFRAME(RIP)(%rsp)
	movq %rcx, UFRAME(RCX)(%rsp)
	movq %r11, UFRAME(RFLAGS)(%rsp)
	movq %r11, UFRAME(R11)(%rsp)
	movq $SEL_UCODE, UFRAME(CS)(%rsp)
	movq $SEL_UDATA, UFRAME(SS)(%rsp)
	andq $~PV_VCS_IF, PV_VCS_FLAGS(%rsp)
	movq %gs:CPU_CURRENT, %rcx
	movl $VCPU_MODE_KERNEL, VCPU_MODE(%rcx)
	movq VCPU_KERNEL_CR3(%rcx), %r11
	cmpq VCPU_USER_CR3(%rcx), %r11
	je 1f
	movq %r11, %cr3
1:	movq %gs:CPU_SCRATCH, %r11
	movq %r11, REGS_RSP(%rcx)
	swapgs
	rdgsbase %r11
	movq %r11, PV_VCS_USER_GS_BASE(%rsp)
	movq VCPU_KERNEL_GS(%rcx), %r11
	wrgsbase %r11
	movq REGS_RSP(%rcx), %rsp
	movq VCPU_FAST_SYSCALL(%rcx), %rcx
	movl $FLAGS_HANDLER, %r11d
	sysretq

/*
 * A hypercall with nothing else to do saves what C does not keep, calls its function out of the table
 * of hypercall.c, as hypercall_dispatch() would, and leaves by SYSRET if the call made no work for the
 * exit. rbp is the guest's in the function called: its frame is the last one of the stack. The root needs no
 * look: who gives the running vCPU another one loads it. For the mailboxes of tlbflush.c the CPU counts
 * as being in the guest meanwhile: who wants it to flush sends an interrupt, which is taken behind the
 * SYSRET.
 * in: rsp = current vcpu, guest rsp in CPU_SCRATCH until the end, rcx, r11 as SYSCALL left them
 */
from_kernel_mode:
	cmpq %rcx, VCPU_ERETU(%rsp)
	je eretu
	cmpq %rcx, VCPU_ERETS(%rsp)
	je erets
	cmpl $0, VCPU_EXIT_WORK(%rsp)
	jne hypercall_with_work
	testl $FLAGS_NOT_FAST, %r11d
	jne hypercall_with_work
	testl %ecx, %ecx /* the one rip that is not canonical, 1 << 47, is among these */
	je hypercall_with_work
	movq %rcx, REGS_RIP(%rsp)
	incq VCPU_HYPERCALLS(%rsp)
	cmpq $PV_HC_COUNT, %rax
	jae hypercall_unknown
	sbbl %ecx, %ecx /* all ones, and 0 where the branch was predicted wrongly */
	andl %ecx, %eax
	shll $HC_ENTRY_SHIFT, %eax
	leaq hypercall_table(%rip), %rcx
	cmpq %rdi, HC_ENTRY_MAX_OP(%rcx, %rax)
	jb hypercall_unknown
	movq %r11, REGS_RFLAGS(%rsp)
	movq %rdi, REGS_RDI(%rsp)
	movq %rsi, REGS_RSI(%rsp)
	movq %rdx, REGS_RDX(%rsp)
	movq %r10, REGS_R10(%rsp)
	movq %r8, REGS_R8(%rsp)
	movq %r9, REGS_R9(%rsp)
	movq %rsp, %rdi
	leaq REGS_R10(%rsp), %rsi /* struct hc_args */
	movq %gs:CPU_STACK_TOP, %rsp
	call *(%rcx, %rax)
	movq %gs:CPU_CURRENT, %rdi
	cmpl $0, VCPU_EXIT_WORK(%rdi)
	jne hypercall_made_work
	movq REGS_RIP(%rdi), %rcx
	movq REGS_RFLAGS(%rdi), %r11
	movq REGS_R10(%rdi), %r10
	movq REGS_R9(%rdi), %r9
	movq REGS_R8(%rdi), %r8
	movq REGS_RDX(%rdi), %rdx
	movq REGS_RSI(%rdi), %rsi
	movq REGS_RDI(%rdi), %rdi
	movq %gs:CPU_SCRATCH, %rsp
	swapgs
	sysretq

/* Nothing but rax, rcx and rsp has been used. in: as from_kernel_mode, rip saved */
hypercall_unknown:
	movq $-PV_ENOSYS, %rax
	movq REGS_RIP(%rsp), %rcx
	movq %gs:CPU_SCRATCH, %rsp
	swapgs
	sysretq

/* The result and the rest of the registers: the call kept them. in: rdi = current vcpu */
hypercall_made_work:
	movq %rax, REGS_RAX(%rdi)
	movq REGS_RIP(%rdi), %rcx
	movq REGS_RFLAGS(%rdi), %r11
	movq %rcx, REGS_RCX(%rdi)
	movq %r11, REGS_R11(%rdi)
	movq %gs:CPU_SCRATCH, %rcx
	movq %rcx, REGS_RSP(%rdi)
	movq $SEL_UCODE, REGS_CS(%rdi)
	movq $SEL_UDATA, REGS_SS(%rdi)
	movq %rbx, REGS_RBX(%rdi)
	movq %rbp, REGS_RBP(%rdi)
	movq %r12, REGS_R12(%rdi)
	movq %r13, REGS_R13(%rdi)
	movq %r14, REGS_R14(%rdi)
	movq %r15, REGS_R15(%rdi)
	xorl %ebp, %ebp
	call guest_hypercall_end
	jmp guest_resume

hypercall_with_work:
	SAVE_SYSCALL
	call guest_hypercall
	jmp guest_resume

/*
 * ERETU, the short way: nothing to do before user mode, and a frame that SYSRET restores exactly.
 * The VCS is the guest's memory: what is checked is what was loaded. rax is spilled to its place in
 * the vcpu, the gs base to that of rcx. Nothing is changed before the last check.
 * in: as from_kernel_mode
 */
eretu:
	cmpl $0, VCPU_EXIT_WORK(%rsp)
	jne eretu_through_c
	movq %rax, REGS_RAX(%rsp)
	movq %gs:CPU_SCRATCH, %rax
	movq %rax, REGS_RSP(%rsp)
	movq VCPU_VCS(%rsp), %rax
	testl $PV_VCS_IP, PV_VCS_FLAGS(%rax)
	jne eretu_give_up
	cmpq $0, PV_VCS_HINT_VA(%rax)
	jne eretu_give_up
	cmpq $SEL_UCODE, UFRAME(CS)(%rax)
	jne eretu_give_up
	cmpq $SEL_UDATA, UFRAME(SS)(%rax)
	jne eretu_give_up
	movq UFRAME(RFLAGS)(%rax), %r11
	cmpq UFRAME(R11)(%rax), %r11
	jne eretu_give_up
	testl $FLAGS_NOT_FAST, %r11d
	jne eretu_give_up
	movq PV_VCS_USER_GS_BASE(%rax), %rcx
	movq %rcx, REGS_RCX(%rsp)
	sarq $47, %rcx
	incq %rcx
	cmpq $1, %rcx
	ja eretu_give_up
	movq UFRAME(RIP)(%rax), %rcx
	cmpq UFRAME(RCX)(%rax), %rcx
	jne eretu_give_up
	movq %rcx, REGS_RIP(%rsp)
	shrq $47, %rcx
	jne eretu_give_up
	orq $PV_VCS_IF, PV_VCS_FLAGS(%rax)
	movl $VCPU_MODE_USER, VCPU_MODE(%rsp)
	movq VCPU_USER_CR3(%rsp), %rax
	cmpq VCPU_KERNEL_CR3(%rsp), %rax
	je 1f
	movq %rax, %cr3
1:	orl $FLAGS_HANDLER, %r11d
	movq REGS_RIP(%rsp), %rcx
	movq REGS_RCX(%rsp), %rax
	swapgs
	wrgsbase %rax
	movq REGS_RAX(%rsp), %rax
	movq REGS_RSP(%rsp), %rsp
	sysretq

/* rcx and r11 hold other things by now: guest_eretu() takes both from the frame. */
eretu_give_up:
	movq REGS_RAX(%rsp), %rax
eretu_through_c:
	SAVE_SYSCALL
	call guest_eretu
	jmp guest_resume

erets:
	SAVE_SYSCALL
	call guest_erets
	jmp guest_resume

syscall_through_c:
	SAVE_SYSCALL
	call guest_user_syscall
	jmp guest_resume

/* CSTAR: SYSCALL from 32-bit code, where the CPU allows it. in: as guest_syscall, ecx = eip */
	.balign 16
	.globl guest_syscall32
guest_syscall32:
	swapgs
	movq %rsp, %gs:CPU_SCRATCH
	movq %gs:CPU_CURRENT, %rsp
	SAVE_SYSCALL
	call guest_cstar
	jmp guest_resume

/*
 * Any IDT vector from CPL 3. in: rsp = &vcpu.regs.vector, where the CPU and the door pushed to;
 * GS and all other registers are the guest's.
 */
	.balign 16
	.globl guest_trap_entry
guest_trap_entry:
	cld
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
	swapgs
	movq %rsp, %rdi
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call guest_trap
	jmp guest_resume

/* #DB from CPL 3, on its own stack: the frame moves to the vcpu. in: rsp = vector, error, frame */
	.balign 16
	.globl guest_debug_entry
guest_debug_entry:
	cld
	swapgs
	pushq %rdi
	movq %gs:CPU_CURRENT, %rdi
	movq %rsi, REGS_RSI(%rdi)
	movq %rdx, REGS_RDX(%rdi)
	movq %rcx, REGS_RCX(%rdi)
	movq %rax, REGS_RAX(%rdi)
	movq %r8, REGS_R8(%rdi)
	movq %r9, REGS_R9(%rdi)
	movq %r10, REGS_R10(%rdi)
	movq %r11, REGS_R11(%rdi)
	movq %rbx, REGS_RBX(%rdi)
	movq %rbp, REGS_RBP(%rdi)
	movq %r12, REGS_R12(%rdi)
	movq %r13, REGS_R13(%rdi)
	movq %r14, REGS_R14(%rdi)
	movq %r15, REGS_R15(%rdi)
	popq REGS_RDI(%rdi)
	popq REGS_VECTOR(%rdi)
	popq REGS_ERROR(%rdi)
	popq REGS_RIP(%rdi)
	popq REGS_CS(%rdi)
	popq REGS_RFLAGS(%rdi)
	popq REGS_RSP(%rdi)
	popq REGS_SS(%rdi)
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call guest_trap
	/* falls through */

/*
 * Enters this_cpu()->current with its registers. The exit protocol (sched.h, tlbflush.h) has run and
 * the root of its mode is loaded; interrupts stay off until the guest has its flags.
 * in: nothing
 */
	.balign 16
	.globl guest_resume
guest_resume:
	movq %gs:CPU_CURRENT, %rdi
	.globl guest_owner /* what this reads tells an observer who runs next: tests/plugin/owner.h */
guest_owner:
	movq REGS_RIP(%rdi), %rcx
	movq REGS_RFLAGS(%rdi), %r11
	cmpq REGS_RCX(%rdi), %rcx
	jne resume_iret
	cmpq REGS_R11(%rdi), %r11
	jne resume_iret
	testl $FLAGS_NOT_FAST, %r11d
	jne resume_iret
	cmpq $SEL_UCODE, REGS_CS(%rdi)
	jne resume_iret
	cmpq $SEL_UDATA, REGS_SS(%rdi)
	jne resume_iret
	/* Intel's SYSRET faults in ring 0 on a non-canonical rip. */
	movq %rcx, %rax
	sarq $47, %rax
	incq %rax
	cmpq $1, %rax
	ja resume_iret
	/* SYSRET keeps the attributes of a null SS on some CPUs; an interrupt from CPL 3 leaves one. */
	movl %ss, %eax
	cmpl $SEL_KDATA, %eax
	je 3f
	movl $SEL_KDATA, %eax
	movl %eax, %ss
3:	movq REGS_R15(%rdi), %r15
	movq REGS_R14(%rdi), %r14
	movq REGS_R13(%rdi), %r13
	movq REGS_R12(%rdi), %r12
	movq REGS_RBP(%rdi), %rbp
	movq REGS_RBX(%rdi), %rbx
	movq REGS_R10(%rdi), %r10
	movq REGS_R9(%rdi), %r9
	movq REGS_R8(%rdi), %r8
	movq REGS_RAX(%rdi), %rax
	movq REGS_RDX(%rdi), %rdx
	movq REGS_RSI(%rdi), %rsi
	movq REGS_RSP(%rdi), %rsp
	movq REGS_RDI(%rdi), %rdi
	swapgs
	sysretq

/*
 * The frame is copied to the kernel stack, so that a fault of IRETQ itself (guest_iret_fault) does
 * not overwrite the vcpu.
 */
resume_iret:
	movq %gs:CPU_STACK_TOP, %rsp
	pushq REGS_SS(%rdi)
	pushq REGS_RSP(%rdi)
	pushq %r11
	pushq REGS_CS(%rdi)
	pushq %rcx
	movq REGS_R15(%rdi), %r15
	movq REGS_R14(%rdi), %r14
	movq REGS_R13(%rdi), %r13
	movq REGS_R12(%rdi), %r12
	movq REGS_RBP(%rdi), %rbp
	movq REGS_RBX(%rdi), %rbx
	movq REGS_R11(%rdi), %r11
	movq REGS_R10(%rdi), %r10
	movq REGS_R9(%rdi), %r9
	movq REGS_R8(%rdi), %r8
	movq REGS_RAX(%rdi), %rax
	movq REGS_RCX(%rdi), %rcx
	movq REGS_RDX(%rdi), %rdx
	movq REGS_RSI(%rdi), %rsi
	movq REGS_RDI(%rdi), %rdi
	swapgs
	.globl guest_iret
guest_iret:
	iretq

/*
 * The trap door for ring 0 comes here when the instruction at guest_iret faulted: a selector or rip
 * the guest chose. The vcpu still has all registers.
 * in: kernel stack = vector, error, frame; GS is the guest's
 */
	.globl guest_iret_fault
guest_iret_fault:
	swapgs
	movq (%rsp), %rsi
	movq 8(%rsp), %rdx
	movq %gs:CPU_CURRENT, %rdi
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call guest_iret_failed
	jmp guest_resume

/* void arch_enter_guest(void): from the idle loop into this_cpu()->current; does not return. */
	.globl arch_enter_guest
arch_enter_guest:
	movq %gs:CPU_STACK_TOP, %rsp
	jmp guest_resume

	.section .note.GNU-stack, "", @progbits
