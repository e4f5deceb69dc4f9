// SPDX-License-Identifier: BSD-2-Clause
/*
 * percpu.c - the stacks and descriptor tables of each CPU, in a region of its own of slot 271.
 *
 * Every stack lies between unmapped pages: an overflow is a double fault with its own stack, never
 * silent damage. Above each IST stack's first frame stands the struct cpu pointer (traps_entry.S).
 */
#include "cpu.h"

#include "arch.h"
#include "boot_info.h"
#include "paging.h"
#include "platform.h"
#include "string.h"

#define REGION_SIZE KIB(128)
#define IST_STACK_SIZE KIB(8)
#define DATA_FLAGS (PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX)

struct tables {
	u64 gdt[GDT_ENTRIES];
	struct tss tss;
};

struct table_pointer {
	u16 limit;
	u64 base;
} __packed;

/* Maps size bytes of fresh memory at *at, moves *at past them and a guard page. Returns the end. */
static vaddr_t add_stack(vaddr_t *at, u64 size)
{
	vaddr_t end = *at + size;

	paging_map(*at, boot_mem_alloc(size, PAGE_SIZE), size, DATA_FLAGS);
	*at = end + PAGE_SIZE;
	return end;
}

static void fill_gdt(u64 *gdt, const struct tss *tss)
{
	u64 base = (u64)tss, limit = sizeof(*tss) - 1;

	gdt[SEL_KCODE32 / 8] = 0x00cf9b000000ffffull;
	gdt[SEL_KCODE / 8] = 0x00af9b000000ffffull;
	gdt[SEL_KDATA / 8] = 0x00cf93000000ffffull;
	gdt[SEL_UCODE32 / 8] = 0x00cffb000000ffffull;
	gdt[SEL_UDATA / 8] = 0x00cff3000000ffffull;
	gdt[SEL_UCODE / 8] = 0x00affb000000ffffull;
	gdt[SEL_TSS / 8] = (limit & 0xffff) | (base & 0xffffff) << 16 | 0x89ull << 40 |
			   (base >> 24 & 0xff) << 56;
	gdt[SEL_TSS / 8 + 1] = base >> 32;
}

void percpu_create(struct cpu *cpu)
{
	vaddr_t at = PERCPU_BASE + cpu->id * REGION_SIZE + PAGE_SIZE;
	struct tables *t;

	cpu->self = cpu;
	cpu->stack_top = add_stack(&at, STACK_SIZE);
	t = (struct tables *)at;
	add_stack(&at, (sizeof(*t) + PAGE_SIZE - 1) & PAGE_MASK);
	cpu->gdt = t->gdt;
	cpu->tss = &t->tss;
	fill_gdt(t->gdt, &t->tss);
	for (u32 i = 0; i < IST_COUNT; i++) {
		vaddr_t top = add_stack(&at, IST_STACK_SIZE) - 16;

		*(struct cpu **)top = cpu;
		t->tss.ist[i] = top;
	}
	t->tss.rsp[0] = cpu->stack_top;
	t->tss.iomap_base = offsetof(struct tss, iomap);
	memset(t->tss.iomap, 0xff, sizeof(t->tss.iomap));
}

void percpu_load(struct cpu *cpu)
{
	struct table_pointer ptr = { GDT_ENTRIES * 8 - 1, (u64)cpu->gdt };

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%ss\n\t"
			 "lldt %w2\n\t" /* after reset it covers 64 KiB at 0: guest memory */
			 "ltr %w3"
			 :
			 : "m"(ptr), "i"(SEL_KCODE), "r"(0), "r"(SEL_TSS)
			 : "rax", "memory");
	wrmsr(MSR_GS_BASE, (u64)cpu);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	wrmsr(MSR_FS_BASE, 0);
}
