/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The card at the other end of a link; see netfront.h. The window:
 *
 *	control pages: driver's page; desc, avail of rx; desc, avail of tx
 *	the rest:      used, log of rx; used, log of tx; buffers
 */
#include "netfront.h"

#define DEVICE_ID 1u

_Static_assert(VR_DESC_BYTES(PAIR_QUEUE) <= PAIR_PAGE, "a table fits a page");

bool netfront_init(struct netfront *nf, uint8_t *base, uint64_t control_pages, uint64_t pages,
		   const struct link_device_page *device, void (*ring)(void *self), void *self)
{
	if (control_pages < NETFRONT_CONTROL_PAGES ||
	    pages < control_pages + NETFRONT_DEVICE_PAGES + PAIR_QUEUE * PAIR_BUFFER / PAIR_PAGE)
		return false;
	*nf = (struct netfront){ .base = base, .control = control_pages * PAIR_PAGE,
				 .bytes = pages * PAIR_PAGE, .ring = ring, .self = self };
	front_init(&nf->front, (struct link_driver_page *)base, device);
	return true;
}

static struct vr_place place_of(const struct netfront *nf, unsigned queue)
{
	uint64_t driver = (1 + queue * NETFRONT_QUEUE_PAGES) * PAIR_PAGE;
	uint64_t device = nf->control + queue * 2 * PAIR_PAGE;

	return (struct vr_place){ PAIR_QUEUE, driver, driver + PAIR_PAGE, device, device + PAIR_PAGE };
}

static void ring_queues(struct netfront *nf, bool all);

static void ask_reset(struct netfront *nf)
{
	front_reset(&nf->front);
	nf->state = NETFRONT_RESETTING;
}

static void ask_features(struct netfront *nf)
{
	const uint64_t wanted = VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM) |
				VIRTIO_BIT(VIRTIO_F_EVENT_IDX);

	front_set_features(&nf->front, front_features(&nf->front) & wanted);
	nf->state = NETFRONT_ASKING;
}

/* The device has let go of everything: rings and log begin at 0. */
static void start(struct netfront *nf)
{
	const struct vr_window window = {
		{ nf->base, 0, nf->control },
		{ nf->base + nf->control, nf->control, nf->bytes - nf->control },
		{ nf->base + nf->control, nf->control, nf->bytes - nf->control },
	};
	uint64_t first = nf->control + NETFRONT_DEVICE_PAGES * PAIR_PAGE;
	uint64_t room = (nf->bytes - first) / PAIR_BUFFER;
	const struct pair_memory memory = {
		.base = nf->base + first, .off = first,
		.buffers = room < 2 * PAIR_QUEUE ? (unsigned)room : 2 * PAIR_QUEUE,
	};

	if (!(front_status(&nf->front) & VIRTIO_FEATURES_OK) ||
	    front_queue_max(&nf->front, PAIR_RX) < PAIR_QUEUE ||
	    front_queue_max(&nf->front, PAIR_TX) < PAIR_QUEUE) {
		nf->state = NETFRONT_REFUSED;
		return;
	}
	vr_zero(nf->base + nf->control, NETFRONT_DEVICE_PAGES * PAIR_PAGE);
	pair_init(&nf->pair, &memory);
	for (unsigned i = PAIR_RX; i <= PAIR_TX; i++) {
		struct vr_place place = place_of(nf, i);

		if (!pair_start(&nf->pair, i, &window, &place, true)) {
			nf->state = NETFRONT_REFUSED;
			return;
		}
		front_set_queue(&nf->front, i, &place);
	}
	front_driver_ok(&nf->front);
	nf->state = NETFRONT_STARTING;
}

static bool is_unusable(const struct netfront *nf)
{
	return pair_broken(&nf->pair) || (front_status(&nf->front) & VIRTIO_NEEDS_RESET);
}

static void step(struct netfront *nf)
{
	switch (nf->state) {
	case NETFRONT_ABSENT:
		if (front_probe(&nf->front, DEVICE_ID))
			ask_reset(nf);
		break;
	case NETFRONT_RESETTING:
		ask_features(nf);
		break;
	case NETFRONT_ASKING:
		start(nf);
		break;
	case NETFRONT_STARTING:
		nf->state = NETFRONT_LIVE;
		ring_queues(nf, true);
		break;
	default:
		if (nf->state == NETFRONT_LIVE && is_unusable(nf)) {
			nf->resets++;
			ask_reset(nf);
		}
	}
}

bool netfront_run(struct netfront *nf)
{
	enum netfront_state before;

	do {
		before = nf->state;
		if (before != NETFRONT_ABSENT && before != NETFRONT_LIVE && !front_acked(&nf->front))
			return false;
		step(nf);
		if (nf->state != before && nf->state < NETFRONT_LIVE)
			nf->ring(nf->self);
	} while (nf->state != before && nf->state != NETFRONT_LIVE);
	return nf->state == NETFRONT_LIVE;
}

uint8_t *netfront_room(struct netfront *nf)
{
	return nf->state == NETFRONT_LIVE ? pair_room(&nf->pair) : NULL;
}

void netfront_send(struct netfront *nf, uint32_t len)
{
	if (nf->state == NETFRONT_LIVE)
		pair_send(&nf->pair, len);
}

unsigned netfront_poll(struct netfront *nf, unsigned limit, pair_receive_fn receive, void *self)
{
	return nf->state == NETFRONT_LIVE ? pair_poll(&nf->pair, limit, receive, self) : 0;
}

static void ring_queues(struct netfront *nf, bool all)
{
	bool any = false;

	for (unsigned i = PAIR_RX; i <= PAIR_TX; i++) {
		if (!drvq_should_kick(&nf->pair.queues[i].ring) && !all)
			continue;
		front_count_avail(&nf->front, i);
		any = true;
	}
	if (any)
		nf->ring(nf->self);
}

void netfront_flush(struct netfront *nf)
{
	if (nf->state == NETFRONT_LIVE)
		ring_queues(nf, false);
}

void netfront_anew(struct netfront *nf)
{
	if (netfront_run(nf))
		ring_queues(nf, true);
	else
		nf->ring(nf->self); /* the step that waits for an answer */
}
