/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair.h - the driver's side of a network card: two queues and the buffers frames go through, whatever the
 * transport is (pci/vnic.h: a card on the bus; net/netfront.h: the card at the other end of a link).
 *
 * A buffer holds one frame behind its virtio header; no offload is negotiated, so a frame is what goes
 * over the wire, complete. The device may be hostile: what it returns is checked by the ring library
 * (drvq.h) and here; a length that no frame has is a frame lost. What a frame says is the receiver's to
 * judge, and its bytes may change while he reads them.
 *
 * Frames are lost as on any wire: what finds no buffer is not sent, and nobody waits.
 */
#ifndef VIRTIO_PAIR_H
#define VIRTIO_PAIR_H

#include "../ring/drvq.h"

#define PAIR_RX 0u
#define PAIR_TX 1u
#define PAIR_QUEUE 256u
#define PAIR_BUFFER 2048u
#define PAIR_PAGE 4096u
#define PAIR_HEADER 12u
#define PAIR_FRAME_MIN 14u
#define PAIR_FRAME_MAX 1514u

/* Memory for the buffers. Page i of base has the address bus[i] for the device; bus NULL: it lies at `off`
 * and is in one piece. */
struct pair_memory {
	uint8_t *base;
	const uint64_t *bus;
	uint64_t off;
	unsigned buffers; /* half of them for each direction */
};

struct pair_counters {
	uint64_t sent, received;
	uint64_t full;	    /* not sent: every buffer is out */
	uint64_t malformed; /* of the device: lengths no frame has */
};

struct pair_queue {
	struct drvq ring;
	struct drvq_slot slots[PAIR_QUEUE];
	unsigned first, count; /* its buffers */
};

struct pair {
	struct pair_memory memory;
	struct pair_queue queues[2];
	unsigned free[PAIR_QUEUE]; /* buffers to send from that are not out */
	unsigned free_count;
	struct pair_counters counters;
};

typedef void (*pair_receive_fn)(void *self, const uint8_t *frame, uint32_t len);

void pair_init(struct pair *pair, const struct pair_memory *memory);

/* Starts a queue; place->size is at most PAIR_QUEUE. One to receive into is filled with buffers, which the
 * device is to be told of. False: it does not fit. */
bool pair_start(struct pair *pair, unsigned queue, const struct vr_window *window,
		const struct vr_place *place, bool event_idx) __attribute__((warn_unused_result));

/* Where to write the next frame to send, PAIR_FRAME_MAX bytes, or NULL: no buffer is free. */
uint8_t *pair_room(struct pair *pair);

/* Offers what was written there, len from PAIR_FRAME_MIN to PAIR_FRAME_MAX. */
void pair_send(struct pair *pair, uint32_t len);

/* Hands at most `limit` frames to receive() and offers their buffers again. Returns how many buffers came
 * back; fewer than limit: the device will say when there are more. */
unsigned pair_poll(struct pair *pair, unsigned limit, pair_receive_fn receive, void *self);

/* Has the device broken the rules of a queue? Nothing goes through it any more. */
bool pair_broken(const struct pair *pair);

#endif
