/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inflight.h - what a back end leaves behind for its successor: which heads it has taken and not yet
 * returned, in which order. It lies in the area only the device writes; 16 + 8 * size bytes.
 *
 * Taking a head stores its counter. Returning some is, in this order: their used entries, used.idx,
 * their counters = 0, used_idx. A back end may die between any two of these stores: used_idx tells by how
 * much used.idx moved without the log, and the used entries in between whose counters are still to be
 * cleared. So each head is either still in the log, and will be done again, or returned, and never both.
 *
 * The log is believed as far as it is consistent with the rings, no further: who left it may have
 * been broken.
 */
#ifndef VIRTIO_INFLIGHT_H
#define VIRTIO_INFLIGHT_H

#include "ring.h"

#define INFLIGHT_MAGIC 0x31464e49u /* "INF1" */

struct inflight_log {
	uint32_t magic; /* stored last; anything else: the queue has never been started */
	uint16_t size;
	uint16_t used_idx; /* used.idx up to which counters are cleared */
	uint16_t reserved[4];
	uint64_t counter[]; /* 0: not in flight */
};

_Static_assert(sizeof(struct inflight_log) == 16, "part of the protocol");

#define INFLIGHT_BYTES(size) (16u + 8u * (uint64_t)(size))

/* The log of a queue that starts, and of one that is reset. */
void inflight_start(struct inflight_log *log, uint16_t size);
void inflight_forget(struct inflight_log *log);

/* Repairs what the predecessor left half done, then lists the heads in flight, oldest first, in
 * heads[size]. Returns how many, or -1 when the log contradicts the ring. *counter becomes the
 * highest counter found. used_idx is used.idx as it was read from the ring. */
int inflight_recover(struct inflight_log *log, uint16_t size, const struct vr_used *used,
		     uint16_t used_idx, uint16_t *heads, uint64_t *counter) __attribute__((warn_unused_result));

#endif
