// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_near.c - what the fault path remembers of upper tables (struct near): what ends it, and what a guest may do
 * without telling.
 */
#include "walked.h"

#include "arch_mmu.h"

#define REGION 0x200000ull

/* A root whose first pages are mapped, and a first access, after which the way to them is known. */
static gfn_t known_root(u64 flags)
{
	gfn_t root = new_root();

	for (u64 i = 1; i < 8; i++)
		guest_map(&guest, root, i << 12, DATA + i, flags & ~PTE_A); /* or the first fill fills more */
	load(root, 0);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 1);
	return root;
}

/* Another leaf table for the region, in which page i is DATA + 16 + i. */
static void exchange_table(gfn_t root, vaddr_t va)
{
	gfn_t table = guest_table(&guest);

	for (u64 i = 0; i < 8; i++)
		((u64 *)guest_page(dom, table))[i] = (DATA + 16 + i) << 12 | RW;
	*guest_entry(&guest, root, va, 21) = table << 12 | PTE_P | PTE_W | PTE_U | PTE_A;
}

static void test_flush_ends_it(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = known_root(RW);
	exchange_table(root, 0);
	assert_int_equal(aspace_flush(v, root << 12, 0x7000, 0x8000, 0), 0); /* one page is enough */
	assert_int_equal(touch(0x2000, HOST_WRITE), DATA + 18);

	root = known_root(RW);
	exchange_table(root, 0);
	load(root, 0); /* a root without KEEP */
	assert_int_equal(touch(0x2000, HOST_WRITE), DATA + 18);

	root = known_root(RW);
	exchange_table(root, 0);
	load(new_root(), 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, root << 12), 0);
	load(root, PV_ROOT_KEEP); /* the name again, another space */
	assert_int_equal(touch(0x2000, HOST_WRITE), DATA + 18);
	host_domain_free(dom);
}

static void test_kernel_flush_ends_it(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	for (u64 i = 1; i < 8; i++)
		guest_map(&guest, root, KERNEL_VA + (i << 12), DATA + i, KRW & ~PTE_A);
	load(root, 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, root << 12), 0);
	assert_int_equal(touch(KERNEL_VA + 0x1000, HOST_READ), DATA + 1);
	exchange_table(root, KERNEL_VA);
	assert_int_equal(aspace_flush(v, 0, KERNEL_VA, KERNEL_VA + REGION, PV_FLUSH_KERNEL), 0);
	assert_int_equal(touch(KERNEL_VA + 0x2000, HOST_READ), DATA + 18);
	host_domain_free(dom);
}

/* A page that was not there, and rights that grow: no flush is needed for either, on any level. */
static void test_without_a_flush(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = known_root(RW);
	expect_fault(0x9000, HOST_WRITE, 2);
	guest_map(&guest, root, 0x9000, DATA + 9, RW);
	assert_int_equal(touch(0x9000, HOST_WRITE), DATA + 9);

	root = new_root();
	for (u64 i = 1; i < 8; i++)
		guest_map(&guest, root, i << 12, DATA + i, RW & ~PTE_A);
	*guest_entry(&guest, root, 0, 21) &= ~PTE_W;
	load(root, 0);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 1);
	expect_fault(0x2000, HOST_WRITE, 3);
	*guest_entry(&guest, root, 0, 21) |= PTE_W;
	assert_int_equal(touch(0x2000, HOST_WRITE), DATA + 2);
	host_domain_free(dom);
}

/* The leaf table's own frame goes: what it said is not said any more, and nobody reads the frame. */
static void test_table_released(void **state)
{
	gfn_t root, table;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = known_root(RW);
	table = (*guest_entry(&guest, root, 0, 21) & PTE_ADDR) >> PAGE_SHIFT;
	assert_int_equal(mem_release(dom, table, 1), 1);
	expect_fault(0x2000, HOST_READ, 0);
	mm_prefill(v, 0x3000, 2);
	expect_fault(0x3000, HOST_READ, 0);
	assert_int_equal(mem_populate(dom, table, 1), 1);
	guest_map(&guest, root, 0x2000, DATA + 20, RW);
	assert_int_equal(touch(0x2000, HOST_WRITE), DATA + 20);
	host_domain_free(dom);
}

/* Pages of both modes in one region: neither view gets what belongs to the other. */
static void test_private_slot(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = known_root(RW);
	guest_map(&guest, root, 0x3000, DATA + 3, KRW);
	assert_int_equal(touch(0x2000, HOST_WRITE), DATA + 2); /* into tables both views have */
	assert_int_equal(touch(0x3000, HOST_WRITE), DATA + 3);
	assert_int_equal(touch(0x4000, HOST_WRITE), DATA + 4);
	expect_fault(0x4000, HOST_EXEC, 17);
	host_set_mode(v, MODE_USER);
	expect_fault(0x3000, HOST_READ, 5);
	assert_int_equal(touch(0x5000, HOST_WRITE), DATA + 5);
	assert_int_equal(touch(0x5000, HOST_EXEC), DATA + 5);
	mm_prefill(v, 0x3000, 3);
	expect_fault(0x3000, HOST_READ, 5);
	host_set_mode(v, MODE_KERNEL);
	expect_fault(0x5000, HOST_EXEC, 17);
	assert_int_equal(touch(0x3000, HOST_READ), DATA + 3);
	host_domain_free(dom);
}

