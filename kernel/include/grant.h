/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grant.h - sharing frames, revocably. A grant belongs to the owner of its frames; at most
 * GRANT_MAPS domains map it at a time. Guarded by the owner's mm.lock.
 */
#ifndef RF_GRANT_H
#define RF_GRANT_H

#include "cap.h"
#include "domain.h"

#define GRANT_MAPS 4

i64 grant_create(struct domain *caller, struct domain *owner, gfn_t gfn, u64 n, u32 rights);
i64 grant_map(struct domain *holder, const struct cap *cap, gfn_t gfn, u64 n, bool writable);
i64 grant_unmap(struct domain *holder, gfn_t gfn, u64 n);
bool grant_is_live(const struct cap *cap); /* not revoked, and nobody began to */
i64 grant_revoke(const struct cap *cap); /* -PV_EAGAIN while work remains */
/* Destruction of a domain: revokes what it granted, gives back what it mapped; bounded step. */
bool grant_destroy_step(struct domain *dom);

#endif
