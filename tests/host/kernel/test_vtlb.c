// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_vtlb.c - walked and linear spaces, one rule at a time.
 */
#include "walked.h"

static void test_linear(void **state)
{
	(void)state;
	start(1, 256, PV_VTLB_MAX);
	assert_int_equal(touch((DATA + 5) << 12, HOST_WRITE), DATA + 5);
	assert_int_equal(touch((DATA + 5) << 12, HOST_EXEC), DATA + 5);
	assert_int_equal(touch(0xffffffff80000000ull + ((DATA + 9) << 12), HOST_READ), DATA + 9);
	expect_fault(0xffffffff00000000ull, HOST_READ, 0);
	expect_fault((PV_MAX_GFN + 1ull) << 12, HOST_READ, 0); /* no memory can be there */
	expect_fault(PV_HOLE_END, HOST_WRITE, 2);
	assert_int_equal(touch(NPAGES << 12, HOST_READ), ~0ull); /* absent memory reads ones */
	host_domain_free(dom);
}

static void test_set_root(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA, RW);
	assert_int_equal(aspace_set_root(v, (root << 12) + 8), -PV_EINVAL);
	assert_int_equal(aspace_set_root(v, (PV_MAX_GFN + 1ull) << 12), -PV_ERANGE);
	assert_int_equal(aspace_set_root(v, (gpa_t)PV_MAX_GFN << 12), -PV_EFAULT);
	assert_int_equal(aspace_set_root(v, root << 12), 0);
	assert_int_equal(touch(0x1000, HOST_READ), DATA);
	host_domain_free(dom);

	dom = host_domain(PV_KIND_EXPLICIT, NPAGES, 256, PV_VTLB_MAX);
	v = host_vcpu(dom, 0);
	assert_int_equal(aspace_set_root(v, 0x1000), -PV_EINVAL);
	assert_int_equal(aspace_set_root(v, 0), 0);
	assert_true(aspace_root(v) == LINEAR_ROOT);
	host_domain_free(dom);
}

/* More spaces than there are places to look for them: each is found, and one that goes leaves the others. */
static void test_many_spaces(void **state)
{
	gfn_t roots[MM_HASH + 32];
	(void)state;

	start(1, 1024, PV_VTLB_MAX);
	for (u32 i = 0; i < ARRAY_SIZE(roots); i++) {
		roots[i] = new_root();
		guest_map(&guest, roots[i], 0x1000, DATA + i, RW);
		load(roots[i], PV_ROOT_KEEP);
		assert_int_equal(touch(0x1000, HOST_READ), DATA + i);
	}
	for (u32 i = 0; i < ARRAY_SIZE(roots) - 1; i += 3)
		assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, roots[i] << 12), 0);
	for (u32 i = 0; i < ARRAY_SIZE(roots); i++) {
		load(roots[i], PV_ROOT_KEEP);
		assert_int_equal(faults_at(0x1000), i % 3 == 0 && i < ARRAY_SIZE(roots) - 1);
		assert_int_equal(touch(0x1000, HOST_READ), DATA + i);
	}
	host_domain_free(dom);
}

/* What is left of a space that was destroyed while two vCPUs were in it goes with the second one. */
static void test_destroy_shared(void **state)
{
	struct vcpu *far;
	gfn_t a, b;
	u64 spaces;
	(void)state;

	start(2, 256, PV_VTLB_MAX);
	a = new_root();
	b = new_root();
	guest_map(&guest, a, KERNEL_VA, DATA + 1, KRW);
	guest_map(&guest, b, KERNEL_VA, DATA + 1, KRW);
	load(a, 0);
	host_be(1);
	far = host_vcpu(dom, 1);
	host_run(far);
	assert_int_equal(aspace_load_root(far, a << 12, PV_ROOT_KEEP), 0);
	host_be(0);
	spaces = levels[LVL_ASPACES];
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, a << 12), 0);
	assert_int_equal(levels[LVL_ASPACES], spaces);
	load(b, 0);
	assert_int_equal(levels[LVL_ASPACES], spaces + 1); /* far is in the old one */
	mm_check(dom);
	host_be(1);
	assert_int_equal(aspace_load_root(far, b << 12, PV_ROOT_KEEP), 0);
	assert_int_equal(levels[LVL_ASPACES], spaces);
	mm_check(dom);
	host_be(0);
	host_domain_free(dom);
}

