/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bucket.h - a token bucket. A request may start while the bucket is above zero and then takes what it
 * costs, so a large one leaves a debt instead of waiting for a bucket that could never hold it.
 */
#ifndef VIRTIO_BUCKET_H
#define VIRTIO_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t rate; /* tokens per second; 0: no limit */
	int64_t burst; /* tokens it holds */
	int64_t level;
	uint64_t last; /* when level was right, ns */
	uint64_t rest; /* rate * ns not yet a token */
};

void bucket_init(struct bucket *bucket, uint64_t rate, uint64_t burst, uint64_t now);

/* When the next request may start: now or earlier means now. */
uint64_t bucket_ready(struct bucket *bucket, uint64_t now);

void bucket_take(struct bucket *bucket, uint64_t tokens);

#endif
