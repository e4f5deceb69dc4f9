/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firewall as a router: what it forwards and what it drops, who it is to its neighbours, and what it says
 * about what it refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define EVERYTHING "allow,any,0.0.0.0/0,0-65535,0.0.0.0/0"

static void policy(void **state)
{
	(void)state;
	begin("allow,tcp,0.0.0.0/0,80-80,0.0.0.0/0");
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, WEB, 80);
	make_tcp(VM, 4000, WEB, 81, TCP_SYN);
	put_in(INSIDE);
	expect_nothing();
	assert_string_equal(last_log, "denied: tcp 10.0.0.1:4000 to 93.184.216.34:81");
	make(PROTO_UDP, VM, 4000, WEB, 80, 10);
	put_in(INSIDE);
	expect_nothing();
	for (unsigned i = 0; i < 100; i++) {
		make_tcp(VM, 4000, WEB, 81, TCP_SYN);
		put_in(INSIDE);
	}
	assert_int_equal(log_count, ROUTER_LINES);
	assert_string_equal(last_log, "denied: tcp 10.0.0.1:4000 to 93.184.216.34:81 (more is not said)");
	assert_int_equal(router.counters.denied, 102);
	assert_int_equal(router.nat.used, 1);
}

/* What a router here does not forward, whatever the policy says. */
static void not_forwarded(void **state)
{
	(void)state;
	begin(EVERYTHING);
	make_tcp(VM, 4000, VM2, 80, TCP_SYN); /* the switch's business */
	put_in(INSIDE);
	expect_nothing();
	make_tcp(VM, 4000, FW_OUT, 80, TCP_SYN); /* the firewall serves nothing */
	put_in(INSIDE);
	expect_nothing();
	make_tcp(VM, 4000, FW_IN, 80, TCP_SYN);
	put_in(INSIDE);
	expect_nothing();
	make_tcp(VM, 4000, IP4(255, 255, 255, 255), 80, TCP_SYN);
	put_in(INSIDE);
	expect_nothing();
	make_tcp(VM, 4000, IP4(224, 0, 0, 1), 80, TCP_SYN);
	put_in(INSIDE);
	expect_nothing();
	make_tcp(VM, 4000, IP4(127, 0, 0, 1), 80, TCP_SYN);
	put_in(INSIDE);
	expect_nothing();
	make_tcp(VM, 4000, 0, 80, TCP_SYN);
	put_in(INSIDE);
	expect_nothing();
	make_tcp(VM, 4000, WEB, 80, TCP_SYN); /* not for the firewall's own card */
	frame[5] ^= 1;
	put_in(INSIDE);
	expect_nothing();
	make_tcp(VM, 4000, WEB, 80, TCP_SYN); /* the last router it may see */
	frame[14 + 8] = 1;
	seal();
	put_in(INSIDE);
	expect_nothing();
	assert_int_equal(router.counters.expired, 1);
	assert_int_equal(router.nat.used, 0);
}

static void forged(void **state)
{
	static const uint32_t liars[] = { WEB, FW_IN, 0, IP4(10, 0, 0, 0), IP4(10, 0, 0, 255), GATEWAY };

	(void)state;
	begin(EVERYTHING);
	for (unsigned i = 0; i < 6; i++) {
		make_tcp(VM, 4000, WEB, 80, TCP_SYN);
		put32(frame + 26, liars[i]);
		seal();
		put_in(INSIDE);
		expect_nothing();
		assert_int_equal(router.counters.forged, i + 1);
	}
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	make_tcp(WEB, 80, FW_OUT, 4000, TCP_ACK);
	put32(frame + 26, VM2); /* the world claims to be one of ours */
	seal();
	put_in(OUTSIDE);
	expect_nothing();
	assert_int_equal(router.counters.forged, 7);
}

static void dropped(void)
{
	uint64_t before = router.counters.malformed;

	put_in(INSIDE);
	expect_nothing();
	assert_int_equal(router.counters.malformed, before + 1);
}

static void malformed(void **state)
{
	(void)state;
	begin(EVERYTHING);
	for (uint32_t len = 0; len < 54; len++) {
		make_tcp(VM, 4000, WEB, 80, TCP_SYN);
		frame_len = len;
		put_in(INSIDE);
		expect_nothing();
	}
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	frame_len = PACKET_MAX + 1;
	dropped();
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	frame[14] = 0x46; /* options */
	seal();
	dropped();
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put16(frame + 20, 0x2000); /* a first fragment */
	seal();
	dropped();
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put16(frame + 20, 1); /* another one */
	seal();
	dropped();
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put16(frame + 16, frame_len - 13); /* longer than the frame */
	seal();
	dropped();
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	frame[46] = 0x40; /* a TCP header of 16 bytes, of 60 in 20 */
	seal();
	dropped();
	make(PROTO_TCP, VM, 4000, WEB, 80, 0);
	frame[46] = 0xf0;
	seal();
	dropped();
	make(PROTO_UDP, VM, 4000, WEB, 80, 10);
	put16(frame + 38, 7);
	dropped();
	make(PROTO_UDP, VM, 4000, WEB, 80, 10);
	put16(frame + 38, 19);
	dropped();
	make_echo(VM, WEB, 1, false);
	frame[34] = 5; /* a redirect */
	seal();
	dropped();
	make(50, VM, 4000, WEB, 80, 10);
	dropped();
	assert_int_equal(router.nat.used, 0);
}

