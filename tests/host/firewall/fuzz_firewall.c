/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the firewall: an input is a sequence of frames of both sides, mostly nearly right ones, with time
 * passing in between. What must hold, by code of the tests' own:
 *
 *	- inside, nothing arrives but ARP, pings answered, answers of remotes a VM had sent to what it may send,
 *	  answers in the firewall's own name to who asked it for names, and errors about such packets;
 *	- outside, every packet is from the one address, and to where the policy allows;
 *	- sums that were right are right; no more connections than there may be.
 */
#include <string.h>

#include <options.h>
#include <router.h>

#include "fuzzinput.h"
#include "sums.h"

#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define FW_IN IP4(10, 0, 0, 254)
#define FW_OUT IP4(10, 0, 2, 15)
#define GATEWAY IP4(10, 0, 2, 2)

static const uint8_t macs[ROUTER_SIDES][6] = { { 2, 0, 0, 0, 0, 3 }, { 2, 0, 0, 0, 0, 4 } };
static const char policy[] = "deny,tcp,8.8.8.0/24,0-79,0.0.0.0/0;allow,any,8.8.0.0/16,0-99,0.0.0.0/0;"
			     "allow,icmp,0.0.0.0/0,0-0,10.0.0.1/32;allow,any,10.0.0.254/32,53-53,0.0.0.0/0";

static struct router router;
static struct options options;
static uint8_t frame[PACKET_MAX], out[PACKET_MAX];
static bool sums_right, asked[4], asked_us;
static bool waited; /* an answer of a neighbour is heard: what goes out may have waited for it */
static enum router_side from;
static uint16_t names_port; /* of the last question for names */

/* Of the part behind the IPv4 header, its checksum included. */
static uint32_t body_sum(const uint8_t *ip, unsigned len)
{
	return add(ip[9] == 1 ? 0 : add(ip[9] + len, ip + 12, 8), ip + 20, len);
}

static uint32_t remote(unsigned i)
{
	return IP4(8, 8, i & 3 ? 8 : 9, i & 3);
}

/* The name server outside. */
#define NAMES remote(2)

