/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block device: what an honest driver gets, several clients on one storage, the rate limit, and the
 * requests of hostile drivers (H7, H12 of docs/virtio-backends.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <blk/blk.h>

#include "lazy.h"
#include "rig.h"

#define SIZE 256u
#define SECTORS 64u
#define REQUESTS 8u
#define ALL (VIRTIO_BIT(BLK_F_FLUSH) | VIRTIO_BIT(BLK_F_DISCARD) | VIRTIO_BIT(BLK_F_WRITE_ZEROES))

/* Where things lie in the data area. */
#define HEADER 0u
#define STATUS 64u
#define DATA 4096u

static struct rig rig;
static struct lazy lazy;
static struct blk blk;
static struct blk_request requests[REQUESTS];
static uint8_t medium[SECTORS * 512];

static void make(struct blk *one, const struct blk_options *options, struct blk *others)
{
	assert_null(blk_init(one, options, &rig.port, &rig.window, others, requests, REQUESTS));
}

static void begin_with(const struct blk_options *options, uint64_t features)
{
	struct blk_options all = *options;

	rig_init(&rig);
	for (unsigned i = 0; i < sizeof(medium); i++)
		medium[i] = (uint8_t)(i / 512 + 1);
	lazy_init(&lazy, medium, sizeof(medium));
	all.storage = &lazy.storage;
	make(&blk, &all, NULL);
	rig_start(&rig, &blk.dev, features, all.queues ? all.queues : 1, SIZE);
}

static void begin(void)
{
	begin_with(&(struct blk_options){ .id = "disk-of-tests" }, ALL);
}

static void finish(void)
{
	assert_int_equal(blk.in_flight, 0);
	rig_free(&rig);
}

static void run(void)
{
	do
		rig_run(&rig);
	while (lazy.count);
}

static void header(uint32_t type, uint64_t sector)
{
	uint32_t *words = rig_data(&rig, HEADER);

	words[0] = type;
	words[1] = 0;
	memcpy(words + 2, &sector, 8);
}

static uint32_t written;

/* Offers a request with data to read (out) or to write (in), runs it, returns its status. */
static int submit(uint32_t type, uint64_t sector, uint32_t out, uint32_t in)
{
	struct drvq_buf bufs[4] = { { RIG_DATA + HEADER, 16 } };
	unsigned n = 1;
	void *token;

	header(type, sector);
	*(uint8_t *)rig_data(&rig, STATUS) = 0xee;
	if (out)
		bufs[n++] = (struct drvq_buf){ RIG_DATA + DATA, out };
	if (in)
		bufs[n++] = (struct drvq_buf){ RIG_DATA + DATA, in };
	bufs[n++] = (struct drvq_buf){ RIG_DATA + STATUS, 1 };
	assert_true(drvq_add(&rig.queues[0], bufs, out ? 2 : 1, in ? 2 : 1, NULL));
	run();
	assert_int_equal(drvq_get(&rig.queues[0], &token, &written), 1);
	return *(uint8_t *)rig_data(&rig, STATUS);
}

/* One write of a sector, taken and not finished. */
static unsigned submit_only(void)
{
	struct drvq_buf bufs[2] = { { RIG_DATA + HEADER, 16 + 512 }, { RIG_DATA + DATA, 1 } };

	assert_true(drvq_add(&rig.queues[0], bufs, 1, 1, NULL));
	rig_run(&rig);
	return blk.in_flight;
}

static void reads_and_writes(void **state)
{
	uint8_t *data;

	(void)state;
	begin();
	data = rig_data(&rig, DATA);
	assert_int_equal(submit(BLK_T_IN, 3, 0, 1024), BLK_S_OK);
	assert_int_equal(written, 1025);
	assert_int_equal(data[0], 4);
	assert_int_equal(data[1023], 5);
	memset(data, 0xab, 512);
	assert_int_equal(submit(BLK_T_OUT, 63, 512, 0), BLK_S_OK);
	assert_int_equal(written, 1);
	assert_int_equal(medium[63 * 512], 0xab);
	assert_int_equal(medium[63 * 512 - 1], 63);
	assert_int_equal(submit(BLK_T_FLUSH, 0, 0, 0), BLK_S_OK);
	assert_int_equal(lazy.flushes, 1);
	assert_int_equal(submit(BLK_T_GET_ID, 0, 0, 20), BLK_S_OK);
	assert_int_equal(written, 21);
	assert_string_equal((char *)data, "disk-of-tests");
	data[5] = 'X';
	assert_int_equal(submit(BLK_T_GET_ID, 0, 0, 5), BLK_S_OK);
	assert_int_equal(data[5], 'X');
	assert_int_equal(submit(BLK_T_IN, 0, 0, SECTORS * 512), BLK_S_OK);
	assert_memory_equal(data, medium, SECTORS * 512);
	assert_int_equal(blk.counters.errors, 0);
	finish();
}

/* The layout of the parts is the driver's choice: single bytes, header and data in one piece, data and
 * status in one. */
static void any_layout(void **state)
{
	struct drvq_buf bufs[64];
	void *token;
	uint8_t *data;

	(void)state;
	begin();
	data = rig_data(&rig, 0);
	/* header in 16 pieces, then data and status in pieces of 9 */
	header(BLK_T_IN, 7);
	for (unsigned i = 0; i < 16; i++)
		bufs[i] = (struct drvq_buf){ RIG_DATA + i, 1 };
	for (unsigned i = 0; i < 27; i++)
		bufs[16 + i] = (struct drvq_buf){ RIG_DATA + DATA + i * 19, 19 };
	assert_true(drvq_add(&rig.queues[0], bufs, 16, 27, NULL)); /* 27 * 19 = 512 + 1 */
	data[DATA + 512] = 0xee;
	run();
	assert_int_equal(drvq_get(&rig.queues[0], &token, &written), 1);
	assert_int_equal(written, 513);
	assert_int_equal(data[DATA], 8);
	assert_int_equal(data[DATA + 511], 8);
	assert_int_equal(data[DATA + 512], BLK_S_OK);
	/* header and data in one piece */
	header(BLK_T_OUT, 9);
	memset(data + 16, 0x77, 512);
	bufs[0] = (struct drvq_buf){ RIG_DATA, 528 };
	bufs[1] = (struct drvq_buf){ RIG_DATA + DATA, 1 };
	assert_true(drvq_add(&rig.queues[0], bufs, 1, 1, NULL));
	run();
	assert_int_equal(drvq_get(&rig.queues[0], &token, &written), 1);
	assert_int_equal(data[DATA], BLK_S_OK);
	assert_int_equal(medium[9 * 512 + 511], 0x77);
	finish();
}

static int ranges(uint32_t type, unsigned count, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	struct blk_range *list = rig_data(&rig, DATA);

	for (unsigned i = 0; i < count; i++)
		list[i] = (struct blk_range){ sector + i * sectors, sectors, flags };
	return submit(type, 0, count * 16, 0);
}

static void discards_and_zeroes(void **state)
{
	(void)state;
	begin();
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 2, 4, 2, 0), BLK_S_OK);
	for (unsigned i = 4 * 512; i < 8 * 512; i++)
		assert_int_equal(medium[i], 0);
	assert_int_equal(medium[8 * 512], 9);
	assert_int_equal(medium[4 * 512 - 1], 4);
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 1, 10, 1, 1), BLK_S_OK);
	assert_int_equal(ranges(BLK_T_DISCARD, BLK_RANGES_MAX, 16, 2, 0), BLK_S_OK);
	assert_int_equal(lazy.executed, 2 + 1 + BLK_RANGES_MAX);

	assert_int_equal(ranges(BLK_T_DISCARD, BLK_RANGES_MAX + 1, 0, 1, 0), BLK_S_IOERR);
	assert_int_equal(ranges(BLK_T_DISCARD, 1, 0, 1, 1), BLK_S_UNSUPP);
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 1, 0, 1, 2), BLK_S_UNSUPP);
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 1, 0, 0, 0), BLK_S_IOERR);
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 1, SECTORS, 1, 0), BLK_S_IOERR);
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 1, SECTORS - 1, 2, 0), BLK_S_IOERR);
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 1, UINT64_MAX, 2, 0), BLK_S_IOERR);
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 1, 0, UINT32_MAX, 0), BLK_S_IOERR);
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 2, SECTORS - 1, 1, 0), BLK_S_IOERR);
	assert_int_equal(submit(BLK_T_DISCARD, 0, 15, 0), BLK_S_IOERR);
	assert_int_equal(submit(BLK_T_DISCARD, 0, 17, 0), BLK_S_IOERR);
	assert_int_equal(submit(BLK_T_DISCARD, 0, 0, 0), BLK_S_IOERR);
	assert_int_equal(medium[(SECTORS - 1) * 512], SECTORS);
	finish();
}

