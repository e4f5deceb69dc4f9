/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rng.h - a virtio entropy device (virtio 1.x, 5.4). Bytes come from the port; each is given to one
 * client, once. The bytes a client may take in a second are limited, so that one of them cannot keep a
 * slow source busy. After a crash requests in the log are done again, with other bytes.
 */
#ifndef VIRTIO_RNG_H
#define VIRTIO_RNG_H

#include "../ring/bucket.h"
#include "../ring/vdev.h"

#define RNG_QUEUE_SIZE 16u
#define RNG_CHUNK 256u	     /* bytes of one answer at most; a driver that wants more asks again */
#define RNG_RETRY_NS 1000000u /* when the source is dry */

struct rng {
	struct vdev dev; /* first */
	struct bucket bucket;
	uint64_t bytes;	  /* given so far */
	bool waiting;	  /* a request is taken and not answered: the source was dry */
	struct devq_chain chain;
	struct vr_seg segs[RNG_QUEUE_SIZE];
};

/* bytes_per_second 0: no limit. */
void rng_init(struct rng *rng, const struct port *port, const struct vr_window *window,
	      uint64_t bytes_per_second);

#endif
