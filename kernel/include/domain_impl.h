/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain_impl.h - what domain.c and destroy.c share and nobody else needs.
 */
#ifndef RF_DOMAIN_IMPL_H
#define RF_DOMAIN_IMPL_H

#include "domain.h"

#define PAUSE_MAX 0xffffu

void domain_slot_free(struct domain_ref ref);
void domain_quota_return(struct domain_ref parent, u64 pages);
void domain_page_free(struct domain *dom);
void domain_notify_parent(struct domain_ref parent);

/* Whether a CPU still runs one of its vCPUs, the caller's own aside. */
bool domain_runs(struct domain *dom);

#endif