/* The window goes away under a request: it is waited for, and nothing more is answered. */
static void drains(void **state)
{
	(void)state;
	begin();
	lazy.per_poll = 0;
	lazy.limit = 1;
	header(BLK_T_OUT, 0);
	assert_int_equal(submit_only(), 1);
	assert_int_equal(submit_only(), 2); /* this one waits for room */
	assert_false(blk_drain(&blk));
	assert_int_equal(blk.in_flight, 1);
	lazy.per_poll = 1;
	assert_true(blk_drain(&blk));
	assert_int_equal(lazy.executed, 1);
	assert_int_equal(rig_used(&rig, 0, SIZE)->idx, 0);
	finish();
}

static void h12_requests(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t out, in;
		int status;
	} cases[] = {
		{ BLK_T_IN, SECTORS, 0, 512, BLK_S_IOERR },
		{ BLK_T_IN, SECTORS - 1, 0, 1024, BLK_S_IOERR },
		{ BLK_T_IN, UINT64_MAX, 0, 512, BLK_S_IOERR },
		{ BLK_T_IN, UINT64_MAX / 512, 0, 1024, BLK_S_IOERR },
		{ BLK_T_IN, UINT64_MAX / 512 + 1, 0, 512, BLK_S_IOERR },
		{ BLK_T_IN, UINT64_C(1) << 55, 0, 512, BLK_S_IOERR },
		{ BLK_T_IN, 0, 0, 511, BLK_S_IOERR },
		{ BLK_T_IN, 0, 0, 513, BLK_S_IOERR },
		{ BLK_T_IN, 0, 0, 0, BLK_S_IOERR },
		{ BLK_T_IN, 0, 512, 512, BLK_S_IOERR },
		{ BLK_T_OUT, 0, 0, 0, BLK_S_IOERR },
		{ BLK_T_OUT, 0, 512, 1, BLK_S_IOERR },
		{ BLK_T_OUT, SECTORS, 512, 0, BLK_S_IOERR },
		{ BLK_T_OUT, UINT64_MAX, 512, 0, BLK_S_IOERR },
		{ BLK_T_OUT, 0, 100, 0, BLK_S_IOERR },
		{ BLK_T_FLUSH, 0, 512, 0, BLK_S_IOERR },
		{ BLK_T_FLUSH, 0, 0, 512, BLK_S_IOERR },
		{ BLK_T_GET_ID, 0, 1, 20, BLK_S_IOERR },
		{ 2, 0, 0, 0, BLK_S_UNSUPP },
		{ 5, 0, 0, 512, BLK_S_UNSUPP },
		{ 14, 0, 16, 0, BLK_S_UNSUPP },
		{ UINT32_MAX, UINT64_MAX, 512, 512, BLK_S_UNSUPP },
	};

	(void)state;
	begin();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(submit(cases[i].type, cases[i].sector, cases[i].out, cases[i].in),
				 cases[i].status);
	assert_int_equal(lazy.executed, 0);
	for (unsigned i = 0; i < sizeof(medium); i++)
		assert_int_equal(medium[i], (uint8_t)(i / 512 + 1));
	assert_int_equal(blk.dev.state, VDEV_LIVE);
	assert_int_equal(submit(BLK_T_IN, 0, 0, 512), BLK_S_OK);
	finish();
}

