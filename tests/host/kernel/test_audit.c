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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_no_mistakes),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_audit_of_mistakes),
		cmocka_unit_test(test_fused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
