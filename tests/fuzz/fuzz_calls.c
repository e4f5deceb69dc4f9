// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_calls.c - bytes become hypercalls of several domains on the host build of the core.
 *
 * Nothing is compared here: the sanitizers, the kernel's assertions and the levels judge. Unlike the model's tests
 * a DESTROY or REVOKE may stop half way, arguments may be anything, and two vCPUs of a domain may share pages.
 *
 * Ten bytes are a call: vCPU, number, operation, then for each of five arguments a class (two in a byte would
 * save little) and a number within it.
 */
#include <pv/abi.h>

#include "cap.h"
#include "counters.h"
#include "domain.h"
#include "host.h"
#include "mm.h"
#include "sched.h"
#include "vcpu.h"
#include "whole.h"

#include <stdlib.h>
#include <string.h>

#define STEP 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct domain *root;

/* ---- the world of one input ---- */

static i64 call(struct vcpu *v, u64 nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	const u64 args[6] = { a0, a1, a2, a3, a4, a5 };

	return whole_run(v) ? whole_call(v, nr, args) : -1;
}

static void make_child(void)
{
	struct pv_dom_create p = { .name = "f", .mem_pages = 24, .kmem_pages = 64, .max_vcpus = 2,
				   .vtlb_tables = PV_VTLB_MAX, .weight = 256 };
	struct vcpu *v = root->vcpus[0];
	i64 h;

	if (!whole_run(v))
		abort();
	memcpy(v->vcs->batch, &p, sizeof(p));
	h = call(v, PV_HC_DOM_CREATE, whole_host_handle, 0, 0, 0, 0, 0);
	if (h < 0)
		return;
	(void)call(v, PV_HC_VCPU_CTL, PV_VCPU_CTL_CREATE, (u64)h, 0, 0, 0, 0);
	(void)call(v, PV_HC_MEM_CTL, PV_MEM_CTL_POPULATE, (u64)h, 0, 8, 0, 0);
	(void)call(v, PV_HC_AS_MAP, PV_AS_MAP_MAP, (u64)h, PAGE_SIZE, 0, 8, 3);
	(void)call(v, PV_HC_CAP_CTL, PV_CAP_CTL_COPY, PV_SELF, (u64)h, PV_RIGHT_DOM_ALL, 0, 0);
	(void)call(v, PV_HC_CAP_CTL, PV_CAP_CTL_COPY, whole_host_handle, (u64)h, PV_RIGHT_HOST_CREATE, 0, 0);
	(void)call(v, PV_HC_DOM_CTL, PV_DOM_CTL_UNPAUSE, (u64)h, 0, 0, 0, 0);
}

/* Back to the root domain alone, whatever state the others are in. */
static void clean_up(void)
{
	struct vcpu *v = root->vcpus[0];

	if (root->pause_count) {
		root->pause_count = 0;
		sched_domain_resume(root);
	}
	if (v->state == VCPU_STOPPED)
		(void)vcpu_start(v);
	vcpu_kick(v);
	whole_settle();
	if (!whole_run(v))
		abort();
	for (u32 i = ROOT_SLOT + 1; i < MAX_DOMAINS; i++)
		while (domains[i]) {
			whole_destroy(domains[i]->self);
			(void)whole_run(v);
		}
	if (levels[LVL_DOMAINS] != 1 || levels[LVL_KMEM] != root->mm.kmem_used ||
	    frame_free_count() != root->mm.mem_quota + root->mm.kmem_quota - root->mm.mem_used -
					  root->mm.kmem_used)
		abort(); /* a dead domain left something behind */
}

/* ---- bytes ---- */

static u64 number(struct vcpu *v, u8 class, u8 n)
{
	static const u64 edges[] = { 0, 1, 2, 16, 17, 512, 513, 4095, 4096, PV_MAX_GFN, PV_MAX_GFN + 1ull,
				     1ull << 32, PV_HOLE_START, PV_HOLE_END, 1ull << 63, ~0ull };

	switch (class & 7) {
	case 0:
		return n & 15;
	case 1:
		return (u64)(n & 31) << PAGE_SHIFT;
	case 2:
		return edges[n & 15];
	case 3:
	case 4: /* a handle: slot n of the caller's table, if it is used */
		if (v->dom->cap_pages[0] && v->dom->cap_pages[0][n & 31].type != PV_CAP_NONE)
			return (u64)v->dom->cap_pages[0][n & 31].gen << 16 | (n & 31);
		return PV_SELF;
	case 5:
		return host_ns + n * 16;
	case 6:
		return n;
	}
	return (u64)n << 32 | n;
}

static struct vcpu *pick(u8 n)
{
	for (u32 i = 0; i < 16; i++) {
		struct domain *dom = domains[ROOT_SLOT + (n + i) % 8];
		struct vcpu *v = dom ? dom->vcpus[n >> 4 & 1] : NULL;

		if (v && whole_run(v))
			return v;
	}
	return NULL;
}

/* What would end the machine, or the input. */
static bool is_final(const struct vcpu *v, u64 nr, u64 op)
{
	return (nr == PV_HC_HOST_CTL && op <= PV_HOST_CTL_REBOOT) ||
	       (nr == PV_HC_DOM_CTL && op == PV_DOM_CTL_SHUTDOWN && v->dom == root);
}

static void access_memory(u8 page, u8 how)
{
	u64 error;
	char *p;

	if (host_access((u64)(page & 31) * PAGE_SIZE, how & 1 ? HOST_WRITE : HOST_READ, &p, &error) == HOST_OK &&
	    how & 1)
		*p = (char)how;
}

static void one(const u8 *d)
{
	struct vcpu *v = pick(d[0]);
	u64 nr = d[1] % (PV_HC_COUNT + 4), args[6];

	if (!v || nr == PV_HC_COUNT + 3) {
		whole_time(d[2] * 64u);
		return;
	}
	if (nr > PV_HC_COUNT) {
		access_memory(d[2], d[3]);
		return;
	}
	args[0] = nr == PV_HC_PORT_SEND || nr == PV_HC_WAIT ? d[2] : d[2] & 15;
	for (u32 i = 1; i < 6; i++)
		args[i] = number(v, i & 1 ? d[3 + i / 2] : d[3 + i / 2] >> 4, d[4 + i]);
	if (nr == PV_HC_DOM_CREATE)
		args[0] = number(v, 3, d[2]);
	if (!is_final(v, nr, args[0]))
		(void)whole_call(v, nr, args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!root) {
		root = whole_start(MIB(32), 2);
		if (!root)
			abort();
	}
	make_child();
	make_child();
	for (; size >= STEP; data += STEP, size -= STEP)
		one(data);
	clean_up();
	return 0;
}
