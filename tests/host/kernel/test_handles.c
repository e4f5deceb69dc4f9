// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_handles.c - calls whose answer depends on whom a handle names and on what has become of it since; creation
 * that finds nothing left at any point; what is traced.
 */
#include "calls.h"

#include "counters.h"
#include "fail.h"
#include "guest_state.h"
#include "host.h"
#include "trace.h"

static struct vcpu *boss(void)
{
	return root->vcpus[0];
}

/* Whoever has a handle of itself cannot end itself with it, nor root, nor give itself a share of the machine. */
static void of_itself(void **state)
{
	struct domain *child;
	u64 handle = child_run(&child, 2);
	struct vcpu *c = child->vcpus[0];
	i64 own, of_root;

	(void)state;
	own = CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, handle, handle, PV_RIGHT_DOM_ALL);
	of_root = CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, PV_SELF, handle, PV_RIGHT_DOM_ALL);
	assert_true(own > 0 && of_root > 0);
	assert_int_equal(CALL(c, DOM_CTL, PV_DOM_CTL_DESTROY, PV_SELF), -PV_EINVAL);
	assert_int_equal(CALL(c, DOM_CTL, PV_DOM_CTL_DESTROY, (u64)own), -PV_EINVAL);
	assert_int_equal(CALL(c, DOM_CTL, PV_DOM_CTL_DESTROY, (u64)of_root), -PV_EINVAL);
	assert_int_equal(child->state, PV_DOM_RUNNING);
	assert_int_equal(root->state, PV_DOM_RUNNING);
	assert_int_equal(CALL(c, SCHED_CTL, PV_SCHED_CTL_SET_WEIGHT, (u64)own, 1000), -PV_EPERM);
	assert_int_equal(CALL(c, SCHED_CTL, PV_SCHED_CTL_SET_WEIGHT, (u64)of_root, 1), -PV_EPERM);
	assert_int_equal(child->weight, 256);
	assert_int_equal(CALL(boss(), SCHED_CTL, PV_SCHED_CTL_SET_WEIGHT, handle, 1000), 0);
	assert_int_equal(child->weight, 1000);
	end(handle);
}

/* A domain that may create decides on the share of what it has created. */
static void of_its_child(void **state)
{
	struct pv_dom_create args = { .name = "grandchild", .mem_pages = 8, .kmem_pages = 40, .max_vcpus = 1,
				      .vtlb_tables = PV_VTLB_MAX, .weight = 256 };
	struct domain *child;
	u64 handle = child_run(&child, 2);
	struct vcpu *c = child->vcpus[0];
	i64 host, grandchild, r;

	(void)state;
	host = CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, whole_host_handle, handle, PV_RIGHT_HOST_CREATE);
	assert_true(host > 0);
	assert_true(whole_run(c));
	memcpy(c->vcs->batch, &args, sizeof(args));
	grandchild = CALL(c, DOM_CREATE, (u64)host);
	assert_true(grandchild > 0);
	assert_int_equal(CALL(c, SCHED_CTL, PV_SCHED_CTL_SET_WEIGHT, (u64)grandchild, 77), 0);
	do
		r = CALL(c, DOM_CTL, PV_DOM_CTL_DESTROY, (u64)grandchild);
	while (r == -PV_EAGAIN);
	assert_int_equal(r, 0);
	end(handle);
}

/* A handle outlives what it names. */
static void of_the_dead(void **state)
{
	struct domain *child, *other;
	u64 handle = child_make(&child), second, grant;
	u64 left = child_make(&other);
	i64 r;

	(void)state;
	r = CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, handle, PV_SELF, PV_RIGHT_DOM_ALL);
	assert_true(r > 0);
	second = (u64)r;
	r = CALL(boss(), GRANT_CTL, PV_GRANT_CTL_CREATE, handle, 0, 1, PV_RIGHT_GRANT_READ);
	assert_true(r > 0);
	grant = (u64)r;
	end(handle);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, left, second, PV_RIGHT_DOM_CTL), -PV_EDEAD);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, second, left, PV_RIGHT_DOM_CTL), -PV_EDEAD);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, grant, left, PV_RIGHT_GRANT_READ), -PV_EDEAD);
	assert_int_equal(CALL(boss(), GRANT_CTL, PV_GRANT_CTL_MAP, grant, 100, 1, 0), -PV_EDEAD);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_DROP, second), 0);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_DROP, grant), 0);
	/* One that is ending names nobody either. */
	r = CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, left, PV_SELF, PV_RIGHT_DOM_ALL);
	assert_true(r > 0);
	assert_int_equal(CALL(boss(), DOM_CTL, PV_DOM_CTL_DESTROY, left), -PV_EAGAIN);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, PV_SELF, (u64)r, PV_RIGHT_DOM_CTL), -PV_EDEAD);
	end(left);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_DROP, (u64)r), 0);
}

