/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch: who gets what, what happens to checksums and large segments, buffers, a successor.
 * Checksums of what arrives are computed by a plain loop of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "netrig.h"

static void unicast_and_broadcast(void **state)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
	static const uint8_t unknown[6] = { 2, 9, 9, 9, 9, 9 };

	(void)state;
	begin((struct net_options){ 0 }, MRG, MRG);
	for (unsigned pieces = 1; pieces < 30; pieces += 7) {
		ip(0, 1, 17, 1000);
		send_in(0, pieces);
		expect_same(1);
	}
	expect_nothing();
	ip(0, 1, 17, 100);
	memcpy(frame, all, 6);
	send_frame(0);
	expect_same(1);
	expect_same(UP);
	assert_false(receive(0));
	memcpy(frame, unknown, 6); /* not ours: the world's */
	send_frame(0);
	expect_same(UP);
	expect_nothing();
	ip(0, 0, 17, 100); /* to itself */
	send_frame(0);
	expect_nothing();
	assert_int_equal(links[0].counters.no_target, 1);
	ip(UP, 1, 17, 100);
	memcpy(frame + 6, unknown, 6);
	memset(frame + 26, 8, 4);
	send_frame(UP);
	expect_same(1);
	assert_int_equal(links[0].counters.sent, 8);
	assert_int_equal(links[1].counters.received, 7);
	end();
}

static void isolated(void **state)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };

	(void)state;
	begin((struct net_options){ .isolated = true }, MRG, MRG);
	ip(0, 1, 17, 100);
	send_frame(0);
	expect_nothing();
	memcpy(frame, all, 6);
	send_frame(0);
	expect_same(UP);
	expect_nothing();
	ip(UP, 0, 17, 100);
	frame[7] = 9;
	send_frame(UP);
	expect_same(0);
	end();
}

static void checksums(void **state)
{
	(void)state;
	/* The receiver does it itself. */
	begin((struct net_options){ 0 }, CSUM | MRG, CSUM | MRG);
	tcp(0, 1, 777);
	send_frame(0);
	expect_same(1);
	assert_int_equal(got_hdr.flags, NET_HDR_NEEDS_CSUM);
	assert_int_equal(got_hdr.csum_start, 34);
	assert_int_equal(got_hdr.csum_offset, 16);
	assert_int_equal(got_hdr.num_buffers, 1);
	end();
	/* It does not: the switch does, over any length and layout. */
	begin((struct net_options){ 0 }, CSUM | MRG, MRG);
	for (uint32_t payload = 0; payload < 1400; payload += 61) {
		tcp(0, 1, payload);
		send_in(0, 1 + payload % 13);
		assert_true(receive(1));
		assert_int_equal(got_len, frame_len);
		assert_int_equal(got_hdr.flags, 0);
		assert_int_equal(got_hdr.csum_start, 0);
		assert_true(checksum_good(got));
		assert_memory_equal(got + 54, frame + 54, payload);
	}
	/* What goes to two receivers is right at both. */
	tcp(0, 1, 100);
	memset(frame, 0xff, 6);
	send_frame(0);
	assert_true(receive(1) && checksum_good(got));
	assert_true(receive(UP) && checksum_good(got));
	end();
}

static void large_segments(void **state)
{
	(void)state;
	/* Passed on, in as many buffers as it takes. */
	begin((struct net_options){ 0 }, TSO | MRG, TSO | MRG);
	tcp(0, 1, 60000);
	hdr.gso_type = NET_GSO_TCPV4;
	hdr.gso_size = 1448;
	hdr.hdr_len = 9999; /* a lie nobody reads */
	send_in(0, 20);
	expect_same(1);
	assert_int_equal(got_hdr.gso_type, NET_GSO_TCPV4);
	assert_int_equal(got_hdr.gso_size, 1448);
	assert_int_equal(got_hdr.hdr_len, 54);
	assert_int_equal(got_hdr.num_buffers, 30);
	end();
}

/* Cut by the switch: every piece is a right packet and together they are the segment. */
static void cutting(void **state)
{
	static const uint32_t sizes[] = { 1448, 1000, 999, 536, 1460 };

	(void)state;
	for (unsigned csum = 0; csum < 2; csum++)
		for (unsigned i = 0; i < 5; i++) {
			uint32_t total = 20000 + i, at = 0;
			unsigned n = 0;

			begin((struct net_options){ 0 }, TSO | MRG, csum ? CSUM | MRG : MRG);
			tcp(0, 1, total);
			hdr.gso_type = NET_GSO_TCPV4;
			hdr.gso_size = (uint16_t)sizes[i];
			send_in(0, 7);
			for (; receive(1); n++) {
				uint32_t len = got_len - 54;
				bool last = at + len == total;

				assert_int_equal(len, last ? total - at : sizes[i]);
				assert_memory_equal(got + 54, frame + 54 + at, len);
				assert_int_equal(get16(got + 16), got_len - 14);
				assert_int_equal(get16(got + 18), (get16(frame + 18) + n) & 0xffff);
				assert_int_equal(get32(got + 38), get32(frame + 38) + at);
				assert_int_equal(got[47], 0x10 | (n ? 0 : 0x80) | (last ? 9 : 0));
				assert_int_equal(got_hdr.gso_type, NET_GSO_NONE);
				if (csum) {
					uint32_t sum = plain_sum(got + 26, 8) + 6 + 20 + len;

					assert_int_equal(got_hdr.flags, NET_HDR_NEEDS_CSUM);
					assert_int_equal(get16(got + 50),
							 (sum & 0xffff) + (sum >> 16));
				} else {
					assert_int_equal(got_hdr.flags, 0);
					assert_true(checksum_good(got));
				}
				at += len;
			}
			assert_int_equal(at, total);
			end();
		}
}

