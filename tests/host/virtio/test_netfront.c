/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of a card at the other end of a link, against the switch: coming up in steps, frames both ways,
 * a switch that dies at any of those steps and is replaced, and one that breaks rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <net/net.h>
#include <net/netfront.h>

#include "rig.h"

#define PAGE 4096u
#define CONTROL 9u
#define PAGES 512u

static uint8_t *window, *device_page;
static struct vr_window back_window;
static struct link back;
static struct net_switch sw;
static struct net_link *card;
static struct netfront nf;
static unsigned rings;
static bool rung; /* and not heard yet */

/* The wire behind the switch. */
static uint8_t wire[14 + 1500], got[14 + 1500];
static uint32_t wire_len, got_len;
static unsigned wire_count, got_count;

static uint8_t *room(void *self)
{
	(void)self;
	return wire;
}

static void to_wire(void *self, uint32_t len)
{
	(void)self;
	wire_len = len;
	wire_count++;
}

static void flush(void *self)
{
	(void)self;
}

static const struct net_card world = { NULL, room, to_wire, flush, 1500 };

static void notify(void *self, uint32_t queue)
{
	(void)self;
	if (queue != PORT_CONFIG)
		link_count_used(&back, queue);
}

static uint64_t clock(void *self)
{
	(void)self;
	return 1;
}

static void nothing(void *self, const char *line)
{
	(void)self;
	(void)line;
}

static const struct port port = { NULL, notify, clock, NULL, nothing };

/* A back end: the first, or a successor that knows nothing of the one before. */
static void attach(void)
{
	const struct net_options options = { .mac = { 2, 0, 0, 0, 0, 1 }, .ip4 = { 10, 0, 2, 15 } };

	net_switch_init(&sw, &world);
	memset(card, 0, sizeof(*card));
	assert_null(net_link_init(card, &sw, &options, &port, &back_window));
	assert_true(link_attach(&back, (struct link_driver_page *)window,
				(struct link_device_page *)device_page, &card->dev));
}

static void ring(void *self)
{
	assert_ptr_equal(self, &rings);
	rings++;
	rung = true;
}

static void begin(void)
{
	window = aligned_alloc(PAGE, PAGES * PAGE);
	device_page = aligned_alloc(PAGE, PAGE);
	card = malloc(sizeof(*card));
	memset(window, 0, PAGES * PAGE);
	memset(device_page, 0, PAGE);
	back_window = (struct vr_window){
		{ window, 0, CONTROL * PAGE },
		{ window + CONTROL * PAGE, CONTROL * PAGE, (PAGES - CONTROL) * PAGE },
		{ window + CONTROL * PAGE, CONTROL * PAGE, (PAGES - CONTROL) * PAGE },
	};
	rings = wire_count = got_count = 0;
	rung = false;
	assert_true(netfront_init(&nf, window, CONTROL, PAGES, (struct link_device_page *)device_page,
				  ring, &rings));
}

static void end(void)
{
	free(window);
	free(device_page);
	free(card);
}

/* A device looks when it is rung for, and only then. */
static void serve(void)
{
	if (rung)
		(void)link_run(&back, 1);
	rung = false;
}

static void come_up(void)
{
	for (unsigned i = 0; i < 10 && !netfront_run(&nf); i++)
		serve();
	assert_int_equal(nf.state, NETFRONT_LIVE);
	serve();
	assert_int_equal(card->dev.state, VDEV_LIVE);
}

static void fill(uint8_t *at, uint32_t len, bool out)
{
	static const uint8_t us[6] = { 2, 0, 0, 0, 0, 1 }, them[6] = { 2, 9, 9, 9, 9, 9 };
	static const uint8_t ip[20] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 2, 15, 8, 8, 8, 8 };

	for (uint32_t i = 0; i < len; i++)
		at[i] = (uint8_t)(i * 3 + len);
	memcpy(at, out ? them : us, 6);
	memcpy(at + 6, out ? us : them, 6);
	at[12] = 8;
	at[13] = 0;
	memcpy(at + 14, ip, 20);
}

static void keep(void *self, const uint8_t *frame, uint32_t len)
{
	(void)self;
	memcpy(got, frame, len);
	got_len = len;
	got_count++;
}

