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
#include <ring/front.h>

#define PAGE 4096u
#define QUEUES 2u
#define SIZE 64u
#define BUFFER 2048u
#define HANDSHAKE_EVERY 200u
#define PATIENCE (5 * PV_NSEC_PER_SEC)

static const struct pv_link *page;
static uint8_t *base;
static uint64_t control, window;
static struct front front;
static uint64_t state;
static uint16_t avail_idx[QUEUES];
static unsigned live, broken, frames;

static void die(const char *what)
{
	printf("evilnet: %s\n", what);
	exit(1);
}

static uint64_t number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull >> 16;
}

static uint64_t below(uint64_t n)
{
	return number() % n;
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

/* ---- the link: a new doorbell whenever the link page says so ---- */

static pv_port_t doorbell;

static void nothing(pv_port_t port, void *arg)
{
	(void)port;
	(void)arg;
}

static void follow(pv_port_t port, void *arg)
{
	uint32_t seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);
	pv_port_t now = page->state == PV_LINK_UP ? page->front_port : 0;

	(void)port;
	(void)arg;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if ((seq & 1) || seq != __atomic_load_n(&page->seq, __ATOMIC_RELAXED))
		return;
	if (doorbell && doorbell != now) {
		pv_event_unbind(doorbell);
		pv_port_close(doorbell);
	}
	if (now && doorbell != now)
		pv_event_bind(now, nothing, NULL);
	doorbell = now;
	__atomic_store_n(&front.driver->page_seen, seq, __ATOMIC_RELEASE);
	pv_port_send(pv_start_info->links[0].port);
}

static void ring(void)
{
	if (doorbell)
		pv_port_send(doorbell);
}

static void rest(pv_ns_t time)
{
	pv_event_run_once(pv_clock_ns() + time);
}

static void wait_ack(void)
{
	pv_ns_t end = pv_clock_ns() + PATIENCE;

	for (ring(); !front_acked(&front); rest(PV_NSEC_PER_MSEC))
		if (pv_clock_ns() > end)
			die("a reset or a step of an honest handshake is not acknowledged");
}

static void open_link(void)
{
	const struct pv_start_link *start = &pv_start_info->links[0];
	void *addr, *device;

	if (!pv_start_info->link_count || start->kind != PV_LINK_NET)
		die("no network link to drive");
	if (pv_grant_attach(start->handle, 1, 0, &addr) < 0)
		die("the link page cannot be mapped");
	page = addr;
	if (pv_grant_attach(page->front_dev, 1, 0, &device) < 0)
		die("the DEV page cannot be mapped");
	base = (uint8_t *)(start->window_gfn << PV_PAGE_SHIFT);
	control = (uint64_t)page->control_pages * PAGE;
	window = (uint64_t)page->window_pages * PAGE;
	front_init(&front, (struct link_driver_page *)base, device);
	pv_event_bind(start->port, follow, NULL);
	follow(0, NULL);
	while (!front_probe(&front, 1))
		rest(PV_NSEC_PER_MSEC);
}

/* ---- queues ---- */

static struct vr_place place(unsigned queue)
{
	uint64_t device = control + 2 * PAGE * queue;

	return (struct vr_place){ SIZE, PAGE * (1 + 2 * queue), PAGE * (2 + 2 * queue), device,
				  device + PAGE };
}

static struct vr_desc *desc(unsigned queue, unsigned i)
{
	return (struct vr_desc *)(base + place(queue).desc) + i % SIZE;
}

static void offer(unsigned queue, uint16_t head)
{
	struct vr_avail *avail = (struct vr_avail *)(base + place(queue).avail);

	avail->ring[avail_idx[queue]++ % SIZE] = head;
	__atomic_store_n(&avail->idx, avail_idx[queue], __ATOMIC_RELEASE);
}

static uint64_t buffer(unsigned i)
{
	return control + (4 * QUEUES + i % 128) * PAGE;
}

