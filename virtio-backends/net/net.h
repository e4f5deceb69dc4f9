/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net.h - a switch of virtio network devices (virtio 1.x, 5.1). Every link has one fixed MAC and, unless it
 * may use any, IPv4 address: what does not come from them is dropped before anybody sees it. Links reach
 * uplinks (a firewall, a driver of a card) and, unless they are isolated, each other. Nothing is learnt,
 * nothing is queued: who offers no buffer loses the frame, and makes nobody wait.
 *
 * A frame is copied once, from the sender's window to the receiver's; the headers go through private
 * memory, and what was checked there is what is sent. Checksum and segmentation metadata are passed on
 * to a receiver that negotiated them, else the work is done here.
 *
 * A switch may have a card, the way out of the machine: frames for nobody here go there, complete, and
 * what it receives comes in. It is an uplink that is no link.
 *
 * Over a crash frames are sent at most once; buffers for receiving stay good.
 */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include "../ring/bucket.h"
#include "../ring/vdev.h"
#include "frame.h"

#define NET_F_CSUM 0
#define NET_F_GUEST_CSUM 1
#define NET_F_MTU 3
#define NET_F_MAC 5
#define NET_F_GUEST_TSO4 7
#define NET_F_HOST_TSO4 11
#define NET_F_MRG_RXBUF 15
#define NET_F_STATUS 16

#define NET_QUEUE_RX 0u
#define NET_QUEUE_TX 1u
#define NET_QUEUE_SIZE 256u
#define NET_TX_SEGS 64u /* of a frame that is sent */
#define NET_RX_SEGS 20u /* of a buffer that is received into */
#define NET_MERGE_MAX DEVQ_BATCH /* buffers of one frame */
#define NET_BURST_FRAMES 8u
#define NET_BURST_BYTES 32768u
#define NET_PAUSE UINT64_C(300000) /* ns between two looks at a burst */
#define NET_SPOOFS_LOGGED 8u	 /* of a link: a driver may go on for ever, but not fill the log */

struct net_options {
	uint8_t mac[FRAME_MAC];
	uint8_t ip4[4]; /* zero: any */
	uint32_t mtu;	/* 0: 1500 */
	bool uplink;	/* speaks for addresses that are no link's */
	bool isolated;	/* reaches uplinks only */
	uint64_t bytes_per_second, burst_bytes; /* of what it sends; 0: no limit */
};

struct net_counters {
	uint64_t sent, received, bytes;
	uint64_t malformed, spoofed, no_target, no_buffer, replayed;
};

/* A buffer to receive into that is taken from the queue and not used yet. */
struct net_buffer {
	uint16_t head;
	uint16_t count;
	uint64_t room;
	struct vr_seg segs[NET_RX_SEGS];
};

struct net_link {
	struct vdev dev; /* first */
	struct net_switch *sw;
	struct net_link *next;
	struct net_options options;
	struct frame_rules rules;
	struct bucket bucket;
	struct net_counters counters;
	/* What it has sent since it was sent something: who gets no answer waits for none. */
	unsigned burst_frames;
	uint64_t burst_bytes;
	unsigned held;
	struct net_buffer buffers[NET_MERGE_MAX];
};

/* A driver of a card. */
struct net_card {
	void *self;
	/* Where to write a frame, FRAME_ETHERNET + mtu bytes; NULL: no room, the frame is lost. */
	uint8_t *(*room)(void *self);
	/* Sends what was written there. */
	void (*send)(void *self, uint32_t len);
	/* No more for now. */
	void (*flush)(void *self);
	uint32_t mtu;
};

struct net_switch {
	struct net_link *links;
	const struct net_card *card; /* or NULL */
	struct net_counters card_counters; /* sent: received from the card */
	/* The frame under way; one at a time. */
	struct frame frame, piece;
	struct vr_seg segs[NET_TX_SEGS];
};

/* card: NULL, or the switch's way out; it stays the caller's. */
void net_switch_init(struct net_switch *sw, const struct net_card *card);

/* A frame the card has received. Its bytes may change meanwhile. Follow with net_flush. */
void net_receive(struct net_switch *sw, const uint8_t *bytes, uint32_t len);

/* Tells the drivers what net_receive gave them. */
void net_flush(struct net_switch *sw);

/* NULL, or what is wrong with the options. */
const char *net_link_init(struct net_link *link, struct net_switch *sw,
			  const struct net_options *options, const struct port *port,
			  const struct vr_window *window) __attribute__((warn_unused_result));

/* Takes the link out of its switch, before its window goes away. */
void net_link_remove(struct net_link *link);

/* Carrier, as the driver sees it. */
void net_link_set_up(struct net_link *link, bool up);

#endif
