/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's side of a virtqueue: an honest driver first, then every way a hostile one can lie about
 * the ring, by the numbers of docs/virtio-backends.md (H1-H6, H8, H9, H11).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ring/devq.h>

#include "rig.h"

#define SIZE 8u

static struct rig rig;
static struct devq q;
static struct vr_seg segs[SIZE];
static struct devq_chain chain;

static void begin(uint16_t size, bool event_idx)
{
	struct vr_place place = rig_place(0, size);

	rig_init(&rig);
	chain = (struct devq_chain){ .segs = segs, .max = SIZE };
	assert_true(devq_start(&q, &rig.window, &place, VR_SIZE_MAX, event_idx));
	assert_true(drvq_start(&rig.queues[0], &rig.window, &place, rig.slots[0], event_idx));
}

static void desc(unsigned i, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
	rig_desc(&rig, 0)[i] =
		(struct vr_desc){ addr, len, (uint16_t)flags, (uint16_t)next };
}

/* Nothing is taken, the queue is broken for this reason and stays so. */
static void expect_broken(enum devq_fault fault)
{
	assert_int_equal(devq_pop(&q, &chain), 0);
	assert_int_equal(q.fault, fault);
	assert_int_equal(devq_pop(&q, &chain), 0);
	assert_int_equal(devq_waiting(&q), 0);
	assert_false(devq_want_kick(&q));
	assert_false(devq_should_notify(&q));
	rig_free(&rig);
}

static void honest_round(uint16_t size, bool event_idx, unsigned rounds)
{
	struct drvq *d;
	unsigned kicks = 0, notes = 0;

	begin(size, event_idx);
	d = &rig.queues[0];
	for (unsigned i = 0; i < rounds; i++) {
		struct drvq_buf bufs[2] = { { RIG_DATA + i % 64, 5 }, { RIG_DATA + 4096, 100 } };
		unsigned both = size > 1;
		void *token;
		uint32_t written;

		memcpy(rig_data(&rig, i % 64), "hello", 5);
		assert_true(drvq_add(d, bufs, 1, both, &rig.slots[0][i % size]));
		kicks += drvq_should_kick(d);
		assert_int_equal(devq_pop(&q, &chain), 1);
		assert_false(chain.replayed);
		assert_int_equal(chain.readable, 1);
		assert_int_equal(chain.writable, both);
		assert_int_equal(segs[0].len, 5);
		assert_memory_equal(segs[0].at, "hello", 5);
		assert_int_equal(devq_pop(&q, &chain), 0);
		assert_true(devq_push(&q, chain.head, both ? 7 : 0));
		assert_false(devq_push(&q, chain.head, 7));
		notes += devq_should_notify(&q);
		assert_false(devq_want_kick(&q));
		assert_int_equal(drvq_get(d, &token, &written), 1);
		assert_ptr_equal(token, &rig.slots[0][i % size]);
		assert_int_equal(written, both ? 7 : 0);
		assert_int_equal(drvq_get(d, &token, &written), 0);
		assert_false(drvq_want_notify(d));
	}
	assert_int_equal(kicks, rounds);
	assert_int_equal(notes, rounds);
	assert_int_equal(q.in_flight, 0);
	assert_int_equal(d->free_count, size);
	rig_free(&rig);
}

/* Indices wrap at 65536 and at every size. */
static void honest(void **state)
{
	(void)state;
	honest_round(1, true, 70000);
	honest_round(2, true, 70000);
	honest_round(SIZE, true, 70000);
	honest_round(SIZE, false, 1000);
	honest_round(VR_SIZE_MAX, true, 3000);
}