/* A reset and all that follows it, nearly always as it should be. */
static void handshake(void)
{
	uint64_t features;

	broken += (front_status(&front) & VIRTIO_NEEDS_RESET) != 0;
	front_init(&front, front.driver, front.device);
	front_reset(&front);
	wait_ack();
	for (unsigned i = 0; i < QUEUES; i++) {
		struct vr_place at = place(i);

		memset(base + at.desc, 0, 2 * PAGE);
		memset(base + at.used, 0, 2 * PAGE);
		avail_idx[i] = 0;
		if (one_in(16))
			*(uint64_t *)((uint8_t *)&at + 8 * (1 + below(4))) = below(window + PAGE);
		if (one_in(32))
			at.size = (uint16_t)number();
		front_set_queue(&front, i, &at);
	}
	features = front_features(&front) & (one_in(4) ? number() | 7ull << 29 : ~0ull);
	front_set_features(&front, one_in(32) ? number() : features);
	if (!one_in(32))
		wait_ack();
	front_driver_ok(&front);
	wait_ack();
	live += (front_status(&front) & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
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
		memcpy(frame, (uint8_t[]){ 2, 0x52, 0x46, 0, 0, (uint8_t)(1 + below(3)) }, 6);
	memcpy(frame + 6, page->mac, 6);
	memcpy(frame + 12, header, sizeof(header));
	memcpy(frame + 26, page->ip4, 4);
	if (one_in(3))
		*hdr = (struct net_hdr){ (uint8_t)below(4), (uint8_t)below(5), (uint16_t)below(300),
					 (uint16_t)number(), (uint16_t)below(80), (uint16_t)below(20), 0 };
	for (unsigned n = (unsigned)below(4); n; n--)
		at[below(96)] = (uint8_t)number();
}

static void send_frame(void)
{
	unsigned i = (unsigned)below(SIZE);
	uint32_t len = one_in(4) ? (uint32_t)below(2 * BUFFER) : 100;

	write_frame(base + buffer(i));
	*desc(NET_QUEUE_TX, i) = (struct vr_desc){ buffer(i), len ? len : 1, 0, 0 };
	offer(NET_QUEUE_TX, (uint16_t)i);
	frames++;
}

static void offer_buffer(void)
{
	unsigned i = (unsigned)below(SIZE);

	*desc(NET_QUEUE_RX, i) = (struct vr_desc){ buffer(64 + i), BUFFER, VR_DESC_WRITE, 0 };
	offer(NET_QUEUE_RX, (uint16_t)i);
}

/* H1 to H3, H5 to H7: a chain of anything. */
static void offer_chain(void)
{
	unsigned queue = (unsigned)below(QUEUES);

	for (unsigned n = 1 + (unsigned)below(8); n; n--)
		*desc(queue, (unsigned)below(SIZE)) = (struct vr_desc){
			one_in(8) ? number() << below(48) : below(window),
			one_in(8) ? (uint32_t)number() : (uint32_t)below(3 * PAGE),
			(uint16_t)(one_in(16) ? number() : below(4)),
			(uint16_t)below(one_in(8) ? 65536 : SIZE),
		};
	offer(queue, (uint16_t)below(one_in(8) ? 65536 : SIZE));
}

/* H4, H8, H9, H13 and what lies between: a word of anything anywhere. */
static void scribble(void)
{
	uint64_t places[] = { below(PAGE), PAGE + below(4 * PAGE), control + below(4 * PAGE),
			      buffer((unsigned)number()) + below(PAGE) };
	uint64_t at = places[below(sizeof(places) / sizeof(places[0]))] & ~7ull;

	/* Only page_seen stays true: init would leave the link down, and there would be nothing to attack. */
	if (at != offsetof(struct link_driver_page, page_seen))
		*(uint64_t *)(base + at) = one_in(2) ? number() : below(SIZE);
}

static void misbehave(void)
{
	switch (below(8)) {
	case 0:
		offer_chain();
		break;
	case 1:
		scribble();
		break;
	case 2:
		avail_idx[below(QUEUES)] += (uint16_t)(one_in(8) ? number() : 0);
		break;
	case 3:
	case 4:
		offer_buffer();
		break;
	default:
		send_frame();
	}
	if (one_in(2))
		ring();
}

static uint64_t option(const char *key, uint64_t otherwise)
{
	char value[24];

	return pv_cmdline_get(key, value, sizeof(value)) ? strtoull(value, NULL, 10) : otherwise;
}

int main(void)
{
	uint64_t ops = option("ops", 20000);

	state = option("seed", 1) * 0x9e3779b97f4a7c15ull | 1;
	open_link();
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
