/* SPDX-License-Identifier: BSD-2-Clause */
/* The device's side of the two pages of a link; see link.h. */
#include "link.h"

static void read_want(const struct link *link, struct vdev_want *want)
{
	const struct link_driver_page *page = link->driver;

	want->status = vr_load32(&page->status); /* first: see link.h */
	want->features = vr_load64(&page->features[0]);
	if (vr_load64(&page->features[1]))
		want->features = UINT64_MAX; /* nothing up there is offered */
	for (unsigned i = 0; i < VDEV_QUEUES_MAX; i++) {
		const struct link_queue *queue = &page->queues[i];

		want->queues[i].enabled = (vr_load16(&queue->flags) & LINK_QUEUE_ENABLED) != 0;
		want->queues[i].place.size = vr_load16(&queue->size);
		want->queues[i].place.desc = vr_load64(&queue->desc);
		want->queues[i].place.avail = vr_load32(&queue->avail);
		want->queues[i].place.used = vr_load32(&queue->used);
		want->queues[i].place.log = vr_load32(&queue->log);
	}
}

/* A write to the configuration space is part of the state too: it is applied with every change. */
static void take_config_write(struct link *link)
{
	uint32_t off = vr_load32(&link->driver->config_write.off);
	uint32_t len = vr_load32(&link->driver->config_write.len);
	uint8_t bytes[VDEV_CONFIG_WRITE_MAX];

	if (len == 0 || len > sizeof(bytes))
		return;
	vr_copy(bytes, link->driver->config_write.bytes, len);
	(void)vdev_config_write(link->dev, off, bytes, len);
}

static void publish_config(struct link *link)
{
	struct link_device_page *page = link->device;
	uint32_t gen = vr_load32(&page->config_gen) | 1u;

	vr_store32(&page->config_gen, gen);
	vr_fence();
	vr_copy(page->config, link->dev->config, link->dev->config_len);
	vr_store32(&page->config_gen, gen + 1);
	link->published = link->dev->config_gen;
}

/* Makes the page say what the device says; tells the driver if that is news. */
static void publish(struct link *link, bool acknowledge)
{
	struct link_device_page *page = link->device;
	bool news = false;

	if (link->published != link->dev->config_gen) {
		publish_config(link);
		news = true;
	}
	if (vr_load32(&page->status) != link->dev->status) {
		vr_store32(&page->status, link->dev->status);
		news = true;
	}
	if (acknowledge) {
		vr_store64(&page->ack_seq, link->applied);
		news = true;
	}
	if (news)
		link->dev->port->notify(link->dev->port->self, PORT_CONFIG);
}

bool link_attach(struct link *link, const struct link_driver_page *driver,
		 struct link_device_page *device, struct vdev *dev)
{
	struct vdev_want want;
	bool ok;

	*link = (struct link){ .driver = driver, .device = device, .dev = dev };
	vr_store32(&device->version, LINK_VERSION);
	vr_store32(&device->device_id, dev->class->device_id);
	vr_store32(&device->feature_words, 2);
	vr_store32(&device->config_size, dev->config_len);
	vr_store32(&device->max_queues, dev->class->queues);
	vr_store64(&device->features[0], dev->offered);
	vr_store64(&device->features[1], 0);
	for (unsigned i = 0; i < dev->class->queues; i++)
		vr_store16(&device->queues[i].max_size, dev->queue_max[i]);
	publish_config(link);
	vr_store32(&device->magic, LINK_MAGIC);

	link->applied = vr_load64(&driver->req_seq);
	read_want(link, &want);
	ok = vdev_attach(dev, &want);
	publish(link, true);
	return ok;
}

uint64_t link_run(struct link *link, uint64_t now)
{
	uint64_t seq = vr_load64(&link->driver->req_seq);
	bool acknowledge = false;
	uint64_t wake;

	if (seq != link->applied || link->waiting) {
		struct vdev_want want;

		read_want(link, &want);
		take_config_write(link);
		link->applied = seq;
		link->waiting = !vdev_apply(link->dev, &want);
		acknowledge = !link->waiting;
	}
	wake = vdev_run(link->dev, now);
	publish(link, acknowledge);
	/* What a reset waited for has just ended. */
	return link->waiting && vdev_idle(link->dev) ? now : wake;
}

void link_count_used(struct link *link, uint32_t queue)
{
	if (queue < LINK_QUEUES) {
		uint32_t *seq = &link->device->used_seq[queue];

		vr_store32(seq, vr_load32(seq) + 1);
	}
}
