/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block back end dies at every place there is, once and twice, and its successor finishes the work.
 *
 * A writer stamps two sectors, generation after generation; the next write of a sector is issued when
 * the one before is acknowledged. The back end dies at each named step of a request, or before each
 * single store to shared memory; commands it had given to the disk are carried out or lost at that
 * moment (the fence before the successor starts is outside this library). Then must hold:
 *   - every request is returned exactly once (the driver's side breaks on anything else), with success;
 *   - when it is, the medium has its stamp, and at the end the last one: nothing lost, no ghosts;
 *   - nothing is done more often than there were lives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <blk/blk.h>

#include "lazy.h"
#include "rig.h"

#define SECTORS 2u
#define GENERATIONS 3u
#define NEVER UINT32_MAX

enum death_at {
	AT_STEP,  /* the n-th time at this named step */
	AT_STORE, /* before the n-th store */
};

struct plan {
	enum death_at kind;
	enum vr_step step;
	unsigned first, second; /* how many of them each life passes; NEVER: it lives */
	bool newest_first, executed, event_idx;
	uint16_t size;
};

static struct rig rig;
static struct lazy lazy;
static struct blk blk;
static struct blk_request requests[4];
static uint8_t medium[SECTORS * 512];
static const struct plan *plan;
static unsigned lives, passed, writes_done[SECTORS];
static bool in_back_end;
static jmp_buf death;

static void maybe_die(bool here)
{
	unsigned limit = lives == 1 ? plan->first : lives == 2 ? plan->second : NEVER;

	if (in_back_end && here && passed++ == limit)
		longjmp(death, 1);
}

static void on_step(enum vr_step step)
{
	maybe_die(plan->kind == AT_STEP && step == plan->step);
}

static void on_store(void)
{
	maybe_die(plan->kind == AT_STORE);
}

static void new_life(void)
{
	struct blk_options options = { .storage = &lazy.storage };

	lives++;
	passed = 0;
	assert_null(blk_init(&blk, &options, &rig.port, &rig.window, NULL, requests, 4));
}

/* Lets the back end run as long as it has work; after a death its successor takes over, which may die
 * while it does so. */
static void run(void)
{
	if (setjmp(death)) {
		in_back_end = false;
		lazy_back_end_died(&lazy, plan->executed);
		new_life();
		in_back_end = true;
		assert_true(link_attach(&rig.link, rig.driver_page, rig.device_page, &blk.dev));
	}
	in_back_end = true;
	do
		rig_run(&rig);
	while (lazy.count);
	in_back_end = false;
}

/* Request i writes stamp(sector, generation); its memory lies at a place of its own. */
static uint8_t stamp(unsigned sector, unsigned generation)
{
	return (uint8_t)(1 + sector * 100 + generation);
}

static uint64_t memory_of(unsigned sector)
{
	return sector * 4096u;
}

static void issue(unsigned sector)
{
	uint64_t at = memory_of(sector);
	struct {
		uint32_t type, priority;
		uint64_t sector;
	} header = { BLK_T_OUT, 0, sector };
	struct drvq_buf bufs[2] = { { RIG_DATA + at, 16 + 512 }, { RIG_DATA + at + 1024, 1 } };

	memcpy(rig_data(&rig, at), &header, 16);
	memset(rig_data(&rig, at + 16), stamp(sector, writes_done[sector]), 512);
	*(uint8_t *)rig_data(&rig, at + 1024) = 0xee;
	assert_true(drvq_add(&rig.queues[0], bufs, 1, 1, (void *)(uintptr_t)(sector + 1)));
}

static void acknowledged(unsigned sector)
{
	uint8_t want = stamp(sector, writes_done[sector]);

	assert_int_equal(*(uint8_t *)rig_data(&rig, memory_of(sector) + 1024), BLK_S_OK);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(medium[sector * 512 + i], want);
	writes_done[sector]++;
}

/* Returns how often the place of the plan was passed in the last life. */
static unsigned play(const struct plan *p)
{
	struct drvq *q = &rig.queues[0];
	unsigned out = 0;

	plan = p;
	lives = 0;
	memset(writes_done, 0, sizeof(writes_done));
	memset(medium, 0, sizeof(medium));
	rig_init(&rig);
	rig.event_idx = p->event_idx;
	lazy_init(&lazy, medium, sizeof(medium));
	lazy.newest_first = p->newest_first;
	new_life();
	rig_start(&rig, &blk.dev, VIRTIO_BIT(BLK_F_FLUSH), 1, p->size);
	rig_on_step = on_step;
	rig_on_store = on_store;
	passed = 0;
	do {
		void *token;
		uint32_t written;

		for (unsigned i = 0; i < SECTORS; i++)
			if (!(out & (1u << i)) && writes_done[i] < GENERATIONS &&
			    q->free_count >= 2) {
				issue(i);
				out |= 1u << i;
			}
		run();
		if (!drvq_get(q, &token, &written))
			fail_msg("a request is lost");
		do {
			unsigned sector = (unsigned)(uintptr_t)token - 1;

			assert_int_equal(written, 1);
			acknowledged(sector);
			out &= ~(1u << sector);
		} while (drvq_get(q, &token, &written));
		assert_false(drvq_broken(q));
	} while (writes_done[0] < GENERATIONS || writes_done[1] < GENERATIONS);
	assert_int_equal(q->in_flight, 0);
	assert_int_equal(blk.in_flight, 0);
	for (unsigned i = 0; i < SECTORS; i++)
		assert_int_equal(medium[i * 512], stamp(i, GENERATIONS - 1));
	assert_true(lazy.executed >= SECTORS * GENERATIONS);
	assert_true(lazy.executed <= SECTORS * GENERATIONS + 2 * (lives - 1));
	assert_int_equal(rig.logged, 0);
	rig_free(&rig);
	return passed;
}

static unsigned played, died;

/* Every number of passages before the first death, and for each every number before the second one,
 * in every order, on the smallest rings. */
static void enumerate(enum death_at kind, enum vr_step step, bool twice)
{
	for (unsigned variant = 0; variant < 16; variant++) {
		struct plan p = {
			.kind = kind,
			.step = step,
			.first = NEVER,
			.second = NEVER,
			.newest_first = variant & 1,
			.executed = variant & 2,
			.event_idx = variant & 4,
			.size = variant & 8 ? 2 : 4,
		};
		unsigned places = play(&p);

		assert_true(places >= SECTORS * GENERATIONS);
		for (p.first = 0; p.first < places; p.first++) {
			unsigned left;

			p.second = NEVER;
			left = play(&p);
			assert_int_equal(lives, 2);
			played++;
			died++;
			for (p.second = 0; twice && p.second < left; p.second++) {
				play(&p);
				assert_int_equal(lives, 3);
				played++;
				died += 2;
			}
		}
	}
}

static void named_steps(void **state)
{
	(void)state;
	played = died = 0;
	for (unsigned step = 0; step < VR_STEPS; step++)
		enumerate(AT_STEP, (enum vr_step)step, true);
	print_message("named steps: %u runs, %u deaths\n", played, died);
}

static void every_store(void **state)
{
	(void)state;
	played = died = 0;
	enumerate(AT_STORE, VR_STEPS, false);
	print_message("every store: %u runs, %u deaths\n", played, died);
}

static void every_two_stores(void **state)
{
	(void)state;
	played = died = 0;
	enumerate(AT_STORE, VR_STEPS, true);
	print_message("every two stores: %u runs, %u deaths\n", played, died);
}

/* Death while the queues are being started: the successor finds them started or starts them. */
static void during_start(void **state)
{
	static const struct plan p = { AT_STORE, VR_STEPS, 0, NEVER, false, false, true, 4 };
	struct plan now = p;
	bool survived = false;

	(void)state;
	for (now.first = 0; !survived; now.first++) {
		struct vr_place place = rig_place(0, 4);

		plan = &now;
		lives = 0;
		memset(writes_done, 0, sizeof(writes_done));
		rig_init(&rig);
		memset(rig.window.device.base, 0xa5, RIG_DEVICE_BYTES); /* not zero: a used link */
		rig_log(&rig, 0, 4)->magic = 0;
		lazy_init(&lazy, medium, sizeof(medium));
		new_life();
		rig_attach(&rig, &blk.dev);
		front_set_features(&rig.front, VIRTIO_BIT(VIRTIO_F_VERSION_1) |
						       VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM));
		run();
		front_set_queue(&rig.front, 0, &place);
		assert_true(drvq_start(&rig.queues[0], &rig.window, &place, rig.slots[0], false));
		front_driver_ok(&rig.front);
		passed = 0;
		rig_on_store = on_store;
		run();
		survived = lives == 1;
		assert_true(front_acked(&rig.front));
		assert_int_equal(front_status(&rig.front), 0xf);
		issue(0);
		run();
		{
			void *token;
			uint32_t written;

			assert_int_equal(drvq_get(&rig.queues[0], &token, &written), 1);
			acknowledged(0);
		}
		rig_free(&rig);
	}
	assert_true(now.first > 10);
	print_message("during start: %u places\n", now.first - 1);
}

