// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_failing.c - the memory code when something is used up: each story is told again and again, its first point of
 * fail.h failing, then its second, until none is left that could. What failed has had no effect and works when
 * it is asked for once more; at the end nothing is lost. (model_diff --fail does the same to hypercalls.)
 */
#include "cap.h"
#include "fail.h"
#include "grant.h"
#include "guest.h"

#define DATA 96u /* gfns below are for tables */
#define NDATA 48u
#define BLOCK 512u /* a large page's worth of frames in one piece */
#define ABSENT 200u
#define MAX_POINTS 1000u

static struct domain *dom;
static struct guest guest;
static struct vcpu *v;
static bool failed; /* something has failed in this run: nothing else does */

static bool just_failed(void)
{
	const struct fail_site *site = host_fail_disarm();

	failed |= site != NULL;
	return site != NULL;
}

/* The result of a call; of the second one, if the first one was refused. */
#define DONE(call)                                                                                 \
	({                                                                                         \
		i64 r_ = (call);                                                                   \
                                                                                                   \
		if (r_ == -PV_ENOMEM || r_ == -PV_ENOSPC) {                                        \
			assert_true(just_failed());                                                \
			mm_check(dom);                                                             \
			r_ = (call);                                                               \
		}                                                                                  \
		r_;                                                                                \
	})

/* All of it, however many calls it takes. */
static void populate_all(gfn_t gfn, u64 n)
{
	while (n) {
		i64 done = DONE(mem_populate(dom, gfn, n));

		assert_true(done > 0);
		gfn += (u64)done;
		n -= (u64)done;
	}
}

static void reaches(vaddr_t va, enum host_access how, u64 tag)
{
	u64 error = 0;
	char *p = NULL;

	if (host_access(va, how, &p, &error) == HOST_FATAL) {
		assert_true(just_failed());
		mm_check(dom);
		assert_int_equal(host_access(va, how, &p, &error), HOST_OK);
	}
	assert_non_null(p);
	assert_int_equal(*(u64 *)((uintptr_t)p & ~4095ull), tag);
}

/* A domain, or NULL if that was refused; then the same again. */
static void make(u32 kind, u64 kmem, u32 tables)
{
	dom = host_domain(kind, 2048, kmem, tables);
	if (!dom) {
		assert_true(just_failed());
		dom = host_domain(kind, 2048, kmem, tables);
	}
	assert_non_null(dom);
	populate_all(0, DATA + NDATA);
	populate_all(BLOCK, 512);
	guest_tag(dom, DATA, NDATA);
	guest_tag(dom, BLOCK, 16);
	v = host_vcpu(dom, 0);
	host_run(v);
}

/* ---- the stories ---- */

static void linear(void)
{
	make(PV_KIND_WALKED, 200, PV_VTLB_MAX);
	reaches(DATA << 12, HOST_WRITE, DATA);
	reaches(ABSENT << 12, HOST_READ, ~0ull); /* absent memory */
	populate_all(ABSENT, 1);
	reaches(ABSENT << 12, HOST_READ, 0);
	assert_int_equal(DONE(mem_release(dom, ABSENT, 1)), 1);
}

static gfn_t table_tree(u64 at)
{
	gfn_t root = guest_table(&guest);

	guest_map(&guest, root, 0x1000, DATA + at, RW);
	guest_map(&guest, root, 0x2000, DATA + at + 1, KRW);
	guest_map(&guest, root, 0x8000000000, DATA + at + 2, RW);
	guest_map(&guest, root, KERNEL_VA, DATA + at + 3, KRW);
	*guest_entry(&guest, root, 0x40000000, 21) = (u64)BLOCK << 12 | RW | PTE_PS;
	return root;
}

static void walked_by(u64 kmem, u32 tables, u32 spaces)
{
	gfn_t roots[6];

	make(PV_KIND_WALKED, kmem, tables);
	guest = (struct guest){ dom, 1 };
	for (u32 i = 0; i < spaces; i++)
		roots[i] = table_tree(8 * i);
	for (u32 i = 0; i < 2 * spaces; i++) {
		u32 s = i % spaces;

		assert_int_equal(DONE(aspace_load_root(v, roots[s] << 12, PV_ROOT_KEEP)), 0);
		if (!i)
			assert_int_equal(DONE(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, roots[0] << 12)), 0);
		reaches(0x1000, HOST_READ, DATA + 8 * s);
		reaches(0x2000, HOST_WRITE, DATA + 8 * s + 1); /* the slot becomes private */
		reaches(0x8000000000, HOST_WRITE, DATA + 8 * s + 2);
		reaches(KERNEL_VA, HOST_WRITE, DATA + 3);
		reaches(0x40003000, HOST_READ, BLOCK + 3);
		mm_check(dom);
	}
	assert_int_equal(aspace_flush(v, PV_FOREVER, 0x1000, 0x2000, 0), 0);
	mm_prefill(v, 0x1000, 4);
	reaches(0x1000, HOST_READ, DATA + 8 * (spaces - 1));
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, roots[spaces - 1] << 12), 0);
	reaches(0x1000, HOST_READ, DATA); /* in the kernel root's space */
}

