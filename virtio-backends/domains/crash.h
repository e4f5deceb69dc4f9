/* SPDX-License-Identifier: BSD-2-Clause */
/* crash.h - dying at a named step, in the test build of a driver domain only. */
#ifndef DOMAINS_CRASH_H
#define DOMAINS_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef VR_TEST_HOOKS
void crash_setup(void);		  /* reads crash= and crash-store= off the command line */
void crash_epoch(uint32_t epoch); /* from now on this epoch is served */
bool crash_one_drive(void);	  /* all devices are ways to the first disk */
unsigned crash_way(unsigned drive); /* the device through which a disk is reached in this life */
#else
static inline void crash_setup(void) {}
static inline void crash_epoch(uint32_t epoch) { (void)epoch; }
static inline bool crash_one_drive(void) { return false; }
static inline unsigned crash_way(unsigned drive) { return drive; }
#endif

#endif
