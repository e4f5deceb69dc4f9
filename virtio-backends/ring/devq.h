/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devq.h - the device's side of a split virtqueue.
 *
 *	devq_pop -> a chain of checked segments -> do it -> devq_push -> devq_should_notify
 *
 * A queue whose driver breaks the rules of the ring is broken: nothing is taken from it any more
 * until it is reset. What a chain's bytes mean is not known here. At most `size` heads are in flight,
 * each once, whatever the driver writes; every loop ends after `size` steps.
 */
#ifndef VIRTIO_DEVQ_H
#define VIRTIO_DEVQ_H

#include "inflight.h"
#include "ring.h"

#define DEVQ_BATCH 64u /* heads published at once */

/* Why a queue broke; for logs and tests. */
enum devq_fault {
	DEVQ_OK,
	DEVQ_SIZE,     /* not a power of two, 0, or more than offered */
	DEVQ_PLACE,    /* a ring misaligned or outside its area */
	DEVQ_AVAIL,    /* avail.idx moved by more than the queue holds, or back */
	DEVQ_HEAD,     /* head >= size */
	DEVQ_BUSY,     /* head already in flight */
	DEVQ_NEXT,     /* next >= size */
	DEVQ_LOOP,     /* chain longer than the queue */
	DEVQ_FLAGS,    /* INDIRECT, which is never offered, or unknown flags */
	DEVQ_BUFFER,   /* empty, outside the data area, or 4 GiB and more in all */
	DEVQ_ORDER,    /* a readable part behind a writable one */
	DEVQ_SEGMENTS, /* more segments than the device said it takes */
	DEVQ_LOG,      /* the log of the predecessor contradicts the ring */
	DEVQ_REQUEST,  /* said by the back end: a request that cannot even be answered */
};

struct devq {
	const struct vr_window *window;
	const struct vr_desc *desc;
	const struct vr_avail *avail;
	struct vr_used *used;
	struct inflight_log *log;
	uint64_t counter;
	uint16_t size; /* 0: not started */
	uint16_t last_avail;
	uint16_t used_idx;
	uint16_t notified; /* used_idx when the driver was last told */
	uint16_t in_flight;
	uint16_t filled_count; /* filled and not published */
	uint16_t replay_next, replay_count;
	bool event_idx;
	enum devq_fault fault;
	uint64_t busy[VR_SIZE_MAX / 64];
	uint16_t replay[VR_SIZE_MAX];
	uint16_t filled[DEVQ_BATCH];
};

/* A request: readable segments first. The caller provides segs and says how many fit. */
struct devq_chain {
	struct vr_seg *segs;
	uint16_t max;
	uint16_t head;
	uint16_t readable; /* segs[0 .. readable) */
	uint16_t writable; /* segs[readable .. readable + writable) */
	bool replayed;	   /* a predecessor had taken it already */
};

/* A new queue: indices 0, log empty. `most` is the largest size the device offers. */
bool devq_start(struct devq *q, const struct vr_window *window, const struct vr_place *place,
		uint16_t most, bool event_idx) __attribute__((warn_unused_result));

/* A queue a dead predecessor served: heads in its log come first from devq_pop, with `replayed` set.
 * A log that was never started means devq_start. */
bool devq_attach(struct devq *q, const struct vr_window *window, const struct vr_place *place,
		 uint16_t most, bool event_idx) __attribute__((warn_unused_result));

/* The driver reset the queue. Nothing of it may still be in the hands of the back end. */
void devq_stop(struct devq *q);

/* 1 and a chain, or 0: nothing there, or the queue is broken. */
int devq_pop(struct devq *q, struct devq_chain *chain);

/* Returns a head taken by devq_pop with the number of bytes written. False: it was not in flight,
 * which is a mistake of the caller; nothing happens. */
bool devq_push(struct devq *q, uint16_t head, uint32_t written);

/* The same in two steps, for heads that the driver must see at once: up to DEVQ_BATCH are filled, then
 * all of them are published. */
bool devq_fill(struct devq *q, uint16_t head, uint32_t written);
void devq_publish(struct devq *q);

/* Must the driver be told of what was pushed since the last time? Asking counts as telling. */
bool devq_should_notify(struct devq *q);

/* Ask for a doorbell with the next chain. True: there is one already, look again. */
bool devq_want_kick(struct devq *q);
void devq_no_kick(struct devq *q);

/* Chains waiting, at most size; 0 for a broken queue. */
unsigned devq_waiting(struct devq *q);

void devq_break(struct devq *q, enum devq_fault fault);
static inline bool devq_broken(const struct devq *q)
{
	return q->fault != DEVQ_OK;
}

const char *devq_fault_name(enum devq_fault fault);

#endif
