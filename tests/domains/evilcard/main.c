/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evilcard - a back end of a network link that lies about what it delivers (D9 of docs/virtio-backends.md): frames
 * whose headers promise checksums, segments, lengths and numbers of buffers that are not so, as many as the
 * driver has room for. What the driver sends is swallowed. Says now and then how many there were.
 *
 * Option: seed=N (1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <net/net.h>
#include <port/newlib/service.h>

#define FRAME 600u
#define A_RUN 16u
#define PAUSE (1 * PV_NSEC_PER_MSEC)
#define TOLD_EVERY 5000u

struct client {
	struct service_client base; /* first */
	struct vdev dev;
	struct vr_seg segs[NET_TX_SEGS];
	uint8_t mac[FRAME_MAC];
};

static uint64_t state = 1, lies;

static uint64_t number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull >> 16;
}

static struct client *client_of(struct vdev *dev)
{
	return (struct client *)((uint8_t *)dev - offsetof(struct client, dev));
}

/* A frame for this card, IPv4 with TCP or UDP most of the time, and a header that may say anything of it. */
static size_t make(const struct client *client, uint8_t *bytes)
{
	struct net_hdr hdr = {
		.flags = (uint8_t)(number() % 8),
		.gso_type = (uint8_t)(number() % 6 | (number() % 2 ? 0x80 : 0)),
		.hdr_len = (uint16_t)(number() % 4 ? number() % 120 : number()),
		.gso_size = (uint16_t)(number() % 3 ? number() % 1500 : number()),
		.csum_start = (uint16_t)(number() % 4 ? number() % 80 : number()),
		.csum_offset = (uint16_t)(number() % 4 ? number() % 40 : number()),
	};
	static const uint8_t ip[] = { 0x08, 0x00, 0x45, 0, 2, 0, 0, 1, 0, 0, 64 };
	uint8_t *frame = bytes + sizeof(hdr);

	hdr.num_buffers = (uint16_t)(number() % 3 ? 1 : number() % 5 ? number() % 9 : number());
	for (unsigned i = 0; i < FRAME; i++)
		frame[i] = (uint8_t)number();
	memcpy(frame, client->mac, FRAME_MAC);
	frame[6] &= 0xfe;
	if (number() % 8) {
		memcpy(frame + 12, ip, sizeof(ip));
		frame[23] = number() % 2 ? 6 : 17;
	}
	memcpy(bytes, &hdr, sizeof(hdr));
	return sizeof(hdr) + number() % FRAME;
}

static bool deliver(struct client *client)
{
	static uint8_t bytes[sizeof(struct net_hdr) + FRAME];
	struct devq_chain chain = { .segs = client->segs, .max = NET_RX_SEGS };
	size_t len;

	if (!vdev_pop(&client->dev, NET_QUEUE_RX, &chain))
		return false;
	len = make(client, bytes);
	(void)vr_scatter(chain.segs + chain.readable, chain.writable, 0, bytes, len);
	vdev_push(&client->dev, NET_QUEUE_RX, chain.head,
		  (uint32_t)(number() % 16 ? len : number() % 2 ? number() % 12 : number()));
	if (++lies % TOLD_EVERY == 0)
		printf("%llu frames that lie\n", (unsigned long long)lies);
	return true;
}

static uint64_t run(struct vdev *dev, uint64_t now)
{
	struct client *client = client_of(dev);
	struct devq_chain chain = { .segs = client->segs, .max = NET_TX_SEGS };

	if (!vdev_queue_live(dev, NET_QUEUE_RX) || !vdev_queue_live(dev, NET_QUEUE_TX))
		return VDEV_IDLE;
	for (unsigned i = 0; i < A_RUN && vdev_pop(dev, NET_QUEUE_TX, &chain); i++)
		vdev_push(dev, NET_QUEUE_TX, chain.head, 0);
	for (unsigned i = 0; i < A_RUN && deliver(client); i++)
		;
	vdev_flush(dev, NET_QUEUE_TX);
	vdev_flush(dev, NET_QUEUE_RX);
	return now + PAUSE;
}

static void stop(struct vdev *dev)
{
	(void)dev; /* nothing is kept */
}

static struct vdev *client_start(struct service_client *base, const char **why)
{
	static const struct vdev_class class = {
		.name = "evilcard", .device_id = 1, .queues = 2, .run = run, .stop = stop,
	};
	struct client *client = (struct client *)base;

	(void)why;
	memcpy(client->mac, base->end.page->mac, sizeof(client->mac));
	vdev_init(&client->dev, &class, &base->end.port, &base->end.window,
		  VIRTIO_BIT(NET_F_MAC) | VIRTIO_BIT(NET_F_GUEST_CSUM) | VIRTIO_BIT(NET_F_GUEST_TSO4) |
			  VIRTIO_BIT(NET_F_MRG_RXBUF),
		  NET_QUEUE_SIZE);
	client->dev.config_len = FRAME_MAC;
	vdev_config_set(&client->dev, 0, client->mac, FRAME_MAC);
	return &client->dev;
}

int main(void)
{
	static const struct service service = {
		.kind = PV_LINK_NET,
		.client_size = sizeof(struct client),
		.start = client_start,
	};
	char value[12];

	if (pv_cmdline_get("seed", value, sizeof(value)))
		state = strtoull(value, NULL, 10) | 1;
	return service_run(&service);
}
