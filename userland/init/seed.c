/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seed.c - random bytes for every domain from the 32 the kernel gave init: ChaCha20 with them as key,
 * replaced by its own output after each use, so an earlier domain's seed cannot be computed later.
 */
#include "init.h"

#include <string.h>

static uint32_t key[8];
static bool ready;

static uint32_t rotate(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

static void chacha_block(uint32_t out[16])
{
	uint32_t in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t *x = out;

	memcpy(in + 4, key, sizeof(key));
	memcpy(x, in, sizeof(in));
	for (int round = 0; round < 10; round++) {
		quarter(&x[0], &x[4], &x[8], &x[12]);
		quarter(&x[1], &x[5], &x[9], &x[13]);
		quarter(&x[2], &x[6], &x[10], &x[14]);
		quarter(&x[3], &x[7], &x[11], &x[15]);
		quarter(&x[0], &x[5], &x[10], &x[15]);
		quarter(&x[1], &x[6], &x[11], &x[12]);
		quarter(&x[2], &x[7], &x[8], &x[13]);
		quarter(&x[3], &x[4], &x[9], &x[14]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += in[i];
}

void seed_fill(uint8_t out[32])
{
	uint32_t block[16];

	if (!ready) {
		memcpy(key, pv_start_info->seed, sizeof(key));
		ready = true;
	}
	chacha_block(block);
	memcpy(key, block, sizeof(key));
	memcpy(out, block + 8, 32);
}
