/* SPDX-License-Identifier: BSD-2-Clause */
/* A token bucket; see bucket.h. */
#include "bucket.h"

#define SECOND UINT64_C(1000000000)
#define RATE_MAX (UINT64_C(1) << 33) /* times a second fits 64 bits */
#define BURST_MAX (INT64_C(1) << 62)

void bucket_init(struct bucket *bucket, uint64_t rate, uint64_t burst, uint64_t now)
{
	bucket->rate = rate < RATE_MAX ? rate : RATE_MAX;
	bucket->burst = burst < (uint64_t)BURST_MAX ? (int64_t)burst : BURST_MAX;
	if (bucket->burst == 0)
		bucket->burst = 1;
	bucket->level = bucket->burst;
	bucket->last = now;
	bucket->rest = 0;
}

/* Adds what has come in since `last`: whole seconds and the rest apart, so that nothing overflows. */
static void refill(struct bucket *bucket, uint64_t now)
{
	uint64_t passed = now > bucket->last ? now - bucket->last : 0;
	uint64_t seconds = passed / SECOND;
	uint64_t room = (uint64_t)(bucket->burst - bucket->level);
	uint64_t part;

	bucket->last = now > bucket->last ? now : bucket->last;
	part = bucket->rest + passed % SECOND * bucket->rate;
	if (seconds > room / bucket->rate || room <= seconds * bucket->rate + part / SECOND) {
		bucket->level = bucket->burst;
		bucket->rest = 0;
		return;
	}
	bucket->level += (int64_t)(seconds * bucket->rate + part / SECOND);
	bucket->rest = part % SECOND;
}

uint64_t bucket_ready(struct bucket *bucket, uint64_t now)
{
	uint64_t missing, seconds, part;

	if (bucket->rate == 0)
		return now;
	refill(bucket, now);
	if (bucket->level > 0)
		return now;
	/* rate * ns until the level is 1, less the part of a token that is there already. */
	missing = (uint64_t)-bucket->level + 1;
	seconds = missing / bucket->rate;
	part = missing % bucket->rate * SECOND;
	if (part < bucket->rest) {
		seconds--;
		part += bucket->rate * SECOND;
	}
	part -= bucket->rest;
	return now + seconds * SECOND + (part + bucket->rate - 1) / bucket->rate;
}

void bucket_take(struct bucket *bucket, uint64_t tokens)
{
	if (bucket->rate)
		bucket->level -= (int64_t)(tokens < (uint64_t)BURST_MAX ? tokens : BURST_MAX);
}
