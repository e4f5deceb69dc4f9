/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rig.h - a link in memory: a window of three areas, each an allocation of its own so that the address
 * sanitizer sees every step outside, the two pages, a port that counts, and an honest front end that
 * tests make dishonest by writing to the memory themselves.
 */
#ifndef VIRTIO_RIG_H
#define VIRTIO_RIG_H

#include <ring/drvq.h>
#include <ring/front.h>

#define RIG_DRIVER 0x10000u /* offset and size of the areas */
#define RIG_DEVICE 0x40000u
#define RIG_DATA 0x100000u
#define RIG_DRIVER_BYTES 0x20000u
#define RIG_DEVICE_BYTES 0x20000u
#define RIG_DATA_BYTES 0x80000u
#define RIG_QUEUES 4u

struct rig {
	struct vr_window window;
	struct link_driver_page *driver_page;
	struct link_device_page *device_page;
	struct link link;
	struct front front;
	struct port port;
	struct drvq queues[RIG_QUEUES];
	struct drvq_slot slots[RIG_QUEUES][VR_SIZE_MAX];
	unsigned notified[RIG_QUEUES], config_notified, logged;
	const char *last_log;
	uint64_t now;
	bool no_random;
	bool event_idx;
};

void rig_init(struct rig *rig);
void rig_free(struct rig *rig);

/* Where queue i of this size lies. */
struct vr_place rig_place(unsigned queue, uint16_t size);

/* Bytes at an offset of the data area. */
void *rig_data(struct rig *rig, uint64_t off);

/* Runs the device until it has nothing more to do, at most `limit` times. */
void rig_run(struct rig *rig);

/* A new back end (the first or a successor) takes the link; asserts that it could. */
void rig_attach(struct rig *rig, struct vdev *dev);

/* The whole handshake, from a reset on, with `queues` queues of this size; asserts that it went well.
 * Attaches the device if it is not the one the link has. */
void rig_start(struct rig *rig, struct vdev *dev, uint64_t features, unsigned queues, uint16_t size);

/* Raw writes into the rings, as a hostile driver would. */
struct vr_desc *rig_desc(struct rig *rig, unsigned queue);
struct vr_avail *rig_avail(struct rig *rig, unsigned queue, uint16_t size);
struct vr_used *rig_used(struct rig *rig, unsigned queue, uint16_t size);
struct inflight_log *rig_log(struct rig *rig, unsigned queue, uint16_t size);
void rig_offer(struct rig *rig, unsigned queue, uint16_t size, uint16_t head);

/* Called at each read of and store to shared memory and at each step of a request, when set. */
extern void (*rig_on_load)(void);
extern void (*rig_on_store)(void);
extern void (*rig_on_step)(enum vr_step step);

#endif