/* A place for a grant that is used anew is not what an old handle names. */
static void of_a_grant_before(void **state)
{
	struct domain *child;
	u64 handle = child_make(&child);
	i64 first, old, second;

	(void)state;
	first = CALL(boss(), GRANT_CTL, PV_GRANT_CTL_CREATE, handle, 0, 1, PV_RIGHT_GRANT_READ);
	assert_true(first > 0);
	old = CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, (u64)first, PV_SELF, PV_RIGHT_GRANT_READ);
	assert_true(old > 0);
	for (u64 gfn = 100; gfn < 103; gfn++) /* each use is an end of its own */
		assert_int_equal(CALL(boss(), GRANT_CTL, PV_GRANT_CTL_MAP, (u64)old, gfn, 1, 0), 1);
	assert_int_equal(CALL(boss(), GRANT_CTL, PV_GRANT_CTL_REVOKE, (u64)first), -PV_EAGAIN);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, (u64)old, PV_SELF, PV_RIGHT_GRANT_READ), -PV_EDEAD);
	while (CALL(boss(), GRANT_CTL, PV_GRANT_CTL_REVOKE, (u64)first) == -PV_EAGAIN)
		;
	assert_int_equal(CALL(boss(), GRANT_CTL, PV_GRANT_CTL_UNMAP, 0, 100, 3), 3);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, (u64)old, PV_SELF, PV_RIGHT_GRANT_READ), -PV_EDEAD);
	second = CALL(boss(), GRANT_CTL, PV_GRANT_CTL_CREATE, handle, 1, 1, PV_RIGHT_GRANT_READ);
	assert_true(second > 0);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_COPY, (u64)old, PV_SELF, PV_RIGHT_GRANT_READ), -PV_EDEAD);
	assert_int_equal(CALL(boss(), GRANT_CTL, PV_GRANT_CTL_MAP, (u64)old, 100, 1, 0), -PV_EDEAD);
	assert_int_equal(CALL(boss(), CAP_CTL, PV_CAP_CTL_DROP, (u64)old), 0);
	assert_int_equal(CALL(boss(), GRANT_CTL, PV_GRANT_CTL_REVOKE, (u64)second), 0);
	end(handle);
}

/* The kernel keeps its way to PCI; the serial line it gives away with its ports. */
static void of_ports(void **state)
{
	struct domain *child;
	u64 handle = child_make(&child);

	(void)state;
#define PORTS(first, count) CALL(boss(), HOST_CTL, PV_HOST_CTL_IOPORTS, whole_host_handle, handle, first, count)
	assert_int_equal(PORTS(0xcf7, 2), -PV_EBUSY);
	assert_int_equal(PORTS(0xcff, 1), -PV_EBUSY);
	assert_int_equal(PORTS(0xcf0, 64), -PV_EBUSY);
	assert_int_equal(PORTS(0xcf7, 1), 0);
	assert_int_equal(PORTS(0xd00, 1), 0);
	assert_int_equal(PORTS(0x3f0, 8), 0);
	assert_int_equal(PORTS(0x3ff, 1), 0); /* the last of the serial line */
	assert_int_equal(PORTS(0x400, 1), -PV_ENOSPC);
	end(handle);
	handle = child_make(&child);
	host_uart_port = 0; /* a machine without one: its ports are as any others */
	assert_int_equal(PORTS(0x3f8, 8), 0);
	assert_int_equal(PORTS(0, 4), 0);
	host_uart_port = 0x3f8;
	end(handle);
}

static u64 levels_sum(void)
{
	struct pv_counters c;
	const u64 *level = (const u64 *)&c;
	u64 sum = 0;

	counters_read(&c);
	for (u32 i = 0; i < 12; i++)
		sum = sum * 31 + level[i];
	return sum;
}

/* Makes a domain, or its vCPU 0, with the nth point of failure failing. */
static i64 make_failing(u64 handle, u64 nth, bool *failed)
{
	struct pv_dom_create args = { .name = "child", .mem_pages = 64, .kmem_pages = 128, .max_vcpus = 2,
				      .vtlb_tables = PV_VTLB_MAX, .weight = 256 };
	i64 r;

	assert_true(whole_run(boss()));
	memcpy(boss()->vcs->batch, &args, sizeof(args));
	host_fail_arm(nth);
	r = handle ? CALL(boss(), VCPU_CTL, PV_VCPU_CTL_CREATE, handle, 0) :
		     CALL(boss(), DOM_CREATE, whole_host_handle);
	*failed = host_fail_disarm() != NULL;
	return r;
}

/* Whatever is missing first: the error, and nothing has changed. */
static void nothing_left(void **state)
{
	u64 before = levels_sum(), handle = 0;
	u32 errors = 0;
	bool failed;
	i64 r;

	(void)state;
	while ((r = make_failing(0, ++errors, &failed)) < 0) {
		assert_true(failed);
		assert_true(r == -PV_ENOMEM || r == -PV_ENOSPC);
		assert_int_equal(levels_sum(), before);
	}
	assert_true(errors > 4);
	handle = (u64)r;
	before = levels_sum();
	for (errors = 0; (r = make_failing(handle, ++errors, &failed)) < 0;) {
		assert_true(failed);
		assert_int_equal(r, -PV_ENOMEM);
		assert_int_equal(levels_sum(), before);
	}
	assert_true(errors > 2);
	end(handle);
}

