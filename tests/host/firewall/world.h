/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - what is around the firewall in a test: a station inside, the router outside, and the frames the
 * firewall sent, with packets made and checked by code of the test's own.
 */
#ifndef FIREWALL_WORLD_H
#define FIREWALL_WORLD_H

#include <router.h>

#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define VM IP4(10, 0, 0, 1)
#define VM2 IP4(10, 0, 0, 2)
#define FW_IN IP4(10, 0, 0, 254)
#define FW_OUT IP4(10, 0, 2, 15)
#define GATEWAY IP4(10, 0, 2, 2)
#define DNS IP4(10, 0, 2, 3)
#define WEB IP4(93, 184, 216, 34)

extern const uint8_t vm_mac[6], gateway_mac[6];
extern struct router router;
extern uint64_t now;

/* The frame being made, or the one that was sent last. */
extern uint8_t frame[PACKET_MAX];
extern uint32_t frame_len;
extern uint8_t sent[PACKET_MAX];
extern uint32_t sent_len;
extern enum router_side sent_side;
extern unsigned sent_count, log_count;
extern char last_log[256];
extern bool no_room;

/* A firewall with this policy whose neighbours are known already. */
void begin(const char *policy);

/* The firewall asks for a station, and is answered. */
void meet(enum router_side side, uint32_t address, const uint8_t *mac);

/* A packet with right checksums, from one address and port to another. */
void make(uint8_t proto, uint32_t from, unsigned from_port, uint32_t to, unsigned to_port,
	  unsigned payload);
void make_tcp(uint32_t from, unsigned from_port, uint32_t to, unsigned to_port, uint8_t flags);
void make_echo(uint32_t from, uint32_t to, unsigned id, bool reply);
/* An ICMP error of somebody to the firewall, about a packet that `sent` is a copy of. */
void make_error(uint32_t from, uint32_t to, unsigned type);
void make_arp(bool inside, unsigned op, const uint8_t *mac, uint32_t own, uint32_t target);

/* Sums of the frame being made, after it was changed. */
void seal(void);

/* Hands the frame to the firewall from that side. */
void put_in(enum router_side side);

/* The frame that was sent is a right packet with these, at that side; it was the only one. */
void expect(enum router_side side, uint32_t from, unsigned from_port, uint32_t to, unsigned to_port);
void expect_nothing(void);

#endif
