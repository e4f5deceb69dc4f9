// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_ends.c - walked spaces where something ends: addresses, memory, the places for tables and spaces.
 */
#include "walked.h"

#include "mm_internal.h"

/* More spaces without a table than are dropped at a time stand before the one that is in the way. */
static void test_many_empty_spaces(void **state)
{
	gfn_t busy, empty[20];
	u32 most;
	(void)state;

	start(1, 512, 1);
	busy = new_root();
	most = dom->mm.vtlb_tables;
	for (u32 i = 0; i < 2 * most; i++)
		guest_map(&guest, busy, i * GIB(1), DATA + i, RW);
	for (u32 i = 0; i < ARRAY_SIZE(empty); i++) {
		empty[i] = new_root();
		load(empty[i], PV_ROOT_KEEP);
	}
	load(busy, PV_ROOT_KEEP);
	for (u32 i = 0; i < 2 * most; i++) {
		assert_int_equal(touch(i * GIB(1), HOST_READ), DATA + i);
		assert_true(dom->mm.leaf_tables <= most);
	}
	assert_int_equal(levels[LVL_ASPACES], 2); /* all of them went first; the other is the initial one */
	mm_check(dom);
	host_domain_free(dom);
}

/* The bit for a large page in an entry of the top level is not known to the walk: it is a table. */
static void test_no_larger_page(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA + 1, RW);
	*(u64 *)guest_page(dom, root) |= PTE_PS;
	load(root, 0);
	assert_int_equal(touch(0x1000, HOST_WRITE), DATA + 1);
	host_domain_free(dom);
}

/* In the kernel's half as well: leaves of a large page go together, whichever of them is told of. */
static void test_splinter_above(void **state)
{
	gfn_t root;
	u64 *e;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	scatter();
	root = new_root();
	e = map_large(root, KERNEL_VA, DATA, KRW);
	load(root, 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, root << 12), 0);
	touch_large(KERNEL_VA, HOST_WRITE, DATA);
	*e = (DATA + 512) << 12 | KRW | PTE_PS;
	assert_int_equal(aspace_flush(v, 0, KERNEL_VA + 0x7000, KERNEL_VA + 0x8000, PV_FLUSH_KERNEL), 0);
	touch_large(KERNEL_VA, HOST_WRITE, DATA + 512);
	assert_int_equal(aspace_flush(v, 0, 0ull - MIB(2), 0ull - PAGE_SIZE, PV_FLUSH_KERNEL), 0);
	host_domain_free(dom);
}

/* A device's registers appear where ones were read before: nobody keeps those. */
static void test_registers_for_absent(void **state)
{
	gfn_t root;
	u64 error;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, NPAGES + 5, RW);
	load(root, 0);
	assert_int_equal(touch(0x1000, HOST_READ), ~0ull);
	assert_int_equal(mem_map_io(dom, DATA, 0xfe000, 1), -PV_EEXIST);
	assert_int_equal(faults_at(0x1000), 0);
	assert_int_equal(mem_map_io(dom, NPAGES + 5, 0xfe000, 1), 1);
	assert_int_equal(mm_guest_fault(v, 0x1000, 0, &error), FAULT_RESUME); /* else an old leaf would stay */
	expect_fault(0x1000, HOST_EXEC, 17);
	assert_int_equal(mem_map_io(dom, NPAGES + 6, 0xfe001, 1), 1); /* nobody has seen its absence */
	host_domain_free(dom);
}

/* No page for what memory that is not there shows: the end, or another try once something is free. */
static void test_no_dummy(void **state)
{
	gfn_t root, other_root;
	u64 error;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, NPAGES + 5, RW);
	load(root, 0);
	host_fail_all();
	assert_int_equal(mm_guest_fault(v, 0x1000, 0, &error), FAULT_FATAL);
	(void)host_fail_disarm();
	assert_int_equal(touch(0x1000, HOST_READ), ~0ull);
	host_domain_free(dom);

	start(2, 256, PV_VTLB_MAX);
	root = new_root();
	other_root = new_root();
	guest_map(&guest, root, 0x1000, NPAGES + 5, RW);
	guest_map(&guest, other_root, KERNEL_VA, DATA, KRW);
	load(other_root, 0);
	(void)touch(KERNEL_VA, HOST_READ);
	load(root, 0);
	assert_int_equal(aspace_flush(v, 0, 0, 0, PV_FLUSH_KERNEL), 0); /* tables that another CPU may have */
	host_fail_all();
	assert_int_equal(mm_guest_fault(v, 0x1000, 0, &error), FAULT_RESUME);
	(void)host_fail_disarm();
	assert_int_equal(touch(0x1000, HOST_READ), ~0ull);
	host_domain_free(dom);
}

