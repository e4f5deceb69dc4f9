// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_whole.c - domains live on the host as they do on the machine: made, run, told and ended by hypercalls
 * through the real dispatcher.
 */
#include "calls.h"

#include "counters.h"
#include "host.h"
#include "mm.h"
#include "sched.h"

static void life(void **state)
{
	u64 before[LVL_COUNT], frames = frame_free_count(), error, handle;
	struct domain *child;
	struct vcpu *v;
	char *p;

	(void)state;
	memcpy(before, levels, sizeof(before));
	handle = child_make(&child);
	v = child->vcpus[0];
	assert_false(whole_run(v));
	assert_int_equal(CALL(root->vcpus[0], DOM_CTL, PV_DOM_CTL_UNPAUSE, handle), 0);
	assert_int_equal(CALL(v, VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, 0), 0);
	assert_int_equal(host_access(0x3000, HOST_WRITE, &p, &error), HOST_OK);
	strcpy(p, "here");
	assert_int_equal(CALL(v, MEM_CTL, PV_MEM_CTL_RELEASE, PV_SELF, 2, 1), 1);
	assert_int_equal(host_access(0x3000, HOST_READ, &p, &error), HOST_FAULT);
	end(handle);
	assert_int_equal(frame_free_count(), frames);
	assert_memory_equal(before, levels, sizeof(before));
}

static void waiting(void **state)
{
	struct domain *child;
	u64 handle = child_make(&child);
	struct vcpu *v = child->vcpus[0];

	(void)state;
	assert_int_equal(CALL(root->vcpus[0], DOM_CTL, PV_DOM_CTL_UNPAUSE, handle), 0);
	assert_int_equal(CALL(v, VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, 0), 0);
	assert_int_equal(CALL(v, WAIT, 0, host_ns + 1000), 0);
	assert_false(whole_run(v));
	whole_time(999);
	assert_false(whole_run(v));
	whole_time(1);
	assert_true(whole_run(v));
	assert_int_equal(v->regs.rax, 1);
	assert_int_equal(CALL(v, WAIT, 0, PV_FOREVER), 0);
	assert_int_equal(CALL(root->vcpus[0], VCPU_CTL, PV_VCPU_CTL_KICK, handle, 0), 0);
	assert_true(whole_run(v));
	assert_int_equal(CALL(root->vcpus[0], DOM_CTL, PV_DOM_CTL_PAUSE, handle), 0);
	assert_false(whole_run(v));
	end(handle);
}

static u32 kicks_of[2];
static void (*serve)(u32 cpu, u8 vector);

static void count_kicks(u32 cpu, u8 vector)
{
	kicks_of[cpu]++;
	serve(cpu, vector);
}

/* An event for who runs on another CPU makes that CPU look, and one that is there already need not. */
static void kicked(void **state)
{
	struct domain *child;
	u64 handle = child_run(&child, 2);
	struct vcpu *v = child->vcpus[0];

	(void)state;
	assert_true(whole_run(root->vcpus[0]));
	assert_int_equal(v->state, VCPU_RUNNING);
	assert_int_not_equal(v->cpu, root->vcpus[0]->cpu);
	serve = host_ipi;
	host_ipi = count_kicks;
	memset(kicks_of, 0, sizeof(kicks_of));
	vcpu_post(v, 77);
	assert_int_equal(kicks_of[v->cpu], 1);
	vcpu_post(v, 77);
	assert_int_equal(kicks_of[v->cpu], 1);
	host_ipi = serve;
	whole_settle();
	end(handle);
}

/* What becomes of an event that the guest has no place for. */
static void no_place_for_it(void **state)
{
	static const struct {
		u32 mode;
		u64 kernel_entry, busy, vector;
		u32 reason; /* 0: it goes on */
	} cases[] = {
		{ MODE_KERNEL, 0, 0, 13, PV_REASON_FAULT },	    { MODE_USER, 0x2000, 0, 6, PV_REASON_FAULT },
		{ MODE_KERNEL, 0x2000, 1, 13, PV_REASON_DOUBLE_FAULT }, { MODE_KERNEL, 0x2000, 1, 1, 0 },
	};

	(void)state;
	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct domain *child;
		u64 handle = child_run(&child, 2), rip = 0x1234;
		struct vcpu *v = child->vcpus[0];

		assert_true(whole_run(v));
		v->mode = cases[i].mode;
		v->kernel_entry = cases[i].kernel_entry;
		v->vcs->busy = cases[i].busy;
		v->regs.rip = rip;
		event_inject(v, cases[i].vector, 0);
		assert_int_equal(v->regs.rip, rip);
		assert_int_equal(child->state == PV_DOM_SHUTDOWN, cases[i].reason != 0);
		if (cases[i].reason)
			assert_int_equal(child->reason, cases[i].reason);
		v->mode = MODE_KERNEL;
		assert_true(whole_run(root->vcpus[0]));
		end(handle);
	}
}