/* Receivers without buffers, with tiny ones, and without merging; nobody else is held up. */
static void buffers(void **state)
{
	(void)state;
	begin((struct net_options){ 0 }, MRG, MRG);
	for (unsigned i = 0; i < RX_COUNT + 10; i++) {
		ip(0, 1, 17, 1000);
		send_frame(0);
	}
	assert_int_equal(links[1].counters.received, RX_COUNT);
	assert_int_equal(links[1].counters.no_buffer, 10);
	for (unsigned i = 0; i < RX_COUNT; i++)
		assert_true(receive(1));
	assert_false(receive(1));
	/* 30 bytes each: a frame of 1,514 bytes takes 51 of the 100, the next one does not find enough;
	 * the 49 taken for it are good for a smaller one. */
	offer_buffers(1, 100, 30);
	ip(0, 1, 17, 1480);
	send_in(0, 3);
	expect_same(1);
	assert_int_equal(got_hdr.num_buffers, 51);
	send_in(0, 3);
	assert_int_equal(links[1].counters.no_buffer, 11);
	assert_false(receive(1));
	ip(0, 1, 17, 1300);
	send_in(0, 60);
	expect_same(1);
	assert_int_equal(got_hdr.num_buffers, 45);
	end();
	/* A first buffer without room for the headers takes nothing. */
	begin((struct net_options){ 0 }, MRG, MRG);
	for (unsigned i = 0; i < RX_COUNT; i++) {
		ip(0, 1, 17, 1000);
		send_frame(0);
		assert_true(receive(1));
	}
	offer_buffers(1, 100, 25);
	send_frame(0);
	assert_false(receive(1));
	assert_int_equal(links[1].counters.no_buffer, 1);
	end();
}

static void not_merged(void **state)
{
	(void)state;
	begin((struct net_options){ 0 }, TSO | MRG, TSO);
	ip(0, 1, 17, 1000);
	send_frame(0);
	expect_same(1);
	assert_int_equal(got_hdr.num_buffers, 1);
	tcp(0, 1, 5000); /* does not fit into one buffer of 2 KiB */
	hdr.gso_type = 1;
	hdr.gso_size = 1448;
	send_frame(0);
	assert_false(receive(1));
	assert_int_equal(links[1].counters.no_buffer, 1);
	ip(0, 1, 17, 1000); /* and the buffer is still good */
	send_frame(0);
	expect_same(1);
	end();
}

/* Sent at most once, buffers stay good. */
static void successor(void **state)
{
	struct drvq_buf buf = { RIG_DATA, 12 + 134 };
	struct vr_seg segs[NET_TX_SEGS];
	struct devq_chain chain = { .segs = segs, .max = NET_TX_SEGS };
	uint32_t written;
	void *token;

	(void)state;
	begin((struct net_options){ 0 }, MRG, MRG);
	ip(0, 1, 17, 100);
	memcpy(rig_data(&rigs[0], 0), &hdr, 12);
	memcpy(rig_data(&rigs[0], 12), frame, frame_len);
	assert_true(drvq_add(&rigs[0].queues[1], &buf, 1, 0, NULL));
	assert_true(drvq_add(&rigs[0].queues[1], &buf, 1, 0, NULL));
	assert_int_equal(devq_pop(&links[0].dev.queues[1], &chain), 1); /* taken, and dead */
	assert_int_equal(devq_pop(&links[1].dev.queues[0], &chain), 1); /* the same for a buffer */
	net_switch_init(&sw, NULL);
	for (unsigned i = 0; i < LINKS; i++) {
		make(i, (struct net_options){ 0 });
		rig_attach(&rigs[i], &links[i].dev);
	}
	rig_run(&rigs[0]);
	assert_int_equal(links[0].counters.replayed, 1);
	assert_int_equal(drvq_get(&rigs[0].queues[1], &token, &written), 1);
	assert_int_equal(drvq_get(&rigs[0].queues[1], &token, &written), 1);
	expect_same(1);
	assert_int_equal(links[1].dev.queues[0].replay_next, 1);
	end();
}

