// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_forget.c - when translations go, how many go with them, and what is translated ahead of time.
 */
#include "walked.h"

/* From here on CPU 1 acts, where the domain's second vCPU runs in the same space. */
static void join(gfn_t root, u64 flags)
{
	struct vcpu *far;

	host_be(1);
	far = host_vcpu(dom, 1);
	host_run(far);
	assert_int_equal(aspace_load_root(far, root << 12, flags), 0);
}

/* A space that is dropped is gone on every CPU when the call returns. */
static void test_drop_elsewhere(void **state)
{
	gfn_t root;
	(void)state;

	start(2, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA + 3, RW);
	load(root, 0);
	join(root, 0);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 3);
	host_be(0);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 3);
	guest_map(&guest, root, 0x1000, DATA + 4, RW);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DROP, root << 12), 0);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 4);
	host_be(1);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 4);
	host_be(0);
	host_domain_free(dom);
}

/* Mail that comes while a CPU is in the kernel is read before it goes on with the guest. */
static void test_mail_in_the_kernel(void **state)
{
	gfn_t root;
	(void)state;

	start(2, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA + 3, RW);
	load(root, 0);
	join(root, PV_ROOT_KEEP);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 3);
	host_leave_guest();
	host_be(0);
	guest_map(&guest, root, 0x1000, DATA + 4, RW);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x1000, 0x2000, PV_FLUSH_ALL), 0);
	host_be(1);
	host_enter_guest();
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 4);
	host_be(0);
	host_domain_free(dom);
}

/* With capacity 0 nothing outlives an event, whoever else is in the space. */
static void test_events_forget(void **state)
{
	gfn_t root;
	(void)state;

	start(2, 256, 0);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA + 3, RW);
	guest_map(&guest, root, KERNEL_VA, DATA + 5, KRW);
	load(root, 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, root << 12), 0);
	join(root, PV_ROOT_KEEP);
	host_be(0);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 3);
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 5);
	guest_map(&guest, root, 0x1000, DATA + 4, RW);
	guest_map(&guest, root, KERNEL_VA, DATA + 6, KRW);
	host_event(v);
	assert_int_equal(touch(0x1000, HOST_READ), DATA + 4);
	assert_int_equal(touch(KERNEL_VA, HOST_READ), DATA + 6);
	host_domain_free(dom);
}

/* A vCPU that goes takes its part of the pages in reserve with it. */
static void test_vcpu_goes(void **state)
{
	struct vcpu *other;
	(void)state;

	start(2, 256, PV_VTLB_MAX);
	other = host_vcpu(dom, 1);
	assert_int_equal(aspace_load_root(other, new_root() << 12, 0), 0);
	mm_check(dom);
	mm_vcpu_exit(other);
	mm_vcpu_exit(other); /* a second time: nothing */
	free(other);
	dom->vcpus[1] = NULL;
	assert_int_equal(dom->mm.vcpus, 1);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, 1ull << 12), 0);
	mm_check(dom);
	host_domain_free(dom);
}

/* A flush of more than a bounded number of tables becomes one of everything. */
static void test_flush_is_bounded(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 1ull << 40, DATA, RW);
	for (u64 i = 0; i < 9; i++)
		guest_map(&guest, root, i << 30, DATA + i, RW);
	load(root, 0);
	assert_int_equal(faults_at(1ull << 40), 1);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0, 1ull << 33, 0), 0); /* nothing there: cheap */
	assert_int_equal(faults_at(1ull << 40), 0);
	for (u64 i = 0; i < 9; i++)
		(void)touch(i << 30, HOST_READ);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0, 2ull << 30, 0), 0); /* two subtrees */
	assert_int_equal(faults_at(1ull << 40), 0);
	for (u64 i = 0; i < 9; i++)
		(void)touch(i << 30, HOST_READ);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0, 9ull << 30, 0), 0); /* nine */
	assert_int_equal(faults_at(1ull << 40), 1);
	(void)touch(0, HOST_READ);
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x2000, (1ull << 39) - 0x1000, 0), 0); /* 512 steps */
	assert_int_equal(faults_at(1ull << 40), 1);
	host_domain_free(dom);
}