/* A range that ends with the last address there is. */
static void test_flush_of_the_top(void **state)
{
	vaddr_t top = 0ull - GIB(1);
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, top, DATA + 1, KRW);
	guest_map(&guest, root, 0ull - 2 * PAGE_SIZE, DATA + 2, KRW);
	load(root, 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, root << 12), 0);
	assert_int_equal(touch(top, HOST_READ), DATA + 1);
	assert_int_equal(touch(0ull - 2 * PAGE_SIZE, HOST_READ), DATA + 2);
	guest_map(&guest, root, 0ull - 2 * PAGE_SIZE, DATA + 3, KRW);
	assert_int_equal(aspace_flush(v, 0, 0ull - MIB(4), 0ull - PAGE_SIZE, PV_FLUSH_KERNEL), 0);
	assert_int_equal(touch(0ull - 2 * PAGE_SIZE, HOST_READ), DATA + 3);
	assert_int_equal(faults_at(top), 0);
	spin_lock(&dom->mm.lock);
	(void)tables_drop_range(dom, NULL, top - GIB(1), 0); /* as far as there are addresses */
	spin_unlock(&dom->mm.lock);
	arch_flush_tlb();
	assert_int_equal(faults_at(top), 1);
	assert_int_equal(faults_at(0ull - 2 * PAGE_SIZE), 1);
	/* One that is too long to be looked through takes the whole half. */
	guest_map(&guest, root, KERNEL_VA, DATA + 4, KRW);
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 4);
	assert_int_equal(aspace_flush(v, 0, KERNEL_VA + GIB(1), KERNEL_VA + GIB(400), PV_FLUSH_KERNEL), 0);
	assert_int_equal(faults_at(KERNEL_VA), 1);
	assert_int_equal(faults_at(top), 1);
	host_domain_free(dom);
}

/* Without memory for a space of its own a root takes over the one the vCPU leaves, if that is its alone. */
static void test_taken_over(void **state)
{
	gfn_t a, b, c;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	a = new_root();
	b = new_root();
	c = new_root();
	guest_map(&guest, a, 0x1000, DATA + 1, RW);
	guest_map(&guest, b, 0x1000, DATA + 2, RW);
	guest_map(&guest, c, 0x1000, DATA + 3, RW);
	host_fail_all();
	assert_int_equal(aspace_load_root(v, a << 12, 0), 0); /* what is in reserve is enough for one */
	(void)host_fail_disarm();
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 1);
	host_fail_all();
	assert_int_equal(aspace_load_root(v, b << 12, 0), 0);
	(void)host_fail_disarm();
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 2);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, b << 12), 0); /* it is in it: without a name from now on */
	host_fail_all();
	assert_int_equal(aspace_load_root(v, c << 12, 0), 0);
	(void)host_fail_disarm();
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 3);
	mm_check(dom);
	host_domain_free(dom);
}

/* Where even what should be in reserve was not to be had, two vCPUs in one space keep it, or have none at all. */
static void test_no_space(void **state)
{
	struct vcpu *second, *third;
	gfn_t a, b, c;
	u64 error;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	a = new_root();
	b = new_root();
	c = new_root();
	guest_map(&guest, a, 0x1000, DATA + 1, RW);
	guest_map(&guest, b, 0x1000, DATA + 2, RW);
	host_fail_all();
	second = host_vcpu(dom, 1);
	third = host_vcpu(dom, 2);
	(void)host_fail_disarm();
	load(a, 0);
	assert_int_equal(aspace_load_root(second, a << 12, PV_ROOT_KEEP), 0);
	host_fail_all();
	assert_int_equal(aspace_load_root(third, c << 12, 0), 0); /* takes what is in reserve */
	assert_int_equal(aspace_load_root(v, b << 12, 0), -PV_ENOMEM);
	(void)host_fail_disarm();
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 1); /* where it was */
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, b << 12), 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, a << 12), 0);
	host_fail_all();
	assert_int_equal(mm_guest_fault(v, 0x1000, 0, &error), FAULT_FATAL);
	(void)host_fail_disarm();
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 2); /* the kernel's own space, once there is memory */
	mm_check(dom);
	host_domain_free(dom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_empty_spaces),
		cmocka_unit_test(test_no_larger_page),
		cmocka_unit_test(test_splinter_above),
		cmocka_unit_test(test_registers_for_absent),
		cmocka_unit_test(test_no_dummy),
		cmocka_unit_test(test_flush_of_the_top),
		cmocka_unit_test(test_taken_over),
		cmocka_unit_test(test_no_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