/* A small page where a large one was, and the other way round. */
static void test_large_and_small(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = known_root(RW);
	map_large(root, 0, DATA, RW);
	assert_int_equal(aspace_flush(v, root << 12, 0, REGION, 0), 0);
	assert_int_equal(touch(0x6000, HOST_WRITE), DATA + 6);
	exchange_table(root, 0);
	assert_int_equal(aspace_flush(v, root << 12, 0, REGION, 0), 0);
	assert_int_equal(touch(0x6000, HOST_WRITE), DATA + 22);
	host_domain_free(dom);
}

/* Beside a page the tables had already: those behind it that were accessed, and no others. */
static void test_around(void **state)
{
	u64 fills;
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	for (u64 i = 0; i < 12; i++)
		guest_map(&guest, root, 0x10000 + (i << 12), DATA + i, i == 2 ? RW & ~PTE_A : RW);
	guest_map(&guest, root, 0x14000, DATA + 4, KRW); /* the kernel's */
	guest_map(&guest, root, REGION - 0x1000, DATA + 30, RW); /* the last of a table */
	guest_map(&guest, root, REGION, DATA + 31, RW);
	load(root, 0);
	host_set_mode(v, MODE_USER);
	fills = dom->fills;
	assert_int_equal(touch(0x10000, HOST_WRITE), DATA);
	assert_int_equal(dom->fills, fills + 6); /* 1, 3, 5, 6, 7 and itself */
	assert_int_equal(faults_at(0x11000), 0);
	assert_int_equal(faults_at(0x17000), 0);
	assert_int_equal(faults_at(0x12000), 1);
	assert_int_equal(*guest_entry(&guest, root, 0x18000, 12) & PTE_A, PTE_A);
	expect_fault(0x14000, HOST_READ, 5);
	fills = dom->fills;
	assert_int_equal(touch(REGION - 0x1000, HOST_READ), DATA + 30);
	assert_int_equal(dom->fills, fills + 1);
	assert_int_equal(touch(REGION, HOST_READ), DATA + 31);
	host_domain_free(dom);
}

/* A hint fills its first page anew even if there is one, and of the others those that are absent. */
static void test_hint_over(void **state)
{
	gfn_t root;
	u64 fills;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = known_root(RW);
	assert_int_equal(touch(0x2000, HOST_READ), DATA + 2);
	assert_int_equal(touch(0x3000, HOST_READ), DATA + 3);
	guest_map(&guest, root, 0x2000, DATA + 20, RW);
	guest_map(&guest, root, 0x3000, DATA + 30, RW);
	guest_map(&guest, root, 0x4000, DATA + 4, RW);
	fills = dom->fills;
	mm_prefill(v, 0x2000, 4); /* 0x5000 was not accessed */
	assert_int_equal(dom->fills, fills + 2);
	arch_flush_tlb();
	assert_int_equal(touch(0x2000, HOST_READ), DATA + 20);
	assert_int_equal(touch(0x3000, HOST_READ), DATA + 3);
	assert_int_equal(faults_at(0x4000), 0);
	assert_int_equal(faults_at(0x5000), 1);
	host_domain_free(dom);
}

/* A hint about tables that nobody has used is followed, but they are not remembered: nothing says who has. */
static void test_hint_not_accessed(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	for (u64 i = 0; i < 4; i++)
		guest_map(&guest, root, i << 12, DATA + i, RW);
	for (u32 level = 0; level < 2; level++) {
		load(root, 0);
		*guest_entry(&guest, root, 0, level ? 39 : 21) &= ~PTE_A;
		mm_prefill(v, 0, 2);
		assert_int_equal(*guest_entry(&guest, root, 0, level ? 39 : 21) & PTE_A, 0); /* a hint uses nothing */
		assert_int_equal(faults_at(0x1000), 0);
		assert_int_equal(touch(0x1000, HOST_READ), DATA + 1);
		assert_int_equal(touch(0x3000, HOST_READ), DATA + 3);
		assert_int_equal(*guest_entry(&guest, root, 0, level ? 39 : 21) & PTE_A, PTE_A);
	}
	host_domain_free(dom);
}

/* One page was told of, then a large one lies there: what there was of small ones goes. */
static void test_large_over_small(void **state)
{
	struct levels_seen before;
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = known_root(RW);
	assert_int_equal(touch(0x2000, HOST_WRITE), DATA + 2);
	before = levels_now();
	map_large(root, 0, DATA + 512, RW);
	assert_int_equal(aspace_flush(v, root << 12, 0x7000, 0x8000, 0), 0);
	assert_int_equal(touch(0x7000, HOST_WRITE), DATA + 512 + 7);
	assert_int_equal(faults_at(0x1ff000), 0); /* one leaf for all */
	assert_int_equal(levels_now().l[LVL_TABLES], before.l[LVL_TABLES] - 1);
	host_domain_free(dom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flush_ends_it),
		cmocka_unit_test(test_kernel_flush_ends_it),
		cmocka_unit_test(test_without_a_flush),
		cmocka_unit_test(test_table_released),
		cmocka_unit_test(test_private_slot),
		cmocka_unit_test(test_large_and_small),
		cmocka_unit_test(test_around),
		cmocka_unit_test(test_hint_over),
		cmocka_unit_test(test_hint_not_accessed),
		cmocka_unit_test(test_large_over_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