/* The same with the two ways to say "from here to there": nothing outside of a range goes with it. */
static void test_ranges(void **state)
{
	static const vaddr_t at[] = { 0x0, 0x1ff000, 0x200000, 0x3ff000, 0x400000, 0x3ffff000, 0x40000000,
				      0x7ffff000, 0x80000000, 0x7fffffe000, 0x8000000000 };
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	for (u32 i = 0; i < ARRAY_SIZE(at); i++)
		guest_map(&guest, root, at[i], DATA + i, RW);
	load(root, 0);
	for (u32 from = 0; from < ARRAY_SIZE(at); from++) {
		for (u32 to = from; to < ARRAY_SIZE(at); to++) {
			for (u32 i = 0; i < ARRAY_SIZE(at); i++) {
				guest_map(&guest, root, at[i], DATA + i, RW);
				if (from == 0 && to == 0)
					(void)touch(at[i], HOST_READ);
			}
			assert_int_equal(aspace_flush(v, PV_FOREVER, 0, 0, 0), 0);
			for (u32 i = 0; i < ARRAY_SIZE(at); i++) {
				(void)touch(at[i], HOST_READ);
				guest_map(&guest, root, at[i], DATA + 100 + i, RW);
			}
			assert_int_equal(aspace_flush(v, PV_FOREVER, at[from], at[to] + PAGE_SIZE, 0), 0);
			for (u32 i = from; i <= to; i++)
				assert_int_equal(touch(at[i], HOST_READ), DATA + 100 + i);
			mm_check(dom);
		}
	}
	host_domain_free(dom);
}

/* Hints at what the guest did not mean to show. */
static void test_bad_hints(void **state)
{
	gfn_t root;
	u64 fills;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	guest_map(&guest, root, 0x1000, DATA, RW & ~(PTE_A | PTE_D));
	guest_map(&guest, root, 0x2000, DATA + 1, KRW);
	guest_map(&guest, root, 0x3000, NPAGES + 7, RW); /* absent */
	guest_map(&guest, root, 0x4000, DATA + 3, RW);
	guest_map(&guest, root, KERNEL_VA, DATA + 4, KRW);
	/* A large page over frames in pieces, and another one behind it. */
	assert_int_equal(mem_release(dom, DATA + 3, 1), 1);
	assert_int_equal(mem_populate(dom, DATA + 3, 1), 1);
	guest_tag(dom, DATA + 3, 1);
	map_large(root, 0x40000000, DATA, RW);
	map_large(root, 0x40200000, DATA + 512, RW);
	load(root, 0);
	fills = dom->fills;
	mm_prefill(v, 0x1000, 1);
	assert_int_equal(dom->fills, fills);
	assert_int_equal(*guest_entry(&guest, root, 0x1000, 12) & (PTE_A | PTE_D), 0);
	mm_prefill(v, 0x2000, 2);
	assert_int_equal(dom->fills, fills);
	mm_prefill(v, 0x4000, 1);
	assert_int_equal(dom->fills, fills + 1);
	assert_int_equal(faults_at(0x4000), 0);
	mm_prefill(v, 0x5000, 4); /* nothing there */
	mm_prefill(v, KERNEL_VA, 4);
	assert_int_equal(dom->fills, fills + 2);
	assert_int_equal(faults_at(KERNEL_VA), 0);
	mm_prefill(v, 0x40000000, 16);
	for (u64 i = 0; i < 16; i++)
		assert_int_equal(touch(0x40000000 + (i << 12), HOST_READ), DATA + i);
	assert_int_equal(touch(0x40200000, HOST_READ), DATA + 512);
	host_set_mode(v, MODE_USER);
	expect_fault(0x2000, HOST_READ, 5);
	expect_fault(KERNEL_VA, HOST_READ, 5);
	host_domain_free(dom);
}

