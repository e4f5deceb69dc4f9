/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the firewall's DHCP client: an input is a sequence of frames, mostly nearly right answers to what it asked
 * last, with time passing in between. What must hold, by code of the tests' own:
 *
 *	- what it sends is a whole frame of its own station with a right checksum, from its lease or from nobody;
 *	- what it calls a lease can be one: a station of a network that is not the one inside, a router in it;
 *	- a lease ends in time, whatever was said meanwhile; the log is bounded; it never asks without pause.
 */
#include <string.h>

#include <dhcp.h>

#include "fuzzinput.h"
#include "sums.h"

#define INSIDE_NET 0x0a000009u
#define INSIDE_MASK 0xffffff00u

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 4 };
static struct dhcp dhcp;
static uint8_t sent[DHCP_FRAME], frame[600];
static unsigned lines, asked;
static uint64_t now;

static uint8_t *room(void *self)
{
	(void)self;
	memset(sent, 0xee, sizeof(sent));
	return now % 7 ? sent : NULL;
}

static void send(void *self, uint32_t len)
{
	const uint8_t *ip = sent + 14;
	uint32_t source = get32(ip + 12);

	(void)self;
	asked++;
	insist(len == DHCP_FRAME && !memcmp(sent + 6, mac, 6) && get16(sent + 12) == 0x800 && ip[9] == 17);
	insist(add(0, ip, 20) == 0xffff && add(17 + 308, ip + 12, 316) == 0xffff);
	insist(get16(ip + 20) == 68 && get16(ip + 22) == 67);
	insist(source == (dhcp.leased ? dhcp.lease.address : 0));
}

static void count(void *self, const char *line)
{
	(void)self;
	insist(strlen(line) < 160);
	lines++;
}

static const struct dhcp_ops ops = { NULL, room, send, count };

static void check_lease(void)
{
	const struct dhcp_lease *lease = &dhcp.lease;
	uint32_t host = lease->address & ~lease->mask;

	if (!dhcp.leased)
		return;
	insist(lease->address >> 24 != 0 && lease->address >> 24 != 127 && lease->address >> 24 < 224);
	insist((lease->gateway & lease->mask) == (lease->address & lease->mask) && lease->gateway != lease->address);
	insist((lease->mask | 1) == ~0u || (host && host != ~lease->mask));
	insist((lease->address & lease->mask & INSIDE_MASK) != (INSIDE_NET & lease->mask & INSIDE_MASK));
	insist(lease->seconds >= DHCP_SHORTEST && lease->renew <= lease->rebind && lease->rebind <= lease->seconds);
	insist(lease->seconds == ~0u || now <= dhcp.since + lease->seconds * DHCP_SECOND);
}

static uint8_t *put(uint8_t *at, unsigned code, uint32_t value)
{
	at[0] = (uint8_t)code;
	at[1] = 4;
	put32(at + 2, value);
	return at + 6;
}

/* Of a few addresses and masks that make sense together, or anything. */
static uint32_t some(unsigned what)
{
	static const uint32_t numbers[] = { 0xc000020f, 0xc0000202, 0xc0000203, 0x0a000005,
					    0xffffff00, 0xffff0000, 3600,	20 };

	return what < 8 ? numbers[what] : take(4);
}

static uint32_t make(void)
{
	uint8_t *ip = frame + 14, *bootp = frame + 42, *at = bootp + 240;
	unsigned len, options = take(1) % 10, changes = take(1) % 4, inside = take(1) % 8 == 1;

	memset(frame, 0, sizeof(frame));
	memset(frame, 0xff, 6);
	frame[6] = 0x52;
	put16(frame + 12, 0x800);
	ip[0] = 0x45;
	ip[9] = 17;
	put16(ip + 20, 67);
	put16(ip + 22, 68);
	bootp[0] = 2;
	bootp[1] = 1;
	bootp[2] = 6;
	put32(bootp + 4, dhcp.xid);
	put32(bootp + 16, inside ? INSIDE_NET + 3 : some(take(1) % 10 / 5 * 8));
	memcpy(bootp + 28, mac, 6);
	put32(bootp + 236, 0x63825363);
	*at++ = 53;
	*at++ = 1;
	*at++ = (uint8_t)(take(1) % 7);
	if (options) { /* those it cannot do without, then some that may contradict them */
		at = put(at, 1, 0xffffff00);
		at = put(at, 3, inside ? INSIDE_NET + 4 : some(1 + take(1) % 2));
		at = put(at, 51, some(6 + take(1) % 3));
		at = put(at, 54, some(1));
	}
	for (; options > 1; options--)
		at = put(at, take(1) % 62, some(take(1) % 10));
	*at++ = 255;
	len = (unsigned)(at - frame);
	put16(ip + 2, len - 14);
	put16(ip + 24, len - 34);
	put16(ip + 10, ~add(0, ip, 20) & 0xffff);
	for (; changes > 1; changes--)
		frame[42 + take(2) % (len - 42)] = (uint8_t)take(1);
	return take(1) % 16 ? len : take(2) % sizeof(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input_begin(data, size);
	lines = 0;
	now = 1;
	dhcp_init(&dhcp, mac, INSIDE_NET, INSIDE_MASK, 7, &ops);
	while (left) {
		unsigned what = take(1);
		uint64_t due;

		if (what & 1)
			(void)dhcp_input(&dhcp, frame, make(), now);
		if (what & 2)
			now += (uint64_t)take(2) << (what >> 2 & 31);
		asked = 0;
		due = dhcp_run(&dhcp, now);
		insist(due > now && asked <= 1);
		check_lease();
		insist(lines <= DHCP_LINES);
	}
	return 0;
}
