/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The card of a hostile back end. At its other end is a network in which every address is somebody's: who has it is
 * asked (ARP) and answered, a ping comes back, and so does any other frame, to its sender. So both queues of the
 * driver are in use before the lies begin.
 */
#include <string.h>

#include <net/net.h>

#include "evilback.h"

#define FRAME 1514u
#define A_RUN 32u
#define IP FRAME_ETHERNET
#define ARP_BYTES 42u

struct client {
	struct service_client base; /* first */
	struct vdev dev;
	struct vr_seg segs[NET_TX_SEGS], room[NET_RX_SEGS];
	struct {
		struct net_hdr hdr;
		uint8_t bytes[FRAME];
	} __attribute__((packed)) frame;
};

/* What virtio_net reads of it. */
struct card_config {
	uint8_t mac[FRAME_MAC];
	uint16_t status, max_pairs, mtu;
};

static const uint8_t somebody[FRAME_MAC] = { 0x02, 0xbe, 0xef, 0, 0, 1 };

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
	for (; len; len--, a++, b++) {
		uint8_t kept = *a;

		*a = *b;
		*b = kept;
	}
}

/* What a frame is answered with stands in its place. */
static void turn(uint8_t *frame, size_t len)
{
	memcpy(frame, frame + FRAME_MAC, FRAME_MAC);
	memcpy(frame + FRAME_MAC, somebody, FRAME_MAC);
	if (len >= ARP_BYTES && frame[12] == 8 && frame[13] == 6) {
		uint8_t *arp = frame + FRAME_ETHERNET;

		arp[7] = 2;
		swap(arp + 8, arp + 18, 10);
		memcpy(arp + 8, somebody, FRAME_MAC);
	} else if (len >= IP + 28 && frame[12] == 8 && frame[13] == 0) {
		swap(frame + IP + 12, frame + IP + 16, 4);
		/* A ping's type from 8 to 0: its checksum grows by as much. */
		if (frame[IP + 9] == 1 && frame[IP + 20] == 8) {
			uint32_t sum = (uint32_t)frame[IP + 22] << 8 | frame[IP + 23];

			sum += 0x800;
			sum += sum >> 16;
			frame[IP + 20] = 0;
			frame[IP + 22] = (uint8_t)(sum >> 8);
			frame[IP + 23] = (uint8_t)sum;
		}
	}
}

static void answer(struct client *client, size_t len)
{
	struct devq_chain chain = { .segs = client->room, .max = NET_RX_SEGS };

	if (!vdev_pop(&client->dev, NET_QUEUE_RX, &chain))
		return;
	client->frame.hdr = (struct net_hdr){ .num_buffers = 1 };
	turn(client->frame.bytes, len);
	len = vr_scatter(chain.segs + chain.readable, chain.writable, 0, &client->frame,
			 sizeof(struct net_hdr) + len);
	vdev_push(&client->dev, NET_QUEUE_RX, chain.head, (uint32_t)len);
}

static uint64_t run(struct vdev *dev, uint64_t now)
{
	struct client *client = (struct client *)((uint8_t *)dev - offsetof(struct client, dev));
	struct devq_chain chain = { .segs = client->segs, .max = NET_TX_SEGS };

	if (!vdev_queue_live(dev, NET_QUEUE_RX) || !vdev_queue_live(dev, NET_QUEUE_TX))
		return VDEV_IDLE;
	for (unsigned i = 0; i < A_RUN; i++) {
		size_t len;

		if (!vdev_pop(dev, NET_QUEUE_TX, &chain)) {
			if (!vdev_sleep(dev, NET_QUEUE_TX))
				break;
			continue;
		}
		len = vr_gather(&client->frame, chain.segs, chain.readable, 0, sizeof(client->frame));
		vdev_push(dev, NET_QUEUE_TX, chain.head, 0);
		if (len > sizeof(struct net_hdr) + FRAME_ETHERNET)
			answer(client, len - sizeof(struct net_hdr));
	}
	vdev_flush(dev, NET_QUEUE_TX);
	vdev_flush(dev, NET_QUEUE_RX);
	return now + PV_NSEC_PER_MSEC;
}

static void stop(struct vdev *dev)
{
	(void)dev; /* nothing is kept */
}

static struct vdev *card_start(struct service_client *base, const char **why)
{
	static const struct vdev_class class = {
		.name = "evilback", .device_id = 1, .queues = 2, .run = run, .stop = stop,
	};
	struct client *client = (struct client *)base;
	struct card_config config = { .status = 1, .max_pairs = 1, .mtu = 1500 };

	(void)why;
	memcpy(config.mac, base->end.page->mac, sizeof(config.mac));
	vdev_init(&client->dev, &class, &base->end.port, &base->end.window,
		  VIRTIO_BIT(NET_F_MAC) | VIRTIO_BIT(NET_F_MTU) | VIRTIO_BIT(NET_F_MRG_RXBUF) |
			  VIRTIO_BIT(NET_F_STATUS),
		  NET_QUEUE_SIZE);
	vdev_config_set(&client->dev, 0, &config, sizeof(config));
	return &client->dev;
}

static void card_nonsense(void *bytes)
{
	struct card_config *config = bytes;

	for (unsigned i = 0; i < FRAME_MAC; i++)
		config->mac[i] = (uint8_t)number();
	config->mac[0] |= 1; /* a group's */
	config->status = (uint16_t)number();
	config->max_pairs = (uint16_t)number();
	config->mtu = (uint16_t)(number() % 100);
}

const struct evil_kind evil_card = {
	.kind = PV_LINK_NET,
	.client_size = sizeof(struct client),
	.start = card_start,
	.nonsense = card_nonsense,
};
