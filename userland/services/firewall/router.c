/* SPDX-License-Identifier: BSD-2-Clause */
/* The firewall; see router.h. */
#include "router.h"

#include <stdio.h>
#include <string.h>

#define PORT_DNS 53u
#define PORT_DHCP 67u

/* ---- frames out ---- */

static void emit(struct router *r, enum router_side side, const uint8_t *frame, uint32_t len)
{
	uint8_t *at = r->ops->room(r->ops->self, side);

	if (!at) {
		r->counters.no_room++;
		return;
	}
	memcpy(at, frame, len);
	r->ops->send(r->ops->self, side, len);
}

/* The packet under way to a station of that side, or its neighbour is asked for first. */
static void deliver(struct router *r, enum router_side side, uint32_t hop, uint64_t now)
{
	struct packet *packet = &r->packet;
	uint8_t mac[PACKET_MAC], ask[ARP_FRAME];
	enum neighbour_answer answer = neighbours_find(&r->sides[side], hop, packet, now, mac);

	if (answer == NEIGHBOUR_ASK_IT || answer == NEIGHBOUR_REFRESH) {
		neighbours_ask(&r->sides[side], hop, ask);
		emit(r, side, ask, ARP_FRAME);
	}
	if (answer == NEIGHBOUR_KNOWN || answer == NEIGHBOUR_REFRESH) {
		memcpy(packet->bytes, mac, PACKET_MAC);
		memcpy(packet->bytes + PACKET_MAC, r->config.nets[side].mac, PACKET_MAC);
		emit(r, side, packet->bytes, packet->len);
	}
}

/* ---- what is refused ---- */

static const char *proto_name(uint8_t proto)
{
	return proto == PROTO_TCP ? "tcp" : proto == PROTO_UDP ? "udp" : "icmp";
}

static void say_refused(struct router *r, const char *why)
{
	const struct packet *p = &r->packet;
	char line[128];

	if (r->lines >= ROUTER_LINES)
		return;
	r->lines++;
	snprintf(line, sizeof(line), "%s: %s %u.%u.%u.%u:%u to %u.%u.%u.%u:%u%s", why,
		 proto_name(p->proto), p->source >> 24, p->source >> 16 & 255, p->source >> 8 & 255,
		 p->source & 255, p->from, p->target >> 24, p->target >> 16 & 255,
		 p->target >> 8 & 255, p->target & 255, p->to,
		 r->lines == ROUTER_LINES ? " (more is not said)" : "");
	r->ops->log(r->ops->self, line);
}

/* ---- packets ---- */

static bool is_in(const struct router_net *net, uint32_t address)
{
	return ((address ^ net->address) & net->mask) == 0;
}

/* Can it be the address of one station that is not us? */
static bool is_station(const struct router *r, enum router_side side, uint32_t address)
{
	const struct router_net *net = &r->config.nets[side];
	uint32_t host = address & ~net->mask;

	return is_in(net, address) && address != net->address &&
	       ((net->mask | 1) == ~0u || (host != 0 && host != ~net->mask));
}

/* 0.0.0.0/8, loopback, groups and what lies above: never a target beyond a router. */
static bool is_routable(uint32_t address)
{
	uint32_t top = address >> 24;

	return top != 0 && top != 127 && top < 224;
}

/* Is it a question for the name server? Then the policy has judged it as it was asked, and it goes there. */
static bool asks_for_names(const struct router *r)
{
	const struct packet *packet = &r->packet;

	return r->config.dns && packet->target == r->config.nets[INSIDE].address && packet->to == PORT_DNS &&
	       packet->proto != PROTO_ICMP;
}

/* What a station inside could do to our lease. */
static bool is_to_dhcp(const struct router *r)
{
	return r->config.dhcp && r->packet.proto == PROTO_UDP && r->packet.to == PORT_DHCP;
}

