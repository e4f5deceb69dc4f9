/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain.c - DOM_CREATE and DOM_CTL: parameters, quotas, the states a domain goes through.
 */
#include <string.h>

#include "../lib/abitest.h"

PV_DRIVER_TEST(create_fresh, "PVABI-DOM-001.1")
{
	struct pv_dom_create args = dom_defaults();
	struct pv_dom_status s;

	memcpy(args.name, "fresh-one", 10);
	args.mem_pages = 77;
	args.kmem_pages = 99;
	args.weight = 1234;
	args.cap = 50;
	u64 dom = TRY(dom_create(host, &args));

	CHECK_EQ(OP(CAP_CTL, INSPECT, dom), (u64)PV_CAP_DOMAIN << 32 | PV_RIGHT_DOM_ALL);
	dom_status(dom, &s);
	CHECK(!strcmp((const char *)s.name, "fresh-one"));
	CHECK_EQ(s.state, PV_DOM_BUILT);
	CHECK_EQ(s.reason, PV_REASON_NONE);
	CHECK_EQ(s.mem_quota, 77);
	CHECK_EQ(s.mem_used, 0);
	CHECK_EQ(s.kmem_quota, 99);
	CHECK(s.kmem_used >= 1 && s.kmem_used <= 32);
	CHECK_EQ(s.vcpus, 0);
	CHECK_EQ(s.weight, 1234);
	CHECK_EQ(s.cap, 50);
	CHECK_EQ(s.hypercalls, 0);
	CHECK_OK(dom_destroy(dom));
}

PV_DRIVER_TEST(create_bad_name, "PVABI-DOM-002.1 PVABI-GEN-010.1")
{
	struct pv_dom_create args = dom_defaults();

	memset(args.name, 0, sizeof(args.name));
	CHECK_ERR(dom_create(host, &args), EINVAL);
	memset(args.name, 'a', sizeof(args.name));
	CHECK_ERR(dom_create(host, &args), EINVAL);
	for (u32 c = 1; c < 256; c++) {
		if (c >= 0x20 && c < 0x7f)
			continue;
		memset(args.name, 0, sizeof(args.name));
		args.name[0] = 'x';
		args.name[1] = (u8)c;
		CHECK_ERR(dom_create(host, &args), EINVAL);
	}
}

PV_DRIVER_TEST(create_longest_name, "PVABI-DOM-002.1")
{
	struct pv_dom_create args = dom_defaults();
	struct pv_dom_status s;

	memset(args.name, 'n', PV_NAME_LEN - 1);
	args.name[PV_NAME_LEN - 1] = 0;
	u64 dom = TRY(dom_create(host, &args));

	dom_status(dom, &s);
	CHECK(!memcmp(s.name, args.name, PV_NAME_LEN));
	CHECK_OK(dom_destroy(dom));
}

PV_DRIVER_TEST(create_reserved_fields, "PVABI-DOM-003.2")
{
	struct pv_dom_create args = dom_defaults();

	for (u32 bit = 0; bit < 32; bit++) {
		args.kind = PV_KIND_EXPLICIT;
		args.flags = 1u << bit;
		CHECK_ERR(dom_create(host, &args), EINVAL);
		args.kind = PV_KIND_WALKED;
		args.flags |= PV_CREATE_FUSED;
		if (args.flags != PV_CREATE_FUSED)
			CHECK_ERR(dom_create(host, &args), EINVAL);
	}
	args = dom_defaults();
	args.reserved[0] = 1;
	CHECK_ERR(dom_create(host, &args), EINVAL);
	args = dom_defaults();
	args.reserved[1] = 1ull << 63;
	CHECK_ERR(dom_create(host, &args), EINVAL);
}

#define CREATE_WITH(field, value, error) \
	do { \
		struct pv_dom_create with = dom_defaults(); \
		with.field = (value); \
		CHECK_ERR(dom_create(host, &with), error); \
	} while (0)

