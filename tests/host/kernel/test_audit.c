// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_audit.c - the kernel's look at its own translations finds what is wrong, and nothing else.
 */
#include "walked.h"

#include "mm_internal.h"

/* The audit finds a leaf that stays wrong, and nothing else. */
static void test_audit(void **state)
{
	gfn_t root;
	(void)state;

	start_audited();
	root = new_root();
	for (u64 i = 0; i < 4; i++)
		guest_map(&guest, root, 0x1000 + (i << 12), DATA + i, RW);
	load(root, 0);
	for (u32 i = 0; i < 50000; i++) {
		host_ns += 1000000;
		touch(0x1000 + ((i & 3) << 12), HOST_WRITE);
		if (i % 100 == 0) {
			guest_map(&guest, root, 0x2000, DATA + i / 100, RW);
			aspace_flush(v, PV_FOREVER, 0x2000, 0x3000, 0);
		}
		host_event(v);
	}
	assert_int_equal(dom->mm.audit_findings, 0);
	guest_map(&guest, root, 0x1000, DATA + 76, RW); /* and flushes, if late */
	for (u32 i = 0; i < 2000; i++) {
		touch(0x1000, HOST_READ);
		host_event(v);
	}
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0, 0, 0), 0);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0, 0, PV_FLUSH_KERNEL), 0);
	touch(0x2000, HOST_READ);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x2000, 0x3000, 0), 0);
	assert_int_equal(dom->mm.audit_findings, 0);
	touch(0x2000, HOST_READ);
	guest_map(&guest, root, 0x2000, DATA + 77, RW); /* and never flushes */
	for (u32 i = 0; i < 50000 && !dom->mm.audit_findings; i++) {
		host_ns += 1000000;
		touch(0x2000, HOST_READ);
		host_event(v);
	}
	assert_int_equal(dom->mm.audit_findings, 1);
	host_domain_free(dom);
	mm_audit_enabled = false;
}

/* What looks wrong to who does not know: nothing of it is a finding. */
static void test_no_mistakes(void **state)
{
	gfn_t root;
	(void)state;

	start_audited();
	root = new_root();
	guest_map(&guest, root, 0x8000000000, DATA, KRW); /* a private slot: the user's view has nothing there */
	guest_map(&guest, root, 0x10000000000, NPAGES + 5, RW); /* absent memory */
	guest_map(&guest, root, 0x18000000000, DATA + 1, RW);
	guest_map(&guest, root, KERNEL_VA, DATA + 2, KRW);
	load(root, 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, root << 12), 0);
	(void)touch(0x8000000000, HOST_READ);
	(void)touch(0x10000000000, HOST_READ);
	(void)touch(0x18000000000, HOST_READ);
	(void)touch(KERNEL_VA, HOST_READ);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x18000000000, 0x18000001000, 0), 0); /* an empty table */
	*guest_entry(&guest, root, KERNEL_VA, 12) = 0; /* a kernel unmaps its own lazily */
	for (u32 i = 0; i < 20000; i++) {
		host_ns += 1000000;
		host_event(v);
	}
	assert_int_equal(dom->mm.audit_findings, 0);
	host_domain_free(dom);
	mm_audit_enabled = false;
}

static u64 findings_of(gfn_t root, u64 changed_to)
{
	u64 found;

	guest_map(&guest, root, 0x1000, DATA, RW);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0, 0, 0), 0);
	(void)touch(0x1000, HOST_WRITE);
	*guest_entry(&guest, root, 0x1000, 12) = changed_to;
	dom->mm.audit_findings = 0;
	for (u32 i = 0; i < 20000 && !dom->mm.audit_findings; i++) {
		host_ns += 1000000;
		host_event(v);
	}
	found = dom->mm.audit_findings;
	dom->mm.audit_findings = 0;
	return found;
}

