/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters.h - per-CPU counters, summed into struct pv_counters; levels are kept globally.
 */
#ifndef RF_COUNTERS_H
#define RF_COUNTERS_H

#include <pv/abi.h>

#include "atomic.h"
#include "cpu.h"
#include "types.h"

enum counter {
	CNT_PAGE_FAULTS, CNT_FILLS, CNT_INJECTIONS, CNT_EMULATED, CNT_FLUSHES,
	CNT_SHOOTDOWNS, CNT_ROOT_LOADS, CNT_SWITCHES, CNT_IPIS, CNT_PORT_SENDS, CNT_TIMER_FIRES,
	CNT_AUDIT_CHECKS, CNT_AUDIT_FINDINGS, CNT_IRQS, CNT_RECLAIMS, CNT_COUNT
};
enum level {
	LVL_DOMAINS, LVL_VCPUS, LVL_ASPACES, LVL_TABLES, LVL_PORTS, LVL_GRANTS, LVL_GRANT_MAPS,
	LVL_CAPS, LVL_KMEM, LVL_LIMBO, LVL_COUNT
};
BUILD_ASSERT(CNT_COUNT <= CPU_COUNTERS);
extern u64 levels[LVL_COUNT];

#define count(c) this_cpu_inc(counters[c]) /* a constant of enum counter */
static inline void level_add(enum level l, i64 n) { (void)atomic_fetch_add(&levels[l], (u64)n); }
/* A domain counts its hypercalls itself; at its end they are kept here. */
void counters_keep_hypercalls(u64 n);
void counters_read(struct pv_counters *out);

#endif
