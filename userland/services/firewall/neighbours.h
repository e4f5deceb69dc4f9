/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * neighbours.h - ARP on one side of the firewall: who has which address. What is asked for is asked by the
 * firewall; an answer nobody asked for changes nothing. While an answer is waited for, the last packet for
 * that station is kept.
 */
#ifndef FIREWALL_NEIGHBOURS_H
#define FIREWALL_NEIGHBOURS_H

#include "packet.h"

#define NEIGHBOURS 64u
#define NEIGHBOUR_KEPT 8u /* packets that wait, of all neighbours of a side */
#define NEIGHBOUR_LIFE UINT64_C(60000000000)
#define NEIGHBOUR_ASK UINT64_C(1000000000)   /* not more often than this */
#define NEIGHBOUR_GRACE UINT64_C(3000000000) /* for an answer, the first one or one more */
#define ARP_FRAME 42u

struct neighbour {
	uint32_t address; /* 0: free */
	bool known;
	uint8_t mac[PACKET_MAC];
	uint64_t until; /* known: to be asked again; else given up */
	uint64_t asked; /* 0: no answer is waited for */
	unsigned kept; /* 0, or which packet waits, from 1 */
};

struct neighbours {
	uint32_t own;
	uint8_t mac[PACKET_MAC];
	struct neighbour table[NEIGHBOURS];
	struct {
		bool busy;
		uint32_t len;
		uint8_t bytes[PACKET_MAX];
	} kept[NEIGHBOUR_KEPT];
};

enum neighbour_answer {
	NEIGHBOUR_KNOWN,   /* mac is filled in */
	NEIGHBOUR_REFRESH, /* likewise, and a request is to be sent: neighbours_ask() */
	NEIGHBOUR_ASK_IT,  /* a request is to be sent; the packet waits */
	NEIGHBOUR_WAIT,
};

void neighbours_init(struct neighbours *side, uint32_t own, const uint8_t mac[PACKET_MAC]);

/* Where a packet for this address goes. One whose answer is not there yet is kept, if there is room. */
enum neighbour_answer neighbours_find(struct neighbours *side, uint32_t address,
				      const struct packet *packet, uint64_t now,
				      uint8_t mac[PACKET_MAC]);

/* Writes the request for an address; ARP_FRAME bytes. */
void neighbours_ask(const struct neighbours *side, uint32_t address, uint8_t *frame);

/*
 * An ARP frame of `len` bytes has come. Returns the length of the frame to send for it, written to out
 * (PACKET_MAX bytes): an answer for who asks for us, the packet that waited for this answer, or none: 0.
 */
uint32_t neighbours_hear(struct neighbours *side, const uint8_t *frame, uint32_t len, uint64_t now,
			 uint8_t *out);

#endif
