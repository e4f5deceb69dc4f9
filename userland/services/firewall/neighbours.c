/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP; see neighbours.h. */
#include "neighbours.h"

#include <stddef.h>
#include <string.h>

#define ARP PACKET_ETHERNET /* where it begins: fixed part, then MAC, IP, MAC, IP */
#define ARP_REQUEST 1u
#define ARP_REPLY 2u

void neighbours_init(struct neighbours *side, uint32_t own, const uint8_t mac[PACKET_MAC])
{
	memset(side, 0, sizeof(*side));
	side->own = own;
	memcpy(side->mac, mac, PACKET_MAC);
}

static void write_arp(const struct neighbours *side, unsigned op, uint32_t address,
		      const uint8_t *to, uint8_t *frame)
{
	static const uint8_t fixed[] = { 0, 1, 8, 0, PACKET_MAC, 4, 0 };

	memcpy(frame + PACKET_MAC, side->mac, PACKET_MAC);
	put16(frame + 12, ETHERTYPE_ARP);
	memcpy(frame + ARP, fixed, sizeof(fixed));
	frame[ARP + 7] = (uint8_t)op;
	memcpy(frame + ARP + 8, side->mac, PACKET_MAC);
	put32(frame + ARP + 14, side->own);
	put32(frame + ARP + 24, address);
	if (to) {
		memcpy(frame, to, PACKET_MAC);
		memcpy(frame + ARP + 18, to, PACKET_MAC);
	} else {
		memset(frame, 0xff, PACKET_MAC);
		memset(frame + ARP + 18, 0, PACKET_MAC);
	}
}

void neighbours_ask(const struct neighbours *side, uint32_t address, uint8_t *frame)
{
	write_arp(side, ARP_REQUEST, address, NULL, frame);
}

static void drop(struct neighbours *side, struct neighbour *one)
{
	if (one->kept)
		side->kept[one->kept - 1].busy = false;
	*one = (struct neighbour){ .address = 0 };
}

static struct neighbour *lookup(struct neighbours *side, uint32_t address)
{
	for (unsigned i = 0; i < NEIGHBOURS; i++)
		if (address && side->table[i].address == address)
			return &side->table[i];
	return NULL;
}

/* A place for another one: a free one, one that was given up, or the one that is due first. */
static struct neighbour *place(struct neighbours *side)
{
	struct neighbour *best = &side->table[0];

	for (unsigned i = 0; i < NEIGHBOURS; i++) {
		struct neighbour *one = &side->table[i];

		if (!one->address)
			return one;
		if (one->until < best->until)
			best = one;
	}
	drop(side, best);
	return best;
}

/* Stations that never answered: what waits for them is lost. */
static void give_up(struct neighbours *side, uint64_t now)
{
	for (unsigned i = 0; i < NEIGHBOURS; i++)
		if (side->table[i].address && !side->table[i].known && now >= side->table[i].until)
			drop(side, &side->table[i]);
}

static void keep(struct neighbours *side, struct neighbour *one, const struct packet *packet)
{
	for (unsigned i = 0; i < NEIGHBOUR_KEPT && !one->kept; i++)
		if (!side->kept[i].busy)
			one->kept = i + 1;
	if (!one->kept)
		return;
	side->kept[one->kept - 1].busy = true;
	side->kept[one->kept - 1].len = packet->len;
	memcpy(side->kept[one->kept - 1].bytes, packet->bytes, packet->len);
}

/* Is it time to ask (again)? Then it counts as asked. */
static bool may_ask(struct neighbour *one, uint64_t now)
{
	if (one->asked && now < one->asked + NEIGHBOUR_ASK)
		return false;
	one->asked = now ? now : 1;
	return true;
}

enum neighbour_answer neighbours_find(struct neighbours *side, uint32_t address,
				      const struct packet *packet, uint64_t now,
				      uint8_t mac[PACKET_MAC])
{
	struct neighbour *one = lookup(side, address);

	if (one && one->known && now < one->until + NEIGHBOUR_GRACE) {
		memcpy(mac, one->mac, PACKET_MAC);
		return now >= one->until && may_ask(one, now) ? NEIGHBOUR_REFRESH : NEIGHBOUR_KNOWN;
	}
	if (one && now >= one->until) {
		drop(side, one);
		one = NULL;
	}
	if (!one) {
		give_up(side, now);
		one = place(side);
		*one = (struct neighbour){ .address = address, .until = now + NEIGHBOUR_GRACE };
	}
	keep(side, one, packet);
	return may_ask(one, now) ? NEIGHBOUR_ASK_IT : NEIGHBOUR_WAIT;
}

/* The answer we waited for: what waited for it may go. */
static uint32_t learn(struct neighbours *side, uint32_t address, const uint8_t *mac, uint64_t now,
		      uint8_t *out)
{
	struct neighbour *one = lookup(side, address);
	uint32_t len = 0;

	if (!one || !one->asked || (mac[0] & 1))
		return 0;
	one->known = true;
	one->asked = 0;
	one->until = now + NEIGHBOUR_LIFE;
	memcpy(one->mac, mac, PACKET_MAC);
	if (one->kept) {
		len = side->kept[one->kept - 1].len;
		memcpy(out, side->kept[one->kept - 1].bytes, len);
		memcpy(out, mac, PACKET_MAC);
		memcpy(out + PACKET_MAC, side->mac, PACKET_MAC);
		side->kept[one->kept - 1].busy = false;
		one->kept = 0;
	}
	return len;
}

uint32_t neighbours_hear(struct neighbours *side, const uint8_t *frame, uint32_t len, uint64_t now,
			 uint8_t *out)
{
	static const uint8_t fixed[] = { 0, 1, 8, 0, PACKET_MAC, 4, 0 };
	const uint8_t *mac = frame + ARP + 8;

	if (len < ARP_FRAME || memcmp(frame + ARP, fixed, sizeof(fixed)) ||
	    memcmp(mac, frame + PACKET_MAC, PACKET_MAC) || get32(frame + ARP + 24) != side->own)
		return 0;
	if (frame[ARP + 7] == ARP_REQUEST) {
		write_arp(side, ARP_REPLY, get32(frame + ARP + 14), mac, out);
		return ARP_FRAME;
	}
	if (frame[ARP + 7] != ARP_REPLY)
		return 0;
	return learn(side, get32(frame + ARP + 14), mac, now, out);
}