PV_DRIVER_TEST(create_out_of_range, "PVABI-DOM-004.1")
{
	struct pv_info_system system;

	CHECK_OK(OP(INFO, SYSTEM, 0));
	batch_get(&system, sizeof(system));
	CREATE_WITH(kind, 2, EINVAL);
	CREATE_WITH(kind, ~0u, EINVAL);
	CREATE_WITH(mem_pages, 0, ERANGE);
	CREATE_WITH(kmem_pages, 0, ERANGE);
	CREATE_WITH(kmem_pages, 31, ERANGE);
	CREATE_WITH(max_vcpus, 0, ERANGE);
	CREATE_WITH(max_vcpus, PV_MAX_VCPUS + 1, ERANGE);
	CREATE_WITH(weight, 0, ERANGE);
	CREATE_WITH(weight, 65536, ERANGE);
	CREATE_WITH(cap, 100 * system.cpus + 1, ERANGE);
	CREATE_WITH(affinity, 1ull << system.cpus, ERANGE);
	CREATE_WITH(affinity, 1ull << 63, ERANGE);
}

PV_DRIVER_TEST(create_smallest_and_largest, "PVABI-DOM-004.1")
{
	struct pv_dom_create args = dom_defaults();

	args.mem_pages = 1;
	args.kmem_pages = 32;
	args.weight = 1;
	CHECK_OK(dom_destroy(TRY(dom_create(host, &args))));
	args.weight = 65535;
	args.max_vcpus = PV_MAX_VCPUS;
	args.cap = 100;
	args.affinity = 1;
	CHECK_OK(dom_destroy(TRY(dom_create(host, &args))));
}

PV_DRIVER_TEST(create_takes_quota, "PVABI-DOM-005.1")
{
	struct pv_dom_status before, during, after;

	dom_status(PV_SELF, &before);
	u64 dom = empty_domain(200, 70);

	dom_status(PV_SELF, &during);
	CHECK_EQ(before.mem_quota - during.mem_quota, 270);
	CHECK_OK(dom_destroy(dom));
	dom_status(PV_SELF, &after);
	CHECK_EQ(after.mem_quota, before.mem_quota);
	CHECK_EQ(after.mem_used, before.mem_used);
}

PV_DRIVER_TEST(create_beyond_quota, "PVABI-DOM-006.1 PVABI-GEN-010.1")
{
	struct pv_dom_status self;

	dom_status(PV_SELF, &self);
	u64 left = self.mem_quota - self.mem_used;

	CREATE_WITH(mem_pages, left, ENOMEM);
	CREATE_WITH(kmem_pages, left, ENOMEM);
	CREATE_WITH(mem_pages, PV_MAX_GFN, ENOMEM);
	CREATE_WITH(mem_pages, ~0ull, ERANGE);
	CREATE_WITH(mem_pages, ~0ull - 95, ERANGE); /* + 96 wraps to 0 */
	CREATE_WITH(kmem_pages, ~0ull, ERANGE);
	CREATE_WITH(mem_pages, PV_MAX_GFN + 1, ERANGE);
	struct pv_dom_create args = dom_defaults();

	args.mem_pages = left - args.kmem_pages;
	CHECK_OK(dom_destroy(TRY(dom_create(host, &args))));
}

static void small_work(void)
{
	share->word[0] = 42;
}

PV_DRIVER_TEST(create_all_slots, "PVABI-DOM-007.1", PARTS(small_work), .budget_ms = 10000)
{
	static u64 doms[300];
	u32 n = 0;
	struct child *c = child_make(0);
	struct pv_dom_create args = dom_defaults();
	i64 h;

	args.mem_pages = 1;
	args.kmem_pages = 32;
	while (n < 300 && (h = dom_create(host, &args)) >= 0)
		doms[n++] = (u64)h;
	CHECK_EQ(h, -(i64)PV_ENOSPC);
	CHECK(n > 32);
	child_start(c);
	child_expect_pass(c);
	CHECK_OK(dom_destroy(doms[n / 2]));
	doms[n / 2] = TRY(dom_create(host, &args));
	for (u32 i = 0; i < n; i++)
		CHECK_OK(dom_destroy(doms[i]));
}

