/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes ring and block device from both sides. An input is a program of a hostile peer: it writes
 * descriptors, indices, requests, pages and logs, kicks, lets the back end die and return, and says at
 * which read of shared memory which bytes change. With VIRTIO_FUZZ_THREAD in the environment a second
 * thread writes to the same memory all the time instead.
 *
 * What must hold whatever happens: no step outside the three areas (each is an allocation of its own
 * under the address sanitizer), not a byte of the storage outside the client's range, an end of every
 * run, and a device that can be reset and used.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <blk/blk.h>
#include <ring/drvq.h>
#include <ring/front.h>

#include "fuzzer.h"
#include "lazy.h"

#define DRIVER_BYTES 2048u
#define DEVICE_BYTES 2048u
#define DATA_BYTES 8192u
#define DEVICE_OFF 0x1000u
#define DATA_OFF (DEVICE_OFF + DEVICE_BYTES)
#define QUEUES 2u
#define SIZE_MAX_LOG 4u
#define SECTORS 12u
#define FIRST 4u
#define OURS 4u /* sectors of the client: 4 to 7 */

/* Either three areas apart, or the device's area and that of buffers in one, where a driver can have its
 * used rings and logs written over. */
static struct vr_window window, apart, joined;
static uint8_t *device_base, *data_base;
static struct link_driver_page *driver_page;
static struct link_device_page *device_page;
static uint8_t *medium;
static struct lazy lazy;
static struct blk blk;
static struct blk_request requests[4];
static struct link link;
static bool threaded;
static volatile bool thread_go;

static void notify(void *self, uint32_t queue)
{
	(void)self;
	if (queue != PORT_CONFIG)
		link_count_used(&link, queue);
}

static bool randomness(void *self, void *buf, size_t len)
{
	(void)self;
	memset(buf, 4, len);
	return true;
}

static const struct port port = { NULL, notify, fuzz_now, randomness, fuzz_log };

/* Numbers that matter more often than others. */
static uint64_t number(void)
{
	uint32_t kind = take(1);

	switch (kind & 7) {
	case 0:
		return kind >> 3;
	case 1:
		return (kind & 8 ? DEVICE_OFF : DATA_OFF) + (take(2) & (DATA_BYTES - 1));
	case 2:
		return DATA_OFF + DATA_BYTES - (kind >> 3);
	case 3:
		return take(2);
	case 4:
		return UINT64_MAX - (kind >> 3);
	case 5:
		return (uint64_t)1 << (kind >> 2);
	case 6:
		return (uint64_t)(kind >> 3) * 512;
	default:
		return (uint64_t)take(4) << 32 | take(4);
	}
}

static uint8_t *somewhere(unsigned room)
{
	switch (take(1) & 7) {
	case 0:
		return device_base + take(2) % (DEVICE_BYTES - room);
	case 1:
		return (uint8_t *)driver_page + take(2) % (LINK_PAGE_BYTES - room);
	case 2:
	case 3:
		return data_base + take(2) % (DATA_BYTES - room);
	default:
		return window.driver.base + take(2) % (DRIVER_BYTES - room);
	}
}

/* Queue i: 16 descriptors at i * 1024, avail behind them; used and log likewise. */
static struct vr_place place(unsigned queue, uint16_t size)
{
	return (struct vr_place){ size, queue * 1024, queue * 1024 + 512, DEVICE_OFF + queue * 1024,
				  DEVICE_OFF + queue * 1024 + 512 };
}

static void new_back_end(void)
{
	struct blk_options options = {
		.storage = &lazy.storage, .first = FIRST, .sectors = OURS, .queues = QUEUES,
		.bytes_per_second = 1 << 20, .burst_bytes = 4096,
	};

	insist(!blk_init(&blk, &options, &port, &window, NULL, requests, 4));
	(void)link_attach(&link, driver_page, device_page, &blk.dev);
}

/* The storage outside the range is as it was; inside it is anything. */
static void check_medium(void)
{
	for (unsigned i = 0; i < FIRST * 512; i++)
		insist(medium[i] == 0x5a);
	for (unsigned i = (FIRST + OURS) * 512; i < SECTORS * 512; i++)
		insist(medium[i] == 0x5a);
}

static void run(void)
{
	for (unsigned i = 0; i < 4; i++)
		(void)link_run(&link, now_ns);
	insist(blk.in_flight <= 4);
	insist(blk.dev.state <= VDEV_BROKEN);
}

static bool settle(uint64_t seq)
{
	for (unsigned i = 0; i < 200; i++) {
		(void)link_run(&link, now_ns);
		if (device_page->ack_seq == seq)
			return true;
	}
	return false;
}

