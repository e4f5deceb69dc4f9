/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of an 82574L network card: frames both ways through an arena whose pages lie apart, more of them than
 * there are buffers, and cards that lie: a frame lost, or the card, never more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pci/kind.h>

#include "cardrig.h"
#include "fake82574.h"

static struct e1000e nic;

static uint8_t *room(void)
{
	return e1000e_room(&nic);
}

static void send_frame(uint32_t len)
{
	e1000e_send(&nic, len);
}

static void flush(void)
{
	e1000e_flush(&nic);
}

static bool poll_frames(unsigned limit, cardrig_keep_fn keep, void *self)
{
	return e1000e_poll(&nic, limit, keep, self);
}

static bool receive(const uint8_t *frame, uint32_t len)
{
	return fake82574_receive(frame, len, 2048);
}

const struct cardrig cardrig = {
	room, send_frame, flush, poll_frames, &nic.counters.full, &nic.failed,
	fake82574_transmit, receive, fake82574.sent, &fake82574.sent_len,
	&fake82574.arena.base, E1000E_CONTROL_PAGES * E1000E_PAGE, FAKE82574_PAGES * E1000E_PAGE,
};

static const char *start(void)
{
	const char *why = e1000e_look(&nic, fake82574.registers, sizeof(fake82574.registers));

	if (why)
		return why;
	for (unsigned i = 0; i < 3 && !e1000e_reset_done(&nic); i++)
		;
	return e1000e_start(&nic, &fake82574.arena);
}

static void begin(void)
{
	fake82574_init();
	assert_null(start());
	got_count = 0;
}

static void makes_it_ready(void **state)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

	(void)state;
	assert_int_equal(pci_kind(0x8086, 0x10d3, 0x020000), PCI_KIND_E1000E);
	assert_int_equal(pci_kind(0x8086, 0x100e, 0x020000), PCI_KIND_NONE); /* the e1000 */
	fake82574_init();
	/* what a predecessor has left and a reset does not take */
	*fake82574_register(0x2910) = *fake82574_register(0x2908) = 128;
	*fake82574_register(0x2810) = *fake82574_register(0x3810) = 5;
	*fake82574_register(0x5200 + 4 * 127) = ~0u;
	*fake82574_register(0xdc) = ~0u;
	*fake82574_register(0x0018) = 1u << 27;
	assert_null(start());
	assert_memory_equal(nic.mac, mac, 6);
	assert_true(nic.link_up);
	assert_int_equal(nic.size, FAKE82574_RING);
	assert_int_equal(fake82574.resets, 1);
	assert_int_equal(*fake82574_register(0x2800) | (uint64_t)*fake82574_register(0x2804) << 32, fake82574.bus[0]);
	assert_int_equal(*fake82574_register(0x3800) | (uint64_t)*fake82574_register(0x3804) << 32, fake82574.bus[1]);
	assert_int_equal(*fake82574_register(0x2808), FAKE82574_RING * 16);
	assert_int_equal(*fake82574_register(0x2810) | *fake82574_register(0x3810), 0);
	assert_int_equal(*fake82574_register(0x2818), FAKE82574_RING - 1);
	assert_int_equal(*fake82574_register(0x3818), 0);
	assert_int_equal(*fake82574_register(0x2908), 0);
	assert_int_equal(*fake82574_register(0x5200 + 4 * 127), 0);
	assert_int_equal(*fake82574_register(0xdc), 0);
	assert_int_equal(*fake82574_register(0xe4), 1u << 3 | 1u << 19);
	assert_int_equal(*fake82574_register(0x0018) & (1u << 27), 0);
	assert_true(*fake82574_register(0) & 0x40);
	assert_true(*fake82574_register(0x100) & (1u << 26)); /* without the checksum of the wire */
	fake82574_free();
}

