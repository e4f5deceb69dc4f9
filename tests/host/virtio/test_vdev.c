/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of a device and the pages of a link: the status protocol as an honest driver uses it, and
 * as it can be abused (H9 between queues, H10, H13 of docs/virtio-backends.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ring/vdev.h>

#include "rig.h"

#define SIZE 8u
#define MUST (VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM))
#define FEATURES (MUST | VIRTIO_BIT(5))

/* A device that holds requests until told to let go. */
static struct rig rig;
static struct vdev dev;
static unsigned started, stopped, held;
static uint32_t wrote;

static void class_start(struct vdev *d)
{
	(void)d;
	started++;
}

static uint64_t class_run(struct vdev *d, uint64_t now)
{
	struct vr_seg segs[4];
	struct devq_chain chain = { .segs = segs, .max = 4 };

	(void)now;
	for (unsigned i = 0; i < 2; i++)
		while (vdev_pop(d, i, &chain))
			held++;
	return VDEV_IDLE;
}

static void class_stop(struct vdev *d)
{
	(void)d;
	stopped++;
}

static bool class_idle(const struct vdev *d)
{
	(void)d;
	return held == 0;
}

static void class_config_write(struct vdev *d, uint32_t off, const void *bytes, uint32_t len)
{
	(void)d;
	(void)off;
	assert_int_equal(len, 4);
	memcpy(&wrote, bytes, 4);
}

static const struct vdev_class class = {
	"test", 77, 2, class_start, class_run, class_stop, class_idle, class_config_write,
};

static void begin(void)
{
	rig_init(&rig);
	started = stopped = held = 0;
	wrote = 0;
	vdev_init(&dev, &class, &rig.port, &rig.window, VIRTIO_BIT(5), 16);
	vdev_config_set(&dev, 0, "12345678", 8);
}

static void say(uint32_t status)
{
	rig.driver_page->status = status;
	rig.driver_page->req_seq++;
	rig_run(&rig);
}

static void expect_needs_reset(void)
{
	unsigned news = rig.config_notified;

	assert_true(rig.device_page->status & VIRTIO_NEEDS_RESET);
	assert_int_equal(dev.state, VDEV_BROKEN);
	assert_int_equal(rig.logged, 1);
	assert_non_null(dev.why);
	assert_true(news > 0);
	/* Nothing moves it but a reset. */
	say(0xf);
	assert_true(rig.device_page->status & VIRTIO_NEEDS_RESET);
	assert_int_equal(rig.logged, 1);
	rig_offer(&rig, 0, SIZE, 0);
	rig_run(&rig);
	assert_int_equal(held, 0);
	say(0);
	assert_int_equal(rig.device_page->status, 0);
	rig_start(&rig, &dev, VIRTIO_BIT(5), 2, SIZE);
	rig_free(&rig);
}

static void honest(void **state)
{
	struct drvq_buf buf = { RIG_DATA, 8 };

	(void)state;
	begin();
	rig_start(&rig, &dev, VIRTIO_BIT(5), 2, SIZE);
	assert_int_equal(started, 1);
	assert_int_equal(rig.device_page->status, 0xf);
	assert_int_equal(rig.device_page->device_id, 77);
	assert_int_equal(rig.device_page->queues[1].max_size, 16);
	assert_memory_equal(rig.device_page->config, "12345678", 8);
	assert_int_equal(rig.device_page->config_gen % 2, 0);
	assert_true(drvq_add(&rig.queues[1], &buf, 1, 0, NULL));
	rig_run(&rig);
	assert_int_equal(held, 1);
	vdev_push(&dev, 1, 0, 0);
	vdev_flush(&dev, 1);
	assert_int_equal(rig.notified[1], 1);
	assert_int_equal(rig.device_page->used_seq[1], 1);
	assert_int_equal(rig.logged, 0);
	rig_free(&rig);
}

/* A snapshot is a level: repeating it, or doorbells without a change, do nothing. */
static void repeated(void **state)
{
	(void)state;
	begin();
	rig_start(&rig, &dev, 0, 2, SIZE);
	for (unsigned i = 0; i < 1000; i++) {
		rig_run(&rig);
		say(0xf);
	}
	assert_int_equal(started, 1);
	assert_int_equal(dev.state, VDEV_LIVE);
	rig_free(&rig);
}

static void h10_features(void **state)
{
	static const uint64_t bad[] = {
		0, VIRTIO_BIT(5), FEATURES | VIRTIO_BIT(6), FEATURES | VIRTIO_BIT(63), UINT64_MAX,
		FEATURES & ~VIRTIO_BIT(VIRTIO_F_VERSION_1),
		FEATURES & ~VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM),
	};

	(void)state;
	begin();
	rig_attach(&rig, &dev);
	for (unsigned i = 0; i < 7; i++) {
		rig.driver_page->features[0] = bad[i];
		say(0xb);
		assert_int_equal(rig.device_page->status, 3); /* refused, not granted */
		say(3);
	}
	rig.driver_page->features[0] = FEATURES;
	rig.driver_page->features[1] = 1;
	say(0xb);
	assert_int_equal(rig.device_page->status, 3);
	rig.driver_page->features[1] = 0;
	say(0xb);
	assert_int_equal(rig.device_page->status, 0xb);
	assert_int_equal(rig.logged, 0);
	rig_free(&rig);
}