/* A flush of a space that is not there, or not any more, takes nothing from anybody. */
static void test_flush_unknown(void **state)
{
	gfn_t a, b;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	a = new_root();
	b = new_root();
	guest_map(&guest, a, KERNEL_VA, DATA + 1, KRW);
	load(a, 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, a << 12), 0);
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 1);
	assert_int_equal(aspace_flush(v, b << 12, 0, 0, 0), 0);
	load(a, PV_ROOT_KEEP);
	assert_int_equal(faults_at(KERNEL_VA), 0);
	host_domain_free(dom);
}

static void test_rights(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA, RW | PTE_NX);
	guest_map(&guest, root, 0x2000, DATA + 1, RO);
	guest_map(&guest, root, 0x3000, DATA + 2, KRW);
	guest_map(&guest, root, KERNEL_VA, DATA + 3, KRW | PTE_NX);
	load(root, 0);
	assert_int_equal(touch(0x1000, HOST_WRITE), DATA);
	expect_fault(0x1000, HOST_EXEC, 17);
	expect_fault(0x2000, HOST_WRITE, 3);
	assert_int_equal(*guest_entry(&guest, root, 0x2000, 12) & PTE_D, 0); /* nothing was written */
	expect_fault(0x2000, HOST_EXEC, 17); /* SMEP */
	assert_int_equal(touch(0x3000, HOST_WRITE), DATA + 2);
	assert_int_equal(touch(0x3000, HOST_EXEC), DATA + 2); /* U=0: the kernel's own */
	expect_fault(0x2000, HOST_EXEC, 17); /* also in a slot that became private */
	expect_fault(0x4000, HOST_READ, 0);
	guest_map(&guest, root, KERNEL_VA + 0x5000, DATA + 4, RW); /* U means nothing up there */
	assert_int_equal(touch(KERNEL_VA + 0x5000, HOST_EXEC), DATA + 4);
	assert_int_equal(touch(KERNEL_VA, HOST_WRITE), DATA + 3);

	host_set_mode(v, MODE_USER);
	assert_int_equal(touch(0x1000, HOST_WRITE), DATA);
	assert_int_equal(touch(0x2000, HOST_EXEC), DATA + 1);
	expect_fault(0x3000, HOST_READ, 5);
	expect_fault(0x3000, HOST_WRITE, 7);
	expect_fault(0x4000, HOST_WRITE, 6);
	expect_fault(KERNEL_VA, HOST_READ, 5);
	expect_fault(KERNEL_VA + 0x1000, HOST_READ, 4);
	guest_map(&guest, root, KERNEL_VA + 0x1000, DATA + 4, RW); /* U=1, and yet the kernel's half */
	expect_fault(KERNEL_VA + 0x1000, HOST_READ, 5);
	expect_fault(PV_HOLE_START, HOST_READ, 4);
	host_domain_free(dom);
}

