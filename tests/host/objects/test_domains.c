// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_domains.c - birth, pause, end of domains, and where their quotas go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "console.h"

#include "counters.h"
#include "domain_impl.h"
#include "host.h"
#include "mm.h"
#include "port.h"
#include "vcpu.h"
#include "world.h"

static struct domain *root;

static int setup(void **state)
{
	(void)state;
	root = world_start(MIB(32));
	return root ? 0 : -1;
}

static struct pv_counters snapshot(void)
{
	struct pv_counters c;

	counters_read(&c);
	return c;
}

/* Everything that is a level, and the quotas. */
static void assert_same(const struct pv_counters *x, const struct pv_counters *y)
{
	const u64 *a = (const u64 *)x, *b = (const u64 *)y;

	for (u32 i = 0; i < 12; i++) {
		if (a[i] != b[i])
			print_error("level %u was %lu, is %lu\n", i, a[i], b[i]);
		assert_int_equal(a[i], b[i]);
	}
}

static void quota_moves(void **state)
{
	u64 quota = root->mm.mem_quota, free_frames;
	struct pv_counters before, after;
	struct domain *dom;
	int err;

	(void)state;
	(void)world_destroy(world_child(root, "first", &err)->self);
	before = snapshot();
	dom = world_child_sized(root, 100, 50, &err);
	assert_non_null(dom);
	assert_int_equal(root->mm.mem_quota, quota - 150);
	assert_true(mem_populate(dom, 10, 20) > 0);
	free_frames = frame_free_count();
	assert_true(free_frames < before.frames_free);
	(void)world_destroy(dom->self);
	assert_int_equal(root->mm.mem_quota, quota);
	after = snapshot();
	assert_same(&before, &after);
}

static void no_quota(void **state)
{
	u64 left = root->mm.mem_quota - root->mm.mem_used;
	struct pv_counters before = snapshot(), after;
	struct domain *dom;
	int err;

	(void)state;
	assert_null(world_child_sized(root, left, 32, &err));
	assert_int_equal(err, -PV_ENOMEM);
	after = snapshot();
	assert_same(&before, &after);
	assert_int_equal(root->mm.mem_quota - root->mm.mem_used, left);
	dom = world_child_sized(root, left - 32, 32, &err);
	assert_non_null(dom);
	assert_null(world_child_sized(root, 1, 32, &err));
	(void)world_destroy(dom->self);
}

static void all_slots(void **state)
{
	static struct domain_ref refs[MAX_DOMAINS];
	struct pv_counters before = snapshot(), after;
	struct domain *dom;
	u32 n = 0;
	int err;

	(void)state;
	while ((dom = world_child_sized(root, 1, 18, &err)))
		refs[n++] = dom->self;
	assert_int_equal(err, -PV_ENOSPC);
	assert_int_equal(n, MAX_DOMAINS - 2); /* slot 0 and the root domain */
	while (n)
		(void)world_destroy(refs[--n]);
	after = snapshot();
	assert_same(&before, &after);
	dom = world_child_sized(root, 1, 18, &err);
	assert_int_equal(dom->self.slot, refs[0].slot);
	assert_int_not_equal(dom->self.gen, refs[0].gen);
	assert_null(domain_lookup(refs[0]));
	assert_int_equal(domain_destroy_step(refs[0]), -PV_EDEAD);
}

static void orphans(void **state)
{
	u64 quota = root->mm.mem_quota;
	struct domain *parent, *child;
	int err;

	(void)state;
	parent = world_child_sized(root, 1000, 64, &err);
	child = world_child_sized(parent, 100, 64, &err);
	assert_non_null(child);
	assert_int_equal(parent->mm.mem_quota, 1000 - 164);
	(void)world_destroy(parent->self);
	assert_int_equal(root->mm.mem_quota, quota - 164);
	assert_int_equal(child->parent.slot, ROOT_SLOT);
	(void)world_destroy(child->self);
	assert_int_equal(root->mm.mem_quota, quota);
}

/* The parent begins to die first, the child ends while it is dying. */
static void end_in_the_middle(void **state)
{
	u64 quota = root->mm.mem_quota;
	struct domain *parent, *child;
	struct domain_ref ref;
	int err;

	(void)state;
	parent = world_child_sized(root, 1000, 64, &err);
	child = world_child_sized(parent, 100, 64, &err);
	ref = parent->self;
	assert_int_equal(domain_destroy_step(ref), -PV_EAGAIN);
	(void)world_destroy(child->self);
	(void)world_destroy(ref);
	assert_int_equal(root->mm.mem_quota, quota);
}

