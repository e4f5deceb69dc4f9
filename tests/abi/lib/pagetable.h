/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagetable.h - page tables that a walked test domain writes for itself, in its own memory.
 */
#ifndef ABI_PAGETABLE_H
#define ABI_PAGETABLE_H

#include "abitest.h"

#define PT_P 0x1ull
#define PT_W 0x2ull
#define PT_U 0x4ull
#define PT_A 0x20ull
#define PT_D 0x40ull
#define PT_NX (1ull << 63)

#define WALKED .kind = PV_KIND_WALKED
/* The case once more with room for 64 tables, for 8, and where everything is forgotten all the time. */
#define SMALL_CACHES(body, id) \
	PV_CHILD_ROW(body##_64, id " PVABI-WLK-014.1", body, WALKED, .tables = 64, .kmem = 128); \
	PV_CHILD_ROW(body##_8, id " PVABI-WLK-014.1", body, WALKED, .tables = 8, .kmem = 128); \
	PV_CHILD_ROW(body##_none, id " PVABI-WLK-014.1", body, WALKED, .tables = NO_TABLES, .budget_ms = 10000)

/* One hardware root for both modes of the domain. */
#define FUSED WALKED, .flags = PV_CREATE_FUSED
#define FUSED_CACHES(body, id) \
	PV_CHILD_ROW(body##_64, id " PVABI-WLK-014.1", body, FUSED, .tables = 64, .kmem = 128); \
	PV_CHILD_ROW(body##_none, id " PVABI-WLK-014.1", body, FUSED, .tables = NO_TABLES, .budget_ms = 10000)
/* The case of a split domain once more in a fused one, which must not tell it from what it knows. */
#define FUSED_TOO(body, id) \
	PV_CHILD_ROW(body##_fused, id " PVABI-WLK-024.1", body, FUSED); \
	PV_CHILD_ROW(body##_fused_none, id " PVABI-WLK-024.1", body, FUSED, .tables = NO_TABLES, .budget_ms = 10000)

/* A new root that maps the domain's own program and memory 1:1 for its kernel mode only. */
u64 *pt_new_root(void);
/* Maps va to gfn in the tables below root, making tables as needed (all rights above the leaf). */
void pt_map(u64 *root, u64 va, u64 gfn, u64 flags);
/* The leaf entry of va; NULL if there is no table for it. */
u64 *pt_entry(u64 *root, u64 va);
static inline u64 root_gpa(const u64 *root) { return (u64)root; }

#endif