/* Fused: one root, and so what kernel mode has filled is there for user mode; who faults is still judged by U. */
static void test_fused_rights(void **state)
{
	static const vaddr_t places[] = { 0x3000, KERNEL_VA };
	gfn_t root;
	(void)state;

	host_fused = true;
	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA, RW | PTE_NX);
	guest_map(&guest, root, 0x2000, DATA + 1, RO);
	guest_map(&guest, root, 0x3000, DATA + 2, KRW);
	guest_map(&guest, root, KERNEL_VA, DATA + 2, KRW);
	load(root, 0);
	assert_true(v->kernel_cr3 == v->user_cr3);
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		vaddr_t va = places[i];

		host_set_mode(v, MODE_USER);
		expect_fault(va, HOST_READ, 5);
		expect_fault(va, HOST_WRITE, 7);
		host_set_mode(v, MODE_KERNEL);
		assert_int_equal(touch(va, HOST_WRITE), DATA + 2);
		host_set_mode(v, MODE_USER);
		assert_int_equal(faults_at(va), 0); /* what it is for: no root was loaded, nothing forgotten */
		assert_int_equal(touch(va, HOST_WRITE), DATA + 2);
		host_set_mode(v, MODE_KERNEL);
		assert_int_equal(aspace_flush(v, PV_FOREVER, va, va + PAGE_SIZE, i ? PV_FLUSH_KERNEL : 0), 0);
		host_set_mode(v, MODE_USER);
		expect_fault(va, HOST_READ, 5);
	}
	assert_int_equal(touch(0x1000, HOST_WRITE), DATA);
	expect_fault(0x1000, HOST_EXEC, 0x15);
	assert_int_equal(touch(0x2000, HOST_EXEC), DATA + 1);
	expect_fault(0x2000, HOST_WRITE, 7);
	expect_fault(0x4000, HOST_WRITE, 6);
	expect_fault(PV_HOLE_START, HOST_READ, 4);
	mm_check(dom);
	host_domain_free(dom);
	host_fused = false;
}

/* A fused space takes a top table less, and what is kept for the next one is less as well. */
static void test_fused_roots(void **state)
{
	u64 tables[2];
	(void)state;

	for (u32 fused = 0; fused < 2; fused++) {
		host_fused = fused;
		start(1, 256, PV_VTLB_MAX);
		assert_int_equal(dom->mm.reserve.tables, fused ? 1 : 2);
		tables[fused] = levels[LVL_TABLES];
		load(new_root(), 0);
		tables[fused] = levels[LVL_TABLES] - tables[fused];
		mm_check(dom);
		host_domain_free(dom);
	}
	host_fused = false;
	assert_int_equal(tables[0], 2);
	assert_int_equal(tables[1], 1);
}

static void test_accessed_dirty(void **state)
{
	gfn_t root;
	u64 *e;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	e = guest_entry(&guest, root, 0x1000, 12);
	*e = DATA << 12 | PTE_P | PTE_W | PTE_U;
	load(root, 0);
	touch(0x1000, HOST_READ);
	assert_int_equal(*e & (PTE_A | PTE_D), PTE_A);
	touch(0x1000, HOST_WRITE);
	assert_int_equal(*e & (PTE_A | PTE_D), PTE_A | PTE_D);
	*e &= ~PTE_D;
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x1000, 0x2000, 0), 0);
	touch(0x1000, HOST_READ);
	assert_int_equal(*e & PTE_D, 0);
	touch(0x1000, HOST_WRITE);
	assert_int_equal(*e & PTE_D, PTE_D);
	host_domain_free(dom);
}

static void test_flush(void **state)
{
	gfn_t root, other;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	other = new_root();
	for (u64 i = 0; i < 64; i++)
		guest_map(&guest, root, 0x200000 + (i << 12), DATA + i, RW);
	guest_map(&guest, other, 0x200000, DATA + 99, RW);
	load(root, 0);
	for (u64 i = 0; i < 64; i++)
		assert_int_equal(touch(0x200000 + (i << 12), HOST_READ), DATA + i);
	for (u64 i = 0; i < 64; i++)
		guest_map(&guest, root, 0x200000 + (i << 12), DATA + 100 + i, RW);
	assert_int_equal(touch(0x200000, HOST_READ), DATA); /* stale, as the guest did not flush */
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x200000, 0x204000, 0), 0);
	for (u64 i = 0; i < 64; i++)
		assert_int_equal(touch(0x200000 + (i << 12), HOST_READ), DATA + i + (i < 4 ? 100 : 0));
	assert_int_equal(aspace_flush(v, root << 12, 0x210000, 0x230000, PV_FLUSH_ALL), 0);
	for (u64 i = 0; i < 64; i++)
		assert_int_equal(touch(0x200000 + (i << 12), HOST_READ),
				 DATA + i + (i < 4 || (i >= 16 && i < 48) ? 100 : 0));
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0, 0, 0), 0);
	assert_int_equal(touch(0x205000, HOST_READ), DATA + 105);

	load(other, 0);
	assert_int_equal(touch(0x200000, HOST_READ), DATA + 99);
	guest_map(&guest, root, 0x200000, DATA + 500, RW);
	load(root, PV_ROOT_KEEP);
	load(root, 0);
	assert_int_equal(touch(0x200000, HOST_READ), DATA + 500);
	host_domain_free(dom);
}

