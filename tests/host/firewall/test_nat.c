/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections through the firewall: who is let in, which port he gets, how many there are and how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define EVERYTHING "allow,any,0.0.0.0/0,0-65535,0.0.0.0/0"

static void there_and_back(void **state)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP };

	(void)state;
	begin(EVERYTHING);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned payload = 0; payload <= 1400; payload += 175) {
			make(protos[i], VM, 4000 + payload, WEB, 80, payload);
			put_in(INSIDE);
			expect(OUTSIDE, FW_OUT, 4000 + payload, WEB, 80);
			assert_int_equal(sent[14 + 8], 63);
			make(protos[i], WEB, 80, FW_OUT, 4000 + payload, payload + 1);
			put_in(OUTSIDE);
			expect(INSIDE, WEB, 80, VM, 4000 + payload);
		}
	make_echo(VM, WEB, 0x77, false);
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 0x77, WEB, 0);
	make_echo(WEB, FW_OUT, 0x77, true);
	put_in(OUTSIDE);
	expect(INSIDE, WEB, 0x77, VM, 0);
	assert_int_equal(router.nat.used, 19);
}

/* UDP may have no checksum, and then has none behind the firewall; one that becomes 0 is sent as ones. */
static void udp_checksums(void **state)
{
	(void)state;
	begin(EVERYTHING);
	make(PROTO_UDP, VM, 5000, WEB, 53, 20);
	put16(frame + 40, 0);
	put_in(INSIDE);
	assert_int_equal(sent_count, 1);
	assert_int_equal(get16(sent + 40), 0);
	for (unsigned i = 0; i < 65536; i += 13) { /* all sums there are, nearly */
		make(PROTO_UDP, VM, 5000, WEB, 53, 20);
		put16(frame + 42, i);
		seal();
		put_in(INSIDE);
		expect(OUTSIDE, FW_OUT, 5000, WEB, 53);
		assert_int_not_equal(get16(sent + 40), 0);
	}
	for (uint32_t i = 0; i < 65536; i++) { /* exactly the one that ends as 0 */
		make(PROTO_UDP, VM, 5000, WEB, 53, 2);
		put16(frame + 42, i);
		seal();
		put_in(INSIDE);
		assert_int_not_equal(get16(sent + 40), 0);
	}
}

/* A wrong checksum stays wrong: the firewall vouches for nothing it has not computed. */
static void wrong_stays_wrong(void **state)
{
	uint32_t sum = 0;

	(void)state;
	begin(EVERYTHING);
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	frame[60] ^= 1;
	put_in(INSIDE);
	assert_int_equal(sent_count, 1);
	for (unsigned i = 26; i < sent_len; i += 2)
		sum += get16(sent + i);
	sum += PROTO_TCP + sent_len - 34;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_not_equal(sum, 0xffff);
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	frame[24] ^= 1; /* of the IPv4 header: dropped */
	put_in(INSIDE);
	expect_nothing();
}

/* Nothing from outside begins anything; what answers must answer exactly. */
static void unasked(void **state)
{
	(void)state;
	begin(EVERYTHING);
	make_tcp(WEB, 80, FW_OUT, 4000, TCP_SYN);
	put_in(OUTSIDE);
	expect_nothing();
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, WEB, 80);
	make_tcp(WEB + 1, 80, FW_OUT, 4000, TCP_ACK);
	put_in(OUTSIDE);
	expect_nothing();
	make_tcp(WEB, 81, FW_OUT, 4000, TCP_ACK);
	put_in(OUTSIDE);
	expect_nothing();
	make_tcp(WEB, 80, FW_OUT, 4001, TCP_ACK);
	put_in(OUTSIDE);
	expect_nothing();
	make(PROTO_UDP, WEB, 80, FW_OUT, 4000, 10);
	put_in(OUTSIDE);
	expect_nothing();
	make_tcp(WEB, 80, VM, 4000, TCP_ACK); /* to the station itself */
	put_in(OUTSIDE);
	expect_nothing();
	make_echo(WEB, FW_OUT, 4000, false); /* nobody outside pings anything */
	put_in(OUTSIDE);
	expect_nothing();
	make_echo(VM, WEB, 9, true); /* and nobody inside answers what was not asked */
	put_in(INSIDE);
	expect_nothing();
	make_tcp(WEB, 80, FW_OUT, 4000, TCP_SYN | TCP_ACK);
	put_in(OUTSIDE);
	expect(INSIDE, WEB, 80, VM, 4000);
	assert_int_equal(router.nat.counters.unasked, 7);
	assert_int_equal(router.nat.used, 1);
}