/* A frame may be padded to what the wire needs: that is not part of the packet. */
static void padding(void **state)
{
	(void)state;
	begin(EVERYTHING);
	make(PROTO_UDP, VM, 4000, WEB, 80, 1);
	frame_len = 60;
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, WEB, 80);
	assert_int_equal(sent_len, 14 + 20 + 8 + 1);
}

static void answers_ping(void **state)
{
	(void)state;
	begin("");
	make_echo(VM, FW_IN, 0x55, false);
	put_in(INSIDE);
	expect(INSIDE, FW_IN, 0x55, VM, 0);
	assert_int_equal(sent[34], ICMP_ECHO_REPLY);
	make_echo(GATEWAY, FW_OUT, 0x55, false); /* from inside only */
	put_in(OUTSIDE);
	expect_nothing();
}

static void expect_arp(enum router_side side, unsigned op, uint32_t target)
{
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent_side, side);
	assert_int_equal(sent_len, ARP_FRAME);
	assert_int_equal(get16(sent + 12), ETHERTYPE_ARP);
	assert_int_equal(sent[21], op);
	assert_int_equal(get32(sent + 28), side == INSIDE ? FW_IN : FW_OUT);
	assert_int_equal(get32(sent + 38), target);
}

static void who_has(void **state)
{
	static const uint8_t mac[6] = { 2, 1, 1, 1, 1, 1 };

	(void)state;
	begin(EVERYTHING);
	make_arp(true, 1, vm_mac, VM, FW_IN);
	put_in(INSIDE);
	expect_arp(INSIDE, 2, VM);
	assert_memory_equal(sent, vm_mac, 6);
	make_arp(true, 1, vm_mac, VM, VM2);
	put_in(INSIDE);
	expect_nothing();
	make_arp(false, 1, mac, WEB, FW_OUT + 1);
	put_in(OUTSIDE);
	expect_nothing();
	make_arp(true, 1, vm_mac, VM, FW_IN); /* says one thing in the frame and another in it */
	frame[6] ^= 2;
	put_in(INSIDE);
	expect_nothing();

	/* a station outside that is not known yet: asked, the packet waits, and goes when it answers */
	make_tcp(VM, 4000, FW_OUT + 1, 80, TCP_SYN);
	put_in(INSIDE);
	expect_arp(OUTSIDE, 1, FW_OUT + 1);
	make_tcp(VM, 4000, FW_OUT + 1, 80, TCP_SYN);
	put_in(INSIDE);
	expect_nothing(); /* not asked again at once */
	make_arp(false, 2, mac, FW_OUT + 1, FW_OUT);
	put_in(OUTSIDE);
	assert_int_equal(sent_count, 1);
	assert_memory_equal(sent, mac, 6);
	assert_int_equal(get32(sent + 30), FW_OUT + 1);
	assert_int_equal(get16(sent + 34), 4000);
}

/* Nobody becomes the gateway by saying so. */
static void answers_nobody_asked_for(void **state)
{
	static const uint8_t evil[6] = { 2, 6, 6, 6, 6, 6 };

	(void)state;
	begin(EVERYTHING);
	make_arp(false, 2, evil, GATEWAY, FW_OUT);
	put_in(OUTSIDE);
	make_arp(false, 1, evil, GATEWAY, FW_OUT);
	put_in(OUTSIDE);
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, WEB, 80);
}

/* Once a minute a neighbour is asked again; meanwhile packets go where they went. */
static void neighbours_age(void **state)
{
	(void)state;
	begin(EVERYTHING);
	now += NEIGHBOUR_LIFE;
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	assert_int_equal(sent_count, 2); /* the question, then the packet */
	sent_count = 1;
	expect(OUTSIDE, FW_OUT, 4000, WEB, 80);
	make_arp(false, 2, gateway_mac, GATEWAY, FW_OUT);
	put_in(OUTSIDE);
	expect_nothing();
	now += NEIGHBOUR_LIFE - 1;
	make_tcp(VM, 4000, WEB, 80, TCP_ACK);
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, WEB, 80);
	now += 1 + NEIGHBOUR_GRACE; /* silent for too long */
	make_tcp(VM, 4000, WEB, 80, TCP_ACK);
	put_in(INSIDE);
	expect_arp(OUTSIDE, 1, GATEWAY);
}