static void h7_no_status(void **state)
{
	struct drvq_buf bufs[2] = { { RIG_DATA, 16 }, { RIG_DATA + DATA, 512 } };

	(void)state;
	for (unsigned parts = 1; parts <= 2; parts++) {
		begin();
		header(BLK_T_OUT, 0);
		assert_true(drvq_add(&rig.queues[0], bufs, parts, 0, NULL));
		run();
		assert_int_equal(blk.dev.state, VDEV_BROKEN);
		assert_true(front_status(&rig.front) & VIRTIO_NEEDS_RESET);
		assert_int_equal(lazy.executed, 0);
		finish();
	}
	/* A header that is not whole, but a status: the request fails, nothing else. */
	begin();
	bufs[0].len = 15;
	bufs[1].len = 1;
	*(uint8_t *)rig_data(&rig, DATA) = 0xee;
	assert_true(drvq_add(&rig.queues[0], bufs, 1, 1, NULL));
	run();
	assert_int_equal(*(uint8_t *)rig_data(&rig, DATA), BLK_S_IOERR);
	bufs[0] = bufs[1];
	assert_true(drvq_add(&rig.queues[0], bufs, 0, 1, NULL)); /* no header at all */
	run();
	assert_int_equal(blk.dev.state, VDEV_LIVE);
	assert_int_equal(blk.counters.errors, 2);
	finish();
}

