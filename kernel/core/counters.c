// SPDX-License-Identifier: BSD-2-Clause
/*
 * counters.c - what the kernel counts, added up over the CPUs.
 */
#include "counters.h"

#include "domain.h"
#include "mm.h"
#include "string.h"

u64 levels[LVL_COUNT];

/* Other CPUs count on meanwhile: a sum is exact only when they are quiet. */
static u64 sum(enum counter c)
{
	u64 total = 0;

	for (u32 i = 0; i < nr_cpus; i++)
		total += atomic_load_relaxed(&cpus[i].counters[c]);
	return total;
}

static u64 level(enum level l)
{
	return atomic_load_relaxed(&levels[l]);
}

static u64 dead_hypercalls; /* of domains that are gone */

void counters_keep_hypercalls(u64 n)
{
	(void)atomic_fetch_add(&dead_hypercalls, n);
}

static u64 hypercalls(void)
{
	u64 total = atomic_load_relaxed(&dead_hypercalls);

	for (u32 i = ROOT_SLOT; i < MAX_DOMAINS; i++) {
		const struct domain *dom = atomic_load_acquire(&domains[i]);

		if (dom)
			total += domain_hypercalls(dom);
	}
	return total;
}

void counters_read(struct pv_counters *out)
{
	*out = (struct pv_counters){
		.frames_total = frame_total(),
		.frames_free = frame_free_count(),
		.frames_limbo = level(LVL_LIMBO),
		.domains = level(LVL_DOMAINS),
		.vcpus = level(LVL_VCPUS),
		.aspaces = level(LVL_ASPACES),
		.tables = level(LVL_TABLES),
		.ports = level(LVL_PORTS),
		.grants = level(LVL_GRANTS),
		.grant_maps = level(LVL_GRANT_MAPS),
		.caps = level(LVL_CAPS),
		.kmem_pages = level(LVL_KMEM),
		.hypercalls = hypercalls(),
		.page_faults = sum(CNT_PAGE_FAULTS),
		.fills = sum(CNT_FILLS),
		.injections = sum(CNT_INJECTIONS),
		.emulated = sum(CNT_EMULATED),
		.flushes = sum(CNT_FLUSHES),
		.shootdowns = sum(CNT_SHOOTDOWNS),
		.root_loads = sum(CNT_ROOT_LOADS),
		.switches = sum(CNT_SWITCHES),
		.ipis = sum(CNT_IPIS),
		.port_sends = sum(CNT_PORT_SENDS),
		.timer_fires = sum(CNT_TIMER_FIRES),
		.audit_checks = sum(CNT_AUDIT_CHECKS),
		.audit_findings = sum(CNT_AUDIT_FINDINGS),
		.irqs = sum(CNT_IRQS),
		.reclaims = sum(CNT_RECLAIMS),
	};
}
