/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walked_kernel.c - the kernel half of a walked domain, which all its address spaces share, and what a load of a
 * root forgets of the low half.
 */
#include "../lib/abitest.h"
#include "../lib/pagetable.h"

#define KERNEL_VA 0xffffc90000000000ull
#define LOW_VA 0x10000000000ull /* another top-level slot than the program's */

static u64 *roots[2], *pages[2]; /* page i says i + 1 */

static u64 at(u64 va)
{
	return *(volatile u64 *)va;
}

static void load(u32 i)
{
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(roots[i]), 0));
}

/* Two roots that show different pages at va; the first is loaded and gives the kernel half. */
static void two_roots(u64 va)
{
	for (u32 i = 0; i < 2; i++) {
		roots[i] = pt_new_root();
		pages[i] = pages_alloc(1);
		pages[i][0] = i + 1;
		pt_map(roots[i], va, gfn_of(pages[i]), PT_W);
	}
	events_on(0);
	CHECK_OK(OP(AS_CTL, SET_KERNEL_ROOT, root_gpa(roots[0])));
	load(0);
}

/* The entry of va in the first root shows page i from now on. */
static void show(u64 va, u32 i)
{
	*pt_entry(roots[0], va) = gfn_of(pages[i]) << PV_PAGE_SHIFT | PT_P | PT_W;
}

PV_TEST(kernel_half_of_one_root, "PVABI-WLK-019.1", WALKED)
{
	two_roots(KERNEL_VA);
	CHECK_EQ(at(KERNEL_VA), 1);
	load(1);
	CHECK_EQ(at(KERNEL_VA), 1);
	CHECK_OK(OP(AS_CTL, SET_KERNEL_ROOT, root_gpa(roots[1])));
	CHECK_EQ(at(KERNEL_VA), 2);
	load(0);
	CHECK_EQ(at(KERNEL_VA), 2);
	*(volatile u64 *)KERNEL_VA = 3;
	CHECK_EQ(pages[1][0], 3);
	CHECK_EQ(try_read(KERNEL_VA + PAGE_BYTES), 14);
}

PV_TEST(load_root_forgets, "PVABI-WLK-020.1", WALKED)
{
	two_roots(LOW_VA);
	for (u32 i = 0; i < 10; i++) {
		CHECK_EQ(at(LOW_VA), 1 + i % 2);
		show(LOW_VA, (i + 1) % 2);
		load(0);
	}
}

PV_TEST(kernel_half_flushed, "PVABI-WLK-021.1", WALKED)
{
	two_roots(KERNEL_VA);
	for (u32 i = 0; i < 12; i++) {
		u64 whole = i & 2, all = i & 4 ? PV_FLUSH_ALL : 0;

		load(i % 3 % 2); /* whatever root is loaded */
		CHECK_EQ(at(KERNEL_VA), 1 + i % 2);
		show(KERNEL_VA, (i + 1) % 2);
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, whole ? 0 : KERNEL_VA, whole ? 0 : KERNEL_VA + PAGE_BYTES,
			    PV_FLUSH_KERNEL | all));
		CHECK_EQ(at(KERNEL_VA), 1 + (i + 1) % 2);
	}
	CHECK_ERR(HC(AS_FLUSH, root_gpa(roots[0]), 0, 0, PV_FLUSH_KERNEL), EINVAL);
}

SMALL_CACHES(kernel_half_of_one_root, "PVABI-WLK-019.1");
SMALL_CACHES(load_root_forgets, "PVABI-WLK-020.1");
SMALL_CACHES(kernel_half_flushed, "PVABI-WLK-021.1");
FUSED_TOO(kernel_half_of_one_root, "PVABI-WLK-019.1");
FUSED_TOO(load_root_forgets, "PVABI-WLK-020.1");
FUSED_TOO(kernel_half_flushed, "PVABI-WLK-021.1");
