/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch's way out of the machine: what goes to the card and what does not, in which shape, and what a
 * card may bring in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "netrig.h"

#define WIRE 64u

static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
static const uint8_t world[6] = { 2, 9, 9, 9, 9, 9 };

/* Frames on the wire. */
static struct {
	uint8_t bytes[14 + 1500];
	uint32_t len;
} wire[WIRE];
static unsigned wire_count, wire_room, flushes;

static uint8_t *room(void *self)
{
	assert_ptr_equal(self, &wire_count);
	return wire_count < wire_room ? wire[wire_count].bytes : NULL;
}

static void put_on_wire(void *self, uint32_t len)
{
	(void)self;
	assert_true(len <= sizeof(wire[0].bytes));
	wire[wire_count++].len = len;
}

static void flush(void *self)
{
	(void)self;
	flushes++;
}

static const struct net_card card = { &wire_count, room, put_on_wire, flush, 1500 };

static void begin_card(struct net_options options, uint64_t from)
{
	begin(options, from, MRG);
	sw.card = &card;
	wire_count = flushes = 0;
	wire_room = WIRE;
}

static void expect_wire(void)
{
	assert_int_equal(wire_count, 1);
	assert_int_equal(wire[0].len, frame_len);
	assert_memory_equal(wire[0].bytes, frame, frame_len);
	wire_count = 0;
}

static void goes_out(void **state)
{
	(void)state;
	begin_card((struct net_options){ .isolated = true }, MRG);
	ip(0, 1, 17, 1000);
	memcpy(frame, world, 6);
	for (unsigned pieces = 1; pieces < 30; pieces += 7) {
		send_in(0, pieces);
		expect_wire();
		expect_same(UP); /* an uplink speaks for the world too */
	}
	assert_true(flushes >= 4);
	memcpy(frame, all, 6);
	send_frame(0);
	expect_wire();
	expect_same(UP);
	expect_nothing();
	ip(0, 1, 17, 100); /* for a link of ours: not shown to the world, and here not to the link */
	send_frame(0);
	expect_nothing();
	assert_int_equal(wire_count, 0);
	ip(0, 1, 17, 100); /* forged */
	memcpy(frame, world, 6);
	frame[29] = 77;
	send_frame(0);
	assert_int_equal(wire_count, 0);
	assert_int_equal(links[0].counters.spoofed, 1);
	ip(UP, 1, 17, 100);
	memcpy(frame, world, 6);
	send_frame(UP);
	expect_wire();
	end();
}

/* What a driver left to be done is done before the wire. */
static void goes_out_complete(void **state)
{
	uint32_t sum = 0;

	(void)state;
	begin_card((struct net_options){ 0 }, TSO | MRG);
	tcp(0, 1, 777);
	memcpy(frame, world, 6);
	send_frame(0);
	assert_int_equal(wire_count, 1);
	assert_true(checksum_good(wire[0].bytes));
	wire_count = 0;
	tcp(0, 1, 20000);
	memcpy(frame, world, 6);
	hdr.gso_type = NET_GSO_TCPV4;
	hdr.gso_size = 1400;
	send_frame(0);
	assert_int_equal(wire_count, 15);
	for (unsigned i = 0; i < 15; i++) {
		uint32_t part = i < 14 ? 1400 : 20000 - 14 * 1400;

		assert_int_equal(wire[i].len, 54 + part);
		assert_true(checksum_good(wire[i].bytes));
		assert_int_equal(get32(wire[i].bytes + 38) - get32(frame + 38), i * 1400);
		assert_memory_equal(wire[i].bytes + 54, frame + 54 + sum, part);
		sum += part;
	}
	end();
}

/* Nobody waits for a card that is full. */
static void card_is_full(void **state)
{
	(void)state;
	begin_card((struct net_options){ 0 }, MRG);
	wire_room = 2;
	ip(0, 1, 17, 100);
	memcpy(frame, world, 6);
	for (unsigned i = 0; i < 5; i++)
		send_frame(0);
	assert_int_equal(wire_count, 2);
	assert_int_equal(sw.card_counters.received, 2);
	assert_int_equal(sw.card_counters.no_buffer, 3);
	end();
}

static void arrive(void)
{
	net_receive(&sw, frame, frame_len);
	net_flush(&sw);
}

static void from_world(unsigned to, uint32_t len)
{
	ip(1, to, 17, len);
	memcpy(frame + 6, world, 6);
	memset(frame + 26, 8, 4);
}

static void comes_in(void **state)
{
	(void)state;
	begin_card((struct net_options){ .isolated = true }, MRG);
	for (uint32_t len = 8; len <= 1480; len += 92) {
		from_world(0, len);
		arrive();
		expect_same(0);
	}
	assert_int_equal(links[0].counters.received, 17);
	from_world(0, 100);
	memcpy(frame, all, 6);
	arrive();
	for (unsigned i = 0; i < LINKS; i++)
		expect_same(i);
	from_world(0, 100);
	memcpy(frame, (const uint8_t[]){ 2, 7, 7, 7, 7, 7 }, 6); /* nobody's: an uplink's perhaps */
	arrive();
	expect_same(UP);
	expect_nothing();
	assert_int_equal(wire_count, 0); /* never back */
	end();
}

static void refuses_from_world(void **state)
{
	(void)state;
	begin_card((struct net_options){ 0 }, MRG);
	from_world(0, 100); /* a link's own address */
	memcpy(frame + 6, links[1].options.mac, 6);
	arrive();
	assert_int_equal(sw.card_counters.spoofed, 1);
	from_world(0, 100); /* a group as a sender */
	frame[6] |= 1;
	arrive();
	assert_int_equal(sw.card_counters.spoofed, 2);
	from_world(0, 1481);
	arrive();
	frame_len = 13;
	arrive();
	assert_int_equal(sw.card_counters.malformed, 2);
	expect_nothing();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_out),    cmocka_unit_test(goes_out_complete),
		cmocka_unit_test(card_is_full), cmocka_unit_test(comes_in),
		cmocka_unit_test(refuses_from_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