/* An honest driver resets the device and starts it again; whatever happened before, it can. */
static void restart(uint16_t size)
{
	struct front front;

	lazy.per_poll = LAZY_MAX; /* a disk that never answers would make the reset wait for ever */
	/* It never says a number twice. */
	driver_page->req_seq = link.applied + 1;
	front_init(&front, driver_page, device_page);
	front_reset(&front);
	insist(settle(front.seq) || threaded);
	front_set_features(&front, blk.dev.offered & ~(size & 1 ? VIRTIO_BIT(29) : 0));
	insist(settle(front.seq) || threaded);
	memset(window.driver.base, 0, DRIVER_BYTES);
	memset(driver_page->queues, 0, sizeof(driver_page->queues));
	for (unsigned i = 0; i < QUEUES; i++) {
		struct vr_place at = place(i, size);

		front_set_queue(&front, i, &at);
	}
	front_driver_ok(&front);
	insist(settle(front.seq) || threaded);
	insist(threaded || blk.dev.state == VDEV_LIVE);
}

/* A request that would be right, in three descriptors from `head` on. */
static void honest_request(unsigned queue, uint16_t size, unsigned head)
{
	struct vr_desc *desc = (struct vr_desc *)(window.driver.base + queue * 1024);
	struct vr_avail *avail = (struct vr_avail *)(window.driver.base + queue * 1024 + 512);
	uint32_t what = take(1);
	struct {
		uint32_t type, priority;
		uint64_t sector;
	} header = { (what & 3) == 3 ? take(1) & 15 : what & 3, 0, what >> 5 };
	unsigned at = head * 256 % (DATA_BYTES - 2048);

	memcpy(data_base + at, &header, 16);
	desc[head % size] = (struct vr_desc){ DATA_OFF + at, 16, VR_DESC_NEXT,
					      (uint16_t)((head + 1) % size) };
	desc[(head + 1) % size] = (struct vr_desc){
		DATA_OFF + at + 16, header.type == BLK_T_DISCARD || header.type == 13 ? 16 : 512,
		(uint16_t)(VR_DESC_NEXT | (header.type == 0 ? VR_DESC_WRITE : 0)),
		(uint16_t)((head + 2) % size) };
	desc[(head + 2) % size] = (struct vr_desc){ DATA_OFF + at + 1024, 1, VR_DESC_WRITE, 0 };
	avail->ring[avail->idx % size] = (uint16_t)(head % size);
	avail->idx++;
}

static void hostile_driver(void)
{
	uint32_t flags = take(1);
	uint16_t size = (uint16_t)(1u << (flags & 7) % (SIZE_MAX_LOG + 1));

	lazy_init(&lazy, medium, SECTORS * 512);
	lazy.limit = 1 + (flags >> 3 & 3);
	lazy.newest_first = flags >> 5 & 1;
	new_back_end();
	restart(size);
	lazy.per_poll = 1;
	while (left) {
		uint32_t op = take(1);
		unsigned queue = op >> 4 & 1;
		struct vr_desc *desc = (struct vr_desc *)(window.driver.base + queue * 1024);
		struct vr_avail *avail =
			(struct vr_avail *)(window.driver.base + queue * 1024 + 512);
		uint8_t *to;
		uint64_t value;

		switch (op & 15) {
		case 0:
			desc[take(1) % 16] = (struct vr_desc){ number(), (uint32_t)number(),
							       (uint16_t)take(1),
							       (uint16_t)number() };
			break;
		case 1:
			avail->ring[avail->idx % size] = (uint16_t)number();
			avail->idx++;
			break;
		case 2:
			avail->idx = (uint16_t)(avail->idx + number());
			break;
		case 3:
			to = somewhere(8);
			value = number();
			memcpy(to, &value, 8);
			break;
		case 4:
			driver_page->status = take(1);
			driver_page->req_seq++;
			break;
		case 5:
			now_ns += (uint64_t)take(2) << 12;
			break;
		case 6:
			lazy_back_end_died(&lazy, op >> 5 & 1);
			new_back_end();
			break;
		case 7:
			change_at = somewhere(4);
			change_to = (uint32_t)number();
			countdown = threaded ? 0 : take(1) & 63;
			break;
		case 8:
			countdown = 0;
			restart(size);
			break;
		case 9:
			lazy.fail = op >> 5 & 1;
			lazy.per_poll = op >> 6;
			break;
		case 10:
		case 11:
			honest_request(queue, size, op >> 4);
			break;
		default:
			run();
			break;
		}
	}
	run();
	countdown = 0;
	restart(size);
	check_medium();
}

