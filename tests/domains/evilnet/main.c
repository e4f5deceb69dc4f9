/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evilnet - a hostile front end of a network link: frames that lie, descriptors that lead anywhere, rings
 * that jump, rings, logs and pages scribbled over, resets in the middle of it all (H1 to H13 of
 * docs/virtio-backends.md). The back end must end each of them as that table says, and serve its other links.
 *
 * Options: seed=N (1), ops=N (20000). Exit code 0, when it has done them; it says how often the device was
 * live and how often it asked for a reset, so that a test can see that both happened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/libpv.h>

#include <net/net.h>

#include "../evilfront/evilfront.h"

#define PAGE EVIL_PAGE
#define QUEUES 2u
#define SIZE 64u
#define BUFFER 2048u
#define HANDSHAKE_EVERY 200u

const char evil_name[] = "evilnet";

static uint16_t avail_idx[QUEUES];
static unsigned live, broken, frames;

static bool one_in(unsigned n)
{
	return evil_below(n) == 0;
}

static void rest(pv_ns_t time)
{
	pv_event_run_once(pv_clock_ns() + time);
}

/* ---- queues ---- */

static struct vr_place place(unsigned queue)
{
	uint64_t device = evil.control + 2 * PAGE * queue;

	return (struct vr_place){ SIZE, PAGE * (1 + 2 * queue), PAGE * (2 + 2 * queue), device,
				  device + PAGE };
}

static struct vr_desc *desc(unsigned queue, unsigned i)
{
	return (struct vr_desc *)(evil.base + place(queue).desc) + i % SIZE;
}

static void offer(unsigned queue, uint16_t head)
{
	struct vr_avail *avail = (struct vr_avail *)(evil.base + place(queue).avail);

	avail->ring[avail_idx[queue]++ % SIZE] = head;
	__atomic_store_n(&avail->idx, avail_idx[queue], __ATOMIC_RELEASE);
}

static uint64_t buffer(unsigned i)
{
	return evil.control + (4 * QUEUES + i % 128) * PAGE;
}

