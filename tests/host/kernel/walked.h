/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walked.h - one walked domain with one vCPU that runs on CPU 0, for tests of the vTLB.
 */
#ifndef TEST_WALKED_H
#define TEST_WALKED_H

#include "guest.h"

#define NPAGES 2048
#define DATA 1024 /* gfns from here on are tagged data, below are tables */

extern struct domain *dom;
extern struct guest guest;
extern struct vcpu *v;

void start(u32 ncpus, u64 kmem, u32 tables);
void start_audited(void); /* one CPU, and the kernel looks after itself */
gfn_t new_root(void);
void load(gfn_t root, u64 flags);
/* The guest maps 2 MiB from gfn on; the entry. */
u64 *map_large(gfn_t root, vaddr_t va, gfn_t gfn, u64 flags);
void touch_large(vaddr_t va, enum host_access how, gfn_t gfn); /* each of those 512 pages, which is the right one */
void scatter(void); /* the first large page of data is not in one piece from now on */
u64 faults_at(vaddr_t va); /* how many a read takes: 0 if there is a translation */

#endif
