/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nobody gets more than their share: a driver that keeps a device busy without a request (H11 of
 * docs/virtio-backends.md), and the token bucket that limits those with requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <blk/blk.h>
#include <blk/ramdisk.h>
#include <console/console.h>
#include <net/net.h>
#include <rng/rng.h>

#include "rig.h"

#define SIZE 16u

static struct rig rig;
static uint16_t *avail_idx;
static unsigned loads;

/* The device looks for a request and there is none; it looks once more before it sleeps, and there is
 * one; it looks for it, and there is none ... */
static void tease(void)
{
	*avail_idx = loads++ & 1;
}

/* However long the driver goes on, a run ends, says that it wants to be called again, and the driver
 * has broken no rule. */
static void flood(struct vdev *dev, unsigned queues, unsigned queue)
{
	rig_start(&rig, dev, 0, queues, SIZE);
	avail_idx = &rig_avail(&rig, queue, SIZE)->idx;
	for (unsigned i = 0; i < 100; i++) {
		loads = 0;
		rig_on_load = tease;
		assert_int_equal(vdev_run(dev, rig.now), rig.now);
		rig_on_load = NULL;
		assert_true(loads >= 16 && loads <= 200);
		assert_int_equal(dev->state, VDEV_LIVE);
	}
	*avail_idx = 0;
	rig_run(&rig);
	rig_free(&rig);
}

static void h11_blk(void **state)
{
	static struct blk blk;
	static struct blk_request requests[4];
	static struct ramdisk disk;
	static uint8_t medium[4096];
	struct blk_options options = { .storage = &disk.storage };

	(void)state;
	rig_init(&rig);
	ramdisk_init(&disk, medium, sizeof(medium));
	assert_null(blk_init(&blk, &options, &rig.port, &rig.window, NULL, requests, 4));
	flood(&blk.dev, 1, 0);
}

static void h11_rng(void **state)
{
	static struct rng rng;

	(void)state;
	rig_init(&rig);
	rng_init(&rng, &rig.port, &rig.window, 0);
	flood(&rng.dev, 1, 0);
}

static size_t swallow(void *self, const void *bytes, size_t len)
{
	(void)self;
	(void)bytes;
	return len;
}

static void h11_console(void **state)
{
	static struct console console;
	static const struct console_sink sink = { NULL, swallow };

	(void)state;
	rig_init(&rig);
	console_init(&console, &rig.port, &rig.window, &sink, 80, 25);
	flood(&console.dev, 2, CONSOLE_QUEUE_OUT);
}

static void h11_net(void **state)
{
	static struct net_switch sw;
	static struct net_link link;
	struct net_options options = { .mac = { 2 } };

	(void)state;
	rig_init(&rig);
	net_switch_init(&sw, NULL);
	assert_null(net_link_init(&link, &sw, &options, &rig.port, &rig.window));
	flood(&link.dev, 2, NET_QUEUE_TX);
}

static void token_bucket(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 0, 0, 5);
	bucket_take(&b, UINT64_MAX);
	assert_int_equal(bucket_ready(&b, 7), 7);
	bucket_init(&b, 1000, 10, 0); /* a token a millisecond, ten at once */
	bucket_take(&b, 10);
	assert_int_equal(bucket_ready(&b, 0), 1000000);
	assert_int_equal(bucket_ready(&b, 999999), 1000000);
	assert_int_equal(bucket_ready(&b, 1000000), 1000000);
	bucket_take(&b, 501); /* 500 in debt */
	assert_int_equal(bucket_ready(&b, 1000000), 502000000);
	assert_int_equal(bucket_ready(&b, 502000000), 502000000);
	/* Time that goes back changes nothing; a long time fills it to the brim and no more. */
	bucket_take(&b, 1);
	assert_int_equal(bucket_ready(&b, 0), 1000000);
	assert_int_equal(bucket_ready(&b, UINT64_MAX / 2), UINT64_MAX / 2);
	assert_int_equal(b.level, 10);
	/* The smallest steps add up without loss: 3 tokens a second, asked every 1 ms. */
	bucket_init(&b, 3, 1000, 0);
	bucket_take(&b, 1000);
	for (uint64_t t = 0; t <= 100; t++)
		bucket_ready(&b, t * 1000000000 / 7);
	assert_int_equal(b.level, 42); /* 14.29 s */
	bucket_init(&b, UINT64_MAX, UINT64_MAX, 0);
	bucket_take(&b, UINT64_MAX);
	(void)bucket_ready(&b, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(h11_blk),
		cmocka_unit_test(h11_rng),
		cmocka_unit_test(h11_console),
		cmocka_unit_test(h11_net),
		cmocka_unit_test(token_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
