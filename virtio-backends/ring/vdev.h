/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vdev.h - a virtio device below its class: features, status, queues, configuration space.
 *
 * The transport hands over what the driver wants as one private snapshot, vdev_apply moves the device
 * towards it. A snapshot is a level, not a message: repeating one changes nothing, and a successor
 * that sees only the last one knows everything (vdev_attach).
 *
 * A driver that breaks a rule of the ring or of the status protocol gets NEEDS_RESET: the device
 * touches none of its queues until it has been reset. A reset is complete, and acknowledged, only when
 * the class holds no buffer of the driver any more.
 */
#ifndef VIRTIO_VDEV_H
#define VIRTIO_VDEV_H

#include "../port/port.h"
#include "devq.h"

#define VDEV_QUEUES_MAX 8u
#define VDEV_CONFIG_MAX 256u
#define VDEV_CONFIG_WRITE_MAX 64u
#define VDEV_BREAKS_LOGGED 8u /* a driver may break rules for ever, but not fill the log */
#define VDEV_IDLE UINT64_MAX /* vdev_run: nothing to do until something happens */

#define VIRTIO_ACKNOWLEDGE 1u
#define VIRTIO_DRIVER 2u
#define VIRTIO_DRIVER_OK 4u
#define VIRTIO_FEATURES_OK 8u
#define VIRTIO_NEEDS_RESET 64u
#define VIRTIO_FAILED 128u

#define VIRTIO_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32
#define VIRTIO_F_ACCESS_PLATFORM 33
#define VIRTIO_BIT(n) (UINT64_C(1) << (n))

struct vdev;

struct vdev_class {
	const char *name;
	uint32_t device_id;
	uint32_t queues; /* most of them */

	/* The queues are live, new or taken over; optional. */
	void (*start)(struct vdev *dev);
	/* Work until nothing is left or a fair share is done; when to be called again. */
	uint64_t (*run)(struct vdev *dev, uint64_t now);
	/* Take nothing more and finish nothing more: reset, or broken. */
	void (*stop)(struct vdev *dev);
	/* Is every buffer of the driver out of our hands? Optional: nothing is kept beyond stop. */
	bool (*idle)(const struct vdev *dev);
	/* The driver wrote to the configuration space, checked to lie inside; optional. */
	void (*config_write)(struct vdev *dev, uint32_t off, const void *bytes, uint32_t len);
};

struct vdev_queue_want {
	bool enabled;
	struct vr_place place;
};

/* What the driver wants, in memory of our own. */
struct vdev_want {
	uint64_t features;
	uint32_t status;
	struct vdev_queue_want queues[VDEV_QUEUES_MAX];
};

enum vdev_state {
	VDEV_DOWN,     /* no DRIVER_OK */
	VDEV_LIVE,
	VDEV_DRAINING, /* reset asked for, the class is not idle yet */
	VDEV_BROKEN,   /* NEEDS_RESET */
};

struct vdev {
	const struct vdev_class *class;
	const struct port *port;
	const struct vr_window *window;
	uint64_t offered, features;
	uint32_t status;
	enum vdev_state state;
	const char *why; /* broken: the rule that was broken */
	uint32_t breaks; /* logged so far, VDEV_BREAKS_LOGGED at most */
	uint16_t queue_max[VDEV_QUEUES_MAX];
	struct vdev_want live; /* what the queues were started with */
	struct devq queues[VDEV_QUEUES_MAX];
	uint32_t config_len, config_gen;
	uint8_t config[VDEV_CONFIG_MAX];
};

/* `features` are those of the class; VERSION_1, ACCESS_PLATFORM (addresses are offsets into the
 * window) and EVENT_IDX are added. Each queue may have up to queue_max entries. */
void vdev_init(struct vdev *dev, const struct vdev_class *class, const struct port *port,
	       const struct vr_window *window, uint64_t features, uint16_t queue_max);

/* Moves towards what the driver wants. True: done, dev->status is the answer; false: a reset waits
 * for the class, ask again after vdev_run. */
bool vdev_apply(struct vdev *dev, const struct vdev_want *want) __attribute__((warn_unused_result));

/* The first call of a successor, with the state the driver is in. False: it cannot go on with this
 * device (features it uses are not offered, or its queues are wrong); status has NEEDS_RESET. */
bool vdev_attach(struct vdev *dev, const struct vdev_want *want)
	__attribute__((warn_unused_result));

uint64_t vdev_run(struct vdev *dev, uint64_t now);

/* Is every buffer of the driver out of the class's hands? */
bool vdev_idle(const struct vdev *dev);

/* The driver broke a rule. `why` is a constant text. */
void vdev_break(struct vdev *dev, const char *why);

/* For classes: the next chain of a queue. A queue found broken breaks the device. */
int vdev_pop(struct vdev *dev, unsigned queue, struct devq_chain *chain);
/* ... gives it back; does nothing when the device is not live. */
void vdev_push(struct vdev *dev, unsigned queue, uint16_t head, uint32_t written);
/* ... in two steps, see devq_fill. */
void vdev_fill(struct vdev *dev, unsigned queue, uint16_t head, uint32_t written);
void vdev_publish(struct vdev *dev, unsigned queue);
/* ... tells the driver, if it wants to know. */
void vdev_flush(struct vdev *dev, unsigned queue);
/* ... when it stops looking: true if there is more already. */
bool vdev_sleep(struct vdev *dev, unsigned queue);

static inline bool vdev_has(const struct vdev *dev, unsigned feature)
{
	return (dev->features & VIRTIO_BIT(feature)) != 0;
}

static inline bool vdev_queue_live(const struct vdev *dev, unsigned queue)
{
	return dev->state == VDEV_LIVE && dev->queues[queue].size != 0;
}

void vdev_config_set(struct vdev *dev, uint32_t off, const void *bytes, uint32_t len);
bool vdev_config_write(struct vdev *dev, uint32_t off, const void *bytes, uint32_t len);

#endif
