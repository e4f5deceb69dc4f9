/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evilblk - a hostile front end of a block link: H1 to H13 of docs/virtio-backends.md, each deed many times
 * with numbers of a seed. After each the device must be in the end that table names, and after a reset
 * it must serve an honest request: the back end lives, whatever was done to it.
 *
 * Options: seed=N (1), rounds=N (40). One line per deed; exit code 0 if each ended as it must each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/libpv.h>

#include <blk/blk.h>
#include <ring/front.h>

#include "evilblk.h"

static const struct pv_link *page;
static uint8_t *base;
static uint64_t control, window;
static struct front front;
static uint64_t state;
static uint16_t avail_idx, used_idx;
static pv_port_t doorbell;

void evil_die(const char *what)
{
	printf("evilblk: %s\n", what);
	exit(1);
}

uint64_t evil_number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull >> 16;
}

/* ---- the link ---- */

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

void evil_ring(void)
{
	if (doorbell)
		pv_port_send(doorbell);
}

void evil_wait_ack(void)
{
	pv_ns_t end = pv_clock_ns() + EVIL_PATIENCE;

	for (evil_ring(); !front_acked(&front); pv_event_run_once(pv_clock_ns() + PV_NSEC_PER_MSEC))
		if (pv_clock_ns() > end)
			evil_die("a step of the handshake is not acknowledged");
}

static void open_link(void)
{
	const struct pv_start_link *start = &pv_start_info->links[0];
	void *addr, *device;

	if (!pv_start_info->link_count || start->kind != PV_LINK_BLK)
		evil_die("no block link to drive");
	if (pv_grant_attach(start->handle, 1, 0, &addr) < 0)
		evil_die("the link page cannot be mapped");
	page = addr;
	if (pv_grant_attach(page->front_dev, 1, 0, &device) < 0)
		evil_die("the DEV page cannot be mapped");
	base = (uint8_t *)(start->window_gfn << PV_PAGE_SHIFT);
	control = (uint64_t)page->control_pages * EVIL_PAGE;
	window = (uint64_t)page->window_pages * EVIL_PAGE;
	front_init(&front, (struct link_driver_page *)base, device);
	pv_event_bind(start->port, follow, NULL);
	follow(0, NULL);
	while (!front_probe(&front, 2))
		pv_event_run_once(pv_clock_ns() + PV_NSEC_PER_MSEC);
}

/* ---- the device ---- */

struct front *evil_front(void)
{
	return &front;
}

uint64_t evil_window(void)
{
	return window;
}

uint64_t evil_buffer(unsigned i)
{
	return control + (8 + i) * EVIL_PAGE;
}

uint8_t *evil_at(uint64_t off)
{
	return base + off;
}

struct vr_place evil_place(void)
{
	return (struct vr_place){ EVIL_SIZE, EVIL_PAGE, 2 * EVIL_PAGE, control, control + EVIL_PAGE };
}

void evil_reset(void)
{
	front_init(&front, front.driver, front.device); /* the number the page has now */
	front_reset(&front);
	evil_wait_ack();
	memset(base + EVIL_PAGE, 0, 2 * EVIL_PAGE);
	memset(base + control, 0, 2 * EVIL_PAGE);
	memset(front.driver->queues, 0, sizeof(front.driver->queues));
	avail_idx = used_idx = 0;
}

bool evil_start(const struct vr_place *place)
{
	front_set_features(&front, front_features(&front) & ~VIRTIO_BIT(VIRTIO_F_EVENT_IDX));
	evil_wait_ack();
	front_set_queue(&front, 0, place);
	front_driver_ok(&front);
	evil_wait_ack();
	return (front_status(&front) & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}

void evil_desc(unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	((struct vr_desc *)(base + evil_place().desc))[i] = (struct vr_desc){ addr, len, flags, next };
}

void evil_offer(uint16_t head)
{
	struct vr_avail *avail = (struct vr_avail *)(base + evil_place().avail);

	avail->ring[avail_idx++ % EVIL_SIZE] = head;
	__atomic_store_n(&avail->idx, avail_idx, __ATOMIC_RELEASE);
}

void evil_set_avail(uint16_t idx)
{
	struct vr_avail *avail = (struct vr_avail *)(base + evil_place().avail);

	__atomic_store_n(&avail->idx, idx, __ATOMIC_RELEASE);
}

void evil_kick(void)
{
	front_count_avail(&front, 0);
	evil_ring();
}

enum evil_end evil_end(unsigned requests)
{
	const struct vr_used *used = (const struct vr_used *)(base + evil_place().used);
	pv_ns_t end = pv_clock_ns() + EVIL_PATIENCE;

	for (;; pv_event_run_once(pv_clock_ns() + PV_NSEC_PER_MSEC)) {
		if (front_status(&front) & VIRTIO_NEEDS_RESET)
			return EVIL_BROKEN;
		if ((uint16_t)(__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) - used_idx) >= requests)
			break;
		if (pv_clock_ns() > end)
			return EVIL_NOTHING;
	}
	used_idx += requests;
	return *evil_at(evil_buffer(2)) == BLK_S_OK ? EVIL_SERVED : EVIL_FAILED;
}

void evil_request(uint32_t type, uint64_t sector, uint32_t header, uint32_t len)
{
	uint32_t words[4] = { type, 0, (uint32_t)sector, (uint32_t)(sector >> 32) };
	uint16_t write = type == BLK_T_IN || type == BLK_T_GET_ID ? VR_DESC_WRITE : 0;

	memcpy(evil_at(evil_buffer(0)), words, sizeof(words));
	*evil_at(evil_buffer(2)) = 0xff;
	evil_desc(0, evil_buffer(0), header, VR_DESC_NEXT, len ? 1 : 2);
	evil_desc(1, evil_buffer(1), len, VR_DESC_NEXT | write, 2);
	evil_desc(2, evil_buffer(2), 1, VR_DESC_WRITE, 0);
}

/* A block written and read again as everybody does. */
static bool honest(void)
{
	uint64_t *data = (uint64_t *)evil_at(evil_buffer(1)), stamp = evil_number() | 1;
	struct vr_place place = evil_place();

	evil_reset();
	if (!evil_start(&place))
		return false;
	for (unsigned reading = 0; reading < 2; reading++) {
		*data = reading ? 0 : stamp;
		evil_request(reading ? BLK_T_IN : BLK_T_OUT, 8, 16, EVIL_PAGE);
		evil_offer(0);
		evil_kick();
		if (evil_end(1) != EVIL_SERVED)
			return false;
	}
	return *data == stamp;
}

static unsigned number_of(const char *key, unsigned otherwise)
{
	char value[24];

	return pv_cmdline_get(key, value, sizeof(value)) ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

int main(void)
{
	unsigned rounds = number_of("rounds", 40), bad = 0;
	struct vr_place place = evil_place();

	state = 0x9e3779b97f4a7c15ull * number_of("seed", 1);
	setvbuf(stdout, NULL, _IOLBF, 256);
	open_link();
	place = evil_place();
	for (const struct evil_deed *deed = evil_deeds; deed->name; deed++) {
		unsigned as_it_must = 0;

		for (unsigned i = 0; i < rounds; i++) {
			evil_reset();
			if (deed->live && !evil_start(&place))
				evil_die("an honest start is refused");
			as_it_must += deed->act() && honest();
		}
		printf("%s: %u of %u ended as they must\n", deed->name, as_it_must, rounds);
		bad += rounds - as_it_must;
	}
	fflush(stdout);
	return bad != 0;
}
