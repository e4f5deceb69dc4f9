/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet.h - what a router has to know about an IPv4 packet, in a private copy of its frame. Numbers are in
 * the order of the processor. Pure: no cards, no tables.
 */
#ifndef FIREWALL_PACKET_H
#define FIREWALL_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#define PACKET_ETHERNET 14u
#define PACKET_MAX 1514u /* a frame */
#define PACKET_MAC 6u

#define ETHERTYPE_IP4 0x0800u
#define ETHERTYPE_ARP 0x0806u

#define PROTO_ICMP 1u
#define PROTO_TCP 6u
#define PROTO_UDP 17u

#define TCP_FIN 1u
#define TCP_SYN 2u
#define TCP_RST 4u
#define TCP_ACK 16u

#define ICMP_ECHO_REPLY 0u
#define ICMP_UNREACHABLE 3u
#define ICMP_ECHO 8u
#define ICMP_EXPIRED 11u
#define ICMP_PARAMETER 12u

struct packet {
	uint8_t bytes[PACKET_MAX];
	uint32_t len; /* of the frame */
	/* what packet_parse() found */
	uint8_t *ip, *body; /* the two headers */
	uint32_t source, target;
	uint8_t proto;
	uint8_t flags;	       /* TCP's */
	uint8_t icmp;	       /* ICMP's type */
	uint16_t from, to;     /* ports; of an ICMP echo its identifier, for both */
	uint8_t *check;	       /* the checksum that covers ports and, but for ICMP, addresses */
	uint8_t *from_at, *to_at;
	/* An ICMP error, else NULL: the IPv4 header it quotes, of a packet that came from where it goes. */
	uint8_t *quoted;
	uint8_t quoted_proto;
	uint32_t quoted_source, quoted_target;
	uint16_t quoted_from, quoted_to;
	uint8_t *quoted_from_at;
	bool of_us; /* a question a station asks the firewall, or an answer to one */
};

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

/*
 * Is this frame a whole TCP segment, UDP datagram, ICMP echo, or an ICMP error about one of them, over IPv4?
 * NULL, or why it is nothing a router here forwards: fragments, IP options and other protocols are not.
 */
const char *packet_parse(struct packet *packet);

/* Changes of a parsed packet that keep its checksums as right, or as wrong, as they were. */
void packet_set_source(struct packet *packet, uint32_t address, uint16_t port);
void packet_set_target(struct packet *packet, uint32_t address, uint16_t port);

/* Of an ICMP error: whom the quoted packet came from. */
void packet_set_quoted_source(struct packet *packet, uint32_t address, uint16_t port);

/* One router less to go. False: it must not be forwarded any more. */
bool packet_age(struct packet *packet);

/* Turns an ICMP echo into its answer. */
void packet_answer(struct packet *packet);

/* Internet checksum of `len` bytes, to be stored; 0 over a header that contains its own. */
uint16_t packet_sum(const uint8_t *bytes, uint32_t len);

#endif
