// SPDX-License-Identifier: BSD-2-Clause
/*
 * race.c - pauses at race points, in ringfence-race.elf alone: now and then a CPU stays where another
 * one may step in between.
 *
 * `race=SEED` on the command line decides where and how long; without it nothing pauses. A pause is
 * made of PAUSE instructions. Under -icount QEMU runs one CPU at a time and goes on to the next one at
 * each PAUSE: the points are then where CPUs take turns, and the seed decides every turn, so that a run
 * can be repeated exactly. On CPUs that really run at once a pause is a delay.
 *
 * Seeds differ in how often and how long: rare long pauses find other things than frequent short ones.
 */
#include "race.h"

#include "boot_info.h"
#include "cpu.h"
#include "log.h"
#include "types.h"

#define OFTEN 3u   /* one point in 1 << 3 pauses, or in 1 << 4, or in 1 << 5 */
#define LENGTHS 7u /* at most 1 << 6 turns; the longer, the rarer */

static u64 seed, pauses, order;
static u64 states[MAX_CPUS];
static u32 seldom, lengths;

void race_init(void)
{
	char text[24];

	if (!cmdline_get("race", text, sizeof(text)))
		return;
	for (const char *p = text; *p >= '0' && *p <= '9'; p++)
		seed = seed * 10 + (u64)(*p - '0');
	if (!seed)
		return;
	lengths = 1 + (u32)(seed % LENGTHS);
	seldom = OFTEN + (u32)(seed / LENGTHS % 3) + lengths / 2;
	for (u32 i = 0; i < MAX_CPUS; i++)
		states[i] = (seed << 8 | (i + 1)) * 0x9e3779b97f4a7c15ull;
}

static u64 random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull >> 32;
}

void race_point(void)
{
	u32 id = this_cpu()->id;
	u64 *s = &states[id], r;

	if (!*s)
		return;
	r = random(s);
	if (r & ((1u << seldom) - 1))
		return;
	/* Which CPU stopped where, in the order of all: equal only if the CPUs took the same turns. */
	order = (order ^ id ^ (u64)__builtin_return_address(0)) * 0x100000001b3ull;
	pauses++;
	for (u64 turns = 1ull << ((r >> 16) % lengths); turns; turns--)
		cpu_relax();
}

void race_report(void)
{
	if (seed)
		log_info("race: seed %lu, %lu pauses, order %lx\n", seed, pauses, order);
}
