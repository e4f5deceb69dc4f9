/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dhcpmsg.h - DHCP messages as frames: those a client sends, and what those of a server say. A message is read
 * within its bounds and nowhere else; one that contradicts itself says nothing. Pure.
 */
#ifndef FIREWALL_DHCPMSG_H
#define FIREWALL_DHCPMSG_H

#include "dhcp.h"

enum dhcpmsg_type {
	DHCPMSG_DISCOVER = 1,
	DHCPMSG_OFFER = 2,
	DHCPMSG_REQUEST = 3,
	DHCPMSG_ACK = 5,
	DHCPMSG_NAK = 6,
};

struct dhcpmsg_question {
	enum dhcpmsg_type type;
	uint32_t xid;
	uint16_t seconds; /* since it was asked first */
	const uint8_t *mac;
	uint32_t own;		/* our address, or 0 */
	uint32_t wanted, server; /* options; 0: not there */
	uint32_t to;		 /* 0: to everybody */
	const uint8_t *to_mac;
};

struct dhcpmsg_answer {
	unsigned type;
	uint32_t xid;
	struct dhcp_lease lease; /* 0 where nothing is said */
};

/* Writes DHCP_FRAME bytes and returns how many. */
uint32_t dhcpmsg_write(uint8_t *frame, const struct dhcpmsg_question *question);

/* A UDP packet from a server's port to a client's? */
bool dhcpmsg_is(const uint8_t *frame, uint32_t len);

/* False: it is no answer to this station, or is none that can be understood. */
bool dhcpmsg_read(struct dhcpmsg_answer *answer, const uint8_t *frame, uint32_t len, const uint8_t mac[PACKET_MAC]);

#endif
