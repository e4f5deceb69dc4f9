/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port of a Linux process: a back end serves a link in a thread of its own, with event file
 * descriptors as doorbells and a file as the disk; the front end works through it and looks at the
 * file afterwards.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include <blk/blk.h>
#include <port/host/file.h>
#include <port/host/host.h>

#include "rig.h"

#define SECTORS 256u
#define SIZE 64u
#define WRITES 2000u

static struct rig rig;
static struct host_port host;
static struct file_storage file;
static struct blk blk;
static struct blk_request requests[16];
static struct link *const links[1] = { &rig.link };
static int doorbell[1], bell;
static volatile int stop;

static void *serve(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)host_serve(links, doorbell, 1, &stop);
}

static void kick(void)
{
	const uint64_t one = 1;

	assert_int_equal(write(doorbell[0], &one, 8), 8);
}

/* Waits for the other side's bell. */
static void sleep_on_bell(void)
{
	struct pollfd fd = { .fd = bell, .events = POLLIN };
	uint64_t rung;

	assert_int_equal(poll(&fd, 1, 60000), 1);
	assert_int_equal(read(bell, &rung, 8), 8);
}

static void wait_acked(void)
{
	kick();
	while (!front_acked(&rig.front))
		sleep_on_bell();
}

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
	return random_state = random_state * 1103515245u + 12345u;
}

/* Writes of 1 to 8 sectors at random places, many in flight, never two on one sector at a time; a
 * model in memory is what the file must hold at the end. */
static void through_a_file(void **state)
{
	char path[] = "/tmp/virtio-file-XXXXXX";
	static uint8_t model[SECTORS * 512], readback[SECTORS * 512];
	struct blk_options options = { .storage = &file.storage, .id = "file" };
	struct vr_place place = rig_place(0, SIZE);
	struct drvq *q = &rig.queues[0];
	static uint32_t busy[16];
	unsigned issued = 0, done = 0;
	pthread_t thread;
	void *result;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SECTORS * 512), 0);
	assert_int_equal(file_storage_open(&file, path, false), 0);
	assert_int_equal(file.storage.sectors, SECTORS);
	doorbell[0] = eventfd(0, EFD_NONBLOCK);
	bell = eventfd(0, EFD_NONBLOCK);
	rig_init(&rig);
	host_port_init(&host, "test", bell);
	host.link = &rig.link;
	assert_null(blk_init(&blk, &options, &host.port, &rig.window, NULL, requests, 16));
	rig_attach(&rig, &blk.dev);
	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);

	front_set_features(&rig.front, blk.dev.offered);
	wait_acked();
	assert_true(front_status(&rig.front) & VIRTIO_FEATURES_OK);
	front_set_queue(&rig.front, 0, &place);
	assert_true(drvq_start(q, &rig.window, &place, rig.slots[0], true));
	front_driver_ok(&rig.front);
	wait_acked();

	/* Slot i owns sectors 16 * i to 16 * i + 15 and 8 KiB of the data area. */
	while (done < WRITES) {
		void *token;
		uint32_t written;

		for (unsigned i = 0; i < 16 && issued < WRITES; i++) {
			uint32_t r = next_random() >> 8, sectors = 1 + r % 8;
			uint32_t sector = i * 16 + (r >> 4) % 9, at = 8192 * i;
			uint32_t type = r >> 16 & 7 ? BLK_T_OUT : BLK_T_WRITE_ZEROES;
			struct {
				uint32_t type, priority;
				uint64_t sector;
				struct blk_range range;
			} header = { type, 0, sector, { sector, sectors, 0 } };
			struct drvq_buf bufs[3] = { { RIG_DATA + at, 16 },
						    { RIG_DATA + at + 512, sectors * 512 },
						    { RIG_DATA + at + 8000, 1 } };

			if (busy[i])
				continue;
			memcpy(rig_data(&rig, at), &header, sizeof(header));
			if (type == BLK_T_OUT) {
				memset(rig_data(&rig, at + 512), (int)(r >> 3), sectors * 512);
				memset(model + sector * 512, (int)(r >> 3), sectors * 512);
			} else {
				bufs[1] = (struct drvq_buf){ RIG_DATA + at + 16, 16 };
				memset(model + sector * 512, 0, sectors * 512);
			}
			busy[i] = 1;
			*(uint8_t *)rig_data(&rig, at + 8000) = 0xee;
			assert_true(drvq_add(q, bufs, 2, 1, (void *)(uintptr_t)(i + 1)));
			issued++;
		}
		if (drvq_should_kick(q))
			kick();
		while (drvq_get(q, &token, &written)) {
			unsigned i = (unsigned)(uintptr_t)token - 1;

			assert_int_equal(written, 1);
			assert_int_equal(*(uint8_t *)rig_data(&rig, 8192 * i + 8000), BLK_S_OK);
			busy[i] = 0;
			done++;
		}
		assert_false(drvq_broken(q));
		if (q->in_flight && !drvq_want_notify(q))
			sleep_on_bell();
	}
	stop = 1;
	kick();
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
	assert_int_equal(pread(fd, readback, sizeof(readback), 0), sizeof(readback));
	assert_memory_equal(readback, model, sizeof(model));
	file_storage_close(&file);
	assert_int_equal(file_storage_open(&file, path, true), 0);
	assert_true(file.storage.read_only);
	file_storage_close(&file);
	assert_int_not_equal(file_storage_open(&file, "/nonexistent/disk", false), 0);
	close(fd);
	unlink(path);
	close(bell);
	close(doorbell[0]);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(through_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
