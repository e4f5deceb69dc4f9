/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a virtqueue against a hostile device, by the numbers of
 * docs/virtio-backends.md (D1-D4), and the pages of a link read by a driver (D5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

#define SIZE 8u

static struct rig rig;
static struct drvq *q = &rig.queues[0];
static int tokens[SIZE];

static void begin(bool event_idx)
{
	struct vr_place place = rig_place(0, SIZE);

	rig_init(&rig);
	assert_true(drvq_start(q, &rig.window, &place, rig.slots[0], event_idx));
}

/* Chains of two descriptors, 16 bytes to read and 32 to write: heads 0, 2, 4, ... */
static void add(unsigned chains)
{
	static const struct drvq_buf bufs[2] = { { RIG_DATA, 16 }, { RIG_DATA + 64, 32 } };

	for (unsigned i = 0; i < chains; i++)
		assert_true(drvq_add(q, bufs, 1, 1, &tokens[i]));
}

static void use(uint32_t id, uint32_t len)
{
	struct vr_used *used = rig_used(&rig, 0, SIZE);

	used->ring[used->idx % SIZE] = (struct vr_used_elem){ id, len };
	used->idx++;
}

static void expect(int token, uint32_t len)
{
	void *got;
	uint32_t written;

	assert_int_equal(drvq_get(q, &got, &written), 1);
	assert_ptr_equal(got, &tokens[token]);
	assert_int_equal(written, len);
}

static void expect_broken(enum drvq_fault fault)
{
	struct drvq_buf buf = { RIG_DATA, 1 };
	void *got = NULL;
	uint32_t written;

	assert_int_equal(drvq_get(q, &got, &written), 0);
	assert_int_equal(q->fault, fault);
	assert_int_equal(drvq_get(q, &got, &written), 0);
	assert_null(got);
	assert_false(drvq_add(q, &buf, 1, 0, NULL));
	assert_false(drvq_should_kick(q));
	assert_false(drvq_want_notify(q));
	rig_free(&rig);
}

static void full(void **state)
{
	struct drvq_buf buf = { RIG_DATA, 1 };

	(void)state;
	begin(true);
	assert_false(drvq_add(q, &buf, 0, 0, NULL));
	add(SIZE / 2);
	assert_int_equal(q->free_count, 0);
	assert_false(drvq_add(q, &buf, 1, 0, NULL));
	use(2, 32);
	use(0, 1);
	expect(1, 32);
	expect(0, 1);
	add(2);
	assert_int_equal(q->free_count, 0);
	rig_free(&rig);
}

static void d1_id(void **state)
{
	/* out of range; inside a chain; never out; twice */
	static const uint32_t ids[] = { SIZE, SIZE + 1, 0x10000, UINT32_MAX, 0x80000000u, 1, 3, 4, 7 };

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		begin(true);
		add(2);
		use(ids[i], 0);
		expect_broken(DRVQ_ID);
	}
	begin(true);
	add(2);
	use(0, 0);
	use(0, 0);
	expect(0, 0);
	expect_broken(DRVQ_ID);
}

static void d2_length(void **state)
{
	static const uint32_t lens[] = { 33, 48, 0x10000, UINT32_MAX };

	(void)state;
	begin(true);
	for (unsigned i = 0; i < 4; i++) {
		uint16_t head = q->free_head;

		add(1);
		use(head, lens[i]);
		expect(0, 32);
		assert_int_equal(q->clamped, i + 1);
	}
	rig_free(&rig);
}

static void d3_index(void **state)
{
	static const uint16_t jumps[] = { 3, SIZE, SIZE + 1, 0x7fff, 0x8000, 0xffff };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		begin(true);
		add(2);
		rig_used(&rig, 0, SIZE)->idx = jumps[i];
		assert_false(drvq_want_notify(q));
		expect_broken(DRVQ_INDEX);
	}
	/* Back by one after an honest step. */
	begin(true);
	add(2);
	use(0, 0);
	expect(0, 0);
	rig_used(&rig, 0, SIZE)->idx = 0;
	expect_broken(DRVQ_INDEX);
}

/* Interrupts before DRIVER_OK, and many of them: looking finds nothing and changes nothing. */
static void d4_spurious(void **state)
{
	static struct drvq none;
	void *token;
	uint32_t written;

	(void)state;
	none.fault = DRVQ_PLACE; /* as drvq_start leaves it when it refuses */
	assert_int_equal(drvq_get(&none, &token, &written), 0);
	begin(true);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(drvq_get(q, &token, &written), 0);
	add(1);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(drvq_get(q, &token, &written), 0);
	use(0, 4);
	expect(0, 4);
	rig_free(&rig);
}

static void wrong_place(void **state)
{
	struct vr_place place = rig_place(0, SIZE);

	(void)state;
	begin(true);
	place.size = 3;
	assert_false(drvq_start(q, &rig.window, &place, rig.slots[0], true));
	place = rig_place(0, SIZE);
	place.desc = RIG_DATA;
	assert_false(drvq_start(q, &rig.window, &place, rig.slots[0], true));
	place = rig_place(0, SIZE);
	place.used += 2;
	assert_false(drvq_start(q, &rig.window, &place, rig.slots[0], true));
	expect_broken(DRVQ_PLACE);
}

/* What the device writes into the used ring between two reads. */
static unsigned loads, change_at;

static void scribble(void)
{
	if (loads++ == change_at)
		memset(rig.window.device.base, 0xff, RIG_DEVICE_BYTES);
}

static void changing(void **state)
{
	(void)state;
	for (change_at = 0; change_at < 8; change_at++) {
		void *token = NULL;
		uint32_t written = 0;

		begin(true);
		add(1);
		use(0, 4);
		loads = 0;
		rig_on_load = scribble;
		if (drvq_get(q, &token, &written)) {
			assert_ptr_equal(token, &tokens[0]);
			assert_true(written <= 32);
		} else {
			assert_true(drvq_broken(q));
		}
		(void)drvq_want_notify(q);
		rig_free(&rig);
	}
}

static void bump(void)
{
	rig.device_page->config_gen += 2;
	loads++;
}

static void d5_config(void **state)
{
	uint8_t bytes[8];

	(void)state;
	begin(true);
	memcpy(rig.device_page->config, "config!", 8);
	assert_true(front_config(&rig.front, 0, bytes, 8));
	assert_string_equal((char *)bytes, "config!");
	assert_false(front_config(&rig.front, LINK_CONFIG_BYTES - 7, bytes, 8));
	assert_false(front_config(&rig.front, UINT32_MAX, bytes, 8));
	rig.device_page->config_gen = 1; /* never even */
	assert_false(front_config(&rig.front, 0, bytes, 8));
	rig.device_page->config_gen = 2;
	loads = 0;
	rig_on_load = bump; /* never twice the same */
	assert_false(front_config(&rig.front, 0, bytes, 8));
	assert_true(loads < 100);
	rig_on_load = NULL;
	assert_int_equal(front_queue_max(&rig.front, LINK_QUEUES), 0);
	assert_false(front_probe(&rig.front, 2));
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full),
		cmocka_unit_test(d1_id),
		cmocka_unit_test(d2_length),
		cmocka_unit_test(d3_index),
		cmocka_unit_test(d4_spurious),
		cmocka_unit_test(d5_config),
		cmocka_unit_test(wrong_place),
		cmocka_unit_test(changing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
