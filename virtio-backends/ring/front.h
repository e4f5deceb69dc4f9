/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * front.h - the driver's side of the two pages of a link, for newlib drivers and for tests. The device
 * may be hostile: nothing here waits, every read is bounded, and who calls decides how long to be
 * patient.
 */
#ifndef VIRTIO_FRONT_H
#define VIRTIO_FRONT_H

#include "link.h"

struct front {
	struct link_driver_page *driver;
	const struct link_device_page *device;
	uint64_t seq; /* of the last change */
};

void front_init(struct front *front, struct link_driver_page *driver,
		const struct link_device_page *device);

/* Is there a device of this kind with a page we understand? */
bool front_probe(const struct front *front, uint32_t device_id);

uint64_t front_features(const struct front *front);
uint16_t front_queue_max(const struct front *front, unsigned queue);

/* Steps of the driver. Ring the doorbell after each and wait until front_acked. */
void front_reset(struct front *front);
void front_set_features(struct front *front, uint64_t features); /* and FEATURES_OK */
void front_set_queue(struct front *front, unsigned queue, const struct vr_place *place);
void front_driver_ok(struct front *front);

bool front_acked(const struct front *front);
uint32_t front_status(const struct front *front);

/* A consistent copy of part of the configuration, or false: outside, or the device kept changing it. */
bool front_config(const struct front *front, uint32_t off, void *bytes, uint32_t len)
	__attribute__((warn_unused_result));

/* Moves avail_seq; before the doorbell. */
void front_count_avail(struct front *front, unsigned queue);

#endif
