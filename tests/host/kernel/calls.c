// SPDX-License-Identifier: BSD-2-Clause
/*
 * calls.c - see calls.h.
 */
#include "calls.h"

struct domain *root;

int calls_start(void **state)
{
	(void)state;
	root = whole_start(MIB(64), 2);
	return root ? 0 : -1;
}

i64 calls_make(struct vcpu *v, u64 nr, const u64 *args)
{
	assert_true(whole_run(v));
	return whole_call(v, nr, args);
}

u64 child_make(struct domain **out)
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
	for (u32 i = 2; i < MAX_DOMAINS; i++) /* the last one: slots are given in order here */
		if (domains[i])
			*out = domains[i];
	return (u64)handle;
}

u64 child_run(struct domain **out, u64 where)
{
	u64 handle = child_make(out);
	struct vcpu *v = root->vcpus[0];

	assert_int_equal(CALL(v, SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, handle, where), 0);
	assert_int_equal(CALL(v, DOM_CTL, PV_DOM_CTL_UNPAUSE, handle), 0);
	assert_int_equal(CALL((*out)->vcpus[0], VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, 0), 0);
	return handle;
}

void end(u64 handle)
{
	i64 r;

	do
		r = CALL(root->vcpus[0], DOM_CTL, PV_DOM_CTL_DESTROY, handle);
	while (r == -PV_EAGAIN);
	assert_int_equal(r, 0);
}
