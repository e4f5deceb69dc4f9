/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of the two pages of a link; see front.h. */
#include "front.h"

#define CONFIG_TRIES 16u

void front_init(struct front *front, struct link_driver_page *driver,
		const struct link_device_page *device)
{
	*front = (struct front){ .driver = driver, .device = device };
	vr_store32(&driver->version, LINK_VERSION);
	vr_store32(&driver->magic, LINK_MAGIC);
	front->seq = vr_load64(&driver->req_seq);
}

bool front_probe(const struct front *front, uint32_t device_id)
{
	return vr_load32(&front->device->magic) == LINK_MAGIC &&
	       vr_load32(&front->device->version) == LINK_VERSION &&
	       vr_load32(&front->device->device_id) == device_id;
}

uint64_t front_features(const struct front *front)
{
	return vr_load64(&front->device->features[0]);
}

uint16_t front_queue_max(const struct front *front, unsigned queue)
{
	return queue < LINK_QUEUES ? vr_load16(&front->device->queues[queue].max_size) : 0;
}

/* Status is written last: it vouches for the rest (link.h). */
static void set_status(struct front *front, uint32_t status)
{
	vr_store32(&front->driver->status, status);
	vr_store64(&front->driver->req_seq, ++front->seq);
}

void front_reset(struct front *front)
{
	set_status(front, 0);
}

void front_set_features(struct front *front, uint64_t features)
{
	vr_store64(&front->driver->features[0], features);
	vr_store64(&front->driver->features[1], 0);
	set_status(front, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
}

void front_set_queue(struct front *front, unsigned queue, const struct vr_place *place)
{
	struct link_queue *to = &front->driver->queues[queue];

	vr_store64(&to->desc, place->desc);
	vr_store32(&to->avail, (uint32_t)place->avail);
	vr_store32(&to->used, (uint32_t)place->used);
	vr_store32(&to->log, (uint32_t)place->log);
	vr_store16(&to->size, place->size);
	vr_store16(&to->flags, place->size ? LINK_QUEUE_ENABLED : 0);
}

void front_driver_ok(struct front *front)
{
	set_status(front, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK |
				  VIRTIO_DRIVER_OK);
}

bool front_acked(const struct front *front)
{
	return vr_load64(&front->device->ack_seq) == front->seq;
}

uint32_t front_status(const struct front *front)
{
	return vr_load32(&front->device->status);
}

bool front_config(const struct front *front, uint32_t off, void *bytes, uint32_t len)
{
	if (len > LINK_CONFIG_BYTES || off > LINK_CONFIG_BYTES - len)
		return false;
	for (unsigned i = 0; i < CONFIG_TRIES; i++) {
		uint32_t gen = vr_load32(&front->device->config_gen);

		if (gen & 1)
			continue;
		vr_copy(bytes, front->device->config + off, len);
		vr_fence();
		if (vr_load32(&front->device->config_gen) == gen)
			return true;
	}
	return false;
}

void front_count_avail(struct front *front, unsigned queue)
{
	uint32_t *seq = &front->driver->avail_seq[queue];

	vr_store32(seq, vr_load32(seq) + 1);
}