static void from_inside(struct router *r, uint64_t now)
{
	struct packet *packet = &r->packet;
	const struct router_net *out = &r->config.nets[OUTSIDE];

	if (!is_station(r, INSIDE, packet->source)) {
		r->counters.forged++;
		return;
	}
	if (packet->quoted) /* what comes in for a station it takes, or is silent */
		return;
	if (asks_for_names(r)) {
		packet->of_us = true;
	} else if (packet->target == r->config.nets[INSIDE].address) {
		if (packet->proto != PROTO_ICMP || packet->icmp != ICMP_ECHO)
			return;
		packet_answer(packet);
		deliver(r, INSIDE, packet->target, now);
		return;
	}
	if (!packet->of_us && (is_in(&r->config.nets[INSIDE], packet->target) ||
			       packet->target == out->address || !is_routable(packet->target)))
		return;
	if (!policy_allows(&r->config.policy, packet) || is_to_dhcp(r)) {
		r->counters.denied++;
		say_refused(r, "denied");
		return;
	}
	if (!out->address) {
		r->counters.no_way++;
		return;
	}
	if (!packet_age(packet)) {
		r->counters.expired++;
		return;
	}
	if (packet->of_us)
		packet_set_target(packet, r->config.dns, PORT_DNS);
	if (!nat_out(&r->nat, packet, now)) {
		say_refused(r, "no room for a connection");
		return;
	}
	r->counters.forwarded[INSIDE]++;
	deliver(r, OUTSIDE, is_in(out, packet->target) ? packet->target : r->config.gateway, now);
}

static void from_outside(struct router *r, uint64_t now)
{
	struct packet *packet = &r->packet;

	if (!is_routable(packet->source) || is_in(&r->config.nets[INSIDE], packet->source)) {
		r->counters.forged++;
		return;
	}
	/* Nothing is said: the world may knock as often as it likes. */
	if (!nat_in(&r->nat, packet, now))
		return;
	if (!packet_age(packet)) {
		r->counters.expired++;
		return;
	}
	if (packet->of_us)
		packet_set_source(packet, r->config.nets[INSIDE].address, PORT_DNS);
	r->counters.forwarded[OUTSIDE]++;
	deliver(r, INSIDE, packet->target, now);
}

static bool is_for_us(const struct router *r, enum router_side side, const uint8_t *frame)
{
	return !memcmp(frame, r->config.nets[side].mac, PACKET_MAC);
}

void router_input(struct router *r, enum router_side side, const uint8_t *frame, uint32_t len,
		  uint64_t now)
{
	struct packet *packet = &r->packet;
	uint8_t out[PACKET_MAX];

	if (len < PACKET_ETHERNET || len > PACKET_MAX) {
		r->counters.malformed++;
		return;
	}
	if (!r->config.nets[side].address)
		return;
	memcpy(packet->bytes, frame, len);
	packet->len = len;
	if (get16(packet->bytes + 12) == ETHERTYPE_ARP) {
		len = neighbours_hear(&r->sides[side], packet->bytes, len, now, out);
		if (len)
			emit(r, side, out, len);
	} else if (is_for_us(r, side, packet->bytes)) {
		if (packet_parse(packet))
			r->counters.malformed++;
		else if (side == INSIDE)
			from_inside(r, now);
		else
			from_outside(r, now);
	}
}

void router_set_way_out(struct router *r, uint32_t address, uint32_t mask, uint32_t gateway, uint32_t dns)
{
	struct router_net *out = &r->config.nets[OUTSIDE];
	bool same = out->address == address;

	out->address = address;
	out->mask = mask;
	r->config.gateway = gateway;
	r->config.dns = dns;
	if (same)
		return;
	neighbours_init(&r->sides[OUTSIDE], address, out->mac);
	nat_init(&r->nat, address, r->config.seed);
}

void router_init(struct router *r, const struct router_config *config, const struct router_ops *ops)
{
	memset(r, 0, sizeof(*r));
	r->config = *config;
	r->ops = ops;
	for (unsigned i = 0; i < ROUTER_SIDES; i++)
		neighbours_init(&r->sides[i], config->nets[i].address, config->nets[i].mac);
	nat_init(&r->nat, config->nets[OUTSIDE].address, config->seed);
}
