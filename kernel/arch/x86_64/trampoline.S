/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trampoline.S - where an application processor wakes up.
 *
 * The first part is copied to a page below 1 MiB and runs there from real mode up to 64-bit mode
 * on the boot address space. Nothing in it is per CPU: each one finds its own struct cpu by its
 * APIC id, so all may come up at once and a late one cannot take another's stack.
 */
#include "arch_layout.h"
#include "cpu.h"
#include "x86.h"

#define pa(sym) ((sym) - KERNEL_BASE)

	.section .rodata.trampoline, "a"
	.balign 16
	.globl trampoline_start, trampoline_end, trampoline_jump32, trampoline_jump64
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	xorl %ebx, %ebx
	movw %ax, %bx
	shll $4, %ebx
	lgdtl trampoline_gdt_ptr - trampoline_start
	movl %cr0, %eax
	orl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl *(trampoline_jump32 - trampoline_start)

	.code32
trampoline_32:
	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $pa(boot_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(EFER_LME | EFER_NXE), %eax
	wrmsr
	movl $(CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG | 0x10), %eax
	movl %eax, %cr0
	ljmpl *(trampoline_jump64 - trampoline_start)(%ebx)

	.code64
trampoline_64:
	movabsq $ap_high, %rax
	jmp *%rax

	.balign 4
trampoline_gdt_ptr:
	.short 4 * 8 - 1
	.long boot_gdt
/* offsets relative to the start; the copier adds the page's address */
trampoline_jump32:
	.long trampoline_32 - trampoline_start, SEL_KCODE32
trampoline_jump64:
	.long trampoline_64 - trampoline_start, SEL_KCODE
trampoline_end:

	.section .text.entry, "ax"
	.code64
/* in: nothing; on the boot address space, no stack */
ap_high:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movq kernel_root_paddr(%rip), %rax
	movq %rax, %cr3
	/* APIC id: leaf 0xb where the kernel uses x2APIC, leaf 1 otherwise */
	cmpb $0, lapic_x2(%rip)
	je 1f
	movl $0xb, %eax
	xorl %ecx, %ecx
	cpuid
	movl %edx, %ebx
	jmp 2f
1:	movl $1, %eax
	cpuid
	shrl $24, %ebx
2:	leaq cpus(%rip), %rdi
	movl $(MAX_CPUS - 1), %ecx
3:	addq $CPU_SIZE, %rdi
	cmpl $CPU_STATE_STARTING, CPU_STATE(%rdi)
	jne 4f
	cmpl %ebx, CPU_APIC_ID(%rdi)
	je 5f
4:	decl %ecx
	jnz 3b
6:	cli /* not ours to run */
	hlt
	jmp 6b
5:	movq CPU_STACK_TOP(%rdi), %rsp
	movq %rdi, %rax
	movq %rdi, %rdx
	shrq $32, %rdx
	movl $MSR_GS_BASE, %ecx
	wrmsr
	xorl %ebp, %ebp
	call ap_main
	ud2

	.section .note.GNU-stack, "", @progbits