static void too_many_segments(void **state)
{
	static struct drvq_buf bufs[BLK_SEG_MAX + 3];

	(void)state;
	for (unsigned extra = 0; extra < 2; extra++) {
		unsigned n = BLK_SEG_MAX + 2 + extra;

		begin();
		header(BLK_T_IN, 0);
		bufs[0] = (struct drvq_buf){ RIG_DATA, 16 };
		for (unsigned i = 1; i < n - 1; i++)
			bufs[i] = (struct drvq_buf){ RIG_DATA + DATA + i * 4, 4 };
		bufs[n - 1] = (struct drvq_buf){ RIG_DATA + STATUS, 1 };
		assert_true(drvq_add(&rig.queues[0], bufs, 1, n - 1, NULL));
		run();
		assert_int_equal(blk.dev.state, extra ? VDEV_BROKEN : VDEV_LIVE);
		finish();
	}
}

static void read_only(void **state)
{
	(void)state;
	begin_with(&(struct blk_options){ .read_only = true }, VIRTIO_BIT(BLK_F_FLUSH));
	assert_true(blk.dev.offered & VIRTIO_BIT(BLK_F_RO));
	assert_false(blk.dev.offered & VIRTIO_BIT(BLK_F_DISCARD));
	assert_int_equal(submit(BLK_T_OUT, 0, 512, 0), BLK_S_IOERR);
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 1, 0, 1, 0), BLK_S_UNSUPP);
	assert_int_equal(submit(BLK_T_IN, 0, 0, 512), BLK_S_OK);
	assert_int_equal(lazy.executed, 1);
	finish();
}

/* Features the driver did not take do not exist; without FLUSH every write is flushed. */
static void without_features(void **state)
{
	(void)state;
	begin_with(&(struct blk_options){ 0 }, 0);
	assert_int_equal(submit(BLK_T_FLUSH, 0, 0, 0), BLK_S_UNSUPP);
	assert_int_equal(ranges(BLK_T_DISCARD, 1, 0, 1, 0), BLK_S_UNSUPP);
	assert_int_equal(lazy.executed, 0);
	assert_int_equal(submit(BLK_T_OUT, 0, 512, 0), BLK_S_OK);
	assert_int_equal(lazy.executed, 2);
	assert_int_equal(lazy.flushes, 1);
	assert_int_equal(submit(BLK_T_IN, 0, 0, 512), BLK_S_OK);
	assert_int_equal(lazy.flushes, 1);
	finish();
}

static void configuration(void **state)
{
	struct blk_config config;

	(void)state;
	begin_with(&(struct blk_options){ .first = 10, .sectors = 20, .queues = 2 }, ALL);
	assert_true(front_config(&rig.front, 0, &config, 60));
	assert_int_equal(config.capacity, 20);
	assert_int_equal(config.seg_max, BLK_SEG_MAX);
	assert_int_equal(config.blk_size, 512);
	assert_int_equal(config.num_queues, 2);
	assert_int_equal(config.max_discard_seg, BLK_RANGES_MAX);
	assert_true(blk.dev.offered & VIRTIO_BIT(BLK_F_MQ));
	assert_int_equal(front_queue_max(&rig.front, 1), BLK_QUEUE_SIZE);
	assert_int_equal(front_queue_max(&rig.front, 2), 0);
	/* The range is the client's whole disk. */
	assert_int_equal(submit(BLK_T_IN, 0, 0, 512), BLK_S_OK);
	assert_int_equal(*(uint8_t *)rig_data(&rig, DATA), 11);
	assert_int_equal(submit(BLK_T_IN, 19, 0, 512), BLK_S_OK);
	assert_int_equal(submit(BLK_T_IN, 20, 0, 512), BLK_S_IOERR);
	assert_int_equal(submit(BLK_T_OUT, 19, 1024, 0), BLK_S_IOERR);
	finish();
}

static const char *try(uint64_t first, uint64_t sectors, bool read_only, struct blk *others)
{
	static struct blk one;
	struct blk_options options = {
		.storage = &lazy.storage, .first = first, .sectors = sectors, .read_only = read_only,
	};

	return blk_init(&one, &options, &rig.port, &rig.window, others, requests, REQUESTS);
}

