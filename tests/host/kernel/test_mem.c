// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_mem.c - populate, release, copy, explicit maps, and the end of a domain.
 */
#include "guest.h"

static void test_populate(void **state)
{
	struct domain *dom;
	struct levels_seen before;
	(void)state;

	host_machine_init(MIB(32), 1, NULL);
	before = levels_now();
	dom = host_domain(PV_KIND_EXPLICIT, 700, 64, PV_VTLB_MAX);
	assert_int_equal(mem_populate(dom, 5, 3), 3);
	assert_int_equal(mem_populate(dom, 4, 3), 1); /* stops at the first that is taken */
	assert_int_equal(mem_populate(dom, 5, 1), -PV_EEXIST);
	assert_int_equal(mem_populate(dom, 100, 100), 8);
	guest_populate(dom, 1024, 512);
	assert_int_equal(dom->mm.mem_used, 4 + 8 + 512);
	assert_int_equal((u64)guest_page(dom, 1024) % MIB(2), (u64)host_ram % MIB(2));
	guest_populate(dom, 2000, 700 - 524);
	assert_int_equal(mem_populate(dom, 3000, 1), -PV_ENOMEM);
	assert_int_equal(dom->mm.mem_used, 700);
	host_domain_free(dom);
	assert_levels(before);
}

/* A 2 MiB block begun and not finished is used for other frames and given back, a piece with each call. */
static void test_reservation(void **state)
{
	struct domain *dom;
	struct levels_seen before;
	(void)state;

	host_machine_init(MIB(32), 1, NULL);
	before = levels_now();
	dom = host_domain(PV_KIND_EXPLICIT, 520, 64, PV_VTLB_MAX);
	assert_int_equal(mem_populate(dom, 512, 512), 4);
	assert_int_equal(dom->mm.mem_used, 512);
	assert_int_equal(mem_populate(dom, 4096, 8), 4);
	assert_in_range(dom->mm.mem_used, 8, 511);
	guest_populate(dom, 4100, 512);
	assert_int_equal(dom->mm.mem_used, 520);
	assert_int_equal(mem_populate(dom, 0, 1), -PV_ENOMEM);
	guest_tag(dom, 512, 4);
	host_domain_free(dom);
	assert_levels(before);
}

static void test_kmem_bounds(void **state)
{
	struct domain *dom;
	struct levels_seen before;
	u64 n = 0;
	(void)state;

	host_machine_init(MIB(32), 1, NULL);
	before = levels_now();
	assert_null(host_domain(PV_KIND_WALKED, 10, 3, PV_VTLB_MAX));
	assert_levels(before);
	dom = host_domain(PV_KIND_EXPLICIT, 1000, 32, PV_VTLB_MAX);
	while (mem_populate(dom, n << 18, 1) == 1) /* two map pages each */
		n++;
	assert_true(n >= 8 && dom->mm.kmem_used <= 32);
	assert_int_equal(mem_populate(dom, n << 18, 1), -PV_ENOMEM);
	host_domain_free(dom);
	assert_levels(before);
}

static void test_release(void **state)
{
	struct domain *dom;
	mfn_t pinned;
	(void)state;

	host_machine_init(MIB(32), 2, NULL);
	dom = host_domain(PV_KIND_EXPLICIT, 64, 64, PV_VTLB_MAX);
	guest_populate(dom, 0, 64);
	assert_int_equal(gfn_pin(dom, 9, &pinned), 0);
	assert_int_equal(mem_release(dom, 8, 4), 1);
	assert_int_equal(mem_release(dom, 8, 1), -PV_ENOENT);
	assert_int_equal(mem_release(dom, 9, 1), -PV_EBUSY);
	assert_int_equal(gfn_pin(dom, 8, &pinned), -PV_EFAULT);
	assert_int_equal(dom->mm.mem_used, 63);
	assert_int_equal(mem_populate(dom, 8, 1), 1);
	host_domain_free(dom);
}

static void test_copy(void **state)
{
	struct domain *a, *b;
	(void)state;

	host_machine_init(MIB(32), 1, NULL);
	a = host_domain(PV_KIND_EXPLICIT, 64, 64, PV_VTLB_MAX);
	b = host_domain(PV_KIND_WALKED, 64, 64, PV_VTLB_MAX);
	guest_populate(a, 0, 20);
	guest_populate(b, 0, 18);
	guest_tag(a, 0, 20);
	assert_int_equal(mem_copy(b, 0, a, 1, 19), 8);
	assert_int_equal(mem_copy(b, 8, a, 9, 11), 8);
	assert_int_equal(mem_copy(b, 16, a, 17, 3), 2);
	for (u64 i = 0; i < 18; i++)
		assert_int_equal(*(u64 *)guest_page(b, i), i + 1);
	assert_int_equal(mem_copy(b, 18, a, 0, 1), -PV_EFAULT);
	host_domain_free(a);
	host_domain_free(b);
}

