/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <options.h>

#include "sums.h"

const uint8_t vm_mac[6] = { 2, 0x52, 0x46, 0, 0, 1 };
const uint8_t gateway_mac[6] = { 0x52, 0x55, 10, 0, 2, 2 };
static const uint8_t macs[ROUTER_SIDES][6] = { { 2, 0x52, 0x46, 0, 0, 3 }, { 2, 0x52, 0x46, 0, 0, 4 } };

struct router router;
uint64_t now;
uint8_t frame[PACKET_MAX], sent[PACKET_MAX];
uint32_t frame_len, sent_len;
enum router_side sent_side;
unsigned sent_count, log_count;
char last_log[256];
bool no_room;

static uint8_t *room(void *self, enum router_side side)
{
	(void)self;
	sent_side = side;
	return no_room ? NULL : sent;
}

static void send(void *self, enum router_side side, uint32_t len)
{
	(void)self;
	assert_int_equal(side, sent_side);
	sent_len = len;
	sent_count++;
}

static void keep_log(void *self, const char *line)
{
	(void)self;
	snprintf(last_log, sizeof(last_log), "%s", line);
	log_count++;
}

static const struct router_ops ops = { NULL, room, send, keep_log };

/* ---- sums ---- */

static uint32_t body_sum(const uint8_t *ip)
{
	unsigned len = get16(ip + 2) - 20u;
	uint32_t sum = ip[9] == PROTO_ICMP ? 0 : add(ip[9] + len, ip + 12, 8);

	return add(sum, ip + 20, len);
}

static uint8_t *check_of(uint8_t *ip)
{
	return ip + 20 + (ip[9] == PROTO_TCP ? 16 : ip[9] == PROTO_UDP ? 6 : 2);
}

void seal(void)
{
	uint8_t *ip = frame + 14, *check = check_of(ip);
	uint32_t sum;

	put16(ip + 10, 0);
	put16(ip + 10, ~add(0, ip, 20) & 0xffff);
	put16(check, 0);
	sum = ~body_sum(ip) & 0xffff;
	put16(check, ip[9] == PROTO_UDP && !sum ? 0xffff : sum);
}

/* ---- frames ---- */

void make(uint8_t proto, uint32_t from, unsigned from_port, uint32_t to, unsigned to_port,
	  unsigned payload)
{
	unsigned header = proto == PROTO_TCP ? 20 : 8;
	bool inside = (from ^ FW_IN) >> 8 == 0;
	uint8_t *ip = frame + 14;

	memset(frame, 0, sizeof(frame));
	memcpy(frame, macs[inside ? INSIDE : OUTSIDE], 6);
	memcpy(frame + 6, inside ? vm_mac : gateway_mac, 6);
	put16(frame + 12, ETHERTYPE_IP4);
	ip[0] = 0x45;
	put16(ip + 2, 20 + header + payload);
	put16(ip + 4, 0x1234);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = proto;
	put32(ip + 12, from);
	put32(ip + 16, to);
	put16(ip + 20, from_port);
	put16(ip + 22, to_port);
	if (proto == PROTO_TCP)
		ip[32] = 0x50;
	else if (proto == PROTO_UDP)
		put16(ip + 24, 8 + payload);
	for (unsigned i = 0; i < payload; i++)
		ip[20 + header + i] = (uint8_t)(i * 7 + from_port);
	frame_len = 14 + 20 + header + payload;
	seal();
}

void make_tcp(uint32_t from, unsigned from_port, uint32_t to, unsigned to_port, uint8_t flags)
{
	make(PROTO_TCP, from, from_port, to, to_port, 100);
	frame[14 + 33] = flags;
	seal();
}

void make_echo(uint32_t from, uint32_t to, unsigned id, bool reply)
{
	make(PROTO_ICMP, from, 0, to, 0, 56);
	frame[34] = reply ? ICMP_ECHO_REPLY : ICMP_ECHO;
	put16(frame + 38, id);
	put16(frame + 40, 7);
	seal();
}

void make_error(uint32_t from, uint32_t to, unsigned type)
{
	make(PROTO_ICMP, from, 0, to, 0, 28);
	frame[34] = (uint8_t)type;
	frame[35] = 4;
	put16(frame + 40, 1300); /* the MTU that it would have to fit */
	memcpy(frame + 42, sent + 14, 28);
	seal();
}

void make_arp(bool inside, unsigned op, const uint8_t *mac, uint32_t own, uint32_t target)
{
	static const uint8_t fixed[] = { 0, 1, 8, 0, 6, 4, 0 };

	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	put16(frame + 12, ETHERTYPE_ARP);
	memcpy(frame + 14, fixed, 7);
	frame[21] = (uint8_t)op;
	memcpy(frame + 22, mac, 6);
	put32(frame + 28, own);
	memcpy(frame + 32, macs[inside ? INSIDE : OUTSIDE], 6);
	put32(frame + 38, target);
	frame_len = 42;
}

void put_in(enum router_side side)
{
	sent_count = 0;
	sent_len = 0;
	router_input(&router, side, frame, frame_len, now);
}

/* ---- what came out ---- */

void expect(enum router_side side, uint32_t from, unsigned from_port, uint32_t to, unsigned to_port)
{
	const uint8_t *ip = sent + 14;

	assert_int_equal(sent_count, 1);
	assert_int_equal(sent_side, side);
	assert_memory_equal(sent, side == INSIDE ? vm_mac : gateway_mac, 6);
	assert_memory_equal(sent + 6, macs[side], 6);
	assert_int_equal(get16(sent + 12), ETHERTYPE_IP4);
	assert_int_equal(sent_len, 14u + get16(ip + 2));
	assert_int_equal(get32(ip + 12), from);
	assert_int_equal(get32(ip + 16), to);
	if (ip[9] == PROTO_ICMP) {
		assert_int_equal(get16(ip + 24), from_port);
	} else {
		assert_int_equal(get16(ip + 20), from_port);
		assert_int_equal(get16(ip + 22), to_port);
	}
	assert_int_equal(add(0, ip, 20), 0xffff);
	assert_int_equal(body_sum(ip), 0xffff);
}

void expect_nothing(void)
{
	assert_int_equal(sent_count, 0);
}

/* ---- the firewall ---- */

void meet(enum router_side side, uint32_t address, const uint8_t *mac)
{
	struct packet packet = { .len = 60 };
	uint8_t found[6], out[PACKET_MAX];

	(void)neighbours_find(&router.sides[side], address, &packet, now, found);
	make_arp(side == INSIDE, 2, mac, address, router.config.nets[side].address);
	assert_int_equal(neighbours_hear(&router.sides[side], frame, frame_len, now, out), 60);
}

void begin(const char *policy)
{
	struct options options;

	assert_null(options_parse(&options, "0:10.0.0.254/24,1:10.0.2.15/24", "1:10.0.2.2", policy));
	for (unsigned i = 0; i < ROUTER_SIDES; i++)
		memcpy(options.config.nets[i].mac, macs[i], 6);
	options.config.seed = 1;
	router_init(&router, &options.config, &ops);
	now = 5 * NAT_SECOND;
	sent_count = log_count = 0;
	no_room = false;
	meet(INSIDE, VM, vm_mac);
	meet(INSIDE, VM2, vm_mac);
	meet(OUTSIDE, GATEWAY, gateway_mac);
	meet(OUTSIDE, DNS, gateway_mac);
}
