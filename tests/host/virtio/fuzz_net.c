/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the switch: an input is a program of one hostile link between an honest one and an uplink. It
 * sends frames, mostly nearly right ones, offers strange buffers, and changes memory at chosen reads.
 *
 * What must hold: no step outside the areas, and every frame the honest link receives says it comes
 * from the hostile link's own addresses, has metadata that fit it, and arrives in one piece.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <net/net.h>
#include <ring/drvq.h>

#include "fuzzer.h"

#define AREA 8192u
#define DATA_BYTES 16384u
#define DEVICE_OFF 0x10000u
#define DATA_OFF 0x20000u
#define SIZE 16u
#define LINKS 3u /* 0: hostile; 1: honest; 2: uplink, honest too */
#define BUFFER 700u

static struct side {
	struct vr_window window;
	struct port port;
	struct drvq rx, tx;
	struct drvq_slot rx_slots[SIZE], tx_slots[SIZE];
} sides[LINKS];

static struct net_switch sw;
static struct net_link links[LINKS];

static void notify(void *self, uint32_t queue)
{
	(void)self;
	(void)queue;
}

static struct vr_place place(unsigned queue)
{
	return (struct vr_place){ SIZE, queue * 2048, queue * 2048 + 1024, DEVICE_OFF + queue * 2048,
				  DEVICE_OFF + queue * 2048 + 1024 };
}

static void offer(unsigned i, unsigned at)
{
	struct drvq_buf buf = { DATA_OFF + 4096 + at * BUFFER, BUFFER };

	insist(drvq_add(&sides[i].rx, &buf, 0, 1, (void *)(uintptr_t)(at + 1)));
}

static void start(unsigned i, uint64_t features)
{
	struct net_options options = { .mac = { 2, 0, 0, 0, 0, (uint8_t)(i + 1) },
				       .ip4 = { 10, 0, 0, (uint8_t)(i + 1) },
				       .uplink = i == 2 };
	struct side *side = &sides[i];
	struct vdev_want want = { .features = features, .status = 0xb };

	memset(side->window.driver.base, 0, AREA);
	memset(side->window.device.base, 0, AREA);
	insist(!net_link_init(&links[i], &sw, &options, &side->port, &side->window));
	insist(vdev_apply(&links[i].dev, &want));
	want.status = 0xf;
	for (unsigned queue = 0; queue < 2; queue++)
		want.queues[queue] = (struct vdev_queue_want){ true, place(queue) };
	insist(vdev_apply(&links[i].dev, &want) && links[i].dev.state == VDEV_LIVE);
	insist(drvq_start(&side->rx, &side->window, &want.queues[0].place, side->rx_slots, true));
	insist(drvq_start(&side->tx, &side->window, &want.queues[1].place, side->tx_slots, true));
	for (unsigned at = 0; at < SIZE; at++)
		offer(i, at);
}

/* A TCP packet of ours with metadata, then some bytes of it changed by the input. */
static void make_frame(uint8_t *at, uint32_t len)
{
	static const uint8_t head[] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
		0x45, 0, 0, 0, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0,
	};
	struct net_hdr hdr = { 1, (uint8_t)(take(1) & 1), 54, (uint16_t)take(2), 34, 16, 0 };
	unsigned changes = take(1) & 3;

	memcpy(at, &hdr, 12);
	memcpy(at + 12, head, sizeof(head));
	at[28] = (uint8_t)((len - 26) >> 8);
	at[29] = (uint8_t)(len - 26);
	for (; changes; changes--) {
		unsigned where = take(1) % 80;

		at[where] = (uint8_t)take(1);
	}
}

