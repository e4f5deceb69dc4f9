/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turns.h - for the cases of races: gives another CPU a turn now and then. Where CPUs take turns
 * (-icount), PAUSE is what passes the turn on; where they run at once it is a short delay.
 */
#ifndef ABI_TURNS_H
#define ABI_TURNS_H

#include "abitest.h"
#include "random.h"

static inline void pause_for(u64 turns)
{
	for (; turns; turns--)
		__asm__ volatile("pause" ::: "memory");
}

/* Sleeps for a moment, or passes the turn on if something is pending. */
static inline void rest(void)
{
	__asm__ volatile("pause" ::: "memory");
	HC(WAIT, 0, clock_ns() + 20000);
}

/* Seldom long, often not at all. */
static inline void some_turns(struct random *r)
{
	if (random_below(r, 3) == 0)
		pause_for(1ull << random_below(r, 4));
}

static inline u64 load_acquire(const volatile u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void store_release(volatile u64 *word, u64 value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

#endif
