/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drvq.h - the driver's side of a split virtqueue, for newlib drivers and for tests.
 *
 *	drvq_add -> drvq_should_kick ... drvq_get
 *
 * The device may be hostile: what is in flight is remembered in memory of our own, so a used entry is
 * believed only if it names a head that is out, and a length only up to what was offered.
 */
#ifndef VIRTIO_DRVQ_H
#define VIRTIO_DRVQ_H

#include "ring.h"

/* A buffer to offer; off lies in the data area. */
struct drvq_buf {
	uint64_t off;
	uint32_t len;
};

enum drvq_fault {
	DRVQ_OK,
	DRVQ_PLACE, /* wrong size or place of the rings: a mistake of ours */
	DRVQ_INDEX, /* used.idx moved by more than is in flight, or back */
	DRVQ_ID,    /* a used entry for a head that is not out */
};

/* One per entry of the queue, private. */
struct drvq_slot {
	void *token;
	uint32_t writable; /* bytes the device may write */
	uint16_t count;	   /* descriptors of the chain; 0: not in flight */
	uint16_t next;
};

struct drvq {
	struct vr_desc *desc;
	struct vr_avail *avail;
	const struct vr_used *used;
	struct drvq_slot *slots;
	uint16_t size;
	uint16_t free_head, free_count;
	uint16_t avail_idx, kicked;
	uint16_t last_used;
	uint16_t in_flight; /* chains */
	bool event_idx;
	enum drvq_fault fault;
	uint32_t clamped; /* used lengths that were too large */
};

/* slots has place->size entries. Writes the driver's rings; the used ring must be zero. */
bool drvq_start(struct drvq *q, const struct vr_window *window, const struct vr_place *place,
		struct drvq_slot *slots, bool event_idx) __attribute__((warn_unused_result));

/* Offers `readable` buffers to read and then `writable` ones to write. False: no room, or broken. */
bool drvq_add(struct drvq *q, const struct drvq_buf *bufs, unsigned readable, unsigned writable,
	      void *token) __attribute__((warn_unused_result));

/* Must the device be told of what was added since the last time? Asking counts as telling. */
bool drvq_should_kick(struct drvq *q);

/* 1 and a finished chain's token and length, or 0: none, or the queue is broken. */
int drvq_get(struct drvq *q, void **token, uint32_t *written);

/* Ask to be notified of the next used chain. True: there is one already, look again. */
bool drvq_want_notify(struct drvq *q);
void drvq_no_notify(struct drvq *q);

static inline bool drvq_broken(const struct drvq *q)
{
	return q->fault != DRVQ_OK;
}

#endif