static void test_prefill(void **state)
{
	gfn_t root;
	u64 faults, fills;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	for (u64 i = 0; i < 24; i++)
		guest_map(&guest, root, 0x1f8000 + (i << 12), DATA + i, i == 3 ? RO & ~PTE_A : RW);
	guest_map(&guest, root, 0x1fa000, DATA + 2, RW & ~(PTE_D | 0ull));
	load(root, 0);
	fills = dom->fills;
	mm_prefill(v, 0x1f8123, 16); /* crosses into the next table */
	assert_int_equal(dom->fills, fills + 15);
	faults = host_faults;
	for (u64 i = 0; i < 16; i++)
		if (i != 3 && i != 2)
			assert_int_equal(touch(0x1f8000 + (i << 12), HOST_WRITE), DATA + i);
	assert_int_equal(touch(0x1fa000, HOST_READ), DATA + 2);
	assert_int_equal(host_faults, faults);
	assert_int_equal(dom->fills, fills + 15);
	touch(0x1fa000, HOST_WRITE); /* D was clear */
	touch(0x1fb000, HOST_READ);  /* A was clear */
	assert_int_equal(host_faults, faults + 2);
	assert_int_equal(dom->fills, fills + 17);
	touch(0x208000, HOST_READ);
	assert_int_equal(host_faults, faults + 3);
	mm_prefill(v, PV_HOLE_START - 0x2000, 16);
	mm_prefill(v, ~0ull, 16);
	host_domain_free(dom);
}

/* A run of pages with every kind among them that the hint must pass by. */
static void test_prefill_gaps(void **state)
{
	gfn_t root;
	u64 fills;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	for (u64 i = 0; i < 8; i++) {
		guest_map(&guest, root, 0x1000 + (i << 12), i == 3 ? NPAGES + 7 : DATA + i, i == 2 ? KRW : RW);
		guest_map(&guest, root, KERNEL_VA + (i << 12), DATA + i, KRW);
	}
	load(root, 0);
	touch(0x8000, HOST_WRITE);
	fills = dom->fills;
	mm_prefill(v, 0x1000, 8); /* not the kernel's, the absent one, nor the one that is there */
	assert_int_equal(dom->fills, fills + 5);
	for (u64 i = 0; i < 8; i++)
		if (i != 2)
			assert_int_equal(faults_at(0x1000 + (i << 12)), i == 3);
	assert_int_equal(faults_at(0x3000), 1);
	fills = dom->fills;
	mm_prefill(v, KERNEL_VA, 8);
	assert_int_equal(dom->fills, fills + 8);
	for (u64 i = 0; i < 8; i++)
		assert_int_equal(faults_at(KERNEL_VA + (i << 12)), 0);
	guest_map(&guest, root, KERNEL_VA + 0x9000, DATA + 9, RW); /* its programs may see it, says the guest */
	assert_int_equal(touch(KERNEL_VA + 0x9000, HOST_READ), DATA + 9);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, root << 12), 0); /* the one it is in */
	fills = dom->fills;
	mm_prefill(v, 0x1000, 8);
	assert_int_equal(dom->fills, fills);
	host_domain_free(dom);

	start(1, 256, PV_VTLB_MAX); /* linear: there is no table to read on in */
	fills = dom->fills;
	mm_prefill(v, DATA << 12, 8);
	assert_int_equal(dom->fills, fills);
	assert_int_equal(touch(DATA << 12, HOST_WRITE), DATA);
	host_domain_free(dom);
}

/* No page for a table: the hint is dropped, and what it was about is filled when it is touched. */
static void test_prefill_fails(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	for (u64 i = 0; i < 4; i++)
		guest_map(&guest, root, (i + 1) << 30, DATA + i, RW);
	load(root, 0);
	for (u64 i = 0; i < 4; i++) {
		u64 fills = dom->fills;

		host_fail_arm(i + 1);
		mm_prefill(v, (i + 1) << 30, 4);
		assert_int_equal(dom->fills, fills + !host_fail_disarm());
		assert_int_equal(touch((i + 1) << 30, HOST_WRITE), DATA + i);
		mm_check(dom);
	}
	host_domain_free(dom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop_elsewhere),
		cmocka_unit_test(test_mail_in_the_kernel),
		cmocka_unit_test(test_events_forget),
		cmocka_unit_test(test_vcpu_goes),
		cmocka_unit_test(test_flush_is_bounded),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_bad_hints),
		cmocka_unit_test(test_prefill),
		cmocka_unit_test(test_prefill_gaps),
		cmocka_unit_test(test_prefill_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