static void check_inside(const uint8_t *ip)
{
	insist(get32(ip + 16) >> 8 == FW_IN >> 8 && get32(ip + 16) != FW_IN);
	if (get32(ip + 12) == FW_IN && ip[9] != 1) {
		insist((from == OUTSIDE || waited) && asked_us && get16(ip + 20) == 53);
		return;
	}
	if (get32(ip + 12) == FW_IN) {
		insist((from == INSIDE || waited) && ip[9] == 1 && ip[20] == 0);
		return;
	}
	insist(from == OUTSIDE || waited);
	if (ip[9] == 1 && ip[20] != 0) {
		insist(ip[20] == 3 || ip[20] == 11 || ip[20] == 12);
		insist(get32(ip + 16) == get32(ip + 28 + 12)); /* it is told of its own packet */
		for (unsigned i = 0; i < 4; i++)
			if (get32(ip + 28 + 16) == remote(i))
				insist(asked[i]);
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		if (get32(ip + 12) == remote(i))
			insist(asked[i]);
}

static bool may_leave(const uint8_t *ip)
{
	uint32_t target = get32(ip + 16), port = get16(ip + 22);

	if (ip[9] == 1)
		return ip[20] == 8;
	if ((ip[9] != 6 && ip[9] != 17) || target >> 16 != (8 << 8 | 8) || port > 99)
		return false;
	return ip[9] == 17 || target >> 8 != (8 << 16 | 8 << 8 | 8) || port >= 80;
}

static bool is_for_names(const uint8_t *ip)
{
	return ip[9] != 1 && get16(ip + 22) == 53 && asked_us;
}

static void check_outside(const uint8_t *ip)
{
	insist((from == INSIDE || waited) && get32(ip + 12) == FW_OUT);
	insist(may_leave(ip) || (get32(ip + 16) == NAMES && is_for_names(ip)));
}

/* A remote may answer what the firewall has let through, though the packet may still wait for the gateway's address. */
static void note_asked(void)
{
	const uint8_t *ip = frame + 14;

	asked_us |= from == INSIDE && get16(frame + 12) == ETHERTYPE_IP4 && get32(ip + 16) == FW_IN && ip[9] != 1;
	for (unsigned i = 0; i < 4; i++)
		asked[i] |= from == INSIDE && get16(frame + 12) == ETHERTYPE_IP4 && get32(ip + 16) == remote(i) &&
			    may_leave(ip);
}

static uint8_t *room(void *self, enum router_side side)
{
	(void)self;
	(void)side;
	memset(out, 0xee, sizeof(out));
	return out;
}

static void send(void *self, enum router_side side, uint32_t len)
{
	const uint8_t *ip = out + 14;
	unsigned body = get16(ip + 2) - 20u;

	(void)self;
	insist(len >= 42 || (len >= 34 && len <= PACKET_MAX));
	insist(!memcmp(out + 6, macs[side], 6));
	if (get16(out + 12) == ETHERTYPE_ARP)
		return;
	insist(get16(out + 12) == ETHERTYPE_IP4 && ip[0] == 0x45 && len == 34 + body);
	insist(add(0, ip, 20) == 0xffff);
	if (sums_right && !waited && !(ip[9] == 17 && !get16(ip + 26)))
		insist(body_sum(ip, body) == 0xffff);
	if (side == INSIDE)
		check_inside(ip);
	else
		check_outside(ip);
}

static void ignore(void *self, const char *line)
{
	(void)self;
	insist(strlen(line) < 128);
}

static const struct router_ops ops = { NULL, room, send, ignore };

static uint32_t make_arp(void)
{
	static const uint8_t fixed[] = { 0, 1, 8, 0, 6, 4, 0 };

	put16(frame + 12, ETHERTYPE_ARP);
	memcpy(frame + 14, fixed, 7);
	frame[21] = (uint8_t)(1 + take(1) % 3);
	memcpy(frame + 22, frame + 6, 6);
	put32(frame + 28, from == INSIDE ? FW_IN - 255 + take(1) : take(1) & 1 ? GATEWAY : remote(take(1)));
	put32(frame + 38, from == INSIDE ? FW_IN : FW_OUT);
	return 42;
}

/* An error about something the firewall may have sent; the length of the packet. */
static unsigned make_error(uint8_t *ip)
{
	static const uint8_t types[] = { 3, 11, 12, 5 }, protos[] = { 6, 17, 1, 6 };
	uint8_t *quoted = ip + 28;

	ip[20] = types[take(1) & 3];
	quoted[0] = 0x45;
	quoted[9] = protos[take(1) & 3];
	put32(quoted + 12, FW_OUT);
	put32(quoted + 16, remote(take(1)));
	quoted[20] = 8;
	put16(quoted + (quoted[9] == 1 ? 24 : 20), take(1) & (quoted[9] == 1 ? 3 : 127));
	put16(quoted + 22, take(1) & 127);
	put16(ip + 2, 56);
	return 56;
}

static uint32_t make_packet(unsigned what)
{
	static const uint8_t protos[] = { 6, 17, 1, 6 };
	uint8_t *ip = frame + 14, proto = protos[what & 3];
	unsigned header = proto == 6 ? 20 : 8, len = 20 + header + take(1);
	uint8_t *check = ip + 20 + (proto == 6 ? 16 : proto == 17 ? 6 : 2);

	put16(frame + 12, ETHERTYPE_IP4);
	ip[0] = 0x45;
	put16(ip + 2, len);
	ip[8] = 64;
	ip[9] = proto;
	put32(ip + 12, from == INSIDE ? FW_IN - 253 + (take(1) & 1) : remote(take(1)));
	put32(ip + 16, from == INSIDE ? remote(take(1)) : FW_OUT);
	put16(ip + 20, take(1) & 127);
	put16(ip + 22, take(1) & 127);
	if ((ip[23] & 96) == 96) { /* a question for names, or an answer to the last one */
		put32(ip + (from == INSIDE ? 16 : 12), from == INSIDE ? FW_IN : NAMES);
		put16(ip + (from == INSIDE ? 22 : 20), 53);
		if (from == INSIDE)
			names_port = get16(ip + 20);
		else
			put16(ip + 22, names_port);
	}
	if (proto == 6) {
		ip[32] = 0x50;
		ip[33] = (uint8_t)take(1);
	} else if (proto == 17) {
		put16(ip + 24, len - 20);
	} else {
		ip[20] = from == INSIDE ? 8 : 0;
		ip[21] = 0;
		put16(ip + 24, take(1) & 3);
		if (from == OUTSIDE && (what & 4))
			len = make_error(ip);
	}
	put16(check, 0);
	put16(check, ~body_sum(ip, len - 20) & 0xffff);
	put16(ip + 10, ~add(0, ip, 20) & 0xffff);
	return 14 + len;
}

static void step(uint64_t *now)
{
	unsigned what = take(1);
	uint32_t len;

	from = what & 128 ? OUTSIDE : INSIDE;
	memset(frame, 0, sizeof(frame));
	memcpy(frame, macs[from], 6);
	frame[6] = 2;
	frame[11] = (uint8_t)(what & 3);
	len = what & 64 ? make_arp() : make_packet(what);
	sums_right = !(what & 32);
	for (unsigned changes = sums_right ? 0 : take(1) & 3; changes; changes--)
		frame[take(1) % 60] ^= (uint8_t)take(1);
	if (what & 16)
		len = take(2) % (PACKET_MAX + 10);
	waited = get16(frame + 12) == ETHERTYPE_ARP;
	if (what & 8)
		*now += (uint64_t)take(2) * (NAT_SECOND / 64);
	note_asked();
	router_input(&router, from, frame, len, *now);
	insist(router.nat.used <= NAT_FLOWS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy parsed;
	char text[256];
	uint64_t now = NAT_SECOND;

	input_begin(data, size);
	memset(asked, 0, sizeof(asked));
	asked_us = false;
	if (size && data[0] == 'p') { /* the text of a policy instead */
		size = size - 1 < sizeof(text) - 1 ? size - 1 : sizeof(text) - 1;
		memcpy(text, data + 1, size);
		text[size] = 0;
		if (!policy_parse(&parsed, text))
			insist(parsed.count <= POLICY_RULES);
		return 0;
	}
	insist(!options_parse(&options, "0:10.0.0.254/24,1:10.0.2.15/24", "1:10.0.2.2", policy));
	for (unsigned i = 0; i < ROUTER_SIDES; i++)
		memcpy(options.config.nets[i].mac, macs[i], 6);
	router_init(&router, &options.config, &ops);
	router_set_way_out(&router, FW_OUT, 0xffffff00, GATEWAY, NAMES);
	while (left)
		step(&now);
	return 0;
}