/* What a log can say that no back end of ours wrote: refused, or taken for what it says; the device
 * never leaves its own memory, the driver gets at most NEEDS_RESET. */
static void hostile_log(void **state)
{
	static const struct plan p = { AT_STEP, VR_STEPS, NEVER, NEVER, false, false, true, 4 };
	static const struct {
		uint16_t size, used_idx;
		uint32_t id; /* of the used entry before index 0 */
		uint64_t counter[4];
		bool good;
	} logs[] = {
		{ 4, 0, 0, { 0, 0, 0, 0 }, true },
		{ 4, 0, 0, { 1, 0, 0, 0 }, true },
		{ 4, 0, 0, { 4, 3, 2, 1 }, true },
		{ 4, 0, 0, { 7, 7, 7, 7 }, true },
		{ 4, 0xffff, 2, { 0, 0, 1, 0 }, true },
		{ 4, 0xfffc, 2, { 0, 0, 1, 0 }, true },
		{ 4, 0xffff, 4, { 0, 0, 1, 0 }, false },
		{ 4, 0xffff, UINT32_MAX, { 0, 0, 1, 0 }, false },
		{ 4, 1, 0, { 0, 0, 0, 0 }, false },
		{ 4, 0xfffb, 0, { 0, 0, 0, 0 }, false },
		{ 8, 0, 0, { 0, 0, 0, 0 }, false },
		{ 0, 0, 0, { 0, 0, 0, 0 }, false },
		{ 4, 0, 0, { UINT64_MAX, 0, 0, 0 }, false },
		{ 4, 0, 0, { UINT64_C(1) << 63, 0, 0, 0 }, false },
	};

	(void)state;
	plan = &p;
	for (unsigned i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		struct inflight_log *log;

		rig_init(&rig);
		lives = 0;
		lazy_init(&lazy, medium, sizeof(medium));
		new_life();
		rig_start(&rig, &blk.dev, 0, 1, 4);
		log = rig_log(&rig, 0, 4);
		log->size = logs[i].size;
		rig_used(&rig, 0, 4)->ring[3].id = logs[i].id;
		log->used_idx = logs[i].used_idx;
		memcpy(log->counter, logs[i].counter, sizeof(logs[i].counter));
		new_life();
		assert_int_equal(link_attach(&rig.link, rig.driver_page, rig.device_page, &blk.dev),
				 logs[i].good);
		do
			rig_run(&rig);
		while (lazy.count);
		if (!logs[i].good)
			assert_int_equal(blk.dev.state, VDEV_BROKEN);
		rig_free(&rig);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_steps),
		cmocka_unit_test(every_store),
		cmocka_unit_test(during_start),
		cmocka_unit_test(hostile_log),
	};
	const struct CMUnitTest more[] = {
		cmocka_unit_test(every_two_stores),
	};

	(void)argv;
	if (argc > 1)
		return cmocka_run_group_tests(more, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
