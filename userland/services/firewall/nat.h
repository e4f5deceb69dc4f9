/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nat.h - the connections that go through the firewall, and the one address they share outside.
 *
 * A connection begins inside. What comes from outside is let in only if it answers one: same protocol, same
 * remote address and port, and the port outside that the connection was given (its own, if no other
 * connection to that remote uses it). The table is bounded, in all and for each station inside; who asks for
 * more gets no connection, and nobody else loses his.
 *
 * Nothing here waits; time is what the caller says, in nanoseconds.
 */
#ifndef FIREWALL_NAT_H
#define FIREWALL_NAT_H

#include "packet.h"

#define NAT_FLOWS 1024u
#define NAT_FLOWS_EACH 256u /* of one station inside */
#define NAT_BUCKETS 512u
#define NAT_PORT_FIRST 1024u
#define NAT_PORT_TRIES 64u

#define NAT_SECOND UINT64_C(1000000000)
#define NAT_TCP_NEW (60 * NAT_SECOND)  /* no answer yet */
#define NAT_TCP_LIVE (7440 * NAT_SECOND) /* RFC 5382 */
#define NAT_TCP_ENDED (120 * NAT_SECOND) /* both sides said so, or one broke it off */
#define NAT_UDP_NEW (30 * NAT_SECOND)
#define NAT_UDP_LIVE (300 * NAT_SECOND)
#define NAT_ICMP (30 * NAT_SECOND)

enum nat_state {
	NAT_FREE,
	NAT_NEW,
	NAT_LIVE, /* answered */
	NAT_ENDED,
};

struct nat_flow {
	enum nat_state state;
	uint8_t proto;
	bool fin_in, fin_out;
	bool of_us; /* see packet.h: what it asks for, it asks the firewall for */
	uint32_t inside, remote;
	uint16_t inside_port, remote_port, outside_port;
	uint64_t until;
	uint16_t next_out, next_in; /* in their buckets, from 1 */
};

struct nat_counters {
	uint64_t made, expired;
	uint64_t full, full_each, no_port; /* connections refused */
	uint64_t unasked;		   /* packets from outside that answer nothing */
};

struct nat {
	uint32_t outside; /* the shared address */
	struct nat_flow flows[NAT_FLOWS];
	uint16_t out[NAT_BUCKETS], in[NAT_BUCKETS]; /* by what is seen inside, outside */
	unsigned used;
	unsigned hand; /* where the next search for a free place begins */
	uint32_t dice;
	struct nat_counters counters;
};

/* seed: where the search for another port begins. */
void nat_init(struct nat *nat, uint32_t outside, uint32_t seed);

/* A packet on its way out: its connection is found, or made, and its source changed. False: there is no
 * room for another connection. */
bool nat_out(struct nat *nat, struct packet *packet, uint64_t now) __attribute__((warn_unused_result));

/* A packet on its way in: its target is changed, and what it quotes. False: it answers nothing, or is about
 * nothing that was sent. */
bool nat_in(struct nat *nat, struct packet *packet, uint64_t now) __attribute__((warn_unused_result));

#endif
