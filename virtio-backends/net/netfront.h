/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netfront.h - the card at the other end of a link, driver's side: frames out, frames in (pair.h). It never
 * waits: netfront_run() goes as far as the device has answered, and is called again when it rings.
 *
 * The device may be hostile: one that breaks a rule of a queue is reset and started anew, and so is one
 * that asks for it. One that is replaced is not noticed: the page and the rings say what was wanted.
 */
#ifndef VIRTIO_NETFRONT_H
#define VIRTIO_NETFRONT_H

#include "../ring/front.h"
#include "pair.h"

#define NETFRONT_QUEUE_PAGES 2u /* control pages of a queue: descriptors, available ring */
#define NETFRONT_CONTROL_PAGES (1u + 2u * NETFRONT_QUEUE_PAGES)
#define NETFRONT_DEVICE_PAGES 4u /* used ring and log of two queues */

enum netfront_state {
	NETFRONT_ABSENT,
	NETFRONT_RESETTING,
	NETFRONT_ASKING, /* for features */
	NETFRONT_STARTING,
	NETFRONT_LIVE,
	NETFRONT_REFUSED, /* it is none we can drive */
};

struct netfront {
	struct front front;
	struct pair pair;
	uint8_t *base; /* of the window */
	uint64_t control, bytes;
	enum netfront_state state;
	unsigned resets; /* after it was live */
	void (*ring)(void *self);
	void *self;
};

/* The window is `pages` pages at base, the first control_pages of them read-only to the device. False: it is
 * too small. */
bool netfront_init(struct netfront *nf, uint8_t *base, uint64_t control_pages, uint64_t pages,
		   const struct link_device_page *device, void (*ring)(void *self), void *self)
	__attribute__((warn_unused_result));

/* Goes on with making it ready. True: it is live. */
bool netfront_run(struct netfront *nf);

/* As in pair.h; nothing goes through a card that is not live. */
uint8_t *netfront_room(struct netfront *nf);
void netfront_send(struct netfront *nf, uint32_t len);
unsigned netfront_poll(struct netfront *nf, unsigned limit, pair_receive_fn receive, void *self);

/* Rings for what was sent and offered since the last time. */
void netfront_flush(struct netfront *nf);

/* Another device is there, or the first: it has heard nothing of what was rung for, wherever that was on
 * its way up. Goes on and rings for all of it. */
void netfront_anew(struct netfront *nf);

#endif
