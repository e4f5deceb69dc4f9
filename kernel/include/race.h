/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * race.h - points at which a test build pauses now and then, so that windows of a few instructions
 * become wide enough for another CPU to step into. Every lock is one; the others stand where no lock
 * is taken. In any other build they are nothing.
 *
 * The same builds count the locks a CPU holds, and assert that it waits for no other one with a lock in its hands.
 */
#ifndef RF_RACE_H
#define RF_RACE_H

#ifdef CONFIG_RACE_POINTS
void race_init(void);	/* reads race=SEED */
void race_point(void);	/* pauses with small probability, by a generator of its own per CPU */
void race_report(void);	/* what the seed made of this run */
#define RACE_INIT() race_init()
#define RACE_POINT() race_point()
#define RACE_REPORT() race_report()
#define RACE_LOCKS(n) (this_cpu()->locks += (u32)(n))
#define ASSERT_NO_LOCK() ASSERT(this_cpu()->locks == 0)
#else
#define RACE_INIT() ((void)0)
#define RACE_POINT() ((void)0)
#define RACE_REPORT() ((void)0)
#define RACE_LOCKS(n) ((void)0)
#define ASSERT_NO_LOCK() ((void)0)
#endif

#endif