/* ---- pause ---- */

static void counter_loop(void)
{
	for (;;)
		(*(volatile u64 *)&share->word[0])++;
}

static bool makes_progress(struct child *c)
{
	u64 before = __atomic_load_n(&c->share->word[0], __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < 100; i++) {
		sleep_ms(5);
		if (__atomic_load_n(&c->share->word[0], __ATOMIC_ACQUIRE) != before)
			return true;
	}
	return false;
}

static bool stands_still(struct child *c)
{
	u64 before = __atomic_load_n(&c->share->word[0], __ATOMIC_ACQUIRE);

	sleep_ms(20);
	return __atomic_load_n(&c->share->word[0], __ATOMIC_ACQUIRE) == before;
}

PV_DRIVER_TEST(pause_counts, "PVABI-DOM-008.1 PVABI-DOM-009.1", PARTS(counter_loop))
{
	struct child *c = child_make(0);
	struct pv_dom_status s;

	child_start(c);
	CHECK(makes_progress(c));
	for (u32 i = 1; i <= 3; i++) {
		CHECK_OK(OP(DOM_CTL, PAUSE, c->dom));
		child_status(c, &s);
		CHECK_EQ(s.state, PV_DOM_PAUSED);
		CHECK_EQ(s.pause_count, i);
		CHECK(stands_still(c));
	}
	for (u32 i = 3; i > 1; i--) {
		CHECK_OK(OP(DOM_CTL, UNPAUSE, c->dom));
		CHECK(stands_still(c));
	}
	CHECK_OK(OP(DOM_CTL, UNPAUSE, c->dom));
	CHECK(makes_progress(c));
	child_status(c, &s);
	CHECK_EQ(s.state, PV_DOM_RUNNING);
	CHECK_EQ(s.pause_count, 0);
}

static void long_sum(void)
{
	u64 sum = 0;

	for (u64 i = 0; i < 3000000; i++) {
		sum += i ^ sum >> 3;
		share->word[0] = i;
	}
	share->word[1] = sum;
}

PV_DRIVER_TEST(pause_loses_nothing, "PVABI-DOM-009.1", PARTS(long_sum), .budget_ms = 10000)
{
	struct child *a = child_make(0), *b = child_make(0);

	child_start(a);
	child_start(b);
	for (u32 i = 0; i < 40; i++) {
		i64 paused = OP(DOM_CTL, PAUSE, a->dom);

		if (paused == -PV_ESTATE)
			break; /* it has come to its end */
		CHECK_OK(paused);
		HC(WAIT, 0, clock_ns() + MS / 4);
		CHECK_OK(OP(DOM_CTL, UNPAUSE, a->dom));
		HC(WAIT, 0, clock_ns() + MS / 4);
	}
	child_expect_pass(a);
	child_expect_pass(b);
	CHECK_EQ(a->share->word[1], b->share->word[1]);
}

PV_TEST(self_pause_and_destroy, "PVABI-DOM-010.1")
{
	u64 self = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_ALL));

	CHECK_ERR(OP(DOM_CTL, PAUSE, PV_SELF), EINVAL);
	CHECK_ERR(OP(DOM_CTL, DESTROY, PV_SELF), EINVAL);
	CHECK_ERR(OP(DOM_CTL, PAUSE, self), EINVAL);
	CHECK_ERR(OP(DOM_CTL, DESTROY, self), EINVAL);
}

PV_DRIVER_TEST(pause_arguments, "PVABI-DOM-010.1 PVABI-GEN-007.1")
{
	u64 dom = empty_domain(4, 64);

	CHECK_ERR(OP(DOM_CTL, PAUSE, dom, 1), EINVAL);
	CHECK_ERR(OP(DOM_CTL, UNPAUSE, dom, 1), EINVAL);
	CHECK_ERR(OP(DOM_CTL, DESTROY, dom, 1), EINVAL);
	CHECK_ERR(OP(DOM_CTL, STATUS, dom, 1), EINVAL);
	CHECK_OK(dom_destroy(dom));
}