/* What is wrong with a card is said, before anything of it is used. */
static void refuses(void **state)
{
	(void)state;
	fake82574_init();
	assert_string_equal(e1000e_look(&nic, fake82574.registers, 0x5fff), "has too few registers for an 82574L");
	fake82574.slow_reset = true;
	assert_null(e1000e_look(&nic, fake82574.registers, 0x6000));
	assert_false(e1000e_reset_done(&nic));
	fake82574.slow_eeprom = true;
	assert_false(e1000e_reset_done(&nic));
	fake82574.slow_eeprom = false;
	assert_true(e1000e_reset_done(&nic));
	*fake82574_register(0x5404) = 0x5634;
	assert_string_equal(start(), "has no MAC address");
	*fake82574_register(0x5404) = 0x80000000;
	*fake82574_register(0x5400) = 0;
	assert_string_equal(start(), "has no MAC address");
	*fake82574_register(0x5400) = 0x01;
	assert_string_equal(start(), "has a MAC address that is not one station's");
	*fake82574_register(0x5400) = 0x12005452;
	fake82574.arena.pages = E1000E_ARENA_MIN - 1;
	assert_string_equal(start(), "has too little memory for transfers");
	assert_int_equal(*fake82574_register(0x100) | *fake82574_register(0x400), 0);
	fake82574.arena.pages = E1000E_ARENA_MIN;
	assert_null(start());
	assert_int_equal(nic.size, 8);
	memset(fake82574.registers, 0xff, sizeof(fake82574.registers));
	assert_string_equal(start(), "is not there any more");
	assert_false(e1000e_reset_done(&nic));
	fake82574_free();
}

static void frames_both_ways(void **state)
{
	(void)state;
	begin();
	frames_of_lengths(1000);
	assert_int_equal(nic.counters.sent, 1000);
	assert_int_equal(nic.counters.received, 1000);
	assert_int_equal(nic.counters.full + nic.counters.malformed, 0);
	assert_null(nic.failed);
	fake82574_free();
}

static void sends_frames_only(void **state)
{
	(void)state;
	begin();
	send_no_frames();
	fake82574_free();
}

static void more_than_there_is_room_for(void **state)
{
	(void)state;
	begin();
	send_more_than(FAKE82574_RING - 1);
	fake82574_free();
}

/* Not told of, not the card's: what it says of such a descriptor is not believed. */
static void looks_at_what_is_out(void **state)
{
	uint64_t *words;

	(void)state;
	begin();
	words = (uint64_t *)(fake82574.arena.base + 4096);
	for (unsigned i = 0; i < FAKE82574_RING - 1; i++) {
		assert_non_null(e1000e_room(&nic));
		e1000e_send(&nic, 60);
		words[2 * i + 1] |= UINT64_C(1) << 32; /* "sent" */
	}
	assert_null(e1000e_room(&nic));
	e1000e_flush(&nic);
	assert_non_null(e1000e_room(&nic));
	fake82574_free();

	begin(); /* all its buffers are full, and it goes on round the ring */
	words = (uint64_t *)fake82574.arena.base;
	for (unsigned i = 0; i < FAKE82574_RING; i++)
		words[2 * i + 1] = UINT64_C(3) << 32 | 60;
	assert_false(card_poll(100));
	assert_int_equal(got_count, FAKE82574_RING - 1);
	fake82574_free();
}

/* A burst is taken in fair shares, the rest is not forgotten; a full card loses frames on the wire. */
static void bursts(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < FAKE82574_RING - 1; i++)
		arrive(60 + i, i);
	assert_false(fake82574_receive(got, 60, 2048));
	fake82574.tail_writes = 0;
	assert_true(card_poll(6));
	assert_int_equal(got_count, 6);
	assert_int_equal(fake82574.tail_writes, 1);
	assert_true(card_poll(6));
	assert_false(card_poll(6));
	assert_int_equal(got_count, FAKE82574_RING - 1);
	assert_int_equal(got_len, 60 + FAKE82574_RING - 2);
	assert_false(card_poll(6));
	assert_int_equal(fake82574.tail_writes, 3);
	arrive(60, 0);
	assert_false(card_poll(6));
	assert_int_equal(got_count, FAKE82574_RING);
	fake82574_free();
}

