/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random.h - random bytes out of a seed: ChaCha20 with the seed as key, replaced by its own output in each
 * call, so what was given out before cannot be computed from what is in memory later.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define RANDOM_SEED 32u

struct random {
	uint32_t key[8];
};

void random_init(struct random *random, const uint8_t seed[RANDOM_SEED]);

/* Adds words nobody may know, or anybody: it never gets worse. */
void random_stir(struct random *random, const uint64_t words[4]);

void random_fill(struct random *random, void *out, size_t len);

#endif