static void test_explicit_map(void **state)
{
	struct domain *dom;
	struct vcpu *v;
	(void)state;

	host_machine_init(MIB(32), 2, NULL);
	dom = host_domain(PV_KIND_EXPLICIT, 64, 64, PV_VTLB_MAX);
	v = host_vcpu(dom, 0);
	guest_populate(dom, 0, 64);
	guest_tag(dom, 0, 64);
	assert_int_equal(aspace_map(dom, 0x400000, 0, 4, PV_PROT_READ | PV_PROT_WRITE), 4);
	assert_int_equal(aspace_map(dom, 0x3ff000, 8, 4, PV_PROT_READ), 1);
	assert_int_equal(aspace_map(dom, 0x400000, 8, 4, PV_PROT_READ), -PV_EEXIST);
	assert_int_equal(aspace_map(dom, 0x500000, 100, 1, PV_PROT_READ), -PV_EFAULT);
	host_run(v);
	assert_int_equal(touch(0x401008, HOST_WRITE), 1);
	assert_int_equal(touch(0x3ff000, HOST_READ), 8);
	expect_fault(0x3ff000, HOST_WRITE, 3);
	expect_fault(0x400000, HOST_EXEC, 17);
	expect_fault(0x404000, HOST_READ, 0);
	expect_fault(0x500000, HOST_WRITE, 2);
	expect_fault(PV_HOLE_START, HOST_READ, 0);
	expect_fault(KERNEL_VA, HOST_READ, 0);

	assert_int_equal(aspace_protect(dom, 0x401000, 1, PV_PROT_READ | PV_PROT_EXEC), 1);
	expect_fault(0x401000, HOST_WRITE, 3);
	assert_int_equal(touch(0x401000, HOST_EXEC), 1);
	assert_int_equal(aspace_unmap(dom, 0x401000, 2), 2);
	expect_fault(0x401000, HOST_READ, 0);
	assert_int_equal(touch(0x403000, HOST_READ), 3);
	assert_int_equal(aspace_unmap(dom, 0x401000, 1), -PV_ENOENT);

	/* A frame taken away leaves the map but not the memory. */
	assert_int_equal(mem_release(dom, 3, 1), 1);
	expect_fault(0x403000, HOST_READ, 0);
	assert_int_equal(mem_populate(dom, 3, 1), 1);
	assert_int_equal(touch(0x403000, HOST_READ), 0);
	host_domain_free(dom);
}

static void test_module(void **state)
{
	struct domain *dom;
	struct vcpu *v;
	mfn_t mfn;
	(void)state;

	host_machine_init(MIB(32), 1, NULL);
	dom = host_domain(PV_KIND_EXPLICIT, 64, 64, PV_VTLB_MAX);
	v = host_vcpu(dom, 0);
	mfn = frame_alloc_large();
	for (u32 i = 0; i < 40; i++)
		*(u64 *)mfn_ptr(mfn + i) = 1000 + i;
	assert_int_equal(mem_map_module(dom, PV_ROOT_MODULE_BASE >> 12, mfn << 12, 40), 0);
	assert_int_equal(aspace_map(dom, PV_ROOT_MODULE_BASE, PV_ROOT_MODULE_BASE >> 12, 40,
				    PV_PROT_READ | PV_PROT_WRITE), -PV_EPERM);
	assert_int_equal(aspace_map(dom, PV_ROOT_MODULE_BASE, PV_ROOT_MODULE_BASE >> 12, 30,
				    PV_PROT_READ), 30);
	guest_populate(dom, 0, 4);
	assert_int_equal(mem_copy(dom, 0, dom, (PV_ROOT_MODULE_BASE >> 12) + 7, 4), 4);
	assert_int_equal(*(u64 *)guest_page(dom, 1), 1008);
	assert_int_equal(mem_copy(dom, PV_ROOT_MODULE_BASE >> 12, dom, 0, 1), -PV_EFAULT);
	assert_int_equal(mem_release(dom, PV_ROOT_MODULE_BASE >> 12, 1), -PV_EFAULT);
	host_run(v);
	assert_int_equal(touch(PV_ROOT_MODULE_BASE + 0x5000, HOST_READ), 1005);
	expect_fault(PV_ROOT_MODULE_BASE, HOST_WRITE, 3);
	host_domain_free(dom);
}