/* A vCPU of a domain whose translations are to be forgotten at each event never goes the short way. */
static void nothing_cached(void **state)
{
	struct pv_dom_create args = { .name = "forgets", .mem_pages = 64, .kmem_pages = 128, .max_vcpus = 1,
				      .weight = 256 };
	u32 slot;
	u64 handle;

	(void)state;
	assert_true(whole_run(boss()));
	memcpy(boss()->vcs->batch, &args, sizeof(args));
	handle = (u64)CALL(boss(), DOM_CREATE, whole_host_handle);
	assert_int_equal(CALL(boss(), VCPU_CTL, PV_VCPU_CTL_CREATE, handle, 0), 0);
	for (slot = MAX_DOMAINS - 1; !domains[slot]; slot--)
		;
	assert_true(domains[slot]->vcpus[0]->exit_work & WORK_SLOW);
	end(handle);
}

/* Something is pending: delivered if the guest has said where and is ready for it, else it is told to look. */
static void is_it_delivered(void **state)
{
	static const struct {
		u32 mode;
		u64 user_entry, kernel_entry, flags, busy;
		bool delivered;
	} cases[] = {
		{ MODE_USER, 0, 0x2000, PV_VCS_IF, 0, false },	 { MODE_USER, 0x1000, 0, 0, 1, true },
		{ MODE_KERNEL, 0x1000, 0, PV_VCS_IF, 0, false }, { MODE_KERNEL, 0, 0x2000, 0, 0, false },
		{ MODE_KERNEL, 0, 0x2000, PV_VCS_IF, 1, false }, { MODE_KERNEL, 0, 0x2000, PV_VCS_IF, 0, true },
	};
	struct domain *child;
	u64 handle = child_run(&child, 2);
	struct vcpu *c = child->vcpus[0];

	(void)state;
	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(whole_run(c));
		c->mode = cases[i].mode;
		c->user_entry = cases[i].user_entry;
		c->kernel_entry = cases[i].kernel_entry;
		c->vcs->flags = cases[i].flags;
		c->vcs->busy = cases[i].busy;
		c->vcs->pend[0] = 1u << 5;
		c->regs.rip = 0x777;
		event_check(c);
		assert_int_equal(c->regs.rip != 0x777, cases[i].delivered);
		assert_int_equal((c->vcs->flags & PV_VCS_IP) != 0, !cases[i].delivered);
	}
	c->vcs->pend[0] = 0;
	c->vcs->busy = 0;
	event_check(c);
	assert_int_equal(c->vcs->flags & PV_VCS_IP, 0);
	c->mode = MODE_KERNEL;
	end(handle);
}

/* With `trace` on, each call and each event that is delivered is recorded, and no entry goes the short way. */
static void traced(void **state)
{
	struct domain *child;
	struct trace_entry e[8];
	u64 handle, n;
	struct vcpu *c;

	(void)state;
	handle = child_run(&child, 1);
	assert_false(child->vcpus[0]->exit_work & WORK_SLOW);
	end(handle);
	trace_hot = true;
	handle = child_run(&child, 1);
	c = child->vcpus[0];
	assert_true(c->exit_work & WORK_SLOW);
	assert_int_equal(CALL(c, MSR, PV_MSR_WRITE, 0x10, 5), -PV_ENOSYS);
	n = trace_read(c->cpu, e, 1);
	assert_int_equal(n, 1);
	assert_int_equal(e[0].event, TRACE_HYPERCALL);
	assert_int_equal(e[0].a, PV_HC_MSR);
	assert_int_equal(e[0].b, PV_MSR_WRITE);
	assert_int_equal(e[0].domain, child->self.slot);
	c->user_entry = 0x1000;
	c->mode = MODE_USER;
	event_inject(c, 13, 0x55);
	n = trace_read(c->cpu, e, 1);
	assert_int_equal(e[0].event, TRACE_INJECT);
	assert_int_equal(e[0].a, 13);
	assert_int_equal(e[0].b, 0x55);
	trace_hot = false;
	c->mode = MODE_USER;
	event_inject(c, 14, 0x66);
	n = trace_read(c->cpu, e, 1);
	assert_int_equal(e[0].a, 13);
	c->mode = MODE_KERNEL;
	end(handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_itself),
		cmocka_unit_test(of_its_child),
		cmocka_unit_test(of_the_dead),
		cmocka_unit_test(of_a_grant_before),
		cmocka_unit_test(of_ports),
		cmocka_unit_test(nothing_left),
		cmocka_unit_test(nothing_cached),
		cmocka_unit_test(is_it_delivered),
		cmocka_unit_test(traced),
	};

	return cmocka_run_group_tests(tests, calls_start, NULL);
}
