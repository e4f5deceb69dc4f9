/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the switch makes of senders that lie: about who they are, about checksums, segmentation and
 * lengths (the net part of H12 in docs/virtio-backends.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "netrig.h"

static void spoofing(void **state)
{
	unsigned bad = 0;

	(void)state;
	begin((struct net_options){ 0 }, CSUM | MRG, MRG);
#define SPOOF(change)                                                                              \
	do {                                                                                       \
		ip(0, 1, 17, 100);                                                                 \
		change;                                                                            \
		send_frame(0);                                                                           \
		expect_nothing();                                                                  \
		assert_int_equal(links[0].counters.spoofed, ++bad);                                \
	} while (0)
	SPOOF(frame[11] = 2);		       /* the neighbour's MAC */
	SPOOF(frame[6] = 3);		       /* a group as source */
	SPOOF(frame[29] = 2);		       /* the neighbour's IP */
	SPOOF(memset(frame + 26, 0, 4));       /* no IP, not DHCP */
	SPOOF(frame[14] = 0x65);	       /* IPv6 in IPv4's clothes */
	SPOOF(frame[14] = 0x44);	       /* header too short */
	SPOOF((frame[14] = 0x4f, frame_len = 14 + 59)); /* ... or longer than the frame */
	SPOOF(put16(12, 0x86dd));
	SPOOF(put16(12, 0x8100));
	SPOOF(put16(12, 0x88cc));
	SPOOF(frame_len = 14);
	SPOOF(frame_len = 33);
	/* DHCP asks from nowhere, and nothing else does. */
	ip(0, 1, 17, 300);
	memset(frame + 26, 0, 4);
	put16(34, 68);
	put16(36, 67);
	send_frame(0);
	expect_same(1);
	SPOOF((memset(frame + 26, 0, 4), put16(34, 68), put16(36, 53)));
	SPOOF((memset(frame + 26, 0, 4), put16(34, 68), put16(36, 67), frame[23] = 6));
	SPOOF((memset(frame + 26, 0, 4), put16(34, 68), put16(36, 67), put16(20, 1)));
#undef SPOOF
	/* An uplink is anybody but us. */
	ip(UP, 1, 17, 100);
	memcpy(frame + 6, links[0].options.mac, 6);
	send_frame(UP);
	frame[6] = 1;
	send_frame(UP);
	expect_nothing();
	assert_int_equal(links[UP].counters.spoofed, 2);
	end();
}

/* A card without an IP address of its own may use any, but only its own MAC. */
static void any_address(void **state)
{
	(void)state;
	begin((struct net_options){ 0 }, CSUM | MRG, MRG);
	memset(links[0].rules.ip4, 0, 4);
	ip(0, 1, 17, 100);
	frame[29] = 77;
	send_frame(0);
	expect_same(1);
	ip(0, 1, 17, 100);
	frame[11] = 2;
	send_frame(0);
	expect_nothing();
	assert_int_equal(links[0].counters.spoofed, 1);
	end();
}

/* A link that was removed is not shown anything: its window may be gone. */
static void removed(void **state)
{
	(void)state;
	begin((struct net_options){ 0 }, CSUM | MRG, MRG);
	net_link_remove(&links[1]);
	net_link_remove(&links[1]);
	ip(0, 1, 17, 100);
	send_frame(0);
	memset(frame, 0xff, 6);
	send_frame(0);
	assert_int_equal(links[1].counters.received, 0);
	assert_int_equal(links[UP].counters.received, 2);
	end();
}

static void arp(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
		bool good;
	} cases[] = {
		{ 21, 1, true },  { 21, 2, true },   { 21, 3, false },	{ 15, 2, false },
		{ 16, 9, false }, { 18, 8, false },  { 19, 16, false }, { 27, 7, false },
		{ 31, 7, false }, { 41, 99, true },
	};

	(void)state;
	begin((struct net_options){ 0 }, MRG, MRG);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]) + 3; i++) {
		static const uint8_t head[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };
		bool good;

		ethernet(links[1].options.mac, 0, 0x0806);
		memcpy(frame + 14, head, 8);
		memcpy(frame + 22, links[0].options.mac, 6);
		memcpy(frame + 28, links[0].options.ip4, 4);
		memcpy(frame + 38, links[1].options.ip4, 4);
		frame_len = 42;
		if (i < 10) {
			frame[cases[i].at] = cases[i].value;
			good = cases[i].good;
		} else if (i == 12) {
			frame_len = 41;
			good = false;
		} else {
			memset(frame + 28, 0, 4); /* a probe; a reply never */
			frame[21] = i == 10 ? 1 : 2;
			good = i == 10;
		}
		send_frame(0);
		assert_int_equal(receive(1), good);
	}
	end();
}

