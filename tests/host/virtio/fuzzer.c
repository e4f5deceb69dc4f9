/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzzers share; see fuzzer.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ring/ring.h>

#include "fuzzer.h"

size_t left;
uint64_t now_ns;
unsigned countdown;
uint8_t *change_at;
uint32_t change_to;

static const uint8_t *input;

void insist_at(bool ok, const char *file, int line)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d does not hold\n", file, line);
	abort();
}

void vr_test_load(void)
{
	if (countdown && --countdown == 0)
		memcpy(change_at, &change_to, 4);
}

void vr_test_store(void)
{
}

void vr_test_step(enum vr_step step)
{
	(void)step;
}

void fuzz_begin(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
	now_ns = 1;
	countdown = 0;
}

uint32_t take(unsigned bytes)
{
	uint32_t value = 0;

	for (; bytes; bytes--) {
		value = value << 8 | (left ? *input : 0);
		if (left)
			input++, left--;
	}
	return value;
}

uint64_t fuzz_now(void *self)
{
	(void)self;
	return now_ns;
}

void fuzz_log(void *self, const char *line)
{
	(void)self;
	(void)line;
}