/* Nothing but what link 0 may say, whole and described by its header. */
static void check_received(unsigned i)
{
	static uint8_t frame[SIZE * BUFFER];
	struct side *side = &sides[i];
	uint32_t written;
	void *token;

	while (drvq_get(&side->rx, &token, &written)) {
		struct net_hdr hdr;
		uint32_t len = 0, got = 0;

		do {
			unsigned at = (unsigned)(uintptr_t)token - 1;
			const uint8_t *from = side->window.data.base + 4096 + at * BUFFER;

			if (got == 0)
				memcpy(&hdr, from, 12);
			insist(written <= BUFFER);
			memcpy(frame + len, from, written);
			len += written;
			offer(i, at);
		} while (++got < hdr.num_buffers &&
			 (drvq_get(&side->rx, &token, &written) || (insist(false), false)));
		insist(len >= 12 + 14 && got == hdr.num_buffers);
		insist(memcmp(frame + 12 + 6, links[0].options.mac, 6) == 0);
		insist(frame[24] == 8 && (frame[25] == 0 || frame[25] == 6));
		if (frame[25] == 6)
			insist(memcmp(frame + 12 + 22, links[0].options.mac, 6) == 0);
		else
			insist(memcmp(frame + 12 + 26, links[0].options.ip4, 4) == 0 ||
			       memcmp(frame + 12 + 26, "\0\0\0\0", 4) == 0);
		insist(hdr.flags <= 1 && hdr.gso_type <= 1);
		insist(!hdr.flags || hdr.csum_start + hdr.csum_offset + 2u <= len - 12);
		insist(!hdr.gso_type || (hdr.flags && hdr.hdr_len < len - 12 &&
					 hdr.gso_size >= FRAME_GSO_MIN && hdr.gso_size <= 1500));
		insist(hdr.gso_type || len <= 12 + 14 + 1500);
	}
	insist(!drvq_broken(&side->rx) && side->rx.clamped == 0);
}

static void step(void)
{
	struct side *side = &sides[0];
	uint32_t op = take(1), written;
	struct drvq_buf bufs[4];
	uint32_t len, at = 0;
	unsigned pieces = 1 + (op >> 6);
	void *token;

	switch (op & 7) {
	case 0: /* raw bytes over the driver's area */
		memcpy(side->window.driver.base + take(2) % (AREA - 4), &(uint32_t){ take(4) }, 4);
		break;
	case 1:
		change_at = (op & 8 ? side->window.driver.base + take(2) % (AREA - 4) :
				      side->window.data.base + take(1));
		change_to = take(2) << (op & 16);
		countdown = 1 + (take(1) & 63);
		break;
	default:
		len = 12 + (op & 8 ? 54 + take(1) : 14 + take(2) % 4000);
		make_frame(side->window.data.base, len);
		for (unsigned i = 0; i < pieces; i++) {
			uint32_t n = i + 1 < pieces ? len / pieces : len - at;

			bufs[i] = (struct drvq_buf){ DATA_OFF + at, n };
			at += n;
		}
		if (!drvq_add(&side->tx, bufs, pieces, 0, NULL))
			(void)drvq_get(&side->tx, &token, &written);
		break;
	}
	(void)vdev_run(&links[0].dev, now_ns);
	while (drvq_get(&side->tx, &token, &written))
		;
}

static uint8_t *allocate(size_t bytes)
{
	uint8_t *at = aligned_alloc(64, bytes);

	if (!at)
		abort();
	memset(at, 0, bytes);
	return at;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < LINKS; i++) {
		sides[i].window.driver = (struct vr_area){ allocate(AREA), 0, AREA };
		sides[i].window.device = (struct vr_area){ allocate(AREA), DEVICE_OFF, AREA };
		sides[i].window.data = (struct vr_area){ allocate(DATA_BYTES), DATA_OFF, DATA_BYTES };
		sides[i].port = (struct port){ NULL, notify, fuzz_now, NULL, fuzz_log };
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t must = VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM) |
			      VIRTIO_BIT(VIRTIO_F_EVENT_IDX) | VIRTIO_BIT(NET_F_MRG_RXBUF);
	const uint64_t sends = VIRTIO_BIT(NET_F_CSUM) | VIRTIO_BIT(NET_F_HOST_TSO4);
	uint64_t takes;

	fuzz_begin(data, size);
	takes = (take(1) & 1 ? VIRTIO_BIT(NET_F_GUEST_CSUM) : 0) |
		(take(1) & 1 ? VIRTIO_BIT(NET_F_GUEST_TSO4) : 0);
	net_switch_init(&sw, NULL);
	start(0, must | sends);
	start(1, must | takes);
	start(2, must);
	while (left) {
		step();
		check_received(1);
		check_received(2);
		if (links[0].dev.state == VDEV_BROKEN)
			break;
	}
	return 0;
}
