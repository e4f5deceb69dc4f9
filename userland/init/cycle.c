/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cycle.c - builds, runs and destroys one domain many times and checks that the kernel's level
 * counters return to what they were. `cycle=NAME,COUNT[,MS]` on the command line does it at boot and
 * powers off with the verdict; the shell has the same as a command. A run ends when the domain stops
 * by itself, or after MS milliseconds.
 */
#include "init.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS 12 /* the first counters: they return to their start */
#define SETTLE_NS (2 * PV_NSEC_PER_SEC)

static const char *const level_names[LEVELS] = {
	"frames_total", "frames_free", "frames_limbo", "domains", "vcpus", "aspaces",
	"tables", "ports", "grants", "grant_maps", "caps", "kmem_pages",
};

static struct {
	struct guest *guest;
	unsigned count;
	unsigned done;
	unsigned bad_ends;
	uint64_t run_ms;
	bool at_boot;
	uint64_t before[LEVELS];
} cycle;

bool cycle_active(void)
{
	return cycle.guest != NULL;
}

bool cycle_owns(const struct guest *guest)
{
	return cycle.guest == guest;
}

static void read_levels(uint64_t levels[LEVELS])
{
	struct pv_counters counters = { 0 };

	pv_info_counters(init.host, &counters);
	memcpy(levels, &counters, LEVELS * sizeof(*levels));
}

/* Frames leave limbo after an epoch, which needs a moment. */
static bool levels_return(uint64_t after[LEVELS])
{
	pv_ns_t deadline = pv_clock_ns() + SETTLE_NS;

	for (;;) {
		read_levels(after);
		if (!memcmp(after, cycle.before, sizeof(cycle.before)))
			return true;
		if (pv_clock_ns() > deadline)
			return false;
		pv_sleep_until(pv_clock_ns() + 10 * PV_NSEC_PER_MSEC);
	}
}

static void verdict(void)
{
	uint64_t after[LEVELS];
	struct guest *guest = cycle.guest;
	bool same = levels_return(after);
	bool good = same && !cycle.bad_ends;

	for (unsigned i = 0; i < LEVELS; i++)
		if (after[i] != cycle.before[i])
			printf("cycle: %s was %llu, is %llu\n", level_names[i],
			       (unsigned long long)cycle.before[i], (unsigned long long)after[i]);
	printf("cycle: %s, %u runs of %s, %u bad ends, counters %s\n", good ? "ok" : "not ok",
	       cycle.done, (const char *)guest->spec->name, cycle.bad_ends,
	       same ? "returned to their start" : "differ");
	ctl_notice("cycle of %s: %s", (const char *)guest->spec->name, good ? "ok" : "not ok");
	cycle.guest = NULL;
	if (cycle.at_boot)
		machine_poweroff(good ? 0 : EXIT_CYCLE);
}

static void next(void)
{
	struct guest *guest = cycle.guest;

	if (!guest_build(guest)) {
		cycle.bad_ends++;
		verdict();
		return;
	}
	if (cycle.run_ms)
		guest->deadline = guest->started + cycle.run_ms * PV_NSEC_PER_MSEC;
	supervise_schedule();
}

void cycle_ended(struct guest *guest)
{
	uint32_t reason = guest->outcome.reason;
	bool expected = reason == PV_REASON_NONE ? cycle.run_ms != 0 :
						   reason == PV_REASON_POWEROFF &&
							   !guest->outcome.code;

	cycle.done++;
	if (!expected)
		cycle.bad_ends++;
	if (cycle.done % 100 == 0)
		printf("cycle: %u of %u\n", cycle.done, cycle.count);
	if (cycle.done < cycle.count)
		next();
	else
		verdict();
}

bool cycle_setup(const char *text, bool at_boot)
{
	char name[PV_NAME_LEN];
	unsigned count = 0, ms = 0;
	struct guest *guest;

	if (cycle.guest || sscanf(text, "%31[^,],%u,%u", name, &count, &ms) < 2 || !count)
		return false;
	guest = guest_find(name);
	if (!guest || guest == init.console || guest->state != GUEST_NONE)
		return false;
	memset(&cycle, 0, sizeof(cycle));
	cycle.guest = guest;
	cycle.count = count;
	cycle.run_ms = ms;
	cycle.at_boot = at_boot;
	guest->held = true;
	guest->deadline = PV_FOREVER;
	return true;
}

void cycle_begin(void)
{
	if (!cycle.guest)
		return;
	/* whatever the other domains still set up belongs to the start, not to the cycles */
	pv_sleep_until(pv_clock_ns() + 200 * PV_NSEC_PER_MSEC);
	read_levels(cycle.before);
	next();
}
