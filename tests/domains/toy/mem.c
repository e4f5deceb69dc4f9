// SPDX-License-Identifier: BSD-2-Clause
/*
 * mem.c - page tables of the toy guest: the kernel's image and all memory in the upper half, 4 KiB
 * user pages in the lower.
 */
#include "toy.h"

#define KERNEL_VA 0xffffffff80000000ull
#define DIRECT_VA 0xffff888000000000ull
#define MAPPED (64ull << 20)

extern char toy_end[];
static bool direct; /* the direct map works */
static u64 next_free;
u64 root_gpa;

void *gpa_ptr(u64 gpa)
{
	return (void *)(gpa + (direct ? DIRECT_VA : KERNEL_VA));
}

u64 page_alloc(void)
{
	u64 gpa = next_free;
	u64 *p = gpa_ptr(gpa);

	next_free += 4096;
	for (u32 i = 0; i < 512; i++)
		p[i] = 0;
	return gpa;
}

static u64 *table_below(u64 *entry, u64 flags)
{
	if (!(*entry & PTE_P))
		*entry = page_alloc() | PTE_P | PTE_W | PTE_A | flags;
	return gpa_ptr(*entry & PTE_ADDR);
}

u64 *pte_of(u64 va)
{
	u64 flags = va >> 63 ? 0 : PTE_U;
	u64 *t = gpa_ptr(root_gpa);

	for (u32 shift = 39; shift > 12; shift -= 9)
		t = table_below(&t[va >> shift & 511], flags);
	return &t[va >> 12 & 511];
}

void map(u64 va, u64 gpa, u64 flags)
{
	*(volatile u64 *)pte_of(va) = gpa | flags;
}

i64 flush(u64 start, u64 end)
{
	return HC4(AS_FLUSH, PV_FOREVER, start, end, 0);
}

/* Large pages: 2 MiB each at va. */
static void map_large(u64 va)
{
	u64 *l4 = gpa_ptr(root_gpa), *l3, *l2;

	l3 = table_below(&l4[va >> 39 & 511], 0);
	for (u64 at = 0; at < MAPPED; at += 2ull << 20) {
		l2 = table_below(&l3[(va + at) >> 30 & 511], 0);
		l2[(va + at) >> 21 & 511] = at | PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS;
	}
}

void mem_init(void)
{
	next_free = ((u64)toy_end - KERNEL_VA + 4095) & ~4095ull;
	/* What init put behind the image (start_info, command line) stays where it is. */
	if (next_free < (4ull << 20))
		next_free = 4ull << 20;
	root_gpa = page_alloc();
	map_large(KERNEL_VA);
	map_large(DIRECT_VA);
	check_eq((u64)HC2(AS_CTL, PV_AS_CTL_SET_KERNEL_ROOT, root_gpa), 0, "SET_KERNEL_ROOT");
	check_eq((u64)HC2(AS_LOAD_ROOT, root_gpa, 0), 0, "AS_LOAD_ROOT");
	direct = true;
	check_eq(*(volatile u64 *)(DIRECT_VA + root_gpa + 8 * 511), *(u64 *)(KERNEL_VA + root_gpa + 8 * 511),
		 "two views of one page agree");
}
