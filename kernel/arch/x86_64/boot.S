/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot.S - from the loader to C.
 *
 * QEMU's -kernel (PVH note) and GRUB (multiboot2, BIOS and UEFI) enter at the same place in the
 * same state: 32-bit protected mode, paging off, ebx = information block. This code checks that
 * the CPU can run 64-bit code at all, builds a throw-away address space that shows the first
 * 4 GiB three times (identity, direct map, kernel image), and calls boot_main() up there.
 */
#include "arch_layout.h"
#include "cpu.h"
#include "x86.h"

#define pa(sym) ((sym) - KERNEL_BASE)

#define MB2_MAGIC 0xe85250d6
#define BOOT_STACK_SIZE 16384

	.section .boot.header, "a"
	.balign 8
mb2_header:
	.long MB2_MAGIC, 0, mb2_end - mb2_header
	.long -(MB2_MAGIC + (mb2_end - mb2_header))
	.balign 8
	.short 3, 0 /* entry address, physical */
	.long 12, boot_entry
	.balign 8
	.short 4, 0 /* console: EGA text can be used, is not required */
	.long 12, 2
	.balign 8
	.short 6, 1 /* modules page-aligned */
	.long 8
	.balign 8
	.short 0, 0
	.long 8
mb2_end:

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad boot_entry

	.section .boot.text, "ax"
	.code32
	.globl boot_entry
/* in: eax = loader magic, ebx = physical address of the information block */
boot_entry:
	cli
	cld
	movl %eax, %ebp
	movl %ebx, %edi
	movl $pa(boot_stack_top), %esp
	lgdt boot_gdt_ptr
	ljmp $SEL_KCODE32, $1f
1:	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss

	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx
	jnc no_long_mode
	btl $20, %edx
	jnc no_nx

	/* 2048 large pages, then one table over them, named from three top-level slots */
	movl $pa(boot_pd), %ebx
	movl $(PTE_P_W_PS), %eax
	xorl %edx, %edx
	movl $2048, %ecx
2:	movl %eax, (%ebx)
	movl %edx, 4(%ebx)
	addl $0x200000, %eax
	addl $8, %ebx
	decl %ecx
	jnz 2b
	movl $pa(boot_pdpt), %ebx
	movl $(pa(boot_pd) + PTE_P_W), %eax
	movl $4, %ecx
3:	movl %eax, (%ebx)
	addl $4096, %eax
	addl $8, %ebx
	decl %ecx
	jnz 3b
	movl $(pa(boot_pdpt) + PTE_P_W), %eax
	movl %eax, pa(boot_pml4)
	movl %eax, pa(boot_pml4) + 256 * 8
	movl %eax, pa(boot_pml4) + 270 * 8

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
	ljmp $SEL_KCODE, $boot_long_mode

	.code64
boot_long_mode:
	movabsq $boot_high, %rax
	jmp *%rax

	.code32
no_long_mode:
	movl $msg_long_mode, %esi
	jmp boot_refuse
no_nx:
	movl $msg_nx, %esi
/* in: esi = text; says it on port 0xE9, the serial port and the VGA screen, then stops */
boot_refuse:
	movl $0xb8000, %edi
	movw $0x3fb, %dx
	movb $0x03, %al /* 8N1; the firmware's speed is kept */
	outb %al, %dx
5:	lodsb
	testb %al, %al
	jz 8f
	outb %al, $0xe9
	movb $0x4f, %ah
	movw %ax, (%edi)
	addl $2, %edi
	movb %al, %bl
	movl $100000, %ecx
	movw $0x3fd, %dx
6:	inb %dx, %al
	testb $0x20, %al
	jnz 7f
	loop 6b
7:	movb %bl, %al
	movw $0x3f8, %dx
	outb %al, %dx
	jmp 5b
8:	hlt
	jmp 8b

msg_long_mode:
	.asciz "ringfence: this CPU cannot run 64-bit code (long mode is missing)\r\n"
msg_nx:
	.asciz "ringfence: this CPU lacks no-execute pages (NX), which are required\r\n"

	.balign 8
	.globl boot_gdt
boot_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff /* 0x08 code 32 */
	.quad 0x00af9b000000ffff /* 0x10 code 64 */
	.quad 0x00cf93000000ffff /* 0x18 data */
	.globl boot_gdt_ptr
boot_gdt_ptr:
	.short 4 * 8 - 1
	.long boot_gdt
	.long 0

	.set PTE_P_W, 0x003
	.set PTE_P_W_PS, 0x083

	.section .text.entry, "ax"
	.code64
/* in: ebp = loader magic, edi = information block */
boot_high:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	leaq boot_stack_top(%rip), %rsp
	leaq cpus(%rip), %rax
	movq %rax, CPU_SELF(%rax)
	movq %rsp, CPU_STACK_TOP(%rax)
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_GS_BASE, %ecx
	wrmsr
	movl %edi, %esi
	movl %ebp, %edi
	xorl %ebp, %ebp
	call boot_main
	ud2

/* void boot_switch_stack(u64 top, void (*fn)(void)): continues in fn on an empty stack */
	.globl boot_switch_stack
boot_switch_stack:
	movq %rdi, %rsp
	xorl %ebp, %ebp
	call *%rsi
	ud2

	.section .bss.page_aligned, "aw", @nobits
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pd:
	.skip 4 * 4096
boot_stack:
	.skip BOOT_STACK_SIZE
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
