/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spinlock.h - ticket locks. Interrupts are always off in the kernel, so there is one flavour.
 *
 * A waiting CPU serves its own TLB-shootdown mailbox: the holder may be waiting for exactly this
 * CPU's acknowledgement. Debug builds check for recursion and for unlock by a stranger.
 */
#ifndef RF_SPINLOCK_H
#define RF_SPINLOCK_H

#include "atomic.h"
#include "compiler.h"
#include "cpu.h"
#include "panic.h"
#include "race.h"

struct spinlock {
	u16 next;    /* ticket the next taker draws */
	u16 serving; /* ticket that holds the lock; free when next == serving */
	u32 owner;   /* CPU id + 1 of the holder, debug only */
};

#define SPINLOCK_INIT                                                                              \
	{                                                                                          \
		0, 0, 0                                                                            \
	}

/* Runs the flushes other CPUs asked of this one. Must not take locks. */
void flush_serve_mailbox(void);

static inline void spin_lock_init(struct spinlock *l)
{
	*l = (struct spinlock)SPINLOCK_INIT;
}

static inline bool spin_is_mine(const struct spinlock *l)
{
	return atomic_load_relaxed(&l->owner) == this_cpu()->id + 1;
}

static inline void spin_lock(struct spinlock *l)
{
	u16 ticket;

#ifdef CONFIG_DEBUG
	ASSERT(!spin_is_mine(l));
#endif
	ticket = atomic_fetch_add(&l->next, (u16)1);
	while (atomic_load_acquire(&l->serving) != ticket) { /* pairs with spin_unlock() */
		cpu_relax();
		flush_serve_mailbox();
	}
	atomic_store_relaxed(&l->owner, this_cpu()->id + 1);
	RACE_LOCKS(1);
	RACE_POINT();
}

static inline warn_unused_result bool spin_trylock(struct spinlock *l)
{
	u16 serving = atomic_load_relaxed(&l->serving);
	u16 ticket = serving;

	if (!atomic_cmpxchg(&l->next, &ticket, (u16)(serving + 1)))
		return false;
	atomic_store_relaxed(&l->owner, this_cpu()->id + 1);
	RACE_LOCKS(1);
	return true;
}

static inline void spin_unlock(struct spinlock *l)
{
#ifdef CONFIG_DEBUG
	ASSERT(spin_is_mine(l));
#endif
	RACE_LOCKS(-1);
	atomic_store_relaxed(&l->owner, 0u);
	atomic_store_release(&l->serving, (u16)(l->serving + 1));
	RACE_POINT();
}

#define ASSERT_LOCKED(l) ASSERT(spin_is_mine(l))

#endif