static void walked(void)
{
	walked_by(400, PV_VTLB_MAX, 3);
}

static void walked_tight(void)
{
	walked_by(56, 16, 6);
}

static void explicit(void)
{
	make(PV_KIND_EXPLICIT, 200, PV_VTLB_MAX);
	assert_int_equal(DONE(aspace_map(dom, 0x40000000, DATA, 4, 3)), 4);
	assert_int_equal(DONE(aspace_map(dom, 0x7ffffff00000, DATA + 4, 4, 1)), 4);
	reaches(0x40000000, HOST_WRITE, DATA);
	reaches(0x7ffffff03000, HOST_READ, DATA + 7);
	assert_int_equal(DONE(aspace_protect(dom, 0x40000000, 2, 1)), 2);
	assert_int_equal(DONE(aspace_unmap(dom, 0x40000000, 4)), 4);
	populate_all(1ull << 18, 4); /* another part of the map */
}

static void granted(void)
{
	struct domain *owner;
	struct cap *cap;
	i64 handle;

	make(PV_KIND_WALKED, 200, PV_VTLB_MAX);
	owner = dom;
	v = NULL;
	host_run(NULL);
	make(PV_KIND_WALKED, 200, PV_VTLB_MAX);
	handle = DONE(grant_create(owner, owner, DATA, 4, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE));
	assert_true(handle > 0);
	cap = host_cap((u64)handle);
	assert_int_equal(DONE(grant_map(dom, cap, 1ull << 19, 4, true)), 4);
	reaches(((1ull << 19) + 2) << 12, HOST_WRITE, DATA + 2);
	while (DONE(grant_revoke(cap)) == -PV_EAGAIN)
		;
	reaches(((1ull << 19) + 2) << 12, HOST_READ, ~0ull);
	assert_int_equal(DONE(grant_unmap(dom, 1ull << 19, 4)), 4);
	mm_check(owner);
	host_domain_free(owner);
}

static void tell(void (*story)(void))
{
	u32 nth = 0;

	do {
		struct levels_seen before;

		host_machine_init(MIB(16), 2, NULL);
		before = levels_now();
		failed = false;
		host_fail_arm(++nth);
		story();
		(void)just_failed(); /* and nobody noticed */
		mm_check(dom);
		host_domain_free(dom);
		assert_levels(before);
		assert_true(nth < MAX_POINTS);
	} while (failed);
	print_message("%u points\n", nth - 1);
	assert_true(nth > 10);
}

static void test_linear(void **state)
{
	(void)state;
	tell(linear);
}

static void test_walked(void **state)
{
	(void)state;
	tell(walked);
}

static void test_walked_tight(void **state)
{
	(void)state;
	tell(walked_tight);
}

static void test_explicit(void **state)
{
	(void)state;
	tell(explicit);
}

static void test_granted(void **state)
{
	(void)state;
	tell(granted);
}

/* ---- as long as it lasts ---- */

/*
 * Two vCPUs share a space, and no page is to be had for another one: only what was put aside when they came. A vCPU that
 * is alone in its space gives it another name.
 */
static void test_no_more_spaces(void **state)
{
	struct vcpu *far;
	gfn_t root[4];
	(void)state;

	host_machine_init(MIB(16), 2, NULL);
	make(PV_KIND_WALKED, 200, PV_VTLB_MAX);
	guest = (struct guest){ dom, 1 };
	for (u32 i = 0; i < 4; i++) {
		root[i] = guest_table(&guest);
		guest_map(&guest, root[i], 0x1000, DATA + i, RW);
	}
	host_fail_all();
	host_be(1);
	far = host_vcpu(dom, 1);
	host_run(far);
	assert_int_equal(aspace_load_root(far, root[1] << 12, 0), 0); /* what was put aside */
	host_be(0);
	assert_int_equal(aspace_load_root(v, root[0] << 12, 0), -PV_ENOMEM);
	mm_check(dom);
	assert_int_equal(aspace_root(v), LINEAR_ROOT);
	assert_int_equal(aspace_load_root(v, root[1] << 12, PV_ROOT_KEEP), 0); /* shared */
	assert_int_equal(aspace_load_root(v, root[0] << 12, 0), -PV_ENOMEM);
	mm_check(dom);
	(void)host_fail_disarm();
	assert_int_equal(aspace_load_root(v, root[0] << 12, 0), 0);
	reaches(0x1000, HOST_READ, DATA);
	host_fail_all();
	assert_int_equal(aspace_load_root(v, root[2] << 12, 0), 0); /* its own, under another name */
	mm_check(dom);
	(void)host_fail_disarm();
	reaches(0x1000, HOST_READ, DATA + 2);
	host_be(1);
	reaches(0x1000, HOST_READ, DATA + 1);
	/* A space that was destroyed under it, and no other one to go to. */
	host_be(0);
	assert_int_equal(aspace_load_root(v, root[1] << 12, PV_ROOT_KEEP), 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, root[3] << 12), 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_DESTROY, root[1] << 12), 0);
	mm_check(dom);
	reaches(0x1000, HOST_READ, DATA + 3);
	host_domain_free(dom);
}

