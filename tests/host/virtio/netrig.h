/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netrig.h - a switch with three links for tests: two machines and an uplink, a frame being made, and the
 * frame that arrived last.
 */
#ifndef VIRTIO_NETRIG_H
#define VIRTIO_NETRIG_H

#include <net/net.h>

#include "rig.h"

#define SIZE 256u
#define LINKS 3u /* 0 and 1: machines; 2: the uplink */
#define UP 2u
#define CSUM (VIRTIO_BIT(NET_F_CSUM) | VIRTIO_BIT(NET_F_GUEST_CSUM))
#define TSO (CSUM | VIRTIO_BIT(NET_F_HOST_TSO4) | VIRTIO_BIT(NET_F_GUEST_TSO4))
#define MRG VIRTIO_BIT(NET_F_MRG_RXBUF)
#define RX_AT 0x40000u
#define RX_BYTES 2048u
#define RX_COUNT 100u

extern struct rig rigs[LINKS];
extern struct net_switch sw;
extern struct net_link links[LINKS];

/* The frame being made, and what send_frame() puts in front of it. */
extern struct net_hdr hdr;
extern uint8_t frame[70000];
extern uint32_t frame_len;

extern struct net_hdr got_hdr;
extern uint8_t got[70000];
extern uint32_t got_len;

/* All links with these options, link 0 with the features `from`, the others with `to`. */
void begin(struct net_options options, uint64_t from, uint64_t to);
void end(void);
void make(unsigned i, struct net_options options);
void offer_buffers(unsigned i, unsigned count, uint32_t len);

void ethernet(const uint8_t to[6], unsigned from, unsigned type);
void ip(unsigned from, unsigned to, unsigned proto, uint32_t len);
void tcp(unsigned from, unsigned to, uint32_t payload);
void put16(uint32_t at, uint32_t value);
uint32_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
uint32_t plain_sum(const uint8_t *bytes, uint32_t len);
bool checksum_good(const uint8_t *packet);

void send_in(unsigned from, unsigned pieces);
void send_frame(unsigned from);
bool receive(unsigned i);
void expect_same(unsigned i);
void expect_nothing(void);

#endif
