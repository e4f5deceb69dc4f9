/* SPDX-License-Identifier: BSD-2-Clause */
/* A function that does what the input says; see fuzzfn.h. */
#include <pci/mmio.h>
#include <ring/ring.h>

#include "fuzzfn.h"

size_t left;

static const uint8_t *input;

uint8_t next(void)
{
	return left ? left--, *input++ : 0;
}

uint32_t next32(void)
{
	return (uint32_t)(next() | next() << 8 | next() << 16) | (uint32_t)next() << 24;
}

/* What the device answers to a read of a register: now and then something else than was written. */
void mmio_test_read(const void *reg)
{
	uint8_t what = next();

	if (what > 240)
		((uint8_t *)(uintptr_t)reg)[0] ^= (uint8_t)(1u << (what & 7));
}

void vr_test_load(void)
{
	uint8_t what = next();

	if (what > 250) /* memory of the device changes between two looks */
		fuzzfn_arena[(next() << 8 | next()) % fuzzfn_bytes] = next();
}

void vr_test_store(void)
{
}

void vr_test_step(enum vr_step step)
{
	(void)step;
}

void fuzzfn_begin(const uint8_t *data, size_t size, uint64_t *bus)
{
	input = data;
	left = size;
	for (size_t i = 0; i < fuzzfn_bytes / FUZZFN_PAGE; i++)
		bus[i] = FUZZFN_BASE + i * FUZZFN_PAGE;
}
