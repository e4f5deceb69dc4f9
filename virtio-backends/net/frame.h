/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - what the switch has to know about an Ethernet frame, from a private copy of its first bytes:
 * is the metadata true, is the sender who it says, where does it go. Pure: no queues, no devices.
 */
#ifndef VIRTIO_FRAME_H
#define VIRTIO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD 256u	    /* bytes copied; every header that matters lies inside */
#define FRAME_MAC 6u
#define FRAME_ETHERNET 14u
#define FRAME_MTU_MIN 68u
#define FRAME_MTU_MAX 9000u
#define FRAME_GSO_MAX 65535u /* bytes of an IP packet before it is cut */
#define FRAME_GSO_MIN 48u    /* smallest segment: who asks for less asks for work */

#define NET_HDR_NEEDS_CSUM 1u
#define NET_GSO_NONE 0u
#define NET_GSO_TCPV4 1u

/* In front of every frame (virtio 1.x, 5.1.6). */
struct net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};

_Static_assert(sizeof(struct net_hdr) == 12, "part of the protocol");

struct frame {
	struct net_hdr hdr; /* the sender's, until frame_check made it ours */
	uint32_t len;	    /* of the whole frame */
	uint32_t head_len;  /* bytes in head */
	uint32_t headers;   /* GSO: Ethernet, IP and TCP headers together */
	uint8_t head[FRAME_HEAD];
};

struct frame_rules {
	uint8_t mac[FRAME_MAC];
	uint8_t ip4[4]; /* zero: any */
	uint32_t mtu;
	bool csum, tso4; /* the sender negotiated it */
};

/* Does the metadata describe the frame? Then hdr is rebuilt from what was checked. */
bool frame_check(struct frame *frame, const struct frame_rules *rules);

/* Does it say it comes from this MAC and IPv4 address? ARP and IPv4 only, no tags; DHCP may ask from
 * 0.0.0.0. */
bool frame_source_fits(const struct frame *frame, const struct frame_rules *rules);

/* Sums as the Internet checksum wants them: 16-bit big-endian words, folded at the end. `odd` is the
 * parity of the bytes summed so far. */
uint32_t frame_sum(uint32_t sum, const uint8_t *bytes, size_t len, bool odd);
uint16_t frame_fold(uint32_t sum);

/* Turns the head of a frame to be cut into that of its piece: payload bytes [at, at + len) of it. The
 * TCP checksum field gets the sum of the pseudo-header, which is what NEEDS_CSUM means. */
void frame_cut(struct frame *piece, const struct frame *whole, uint32_t at, uint32_t len);

#endif