/* Doorbells and notifications nobody asked for are not sent, those asked for are. */
static void event_suppression(void **state)
{
	struct drvq_buf buf = { RIG_DATA, 16 };
	void *token;
	uint32_t written;

	(void)state;
	for (int event_idx = 0; event_idx < 2; event_idx++) {
		struct drvq *d = &rig.queues[0];

		begin(SIZE, event_idx);
		assert_false(devq_want_kick(&q));
		devq_no_kick(&q);
		assert_true(drvq_add(d, &buf, 0, 1, NULL));
		assert_int_equal(drvq_should_kick(d), event_idx); /* the first one was asked for */
		assert_true(drvq_add(d, &buf, 0, 1, NULL));
		assert_false(drvq_should_kick(d));
		assert_true(devq_want_kick(&q)); /* there is more: look again */
		assert_int_equal(devq_waiting(&q), 2);
		assert_int_equal(devq_pop(&q, &chain), 1);
		assert_int_equal(devq_pop(&q, &chain), 1);
		assert_false(devq_want_kick(&q));
		assert_true(drvq_add(d, &buf, 0, 1, NULL));
		assert_true(drvq_should_kick(d));
		assert_int_equal(devq_pop(&q, &chain), 1);

		drvq_no_notify(d);
		assert_true(devq_push(&q, 0, 1));
		assert_int_equal(devq_should_notify(&q), event_idx);
		assert_true(devq_push(&q, 1, 1));
		assert_false(devq_should_notify(&q));
		assert_true(drvq_want_notify(d));
		assert_int_equal(drvq_get(d, &token, &written), 1);
		assert_int_equal(drvq_get(d, &token, &written), 1);
		assert_false(drvq_want_notify(d));
		assert_true(devq_push(&q, 2, 1));
		assert_true(devq_should_notify(&q));
		assert_false(devq_should_notify(&q));
		rig_free(&rig);
	}
}

static void h1_loop(void **state)
{
	(void)state;
	begin(SIZE, true);
	desc(0, RIG_DATA, 8, VR_DESC_NEXT, 0);
	rig_offer(&rig, 0, SIZE, 0);
	expect_broken(DEVQ_LOOP);

	begin(2, true);
	desc(0, RIG_DATA, 8, VR_DESC_NEXT, 1);
	desc(1, RIG_DATA, 8, VR_DESC_NEXT, 0);
	rig_offer(&rig, 0, 2, 0);
	expect_broken(DEVQ_LOOP);

	/* All descriptors in one chain is not too long, and one more segment than asked for is. */
	for (unsigned max = SIZE - 1; max <= SIZE; max++) {
		begin(SIZE, true);
		for (unsigned i = 0; i < SIZE; i++)
			desc(i, RIG_DATA, 8, i + 1 < SIZE ? VR_DESC_NEXT : 0, i + 1);
		rig_offer(&rig, 0, SIZE, 0);
		chain.max = (uint16_t)max;
		if (max < SIZE) {
			expect_broken(DEVQ_SEGMENTS);
		} else {
			assert_int_equal(devq_pop(&q, &chain), 1);
			assert_int_equal(chain.readable, SIZE);
			rig_free(&rig);
		}
	}
}

static void h2_next(void **state)
{
	static const unsigned nexts[] = { SIZE, SIZE + 1, 0x7fff, 0xffff };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		begin(SIZE, true);
		desc(3, RIG_DATA, 8, VR_DESC_NEXT, nexts[i]);
		rig_offer(&rig, 0, SIZE, 3);
		expect_broken(DEVQ_NEXT);
	}
}

