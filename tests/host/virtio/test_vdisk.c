/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of a virtio disk on the PCI bus: data through an arena whose pages lie apart, requests
 * larger than a command, many at a time in either order, and devices that lie: an error of the
 * request, never more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <blk/blk.h>

#include "fakedisk.h"
#include "storagerig.h"

static struct vpci vpci;
static struct vdisk disk;

const struct storagerig storagerig = {
	&disk.storage, &disk.cutter, &fakedisk.medium, FAKEDISK_SECTORS, fakedisk_work,
};

static const char *start(bool remapped)
{
	uint8_t *bars[PCI_BARS] = { [4] = fakedisk.registers };

	vpci_init(&vpci, &fakedisk.virtio, bars);
	assert_true(vpci_reset(&vpci));
	return vdisk_init(&disk, &vpci, &fakedisk.arena, 0, remapped);
}

static void begin(void)
{
	fakedisk_init();
	assert_null(start(false));
	fill_medium();
}

static void makes_it_ready(void **state)
{
	struct vpci_common *common;

	(void)state;
	begin();
	common = fakedisk_common();
	assert_int_equal(common->device_status, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER |
							VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
	assert_int_equal(disk.storage.sectors, FAKEDISK_SECTORS);
	assert_false(disk.storage.read_only);
	assert_true(disk.storage.can_discard && disk.storage.can_zero);
	assert_int_equal(fakedisk.desc, fakedisk.bus[0]);
	assert_int_equal(fakedisk.avail, fakedisk.bus[1]);
	assert_int_equal(fakedisk.used, fakedisk.bus[2]);
	assert_int_equal(fakedisk.size, 256);
	assert_int_equal(fakedisk.vector, 0);
	assert_int_equal(fakedisk.accepted & VIRTIO_BIT(BLK_F_MQ), 0);
	fakedisk_free();

	fakedisk_init();
	fakedisk.offered |= VIRTIO_BIT(BLK_F_RO) | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM);
	fakedisk.offered &= ~(VIRTIO_BIT(BLK_F_DISCARD) | VIRTIO_BIT(BLK_F_WRITE_ZEROES));
	assert_null(start(true));
	assert_true(disk.storage.read_only);
	assert_false(disk.storage.can_discard || disk.storage.can_zero);
	assert_true(fakedisk.accepted & VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM));
	fakedisk_free();
}

static void config(unsigned off, uint32_t value)
{
	memcpy(fakedisk.registers + 0x2000 + off, &value, 4);
}

/* What is wrong with a device is said, before anything of it is used. */
static void refuses(void **state)
{
	uint8_t *bars[PCI_BARS] = { [4] = fakedisk.registers };

	(void)state;
	fakedisk_init();
	fakedisk.slow_reset = true;
	vpci_init(&vpci, &fakedisk.virtio, bars);
	assert_false(vpci_reset(&vpci));
	assert_true(vpci_reset(&vpci));
	assert_string_equal(start(true),
			    "would go past the IOMMU: it does not offer ACCESS_PLATFORM");
	fakedisk.offered &= ~VIRTIO_BIT(VIRTIO_F_VERSION_1);
	assert_string_equal(start(false), "is no device of virtio 1");
	fakedisk.offered |= VIRTIO_BIT(VIRTIO_F_VERSION_1);
	fakedisk.refuse_features = true;
	assert_string_equal(start(false), "refuses the features it offers");
	fakedisk.refuse_features = false;
	fakedisk.refuse_vector = true;
	assert_string_equal(start(false), "has no interrupt for its queue");
	fakedisk.refuse_vector = false;
	fakedisk.restless = true;
	assert_string_equal(start(false), "has a configuration that cannot be read");
	fakedisk.restless = false;
	fakedisk.virtio.device.len = 4;
	assert_string_equal(start(false), "has a configuration that cannot be read");
	fakedisk.virtio.device.len = 0x1000;
	config(0, 0);
	assert_string_equal(start(false), "is empty: its size is 0");
	config(4, 0x80000000);
	assert_string_equal(start(false), "has an impossible size");
	config(4, 0);
	config(0, 8);
	config(20, 4096);
	assert_string_equal(start(false), "has blocks of another size than 512 bytes");
	config(20, 512);
	config(12, 0);
	assert_string_equal(start(false), "takes no buffers of a page");
	config(12, 1);
	fakedisk.offered |= VIRTIO_BIT(1);
	config(8, 4095);
	assert_string_equal(start(false), "takes no buffers of a page");
	config(8, 4096);
	fakedisk.queue_max = 16;
	assert_string_equal(start(false), "has a queue of no use");
	fakedisk.queue_max = 48;
	assert_string_equal(start(false), "has a queue of no use");
	fakedisk.queue_max = 1024;
	fakedisk_common()->queue_notify_off = 0x400;
	assert_string_equal(start(false), "has a doorbell outside its doorbell registers");
	fakedisk_common()->queue_notify_off = 0x3ff;
	fakedisk_common()->num_queues = 0;
	assert_string_equal(start(false), "has a queue of no use");
	fakedisk_common()->num_queues = 1;
	fakedisk.arena.pages = VDISK_ARENA_MIN - 1;
	assert_string_equal(start(false), "has too little memory for transfers");
	fakedisk.arena.pages = VDISK_ARENA_MIN;
	assert_null(start(false));
	assert_int_equal(disk.cutter.count, 1);
	assert_int_equal(disk.slot_bytes, 4096); /* one buffer each */
	fakedisk_free();
}

