/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzzinput.h"

#include <stdlib.h>

size_t left;

static const uint8_t *input;

void input_begin(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
}

uint32_t take(unsigned n)
{
	uint32_t value = 0;

	for (; n; n--)
		value = value << 8 | (left ? left--, *input++ : 0);
	return value;
}

void insist(bool ok)
{
	if (!ok)
		abort();
}