static void h3_buffers(void **state)
{
	const uint64_t end = RIG_DATA + RIG_DATA_BYTES;
	const struct {
		uint64_t addr;
		uint32_t len;
		bool good;
	} cases[] = {
		{ RIG_DATA, 1, true },
		{ end - 1, 1, true },
		{ RIG_DATA, RIG_DATA_BYTES, true },
		{ RIG_DATA, 0, false },
		{ end, 0, false },
		{ end, 1, false },
		{ end - 1, 2, false },
		{ RIG_DATA, RIG_DATA_BYTES + 1, false },
		{ RIG_DATA, UINT32_MAX, false },
		{ RIG_DATA - 1, 1, false },
		{ RIG_DATA - 1, 2, false },
		{ 0, 1, false },
		{ RIG_DRIVER, 16, false },
		{ RIG_DEVICE, 16, false },
		{ UINT64_MAX, 1, false },
		{ UINT64_MAX, UINT32_MAX, false },
		{ UINT64_MAX - 15, 16, false },
		{ UINT64_MAX - 7, RIG_DATA + 16, false },
		{ RIG_DATA + (UINT64_C(1) << 32), 1, false },
		{ RIG_DATA | (UINT64_C(1) << 63), 1, false },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned write = 0; write <= VR_DESC_WRITE; write += VR_DESC_WRITE) {
			begin(SIZE, true);
			desc(0, cases[i].addr, cases[i].len, write, 0);
			rig_offer(&rig, 0, SIZE, 0);
			if (cases[i].good) {
				assert_int_equal(devq_pop(&q, &chain), 1);
				assert_ptr_equal(segs[0].at,
						 rig_data(&rig, cases[i].addr - RIG_DATA));
				rig_free(&rig);
			} else {
				expect_broken(DEVQ_BUFFER);
			}
		}
}

/* 4 GiB and more in one chain, in a window that large: the sum must not wrap. Nothing of it is
 * touched, so an area of that size need not exist. */
static void h3_sum(void **state)
{
	(void)state;
	begin(SIZE, true);
	rig.window.data.len = UINT64_C(1) << 33;
	desc(0, RIG_DATA, UINT32_MAX, VR_DESC_NEXT, 1);
	desc(1, RIG_DATA, 1, 0, 0);
	rig_offer(&rig, 0, SIZE, 0);
	expect_broken(DEVQ_BUFFER);
}

static void h4_avail_index(void **state)
{
	static const uint16_t jumps[] = { SIZE + 1, SIZE + 2, 0x8000, 0xffff, 0xfffe };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		begin(SIZE, true);
		rig_avail(&rig, 0, SIZE)->idx = jumps[i];
		assert_false(devq_want_kick(&q));
		expect_broken(DEVQ_AVAIL);
	}
	/* As many as there are entries is honest; one more while one is in flight is not. */
	begin(SIZE, true);
	for (unsigned i = 0; i < SIZE; i++) {
		desc(i, RIG_DATA, 8, 0, 0);
		rig_offer(&rig, 0, SIZE, (uint16_t)i);
	}
	assert_int_equal(devq_waiting(&q), SIZE);
	assert_int_equal(devq_pop(&q, &chain), 1);
	rig_offer(&rig, 0, SIZE, 0);
	expect_broken(DEVQ_AVAIL);
}

/* The index going over 65535 is honest. */
static void h4_wrap(void **state)
{
	(void)state;
	begin(SIZE, true);
	desc(0, RIG_DATA, 8, VR_DESC_WRITE, 0);
	q.last_avail = 0xffff;
	rig_avail(&rig, 0, SIZE)->idx = 0xffff;
	rig_offer(&rig, 0, SIZE, 0);
	assert_int_equal(devq_pop(&q, &chain), 1);
	assert_int_equal(q.last_avail, 0);
	rig_free(&rig);
}

static void h5_head(void **state)
{
	static const uint16_t heads[] = { SIZE, SIZE + 1, 0x8000, 0xffff };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		begin(SIZE, true);
		rig_offer(&rig, 0, SIZE, heads[i]);
		expect_broken(DEVQ_HEAD);
	}
	begin(SIZE, true);
	desc(2, RIG_DATA, 8, 0, 0);
	rig_offer(&rig, 0, SIZE, 2);
	rig_offer(&rig, 0, SIZE, 2);
	assert_int_equal(devq_pop(&q, &chain), 1);
	expect_broken(DEVQ_BUSY);

	/* After its return the same head is honest. */
	begin(SIZE, true);
	desc(2, RIG_DATA, 8, 0, 0);
	for (unsigned i = 0; i < 3 * SIZE; i++) {
		rig_offer(&rig, 0, SIZE, 2);
		assert_int_equal(devq_pop(&q, &chain), 1);
		assert_true(devq_push(&q, 2, 0));
	}
	rig_free(&rig);
}