static void h10_features_refused_then_driver_ok(void **state)
{
	(void)state;
	begin();
	rig_attach(&rig, &dev);
	rig.driver_page->features[0] = 0;
	say(0xb);
	say(0xf);
	expect_needs_reset();
}

static void h10_driver_ok_early(void **state)
{
	static const uint32_t bad[] = { 4, 5, 7, 0xf, 0xc, 0xd };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		begin();
		rig_attach(&rig, &dev);
		rig.driver_page->features[0] = FEATURES;
		say(bad[i]);
		assert_int_equal(started, 0);
		expect_needs_reset();
	}
}

static void h10_bits(void **state)
{
	/* taken back; unknown; failed; FEATURES_OK without DRIVER is in the order of the steps */
	static const uint32_t bad[] = { 3, 7, 0xb, 1, 0x1f, 0x2f, 0x8f, 0x8000000f };

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		begin();
		rig_start(&rig, &dev, 0, 2, SIZE);
		say(bad[i]);
		assert_int_equal(stopped, 1);
		expect_needs_reset();
	}
	begin();
	rig_attach(&rig, &dev);
	rig.driver_page->features[0] = FEATURES;
	say(9);
	expect_needs_reset();
}

static void h10_changes_when_live(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		begin();
		rig_start(&rig, &dev, 0, 2, SIZE);
		switch (i) {
		case 0:
			rig.driver_page->features[0] ^= VIRTIO_BIT(5);
			break;
		case 1:
			rig.driver_page->queues[1].size = 4;
			break;
		case 2:
			rig.driver_page->queues[1].desc += 16;
			break;
		case 3:
			rig.driver_page->queues[1].avail += 2;
			break;
		case 4:
			rig.driver_page->queues[0].used += 4;
			break;
		case 5:
			rig.driver_page->queues[0].log += 8;
			break;
		case 6:
			rig.driver_page->queues[0].flags = 0;
			break;
		}
		say(0xf);
		expect_needs_reset();
	}
}

static void h9_queues(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct link_queue *queues;

		begin();
		rig_start(&rig, &dev, 0, 2, SIZE);
		say(0);
		rig.driver_page->features[0] = FEATURES;
		say(0xb);
		queues = rig.driver_page->queues;
		switch (i) {
		case 0:
			queues[1].size = 0;
			break;
		case 1:
			queues[1].size = 65535;
			break;
		case 2:
			queues[1].size = 32; /* 16 offered */
			break;
		case 3:
			queues[1].used = queues[0].used;
			break;
		case 4:
			queues[1].log = queues[0].used + 8;
			break;
		case 5:
			queues[1].used = queues[0].log + 8;
			break;
		case 6:
			queues[1].log = queues[0].log;
			break;
		case 7:
			queues[1].desc = UINT64_MAX - 15;
			break;
		}
		say(0xf);
		assert_int_equal(started, 1);
		expect_needs_reset();
	}
}

/* A reset is acknowledged when the device holds nothing any more, not before. */
static void h10_reset_mid_io(void **state)
{
	struct drvq_buf buf = { RIG_DATA, 8 };
	uint64_t ack;

	(void)state;
	begin();
	rig_start(&rig, &dev, 0, 2, SIZE);
	assert_true(drvq_add(&rig.queues[0], &buf, 0, 1, NULL));
	rig_run(&rig);
	assert_int_equal(held, 1);
	ack = rig.device_page->ack_seq;
	say(0);
	assert_int_equal(rig.device_page->ack_seq, ack);
	assert_int_equal(dev.state, VDEV_DRAINING);
	assert_int_equal(stopped, 1);
	vdev_push(&dev, 0, 0, 8); /* too late: the driver has taken its buffers back */
	assert_int_equal(rig_used(&rig, 0, SIZE)->idx, 0);
	say(0xf); /* impatient; still draining */
	assert_int_equal(rig.device_page->ack_seq, ack);
	rig.driver_page->status = 0;
	held = 0;
	rig_run(&rig);
	assert_int_equal(rig.device_page->ack_seq, rig.driver_page->req_seq);
	assert_int_equal(rig.device_page->status, 0);
	rig_start(&rig, &dev, 0, 2, SIZE);
	rig_free(&rig);
}

static void h10_reset_storm(void **state)
{
	(void)state;
	begin();
	rig_start(&rig, &dev, 0, 2, SIZE);
	for (unsigned i = 0; i < 2000; i++) {
		say(0);
		assert_int_equal(rig.device_page->ack_seq, rig.driver_page->req_seq);
		if (i % 3 == 0)
			continue;
		rig.driver_page->features[0] = FEATURES;
		say(0xb);
		say(0xf);
		assert_int_equal(dev.state, VDEV_LIVE);
	}
	assert_int_equal(rig.logged, 0);
	rig_free(&rig);
}