static void frames(unsigned rounds)
{
	uint8_t frame[1514];

	for (unsigned i = 0; i < rounds; i++) {
		uint32_t len = 60 + i * 97 % 1455;
		uint8_t *at = netfront_room(&nf);

		assert_non_null(at);
		fill(at, len, true);
		netfront_send(&nf, len);
		netfront_flush(&nf);
		wire_count = got_count = 0;
		serve();
		fill(frame, len, true);
		assert_int_equal(wire_count, 1);
		assert_int_equal(wire_len, len);
		assert_memory_equal(wire, frame, len);
		fill(frame, len, false);
		net_receive(&sw, frame, len);
		net_flush(&sw);
		assert_int_equal(netfront_poll(&nf, 10, keep, NULL), 1);
		netfront_flush(&nf);
		assert_int_equal(got_count, 1);
		assert_int_equal(got_len, len);
		assert_memory_equal(got, frame, len);
	}
	assert_int_equal(card->counters.spoofed + card->counters.malformed, 0);
}

static void up_and_running(void **state)
{
	(void)state;
	begin();
	assert_false(netfront_run(&nf)); /* nobody there */
	assert_int_equal(rings, 0);
	assert_null(netfront_room(&nf));
	netfront_send(&nf, 60);
	assert_int_equal(netfront_poll(&nf, 10, keep, NULL), 0);
	attach();
	come_up();
	assert_true(rings >= 4);
	assert_int_equal(card->dev.features & ~(VIRTIO_BIT(VIRTIO_F_EVENT_IDX) |
						VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM)),
			 VIRTIO_BIT(VIRTIO_F_VERSION_1));
	frames(1500);
	end();
}

/* A successor, which has not heard what its predecessor was rung for. */
static void succeed(void)
{
	rung = false;
	attach();
	netfront_anew(&nf); /* what fore.c brings about at a new epoch */
}

/* The back end dies before each step of the way up, and once more when frames go. */
static void successors(void **state)
{
	(void)state;
	for (unsigned death = 0; death < 6; death++) {
		begin();
		attach();
		for (unsigned i = 0; i < 10; i++) {
			bool live = netfront_run(&nf);

			if (i == death)
				succeed();
			else if (live)
				break;
			serve();
		}
		come_up();
		frames(300);
		succeed();
		frames(300);
		assert_int_equal(nf.resets, 0);
		end();
	}
}

/* It asks for a reset, or breaks a rule of the ring: it is reset, and used again. */
static void starts_anew(void **state)
{
	(void)state;
	begin();
	attach();
	come_up();
	for (unsigned i = 0; i < 20; i++) {
		frames(20);
		if (i % 2)
			vdev_break(&card->dev, "for the test");
		else /* used.idx of the queue to receive from jumps */
			*(uint16_t *)(window + CONTROL * PAGE + 2) ^= 0x4000;
		rung = true;
		serve();
		(void)netfront_poll(&nf, 10, keep, NULL);
		come_up();
		assert_int_equal(nf.resets, i + 1);
	}
	frames(300);
	end();
}

/* Rung for by nobody: the first step was made before there was a doorbell. */
static void rings_again(void **state)
{
	(void)state;
	begin();
	attach();
	assert_false(netfront_run(&nf));
	rung = false;
	for (unsigned i = 0; i < 10; i++) {
		assert_false(netfront_run(&nf));
		serve();
	}
	netfront_anew(&nf);
	serve();
	come_up();
	frames(20);
	end();
}

/* Another kind of device, one that takes no features, one with short queues. */
static void refuses(void **state)
{
	struct link_device_page *page;

	(void)state;
	begin();
	attach();
	page = (struct link_device_page *)device_page;
	page->device_id = 2;
	assert_false(netfront_run(&nf));
	assert_int_equal(nf.state, NETFRONT_ABSENT);
	page->device_id = 1;
	page->queues[1].max_size = 128;
	for (unsigned i = 0; i < 10; i++) {
		assert_false(netfront_run(&nf));
		serve();
	}
	assert_int_equal(nf.state, NETFRONT_REFUSED);
	assert_null(netfront_room(&nf));
	assert_false(netfront_init(&nf, window, CONTROL, CONTROL + 100, page, ring, &rings));
	assert_false(netfront_init(&nf, window, 4, PAGES, page, ring, &rings));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_and_running),
		cmocka_unit_test(successors),
		cmocka_unit_test(starts_anew),
		cmocka_unit_test(rings_again),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