static void pausing(void **state)
{
	struct pv_dom_status s;
	struct domain *dom;
	int err;

	(void)state;
	dom = world_child_sized(root, 16, 64, &err);
	assert_int_equal(domain_unpause(dom), -PV_ESTATE); /* no vCPU 0 */
	world_vcpu(dom, 0);
	assert_int_equal(domain_pause(dom), 0);
	assert_int_equal(domain_pause(dom), 0);
	domain_status(dom, &s);
	assert_int_equal(s.state, PV_DOM_BUILT);
	assert_int_equal(domain_unpause(dom), 0);
	assert_false(domain_may_run(dom));
	assert_int_equal(domain_unpause(dom), 0);
	assert_true(domain_may_run(dom));
	assert_int_equal(dom->vcpus[0]->state, VCPU_RUNNABLE);
	assert_int_equal(domain_unpause(dom), -PV_ESTATE);
	dom->vcpus[0]->state = VCPU_RUNNING;
	assert_int_equal(domain_pause(dom), 0);
	domain_status(dom, &s);
	assert_int_equal(s.state, PV_DOM_PAUSED);
	assert_int_equal(s.pause_count, 1);
	domain_shutdown(dom, PV_REASON_FAULT, 14, 0x1234, 0x5678);
	domain_status(dom, &s);
	assert_int_equal(s.state, PV_DOM_SHUTDOWN);
	assert_int_equal(s.detail, 0x1234);
	assert_int_equal(domain_pause(dom), -PV_ESTATE);
	assert_int_equal(domain_unpause(dom), 0); /* takes the pause back, starts nothing */
	assert_int_equal(domain_unpause(dom), -PV_ESTATE);
	assert_int_equal(domain_destroy_step(dom->self), -PV_EAGAIN);
	assert_int_equal(domain_pause(dom), -PV_EDEAD);
	assert_int_equal(domain_unpause(dom), -PV_EDEAD);
	(void)world_destroy(dom->self);
}

/* A pause more than can be counted is refused; each that was granted has to be taken back. */
static void paused_too_often(void **state)
{
	struct domain *dom;
	int err;

	(void)state;
	dom = world_child(root, "paused", &err);
	for (u32 i = 0; i < PAUSE_MAX; i++)
		assert_int_equal(domain_pause(dom), 0);
	assert_int_equal(domain_pause(dom), -PV_ESTATE);
	assert_int_equal(dom->pause_count, PAUSE_MAX);
	for (u32 i = 0; i < PAUSE_MAX; i++) {
		assert_false(domain_may_run(dom));
		assert_int_equal(domain_unpause(dom), 0);
	}
	assert_true(domain_may_run(dom));
	(void)world_destroy(dom->self);
}

/* Quota is a promise that memory may not keep: with every number of frames too few creation fails as a whole. */
static void no_frames(void **state)
{
	static mfn_t taken[MIB(32) / PAGE_SIZE];
	const struct pv_dom_create args = { .name = "root", .mem_pages = 16, .kmem_pages = 64, .max_vcpus = 1,
					    .weight = 1 };
	struct pv_counters before, after;
	u64 quota = root->mm.mem_quota;
	struct domain *dom = NULL;
	u32 n = 0, left = 0;
	int err;

	(void)state;
	while ((taken[n] = frame_alloc()))
		n++;
	before = snapshot();
	assert_int_equal(domain_create(NULL, &args, &dom), -PV_ENOMEM); /* a root domain has nobody's quota */
	after = snapshot();
	assert_same(&before, &after);
	dom = NULL;
	for (; !dom && left < 64; left++) {
		dom = world_child_sized(root, 16, 64, &err);
		if (dom)
			break;
		assert_int_equal(err, -PV_ENOMEM);
		after = snapshot();
		assert_same(&before, &after);
		assert_int_equal(root->mm.mem_quota, quota);
		frame_free(taken[--n]);
		before = snapshot();
	}
	assert_true(left > 1);
	assert_non_null(dom);
	while (n)
		frame_free(taken[--n]);
	(void)world_destroy(dom->self);
	assert_int_equal(root->mm.mem_quota, quota);
}

