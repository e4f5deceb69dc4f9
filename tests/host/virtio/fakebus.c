/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakebus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE 4096u

static uint8_t *arena;
static const uint64_t *places;
static unsigned count;

uint8_t *fakebus_begin(uint64_t *bus, unsigned pages)
{
	arena = aligned_alloc(PAGE, (size_t)pages * PAGE);
	memset(arena, 0, (size_t)pages * PAGE);
	places = bus;
	count = pages;
	/* no two pages next to each other, and beyond 4 GiB */
	for (unsigned i = 0; i < pages; i++)
		bus[i] = 0x7700000000 + (uint64_t)(pages - i) * 0x3000;
	return arena;
}

void fakebus_end(void)
{
	free(arena);
}

void *dma(uint64_t at, uint64_t len)
{
	for (unsigned i = 0; i < count; i++)
		if (at - places[i] < PAGE) {
			assert_true(at % PAGE + len <= PAGE);
			return arena + i * PAGE + at % PAGE;
		}
	fail_msg("the device was told of %#llx, which is not its arena's", (unsigned long long)at);
	return NULL;
}