/* Two stations with the same port to the same remote: the second gets another, and each his own answers. */
static void ports(void **state)
{
	unsigned other;

	(void)state;
	begin(EVERYTHING);
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, WEB, 80);
	make_tcp(VM2, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	other = get16(sent + 34);
	assert_true(other != 4000 && other >= NAT_PORT_FIRST);
	expect(OUTSIDE, FW_OUT, other, WEB, 80);
	make_tcp(WEB, 80, FW_OUT, 4000, TCP_ACK);
	put_in(OUTSIDE);
	expect(INSIDE, WEB, 80, VM, 4000);
	make_tcp(WEB, 80, FW_OUT, other, TCP_ACK);
	put_in(OUTSIDE);
	expect(INSIDE, WEB, 80, VM2, 4000);
	make_tcp(VM2, 4000, WEB, 81, TCP_SYN); /* another remote: its own port is free there */
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, WEB, 81);
}

static bool passes(uint8_t proto, uint32_t from, unsigned port)
{
	make(proto, from, port, WEB, 80, 10);
	put_in(INSIDE);
	return sent_count != 0;
}

/* One station cannot take the table, and a full table takes nothing from those in it. */
static void bounds(void **state)
{
	(void)state;
	begin(EVERYTHING);
	for (unsigned i = 0; i < NAT_FLOWS_EACH; i++)
		assert_true(passes(PROTO_UDP, VM, 2000 + i));
	assert_false(passes(PROTO_UDP, VM, 1999));
	assert_string_equal(last_log, "no room for a connection: udp 10.0.0.1:1999 to 93.184.216.34:80");
	assert_int_equal(router.nat.counters.full_each, 1);
	for (unsigned i = 0; i < NAT_FLOWS_EACH; i++)
		assert_true(passes(PROTO_UDP, VM, 2000 + i));
	assert_true(passes(PROTO_UDP, VM2, 2000));
	for (unsigned i = 3; router.nat.used < NAT_FLOWS; i++)
		for (unsigned j = 0; j < NAT_FLOWS_EACH; j++) {
			make(PROTO_UDP, IP4(10, 0, 0, i), 3000 + j, WEB, 80, 1);
			put_in(INSIDE);
		}
	assert_false(passes(PROTO_UDP, VM2, 1999));
	assert_int_not_equal(router.nat.counters.full, 0);
	assert_true(passes(PROTO_UDP, VM, 2000));
	assert_true(log_count <= ROUTER_LINES);
	now += NAT_UDP_NEW;
	assert_true(passes(PROTO_UDP, VM2, 1999)); /* all the others are too old */
	assert_int_equal(router.nat.used, 1);
}

/* Whether a packet goes on; its neighbour may have to be asked for first. */
static bool answered(uint8_t proto, unsigned port, uint8_t flags)
{
	uint64_t before = router.counters.forwarded[OUTSIDE];

	make(proto, WEB, 80, FW_OUT, port, 10);
	if (proto == PROTO_TCP) {
		frame[47] = flags;
		seal();
	}
	put_in(OUTSIDE);
	return router.counters.forwarded[OUTSIDE] != before;
}

static bool tcp(uint8_t flags)
{
	uint64_t before = router.counters.forwarded[INSIDE];

	make_tcp(VM, 4000, WEB, 80, flags);
	put_in(INSIDE);
	return router.counters.forwarded[INSIDE] != before;
}

static void lifetimes(void **state)
{
	(void)state;
	begin(EVERYTHING);
	assert_true(passes(PROTO_UDP, VM, 4000));
	now += NAT_UDP_NEW - 1;
	assert_true(answered(PROTO_UDP, 4000, 0));
	now += NAT_UDP_LIVE - 1;
	assert_true(answered(PROTO_UDP, 4000, 0));
	now += NAT_UDP_LIVE;
	assert_false(answered(PROTO_UDP, 4000, 0));
	assert_int_equal(router.nat.used, 0);

	begin(EVERYTHING);
	assert_true(tcp(TCP_SYN));
	now += NAT_TCP_NEW;
	assert_false(answered(PROTO_TCP, 4000, TCP_SYN | TCP_ACK));
	assert_true(tcp(TCP_SYN));
	assert_true(answered(PROTO_TCP, 4000, TCP_SYN | TCP_ACK));
	now += NAT_TCP_LIVE - 1;
	assert_true(answered(PROTO_TCP, 4000, TCP_ACK));
	assert_true(answered(PROTO_TCP, 4000, TCP_ACK | TCP_FIN)); /* half closed: goes on */
	now += NAT_TCP_ENDED;
	assert_true(answered(PROTO_TCP, 4000, TCP_ACK));
	begin(EVERYTHING);
	assert_true(tcp(TCP_SYN));
	assert_true(answered(PROTO_TCP, 4000, TCP_SYN | TCP_ACK));
	assert_true(tcp(TCP_FIN | TCP_ACK));
	assert_true(answered(PROTO_TCP, 4000, TCP_FIN | TCP_ACK));
	assert_true(tcp(TCP_ACK));
	now += NAT_TCP_ENDED;
	assert_false(answered(PROTO_TCP, 4000, TCP_ACK));

	begin(EVERYTHING);
	assert_true(tcp(TCP_SYN));
	assert_true(answered(PROTO_TCP, 4000, TCP_RST | TCP_ACK));
	now += NAT_TCP_ENDED - 1;
	assert_true(tcp(TCP_SYN)); /* the same ports once more: a new one */
	assert_int_equal(router.nat.used, 1);
	now += NAT_TCP_NEW - 1;
	assert_true(answered(PROTO_TCP, 4000, TCP_SYN | TCP_ACK));
	now += NAT_TCP_LIVE - 1;
	assert_true(answered(PROTO_TCP, 4000, TCP_ACK));

	begin(EVERYTHING);
	make_echo(VM, WEB, 1, false);
	put_in(INSIDE);
	now += NAT_ICMP;
	make_echo(WEB, FW_OUT, 1, true);
	put_in(OUTSIDE);
	expect_nothing();
}