PV_DRIVER_TEST(unpause_wrong_state, "PVABI-DOM-011.2", PARTS(counter_loop))
{
	u64 dom = empty_domain(4, 64);
	struct child *c = child_make(0);

	CHECK_ERR(OP(DOM_CTL, UNPAUSE, dom), ESTATE);
	CHECK_OK(OP(DOM_CTL, PAUSE, dom));
	CHECK_ERR(OP(DOM_CTL, UNPAUSE, dom), ESTATE);
	CHECK_OK(dom_destroy(dom));
	child_start(c);
	CHECK_ERR(OP(DOM_CTL, UNPAUSE, c->dom), ESTATE);
	CHECK(makes_progress(c));
}

/* ---- destroy in every state ---- */

PV_DRIVER_TEST(destroy_built, "PVABI-DOM-012.1 PVABI-DOM-019.1", PARTS(counter_loop))
{
	child_destroy(child_make(0));
}

PV_DRIVER_TEST(destroy_running, "PVABI-DOM-012.1 PVABI-DOM-019.1", PARTS(counter_loop))
{
	struct child *c = child_make(0);

	child_start(c);
	CHECK(makes_progress(c));
	child_destroy(c);
}

PV_DRIVER_TEST(destroy_paused, "PVABI-DOM-012.1 PVABI-DOM-019.1", PARTS(counter_loop))
{
	struct child *c = child_make(0);

	child_start(c);
	CHECK(makes_progress(c));
	CHECK_OK(OP(DOM_CTL, PAUSE, c->dom));
	CHECK_OK(OP(DOM_CTL, PAUSE, c->dom));
	child_destroy(c);
}

PV_DRIVER_TEST(destroy_paused_before_start, "PVABI-DOM-012.1", PARTS(counter_loop))
{
	struct child *c = child_make(0);

	CHECK_OK(OP(DOM_CTL, PAUSE, c->dom));
	child_destroy(c);
}

PV_DRIVER_TEST(destroy_shut_down, "PVABI-DOM-012.1 PVABI-DOM-019.1", PARTS(small_work))
{
	struct child *c = child_make(0);

	child_start(c);
	child_expect_pass(c);
	child_destroy(c);
}

static void wait_forever(void)
{
	share->word[0] = 1;
	for (;;)
		HC(WAIT, 0, PV_FOREVER);
}

PV_DRIVER_TEST(destroy_waiting, "PVABI-DOM-012.1 PVABI-DOM-019.1", PARTS(wait_forever))
{
	struct child *c = child_make(0);

	child_start(c);
	CHECK(wait_for(&c->share->word[0], 1, 500));
	sleep_ms(2);
	child_destroy(c);
}

static void armed_timer_loop(void)
{
	HC(TIMER_SET, clock_ns() + 5 * MS);
	share->word[0] = 1;
	for (;;)
		;
}

PV_DRIVER_TEST(destroy_with_timer, "PVABI-DOM-012.1 PVABI-DOM-019.1", PARTS(armed_timer_loop))
{
	struct child *c = child_make(0);

	child_start(c);
	CHECK(wait_for(&c->share->word[0], 1, 500));
	child_destroy(c);
	sleep_ms(20); /* nothing must fire */
}

static void second_vcpu_loop(void)
{
	for (;;)
		(*(volatile u64 *)&share->word[1])++;
}

static void two_loops(void)
{
	vcpu_launch(1, second_vcpu_loop);
	counter_loop();
}

PV_DRIVER_TEST(destroy_two_vcpus, "PVABI-DOM-012.1 PVABI-DOM-019.1", PARTS(two_loops), .vcpus = 2)
{
	for (u32 i = 0; i < 5; i++) {
		struct child *c = child_make(0);

		child_start(c);
		CHECK(makes_progress(c));
		child_destroy(c);
	}
}
