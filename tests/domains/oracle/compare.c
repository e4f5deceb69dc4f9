// SPDX-License-Identifier: BSD-2-Clause
/*
 * compare.c - what the kernel tells about domains, vCPUs, ports, capabilities and its levels, beside the model.
 */
#include <stdio.h>
#include <string.h>

#include "oracle.h"

enum { L_DOMAINS, L_VCPUS, L_PORTS, L_GRANTS, L_MAPS, L_CAPS, L_COUNT };
#define CAPS_A_PUPPET 2u /* of the driver: to the domain, to the grant of its commands */

static char text[200];
static u64 base[L_COUNT]; /* the levels less what the model knows of, at the beginning */

static bool differs(u32 dom, const char *what, u64 index, u64 kernel, u64 model)
{
	if (kernel == model)
		return false;
	snprintf(text, sizeof(text), "state: domain %u, %s %llu: kernel %llx, model %llx", (unsigned)dom, what,
		 (unsigned long long)index, (unsigned long long)kernel, (unsigned long long)model);
	return true;
}

/* ---- levels ---- */

static void kernel_levels(u64 *levels)
{
	struct pv_counters c;

	counters_read(&c);
	levels[L_DOMAINS] = c.domains;
	levels[L_VCPUS] = c.vcpus;
	levels[L_PORTS] = c.ports;
	levels[L_GRANTS] = c.grants - puppet_count();
	levels[L_MAPS] = c.grant_maps - puppet_count();
	levels[L_CAPS] = c.caps - CAPS_A_PUPPET * puppet_count();
}

static void model_levels(const struct model *m, u64 *levels)
{
	memset(levels, 0, L_COUNT * sizeof(*levels));
	for (u32 d = 0; d < M_DOMS; d++) {
		const struct m_dom *dom = &m->doms[d];

		if (!dom->serial)
			continue;
		levels[L_DOMAINS]++;
		for (u32 i = 0; i < M_PORTS; i++)
			levels[L_PORTS] += dom->ports[i].state != PV_PORT_FREE;
		for (u32 i = 0; i < M_VCPUS; i++)
			levels[L_VCPUS] += dom->vcpus[i].exists;
		for (u32 i = 0; i < M_CAPS; i++)
			levels[L_CAPS] += dom->caps[i].type != PV_CAP_NONE;
	}
	for (u32 i = 0; i < M_GRANTS; i++) {
		levels[L_GRANTS] += m->grants[i].serial != 0;
		for (u32 u = 0; m->grants[i].serial && u < M_USES; u++)
			levels[L_MAPS] += m->grants[i].uses[u].serial ? m->grants[i].uses[u].left : 0;
	}
}

void compare_begin(const struct model *m)
{
	u64 known[L_COUNT];

	kernel_levels(base);
	model_levels(m, known);
	for (u32 i = 0; i < L_COUNT; i++)
		base[i] -= known[i];
}

static bool levels_differ(const struct model *m)
{
	static const char *const names[L_COUNT] = { "level of domains", "level of vCPUs", "level of ports",
						    "level of grants", "level of granted frames mapped",
						    "level of capabilities" };
	u64 is[L_COUNT], known[L_COUNT];

	kernel_levels(is);
	model_levels(m, known);
	for (u32 i = 0; i < L_COUNT; i++)
		if (differs(0, names[i], 0, is[i] - base[i], known[i]))
			return true;
	return false;
}

/* ---- a domain ---- */

static bool vcpus_differ(const struct model *m, u32 d)
{
	for (u32 i = 0; i < M_VCPUS; i++) {
		const struct m_vcpu *v = &m->doms[d].vcpus[i];
		u32 state;

		if (!v->exists)
			continue;
		state = puppet_run_state(d, i); /* running and runnable are one to the model */
		if (differs(d, "run state of vCPU", i, state == 0 ? M_STOPPED : state == 3 ? M_BLOCKED : M_READY, v->run))
			return true;
	}
	return false;
}

/* As STATUS tells it: the model keeps the count apart. */
static u32 state_of(const struct m_dom *dom)
{
	return dom->state == PV_DOM_RUNNING && dom->pauses ? PV_DOM_PAUSED : dom->state;
}

static bool domain_differs(const struct model *m, u32 d)
{
	const struct m_dom *is = &m->doms[d];
	struct pv_dom_status s;
	u32 vcpus = 0;

	dom_status(puppet_handle(d), &s);
	for (u32 i = 0; i < M_VCPUS; i++)
		vcpus += is->vcpus[i].exists;
	return differs(d, "state", 0, s.state, state_of(is)) || differs(d, "pause count", 0, s.pause_count, is->pauses) ||
	       differs(d, "reason", 0, s.reason, is->reason) || differs(d, "code", 0, s.code, is->code) ||
	       differs(d, "quota", 0, s.mem_quota, is->quota) || differs(d, "frames used", 0, s.mem_used, is->used) ||
	       differs(d, "kmem quota", 0, s.kmem_quota, is->kmem) || differs(d, "weight", 0, s.weight, is->weight) ||
	       differs(d, "cap", 0, s.cap, is->cap) || differs(d, "vCPUs", 0, s.vcpus, vcpus) || vcpus_differ(m, d);
}

/* ---- the root domain's tables ---- */

static bool root_differs(const struct model *m)
{
	const struct m_dom *root = &m->doms[M_ROOT];

	for (u32 i = 0; i < M_PORTS; i++)
		if (i && differs(0, "port", i, (u64)OP(PORT_CTL, STATUS, i), root->ports[i].state | root->ports[i].vcpu << 8))
			return true;
	for (u32 i = 0; i < M_CAPS; i++) {
		const struct m_cap *cap = &root->caps[i];

		if (cap->type != PV_CAP_NONE &&
		    differs(0, "capability by handle", cap->handle, (u64)OP(CAP_CTL, INSPECT, cap->handle),
			    (u64)cap->type << 32 | cap->rights))
			return true;
	}
	return false;
}

const char *compare(const struct model *m)
{
	for (u32 d = 1; d < M_DOMS; d++)
		if (m->doms[d].serial && domain_differs(m, d))
			return text;
	return root_differs(m) || levels_differ(m) ? text : NULL;
}