static void clients(void **state)
{
	static struct blk a, b;
	struct blk_options options = { .storage = &lazy.storage, .first = 10, .sectors = 10 };

	(void)state;
	rig_init(&rig);
	lazy_init(&lazy, medium, sizeof(medium));
	make(&a, &options, NULL);
	options.first = 30;
	options.read_only = true;
	make(&b, &options, &a);
	assert_null(try(0, 10, false, &b));
	assert_null(try(20, 10, false, &b));
	assert_null(try(40, 0, false, &b));
	assert_null(try(35, 5, true, &b)); /* two readers may share */
	assert_non_null(try(35, 5, false, &b));
	assert_non_null(try(9, 2, false, &b));
	assert_non_null(try(9, 20, false, &b));
	assert_non_null(try(12, 2, true, &b));
	assert_non_null(try(19, 1, false, &b));
	assert_non_null(try(0, 0, false, &b));
	assert_non_null(try(SECTORS, 0, false, NULL));
	assert_non_null(try(SECTORS, 1, false, NULL));
	assert_non_null(try(SECTORS - 1, 2, false, NULL));
	assert_non_null(try(1, UINT64_MAX, false, NULL));
	assert_non_null(try(UINT64_MAX, 2, false, NULL));
	rig_free(&rig);
}

/* One client breaks its queue with requests in flight; the other, on the same storage, sees nothing. */
static void neighbour(void **state)
{
	static struct rig other_rig;
	static struct blk other;
	static struct blk_request other_requests[REQUESTS];
	struct blk_options options = { .storage = &lazy.storage, .first = 32 };
	struct drvq_buf bufs[2] = { { RIG_DATA, 16 }, { RIG_DATA + DATA, 513 } };
	void *token;

	(void)state;
	begin_with(&(struct blk_options){ .sectors = 32 }, ALL);
	rig_init(&other_rig);
	assert_null(blk_init(&other, &options, &other_rig.port, &other_rig.window, &blk,
			     other_requests, REQUESTS));
	rig_start(&other_rig, &other.dev, ALL, 1, SIZE);
	lazy.per_poll = 0;
	header(BLK_T_OUT, 0);
	memcpy(rig_data(&other_rig, HEADER), rig_data(&rig, HEADER), 16);
	*(uint32_t *)rig_data(&other_rig, HEADER) = BLK_T_IN;
	for (unsigned i = 0; i < 4; i++)
		assert_true(drvq_add(&other_rig.queues[0], bufs, 1, 1, NULL));
	rig_run(&other_rig);
	assert_int_equal(submit_only(), 1);
	rig_offer(&rig, 0, SIZE, 0xffff);
	rig_run(&rig);
	assert_int_equal(blk.dev.state, VDEV_BROKEN);
	lazy.per_poll = LAZY_MAX;
	rig_run(&rig);
	rig_run(&other_rig);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(drvq_get(&other_rig.queues[0], &token, &written), 1);
	assert_int_equal(*(uint8_t *)rig_data(&other_rig, DATA), 33);
	assert_int_equal(other.dev.state, VDEV_LIVE);
	assert_int_equal(other.in_flight, 0);
	assert_int_equal(other_rig.logged, 0);
	assert_int_equal(rig_used(&rig, 0, SIZE)->idx, 0); /* nothing more for who broke the rules */
	rig_free(&other_rig);
	finish();
}

/* More requests than the device or the storage has room for wait and are all done. */
static void depth(void **state)
{
	unsigned got = 0;
	void *token;

	(void)state;
	begin_with(&(struct blk_options){ .queues = 3 }, ALL);
	lazy.limit = 3;
	lazy.newest_first = true;
	header(BLK_T_IN, 1);
	for (unsigned i = 0; i < 240; i++) {
		struct drvq_buf bufs[2] = { { RIG_DATA, 16 }, { RIG_DATA + DATA + i * 520, 513 } };

		assert_true(drvq_add(&rig.queues[i % 3], bufs, 1, 1, (void *)(uintptr_t)(i + 1)));
	}
	run();
	assert_true(lazy.refused > 0);
	for (unsigned i = 0; i < 3; i++)
		while (drvq_get(&rig.queues[i], &token, &written)) {
			unsigned at = (unsigned)(uintptr_t)token - 1;

			assert_int_equal(*(uint8_t *)rig_data(&rig, DATA + at * 520 + 512), 0);
			assert_int_equal(*(uint8_t *)rig_data(&rig, DATA + at * 520), 2);
			got++;
		}
	assert_int_equal(got, 240);
	finish();
}

