/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * router.h - the firewall itself: frames of one side, judged, translated and sent out of the other.
 *
 *	inside	-> ours? -> policy -> connection (nat.h) -> neighbour -> outside
 *	outside	-> answers a connection? (nat.h) -> neighbour -> inside
 *
 * A question to the firewall's own port 53 becomes one to the name server outside, if there is one; the policy judges
 * it as it was asked.
 *
 * Both sides are hostile to it and to each other: a frame is copied once and everything is decided on the
 * copy; what is kept is bounded (connections, neighbours, packets that wait, lines in the log).
 */
#ifndef FIREWALL_ROUTER_H
#define FIREWALL_ROUTER_H

#include "nat.h"
#include "neighbours.h"
#include "policy.h"

#define ROUTER_LINES 32u /* refusals said in the log, in all */

enum router_side {
	INSIDE,
	OUTSIDE,
	ROUTER_SIDES,
};

/* Addresses of a side. */
struct router_net {
	uint32_t address, mask;
	uint8_t mac[PACKET_MAC];
};

struct router_config {
	struct router_net nets[ROUTER_SIDES]; /* the address outside: 0 while there is none */
	uint32_t gateway; /* the next router outside */
	bool dhcp; /* what is outside is a lease's, router_set_way_out(); nobody else here may speak to who gave it */
	uint32_t dns; /* 0, or who answers outside what stations ask the firewall at port 53 */
	uint32_t seed;
	struct policy policy;
};

struct router_ops {
	void *self;
	/* Where to write a frame, PACKET_MAX bytes; NULL: no room, it is lost. */
	uint8_t *(*room)(void *self, enum router_side side);
	/* Sends what was written there. */
	void (*send)(void *self, enum router_side side, uint32_t len);
	void (*log)(void *self, const char *line);
};

struct router_counters {
	uint64_t forwarded[ROUTER_SIDES]; /* from that side */
	uint64_t malformed, denied, forged, no_room, expired, no_way;
};

struct router {
	struct router_config config;
	const struct router_ops *ops;
	struct neighbours sides[ROUTER_SIDES];
	struct nat nat;
	struct packet packet; /* the one under way */
	unsigned lines;
	struct router_counters counters;
};

void router_init(struct router *router, const struct router_config *config,
		 const struct router_ops *ops);

/* Outside, the firewall is now another, or nobody (address 0). Connections of another address are forgotten. */
void router_set_way_out(struct router *router, uint32_t address, uint32_t mask, uint32_t gateway, uint32_t dns);

/* A frame has come. */
void router_input(struct router *router, enum router_side side, const uint8_t *frame, uint32_t len,
		  uint64_t now);

#endif
