/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tlbflush.h - flushing other CPUs, and epochs before reuse.
 *
 * Two questions, two tools:
 *  - "may any guest still use this translation?"  flush_cpus(mask): when it returns every CPU of the
 *    mask has flushed, or is inside the kernel and will flush before it enters a guest.
 *  - "may any CPU still walk this page-table page, or hold this pointer?"  an epoch: a ticket that
 *    has passed once every CPU has left the kernel (or idled) with a full flush since it was taken.
 * No lock may be held across flush_cpus(). Every spin serves the mailbox.
 *
 * Each CPU is in one of three places; the two that are not the kernel are interrupted to make haste.
 */
#ifndef RF_TLBFLUSH_H
#define RF_TLBFLUSH_H

#include "types.h"

struct domain;

/* Asks the CPUs of mask (this one included, if set) to forget all guest translations; waits. */
void flush_cpus(u64 mask);
/* CPUs whose current vCPU is dom's: the only ones that may hold translations of it, because any
 * other one loads a root, which forgets all, before it enters dom. */
u64 flush_mask(const struct domain *dom);
/* Serves what others asked of this CPU: called by spins and by VEC_FLUSH. */
void flush_serve_mailbox(void);

/* Takes a ticket and makes every CPU pass a quiescent point soon (kicks those in a guest). */
u64 epoch_start(void);
bool epoch_passed(u64 ticket);

/* Entry code, slow paths only: this CPU came into the kernel from a guest / is about to enter one.
 * enter_guest returns false if mail had to be served: run the exit checks again. Between its true
 * and the guest nothing may touch what an epoch protects. The assembly's fast paths count as being
 * in the guest. */
void cpu_leave_guest(void);
bool cpu_enter_guest(void);
void cpu_idle_quiesce(void); /* before each arch_idle(), with the kernel's own root loaded */

#endif
