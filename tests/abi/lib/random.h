/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random.h - numbers that look random and are the same in every run (xorshift64*).
 */
#ifndef ABI_RANDOM_H
#define ABI_RANDOM_H

#include "hc.h"

struct random {
	u64 state;
};

static inline u64 random_next(struct random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

static inline u64 random_below(struct random *r, u64 n)
{
	return (random_next(r) >> 32) % n;
}

static inline void random_seed(struct random *r, u64 seed)
{
	r->state = seed * 0x9e3779b97f4a7c15ull + 1;
	random_next(r);
}

#endif
