/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cap.h - capability tables: what a domain holds is all it can name.
 *
 * Handle = index | generation << 16; index 0 is never used, so PV_SELF names no entry. Entries and
 * the free list are guarded by the holder's dom->lock. Pages of entries stay until the domain goes,
 * so generations never repeat early.
 */
#ifndef RF_CAP_H
#define RF_CAP_H

#include "compiler.h"
#include "domain.h"
#include "types.h"

#define CAPS_PER_PAGE 128

struct cap {
	u8 type;  /* PV_CAP_* */
	u16 gen;  /* 15 bits, never 0 */
	u32 rights;
	struct domain_ref dom; /* CAP_DOMAIN: it; CAP_GRANT: the owner */
	u32 index; /* CAP_GRANT: grant number; CAP_IRQ: line; CAP_DEV: device; free entry: next free one */
	u32 obj_gen; /* CAP_GRANT: its generation */
	u64 spare;
};

BUILD_ASSERT(sizeof(struct cap) * CAPS_PER_PAGE == PAGE_SIZE);

/* Handle or -PV_EDEAD / -PV_ENOSPC / -PV_ENOMEM. Takes dom->lock. The caller has counted the new capability
 * (cap_object_get() or the like); on failure the count is given back. */
i64 cap_insert(struct domain *dom, const struct cap *cap);

/* The same in two halves, for calls that must know there is room before they commit. */
i64 cap_reserve(struct domain *dom);
void cap_fill_nofail(struct domain *dom, u64 handle, const struct cap *cap);
void cap_unreserve(struct domain *dom, u64 handle);

/* Copies the entry out, PV_SELF included. -PV_ECAP: the handle names nothing. */
warn_unused_result int cap_get(struct domain *dom, u64 handle, struct cap *out);
/* -PV_ECAP: no such entry or wrong type; -PV_EPERM: a right is missing. Copies the entry out. */
warn_unused_result int cap_lookup(struct domain *dom, u64 handle, u32 type, u32 rights, struct cap *out);
/* Resolves a domain handle, PV_SELF included. -PV_ECAP, -PV_EPERM, -PV_EDEAD. */
warn_unused_result int cap_domain(struct domain *caller, u64 handle, u32 rights, struct domain **out);
/* The host capability. -PV_ECAP, -PV_EPERM. */
warn_unused_result int cap_host(struct domain *caller, u64 handle, u32 rights);
i64 cap_drop(struct domain *dom, u64 handle);

/* One more or one fewer capability names what cap names, if that counts them. */
void cap_object_get(const struct cap *cap);
void cap_object_put(const struct cap *cap);

/* Destruction: one page of entries per call, false while there are more. No CPU uses the table. */
warn_unused_result bool cap_destroy_step(struct domain *dom);

#endif