static void reads_and_writes(void **state)
{
	(void)state;
	begin();
	reads_and_writes_of_lengths();
	assert_int_equal(fakedisk.longest, 2 + CUTTER_SLOT_PAGES);
	assert_int_equal(disk.queue.in_flight, 0);
	fakedisk_free();
}

static void flush_discard_zero(void **state)
{
	(void)state;
	begin();
	whole(STORAGE_FLUSH, 0, 0, true);
	assert_int_equal(fakedisk.flushes, 1);
	whole(STORAGE_ZERO, 512, 120 * 512, true); /* three commands of 50, 50 and 20 sectors */
	assert_int_equal(fakedisk.commands, 1 + 3);
	for (unsigned i = 512; i < 121 * 512; i++)
		assert_int_equal(fakedisk.medium[i], 0);
	assert_int_equal(fakedisk.medium[121 * 512], (uint8_t)(121 * 7));
	whole(STORAGE_DISCARD, 300 * 512, 200 * 512, true);
	assert_int_equal(fakedisk.commands, 1 + 3 + 2);
	assert_int_equal(fakedisk.medium[500 * 512 - 1], 0xdd);
	assert_int_equal(fakedisk.medium[500 * 512], (uint8_t)(500 * 7));
	fakedisk_free();

	fakedisk_init();
	fakedisk.offered &= ~VIRTIO_BIT(BLK_F_FLUSH);
	assert_null(start(false));
	whole(STORAGE_FLUSH, 0, 0, true);
	assert_int_equal(fakedisk.commands, 0);
	fakedisk_free();
}

/* More than there are slots for; the device finishes them in any order; one with many commands waits
 * for room and lets nobody past it. */
static void many_at_a_time(void **state)
{
	struct job jobs[STORAGERIG_JOBS], large;

	(void)state;
	begin();
	empty_slots(jobs, fill_slots(jobs));
	job_init(&large, STORAGE_READ, 0, 9 * SLOT);
	job_init(&jobs[0], STORAGE_READ, 0, 512);
	assert_true(submit(&large));
	assert_ptr_equal(disk.cutter.current, &large.io);
	assert_false(submit(&jobs[0]));
	assert_int_equal(fakedisk_work(2, true), 2);
	assert_int_equal(large.done, 0);
	storage_poll();
	assert_false(submit(&jobs[0]));
	run();
	assert_true(large.done == 1 && large.ok);
	assert_memory_equal(large.bytes, fakedisk.medium, 9 * SLOT);
	complete(&jobs[0], true);
	free(large.bytes);
	free(jobs[0].bytes);
	fakedisk_free();
}

