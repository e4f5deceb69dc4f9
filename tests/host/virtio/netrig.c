/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "netrig.h"

struct rig rigs[LINKS];
struct net_switch sw;
struct net_link links[LINKS];
uint64_t rx_bytes; /* of a buffer */

void make(unsigned i, struct net_options options)
{
	options.mac[0] = 2;
	options.mac[5] = (uint8_t)(i + 1);
	options.ip4[0] = 10;
	options.ip4[3] = (uint8_t)(i + 1);
	options.uplink = i == UP;
	assert_null(net_link_init(&links[i], &sw, &options, &rigs[i].port, &rigs[i].window));
}

void offer_buffers(unsigned i, unsigned count, uint32_t len)
{
	rx_bytes = len;
	for (unsigned j = 0; j < count; j++) {
		struct drvq_buf buf = { RIG_DATA + RX_AT + j * len, len };

		assert_true(drvq_add(&rigs[i].queues[0], &buf, 0, 1, (void *)(uintptr_t)(j + 1)));
	}
}

void begin(struct net_options options, uint64_t from, uint64_t to)
{
	net_switch_init(&sw, NULL);
	for (unsigned i = 0; i < LINKS; i++) {
		rig_init(&rigs[i]);
		make(i, options);
		rig_start(&rigs[i], &links[i].dev, i == 0 ? from : to, 2, SIZE);
		offer_buffers(i, RX_COUNT, RX_BYTES);
	}
}

void end(void)
{
	for (unsigned i = 0; i < LINKS; i++) {
		assert_int_equal(links[i].dev.state, VDEV_LIVE);
		assert_false(drvq_broken(&rigs[i].queues[0]));
		assert_false(drvq_broken(&rigs[i].queues[1]));
		assert_int_equal(rigs[i].queues[0].clamped, 0);
		rig_free(&rigs[i]);
	}
}

/* A frame being made. */
struct net_hdr hdr;
uint8_t frame[70000];
uint32_t frame_len;

void ethernet(const uint8_t to[6], unsigned from, unsigned type)
{
	memset(&hdr, 0, sizeof(hdr));
	memset(frame, 0, 64);
	memcpy(frame, to, 6);
	memcpy(frame + 6, links[from].options.mac, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	frame_len = 14;
}

void put16(uint32_t at, uint32_t value)
{
	frame[at] = (uint8_t)(value >> 8);
	frame[at + 1] = (uint8_t)value;
}

uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

/* Plain sum, of an even number of bytes or padded. */
uint32_t plain_sum(const uint8_t *bytes, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i += 2) {
		sum += (uint32_t)bytes[i] << 8 | (i + 1 < len ? bytes[i + 1] : 0);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* Is the sum of a TCP or UDP packet over IPv4 right? */
bool checksum_good(const uint8_t *packet)
{
	uint32_t len = get16(packet + 14 + 2) - 20;
	uint32_t sum = plain_sum(packet + 14 + 12, 8) + packet[14 + 9] + len +
		       plain_sum(packet + 34, len);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff && plain_sum(packet + 14, 20) == 0xffff;
}

void ip(unsigned from, unsigned to, unsigned proto, uint32_t len)
{
	ethernet(links[to].options.mac, from, 0x0800);
	frame[14] = 0x45;
	put16(16, 20 + len);
	frame[18] = 0x12;
	frame[22] = 64;
	frame[23] = (uint8_t)proto;
	memcpy(frame + 26, links[from].options.ip4, 4);
	memcpy(frame + 30, links[to].options.ip4, 4);
	put16(24, 0xffff & ~plain_sum(frame + 14, 20));
	for (uint32_t i = 0; i < len; i++)
		frame[34 + i] = (uint8_t)(i * 7 + i / 256);
	frame_len = 34 + len;
}

/* A TCP segment with the pseudo-header's sum in its checksum field, as a driver with CSUM sends it. */
void tcp(unsigned from, unsigned to, uint32_t payload)
{
	uint32_t sum;

	ip(from, to, 6, 20 + payload);
	frame[34 + 12] = 0x50;
	frame[34 + 13] = 0x99; /* CWR ACK PSH FIN */
	sum = plain_sum(frame + 26, 8) + 6 + 20 + payload;
	put16(50, (sum & 0xffff) + (sum >> 16));
	hdr.flags = NET_HDR_NEEDS_CSUM;
	hdr.csum_start = 34;
	hdr.csum_offset = 16;
}

/* Sends the frame in `pieces` descriptors and lets everybody run. */
void send_in(unsigned from, unsigned pieces)
{
	struct drvq *q = &rigs[from].queues[1];
	struct drvq_buf bufs[NET_TX_SEGS];
	uint32_t total = 12 + frame_len, at = 0, written;
	void *token;

	memcpy(rig_data(&rigs[from], 0), &hdr, 12);
	memcpy(rig_data(&rigs[from], 12), frame, frame_len);
	for (unsigned i = 0; i < pieces; i++) {
		uint32_t n = i + 1 < pieces ? total / pieces : total - at;

		bufs[i] = (struct drvq_buf){ RIG_DATA + at, n };
		at += n;
	}
	assert_true(drvq_add(q, bufs, pieces, 0, NULL));
	rig_run(&rigs[from]);
	assert_int_equal(drvq_get(q, &token, &written), 1);
	assert_int_equal(written, 0);
}

void send_frame(unsigned from)
{
	send_in(from, 2);
}

/* Takes one packet; false: there is none. The buffer is not offered again. */
struct net_hdr got_hdr;
uint8_t got[70000];
uint32_t got_len;

bool receive(unsigned i)
{
	struct drvq *q = &rigs[i].queues[0];
	uint32_t buffers = 1;

	got_len = 0;
	for (uint32_t n = 0; n < buffers; n++) {
		uint32_t written;
		void *token;
		uint8_t *at;

		if (!drvq_get(q, &token, &written)) {
			assert_int_equal(n, 0); /* all buffers of a packet at once */
			return false;
		}
		at = rig_data(&rigs[i], RX_AT + ((uintptr_t)token - 1) * rx_bytes);
		if (n == 0) {
			memcpy(&got_hdr, at, 12);
			buffers = got_hdr.num_buffers;
			assert_true(buffers >= 1 && buffers <= NET_MERGE_MAX);
		}
		memcpy(got + got_len, at, written);
		got_len += written;
	}
	got_len -= 12;
	memmove(got, got + 12, got_len);
	return true;
}

void expect_same(unsigned i)
{
	assert_true(receive(i));
	assert_int_equal(got_len, frame_len);
	assert_memory_equal(got, frame, frame_len);
	assert_false(receive(i));
}

void expect_nothing(void)
{
	for (unsigned i = 0; i < LINKS; i++)
		assert_false(receive(i));
}