static void h6_indirect(void **state)
{
	static const unsigned flags[] = { VR_DESC_INDIRECT, VR_DESC_INDIRECT | VR_DESC_NEXT,
					  VR_DESC_INDIRECT | VR_DESC_WRITE, 8, 0x8000, 0xffff };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		begin(SIZE, true);
		desc(0, RIG_DATA, 16 + i, flags[i], 1);
		desc(1, RIG_DATA, 8, 0, 0);
		rig_offer(&rig, 0, SIZE, 0);
		expect_broken(DEVQ_FLAGS);
	}
}

static void h7_order(void **state)
{
	(void)state;
	begin(SIZE, true);
	desc(0, RIG_DATA, 8, VR_DESC_NEXT | VR_DESC_WRITE, 1);
	desc(1, RIG_DATA, 8, 0, 0);
	rig_offer(&rig, 0, SIZE, 0);
	expect_broken(DEVQ_ORDER);
}

/* What the driver changes at each single moment between two reads. */
static unsigned load_count, load_at;
static void (*change)(void);

static void flip(void)
{
	if (load_count++ == load_at)
		change();
}

static void change_desc(void)
{
	desc(0, UINT64_MAX - 3, UINT32_MAX, 0xffff, 0xffff);
}

static void change_all(void)
{
	memset(rig.window.driver.base, 0xff, RIG_DRIVER_BYTES);
	memset(rig.window.device.base, 0xff, RIG_DEVICE_BYTES);
}

/* Whenever the change comes: a chain of segments inside the data area, or a broken queue. */
static void h8_changing(void **state)
{
	static void (*const changes[])(void) = { change_desc, change_all };
	unsigned whole = 0, broken = 0;

	(void)state;
	for (unsigned c = 0; c < 2; c++)
		for (load_at = 0; load_at < 40; load_at++) {
			begin(SIZE, true);
			change = changes[c];
			desc(0, RIG_DATA, 8, VR_DESC_NEXT, 1);
			desc(1, RIG_DATA + 64, 8, VR_DESC_NEXT | VR_DESC_WRITE, 2);
			desc(2, RIG_DATA + 128, 8, VR_DESC_WRITE, 0);
			rig_offer(&rig, 0, SIZE, 0);
			load_count = 0;
			rig_on_load = flip;
			if (devq_pop(&q, &chain)) {
				whole++;
				for (unsigned i = 0; i < chain.readable + chain.writable; i++) {
					assert_non_null(vr_at(&rig.window.data, segs[i].off,
							      segs[i].len));
					memset(segs[i].at, 1, segs[i].len);
				}
				assert_true(devq_push(&q, chain.head, 1));
				devq_should_notify(&q);
				devq_want_kick(&q);
			} else {
				assert_true(devq_broken(&q));
				broken++;
			}
			rig_free(&rig);
		}
	assert_true(whole > 20 && broken > 10);
}

