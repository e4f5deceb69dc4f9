/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caps.c - CAP_CTL: copies, rights, stale handles, tables.
 */
#include "../lib/abitest.h"

#define TYPE_RIGHTS(type, rights) ((u64)(type) << 32 | (rights))

PV_TEST(cap_inspect_self, "PVABI-CAP-007.1")
{
	CHECK_EQ(OP(CAP_CTL, INSPECT, PV_SELF), TYPE_RIGHTS(PV_CAP_DOMAIN, PV_RIGHT_DOM_ALL));
}

PV_TEST(cap_copy_subset, "PVABI-CAP-001.1")
{
	u64 h = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_STATUS | PV_RIGHT_DOM_MEM));

	CHECK(h != 0);
	CHECK_EQ(OP(CAP_CTL, INSPECT, h),
		 TYPE_RIGHTS(PV_CAP_DOMAIN, PV_RIGHT_DOM_STATUS | PV_RIGHT_DOM_MEM));
	struct pv_dom_status self, other;

	dom_status(PV_SELF, &self);
	dom_status(h, &other);
	CHECK_EQ(self.id, other.id);
}

PV_TEST(cap_copy_no_rights, "PVABI-CAP-002.1")
{
	CHECK_ERR(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, 0), EINVAL);
	CHECK_ERR(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, 1ull << 32 | 1), EINVAL);
	CHECK_ERR(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, ~0ull), EINVAL);
}

PV_TEST(cap_copy_more_rights, "PVABI-CAP-003.1")
{
	u64 h = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_STATUS));

	CHECK_ERR(OP(CAP_CTL, COPY, h, PV_SELF, PV_RIGHT_DOM_STATUS | PV_RIGHT_DOM_CTL), EPERM);
	CHECK_ERR(OP(CAP_CTL, COPY, h, PV_SELF, PV_RIGHT_DOM_ALL), EPERM);
	CHECK_ERR(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_ALL + 1), EPERM);
	CHECK_ERR(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, 0xffffffff), EPERM);
}

PV_TEST(cap_copy_chain_only_shrinks, "PVABI-CAP-001.1 PVABI-CAP-003.1")
{
	u64 rights = PV_RIGHT_DOM_ALL, h = PV_SELF;

	for (u32 bit = 0; bit < 5; bit++) {
		u64 fewer = rights & ~(1ull << bit);

		h = TRY(OP(CAP_CTL, COPY, h, PV_SELF, fewer));
		CHECK_EQ(OP(CAP_CTL, INSPECT, h), TYPE_RIGHTS(PV_CAP_DOMAIN, fewer));
		CHECK_ERR(OP(CAP_CTL, COPY, h, PV_SELF, rights), EPERM);
		rights = fewer;
	}
}

PV_TEST(cap_drop_is_stale, "PVABI-CAP-004.1")
{
	u64 h = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_ALL));

	CHECK_OK(OP(CAP_CTL, DROP, h));
	CHECK_ERR(OP(CAP_CTL, INSPECT, h), ECAP);
	CHECK_ERR(OP(CAP_CTL, DROP, h), ECAP);
	CHECK_ERR(OP(DOM_CTL, STATUS, h), ECAP);
	CHECK_ERR(OP(CAP_CTL, COPY, h, PV_SELF, 1), ECAP);
}

PV_TEST(cap_slot_reuse_is_stale, "PVABI-CAP-005.1")
{
	u64 old = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_ALL));

	CHECK_OK(OP(CAP_CTL, DROP, old));
	for (u32 i = 0; i < 50; i++) {
		u64 h = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_ALL));

		CHECK(h != old);
		CHECK_ERR(OP(CAP_CTL, INSPECT, old), ECAP);
		CHECK_OK(OP(CAP_CTL, DROP, h));
	}
}

PV_TEST(cap_reserved_arguments, "PVABI-CAP-006.1")
{
	u64 h = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_ALL));

	CHECK_ERR(OP(CAP_CTL, DROP, h, 1, 0), EINVAL);
	CHECK_ERR(OP(CAP_CTL, DROP, h, 0, 1), EINVAL);
	CHECK_ERR(OP(CAP_CTL, INSPECT, h, 1, 0), EINVAL);
	CHECK_ERR(OP(CAP_CTL, INSPECT, h, 0, 1), EINVAL);
	CHECK_ERR(OP(CAP_CTL, DROP, PV_SELF, 0, 0), EINVAL);
	CHECK_OK(OP(CAP_CTL, DROP, h));
}

static void cap_receiver(void)
{
	CHECK_EQ(OP(CAP_CTL, INSPECT, share->word[0]),
		 TYPE_RIGHTS(PV_CAP_DOMAIN, PV_RIGHT_DOM_STATUS));
	struct pv_dom_status s;

	dom_status(share->word[0], &s);
	CHECK_EQ(s.id, share->word[1]);
	CHECK_ERR(OP(DOM_CTL, PAUSE, share->word[0]), EPERM);
	CHECK_ERR(OP(CAP_CTL, INSPECT, share->word[2]), ECAP);
}

