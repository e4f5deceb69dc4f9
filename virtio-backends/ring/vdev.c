/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of a device; see vdev.h.
 *
 *	          DRIVER_OK            rule broken
 *	  DOWN ---------------> LIVE ---------------> BROKEN
 *	   ^  \                  |                      |
 *	   |   rule broken       | status 0             | status 0
 *	   |                     v                      v
 *	   +---------------- DRAINING <-----------------+
 *	     the class is idle
 */
#include "vdev.h"

#define STEPS (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)

void vdev_init(struct vdev *dev, const struct vdev_class *class, const struct port *port,
	       const struct vr_window *window, uint64_t features, uint16_t queue_max)
{
	*dev = (struct vdev){ .class = class, .port = port, .window = window };
	dev->offered = features | VIRTIO_BIT(VIRTIO_F_VERSION_1) |
		       VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM) | VIRTIO_BIT(VIRTIO_F_EVENT_IDX);
	for (unsigned i = 0; i < class->queues; i++)
		dev->queue_max[i] = queue_max;
}

void vdev_break(struct vdev *dev, const char *why)
{
	if (dev->state == VDEV_BROKEN || dev->state == VDEV_DRAINING)
		return;
	if (dev->state == VDEV_LIVE)
		dev->class->stop(dev);
	dev->state = VDEV_BROKEN;
	dev->status |= VIRTIO_NEEDS_RESET;
	dev->why = why;
	if (dev->breaks < VDEV_BREAKS_LOGGED) {
		dev->breaks++;
		dev->port->log(dev->port->self, why);
	}
}

static bool features_fit(const struct vdev *dev, uint64_t features)
{
	return (features & ~dev->offered) == 0 &&
	       (features & VIRTIO_BIT(VIRTIO_F_VERSION_1)) != 0 &&
	       (features & VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM)) != 0;
}

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* What the device writes for one queue must not lie on what it writes for another. Both lie in the
 * device's area: they have been started. */
static bool queues_apart(const struct vdev_want *want, unsigned a, unsigned b)
{
	const struct vr_place *x = &want->queues[a].place, *y = &want->queues[b].place;
	uint64_t x_used = VR_USED_BYTES(x->size), x_log = INFLIGHT_BYTES(x->size);
	uint64_t y_used = VR_USED_BYTES(y->size), y_log = INFLIGHT_BYTES(y->size);

	return !overlap(x->used, x_used, y->used, y_used) &&
	       !overlap(x->used, x_used, y->log, y_log) &&
	       !overlap(x->log, x_log, y->used, y_used) && !overlap(x->log, x_log, y->log, y_log);
}

static bool start_queues(struct vdev *dev, const struct vdev_want *want, bool attach)
{
	bool event_idx = vdev_has(dev, VIRTIO_F_EVENT_IDX);

	for (unsigned i = 0; i < dev->class->queues; i++) {
		const struct vr_place *place = &want->queues[i].place;
		struct devq *q = &dev->queues[i];

		if (!want->queues[i].enabled)
			continue;
		for (unsigned j = 0; j < i; j++)
			if (want->queues[j].enabled && vr_size_valid(place->size) &&
			    !queues_apart(want, i, j)) {
				q->fault = DEVQ_PLACE;
				return false;
			}
		if (!(attach ? devq_attach(q, dev->window, place, dev->queue_max[i], event_idx) :
			       devq_start(q, dev->window, place, dev->queue_max[i], event_idx)))
			return false;
	}
	return true;
}

static void go_live(struct vdev *dev, const struct vdev_want *want, bool attach)
{
	if (!start_queues(dev, want, attach)) {
		vdev_break(dev, "virtio: a queue cannot be started");
		return;
	}
	dev->live = *want;
	dev->status |= VIRTIO_DRIVER_OK;
	dev->state = VDEV_LIVE;
	if (dev->class->start)
		dev->class->start(dev);
}

static void finish_reset(struct vdev *dev)
{
	for (unsigned i = 0; i < dev->class->queues; i++)
		devq_stop(&dev->queues[i]);
	dev->state = VDEV_DOWN;
	dev->status = 0;
	dev->features = 0;
	dev->why = NULL;
}

bool vdev_idle(const struct vdev *dev)
{
	return !dev->class->idle || dev->class->idle(dev);
}

static bool reset(struct vdev *dev)
{
	if (dev->state == VDEV_LIVE)
		dev->class->stop(dev);
	dev->state = VDEV_DRAINING;
	if (!vdev_idle(dev))
		return false;
	finish_reset(dev);
	return true;
}

static bool same_queues(const struct vdev *dev, const struct vdev_want *want)
{
	for (unsigned i = 0; i < dev->class->queues; i++) {
		const struct vdev_queue_want *a = &dev->live.queues[i], *b = &want->queues[i];

		if (a->enabled != b->enabled)
			return false;
		if (a->enabled && (a->place.size != b->place.size || a->place.desc != b->place.desc ||
				   a->place.avail != b->place.avail ||
				   a->place.used != b->place.used || a->place.log != b->place.log))
			return false;
	}
	return true;
}