/* Errors about what was sent come to who sent it, and quote what he sent; others do not come at all. */
static void errors(void **state)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP };
	static const uint8_t types[] = { ICMP_UNREACHABLE, ICMP_EXPIRED, ICMP_PARAMETER };
	uint8_t original[28];

	(void)state;
	begin(EVERYTHING);
	make_tcp(VM, 4000, WEB, 80, TCP_SYN); /* takes the port, so that VM2 gets another */
	put_in(INSIDE);
	for (unsigned i = 0; i < 9; i++) {
		uint64_t until;

		if (protos[i % 3] == PROTO_ICMP)
			make_echo(VM2, WEB, 4000, false);
		else
			make(protos[i % 3], VM2, 4000, WEB, 80, 10);
		memcpy(original, frame + 14, 28);
		put_in(INSIDE);
		assert_int_equal(sent_count, 1);
		until = router.nat.flows[1 + i % 3].until;
		now++;
		make_error(IP4(192, 0, 2, 1), FW_OUT, types[i / 3]);
		put_in(OUTSIDE);
		assert_int_equal(sent_count, 1);
		assert_int_equal(sent_side, INSIDE);
		expect(INSIDE, IP4(192, 0, 2, 1), 0, VM2, 0);
		assert_int_equal(sent[34], types[i / 3]);
		assert_int_equal(get16(sent + 40), 1300);
		original[8]--; /* one router on its way */
		assert_memory_equal(sent + 42, original, 10);
		assert_memory_equal(sent + 42 + 12, original + 12, 8);
		if (protos[i % 3] == PROTO_ICMP)
			assert_int_equal(get16(sent + 42 + 24), 4000);
		else
			assert_memory_equal(sent + 42 + 20, original + 20, 4);
		assert_int_equal(until, router.nat.flows[1 + i % 3].until);
	}
	make_tcp(VM, 4000, WEB, 80, TCP_ACK);
	put_in(INSIDE);
	make_error(WEB, FW_OUT, ICMP_UNREACHABLE);
	put32(frame + 42 + 16, WEB + 1); /* about what was not sent */
	seal();
	put_in(OUTSIDE);
	expect_nothing();
	make_error(WEB, FW_OUT, ICMP_UNREACHABLE);
	put32(frame + 42 + 12, VM); /* about what did not come from here */
	seal();
	put_in(OUTSIDE);
	expect_nothing();
	make_error(WEB, FW_OUT, ICMP_UNREACHABLE);
	frame[42] = 0x46;
	seal();
	put_in(OUTSIDE);
	expect_nothing();
	make_error(WEB, FW_OUT, 5); /* a redirect */
	put_in(OUTSIDE);
	expect_nothing();
	make_error(WEB, FW_OUT, ICMP_UNREACHABLE); /* cut short */
	put16(frame + 16, 20 + 8 + 27);
	frame_len--;
	seal();
	put_in(OUTSIDE);
	expect_nothing();
	make_error(VM, WEB, ICMP_UNREACHABLE); /* of a station inside: not out */
	put_in(INSIDE);
	expect_nothing();
}

/* A firewall that was started anew knows no connection; one that goes on from inside keeps its port. */
static void picks_up(void **state)
{
	(void)state;
	begin(EVERYTHING);
	assert_false(answered(PROTO_TCP, 4000, TCP_ACK));
	assert_true(tcp(TCP_ACK));
	expect(OUTSIDE, FW_OUT, 4000, WEB, 80);
	assert_true(answered(PROTO_TCP, 4000, TCP_ACK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(udp_checksums),
		cmocka_unit_test(wrong_stays_wrong), cmocka_unit_test(unasked),
		cmocka_unit_test(ports),	  cmocka_unit_test(bounds),
		cmocka_unit_test(lifetimes),	  cmocka_unit_test(picks_up),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