static void h9_place(void **state)
{
	static const uint16_t sizes[] = { 0, 3, 5, 12, 1023, 65535, 2048, 32768 };
	struct vr_place good = rig_place(0, SIZE), bad;

	(void)state;
	begin(SIZE, true);
	for (unsigned i = 0; i < 8; i++) {
		bad = good;
		bad.size = sizes[i];
		assert_false(devq_start(&q, &rig.window, &bad, VR_SIZE_MAX, true));
		assert_int_equal(q.fault, DEVQ_SIZE);
		assert_int_equal(devq_pop(&q, &chain), 0);
	}
	assert_false(devq_start(&q, &rig.window, &good, SIZE / 2, true)); /* more than offered */
	assert_int_equal(q.fault, DEVQ_SIZE);

	for (unsigned part = 0; part < 4; part++) {
		const struct vr_area *area = part < 2 ? &rig.window.driver : &rig.window.device;
		const uint64_t bytes[] = { VR_DESC_BYTES(SIZE), VR_AVAIL_BYTES(SIZE),
					   VR_USED_BYTES(SIZE), INFLIGHT_BYTES(SIZE) };
		const uint64_t places[] = {
			0, 1, UINT64_MAX, UINT64_MAX - bytes[part] + 1, area->off - 16,
			area->off + area->len - bytes[part] + 16, area->off + area->len, RIG_DATA,
			area->off + 1, part < 2 ? RIG_DEVICE : RIG_DRIVER,
		};

		for (unsigned i = 0; i < 10; i++) {
			bad = good;
			*(part == 0 ? &bad.desc : part == 1 ? &bad.avail :
			  part == 2 ? &bad.used : &bad.log) = places[i];
			assert_false(devq_start(&q, &rig.window, &bad, VR_SIZE_MAX, true));
			assert_int_equal(q.fault, DEVQ_PLACE);
			assert_false(devq_attach(&q, &rig.window, &bad, VR_SIZE_MAX, true));
			assert_int_equal(q.fault, DEVQ_PLACE);
			assert_int_equal(devq_pop(&q, &chain), 0);
		}
	}
	bad = good;
	bad.log = good.used;
	assert_false(devq_start(&q, &rig.window, &bad, VR_SIZE_MAX, true));
	bad = good;
	bad.avail = good.desc + 16;
	assert_false(devq_start(&q, &rig.window, &bad, VR_SIZE_MAX, true));
	rig_free(&rig);
}

/* A driver that takes no answer back gets no more than `size` of them at a time, and what it does to
 * the used ring is its own affair. */
static void h11_never_consumes(void **state)
{
	(void)state;
	begin(SIZE, true);
	for (unsigned i = 0; i < SIZE; i++)
		desc(i, RIG_DATA, 8, VR_DESC_WRITE, 0);
	for (unsigned i = 0; i < 200000; i++) {
		rig_offer(&rig, 0, SIZE, (uint16_t)(i % SIZE));
		assert_int_equal(devq_pop(&q, &chain), 1);
		memset(rig_used(&rig, 0, SIZE), (int)i, VR_USED_BYTES(SIZE));
		assert_true(devq_push(&q, chain.head, 8));
		devq_should_notify(&q);
	}
	assert_int_equal(q.in_flight, 0);
	assert_false(devq_broken(&q));
	rig_free(&rig);
}

static void push_of_nothing(void **state)
{
	(void)state;
	begin(SIZE, true);
	assert_false(devq_push(&q, 0, 0));
	assert_false(devq_push(&q, SIZE, 0));
	assert_false(devq_push(&q, 0xffff, 0));
	assert_int_equal(rig_used(&rig, 0, SIZE)->idx, 0);
	devq_stop(&q);
	assert_false(devq_push(&q, 0, 0));
	assert_int_equal(devq_pop(&q, &chain), 0);
	rig_free(&rig);
}

