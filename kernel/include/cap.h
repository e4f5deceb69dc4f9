/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cap.h - capability tables: what a domain holds is all it can name.
 * Guarded by the holder's dom->lock. Handle = index | generation << 16; index 0 is never used.
 */
#ifndef RF_CAP_H
#define RF_CAP_H

#include "domain.h"
#include "types.h"

struct cap {
	u8 type;  /* PV_CAP_* */
	u16 gen;  /* 15 bits, never 0 */
	u32 rights;
	struct domain_ref dom; /* CAP_DOMAIN: it; CAP_GRANT: the owner */
	u32 index; /* CAP_GRANT: grant number; CAP_IRQ: line */
	u32 obj_gen; /* CAP_GRANT: its generation */
	u64 spare;
};

/* Handle or -PV_ENOSPC / -PV_ENOMEM. Takes dom->lock. */
i64 cap_insert(struct domain *dom, const struct cap *cap);
/* -PV_ECAP: no such entry or wrong type; -PV_EPERM: a right is missing. Copies the entry out. */
warn_unused_result int cap_lookup(struct domain *dom, u64 handle, u32 type, u32 rights, struct cap *out);
/* Resolves a domain handle, PV_SELF included. -PV_ECAP, -PV_EPERM, -PV_EDEAD. */
warn_unused_result int cap_domain(struct domain *caller, u64 handle, u32 rights, struct domain **out);
i64 cap_drop(struct domain *dom, u64 handle);
void cap_destroy_all(struct domain *dom);

#endif