static void test_keep(void **state)
{
	gfn_t a, b;
	u64 faults;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	a = new_root();
	b = new_root();
	guest_map(&guest, a, 0x1000, DATA + 1, RW);
	guest_map(&guest, b, 0x1000, DATA + 2, RW);
	load(a, 0);
	touch(0x1000, HOST_READ);
	load(b, 0);
	touch(0x1000, HOST_READ);
	faults = host_faults;
	load(a, PV_ROOT_KEEP);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 1);
	load(b, PV_ROOT_KEEP);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 2);
	assert_int_equal(host_faults, faults);
	load(a, 0);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 1);
	assert_int_equal(host_faults, faults + 1);
	host_domain_free(dom);
}

/* 2 MiB guest page over one 2 MiB block: one leaf, and it dies as a unit. */
static void test_large(void **state)
{
	gfn_t root;
	u64 faults;
	u64 *e;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	e = map_large(root, 0x40000000, DATA, RW);
	load(root, 0);
	faults = host_faults;
	touch_large(0x40000000, HOST_WRITE, DATA);
	assert_int_equal(host_faults, faults + 1);
	*e = (DATA + 512) << 12 | RW | PTE_PS;
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x40007000, 0x40008000, 0), 0);
	touch_large(0x40000000, HOST_WRITE, DATA + 512);
	host_domain_free(dom);
}

/* The same over scattered frames: 4 KiB leaves that die together all the same. */
static void test_splinter(void **state)
{
	gfn_t root;
	u64 *e;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	scatter();
	root = new_root();
	e = map_large(root, 0x40000000, DATA, RW);
	load(root, 0);
	touch_large(0x40000000, HOST_WRITE, DATA);
	*e = (DATA + 512) << 12 | RW | PTE_PS;
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x40007000, 0x40008000, 0), 0);
	touch_large(0x40000000, HOST_WRITE, DATA + 512);
	host_domain_free(dom);
}

static void test_1g(void **state)
{
	gfn_t root;
	u64 *e;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	e = guest_entry(&guest, root, 0x40000000, 30);
	*e = 0 | RW | PTE_PS;
	load(root, 0);
	assert_int_equal(touch(0x40000000 + (DATA << 12), HOST_READ), DATA);
	assert_int_equal(touch(0x40000000 + ((DATA + 600) << 12), HOST_READ), DATA + 600);
	*e = 0;
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x40000000, 0x40001000, 0), 0);
	expect_fault(0x40000000 + (DATA << 12), HOST_READ, 0);
	expect_fault(0x40000000 + ((DATA + 600) << 12), HOST_READ, 0);
	host_domain_free(dom);
}

/* Split and join a large page with the flushes Linux does. */
static void test_split_join(void **state)
{
	gfn_t root, table;
	u64 *e;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	e = map_large(root, 0x40000000, DATA, RW);
	load(root, 0);
	touch(0x40003000, HOST_READ);
	table = guest_table(&guest);
	for (u64 i = 0; i < 512; i++)
		((u64 *)guest_page(dom, table))[i] = (DATA + 511 - i) << 12 | RW;
	*e = table << 12 | RW;
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x40000000, 0x40200000, PV_FLUSH_ALL), 0);
	for (u64 i = 0; i < 512; i++)
		assert_int_equal(touch(0x40000000 + (i << 12), HOST_READ), DATA + 511 - i);
	*e = (DATA + 512) << 12 | RW | PTE_PS; /* not flushed: the old may still show */
	touch(0x40003000, HOST_READ);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x40000000, 0x40001000, 0), 0);
	*e = 0;
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x40000000, 0x40200000, 0), 0);
	*e = DATA << 12 | RW | PTE_PS;
	touch_large(0x40000000, HOST_READ, DATA);
	host_domain_free(dom);
}

