// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_grant.c - sharing, unmapping, revoking, and what is left when either side dies.
 */
#include "cap.h"
#include "grant.h"
#include "guest.h"

static struct domain *owner, *holder, *other;
static struct vcpu *v;
static struct levels_seen before;

static void start(u32 holder_kind)
{
	host_machine_init(MIB(64), 2, NULL);
	before = levels_now();
	holder = host_domain(holder_kind, 1024, 128, PV_VTLB_MAX);
	owner = host_domain(PV_KIND_EXPLICIT, 1024, 128, PV_VTLB_MAX);
	other = host_domain(PV_KIND_EXPLICIT, 1024, 128, PV_VTLB_MAX);
	guest_populate(owner, 0, 600);
	guest_tag(owner, 0, 600);
	guest_populate(holder, 0, 16);
	v = host_vcpu(holder, 0);
	host_run(v);
}

static void finish(void)
{
	if (holder)
		host_domain_free(holder);
	if (owner)
		host_domain_free(owner);
	if (other)
		host_domain_free(other);
	assert_levels(before);
}

static struct cap *create(gfn_t gfn, u64 n, u32 rights)
{
	i64 handle = grant_create(owner, owner, gfn, n, rights);

	assert_true(handle > 0);
	return host_cap((u64)handle);
}