/* Broken and reset for ever: the log stays short. */
static void h10_break_storm(void **state)
{
	(void)state;
	begin();
	rig_attach(&rig, &dev);
	for (unsigned i = 0; i < 1000; i++) {
		say(4);
		assert_int_equal(dev.state, VDEV_BROKEN);
		say(0);
		assert_int_equal(dev.state, VDEV_DOWN);
	}
	assert_int_equal(rig.logged, VDEV_BREAKS_LOGGED);
	rig_free(&rig);
}

/* Every value at every moment: the page is scribbled over between any two reads of it. */
static unsigned loads, change_at;

static void scribble(void)
{
	if (loads++ == change_at)
		memset((uint8_t *)rig.driver_page + 16, (int)change_at + 1, LINK_PAGE_BYTES - 16);
}

static void h13_torn(void **state)
{
	(void)state;
	for (change_at = 0; change_at < 120; change_at++) {
		begin();
		rig_attach(&rig, &dev);
		rig.driver_page->features[0] = FEATURES;
		say(0xb);
		for (unsigned i = 0; i < 2; i++) {
			struct vr_place place = rig_place(i, SIZE);

			front_set_queue(&rig.front, i, &place);
		}
		loads = 0;
		rig_on_load = scribble;
		say(0xf);
		rig_on_load = NULL;
		assert_true(dev.state == VDEV_LIVE || dev.state == VDEV_BROKEN);
		memset((uint8_t *)rig.driver_page + 16, 0, LINK_PAGE_BYTES - 16);
		say(0);
		rig_start(&rig, &dev, 0, 2, SIZE);
		rig_free(&rig);
	}
}

static void config_writes(void **state)
{
	static const struct {
		uint32_t off, len;
	} bad[] = { { 5, 4 }, { 8, 4 }, { UINT32_MAX, 4 }, { 0, 65 }, { 0, UINT32_MAX }, { 4, 9 } };

	(void)state;
	begin();
	rig_start(&rig, &dev, 0, 2, SIZE);
	memcpy(rig.driver_page->config_write.bytes, "abcd", 4);
	for (unsigned i = 0; i < 6; i++) {
		rig.driver_page->config_write.off = bad[i].off;
		rig.driver_page->config_write.len = bad[i].len;
		say(0xf);
		assert_int_equal(wrote, 0);
	}
	rig.driver_page->config_write.off = 4;
	rig.driver_page->config_write.len = 4;
	say(0xf);
	assert_memory_equal(&wrote, "abcd", 4);
	rig_free(&rig);
}

/* A successor takes over in whatever state the driver is. */
static void attach_anywhere(void **state)
{
	static const uint32_t at[] = { 0, 1, 3, 0xb, 0xf };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		begin();
		rig_start(&rig, &dev, 0, 2, SIZE);
		say(0);
		rig.driver_page->features[0] = FEATURES;
		if (at[i] & 8)
			say(0xb);
		if (at[i])
			say(at[i]);
		assert_int_equal(rig.device_page->status, at[i]);
		vdev_init(&dev, &class, &rig.port, &rig.window, VIRTIO_BIT(5), 16);
		rig.notified[0] = 0;
		rig_attach(&rig, &dev);
		assert_int_equal(rig.device_page->status, at[i]);
		assert_int_equal(dev.state, at[i] == 0xf ? VDEV_LIVE : VDEV_DOWN);
		assert_int_equal(rig.notified[0], at[i] == 0xf);
		rig_free(&rig);
	}
}

static void attach_refused(void **state)
{
	(void)state;
	/* The successor has fewer features. */
	begin();
	rig_start(&rig, &dev, VIRTIO_BIT(5), 2, SIZE);
	vdev_init(&dev, &class, &rig.port, &rig.window, 0, 16);
	assert_false(link_attach(&rig.link, rig.driver_page, rig.device_page, &dev));
	assert_true(rig.device_page->status & VIRTIO_NEEDS_RESET);
	assert_int_equal(rig.device_page->ack_seq, rig.driver_page->req_seq);
	rig_free(&rig);
	/* The log is nonsense. */
	begin();
	rig_start(&rig, &dev, VIRTIO_BIT(5), 2, SIZE);
	rig_log(&rig, 1, SIZE)->used_idx = 5;
	vdev_init(&dev, &class, &rig.port, &rig.window, VIRTIO_BIT(5), 16);
	assert_false(link_attach(&rig.link, rig.driver_page, rig.device_page, &dev));
	assert_true(rig.device_page->status & VIRTIO_NEEDS_RESET);
	rig.logged = 1;
	expect_needs_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest),
		cmocka_unit_test(repeated),
		cmocka_unit_test(h9_queues),
		cmocka_unit_test(h10_features),
		cmocka_unit_test(h10_features_refused_then_driver_ok),
		cmocka_unit_test(h10_driver_ok_early),
		cmocka_unit_test(h10_bits),
		cmocka_unit_test(h10_changes_when_live),
		cmocka_unit_test(h10_reset_mid_io),
		cmocka_unit_test(h10_reset_storm),
		cmocka_unit_test(h10_break_storm),
		cmocka_unit_test(h13_torn),
		cmocka_unit_test(config_writes),
		cmocka_unit_test(attach_anywhere),
		cmocka_unit_test(attach_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