/* A reset and all that follows it, nearly always as it should be. */
static void handshake(void)
{
	uint64_t features;

	broken += (front_status(&evil.front) & VIRTIO_NEEDS_RESET) != 0;
	front_init(&evil.front, evil.front.driver, evil.front.device);
	front_reset(&evil.front);
	evil_wait_ack();
	for (unsigned i = 0; i < QUEUES; i++) {
		struct vr_place at = place(i);

		memset(evil.base + at.desc, 0, 2 * PAGE);
		memset(evil.base + at.used, 0, 2 * PAGE);
		avail_idx[i] = 0;
		if (one_in(16))
			*(uint64_t *)((uint8_t *)&at + 8 * (1 + evil_below(4))) = evil_below(evil.window + PAGE);
		if (one_in(32))
			at.size = (uint16_t)evil_number();
		front_set_queue(&evil.front, i, &at);
	}
	features = front_features(&evil.front) & (one_in(4) ? evil_number() | 7ull << 29 : ~0ull);
	front_set_features(&evil.front, one_in(32) ? evil_number() : features);
	if (!one_in(32))
		evil_wait_ack();
	front_driver_ok(&evil.front);
	evil_wait_ack();
	live += (front_status(&evil.front) & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}

/* ---- what it does ---- */

static void write_frame(uint8_t *at)
{
	static const uint8_t header[] = { 0x08, 0x00, 0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17, 0, 0 };
	struct net_hdr *hdr = (struct net_hdr *)at;
	uint8_t *frame = at + sizeof(*hdr);

	memset(at, 0, 128);
	memset(frame, one_in(2) ? 0xff : 2, 6); /* everybody, or perhaps a neighbour */
	if (frame[0] == 2)
		memcpy(frame, (uint8_t[]){ 2, 0x52, 0x46, 0, 0, (uint8_t)(1 + evil_below(3)) }, 6);
	memcpy(frame + 6, evil.page->mac, 6);
	memcpy(frame + 12, header, sizeof(header));
	memcpy(frame + 26, evil.page->ip4, 4);
	if (one_in(3))
		*hdr = (struct net_hdr){ (uint8_t)evil_below(4), (uint8_t)evil_below(5), (uint16_t)evil_below(300),
					 (uint16_t)evil_number(), (uint16_t)evil_below(80), (uint16_t)evil_below(20), 0 };
	for (unsigned n = (unsigned)evil_below(4); n; n--)
		at[evil_below(96)] = (uint8_t)evil_number();
}

static void send_frame(void)
{
	unsigned i = (unsigned)evil_below(SIZE);
	uint32_t len = one_in(4) ? (uint32_t)evil_below(2 * BUFFER) : 100;

	write_frame(evil.base + buffer(i));
	*desc(NET_QUEUE_TX, i) = (struct vr_desc){ buffer(i), len ? len : 1, 0, 0 };
	offer(NET_QUEUE_TX, (uint16_t)i);
	frames++;
}

static void offer_buffer(void)
{
	unsigned i = (unsigned)evil_below(SIZE);

	*desc(NET_QUEUE_RX, i) = (struct vr_desc){ buffer(64 + i), BUFFER, VR_DESC_WRITE, 0 };
	offer(NET_QUEUE_RX, (uint16_t)i);
}

/* H1 to H3, H5 to H7: a chain of anything. */
static void offer_chain(void)
{
	unsigned queue = (unsigned)evil_below(QUEUES);

	for (unsigned n = 1 + (unsigned)evil_below(8); n; n--)
		*desc(queue, (unsigned)evil_below(SIZE)) = (struct vr_desc){
			one_in(8) ? evil_number() << evil_below(48) : evil_below(evil.window),
			one_in(8) ? (uint32_t)evil_number() : (uint32_t)evil_below(3 * PAGE),
			(uint16_t)(one_in(16) ? evil_number() : evil_below(4)),
			(uint16_t)evil_below(one_in(8) ? 65536 : SIZE),
		};
	offer(queue, (uint16_t)evil_below(one_in(8) ? 65536 : SIZE));
}

/* H4, H8, H9, H13 and what lies between: a word of anything anywhere. */
static void scribble(void)
{
	uint64_t places[] = { evil_below(PAGE), PAGE + evil_below(4 * PAGE), evil.control + evil_below(4 * PAGE),
			      buffer((unsigned)evil_number()) + evil_below(PAGE) };
	uint64_t at = places[evil_below(sizeof(places) / sizeof(places[0]))] & ~7ull;

	/* Only page_seen stays true: init would leave the link down, and there would be nothing to attack. */
	if (at != offsetof(struct link_driver_page, page_seen))
		*(uint64_t *)(evil.base + at) = one_in(2) ? evil_number() : evil_below(SIZE);
}

static void misbehave(void)
{
	switch (evil_below(8)) {
	case 0:
		offer_chain();
		break;
	case 1:
		scribble();
		break;
	case 2:
		avail_idx[evil_below(QUEUES)] += (uint16_t)(one_in(8) ? evil_number() : 0);
		break;
	case 3:
	case 4:
		offer_buffer();
		break;
	default:
		send_frame();
	}
	if (one_in(2))
		evil_ring();
}

int main(void)
{
	uint64_t ops = evil_option("ops", 20000);

	evil_seed(evil_option("seed", 1) * 0x9e3779b97f4a7c15ull | 1);
	evil_open_link(PV_LINK_NET, 1);
	for (uint64_t i = 0; i < ops; i++) {
		if (i % HANDSHAKE_EVERY == 0)
			handshake();
		misbehave();
		if (one_in(16))
			rest(PV_NSEC_PER_MSEC / 4);
	}
	printf("%llu misdeeds, %u frames, live %u times, asked for a reset %u times\n",
	       (unsigned long long)ops, frames, live, broken);
	return 0;
}
