/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash.c - crash=FIRST,COUNT,EPOCHS: in each epoch up to EPOCHS this domain dies when it comes to a
 * step of a request (enum vr_step) for the COUNTth time: in epoch 1 at step FIRST, then at the steps
 * after it. crash-store=N,N,N: it dies at the Nth store to memory it shares, another N in each
 * epoch. hang: it does not die there, but loops for ever. Test builds only.
 */
#include "crash.h"

#include <stdio.h>

#include <pci/mmio.h>
#include <pv/libpv.h>
#include <ring/ring.h>

#define STORES_MAX 5

static unsigned first, count_at, epochs;
static unsigned seen;
static unsigned stores[STORES_MAX], stores_seen;
static uint32_t current;

void crash_setup(void)
{
	char value[32];

	if (pv_cmdline_get("crash", value, sizeof(value)))
		sscanf(value, "%u,%u,%u", &first, &count_at, &epochs);
	if (pv_cmdline_get("crash-store", value, sizeof(value)))
		sscanf(value, "%u,%u,%u,%u,%u", &stores[0], &stores[1], &stores[2], &stores[3],
		       &stores[4]);
}

void crash_epoch(uint32_t epoch)
{
	current = epoch;
	seen = stores_seen = 0;
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