static void h12_metadata(void **state)
{
	unsigned bad = 0;

	(void)state;
	begin((struct net_options){ 0 }, TSO | MRG, TSO | MRG);
#define LIE(make, change)                                                                          \
	do {                                                                                       \
		make;                                                                              \
		change;                                                                            \
		send_frame(0);                                                                           \
		expect_nothing();                                                                  \
		assert_int_equal(links[0].counters.malformed, ++bad);                              \
	} while (0)
#define GSO (tcp(0, 1, 5000), hdr.gso_type = NET_GSO_TCPV4, hdr.gso_size = 1448)
	LIE(ip(0, 1, 17, 1481), (void)0);	       /* over the MTU */
	LIE(ip(0, 1, 17, 100), hdr.flags = 2);	       /* DATA_VALID is ours to say */
	LIE(ip(0, 1, 17, 100), hdr.flags = 0x80);
	LIE(ip(0, 1, 17, 100), hdr.gso_type = 3);      /* UDP, IPv6, ECN: not offered */
	LIE(GSO, hdr.gso_type = 4);
	LIE(GSO, hdr.gso_type = 0x81);
	LIE(GSO, hdr.gso_type = 0xff);
	LIE(GSO, hdr.gso_size = 0);
	LIE(GSO, hdr.gso_size = FRAME_GSO_MIN - 1);
	LIE(GSO, hdr.gso_size = 1461);
	LIE(GSO, hdr.gso_size = 0xffff);
	LIE(GSO, hdr.flags = 0);
	LIE(GSO, frame[23] = 17);
	LIE(GSO, put16(20, 0x2000)); /* a fragment */
	LIE(GSO, put16(16, 5040 + 1));
	LIE(GSO, put16(16, 40));
	LIE(GSO, frame[46] = 0x40);  /* TCP header too short */
	LIE(GSO, put16(12, 0x86dd));
	LIE(GSO, frame[14] = 0x46);
	LIE(GSO, frame_len = 54);
	LIE((tcp(0, 1, 0), frame[46] = 0xf0, hdr.gso_type = 1, hdr.gso_size = 1448), (void)0);
	LIE((tcp(0, 1, 65496), hdr.gso_type = 1, hdr.gso_size = 1448), (void)0); /* 65,536 */
	/* A checksum anywhere but in its field forges what is there: here the source address. */
	LIE(tcp(0, 1, 100), (hdr.csum_start = 14, hdr.csum_offset = 12));
	LIE(tcp(0, 1, 100), (hdr.csum_start = 0, hdr.csum_offset = 6));
	LIE(tcp(0, 1, 100), hdr.csum_start = 0xffff);
	LIE(tcp(0, 1, 100), hdr.csum_offset = 0xffff);
	LIE(tcp(0, 1, 100), hdr.csum_offset = 6);
	LIE(tcp(0, 1, 100), frame_len = 51);
	LIE(tcp(0, 1, 100), put16(12, 0x0806));
	frame_len = 0;
	for (unsigned len = 0; len < 14; len++) {
		ethernet(links[1].options.mac, 0, 0x0800);
		frame_len = len;
		send_frame(0);
		assert_int_equal(links[0].counters.malformed, ++bad);
	}
#undef GSO
	/* Without the feature the same metadata is a lie. */
	end();
	bad = 0;
	begin((struct net_options){ 0 }, MRG, MRG);
	LIE(tcp(0, 1, 100), (void)0);
	LIE((tcp(0, 1, 5000), hdr.gso_type = 1, hdr.gso_size = 1448), (void)0);
#undef LIE
	expect_nothing();
	end();
}

/* A sender's chain with something to write, and one of too many segments. */
static void h12_chains(void **state)
{
	struct drvq_buf bufs[NET_TX_SEGS + 1];
	uint32_t written;
	void *token;

	(void)state;
	begin((struct net_options){ 0 }, MRG, MRG);
	bufs[0] = bufs[1] = (struct drvq_buf){ RIG_DATA, 100 };
	assert_true(drvq_add(&rigs[0].queues[1], bufs, 1, 1, NULL));
	rig_run(&rigs[0]);
	assert_int_equal(drvq_get(&rigs[0].queues[1], &token, &written), 1);
	assert_int_equal(links[0].counters.malformed, 1);
	for (unsigned i = 0; i <= NET_TX_SEGS; i++)
		bufs[i] = (struct drvq_buf){ RIG_DATA + i, 1 };
	assert_true(drvq_add(&rigs[0].queues[1], bufs, NET_TX_SEGS + 1, 0, NULL));
	rig_run(&rigs[0]);
	assert_int_equal(links[0].dev.state, VDEV_BROKEN);
	/* The others go on. */
	ip(UP, 1, 17, 100);
	frame[7] = 9;
	send_frame(UP);
	expect_same(1);
	ip(UP, 0, 17, 100);
	frame[7] = 9;
	send_frame(UP);
	assert_int_equal(links[0].counters.no_buffer, 1);
	rig_start(&rigs[0], &links[0].dev, MRG, 2, SIZE);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spoofing),
		cmocka_unit_test(any_address),
		cmocka_unit_test(removed),
		cmocka_unit_test(arp),
		cmocka_unit_test(h12_metadata),
		cmocka_unit_test(h12_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