static void storage_errors(void **state)
{
	(void)state;
	begin();
	lazy.fail = true;
	assert_int_equal(submit(BLK_T_IN, 0, 0, 512), BLK_S_IOERR);
	assert_int_equal(submit(BLK_T_FLUSH, 0, 0, 0), BLK_S_IOERR);
	assert_int_equal(ranges(BLK_T_WRITE_ZEROES, 3, 0, 1, 0), BLK_S_IOERR);
	assert_int_equal(lazy.executed, 3); /* the ranges behind a failure are not tried */
	lazy.fail = false;
	assert_int_equal(submit(BLK_T_IN, 0, 0, 512), BLK_S_OK);
	finish();
}

/* A reset while the storage has requests: it ends when they do, and nothing of them is answered. */
static void reset_in_flight(void **state)
{
	struct drvq_buf bufs[2] = { { RIG_DATA, 16 }, { RIG_DATA + DATA, 513 } };

	(void)state;
	begin();
	lazy.per_poll = 0;
	lazy.limit = 2;
	header(BLK_T_IN, 1);
	for (unsigned i = 0; i < 6; i++)
		assert_true(drvq_add(&rig.queues[0], bufs, 1, 1, NULL));
	rig_run(&rig);
	assert_int_equal(blk.in_flight, 6);
	front_reset(&rig.front);
	rig_run(&rig);
	assert_false(front_acked(&rig.front));
	assert_int_equal(blk.in_flight, 2);
	lazy.per_poll = 1;
	rig_run(&rig);
	assert_false(front_acked(&rig.front));
	rig_run(&rig);
	assert_true(front_acked(&rig.front));
	assert_int_equal(front_status(&rig.front), 0);
	assert_int_equal(rig_used(&rig, 0, SIZE)->idx, 0);
	rig_start(&rig, &blk.dev, ALL, 1, SIZE);
	assert_int_equal(submit(BLK_T_IN, 0, 0, 512), BLK_S_OK);
	finish();
}

/* 64 requests of 4 KiB at 1 MiB/s with 64 KiB at once take 187.5 ms; the time comes from the port, and
 * the device says when it wants to be called. */
static void rate_limit(void **state)
{
	const uint64_t begin_at = 1000000000;
	unsigned got = 0;
	void *token;
	uint64_t wake;

	(void)state;
	begin_with(&(struct blk_options){ .bytes_per_second = 1 << 20, .burst_bytes = 64 << 10 }, ALL);
	lazy.per_poll = LAZY_MAX;
	header(BLK_T_IN, 1);
	for (unsigned i = 0; i < 64; i++) {
		struct drvq_buf bufs[2] = { { RIG_DATA, 16 }, { RIG_DATA + DATA, 4097 } };

		assert_true(drvq_add(&rig.queues[0], bufs, 1, 1, NULL));
	}
	for (;;) {
		wake = link_run(&rig.link, rig.now);
		while (drvq_get(&rig.queues[0], &token, &written))
			got++;
		if (got == 64)
			break;
		if (wake > rig.now && wake != VDEV_IDLE && !lazy.count)
			rig.now = wake;
		assert_true(rig.now < begin_at + 1000000000);
	}
	/* The last one starts when the 63 before it are paid for. */
	assert_true(rig.now - begin_at >= 187500000 - 4000000);
	assert_true(rig.now - begin_at <= 187500000 + 1000000);
	assert_true(blk.counters.throttled > 0);
	finish();

	begin_with(&(struct blk_options){ .ops_per_second = 100, .burst_ops = 1 }, ALL);
	assert_int_equal(submit(BLK_T_FLUSH, 0, 0, 0), BLK_S_OK);
	header(BLK_T_FLUSH, 0);
	{
		struct drvq_buf bufs[2] = { { RIG_DATA, 16 }, { RIG_DATA + STATUS, 1 } };

		assert_true(drvq_add(&rig.queues[0], bufs, 1, 1, NULL));
	}
	assert_int_equal(link_run(&rig.link, rig.now), rig.now + 10000000);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(any_layout),
		cmocka_unit_test(discards_and_zeroes),
		cmocka_unit_test(h7_no_status),
		cmocka_unit_test(drains),
		cmocka_unit_test(h12_requests),
		cmocka_unit_test(too_many_segments),
		cmocka_unit_test(read_only),
		cmocka_unit_test(without_features),
		cmocka_unit_test(configuration),
		cmocka_unit_test(clients),
		cmocka_unit_test(neighbour),
		cmocka_unit_test(depth),
		cmocka_unit_test(storage_errors),
		cmocka_unit_test(reset_in_flight),
		cmocka_unit_test(rate_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