/* A child that has left the table already, but still holds its quota: that goes to root, not to a parent that ends. */
static void leaving_child(void **state)
{
	struct domain_ref child, parent, other;
	struct domain *dom;
	u64 quota;
	int err;

	(void)state;
	dom = world_child_sized(root, 300, 64, &err);
	parent = dom->self;
	dom = world_child_sized(dom, 100, 50, &err);
	child = dom->self;
	other = world_child_sized(root, 30, 64, &err)->self;
	while (domain_lookup(child) || domain_lookup(other)) {
		if (domain_lookup(child))
			assert_int_equal(domain_destroy_step(child), -PV_EAGAIN);
		if (domain_lookup(other))
			assert_int_equal(domain_destroy_step(other), -PV_EAGAIN);
		host_enter_guest();
		host_leave_guest();
	}
	assert_int_equal(domain_destroy_step(parent), -PV_EAGAIN); /* marked */
	quota = root->mm.mem_quota;
	(void)world_destroy(other); /* no child of it: its parent is who it was */
	assert_int_equal(root->mm.mem_quota, quota + 94);
	quota += 94;
	(void)world_destroy(child);
	assert_int_equal(root->mm.mem_quota, quota + 150);
	(void)world_destroy(parent);
	assert_int_equal(root->mm.mem_quota, quota + 150 + 150 + 64);
}

/* Frames that were set aside for large pages when the domain ended go back as well, in steps. */
static void set_aside(void **state)
{
	u64 quota = root->mm.mem_quota, frames;
	struct domain *dom;
	int err;

	(void)state;
	(void)world_destroy(world_child(root, "first", &err)->self);
	frames = frame_free_count();
	dom = world_child_sized(root, 2000, 64, &err);
	assert_true(mem_populate(dom, 512, 1024) > 0);
	assert_true(dom->mm.resv_count > 400);
	(void)world_destroy(dom->self);
	assert_int_equal(frame_free_count(), frames);
	assert_int_equal(root->mm.mem_quota, quota);
}

/* Two CPUs work on one domain in turn; each step is one of the stages. */
static void two_destroyers(void **state)
{
	u64 quota = root->mm.mem_quota;
	struct domain *dom;
	struct domain_ref ref;
	int err, done = 0;

	(void)state;
	dom = world_child(root, "busy", &err);
	ref = dom->self;
	dom->destroy_busy = 1; /* another CPU is in the middle of a step */
	assert_int_equal(domain_destroy_step(ref), -PV_EAGAIN);
	assert_int_equal(dom->state, PV_DOM_RUNNING);
	dom->destroy_busy = 0;
	for (u32 i = 0; i < 1000 && !done; i++) {
		host_be(i % 2);
		done = domain_destroy_step(ref) == 0;
		host_enter_guest();
		host_leave_guest();
	}
	host_be(0);
	assert_true(done);
	assert_int_equal(domain_destroy_step(ref), -PV_EDEAD);
	assert_int_equal(root->mm.mem_quota, quota);
}

/* A CPU that was in the kernel when a domain began to die may still hold pointers to it. */
static void not_before_all_left(void **state)
{
	struct domain *dom;
	struct domain_ref ref;
	int err;

	(void)state;
	dom = world_child_sized(root, 100, 64, &err);
	ref = dom->self;
	assert_int_equal(mem_populate(dom, 0, 16), 8);
	assert_int_equal(mem_populate(dom, 8, 8), 8);
	host_be(1);
	host_leave_guest();
	host_be(0);
	for (u32 i = 0; i < 50; i++) {
		assert_int_equal(domain_destroy_step(ref), -PV_EAGAIN);
		host_enter_guest();
		host_leave_guest();
	}
	assert_int_equal(dom->mm.mem_used, 16);
	host_be(1);
	host_enter_guest();
	host_run(NULL);
	host_be(0);
	(void)world_destroy(ref);
	assert_null(domain_lookup(ref));
}

