/* SPDX-License-Identifier: BSD-2-Clause */
/* The entropy device: answers, limits, a dry source, strange chains, a successor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rng/rng.h>

#include "rig.h"

#define SIZE 16u

static struct rig rig;
static struct rng rng;

static void begin(uint64_t rate)
{
	rig_init(&rig);
	rng_init(&rng, &rig.port, &rig.window, rate);
	rig_start(&rig, &rng.dev, 0, 1, SIZE);
}

static void ask(uint32_t off, uint32_t len)
{
	struct drvq_buf buf = { RIG_DATA + off, len };

	assert_true(drvq_add(&rig.queues[0], &buf, 0, 1, NULL));
}

static uint32_t answer(void)
{
	uint32_t written = 0;
	void *token;

	assert_int_equal(drvq_get(&rig.queues[0], &token, &written), 1);
	assert_false(drvq_broken(&rig.queues[0]));
	assert_int_equal(rig.queues[0].clamped, 0);
	return written;
}

static void answers(void **state)
{
	uint8_t *data;

	(void)state;
	begin(0);
	data = rig_data(&rig, 0);
	ask(0, 64);
	ask(64, 1);
	ask(1024, 4096);
	rig_run(&rig);
	assert_int_equal(answer(), 64);
	assert_int_equal(answer(), 1);
	assert_int_equal(answer(), RNG_CHUNK);
	for (unsigned i = 0; i < 65; i++)
		assert_int_not_equal(data[i], 0);
	assert_int_equal(data[65], 0);
	assert_int_not_equal(data[1024 + RNG_CHUNK - 1], 0);
	assert_int_equal(data[1024 + RNG_CHUNK], 0);
	assert_int_equal(rng.bytes, 65 + RNG_CHUNK);
	rig_free(&rig);
}

/* Nothing to write, or something to read as well: no bytes, or those that fit. */
static void strange_chains(void **state)
{
	struct drvq_buf bufs[2] = { { RIG_DATA, 8 }, { RIG_DATA + 64, 8 } };

	(void)state;
	begin(0);
	assert_true(drvq_add(&rig.queues[0], bufs, 2, 0, NULL));
	assert_true(drvq_add(&rig.queues[0], bufs, 1, 1, NULL));
	rig_run(&rig);
	assert_int_equal(answer(), 0);
	assert_int_equal(answer(), 8);
	assert_int_equal(*(uint8_t *)rig_data(&rig, 0), 0);
	assert_int_not_equal(*(uint8_t *)rig_data(&rig, 64), 0);
	rig_free(&rig);
}

/* A dry source makes the driver wait and the device ask again, later. */
static void dry(void **state)
{
	(void)state;
	begin(0);
	rig.no_random = true;
	ask(0, 16);
	assert_int_equal(link_run(&rig.link, rig.now), rig.now + RNG_RETRY_NS);
	assert_int_equal(rig_used(&rig, 0, SIZE)->idx, 0);
	rig.no_random = false;
	assert_int_equal(link_run(&rig.link, rig.now), VDEV_IDLE);
	assert_int_equal(answer(), 16);
	/* A reset while waiting forgets the request. */
	rig.no_random = true;
	ask(0, 16);
	(void)link_run(&rig.link, rig.now);
	rig.no_random = false;
	rig_start(&rig, &rng.dev, 0, 1, SIZE);
	assert_int_equal(rig_used(&rig, 0, SIZE)->idx, 0);
	ask(0, 16);
	rig_run(&rig);
	assert_int_equal(answer(), 16);
	rig_free(&rig);
}

/* A successor answers what was taken, with bytes of its own. */
static void successor(void **state)
{
	(void)state;
	begin(0);
	rig.no_random = true;
	ask(0, 16);
	ask(16, 16);
	(void)link_run(&rig.link, rig.now);
	rig.no_random = false;
	rng_init(&rng, &rig.port, &rig.window, 0);
	rig_attach(&rig, &rng.dev);
	rig_run(&rig);
	assert_int_equal(answer(), 16);
	assert_int_equal(answer(), 16);
	assert_int_not_equal(*(uint8_t *)rig_data(&rig, 31), 0);
	rig_free(&rig);
}

static void rate(void **state)
{
	(void)state;
	begin(1000); /* 256 at once, then a byte a millisecond */
	ask(0, 256);
	ask(0, 16);
	assert_int_equal(link_run(&rig.link, rig.now), rig.now + 1000000);
	assert_int_equal(answer(), 256);
	rig.now += 1000000;
	(void)link_run(&rig.link, rig.now);
	assert_int_equal(answer(), 16);
	rig_free(&rig);
}

static void broken(void **state)
{
	(void)state;
	begin(0);
	rig_offer(&rig, 0, SIZE, SIZE);
	rig_run(&rig);
	assert_true(front_status(&rig.front) & VIRTIO_NEEDS_RESET);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(strange_chains),
		cmocka_unit_test(dry),
		cmocka_unit_test(successor),
		cmocka_unit_test(rate),
		cmocka_unit_test(broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
