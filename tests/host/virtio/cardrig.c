/* SPDX-License-Identifier: BSD-2-Clause */
#include "cardrig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

uint8_t got[CARDRIG_FRAME_MAX];
uint32_t got_len;
unsigned got_count;

static void keep(void *self, const uint8_t *frame, uint32_t len)
{
	assert_ptr_equal(self, &got_count);
	assert_true(len >= CARDRIG_FRAME_MIN && len <= CARDRIG_FRAME_MAX);
	assert_true(frame >= *cardrig.arena + cardrig.begin && frame + len <= *cardrig.arena + cardrig.end);
	memcpy(got, frame, len);
	got_len = len;
	got_count++;
}

bool card_poll(unsigned limit)
{
	bool more = cardrig.poll(limit, keep, &got_count);

	cardrig.flush();
	return more;
}

static void fill(uint8_t *at, uint32_t len, unsigned seed)
{
	for (uint32_t i = 0; i < len; i++)
		at[i] = (uint8_t)(seed * 31 + i * 7 + i / 256);
}

bool card_send(uint32_t len, unsigned seed)
{
	uint8_t *at = cardrig.room();

	if (!at)
		return false;
	fill(at, len, seed);
	cardrig.send(len);
	cardrig.flush();
	return true;
}

void expect_sent(uint32_t len, unsigned seed)
{
	uint8_t same[CARDRIG_FRAME_MAX];

	fill(same, len, seed);
	assert_int_equal(cardrig.transmit(1), 1);
	assert_int_equal(*cardrig.sent_len, len);
	assert_memory_equal(cardrig.sent, same, len);
}

void arrive(uint32_t len, unsigned seed)
{
	uint8_t frame[CARDRIG_FRAME_MAX];

	fill(frame, len, seed);
	assert_true(cardrig.receive(frame, len));
}

void frames_of_lengths(unsigned rounds)
{
	static const uint32_t lens[] = { 14, 15, 60, 590, 1513, 1514 };

	for (unsigned round = 0; round < rounds; round++) {
		uint32_t len = lens[round % 6];
		uint8_t same[CARDRIG_FRAME_MAX];

		assert_true(card_send(len, round));
		expect_sent(len, round);
		arrive(len, round + 1);
		assert_false(card_poll(8));
		assert_int_equal(got_count, round + 1);
		assert_int_equal(got_len, len);
		fill(same, len, round + 1);
		assert_memory_equal(got, same, len);
	}
}

void send_no_frames(void)
{
	assert_non_null(cardrig.room());
	cardrig.send(CARDRIG_FRAME_MIN - 1);
	cardrig.send(CARDRIG_FRAME_MAX + 1);
	cardrig.send(~0u);
	cardrig.flush();
	assert_int_equal(cardrig.transmit(10), 0);
}

void send_more_than(unsigned most)
{
	for (unsigned i = 0; i < most; i++)
		assert_true(card_send(100 + i, i));
	assert_false(card_send(100, 99));
	assert_int_equal(*cardrig.full, 1);
	cardrig.send(100); /* without room */
	cardrig.flush();
	for (unsigned i = 0; i < 10; i++)
		expect_sent(100 + i, i);
	for (unsigned i = 0; i < 10; i++)
		assert_true(card_send(300 + i, i));
	assert_false(card_send(100, 99));
	for (unsigned i = 10; i < most; i++)
		expect_sent(100 + i, i);
	for (unsigned i = 0; i < 10; i++)
		expect_sent(300 + i, i);
	assert_int_equal(cardrig.transmit(1), 0);
	assert_null(*cardrig.failed);
}

void expect_dead(const char *why)
{
	assert_string_equal(*cardrig.failed, why);
	assert_false(card_send(60, 0));
	cardrig.send(60);
	got_count = 0;
	assert_false(card_poll(10));
	assert_int_equal(got_count, 0);
}