/* 512 frames of which two have changed places are no large page, though the first and the last one fit. */
static void test_not_contiguous(void **state)
{
	struct domain *dom;
	struct vcpu *v;
	(void)state;

	host_machine_init(MIB(32), 1, NULL);
	dom = host_domain(PV_KIND_WALKED, 2048, 64, PV_VTLB_MAX);
	v = host_vcpu(dom, 0);
	guest_populate(dom, 512, 512);
	host_run(v);
	guest_tag(dom, 512, 512);
	assert_int_equal(touch(700ull << 12, HOST_READ), 700);
	assert_int_equal(mem_release(dom, 700, 2), 2);
	assert_int_equal(mem_populate(dom, 700, 2), 2); /* the last one freed comes first */
	assert_int_equal(mem_release(dom, 1023, 1), 1);
	assert_int_equal(mem_populate(dom, 1023, 1), 1);
	guest_tag(dom, 512, 512);
	for (u64 gfn = 512; gfn < 1024; gfn++)
		assert_int_equal(touch(gfn << 12, HOST_READ), gfn);
	host_domain_free(dom);
}

/* The same with 512 frames one after the other that do not begin where a block begins. */
static void test_not_aligned(void **state)
{
	static mfn_t held[8192];
	struct domain *dom;
	struct vcpu *v;
	mfn_t mid = 0;
	u32 n = 0;
	(void)state;

	host_machine_init(MIB(16), 1, NULL);
	dom = host_domain(PV_KIND_WALKED, 2048, 64, PV_VTLB_MAX);
	v = host_vcpu(dom, 0);
	assert_int_equal(mem_populate(dom, 600, 1), 1); /* the pages of its map */
	assert_int_equal(mem_release(dom, 600, 1), 1);
	for (mfn_t m; (m = frame_alloc());)
		held[n++] = m;
	mid = 4 * 512; /* between two blocks in the middle of it all */
	for (mfn_t m = mid + 255; m >= mid; m--)
		frame_free(m);
	for (mfn_t m = mid - 1; m >= mid - 256; m--)
		frame_free(m);
	for (gfn_t gfn = 512; gfn < 1024; gfn++) {
		assert_int_equal(mem_populate(dom, gfn, 1), 1);
		assert_int_equal(ptr_to_mfn(guest_page(dom, gfn)), mid - 256 + gfn - 512);
	}
	guest_tag(dom, 512, 512);
	for (u32 i = 0; i < 32; i++) /* for its tables */
		frame_free(held[n - 1 - i]);
	n -= 32;
	host_run(v);
	for (gfn_t gfn = 512; gfn < 1024; gfn++)
		assert_int_equal(touch(gfn << 12, HOST_READ), gfn);
	host_domain_free(dom);
	for (u32 i = 0; i < n; i++)
		if (held[i] < mid - 256 || held[i] >= mid + 256)
			frame_free(held[i]);
}

/* The very last leaf of a part of the map goes like all others. */
static void test_last_leaf(void **state)
{
	struct levels_seen before;
	struct domain *dom;
	(void)state;

	host_machine_init(MIB(32), 1, NULL);
	before = levels_now();
	dom = host_domain(PV_KIND_EXPLICIT, 64, 64, PV_VTLB_MAX);
	guest_populate(dom, (1ull << 18) - 2, 4);
	guest_populate(dom, PV_MAX_GFN - 1, 2);
	host_domain_free(dom);
	assert_levels(before);
}

static void test_module_out_of_range(void **state)
{
	struct domain *dom;
	(void)state;

	host_machine_init(MIB(32), 1, NULL);
	dom = host_domain(PV_KIND_EXPLICIT, 64, 64, PV_VTLB_MAX);
	assert_int_equal(mem_map_module(dom, PV_MAX_GFN, 0, 2), -PV_ERANGE);
	assert_int_equal(mem_map_module(dom, PV_MAX_GFN + 1ull, 0, 1), -PV_ERANGE);
	host_domain_free(dom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_populate),     cmocka_unit_test(test_reservation),
		cmocka_unit_test(test_kmem_bounds),  cmocka_unit_test(test_release),
		cmocka_unit_test(test_copy),	     cmocka_unit_test(test_explicit_map),
		cmocka_unit_test(test_module),	     cmocka_unit_test(test_not_contiguous),
		cmocka_unit_test(test_module_out_of_range), cmocka_unit_test(test_last_leaf),
		cmocka_unit_test(test_not_aligned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
