// SPDX-License-Identifier: BSD-2-Clause
/*
 * alone.c - domains without scheduler and capabilities, for tests of the memory code alone.
 */
#include "cap.h"
#include "counters.h"
#include "domain.h"
#include "grant.h"
#include "host.h"
#include "mm.h"
#include "panic.h"
#include "vcpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

u64 levels[LVL_COUNT];
struct domain *domains[MAX_DOMAINS];

static struct cap caps[256]; /* one table for everybody: handles are its indices */

struct domain *domain_lookup(struct domain_ref ref)
{
	struct domain *dom = ref.slot < MAX_DOMAINS ? domains[ref.slot] : NULL;

	return dom && dom->self.gen == ref.gen ? dom : NULL;
}

i64 cap_reserve(struct domain *dom)
{
	(void)dom;
	for (u32 i = 1; i < ARRAY_SIZE(caps); i++) {
		if (caps[i].type == PV_CAP_NONE) {
			caps[i].type = 0xff;
			return i;
		}
	}
	return -PV_ENOSPC;
}

void cap_fill_nofail(struct domain *dom, u64 handle, const struct cap *cap)
{
	(void)dom;
	caps[handle] = *cap;
}

void cap_unreserve(struct domain *dom, u64 handle)
{
	(void)dom;
	caps[handle].type = PV_CAP_NONE;
}

struct cap *host_cap(u64 handle)
{
	return &caps[handle];
}

bool host_fused;

struct domain *host_domain(u32 kind, u64 mem_pages, u64 kmem_pages, u32 vtlb_tables)
{
	struct domain *dom = calloc(1, sizeof(*dom));
	static u32 gen;
	u32 slot = 1;

	while (domains[slot])
		slot++;
	if (slot == 1) /* the first one of a test */
		memset(caps, 0, sizeof(caps));
	dom->self = (struct domain_ref){ slot, ++gen };
	dom->kind = kind;
	dom->state = PV_DOM_RUNNING;
	dom->max_vcpus = PV_MAX_VCPUS;
	dom->mm.fused = host_fused && kind == PV_KIND_WALKED;
	snprintf(dom->name, sizeof(dom->name), "test%u", slot);
	if (mm_init(dom, mem_pages, kmem_pages, vtlb_tables)) {
		free(dom);
		return NULL;
	}
	domains[slot] = dom;
	return dom;
}

struct vcpu *host_vcpu(struct domain *dom, u32 index)
{
	struct vcpu *v = calloc(1, sizeof(*v));

	v->dom = dom;
	v->index = index;
	mm_vcpu_init(v);
	dom->vcpus[index] = v;
	return v;
}

void host_domain_free(struct domain *dom)
{
	struct cpu *self = host_cpu;

	for (u32 i = 0; i < nr_cpus; i++) {
		host_be(i);
		if (host_cpu->current && host_cpu->current->dom == dom)
			host_run(NULL);
	}
	host_cpu = self;
	while (!grant_destroy_step(dom))
		;
	while (!mm_destroy_step(dom))
		;
	for (u32 i = 0; i < PV_MAX_VCPUS; i++) {
		if (!dom->vcpus[i])
			continue;
		mm_vcpu_exit(dom->vcpus[i]);
		free(dom->vcpus[i]);
	}
	for (u32 i = 0; i < ARRAY_SIZE(dom->grant_pages); i++)
		if (dom->grant_pages[i])
			kmem_free(dom, dom->grant_pages[i]);
	domains[dom->self.slot] = NULL;
	ASSERT(dom->mm.kmem_used == 0 && dom->mm.mem_used == 0);
	free(dom);
}
