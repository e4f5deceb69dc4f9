// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_whole.c - domains live on the host as they do on the machine: made, run, told and ended by hypercalls
 * through the real dispatcher.
 */
#include <pv/abi.h>

#include "counters.h"
#include "domain.h"
#include "host.h"
#include "mm.h"
#include "vcpu.h"
#include "whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct domain *root;

static i64 as(struct vcpu *v, u64 nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	const u64 args[6] = { a0, a1, a2, a3, a4, a5 };

	assert_true(whole_run(v));
	return whole_call(v, nr, args);
}

#define CALL(v, nr, ...) as_(v, PV_HC_##nr, (u64[6]){ __VA_ARGS__ })
static i64 as_(struct vcpu *v, u64 nr, const u64 *a)
{
	return as(v, nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static u64 child_make(struct domain **out)
{
	struct pv_dom_create args = { .name = "child", .mem_pages = 64, .kmem_pages = 128, .max_vcpus = 2,
				      .vtlb_tables = PV_VTLB_MAX, .weight = 256 };
	struct vcpu *v = root->vcpus[0];
	i64 handle;

	memcpy(v->vcs->batch, &args, sizeof(args));
	handle = CALL(v, DOM_CREATE, whole_host_handle);
	assert_true(handle > 0);
	assert_int_equal(CALL(v, VCPU_CTL, PV_VCPU_CTL_CREATE, (u64)handle, 0), 0);
	assert_int_equal(CALL(v, MEM_CTL, PV_MEM_CTL_POPULATE, (u64)handle, 0, 4), 4);
	assert_int_equal(CALL(v, AS_MAP, PV_AS_MAP_MAP, (u64)handle, 0x1000, 0, 4, 3), 4);
	for (u32 i = 2; i < MAX_DOMAINS; i++)
		if (domains[i])
			*out = domains[i];
	return (u64)handle;
}

static void end(u64 handle)
{
	i64 r;

	do
		r = CALL(root->vcpus[0], DOM_CTL, PV_DOM_CTL_DESTROY, handle);
	while (r == -PV_EAGAIN);
	assert_int_equal(r, 0);
}

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

static void off(void **state)
{
	(void)state;
	assert_int_equal(CALL(root->vcpus[0], HOST_CTL, PV_HOST_CTL_POWEROFF, whole_host_handle, 128),
			 -PV_ERANGE);
	assert_true(CALL(root->vcpus[0], HOST_CTL, PV_HOST_CTL_POWEROFF, whole_host_handle, 1) ==
		    WHOLE_OFF);
}

static int start(void **state)
{
	(void)state;
	root = whole_start(MIB(64), 2);
	return root ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life),
		cmocka_unit_test(waiting),
		cmocka_unit_test(other_cpu),
		cmocka_unit_test(start_after_shutdown),
		cmocka_unit_test(copy_of_a_dead_grant),
		cmocka_unit_test(precedence),
		cmocka_unit_test(off),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