/* A successor gets what was taken in the order in which it was taken, then what is new. */
static void replay_order(void **state)
{
	static const uint16_t heads[] = { 5, 2, 7, 0, 3 };
	static struct devq successor;
	struct vr_place place = rig_place(0, SIZE);

	(void)state;
	begin(SIZE, true);
	for (unsigned i = 0; i < 5; i++) {
		desc(heads[i], RIG_DATA + heads[i], 1, 0, 0);
		rig_offer(&rig, 0, SIZE, heads[i]);
		if (i < 4)
			assert_int_equal(devq_pop(&q, &chain), 1);
	}
	assert_true(devq_push(&q, 2, 0));
	assert_true(devq_attach(&successor, &rig.window, &place, SIZE, true));
	assert_int_equal(devq_waiting(&successor), 4);
	for (unsigned i = 0; i < 5; i++) {
		if (heads[i] == 2)
			continue;
		assert_int_equal(devq_pop(&successor, &chain), 1);
		assert_int_equal(chain.head, heads[i]);
		assert_int_equal(chain.replayed, i < 4);
		assert_int_equal(segs[0].off, RIG_DATA + heads[i]);
	}
	assert_int_equal(devq_pop(&successor, &chain), 0);
	assert_int_equal(successor.counter, 5);
	rig_free(&rig);
}

/* Heads filled are seen all at once or, if the back end dies before, not at all. */
static void batch(void **state)
{
	static struct devq successor;
	struct vr_place place = rig_place(0, SIZE);
	struct drvq_buf buf = { RIG_DATA, 8 };
	void *token;
	uint32_t written;

	(void)state;
	begin(SIZE, true);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(drvq_add(&rig.queues[0], &buf, 0, 1, &segs[i]));
		assert_int_equal(devq_pop(&q, &chain), 1);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_true(devq_fill(&q, (uint16_t)i, i));
	assert_false(devq_fill(&q, 0, 0));
	assert_int_equal(drvq_get(&rig.queues[0], &token, &written), 0);
	assert_true(devq_attach(&successor, &rig.window, &place, SIZE, true));
	assert_int_equal(successor.replay_count, 5);
	devq_publish(&q);
	assert_int_equal(q.in_flight, 2);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(drvq_get(&rig.queues[0], &token, &written), 1);
		assert_int_equal(written, i);
	}
	assert_true(devq_attach(&successor, &rig.window, &place, SIZE, true));
	assert_int_equal(successor.replay_count, 2);
	assert_int_equal(successor.replay[0], 3);
	/* As if it had died before the log knew. */
	rig_log(&rig, 0, SIZE)->counter[1] = 2;
	rig_log(&rig, 0, SIZE)->counter[2] = 3;
	rig_log(&rig, 0, SIZE)->used_idx = 0;
	assert_true(devq_attach(&successor, &rig.window, &place, SIZE, true));
	assert_int_equal(successor.replay_count, 2);
	assert_int_equal(rig_log(&rig, 0, SIZE)->used_idx, 3);
	rig_free(&rig);
}

/* After a break nothing is written any more, also for what was in flight. */
static void broken_writes_nothing(void **state)
{
	(void)state;
	begin(SIZE, true);
	desc(0, RIG_DATA, 8, 0, 0);
	rig_offer(&rig, 0, SIZE, 0);
	assert_int_equal(devq_pop(&q, &chain), 1);
	devq_break(&q, DEVQ_REQUEST);
	assert_true(devq_push(&q, 0, 8));
	assert_int_equal(rig_used(&rig, 0, SIZE)->idx, 0);
	assert_int_equal(q.in_flight, 0);
	for (unsigned i = 0; i <= DEVQ_REQUEST; i++)
		assert_non_null(devq_fault_name((enum devq_fault)i));
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest),
		cmocka_unit_test(event_suppression),
		cmocka_unit_test(h1_loop),
		cmocka_unit_test(h2_next),
		cmocka_unit_test(h3_buffers),
		cmocka_unit_test(h3_sum),
		cmocka_unit_test(h4_avail_index),
		cmocka_unit_test(h4_wrap),
		cmocka_unit_test(h5_head),
		cmocka_unit_test(h6_indirect),
		cmocka_unit_test(h7_order),
		cmocka_unit_test(h8_changing),
		cmocka_unit_test(h9_place),
		cmocka_unit_test(h11_never_consumes),
		cmocka_unit_test(push_of_nothing),
		cmocka_unit_test(replay_order),
		cmocka_unit_test(batch),
		cmocka_unit_test(broken_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