/* Each way in which a leaf can say more than the guest's tables, for longer than a guest takes to flush. */
static void test_stale(void **state)
{
	gfn_t root;
	(void)state;

	start_audited();
	root = new_root();
	load(root, 0);
	assert_int_equal(findings_of(root, DATA << 12 | RW), 0);
	assert_int_equal(findings_of(root, 0), 1);
	assert_int_equal(findings_of(root, DATA << 12 | RO), 1);
	assert_int_equal(findings_of(root, DATA << 12 | RW | PTE_NX), 1);
	assert_int_equal(findings_of(root, (DATA + 1) << 12 | RW), 1);
	assert_int_equal(findings_of(root, (NPAGES + 5ull) << 12 | RW), 1);
	host_domain_free(dom);
	mm_audit_enabled = false;
}

/* A kernel with a mistake in it: what the audit is for. */
static void test_audit_of_mistakes(void **state)
{
	struct domain *stranger;
	u64 *leaf, was, foreign;
	gfn_t root;
	u8 shift;
	(void)state;

	start_audited();
	stranger = host_domain(PV_KIND_EXPLICIT, 16, 64, PV_VTLB_MAX);
	guest_populate(stranger, 0, 1);
	foreign = ptr_to_paddr(guest_page(stranger, 0));
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA, RW);
	guest_map(&guest, root, KERNEL_VA, DATA + 1, KRW);
	load(root, 0);
	host_fail_all(); /* there is no page for it yet: then not */
	host_event(v);
	(void)host_fail_disarm();
	(void)touch(KERNEL_VA, HOST_WRITE);
	leaf = leaf_find(dom, v->as, VIEW_KERNEL, KERNEL_VA, &shift);
	was = *leaf;
	*leaf = (was & ~PTE_ADDR) | foreign;
	for (u32 i = 0; i < 64; i++)
		host_event(v);
	assert_true(dom->mm.audit_findings > 0);
	*leaf = was;
	dom->mm.audit_findings = 0;
	(void)touch(0x1000, HOST_WRITE);
	leaf = leaf_find(dom, v->as, VIEW_USER, 0x1000, &shift);
	was = *leaf;
	*leaf = (was & ~PTE_ADDR) | foreign;
	for (u32 i = 0; i < 64; i++)
		host_event(v);
	assert_true(dom->mm.audit_findings > 0);
	*leaf = was;
	/* A flush that leaves something, of pages and of everything. */
	dom->mm.audit_findings = 0;
	audit_flushed(dom, v->as, 0x1000, 0x2000);
	assert_true(dom->mm.audit_findings > 0);
	dom->mm.audit_findings = 0;
	audit_flushed(dom, v->as, 0, 0);
	assert_int_equal(dom->mm.audit_findings, 1);
	audit_flushed(dom, NULL, 0, 0);
	assert_int_equal(dom->mm.audit_findings, 2);
	tables_drop_kernel(dom);
	audit_flushed(dom, NULL, 0, 0);
	assert_int_equal(dom->mm.audit_findings, 2);
	host_domain_free(dom);
	host_domain_free(stranger);
	mm_audit_enabled = false;
}

/* One view of a fused space: a page without U that user mode would not get is right where it is. */
static void test_fused(void **state)
{
	host_fused = true;
	test_no_mistakes(state);
	test_stale(state);
	host_fused = false;
}

#define GRACE_MS 1000 /* how long a guest may take to flush, at least; events count as well */

/* So many events that each leaf there is has been looked at, while so much time passes. */
static void look(u64 ms)
{
	for (u32 i = 0; i < 20000; i++) {
		host_ns += i % 20 ? 0 : ms * 1000;
		host_event(v);
	}
}

/* Forgetting the leaves of one half takes back no suspicion of the other. */
static void test_halves(void **state)
{
	gfn_t root;
	(void)state;

	for (u32 kernel = 0; kernel <= 1; kernel++)
		for (u32 flush_kernel = 0; flush_kernel <= 1; flush_kernel++) {
			vaddr_t va = kernel ? KERNEL_VA : 0x1000;

			start_audited();
			root = new_root();
			guest_map(&guest, root, va, DATA, kernel ? KRW : RW);
			load(root, 0);
			assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, root << 12), 0);
			(void)touch(va, HOST_WRITE);
			*guest_entry(&guest, root, va, 12) &= ~PTE_W;
			look(0);
			assert_int_equal(dom->mm.audit_findings, 0);
			assert_int_equal(aspace_flush(v, PV_FOREVER, 0, 0, flush_kernel ? PV_FLUSH_KERNEL : 0), 0);
			look(2 * GRACE_MS);
			assert_int_equal(dom->mm.audit_findings > 0, kernel != flush_kernel);
			host_domain_free(dom);
			mm_audit_enabled = false;
		}
}