/* A translation that another CPU holds must be gone when the call returns. */
static void other_cpu(void **state)
{
	struct domain *child;
	u64 handle = child_make(&child), error, handle2;
	struct vcpu *v = child->vcpus[0];
	char *p;

	(void)state;
	assert_int_equal(CALL(root->vcpus[0], DOM_CTL, PV_DOM_CTL_UNPAUSE, handle), 0);
	assert_true(whole_run(root->vcpus[0]));
	assert_true(whole_run(v));
	assert_int_not_equal(v->cpu, root->vcpus[0]->cpu);
	assert_int_equal(host_access(0x1000, HOST_WRITE, &p, &error), HOST_OK);
	assert_int_equal(CALL(root->vcpus[0], AS_MAP, PV_AS_MAP_UNMAP, handle, 0x1000, 0, 1), 1);
	assert_true(whole_run(v));
	assert_int_equal(host_access(0x1000, HOST_READ, &p, &error), HOST_FAULT);
	handle2 = (u64)CALL(root->vcpus[0], CAP_CTL, PV_CAP_CTL_COPY, handle, PV_SELF, PV_RIGHT_DOM_CTL);
	end(handle2);
	assert_int_equal(CALL(root->vcpus[0], CAP_CTL, PV_CAP_CTL_DROP, handle), 0);
}

/* A vCPU that was never started is no way around the end of its domain. */
static void start_after_shutdown(void **state)
{
	struct domain *child;
	u64 handle = child_make(&child);

	(void)state;
	assert_int_equal(CALL(root->vcpus[0], VCPU_CTL, PV_VCPU_CTL_CREATE, handle, 1), 0);
	assert_int_equal(CALL(root->vcpus[0], DOM_CTL, PV_DOM_CTL_UNPAUSE, handle), 0);
	assert_int_equal(CALL(child->vcpus[0], DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF,
			      (u64)PV_REASON_HALT << 32), 0);
	assert_int_equal(CALL(root->vcpus[0], VCPU_CTL, PV_VCPU_CTL_START, handle, 1), -PV_ESTATE);
	end(handle);
}

static void copy_of_a_dead_grant(void **state)
{
	struct vcpu *v = root->vcpus[0];
	i64 grant = CALL(v, GRANT_CTL, PV_GRANT_CTL_CREATE, PV_SELF, 4, 1, PV_RIGHT_GRANT_READ);
	i64 weak = CALL(v, CAP_CTL, PV_CAP_CTL_COPY, (u64)grant, PV_SELF, PV_RIGHT_GRANT_READ);

	(void)state;
	assert_true(grant > 0 && weak > 0);
	assert_int_equal(CALL(v, GRANT_CTL, PV_GRANT_CTL_REVOKE, (u64)grant), 0);
	assert_int_equal(CALL(v, CAP_CTL, PV_CAP_CTL_COPY, (u64)weak, PV_SELF, PV_RIGHT_GRANT_READ),
			 -PV_EDEAD);
	assert_int_equal(CALL(v, CAP_CTL, PV_CAP_CTL_DROP, (u64)weak), 0);
}

/* Two handles, two errors: the first of the table is told, not the first that was met. */
static void precedence(void **state)
{
	struct vcpu *v = root->vcpus[0];
	i64 weak = CALL(v, CAP_CTL, PV_CAP_CTL_COPY, whole_host_handle, PV_SELF, PV_RIGHT_HOST_LOG);

	(void)state;
	assert_int_equal(CALL(v, HOST_CTL, PV_HOST_CTL_IOPORTS, (u64)weak, 0x7fff0001, 0x300, 1), -PV_ECAP);
	assert_int_equal(CALL(v, HOST_CTL, PV_HOST_CTL_IOPORTS, (u64)weak, PV_SELF, 0x300, 1), -PV_EPERM);
	assert_int_equal(CALL(v, CAP_CTL, PV_CAP_CTL_DROP, (u64)weak), 0);
}

static void (*usual_relax)(void);
static struct vcpu *to_stop;

/* While it waits, another CPU asks the domain of the one that waits to stop. */
static void asked_to_stop(void)
{
	struct cpu *self = host_cpu;

	if (to_stop) {
		host_be(self->id ? 0 : 1);
		sched_domain_stop(to_stop->dom);
		host_cpu = self;
		to_stop = NULL;
		return;
	}
	usual_relax();
}

