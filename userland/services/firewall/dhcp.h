/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dhcp.h - an address outside for a while, asked for of whoever gives them there (RFC 2131, 2132):
 *
 *	SELECTING --offer--> REQUESTING --ack--> BOUND --T1--> RENEWING --T2--> REBINDING
 *	    ^                    |                 ^------ack------+---------------+
 *	    +---- nak, silence --+<------------------- nak, the lease is over -----+
 *
 * Whoever answers is not believed: everything is decided on a copy, an offer that cannot be an address of ours is
 * refused and said why, and only answers to the question that is open count. What is said in the log is bounded.
 * Pure: no cards; time is what the caller says, in nanoseconds.
 */
#ifndef FIREWALL_DHCP_H
#define FIREWALL_DHCP_H

#include "packet.h"

#define DHCP_SECOND UINT64_C(1000000000)
#define DHCP_NEVER UINT64_MAX
#define DHCP_LINES 32u	      /* said about refusals, in all */
#define DHCP_SHORTEST 10u     /* s: a shorter lease is refused */
#define DHCP_FRAME 342u	      /* what we send: BOOTP's least of 300 bytes, UDP, IPv4, Ethernet */
#define DHCP_SERVER_PORT 67u
#define DHCP_CLIENT_PORT 68u

enum dhcp_state {
	DHCP_SELECTING,
	DHCP_REQUESTING,
	DHCP_BOUND,
	DHCP_RENEWING,
	DHCP_REBINDING,
};

struct dhcp_lease {
	uint32_t address, mask, gateway, dns; /* dns: 0 = none named */
	uint32_t server;
	uint32_t seconds, renew, rebind; /* from the moment it was asked for; seconds ~0: for ever */
	uint8_t server_mac[PACKET_MAC]; /* where its answer came from */
};

struct dhcp_ops {
	void *self;
	/* Where to write a frame, DHCP_FRAME bytes; NULL: no room, it is lost. */
	uint8_t *(*room)(void *self);
	void (*send)(void *self, uint32_t len);
	void (*log)(void *self, const char *line);
};

struct dhcp {
	const struct dhcp_ops *ops;
	uint8_t mac[PACKET_MAC];
	uint32_t inside, inside_mask; /* a network no lease may lie in */
	enum dhcp_state state;
	struct dhcp_lease lease; /* address 0: none. REQUESTING: the one that is asked for */
	bool leased;
	unsigned changes; /* of what is leased; a renewal of the same is none */
	uint32_t xid, dice;
	unsigned tries; /* of the question that is open */
	uint64_t asked; /* when it was asked first: the lease counts from there */
	uint64_t since; /* when the lease began */
	uint64_t due;
	unsigned lines;
	bool silence_said;
};

/* inside: the network behind the firewall. seed: what other clients do not know. */
void dhcp_init(struct dhcp *dhcp, const uint8_t mac[PACKET_MAC], uint32_t inside, uint32_t inside_mask, uint32_t seed,
	       const struct dhcp_ops *ops);

/* Does what is due. Returns when it wants to be called again. */
uint64_t dhcp_run(struct dhcp *dhcp, uint64_t now);

/* A frame from outside. True: it was for a DHCP client and is nobody else's business. Follow with dhcp_run. */
bool dhcp_input(struct dhcp *dhcp, const uint8_t *frame, uint32_t len, uint64_t now);

#endif
