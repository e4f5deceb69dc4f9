/* SPDX-License-Identifier: BSD-2-Clause */
/* Random bytes out of a seed; see random.h. */
#include "random.h"

#include <string.h>

#define BLOCK 64u

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

static void chacha_block(const uint32_t key[8], uint32_t number, uint32_t x[BLOCK / 4])
{
	uint32_t in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(in + 4, key, 32);
	in[12] = number;
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

void random_init(struct random *random, const uint8_t seed[RANDOM_SEED])
{
	memcpy(random->key, seed, RANDOM_SEED);
}

void random_stir(struct random *random, const uint64_t words[4])
{
	uint32_t block[16];

	/* Through the cipher first: chosen words do not choose the key. */
	chacha_block(random->key, 0, block);
	memcpy(random->key, block, sizeof(random->key));
	for (int i = 0; i < 4; i++) {
		random->key[2 * i] ^= (uint32_t)words[i];
		random->key[2 * i + 1] ^= (uint32_t)(words[i] >> 32);
	}
}

void random_fill(struct random *random, void *out, size_t len)
{
	uint32_t next[16], block[16];
	uint8_t *to = out;

	chacha_block(random->key, 0, next);
	for (uint32_t number = 1; len; number++) {
		size_t n = len < BLOCK ? len : BLOCK;

		chacha_block(random->key, number, block);
		memcpy(to, block, n);
		to += n;
		len -= n;
	}
	memcpy(random->key, next, sizeof(random->key));
}