/* Nor does a range beside a page take back what is suspected of it. */
static void test_ranges_beside(void **state)
{
	static const struct {
		vaddr_t start, end;
		bool forgotten;
	} ranges[] = {
		{ 0x4000, 0x5000, false }, { 0x6000, 0x7000, false }, { 0x5000, 0x6000, true }, { 0, 0x200000, true },
	};
	gfn_t root;
	(void)state;

	for (u32 i = 0; i < ARRAY_SIZE(ranges); i++) {
		start_audited();
		root = new_root();
		guest_map(&guest, root, 0x5000, DATA, RW);
		load(root, 0);
		(void)touch(0x5000, HOST_WRITE);
		*guest_entry(&guest, root, 0x5000, 12) = 0;
		look(0);
		assert_int_equal(aspace_flush(v, PV_FOREVER, ranges[i].start, ranges[i].end, 0), 0);
		look(2 * GRACE_MS);
		assert_int_equal(dom->mm.audit_findings == 0, ranges[i].forgotten);
		host_domain_free(dom);
		mm_audit_enabled = false;
	}
}

/* A page that its user lost, and that the kernel's own access has taken from the user's view since. */
static void test_hidden_since(void **state)
{
	gfn_t root;
	(void)state;

	start_audited();
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA, RW);
	load(root, 0);
	(void)touch(0x1000, HOST_WRITE);
	guest_map(&guest, root, 0x1000, DATA, KRW);
	look(GRACE_MS / 2);
	arch_flush_tlb();
	spin_lock(&dom->mm.lock);
	*leaf_find(dom, v->as, VIEW_USER, 0x1000, &(u8){ 0 }) = 0; /* as a fault of the kernel's does */
	spin_unlock(&dom->mm.lock);
	look(2 * GRACE_MS);
	assert_int_equal(dom->mm.audit_findings, 0);
	host_domain_free(dom);
	mm_audit_enabled = false;
}

/* Another wrong leaf in the place of one is as young as it is. */
static void test_another_suspect(void **state)
{
	gfn_t root;
	u64 *leaf;
	u8 shift;
	(void)state;

	start_audited();
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA, RW);
	load(root, 0);
	(void)touch(0x1000, HOST_WRITE);
	*guest_entry(&guest, root, 0x1000, 12) = 0;
	look(GRACE_MS * 3 / 4);
	leaf = leaf_find(dom, v->as, VIEW_USER, 0x1000, &shift);
	*leaf = (*leaf & ~PTE_ADDR) | ptr_to_paddr(guest_page(dom, DATA + 1));
	look(GRACE_MS * 3 / 4);
	assert_int_equal(dom->mm.audit_findings, 0);
	look(GRACE_MS);
	assert_true(dom->mm.audit_findings > 0);
	host_domain_free(dom);
	mm_audit_enabled = false;
}

/* A device's register is no frame that could be another's. */
static void test_registers(void **state)
{
	gfn_t root;
	u64 error;
	(void)state;

	start_audited();
	root = new_root();
	assert_int_equal(mem_map_io(dom, NPAGES + 8, 0xfe000, 1), 1);
	guest_map(&guest, root, 0x1000, NPAGES + 8, RW | PTE_NX);
	load(root, 0);
	assert_int_equal(mm_guest_fault(v, 0x1000, 2, &error), FAULT_RESUME);
	look(2 * GRACE_MS);
	assert_int_equal(dom->mm.audit_findings, 0);
	host_domain_free(dom);
	mm_audit_enabled = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_no_mistakes),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_audit_of_mistakes),
		cmocka_unit_test(test_fused),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_ranges_beside),
		cmocka_unit_test(test_hidden_since),
		cmocka_unit_test(test_another_suspect),
		cmocka_unit_test(test_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
