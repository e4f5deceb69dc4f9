/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio entropy device; see rng.h. */
#include "rng.h"

#define QUEUE 0u
#define RUN_MAX 16u

/* Answers the request at hand. False: the source is dry. */
static bool answer(struct rng *rng)
{
	const struct port *port = rng->dev.port;
	const struct vr_seg *segs = rng->segs + rng->chain.readable;
	uint64_t room = vr_total(segs, rng->chain.writable);
	size_t len = room < RNG_CHUNK ? (size_t)room : RNG_CHUNK;
	uint8_t bytes[RNG_CHUNK];

	if (len && !port->random(port->self, bytes, len))
		return false;
	(void)vr_scatter(segs, rng->chain.writable, 0, bytes, len);
	vr_zero(bytes, len);
	bucket_take(&rng->bucket, len);
	rng->bytes += len;
	vdev_push(&rng->dev, QUEUE, rng->chain.head, (uint32_t)len);
	rng->waiting = false;
	return true;
}

static uint64_t serve(struct rng *rng, uint64_t now)
{
	for (unsigned i = 0; i < RUN_MAX; i++) {
		uint64_t ready = bucket_ready(&rng->bucket, now);

		if (ready > now)
			return ready;
		if (!rng->waiting && !vdev_pop(&rng->dev, QUEUE, &rng->chain)) {
			if (!vdev_sleep(&rng->dev, QUEUE))
				return VDEV_IDLE;
			continue;
		}
		rng->waiting = true;
		if (!answer(rng))
			return now + RNG_RETRY_NS;
	}
	return now;
}

static uint64_t rng_run(struct vdev *dev, uint64_t now)
{
	struct rng *rng = (struct rng *)dev;
	uint64_t wake;

	if (!vdev_queue_live(dev, QUEUE))
		return VDEV_IDLE;
	devq_no_kick(&dev->queues[QUEUE]);
	wake = serve(rng, now);
	vdev_flush(dev, QUEUE);
	return wake;
}

static void rng_stop(struct vdev *dev)
{
	((struct rng *)dev)->waiting = false;
}

static const struct vdev_class rng_class = {
	.name = "rng",
	.device_id = 4,
	.queues = 1,
	.run = rng_run,
	.stop = rng_stop,
};

void rng_init(struct rng *rng, const struct port *port, const struct vr_window *window,
	      uint64_t bytes_per_second)
{
	*rng = (struct rng){ .chain = { .max = RNG_QUEUE_SIZE } };
	rng->chain.segs = rng->segs;
	vdev_init(&rng->dev, &rng_class, port, window, 0, RNG_QUEUE_SIZE);
	bucket_init(&rng->bucket, bytes_per_second, RNG_CHUNK, port->now(port->self));
}