/* The device says an error, or says too little: that request fails and the next may succeed. */
static void errors_of_a_request(void **state)
{
	static const enum fakedisk_lie lies[] = { LIE_STATUS, LIE_SHORT, LIE_NO_STATUS };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		begin();
		fakedisk.lie = lies[i];
		whole(STORAGE_READ, 0, 20 * SLOT, false);
		assert_true(fakedisk.commands < 20); /* no more of it once one has failed */
		whole(STORAGE_READ, 0, 512, false);
		if (lies[i] != LIE_SHORT)
			whole(STORAGE_FLUSH, 0, 0, false);
		assert_null(disk.failed);
		fakedisk.lie = LIE_NONE;
		whole(STORAGE_READ, 0, 20 * SLOT, true);
		assert_int_equal(disk.queue.in_flight, 0);
		fakedisk_free();
	}
	begin();
	fakedisk.lie = LIE_LONG; /* clamped */
	whole(STORAGE_READ, 0, 8 * 512, true);
	fakedisk_free();
}

/* The device breaks a rule: all it was asked for fails, each request once, and so does what follows. */
static void breaks_rules(void **state)
{
	static const enum fakedisk_lie lies[] = { LIE_ID, LIE_TWICE, LIE_INDEX, LIE_NONE };
	struct job jobs[3], large;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		begin();
		for (unsigned j = 0; j < 3; j++) {
			job_init(&jobs[j], STORAGE_READ, 0, 4096);
			assert_true(submit(&jobs[j]));
		}
		job_init(&large, STORAGE_WRITE, 0, 30 * SLOT);
		assert_true(submit(&large));
		assert_ptr_equal(disk.cutter.current, &large.io);
		fakedisk.lie = lies[i];
		if (lies[i] == LIE_NONE)
			fakedisk_common()->device_status |= VIRTIO_NEEDS_RESET;
		else
			fakedisk_work(1, false);
		storage_poll();
		if (!disk.failed)
			storage_poll();
		assert_string_equal(disk.failed, lies[i] == LIE_NONE ? "asks for a reset" :
							"breaks the rules of its queue");
		assert_int_equal(fakedisk.resets, 2);
		for (unsigned j = 0; j < 3; j++) {
			assert_int_equal(jobs[j].done, 1);
			assert_true(!jobs[j].ok || (j == 0 && lies[i] == LIE_TWICE));
			free(jobs[j].bytes);
		}
		assert_true(large.done == 1 && !large.ok);
		assert_null(disk.cutter.current);
		free(large.bytes);
		whole(STORAGE_READ, 0, 512, false);
		whole(STORAGE_FLUSH, 0, 0, false);
		fakedisk_free();
	}
}

/* It has left the bus: everything reads as ones. */
static void goes_away(void **state)
{
	struct job job;

	(void)state;
	begin();
	job_init(&job, STORAGE_READ, 0, 4096);
	assert_true(submit(&job));
	memset(fakedisk.registers, 0xff, sizeof(fakedisk.registers));
	storage_poll();
	assert_true(job.done == 1 && !job.ok);
	assert_non_null(disk.failed);
	free(job.bytes);
	fakedisk_free();
}

/* Fewer doorbells than commands: the device said when it wants the next. */
static void rings_only_when_asked(void **state)
{
	struct job jobs[4];

	(void)state;
	begin();
	for (unsigned i = 0; i < 4; i++) {
		job_init(&jobs[i], STORAGE_READ, i * 512, 512);
		assert_true(submit(&jobs[i]));
	}
	assert_int_equal(fakedisk.kicks, 1);
	run();
	for (unsigned i = 0; i < 4; i++) {
		assert_true(jobs[i].done == 1 && jobs[i].ok);
		free(jobs[i].bytes);
	}
	fakedisk_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_it_ready),      cmocka_unit_test(refuses),
		cmocka_unit_test(reads_and_writes),    cmocka_unit_test(flush_discard_zero),
		cmocka_unit_test(many_at_a_time),      cmocka_unit_test(errors_of_a_request),
		cmocka_unit_test(breaks_rules),	       cmocka_unit_test(goes_away),
		cmocka_unit_test(rings_only_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