/* Pages of tables that are out of use serve for anything, and are counted once. */
static void test_clean_pages(void **state)
{
	(void)state;

	host_machine_init(MIB(16), 1, NULL);
	make(PV_KIND_WALKED, 200, PV_VTLB_MAX);
	reaches(DATA << 12, HOST_READ, DATA);
	assert_int_equal(mem_release(dom, DATA + 1, 1), 1); /* all tables are dropped */
	host_fail_arm(2); /* the first asks whether there is room, the second takes */
	assert_int_equal(mem_populate(dom, 3ull << 18, 1), 1);
	assert_non_null(host_fail_disarm());
	mm_check(dom);
	host_domain_free(dom);
}

/* A page of a kernel-half table becomes another table on the CPU that knows the way to it. */
static void test_tables_used_again(void **state)
{
	gfn_t root;
	(void)state;

	host_machine_init(MIB(16), 1, NULL);
	make(PV_KIND_WALKED, 200, PV_VTLB_MAX);
	guest = (struct guest){ dom, 1 };
	root = guest_table(&guest);
	for (u64 i = 0; i < 8; i++) {
		guest_map(&guest, root, KERNEL_VA + (i << 21), DATA + i, KRW);
		guest_map(&guest, root, KERNEL_VA + (i << 21) + PAGE_SIZE, DATA + 8 + i, KRW);
	}
	guest_map(&guest, root, 0x1000, DATA + 16, RW);
	assert_int_equal(aspace_load_root(v, root << 12, 0), 0);
	assert_int_equal(aspace_ctl(v, PV_AS_CTL_SET_KERNEL_ROOT, root << 12), 0);
	for (u64 i = 0; i < 8; i++)
		reaches(KERNEL_VA + (i << 21), HOST_READ, DATA + i);
	host_fail_all(); /* the kernel half has to give its tables */
	reaches(0x1000, HOST_READ, DATA + 16);
	(void)host_fail_disarm();
	for (u64 i = 0; i < 8; i++)
		reaches(KERNEL_VA + (i << 21) + PAGE_SIZE, HOST_READ, DATA + 8 + i);
	mm_check(dom);
	host_domain_free(dom);
}

/* More spaces than one step of the end takes. */
static void test_end_of_many_spaces(void **state)
{
	struct levels_seen before;
	(void)state;

	host_machine_init(MIB(16), 1, NULL);
	before = levels_now();
	make(PV_KIND_WALKED, 400, PV_VTLB_MAX);
	for (gfn_t root = 1; root < 40; root++)
		assert_int_equal(aspace_load_root(v, root << 12, 0), 0);
	mm_check(dom);
	host_domain_free(dom);
	assert_levels(before);
}

/* No page for what stands in for absent memory: the domain cannot go on, until there is one. */
static void test_no_dummy(void **state)
{
	u64 error;
	char *p;
	(void)state;

	host_machine_init(MIB(16), 1, NULL);
	make(PV_KIND_WALKED, 200, PV_VTLB_MAX);
	reaches(DATA << 12, HOST_READ, DATA); /* the tables are there */
	host_fail_all();
	assert_int_equal(host_access(ABSENT << 12, HOST_READ, &p, &error), HOST_FATAL);
	assert_int_equal(dom->mm.dummy, 0);
	(void)host_fail_disarm();
	reaches(ABSENT << 12, HOST_READ, ~0ull);
	host_domain_free(dom);
}

/* A hint is only that. */
static void test_no_room_for_hints(void **state)
{
	gfn_t root;
	(void)state;

	host_machine_init(MIB(16), 1, NULL);
	make(PV_KIND_WALKED, 200, PV_VTLB_MAX);
	guest = (struct guest){ dom, 1 };
	root = guest_table(&guest);
	for (u64 i = 0; i < 8; i++)
		guest_map(&guest, root, 0x1000 + (i << 12), DATA + i, RW);
	assert_int_equal(aspace_load_root(v, root << 12, 0), 0);
	host_fail_all();
	mm_prefill(v, 0x1000, 8);
	mm_check(dom);
	(void)host_fail_disarm();
	for (u64 i = 0; i < 8; i++)
		reaches(0x1000 + (i << 12), HOST_READ, DATA + i);
	host_domain_free(dom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear),	     cmocka_unit_test(test_walked),
		cmocka_unit_test(test_walked_tight), cmocka_unit_test(test_explicit),
		cmocka_unit_test(test_granted),
		cmocka_unit_test(test_no_more_spaces), cmocka_unit_test(test_no_dummy),
		cmocka_unit_test(test_no_room_for_hints), cmocka_unit_test(test_clean_pages),
		cmocka_unit_test(test_tables_used_again), cmocka_unit_test(test_end_of_many_spaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