/* Somebody inside asks for every address there is: those in use stay known, and what waits is bounded. */
static void scan(void **state)
{
	unsigned busy = 0;

	(void)state;
	begin(EVERYTHING);
	for (unsigned i = 16; i < 250; i++) {
		make_tcp(VM, 4000, IP4(10, 0, 2, i), 80, TCP_SYN);
		put_in(INSIDE);
	}
	for (unsigned i = 0; i < NEIGHBOUR_KEPT; i++)
		busy += router.sides[OUTSIDE].kept[i].busy;
	assert_int_equal(busy, NEIGHBOUR_KEPT);
	make_tcp(VM2, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, WEB, 80);
	now += NEIGHBOUR_GRACE; /* what waited in vain makes room */
	make_tcp(VM2, 4000, IP4(10, 0, 2, 251), 80, TCP_SYN);
	put_in(INSIDE);
	busy = 0;
	for (unsigned i = 0; i < NEIGHBOUR_KEPT; i++)
		busy += router.sides[OUTSIDE].kept[i].busy;
	assert_int_equal(busy, 1);
}

static void full(void **state)
{
	(void)state;
	begin(EVERYTHING);
	no_room = true;
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	expect_nothing();
	assert_int_equal(router.counters.no_room, 1);
	no_room = false;
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, WEB, 80);
}

/* Without an address outside nothing goes there, and whoever is there is not heard. */
static void lease(void **state)
{
	(void)state;
	begin(EVERYTHING);
	router.config.dhcp = true;
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	assert_int_equal(router.nat.used, 1);
	router_set_way_out(&router, FW_OUT, 0xffffff00, GATEWAY, DNS); /* the same address: nothing is forgotten */
	assert_int_equal(router.nat.used, 1);
	router_set_way_out(&router, 0, 0, 0, 0);
	assert_int_equal(router.nat.used, 0);
	put_in(INSIDE);
	expect_nothing();
	assert_int_equal(router.counters.no_way, 1);
	make_arp(false, 1, gateway_mac, GATEWAY, 0);
	put_in(OUTSIDE);
	expect_nothing();
	make_echo(VM, FW_IN, 5, false);
	put_in(INSIDE);
	expect(INSIDE, FW_IN, 5, VM, 0);
	router_set_way_out(&router, FW_OUT + 1, 0xffffff00, GATEWAY, DNS);
	meet(OUTSIDE, GATEWAY, gateway_mac);
	make_tcp(VM, 4000, WEB, 80, TCP_SYN);
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT + 1, 4000, WEB, 80);
	make(PROTO_UDP, VM, 68, GATEWAY, 67, 300); /* somebody else's word about our lease */
	put_in(INSIDE);
	expect_nothing();
	assert_string_equal(last_log, "denied: udp 10.0.0.1:68 to 10.0.2.2:67");
}

/* The firewall is asked for names, and asks the server of its lease. */
static void names(void **state)
{
	unsigned port;

	(void)state;
	begin("allow,udp,10.0.0.254/32,53-53,0.0.0.0/0;allow,udp,10.0.2.3/32,53-53,0.0.0.0/0");
	make(PROTO_UDP, VM, 4000, FW_IN, 53, 20); /* there is none yet */
	put_in(INSIDE);
	expect_nothing();
	router_set_way_out(&router, FW_OUT, 0xffffff00, GATEWAY, DNS);
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, DNS, 53);
	make(PROTO_UDP, DNS, 53, FW_OUT, 4000, 20);
	put_in(OUTSIDE);
	expect(INSIDE, FW_IN, 53, VM, 4000);
	make(PROTO_UDP, VM, 4000, DNS, 53, 20); /* the same port, straight: another connection */
	put_in(INSIDE);
	port = get16(sent + 34);
	assert_int_not_equal(port, 4000);
	expect(OUTSIDE, FW_OUT, port, DNS, 53);
	make(PROTO_UDP, DNS, 53, FW_OUT, port, 20);
	put_in(OUTSIDE);
	expect(INSIDE, DNS, 53, VM, 4000);
	make(PROTO_UDP, VM, 4000, FW_IN, 53, 20);
	put_in(INSIDE);
	expect(OUTSIDE, FW_OUT, 4000, DNS, 53);
	make_error(GATEWAY, FW_OUT, ICMP_UNREACHABLE); /* about somebody the station has not heard of */
	put_in(OUTSIDE);
	expect_nothing();
	make_tcp(VM, 4000, FW_IN, 53, TCP_SYN); /* the policy judges what was asked */
	put_in(INSIDE);
	expect_nothing();
	assert_string_equal(last_log, "denied: tcp 10.0.0.1:4000 to 10.0.0.254:53");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy),	 cmocka_unit_test(not_forwarded),
		cmocka_unit_test(forged),	 cmocka_unit_test(malformed),
		cmocka_unit_test(padding),	 cmocka_unit_test(answers_ping),
		cmocka_unit_test(who_has),	 cmocka_unit_test(answers_nobody_asked_for),
		cmocka_unit_test(neighbours_age), cmocka_unit_test(scan),
		cmocka_unit_test(full),		 cmocka_unit_test(lease),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
