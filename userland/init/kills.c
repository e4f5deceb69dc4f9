/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kills.c - `kills=NAME,COUNT,MAX_US[,SEED[,serving]]` on the command line, for tests: a domain is ended COUNT times
 * (0: over and over), each time at a random moment of up to MAX_US microseconds after its start, and
 * started anew at once, as the shell's `restart` does it. With -icount a moment is an instruction. With `serving`
 * the time counts from when it answers over a link that is up: a Linux VM has booted by then, however long that took.
 */
#include "init.h"

#include <stdio.h>
#include <string.h>

static struct {
	struct guest *guest;
	unsigned count, done;
	bool when_serving;
	uint64_t max_ns, state;
	pv_ns_t deadline;
} kills = { .deadline = PV_FOREVER };

static uint64_t number(void)
{
	uint64_t z = kills.state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

bool kills_setup(const char *text)
{
	char name[PV_NAME_LEN], when[8] = "";
	unsigned count = 0, max_us = 0, seed = 1;
	int n = sscanf(text, "%31[^,],%u,%u,%u,%7s", name, &count, &max_us, &seed, when);

	if (n < 3 || !max_us || (n == 5 && strcmp(when, "serving")))
		return false;
	kills.when_serving = n == 5;
	kills.guest = guest_find(name);
	kills.count = count;
	kills.max_ns = max_us * 1000ull;
	kills.state = seed;
	return kills.guest != NULL;
}

static void plan(const struct guest *guest)
{
	if (guest != kills.guest || (kills.count && kills.done == kills.count))
		return;
	kills.deadline = pv_clock_ns() + number() % kills.max_ns;
	supervise_schedule();
}

void kills_started(const struct guest *guest)
{
	if (!kills.when_serving)
		plan(guest);
}

void kills_serves(const struct guest *guest)
{
	if (kills.when_serving && kills.deadline == PV_FOREVER)
		plan(guest);
}

pv_ns_t kills_deadline(void)
{
	return kills.deadline;
}

void kills_expire(pv_ns_t now)
{
	if (kills.deadline > now)
		return;
	kills.deadline = PV_FOREVER;
	if (kills.guest->state != GUEST_RUNNING)
		return; /* it ended by itself */
	kills.guest->again = true;
	guest_kill(kills.guest);
	if (++kills.done == kills.count) /* after the end, or a console that dies would take it along */
		printf("kills: %u of %s\n", kills.done, (const char *)kills.guest->spec->name);
}