/* Two that pause each other must not wait for each other: who is to stop gives up, and nothing has changed. */
static void pausing_each_other(void **state)
{
	struct vcpu *r = root->vcpus[0], *one, *two;
	u64 h1 = 0, h2 = 0;
	struct domain *d1, *d2;
	i64 over;

	(void)state;
	h1 = child_make(&d1);
	h2 = child_make(&d2);
	assert_ptr_not_equal(d1, d2);
	one = d1->vcpus[0];
	two = d2->vcpus[0];
	assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, h1, 1), 0);
	assert_int_equal(CALL(r, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, h2, 2), 0);
	over = CALL(r, CAP_CTL, PV_CAP_CTL_COPY, h2, h1, PV_RIGHT_DOM_CTL);
	assert_true(over > 0);
	assert_int_equal(CALL(r, DOM_CTL, PV_DOM_CTL_UNPAUSE, h1), 0);
	assert_int_equal(CALL(r, DOM_CTL, PV_DOM_CTL_UNPAUSE, h2), 0);
	assert_true(whole_run(two));
	assert_true(whole_run(one));
	assert_int_equal(two->state, VCPU_RUNNING);
	usual_relax = host_relax;
	host_relax = asked_to_stop;
	to_stop = one;
	assert_int_equal(CALL(one, DOM_CTL, PV_DOM_CTL_PAUSE, (u64)over), -PV_EAGAIN);
	host_relax = usual_relax;
	assert_null(to_stop);
	assert_int_equal(d2->pause_count, 0);
	assert_true(whole_run(two));
	assert_int_equal(CALL(one, DOM_CTL, PV_DOM_CTL_PAUSE, (u64)over), 0);
	assert_false(whole_run(two));
	end(h1);
	end(h2);
}

static void looking_around(void **state)
{
	struct vcpu *v = root->vcpus[0], *c;
	struct pv_dom_status status;
	struct domain *child;
	u64 handle = child_make(&child), error;
	i64 host;
	char *p;

	(void)state;
	c = child->vcpus[0];
	assert_int_equal(CALL(v, DOM_CTL, PV_DOM_CTL_UNPAUSE, handle), 0);
	host = CALL(v, CAP_CTL, PV_CAP_CTL_COPY, whole_host_handle, handle, PV_RIGHT_HOST_TRACE);
	assert_true(host > 0);
	assert_int_equal(CALL(c, HOST_CTL, PV_HOST_CTL_TRACE_READ, (u64)host, 0), -PV_ESTATE); /* nowhere to put it */
	assert_int_equal(CALL(c, VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, 0), 0);
	assert_true(CALL(c, HOST_CTL, PV_HOST_CTL_TRACE_READ, (u64)host, 0) > 0);
	assert_int_equal(CALL(c, HOST_CTL, PV_HOST_CTL_TRACE_READ, (u64)host, 2), -PV_ERANGE);
	assert_int_equal(host_access(0x2000, HOST_WRITE, &p, &error), HOST_OK);
	assert_int_equal(host_access(0x3000, HOST_WRITE, &p, &error), HOST_OK);
	whole_time(1000);
	assert_int_equal(CALL(v, DOM_CTL, PV_DOM_CTL_STATUS, handle), 0);
	memcpy(&status, v->vcs->batch, sizeof(status));
	assert_int_equal(status.vcpus, 1);
	assert_int_equal(status.fills, child->fills);
	assert_true(status.fills >= 2);
	assert_true(status.run_ns >= 1000 || status.steal_ns >= 1000);
	assert_int_equal(status.hypercalls, domain_hypercalls(child));
	end(handle);
}

static void off(void **state)
{
	(void)state;
	assert_int_equal(CALL(root->vcpus[0], HOST_CTL, PV_HOST_CTL_POWEROFF, whole_host_handle, 128),
			 -PV_ERANGE);
	assert_true(CALL(root->vcpus[0], HOST_CTL, PV_HOST_CTL_POWEROFF, whole_host_handle, 1) ==
		    WHOLE_OFF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life),
		cmocka_unit_test(waiting),
		cmocka_unit_test(kicked),
		cmocka_unit_test(no_place_for_it),
		cmocka_unit_test(other_cpu),
		cmocka_unit_test(start_after_shutdown),
		cmocka_unit_test(copy_of_a_dead_grant),
		cmocka_unit_test(precedence),
		cmocka_unit_test(pausing_each_other),
		cmocka_unit_test(looking_around),
		cmocka_unit_test(off),
	};

	return cmocka_run_group_tests(tests, calls_start, NULL);
}