/* The steps from dev->status to the driver's, neither of them 0. */
static void advance(struct vdev *dev, const struct vdev_want *want)
{
	uint32_t status = want->status;

	if (dev->status & STEPS & ~status)
		vdev_break(dev, "virtio: a status bit was taken back");
	else if (status & VIRTIO_FAILED)
		vdev_break(dev, "virtio: the driver gave up");
	else if (status & ~(STEPS | VIRTIO_NEEDS_RESET))
		vdev_break(dev, "virtio: unknown status bits");
	else if ((status & VIRTIO_FEATURES_OK) && !(status & VIRTIO_DRIVER))
		vdev_break(dev, "virtio: FEATURES_OK without DRIVER");
	else if ((status & VIRTIO_DRIVER_OK) && !(dev->status & VIRTIO_FEATURES_OK))
		vdev_break(dev, "virtio: DRIVER_OK before FEATURES_OK was granted");
	else if ((dev->status & VIRTIO_FEATURES_OK) && dev->features != want->features)
		vdev_break(dev, "virtio: features changed after FEATURES_OK");
	else if (dev->state == VDEV_LIVE && !same_queues(dev, want))
		vdev_break(dev, "virtio: queues changed after DRIVER_OK");
	if (dev->state == VDEV_BROKEN)
		return;

	dev->status |= status & (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	if ((status & VIRTIO_FEATURES_OK) && features_fit(dev, want->features)) {
		dev->features = want->features;
		dev->status |= VIRTIO_FEATURES_OK;
	}
	if ((status & VIRTIO_DRIVER_OK) && dev->state == VDEV_DOWN)
		go_live(dev, want, false);
}

bool vdev_apply(struct vdev *dev, const struct vdev_want *want)
{
	if (want->status == 0 || dev->state == VDEV_DRAINING) {
		if ((dev->status || dev->state != VDEV_DOWN) && !reset(dev))
			return false;
		if (want->status == 0)
			return true;
	}
	if (dev->state != VDEV_BROKEN)
		advance(dev, want);
	return true;
}

bool vdev_attach(struct vdev *dev, const struct vdev_want *want)
{
	struct vdev_want step = *want;

	/* Up to where the driver is, as if it had come there in order. */
	step.status &= ~VIRTIO_DRIVER_OK;
	if (step.status)
		advance(dev, &step);
	if (dev->state == VDEV_BROKEN || !(want->status & VIRTIO_DRIVER_OK))
		return dev->state != VDEV_BROKEN;
	if (!(dev->status & VIRTIO_FEATURES_OK)) {
		vdev_break(dev, "virtio: the driver uses features this device does not have");
		return false;
	}
	go_live(dev, want, true);
	if (dev->state != VDEV_LIVE)
		return false;
	/* Whether the predecessor still told the driver is unknown. */
	for (unsigned i = 0; i < dev->class->queues; i++)
		if (vdev_queue_live(dev, i))
			dev->port->notify(dev->port->self, i);
	return true;
}

uint64_t vdev_run(struct vdev *dev, uint64_t now)
{
	return dev->class->run(dev, now);
}

int vdev_pop(struct vdev *dev, unsigned queue, struct devq_chain *chain)
{
	struct devq *q = &dev->queues[queue];
	int got;

	if (!vdev_queue_live(dev, queue))
		return 0;
	got = devq_pop(q, chain);
	if (devq_broken(q))
		vdev_break(dev, devq_fault_name(q->fault));
	return got;
}

void vdev_push(struct vdev *dev, unsigned queue, uint16_t head, uint32_t written)
{
	if (vdev_queue_live(dev, queue))
		(void)devq_push(&dev->queues[queue], head, written);
}

void vdev_fill(struct vdev *dev, unsigned queue, uint16_t head, uint32_t written)
{
	if (vdev_queue_live(dev, queue))
		(void)devq_fill(&dev->queues[queue], head, written);
}

void vdev_publish(struct vdev *dev, unsigned queue)
{
	if (vdev_queue_live(dev, queue))
		devq_publish(&dev->queues[queue]);
}

void vdev_flush(struct vdev *dev, unsigned queue)
{
	if (vdev_queue_live(dev, queue) && devq_should_notify(&dev->queues[queue]))
		dev->port->notify(dev->port->self, queue);
}

bool vdev_sleep(struct vdev *dev, unsigned queue)
{
	bool more;

	if (!vdev_queue_live(dev, queue))
		return false;
	more = devq_want_kick(&dev->queues[queue]);
	if (devq_broken(&dev->queues[queue]))
		vdev_break(dev, devq_fault_name(dev->queues[queue].fault));
	return more;
}

void vdev_config_set(struct vdev *dev, uint32_t off, const void *bytes, uint32_t len)
{
	vr_copy(dev->config + off, bytes, len);
	if (dev->config_len < off + len)
		dev->config_len = off + len;
	dev->config_gen++;
}

bool vdev_config_write(struct vdev *dev, uint32_t off, const void *bytes, uint32_t len)
{
	if (len > dev->config_len || off > dev->config_len - len || !dev->class->config_write)
		return false;
	dev->class->config_write(dev, off, bytes, len);
	return true;
}