static void test_share(void **state)
{
	struct cap *c;
	(void)state;

	start(PV_KIND_EXPLICIT);
	assert_int_equal(grant_create(owner, owner, 598, 4, 1), -PV_EFAULT);
	c = create(3, 4, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
	assert_int_equal(c->rights, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE | PV_RIGHT_GRANT_REVOKE);
	assert_int_equal(mem_release(owner, 3, 1), -PV_EBUSY);
	assert_int_equal(grant_map(holder, c, 100, 3, true), -PV_EINVAL);
	assert_int_equal(grant_map(holder, c, 13, 4, true), -PV_EEXIST);
	assert_int_equal(grant_map(holder, c, 100, 4, true), 4);
	assert_int_equal(aspace_map(holder, 0x10000, 100, 4, PV_PROT_READ | PV_PROT_WRITE), 4);
	assert_int_equal(touch(0x11000, HOST_WRITE), 4);
	assert_int_equal(mem_release(holder, 100, 1), -PV_EFAULT);
	assert_int_equal(gfn_pin(holder, 100, &(mfn_t){ 0 }), -PV_EFAULT);
	assert_int_equal(grant_create(holder, holder, 100, 1, 1), -PV_EFAULT);

	assert_int_equal(grant_map(other, c, 100, 4, false), 4);
	assert_int_equal(aspace_map(other, 0x10000, 100, 4, PV_PROT_READ | PV_PROT_WRITE), -PV_EPERM);
	assert_int_equal(mem_copy(other, 100, owner, 0, 1), -PV_EFAULT);
	assert_int_equal(mem_copy(holder, 100, owner, 0, 1), 1);

	assert_int_equal(grant_unmap(holder, 101, 2), 2);
	assert_int_equal(grant_unmap(holder, 101, 1), -PV_ENOENT);
	assert_int_equal(grant_unmap(holder, 0, 1), -PV_EFAULT);
	expect_fault(0x11000, HOST_READ, 0);
	assert_int_equal(touch(0x13000, HOST_READ), 6);
	assert_int_equal(grant_unmap(holder, 100, 1), 1);
	assert_int_equal(grant_unmap(holder, 103, 5), 1);
	assert_int_equal(grant_map(holder, c, 200, 4, true), 4);
	finish();
}

static void test_revoke(void **state)
{
	struct cap *c;
	u32 steps = 0;
	(void)state;

	start(PV_KIND_WALKED);
	c = create(10, 8, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
	assert_int_equal(grant_map(holder, c, 100, 8, true), 8);
	assert_int_equal(grant_map(holder, c, 200, 8, false), 8);
	assert_int_equal(grant_map(other, c, 100, 8, true), 8);
	assert_int_equal(touch(104 << 12, HOST_WRITE), 14); /* linear translation */
	assert_int_equal(touch(204 << 12, HOST_READ), 14);
	expect_fault(204 << 12, HOST_WRITE, 3);
	while (grant_revoke(c) == -PV_EAGAIN)
		steps++;
	assert_int_equal(steps, 3);
	assert_int_equal(grant_revoke(c), -PV_EDEAD);
	assert_int_equal(grant_map(other, c, 300, 8, false), -PV_EDEAD);
	assert_int_equal(mem_release(owner, 10, 8), 8); /* poisoned from here on */
	assert_int_equal(touch(104 << 12, HOST_WRITE), ~0ull);
	assert_int_equal(touch(204 << 12, HOST_READ), ~0ull);
	expect_fault(204 << 12, HOST_WRITE, 3);
	assert_int_equal(gfn_pin(holder, 104, &(mfn_t){ 0 }), -PV_EFAULT);
	assert_int_equal(grant_unmap(holder, 100, 8), 8);
	assert_int_equal(mem_populate(holder, 100, 8), 8);
	assert_int_equal(touch(104 << 12, HOST_WRITE), 0);
	finish();
}

/*
 * Another grant comes into the hole an UNMAP of a part left. Taking it away again must not count as the end of
 * the first one, whose revocation would then leave its other frames with the holder.
 */
static void test_in_between(void **state)
{
	struct cap *a, *b;
	(void)state;

	start(PV_KIND_WALKED);
	a = create(10, 4, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
	b = create(20, 2, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
	assert_int_equal(grant_map(holder, a, 100, 4, true), 4);
	assert_int_equal(grant_unmap(holder, 100, 2), 2);
	assert_int_equal(grant_map(holder, b, 100, 2, true), 2);
	assert_int_equal(grant_unmap(holder, 100, 2), 2);
	assert_int_equal(levels[LVL_GRANT_MAPS], 2);
	assert_int_equal(touch(102 << 12, HOST_WRITE), 12);
	while (grant_revoke(a) == -PV_EAGAIN)
		;
	assert_int_equal(mem_release(owner, 10, 4), 4); /* poisoned from here on */
	assert_int_equal(touch(102 << 12, HOST_WRITE), ~0ull);

	/* The newer one in the middle: UNMAP of all ends both. */
	a = create(30, 4, PV_RIGHT_GRANT_READ);
	assert_int_equal(grant_map(holder, a, 200, 4, false), 4);
	assert_int_equal(grant_unmap(holder, 201, 2), 2);
	assert_int_equal(grant_map(holder, b, 201, 2, true), 2);
	assert_int_equal(grant_unmap(holder, 200, 4), 1);
	assert_int_equal(grant_unmap(holder, 201, 3), 2);
	assert_int_equal(grant_unmap(holder, 203, 1), 1);
	assert_int_equal(levels[LVL_GRANT_MAPS], 0);
	assert_int_equal(grant_revoke(a), 0);

	/* Both of the same frames: only the revoked one ends. */
	a = create(20, 4, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
	assert_int_equal(grant_map(holder, a, 300, 4, true), 4);
	assert_int_equal(grant_unmap(holder, 300, 2), 2);
	assert_int_equal(grant_map(holder, b, 300, 2, true), 2);
	while (grant_revoke(a) == -PV_EAGAIN)
		;
	assert_int_equal(touch(301 << 12, HOST_WRITE), 21);
	assert_int_equal(touch(302 << 12, HOST_WRITE), ~0ull);
	assert_int_equal(levels[LVL_GRANT_MAPS], 2);
	while (grant_revoke(b) == -PV_EAGAIN)
		;
	assert_int_equal(touch(301 << 12, HOST_WRITE), ~0ull);
	finish();
}

static void test_big_and_many(void **state)
{
	struct cap *c, *many[300];
	u32 n = 0;
	(void)state;

	start(PV_KIND_EXPLICIT);
	c = create(0, 512, PV_RIGHT_GRANT_READ);
	assert_int_equal(grant_map(holder, c, 1000, 512, false), 512);
	for (u32 done = 0; done < 512; done += 128)
		assert_int_equal(grant_unmap(holder, 1000 + done, 512 - done), 128);
	for (u32 i = 0; i < GRANT_MAPS; i++)
		assert_int_equal(grant_map(holder, c, 10000 + i * 1000, 512, false), 512);
	assert_int_equal(grant_map(holder, c, 90000, 512, false), -PV_ENOSPC);
	while (grant_revoke(c) == -PV_EAGAIN)
		;
	for (; n < 250; n++)
		many[n] = create(n, 1, PV_RIGHT_GRANT_READ);
	for (u32 i = 0; i < n; i++)
		assert_int_equal(grant_map(holder, many[i], 100000 + i, 1, false), 1);
	for (u32 i = 0; i < n; i += 2)
		while (grant_revoke(many[i]) == -PV_EAGAIN)
			;
	finish();
}

/* Both tables can be full: the grant's of its uses, after what is wrong with the place, and the holder's of its maps. */
static void test_full(void **state)
{
	struct cap *c, *many[8];
	u64 at = 1000;
	i64 r = 0;
	(void)state;

	start(PV_KIND_EXPLICIT);
	c = create(0, 1, PV_RIGHT_GRANT_READ);
	for (u32 i = 0; i < GRANT_MAPS; i++)
		assert_int_equal(grant_map(other, c, 10 + i, 1, false), 1);
	assert_int_equal(grant_map(holder, c, 3, 1, false), -PV_EEXIST); /* a frame is there */
	assert_int_equal(grant_map(holder, c, 100, 1, false), -PV_ENOSPC);
	assert_int_equal(grant_unmap(other, 11, 1), 1);
	assert_int_equal(grant_map(holder, c, 100, 1, false), 1);
	assert_int_equal(grant_unmap(holder, 100, 1), 1);
	while (r >= 0 && at < 2000) {
		struct cap *next = create((at - 1000) / GRANT_MAPS % 500, 1, PV_RIGHT_GRANT_READ);

		many[(at - 1000) / GRANT_MAPS % 8] = next;
		for (u32 i = 0; i < GRANT_MAPS && r >= 0; i++)
			r = grant_map(holder, next, at++, 1, false);
	}
	assert_int_equal(r, -PV_ENOSPC);
	assert_true(at > 1100);
	assert_non_null(many[0]);
	assert_int_equal(grant_unmap(holder, 1000, 1), 1);
	assert_int_equal(grant_map(holder, many[((at - 1001) / GRANT_MAPS) % 8], 1000, 1, false), 1);
	finish();
}

/* What is left of a grant that was revoked goes by itself, not together with the one behind it. */
static void test_dummies_before_another(void **state)
{
	struct cap *first, *second;
	(void)state;

	start(PV_KIND_EXPLICIT);
	first = create(0, 2, PV_RIGHT_GRANT_READ);
	second = create(8, 2, PV_RIGHT_GRANT_READ);
	assert_int_equal(grant_map(holder, first, 100, 2, false), 2);
	assert_int_equal(grant_map(holder, second, 102, 2, false), 2);
	assert_int_equal(aspace_map(holder, 0x10000, 100, 4, PV_PROT_READ), 4);
	while (grant_revoke(first) == -PV_EAGAIN)
		;
	assert_int_equal(grant_unmap(holder, 100, 4), 2);
	expect_fault(0x10000, HOST_READ, 0);
	assert_int_equal(touch(0x12000, HOST_READ), 8);
	assert_int_equal(grant_unmap(holder, 102, 4), 2);
	expect_fault(0x12000, HOST_READ, 0);
	finish();
}

/* A holder whose vCPUs have gone, but not yet its memory: what it mapped can still be taken back. */
static void test_holder_without_spaces(void **state)
{
	struct cap *c;
	(void)state;

	start(PV_KIND_WALKED);
	c = create(0, 2, PV_RIGHT_GRANT_READ);
	assert_int_equal(grant_map(holder, c, 100, 2, false), 2);
	assert_int_equal(touch(100 << 12, HOST_READ), 0);
	host_run(NULL);
	mm_vcpu_exit(v);
	assert_null(v->as);
	while (grant_revoke(c) == -PV_EAGAIN)
		;
	assert_int_equal(grant_unmap(holder, 100, 2), 2);
	finish();
}

static u64 touch_on(u32 cpu, gfn_t gfn, enum host_access how)
{
	u64 tag;

	host_be(cpu);
	tag = touch(gfn << 12, how);
	host_be(0);
	return tag;
}

/* What a vCPU on another CPU has translated is gone when the call returns. */
static void test_other_cpu(void **state)
{
	struct cap *c;
	(void)state;

	start(PV_KIND_WALKED);
	c = create(10, 8, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
	host_be(1);
	host_run(host_vcpu(holder, 1));
	host_be(0);
	assert_int_equal(touch_on(1, 104, HOST_READ), ~0ull); /* absent memory */
	assert_int_equal(grant_map(holder, c, 100, 8, true), 8);
	assert_int_equal(touch_on(1, 104, HOST_WRITE), 14);
	assert_int_equal(grant_unmap(holder, 100, 8), 8);
	assert_int_equal(touch_on(1, 104, HOST_READ), ~0ull);
	assert_int_equal(grant_map(holder, c, 100, 8, true), 8);
	assert_int_equal(touch_on(1, 104, HOST_WRITE), 14);
	while (grant_revoke(c) == -PV_EAGAIN)
		;
	assert_int_equal(touch_on(1, 104, HOST_READ), ~0ull);
	assert_int_equal(touch_on(1, 300, HOST_READ), ~0ull);
	assert_int_equal(mem_populate(holder, 300, 1), 1);
	assert_int_equal(touch_on(1, 300, HOST_READ), 0);
	finish();
}

/* Foreign memory is no page table, whoever may write it. */
static void test_no_table(void **state)
{
	struct guest g;
	struct cap *c;
	u64 *l4;
	(void)state;

	start(PV_KIND_WALKED);
	g = (struct guest){ holder, 1 };
	c = create(0, 4, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
	assert_int_equal(grant_map(holder, c, 100, 4, true), 4);
	l4 = guest_page(holder, guest_table(&g));
	l4[0] = 100ull << 12 | RW;
	for (u32 i = 0; i < 3; i++)
		*(u64 *)guest_page(holder, 100 + i) = (i == 2 ? 0 : 101ull + i) << 12 | RW;
	assert_int_equal(aspace_load_root(v, 100ull << 12, 0), -PV_EFAULT);
	assert_int_equal(aspace_load_root(v, 1ull << 12, 0), 0);
	expect_fault(0, HOST_READ, 0);
	finish();
}

/* Neither side of a grant may be dying when something new begins. */
static void test_dying(void **state)
{
	struct cap *c;
	(void)state;

	start(PV_KIND_WALKED);
	c = create(10, 8, PV_RIGHT_GRANT_READ);
	owner->mm.dying = true;
	assert_int_equal(grant_create(owner, owner, 20, 1, PV_RIGHT_GRANT_READ), -PV_EDEAD);
	assert_int_equal(grant_map(holder, c, 100, 8, false), -PV_EDEAD);
	owner->mm.dying = false;
	holder->mm.dying = true;
	assert_int_equal(grant_map(holder, c, 100, 8, false), -PV_EDEAD);
	holder->mm.dying = false;
	assert_int_equal(grant_map(holder, c, 100, 8, false), 8);
	holder->mm.dying = true;
	assert_int_equal(grant_unmap(holder, 100, 8), -PV_EDEAD);
	holder->mm.dying = false;
	finish();
}

/* ---- what happens between two steps of a call ---- */

static struct cap *first, *second;

/* The grant that is being unmapped is revoked; another one takes its gfns and its record. */
static void revoke_and_map_another(void)
{
	while (grant_revoke(first) == -PV_EAGAIN)
		;
	assert_int_equal(grant_map(holder, second, 100, 4, true), 4);
}

static void test_record_used_again(void **state)
{
	u32 nth = 0;
	bool done;
	(void)state;

	do {
		i64 unmapped;

		start(PV_KIND_WALKED);
		first = create(10, 4, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
		second = create(20, 4, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
		assert_int_equal(grant_map(holder, first, 100, 4, true), 4);
		host_between(++nth, false, revoke_and_map_another);
		unmapped = grant_unmap(holder, 100, 4);
		done = host_between_done();
		assert_int_equal(unmapped, 4);
		if (done) { /* the second one is there and known to be */
			assert_int_equal(levels[LVL_GRANT_MAPS], 4);
			assert_int_equal(touch(102 << 12, HOST_WRITE), 22);
			while (grant_revoke(second) == -PV_EAGAIN)
				;
			assert_int_equal(touch(102 << 12, HOST_WRITE), ~0ull);
		}
		assert_int_equal(levels[LVL_GRANT_MAPS], 0);
		finish();
	} while (done);
	assert_true(nth > 3);
}

/* While one is revoked its holder unmaps it, in one piece or two. */
static void unmap_it(void)
{
	assert_int_equal(grant_unmap(holder, 100, 2), 2);
	assert_int_equal(grant_unmap(holder, 102, 2), 2);
}

static void test_unmapped_meanwhile(void **state)
{
	u32 nth = 0;
	bool done;
	(void)state;

	do {
		start(PV_KIND_WALKED);
		first = create(10, 4, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
		assert_int_equal(grant_map(holder, first, 100, 4, true), 4);
		host_between(++nth, false, unmap_it);
		while (grant_revoke(first) == -PV_EAGAIN)
			;
		done = host_between_done();
		assert_int_equal(levels[LVL_GRANT_MAPS], 0);
		assert_int_equal(levels[LVL_GRANTS], 0);
		assert_int_equal(mem_release(owner, 10, 4), 4);
		finish();
	} while (done);
	assert_true(nth > 3);
}

static void test_deaths(void **state)
{
	struct cap *c;
	(void)state;

	start(PV_KIND_WALKED);
	c = create(10, 8, PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE);
	assert_int_equal(grant_map(holder, c, 100, 8, true), 8);
	assert_int_equal(grant_map(other, c, 100, 8, true), 8);
	assert_int_equal(touch(104 << 12, HOST_WRITE), 14);
	host_domain_free(other); /* a holder first */
	other = NULL;
	assert_int_equal(levels[LVL_GRANT_MAPS], 8);
	host_domain_free(owner); /* then the owner, while mapped */
	owner = NULL;
	assert_int_equal(levels[LVL_GRANT_MAPS], 0);
	assert_int_equal(touch(104 << 12, HOST_WRITE), ~0ull);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_revoke),
		cmocka_unit_test(test_in_between),
		cmocka_unit_test(test_big_and_many),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_dummies_before_another),
		cmocka_unit_test(test_holder_without_spaces),
		cmocka_unit_test(test_other_cpu),
		cmocka_unit_test(test_no_table),
		cmocka_unit_test(test_deaths),
		cmocka_unit_test(test_dying),
		cmocka_unit_test(test_record_used_again),
		cmocka_unit_test(test_unmapped_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