PV_DRIVER_TEST(cap_copy_to_child, "PVABI-CAP-008.1", PARTS(cap_receiver))
{
	u64 other = empty_domain(4, 64);
	struct child *c = child_make(0);
	struct pv_dom_status s;

	dom_status(other, &s);
	c->share->word[0] = child_give(c, other, PV_RIGHT_DOM_STATUS);
	c->share->word[1] = s.id;
	c->share->word[2] = other + 1; /* likely the driver's own, surely not the child's */
	child_start(c);
	child_expect_pass(c);
	CHECK_OK(dom_destroy(other));
}

static void cap_nothing_held(void)
{
	for (u64 index = 1; index < PV_MAX_CAPS; index++)
		for (u64 gen = 0; gen < 4; gen++)
			CHECK_ERR(OP(CAP_CTL, INSPECT, gen << 16 | index), ECAP);
}
PV_TEST(cap_fresh_domain_holds_nothing, "PVABI-CAP-018.1")
{
	cap_nothing_held();
}

PV_TEST(cap_wild_handles, "PVABI-CAP-011.1")
{
	u64 h = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_ALL));

	for (u32 bit = 0; bit < 64; bit++) {
		u64 wild = h ^ 1ull << bit;

		if (wild != PV_SELF)
			CHECK_ERR(OP(CAP_CTL, INSPECT, wild), ECAP);
	}
	for (u32 bit = 10; bit < 64; bit++) /* nor is PV_SELF with anything added */
		CHECK_ERR(OP(CAP_CTL, INSPECT, 1ull << bit), ECAP);
	CHECK_ERR(OP(CAP_CTL, INSPECT, ~0ull), ECAP);
}

static void fill_table(u64 expected)
{
	u64 n = 0, last = 0;
	i64 h;

	while ((h = OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_STATUS)) >= 0) {
		n++;
		last = (u64)h;
	}
	CHECK_EQ(h, -(i64)PV_ENOSPC);
	CHECK_EQ(n, expected);
	CHECK_OK(OP(CAP_CTL, DROP, last));
	TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_STATUS));
	CHECK_ERR(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_STATUS), ENOSPC);
}

PV_TEST(cap_table_full, "PVABI-CAP-009.1")
{
	fill_table(PV_MAX_CAPS - 1);
}

static void cap_filler(void)
{
	fill_table(PV_MAX_CAPS - 1);
}

PV_DRIVER_TEST(cap_full_table_is_private, "PVABI-CAP-010.1", PARTS(cap_filler))
{
	struct child *a = child_make(0), *b = child_make(0);

	child_start(a);
	child_expect_pass(a);
	child_start(b);
	child_expect_pass(b);
	CHECK_ERR(OP(CAP_CTL, COPY, a->dom, a->dom, PV_RIGHT_DOM_STATUS), ENOSPC);
}

PV_DRIVER_TEST(cap_drop_keeps_domain, "PVABI-CAP-012.1")
{
	struct pv_counters before, after;
	u64 dom = empty_domain(4, 64);
	u64 second = TRY(OP(CAP_CTL, COPY, dom, PV_SELF, PV_RIGHT_DOM_ALL));
	struct pv_dom_status s;

	counters_read(&before);
	CHECK_OK(OP(CAP_CTL, DROP, dom));
	counters_read(&after);
	CHECK_EQ(after.domains, before.domains);
	dom_status(second, &s);
	CHECK_EQ(s.state, PV_DOM_BUILT);
	CHECK_OK(dom_destroy(second));
}

PV_DRIVER_TEST(cap_of_the_dead, "PVABI-CAP-013.1")
{
	u64 dom = empty_domain(4, 64);
	u64 second = TRY(OP(CAP_CTL, COPY, dom, PV_SELF, PV_RIGHT_DOM_ALL));

	CHECK_OK(dom_destroy(dom));
	CHECK_ERR(OP(DOM_CTL, STATUS, dom), ECAP);
	CHECK_ERR(OP(DOM_CTL, STATUS, second), EDEAD);
	CHECK_ERR(OP(DOM_CTL, PAUSE, second), EDEAD);
	CHECK_ERR(OP(DOM_CTL, DESTROY, second), EDEAD);
	CHECK_ERR(OP(MEM_CTL, POPULATE, second, 0, 1), EDEAD);
	CHECK_ERR(OP(CAP_CTL, COPY, PV_SELF, second, 1), EDEAD);
	CHECK_OK(OP(CAP_CTL, DROP, second));
	CHECK_ERR(OP(DOM_CTL, STATUS, second), ECAP);
}

/* A new domain in the slot of a dead one is not reached by the old capability. */
PV_DRIVER_TEST(cap_slot_of_dead_domain, "PVABI-CAP-013.1")
{
	u64 dom = empty_domain(4, 64);
	u64 second = TRY(OP(CAP_CTL, COPY, dom, PV_SELF, PV_RIGHT_DOM_ALL));

	CHECK_OK(dom_destroy(dom));
	for (u32 i = 0; i < 20; i++) {
		u64 fresh = empty_domain(4, 64);

		CHECK_ERR(OP(DOM_CTL, STATUS, second), EDEAD);
		CHECK_OK(dom_destroy(fresh));
	}
	CHECK_OK(OP(CAP_CTL, DROP, second));
}