static void test_kernel_root(void **state)
{
	gfn_t a, b;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	a = new_root();
	b = new_root();
	guest_map(&guest, a, KERNEL_VA, DATA + 1, KRW);
	guest_map(&guest, b, KERNEL_VA, DATA + 2, KRW);
	load(a, 0);
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 1);
	load(b, 0); /* not set yet: the current root counts */
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 2);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, a << 12), 0);
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 1);
	load(a, 0);
	load(b, PV_ROOT_KEEP);
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 1);
	guest_map(&guest, a, KERNEL_VA, DATA + 7, KRW);
	assert_int_equal(aspace_flush(v, PV_FOREVER, KERNEL_VA, KERNEL_VA + 0x1000, PV_FLUSH_KERNEL), 0);
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 7);
	guest_map(&guest, a, KERNEL_VA, DATA + 8, KRW);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0, 0, PV_FLUSH_KERNEL | PV_FLUSH_ALL), 0);
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 8);
	mm_check(dom);
	host_domain_free(dom);
}

static void test_drop_destroy(void **state)
{
	gfn_t kroot, a;
	u64 spaces;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	kroot = new_root();
	a = new_root();
	guest_map(&guest, kroot, KERNEL_VA, DATA + 1, KRW);
	guest_map(&guest, kroot, 0x1000, DATA + 2, RW);
	guest_map(&guest, a, 0x1000, DATA + 3, RW);
	load(kroot, 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, kroot << 12), 0);
	load(a, 0);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 3);
	guest_map(&guest, a, 0x1000, DATA + 4, RW);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DROP, a << 12), 0);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 4);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, a << 12), 0);
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 1);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 2); /* on the kernel root now */
	assert_int_equal(aspace_root(v), kroot << 12);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, a << 12), 0); /* unknown: success */
	load(a, 0);
	load(kroot, 0);
	spaces = levels[LVL_ASPACES];
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, a << 12), 0); /* nobody is in it: gone at once */
	assert_int_equal(levels[LVL_ASPACES], spaces - 1);
	mm_check(dom);
	assert_int_equal(mem_release(dom, a, 1), 1);
	assert_int_equal(aspace_load_root(v, a << 12, 0), -PV_EFAULT);
	host_domain_free(dom);
}

/* Tables may lie anywhere the guest says; what is no table of its own is a page fault. */
static void test_wild_tables(void **state)
{
	gfn_t root;
	u64 *l4;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA, RW);
	l4 = guest_page(dom, root);
	l4[1] = 0xffffffffff000ull | PTE_P | PTE_W | PTE_U;
	l4[2] = (NPAGES + 5ull) << 12 | PTE_P | PTE_W | PTE_U;
	l4[3] = root << 12 | PTE_P | PTE_W | PTE_U; /* recursive */
	load(root, 0);
	expect_fault(1ull << 39, HOST_READ, 0);
	expect_fault(2ull << 39, HOST_WRITE, 2);
	assert_int_equal(touch(0x1000, HOST_READ), DATA);
	assert_true(touch((3ull << 39 | 3ull << 30 | 3ull << 21 | 3ull << 12), HOST_READ) == l4[0]);
	guest_map(&guest, root, 0x2000, 0xfffffff, RW); /* far outside: reads as ones */
	assert_int_equal(touch(0x2000, HOST_READ), ~0ull);
	assert_int_equal(mem_populate(dom, NPAGES, 1), 1);
	guest_map(&guest, root, 0x3000, NPAGES + 1, RW);
	assert_int_equal(touch(0x3000, HOST_READ), ~0ull);
	assert_int_equal(mem_populate(dom, NPAGES + 1, 1), 1); /* memory appears where none was */
	assert_int_equal(touch(0x3000, HOST_READ), 0);
	host_domain_free(dom);
}