/* Each way to end is told once, with its name, to the log and to who asks. */
static void reasons(void **state)
{
	static const struct {
		u32 reason;
		const char *name;
	} all[] = {
		{ PV_REASON_NONE, "none" },	    { PV_REASON_POWEROFF, "power off" },
		{ PV_REASON_REBOOT, "reboot" },	    { PV_REASON_PANIC, "panic" },
		{ PV_REASON_HALT, "halt" },	    { PV_REASON_FAULT, "unhandled exception" },
		{ PV_REASON_DOUBLE_FAULT, "double fault" }, { PV_REASON_KMEM, "out of kernel memory" },
	};
	(void)state;

	for (u32 i = 0; i < ARRAY_SIZE(all); i++) {
		struct pv_dom_status s;
		struct domain *dom;
		int err;

		dom = world_child(root, "ends", &err);
		domain_shutdown(dom, all[i].reason, 3, 0x1000, 0x2000);
		domain_shutdown(dom, PV_REASON_NONE, 9, 9, 9); /* it has ended already */
		domain_status(dom, &s);
		assert_int_equal(s.state, PV_DOM_SHUTDOWN);
		assert_int_equal(s.reason, all[i].reason);
		assert_int_equal(s.code, 3);
		assert_int_equal(s.fault_rip, 0x2000);
		assert_string_equal(domain_reason_name(s.reason), all[i].name);
		(void)world_destroy(dom->self);
	}
	assert_string_equal(domain_reason_name(99), "unknown");
}

static void status_adds_up(void **state)
{
	struct pv_dom_status s;
	struct domain *dom;
	int err;

	(void)state;
	dom = world_child(root, "busy", &err);
	world_vcpu(dom, 2);
	dom->vcpus[0]->run_ns = 5;
	dom->vcpus[0]->steal_ns = 7;
	dom->vcpus[2]->run_ns = 10;
	dom->vcpus[2]->steal_ns = 20;
	domain_status(dom, &s);
	assert_int_equal(s.vcpus, 2);
	assert_int_equal(s.run_ns, 15);
	assert_int_equal(s.steal_ns, 27);
	assert_int_equal(s.mem_quota, dom->mm.mem_quota);
	assert_string_equal((char *)s.name, "busy");
	(void)world_destroy(dom->self);
}

static void console(void **state)
{
	static const char text[] = "one\ntw\x1b[2Jo\r\n\xffthree";
	struct domain *dom;
	char longer[600];
	int err;

	(void)state;
	dom = world_child(root, "talker", &err);
	console_write(dom, text, sizeof(text) - 1);
	assert_string_equal(world_log, "talker: one\ntalker: tw.[2Jo\n");
	console_write(dom, "\n", 1);
	assert_non_null(strstr(world_log, "talker: ?three\n"));
	memset(longer, 'x', sizeof(longer));
	console_write(dom, longer, sizeof(longer));
	console_flush(dom);
	for (const char *line = world_log; *line; line = strchr(line, '\n') + 1)
		assert_int_equal(strncmp(line, "talker: ", 8), 0);
	(void)world_destroy(dom->self);
}

static void console_limit(void **state)
{
	struct domain *dom;
	u64 now, taken = 0;
	int err;

	(void)state;
	dom = world_child(root, "talker", &err);
	now = dom->console_refill_ns;
	while (console_take_tokens(dom, 1000, now))
		taken += 1000;
	assert_true(taken <= CONSOLE_BURST && taken > CONSOLE_BURST - 1000);
	now += 1000000000;
	for (taken = 0; console_take_tokens(dom, 1000, now);)
		taken += 1000;
	assert_true(taken > CONSOLE_RATE - 1000 && taken < CONSOLE_RATE + 1000);
	now += 1000ull * 1000000000;
	assert_true(console_take_tokens(dom, CONSOLE_BURST, now));
	assert_false(console_take_tokens(dom, 1000, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(quota_moves, setup),
		cmocka_unit_test_setup(no_quota, setup),
		cmocka_unit_test_setup(all_slots, setup),
		cmocka_unit_test_setup(orphans, setup),
		cmocka_unit_test_setup(end_in_the_middle, setup),
		cmocka_unit_test_setup(pausing, setup),
		cmocka_unit_test_setup(paused_too_often, setup),
		cmocka_unit_test_setup(no_frames, setup),
		cmocka_unit_test_setup(leaving_child, setup),
		cmocka_unit_test_setup(set_aside, setup),
		cmocka_unit_test_setup(two_destroyers, setup),
		cmocka_unit_test_setup(not_before_all_left, setup),
		cmocka_unit_test_setup(reasons, setup),
		cmocka_unit_test_setup(status_adds_up, setup),
		cmocka_unit_test_setup(console, setup),
		cmocka_unit_test_setup(console_limit, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
