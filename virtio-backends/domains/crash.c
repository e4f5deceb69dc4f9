/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash.c - crash=FIRST,COUNT,EPOCHS: in each epoch up to EPOCHS this domain dies when it comes to a
 * step of a request (enum vr_step) for the COUNTth time: in epoch 1 at step FIRST, then at the steps
 * after it. crash-store=N,N,N: it dies at the Nth store to memory it shares, another N in each
 * epoch. crash-seed=SEED,LIVES: in each of so many epochs it dies at a random one of the steps, up to the
 * STEP_RANGEth time it comes to it. ways: its devices are ways to one disk; its
 * first life takes the first, all others the last. hang: it does not die there, but loops for ever. Test builds only.
 */
#include "crash.h"

#include <stdio.h>

#include <pci/mmio.h>
#include <pv/libpv.h>
#include <ring/ring.h>

#define STORES_MAX 5
#define STEP_RANGE 24u

static unsigned first, count_at, epochs;
static unsigned seen;
static unsigned stores[STORES_MAX], stores_seen;
static uint32_t current;
static unsigned seed, lives;

void crash_setup(void)
{
	char value[32];

	if (pv_cmdline_get("crash", value, sizeof(value)))
		sscanf(value, "%u,%u,%u", &first, &count_at, &epochs);
	if (pv_cmdline_get("crash-seed", value, sizeof(value)))
		sscanf(value, "%u,%u", &seed, &lives);
	if (pv_cmdline_get("crash-store", value, sizeof(value)))
		sscanf(value, "%u,%u,%u,%u,%u", &stores[0], &stores[1], &stores[2], &stores[3],
		       &stores[4]);
}

/* A step and a count for this epoch: `crash=` with numbers of its own. */
static void choose(void)
{
	uint64_t z = (seed * 0x100000001b3ull + current) * 0x9e3779b97f4a7c15ull;

	z ^= z >> 29;
	first = z % VR_STEPS + 1 - current; /* what vr_test_step() adds again */
	count_at = 1 + (z >> 8) % STEP_RANGE;
	epochs = current;
}

void crash_epoch(uint32_t epoch)
{
	current = epoch;
	seen = stores_seen = 0;
	if (epoch <= lives)
		choose();
}

bool crash_one_drive(void)
{
	return pv_cmdline_has("ways");
}

/* In its first life the link is not up yet, or for the first time; in a second one that is over. */
unsigned crash_way(unsigned drive)
{
	const struct pv_link *page;
	void *addr;

	if (!crash_one_drive() || pv_grant_attach(pv_start_info->links[0].handle, 1, 0, &addr) < 0)
		return drive;
	page = addr;
	if (!page->epoch || (page->epoch == 1 && page->state == PV_LINK_UP))
		return 0;
	return pv_start_info->device_count - 1;
}

/* registers of a disk are not memory it shares */
void mmio_test_read(const void *reg)
{
	(void)reg;
}

void mmio_test_write(void *reg)
{
	(void)reg;
}

static void die(uint64_t code)
{
	if (pv_cmdline_has("hang"))
		for (;;)
			__asm__ volatile("pause");
	pv_dom_shutdown(PV_REASON_PANIC, code);
}

void vr_test_load(void)
{
}

void vr_test_store(void)
{
	if (current && current <= STORES_MAX && ++stores_seen == stores[current - 1])
		die(99);
}

void vr_test_step(enum vr_step step)
{
	if (current && current <= epochs && step == first + current - 1 && ++seen == count_at)
		die(100 + step);
}