static void run_capacity(u64 kmem, u32 tables, u32 ncpus)
{
	gfn_t roots[6];

	start(ncpus, kmem, tables);
	for (u32 r = 0; r < 6; r++) {
		roots[r] = new_root();
		for (u64 i = 0; i < 40; i++)
			guest_map(&guest, roots[r], (i << 21) + (i << 12), DATA + r * 40 + i, RW);
		for (u64 i = 0; i < 8; i++)
			guest_map(&guest, roots[r], KERNEL_VA + (i << 21), DATA + 500 + i, KRW);
	}
	load(roots[0], 0);
	aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, roots[0] << 12);
	for (u32 round = 0; round < 400; round++) {
		u32 r = (u32)random() % 6;

		load(roots[r], PV_ROOT_KEEP);
		host_event(v);
		for (u32 k = 0; k < 30; k++) {
			u64 i = (u32)random() % 40;

			assert_int_equal(touch((i << 21) + (i << 12), HOST_WRITE), DATA + r * 40 + i);
			i = (u32)random() % 8;
			assert_int_equal(touch(KERNEL_VA + (i << 21), HOST_READ), DATA + 500 + i);
			assert_true(dom->mm.kmem_used <= kmem);
			mm_check(dom);
			if (tables && tables != PV_VTLB_MAX)
				assert_true(dom->mm.leaf_tables <= tables);
		}
	}
	host_domain_free(dom);
}

static void test_capacity(void **state)
{
	(void)state;
	run_capacity(2000, PV_VTLB_MAX, 1);
	run_capacity(2000, 64, 1);
	run_capacity(2000, 16, 1);
	run_capacity(2000, 0, 1);
	run_capacity(96, PV_VTLB_MAX, 1);
	run_capacity(60, PV_VTLB_MAX, 1);
	run_capacity(60, 64, 2);
	run_capacity(60, 0, 2);
}

/*
 * No kernel memory at all: the domain cannot go on, and says so. As long as only objects took what
 * they could get, it goes on.
 */
static void test_kmem_gone(void **state)
{
	void *hog[40];
	u32 n = 0, objects;
	gfn_t root;
	char *p;
	u64 error;
	(void)state;

	start(1, 40, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA, RW);
	load(root, 0);
	while ((hog[n] = kmem_alloc(dom)))
		n++;
	objects = n;
	while ((hog[n] = kmem_alloc_table(dom)))
		n++;
	assert_int_equal(host_access(0x1000, HOST_READ, &p, &error), HOST_FATAL);
	while (n > objects) {
		kmem_free(dom, hog[--n]);
		dom->mm.cache_pages--;
	}
	assert_int_equal(touch(0x1000, HOST_READ), DATA);
	while (n)
		kmem_free(dom, hog[--n]);
	host_domain_free(dom);
}

static void test_guest_read(void **state)
{
	char buf[32];
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA, RW);
	guest_map(&guest, root, 0x2000, DATA + 5, RW);
	load(root, 0);
	assert_int_equal(mm_guest_read(v, 0x1ffc, buf, 12), 12);
	assert_memory_equal(buf + 4, &(u64){ DATA + 5 }, 8);
	assert_int_equal(mm_guest_read(v, 0x2ff8, buf, 16), 8);
	assert_int_equal(mm_guest_read(v, 0x5000, buf, 16), 0);
	assert_int_equal(mm_guest_read(v, PV_HOLE_START - 4, buf, 16), 0);
	guest_map(&guest, root, 0x3000, NPAGES + 5, RW); /* no frame */
	assert_int_equal(mm_guest_read(v, 0x2ff8, buf, 16), 8);
	assert_int_equal(mem_map_io(dom, NPAGES + 5, 0xfe000, 1), 1); /* a device's registers: reading could do something */
	assert_int_equal(mm_guest_read(v, 0x2ff8, buf, 16), 8);
	host_domain_free(dom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_set_root),
		cmocka_unit_test(test_destroy_shared),
		cmocka_unit_test(test_flush_unknown),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_fused_rights),
		cmocka_unit_test(test_fused_roots),
		cmocka_unit_test(test_accessed_dirty),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_splinter),
		cmocka_unit_test(test_1g),
		cmocka_unit_test(test_split_join),
		cmocka_unit_test(test_kernel_root),
		cmocka_unit_test(test_drop_destroy),
		cmocka_unit_test(test_wild_tables),
		cmocka_unit_test(test_many_spaces),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_kmem_gone),
		cmocka_unit_test(test_guest_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
