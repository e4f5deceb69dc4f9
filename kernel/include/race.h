/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * race.h - points at which a test build pauses now and then, so that windows of a few instructions
 * become wide enough for another CPU to step into.
 */
#ifndef RF_RACE_H
#define RF_RACE_H

#ifdef CONFIG_RACE_POINTS
void race_point(void); /* pauses with small probability, by a generator of its own per CPU */
#define RACE_POINT() race_point()
#else
#define RACE_POINT() ((void)0)
#endif

#endif