static void rate(void **state)
{
	uint64_t at;

	(void)state;
	begin((struct net_options){ .bytes_per_second = 1000000, .burst_bytes = 1 }, MRG, MRG);
	ip(0, 1, 17, 954); /* 1,000 bytes with header */
	send_frame(0);
	at = rigs[0].now;
	assert_int_equal(link_run(&rigs[0].link, at), at + 1000000);
	end();
}

static bool rang; /* the driver was to ring for the last frame */

/* Sends a frame of link 0 or 1 to the other and has the switch look once; when it wants to look again. */
static uint64_t one_more(unsigned from)
{
	struct drvq *q = &rigs[from].queues[1];
	struct drvq_buf buf = { RIG_DATA, 12 + frame_len };
	uint32_t written;
	uint64_t wake;
	void *token;

	memcpy(rig_data(&rigs[from], 0), &hdr, 12);
	memcpy(rig_data(&rigs[from], 12), frame, frame_len);
	assert_true(drvq_add(q, &buf, 1, 0, NULL));
	rang = drvq_should_kick(q);
	wake = link_run(&rigs[from].link, rigs[from].now);
	assert_int_equal(drvq_get(q, &token, &written), 1);
	return wake;
}

static void answer(void)
{
	ip(1, 0, 17, 100);
	assert_int_equal(one_more(1), VDEV_IDLE);
	ip(0, 1, 17, 100);
}

/* Who sends one frame after the other and is sent none is not told to ring for each, and is not forgotten. */
static void bursts(void **state)
{
	(void)state;
	begin((struct net_options){ 0 }, TSO | MRG, TSO | MRG);
	answer();
	for (unsigned i = 0; i < 3 * NET_BURST_FRAMES; i++) { /* who is answered waits for it */
		assert_int_equal(one_more(0), VDEV_IDLE);
		assert_true(rang);
		if (i % 4 == 3)
			answer();
	}
	for (unsigned i = 1; i < NET_BURST_FRAMES; i++) {
		assert_int_equal(one_more(0), VDEV_IDLE);
		assert_true(rang);
	}
	assert_int_equal(one_more(0), rigs[0].now + NET_PAUSE);
	assert_true(rang);
	rigs[0].now += NET_PAUSE;
	assert_int_equal(one_more(0), VDEV_IDLE); /* in the pause; with it the burst is over */
	assert_false(rang);
	assert_int_equal(one_more(0), VDEV_IDLE);
	assert_true(rang);
	answer();
	tcp(0, 1, 60000); /* as much as many */
	hdr.gso_type = NET_GSO_TCPV4;
	hdr.gso_size = 1448;
	assert_int_equal(one_more(0), rigs[0].now + NET_PAUSE);
	rigs[0].now += NET_PAUSE;
	assert_int_equal(link_run(&rigs[0].link, rigs[0].now), VDEV_IDLE); /* nothing came */
	ip(0, 1, 17, 100);
	(void)one_more(0);
	assert_true(rang);
	end();
}

static void options(void **state)
{
	struct net_options o = { .mac = { 2, 0, 0, 0, 0, 9 } };
	struct {
		uint8_t mac[6];
		uint16_t status, pairs, mtu;
	} config;
	static struct net_link link;

	(void)state;
	begin((struct net_options){ .mtu = 1400 }, 0, 0);
	assert_true(front_config(&rigs[1].front, 0, &config, 12));
	assert_memory_equal(config.mac, links[1].options.mac, 6);
	assert_int_equal(config.status, 1);
	assert_int_equal(config.mtu, 1400);
	net_link_set_up(&links[1], false);
	rig_run(&rigs[1]);
	assert_true(front_config(&rigs[1].front, 0, &config, 12));
	assert_int_equal(config.status, 0);
	o.mtu = 67;
	assert_non_null(net_link_init(&link, &sw, &o, &rigs[0].port, &rigs[0].window));
	o.mtu = 9001;
	assert_non_null(net_link_init(&link, &sw, &o, &rigs[0].port, &rigs[0].window));
	o.mtu = 0;
	o.mac[0] = 3;
	assert_non_null(net_link_init(&link, &sw, &o, &rigs[0].port, &rigs[0].window));
	o.mac[0] = 2;
	o.mac[5] = 1;
	assert_non_null(net_link_init(&link, &sw, &o, &rigs[0].port, &rigs[0].window));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unicast_and_broadcast),
		cmocka_unit_test(isolated),
		cmocka_unit_test(checksums),
		cmocka_unit_test(large_segments),
		cmocka_unit_test(cutting),
		cmocka_unit_test(buffers),
		cmocka_unit_test(not_merged),
		cmocka_unit_test(successor),
		cmocka_unit_test(rate),
		cmocka_unit_test(bursts),
		cmocka_unit_test(options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
