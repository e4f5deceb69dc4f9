// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_iopt.c - what devices have to do with memory: the IOMMU's tables, walked as the hardware does, and registers
 * among a domain's frames.
 */
#include "guest.h"

#include "iommu.h"

#define BITS 3ull /* read, write */

static u32 levels_wanted;
static u64 written; /* bytes the hardware was told of */

u32 arch_iommu_levels(void)
{
	return levels_wanted;
}

void arch_iommu_written(const void *p, size_t n)
{
	(void)p;
	written += n;
}

/* Machine frame behind an address, 0 = refused. */
static mfn_t walk(const struct iopt *t, gfn_t gfn)
{
	const u64 *table = t->root;

	for (u32 level = levels_wanted - 1; table && level; level--) {
		u64 e = table[gfn >> 9 * level & 511];

		if (e)
			assert_int_equal(e & ~PTE_ADDR, BITS);
		table = e ? paddr_to_ptr(e & PTE_ADDR) : NULL;
	}
	if (!table || !table[gfn & 511])
		return 0;
	assert_int_equal(table[gfn & 511] & ~PTE_ADDR, BITS);
	return table[gfn & 511] >> PAGE_SHIFT;
}

static void check_tables(u32 wanted)
{
	static const gfn_t gfns[] = { 0, 1, 511, 512, 1ull << 18, (1ull << 18) + 7, PV_MAX_GFN };
	struct iopt t = { 0 };
	struct domain *dom;
	struct levels_seen before;

	levels_wanted = wanted;
	host_machine_init(MIB(32), 1, NULL);
	before = levels_now();
	dom = host_domain(PV_KIND_EXPLICIT, 16, 64, PV_VTLB_MAX);
	for (u32 i = 0; i < ARRAY_SIZE(gfns); i++) {
		assert_int_equal(walk(&t, gfns[i]), 0);
		assert_int_equal(iopt_map(dom, &t, gfns[i], 100 + i), 0);
		for (u32 j = 0; j < ARRAY_SIZE(gfns); j++)
			assert_int_equal(walk(&t, gfns[j]), j <= i ? 100 + j : 0);
	}
	assert_int_equal(walk(&t, 2), 0);
	assert_int_equal(walk(&t, 1ull << 17), 0);
	assert_int_equal(written, 8 * (t.tables.tables - 1 + ARRAY_SIZE(gfns)) + PAGE_SIZE * t.tables.tables);
	iopt_free(dom, &t);
	assert_null(t.root);
	host_domain_free(dom);
	assert_levels(before);
	written = 0;
}

static void test_tables(void **state)
{
	(void)state;
	check_tables(3);
	check_tables(4);
}

static void test_no_memory(void **state)
{
	struct iopt t = { 0 };
	struct domain *dom;
	struct levels_seen before;
	u64 n;
	int err;
	(void)state;

	levels_wanted = 3;
	host_machine_init(MIB(32), 1, NULL);
	before = levels_now();
	dom = host_domain(PV_KIND_EXPLICIT, 16, 48, PV_VTLB_MAX);
	for (n = 0; !(err = iopt_map(dom, &t, n << 18, 7)); n++)
		;
	assert_int_equal(err, -PV_ENOMEM);
	assert_true(n > 2);
	assert_int_equal(iopt_map(dom, &t, n << 18, 7), -PV_ENOMEM);
	assert_int_equal(walk(&t, n << 18), 0);
	assert_int_equal(walk(&t, (n - 1) << 18), 7);
	assert_int_equal(iopt_map(dom, &t, 3, 8), 0); /* where there is a table */
	iopt_free(dom, &t);
	host_domain_free(dom);
	assert_levels(before);
	written = 0;
}

/* The last frame of the machine plays a page of registers. */
static void test_registers(void **state)
{
	struct domain *dom;
	struct levels_seen before;
	struct vcpu *v;
	mfn_t mfn, regs = MIB(32) / PAGE_SIZE;
	u64 error;
	char *p;
	(void)state;

	host_machine_init(MIB(32), 1, NULL);
	before = levels_now();
	dom = host_domain(PV_KIND_EXPLICIT, 64, 64, PV_VTLB_MAX);
	v = host_vcpu(dom, 0);
	guest_populate(dom, 16, 2);
	assert_int_equal(mem_map_io(dom, 17, regs, 1), -PV_EEXIST);
	assert_int_equal(mem_map_io(dom, 15, regs, 2), 1);
	assert_int_equal(mem_map_io(dom, 100, regs, 40), 16);
	assert_int_equal(mem_release(dom, 100, 1), -PV_EFAULT);
	assert_int_equal(mem_copy(dom, 16, dom, 100, 1), -PV_EFAULT);
	assert_int_equal(mem_copy(dom, 100, dom, 16, 1), -PV_EFAULT);
	assert_int_equal(mem_populate(dom, 100, 1), -PV_EEXIST);
	assert_int_equal(gfn_pin(dom, 100, &mfn), -PV_EFAULT);
	assert_int_equal(aspace_map(dom, 0x10000, 100, 1, PV_PROT_READ | PV_PROT_WRITE), 1);
	assert_int_equal(aspace_map(dom, 0x11000, 100, 1, PV_PROT_READ | PV_PROT_EXEC), 1);
	host_run(v);
	assert_int_equal(host_access(0x10008, HOST_WRITE, &p, &error), HOST_OK);
	assert_ptr_equal(p, host_ram + MIB(32) + 8);
	assert_int_equal(host_access(0x11000, HOST_READ, &p, &error), HOST_OK);
	assert_int_equal(host_access(0x11000, HOST_EXEC, &p, &error), HOST_FAULT);
	assert_int_equal(error, PTE_P | 16);
	host_run(NULL);
	host_domain_free(dom);
	assert_levels(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
