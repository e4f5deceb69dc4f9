// SPDX-License-Identifier: BSD-2-Clause
/*
 * race.c - pauses at race points, in kernels built for it: now and then a CPU stays for some
 * microseconds where another one may step in between.
 */
#include "race.h"

#include "cpu.h"
#include "spinlock.h"
#include "types.h"

#define PAUSE_ONE_IN 64
#define PAUSE_LONGEST 4096 /* turns */

static u64 states[MAX_CPUS];

void race_point(void)
{
	u64 *s = &states[this_cpu()->id];
	u64 turns;

	*s = *s * 6364136223846793005ull + 1442695040888963407ull + this_cpu()->id;
	if (*s >> 40 & (PAUSE_ONE_IN - 1))
		return;
	for (turns = *s >> 48 & (PAUSE_LONGEST - 1); turns; turns--)
		cpu_relax();
}
