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
 */
#ifndef RF_TLBFLUSH_H
#define RF_TLBFLUSH_H

#include "types.h"

/* Asks the CPUs of mask (this one included, if set) to forget all guest translations; waits. */
void flush_cpus(u64 mask);
/* Serves what others asked of this CPU: called by spins and by VEC_FLUSH. */
void flush_serve_mailbox(void);

/* Takes a ticket and makes every CPU pass a quiescent point soon (kicks those in a guest). */
u64 epoch_start(void);
bool epoch_passed(u64 ticket);

/* Entry code: this CPU came into the kernel from a guest / is about to enter one or to idle.
 * enter_guest returns false if work arrived and the exit checks must run again. */
void cpu_leave_guest(void);
bool cpu_enter_guest(void);
void cpu_idle_quiesce(void); /* in the idle loop, with the kernel's own root loaded */

#endif