/* One interrupt for what comes while nobody looks; none for what is sent; the link's state is heard of. */
static void interrupts(void **state)
{
	(void)state;
	begin();
	arrive(60, 0);
	arrive(60, 0);
	assert_int_equal(fake82574.interrupts, 1);
	assert_false(card_poll(10));
	arrive(60, 0);
	assert_int_equal(fake82574.interrupts, 2);
	for (unsigned i = 0; i < 10; i++)
		assert_true(card_send(60, i));
	assert_int_equal(fake82574_transmit(10), 10);
	assert_int_equal(fake82574.interrupts, 2);
	fake82574_link(false);
	assert_int_equal(fake82574.interrupts, 3);
	assert_true(nic.link_up);
	assert_false(card_poll(10));
	assert_false(nic.link_up);
	fake82574_link(true);
	assert_false(card_poll(10));
	assert_true(nic.link_up);
	fake82574_free();
}

/* The frame is lost, the card is used on and so is the buffer. */
static void frames_that_are_none(void **state)
{
	static const enum fake82574_lie lies[] = { FAKE82574_EMPTY, FAKE82574_LONG, FAKE82574_DAMAGED };
	uint8_t frame[E1000E_FRAME_MAX] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		begin();
		fake82574.lie = lies[i];
		for (unsigned j = 0; j < 3 * FAKE82574_RING; j++) {
			arrive(60, j);
			assert_false(card_poll(10));
		}
		assert_int_equal(got_count, 0);
		assert_int_equal(nic.counters.malformed, 3 * FAKE82574_RING);
		fake82574.lie = FAKE82574_HONEST;
		arrive(60, 1);
		assert_false(card_poll(10));
		assert_int_equal(got_count, 1);
		assert_null(nic.failed);
		fake82574_free();
	}
	begin(); /* in pieces, which may come one by one; no part of it is taken for a frame */
	assert_true(fake82574_receive(frame, 1500, 500));
	assert_false(card_poll(10));
	assert_true(fake82574_receive(frame, 1500, 500));
	assert_true(card_poll(1));
	assert_true(card_poll(1));
	assert_true(card_poll(1));
	assert_int_equal(got_count, 0);
	assert_int_equal(nic.counters.malformed, 6);
	arrive(60, 1);
	assert_false(card_poll(10));
	assert_int_equal(got_count, 1);
	fake82574_free();
}

/* What the card wrote to descriptors is gone when it gets them again. */
static void descriptors_are_written_whole(void **state)
{
	(void)state;
	begin();
	fake82574.lie = FAKE82574_SCRIBBLES;
	for (unsigned i = 0; i < 5 * FAKE82574_RING; i++) {
		arrive(60 + i, i);
		assert_false(card_poll(10));
		assert_int_equal(got_count, i + 1);
		assert_true(card_send(60 + i, i));
		expect_sent(60 + i, i);
	}
	fake82574_free();
}

static void ends(void **state)
{
	(void)state;
	begin();
	for (unsigned j = 0; j < FAKE82574_RING - 1; j++)
		assert_true(card_send(60, j));
	*fake82574_register(0x3810) = FAKE82574_RING;
	assert_false(card_send(60, 0));
	expect_dead("says that its ring's head is where it cannot be");
	assert_int_equal(fake82574.resets, 2);
	fake82574_free();
	begin(); /* gone from the bus: everything reads as ones */
	memset(fake82574.registers, 0xff, sizeof(fake82574.registers));
	assert_false(card_poll(10));
	expect_dead("is not there any more");
	fake82574_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_it_ready),
		cmocka_unit_test(refuses),
		cmocka_unit_test(frames_both_ways),
		cmocka_unit_test(sends_frames_only),
		cmocka_unit_test(more_than_there_is_room_for),
		cmocka_unit_test(looks_at_what_is_out),
		cmocka_unit_test(bursts),
		cmocka_unit_test(interrupts),
		cmocka_unit_test(frames_that_are_none),
		cmocka_unit_test(descriptors_are_written_whole),
		cmocka_unit_test(ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