/* The other way round: what a driver of ours believes of a hostile device. */
static void hostile_device(void)
{
	static struct drvq_slot slots[16];
	struct vr_place at = place(0, (uint16_t)(1u << take(1) % (SIZE_MAX_LOG + 1)));
	struct vr_used *used = (struct vr_used *)device_base;
	struct drvq q;
	unsigned out = 0;

	insist(drvq_start(&q, &window, &at, slots, take(1) & 1));
	while (left) {
		struct drvq_buf bufs[3] = { { DATA_OFF, 16 }, { DATA_OFF + 64, 64 }, { DATA_OFF, 9 } };
		uint32_t op = take(1), written;
		void *token;

		switch (op & 7) {
		case 0:
		case 1:
			out += drvq_add(&q, bufs, op >> 3 & 1, 1 + (op >> 4 & 1), &slots[op >> 4]);
			break;
		case 2:
			used->ring[used->idx % at.size] =
				(struct vr_used_elem){ (uint32_t)number(), (uint32_t)number() };
			used->idx++;
			break;
		case 3:
			used->idx = (uint16_t)number();
			break;
		case 4:
			change_at = device_base + take(1);
			change_to = (uint32_t)number();
			countdown = threaded ? 0 : take(1) & 15;
			break;
		case 5:
			(void)drvq_should_kick(&q);
			(void)drvq_want_notify(&q);
			drvq_no_notify(&q);
			break;
		default:
			if (drvq_get(&q, &token, &written)) {
				insist(out-- > 0);
				insist(written <= 64 + 16);
				insist(token >= (void *)slots && token < (void *)(slots + 16));
			}
			break;
		}
		insist(q.in_flight == out && q.free_count <= q.size);
	}
	countdown = 0;
}

/* Writes what could be meant, all the time. */
static void *mutate(void *unused)
{
	uint64_t seed = 88172645463325252u;

	(void)unused;
	for (;;) {
		uint64_t r;
		uint8_t *to;

		if (!thread_go)
			continue;
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		r = seed >> 20;
		to = r & 1 ? window.driver.base + (r >> 8) % DRIVER_BYTES / 2 * 2 :
		     r & 2 ? data_base + (r >> 8) % 2048 / 2 * 2 :
		     r & 4 ? device_base + (r >> 8) % DEVICE_BYTES / 2 * 2 :
			     (uint8_t *)driver_page + (r >> 8) % 1024 / 2 * 2;
		__atomic_store_n((uint16_t *)(void *)to,
				 (uint16_t)(r & 8 ? r >> 32 : r & 16 ? r >> 32 & 15 : 0),
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *allocate(size_t bytes)
{
	void *at = aligned_alloc(64, bytes);

	insist(at != NULL);
	return at;
}

static void choose(const struct vr_window *which)
{
	window = *which;
	device_base = vr_at(&window.device, DEVICE_OFF, DEVICE_BYTES);
	data_base = vr_at(&window.data, DATA_OFF, DATA_BYTES);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	pthread_t thread;

	(void)argc;
	(void)argv;
	apart.driver = (struct vr_area){ allocate(DRIVER_BYTES), 0, DRIVER_BYTES };
	apart.device = (struct vr_area){ allocate(DEVICE_BYTES), DEVICE_OFF, DEVICE_BYTES };
	apart.data = (struct vr_area){ allocate(DATA_BYTES), DATA_OFF, DATA_BYTES };
	joined.driver = apart.driver;
	joined.device = (struct vr_area){ allocate(DEVICE_BYTES + DATA_BYTES), DEVICE_OFF,
					  DEVICE_BYTES + DATA_BYTES };
	joined.data = joined.device;
	choose(&apart);
	driver_page = allocate(LINK_PAGE_BYTES);
	device_page = allocate(LINK_PAGE_BYTES);
	medium = allocate(SECTORS * 512);
	threaded = getenv("VIRTIO_FUZZ_THREAD") != NULL;
	if (threaded)
		insist(pthread_create(&thread, NULL, mutate, NULL) == 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t what;

	fuzz_begin(data, size);
	memset(driver_page, 0, LINK_PAGE_BYTES);
	memset(device_page, 0, LINK_PAGE_BYTES);
	memset(medium, 0x5a, SECTORS * 512);
	what = take(1);
	choose(what & 4 ? &joined : &apart);
	memset(window.driver.base, 0, DRIVER_BYTES);
	memset(device_base, 0, DEVICE_BYTES);
	memset(data_base, 0, 2048);
	thread_go = threaded;
	if (what & 3)
		hostile_driver();
	else
		hostile_device();
	thread_go = false;
	return 0;
}
