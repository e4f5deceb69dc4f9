/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define QUEUE_BYTES 0x8000u /* of an area, per queue */

void (*rig_on_load)(void);
void (*rig_on_store)(void);
void (*rig_on_step)(enum vr_step step);

void vr_test_load(void)
{
	if (rig_on_load)
		rig_on_load();
}

void vr_test_store(void)
{
	if (rig_on_store)
		rig_on_store();
}

void vr_test_step(enum vr_step step)
{
	if (rig_on_step)
		rig_on_step(step);
}

/* Tests are without cmocka here, so that the fuzzer can use the rig too. */
static void insist(bool ok)
{
	if (!ok)
		abort();
}

static void notify(void *self, uint32_t queue)
{
	struct rig *rig = self;

	if (queue == PORT_CONFIG) {
		rig->config_notified++;
	} else {
		insist(queue < RIG_QUEUES);
		link_count_used(&rig->link, queue);
		rig->notified[queue]++;
	}
}

static uint64_t now(void *self)
{
	return ((struct rig *)self)->now;
}

static bool randomness(void *self, void *buf, size_t len)
{
	static uint8_t count;

	if (((struct rig *)self)->no_random)
		return false;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = ++count ? count : ++count;
	return true;
}

static void keep_log(void *self, const char *line)
{
	struct rig *rig = self;

	rig->logged++;
	rig->last_log = line;
}

static struct vr_area area(uint64_t off, uint64_t len)
{
	uint8_t *base = aligned_alloc(4096, len);

	insist(base != NULL);
	memset(base, 0, len);
	return (struct vr_area){ base, off, len };
}

void rig_init(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	rig->window.driver = area(RIG_DRIVER, RIG_DRIVER_BYTES);
	rig->window.device = area(RIG_DEVICE, RIG_DEVICE_BYTES);
	rig->window.data = area(RIG_DATA, RIG_DATA_BYTES);
	rig->driver_page = (void *)area(0, LINK_PAGE_BYTES).base;
	rig->device_page = (void *)area(0, LINK_PAGE_BYTES).base;
	rig->port = (struct port){ rig, notify, now, randomness, keep_log };
	rig->now = 1000000000;
	rig->event_idx = true;
	front_init(&rig->front, rig->driver_page, rig->device_page);
}

void rig_free(struct rig *rig)
{
	free(rig->window.driver.base);
	free(rig->window.device.base);
	free(rig->window.data.base);
	free(rig->driver_page);
	free(rig->device_page);
	rig_on_load = NULL;
	rig_on_store = NULL;
	rig_on_step = NULL;
}

struct vr_place rig_place(unsigned queue, uint16_t size)
{
	return (struct vr_place){
		.size = size,
		.desc = RIG_DRIVER + queue * QUEUE_BYTES,
		.avail = RIG_DRIVER + queue * QUEUE_BYTES + 0x5000,
		.used = RIG_DEVICE + queue * QUEUE_BYTES,
		.log = RIG_DEVICE + queue * QUEUE_BYTES + 0x4000,
	};
}

void *rig_data(struct rig *rig, uint64_t off)
{
	return rig->window.data.base + off;
}

void rig_run(struct rig *rig)
{
	for (unsigned i = 0; i < 1000; i++)
		if (link_run(&rig->link, rig->now) > rig->now)
			return;
	abort(); /* a device that never comes to rest */
}

void rig_attach(struct rig *rig, struct vdev *dev)
{
	insist(link_attach(&rig->link, rig->driver_page, rig->device_page, dev));
}

void rig_start(struct rig *rig, struct vdev *dev, uint64_t features, unsigned queues, uint16_t size)
{
	features |= VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM);
	if (rig->event_idx)
		features |= VIRTIO_BIT(VIRTIO_F_EVENT_IDX);
	if (rig->link.dev != dev)
		rig_attach(rig, dev);
	front_init(&rig->front, rig->driver_page, rig->device_page);
	insist(front_probe(&rig->front, dev->class->device_id));
	front_reset(&rig->front);
	rig_run(rig);
	insist(front_acked(&rig->front) && front_status(&rig->front) == 0);
	front_set_features(&rig->front, features);
	rig_run(rig);
	insist(front_status(&rig->front) & VIRTIO_FEATURES_OK);
	for (unsigned i = 0; i < queues; i++) {
		struct vr_place place = rig_place(i, size);

		front_set_queue(&rig->front, i, &place);
		insist(drvq_start(&rig->queues[i], &rig->window, &place, rig->slots[i],
				  rig->event_idx));
	}
	front_driver_ok(&rig->front);
	rig_run(rig);
	insist(front_acked(&rig->front) && dev->state == VDEV_LIVE);
}

struct vr_desc *rig_desc(struct rig *rig, unsigned queue)
{
	return vr_at(&rig->window.driver, rig_place(queue, 1).desc, 16);
}

struct vr_avail *rig_avail(struct rig *rig, unsigned queue, uint16_t size)
{
	return vr_at(&rig->window.driver, rig_place(queue, size).avail, 6);
}

struct vr_used *rig_used(struct rig *rig, unsigned queue, uint16_t size)
{
	return vr_at(&rig->window.device, rig_place(queue, size).used, 6);
}

struct inflight_log *rig_log(struct rig *rig, unsigned queue, uint16_t size)
{
	return vr_at(&rig->window.device, rig_place(queue, size).log, 16);
}

void rig_offer(struct rig *rig, unsigned queue, uint16_t size, uint16_t head)
{
	struct vr_avail *avail = rig_avail(rig, queue, size);

	avail->ring[avail->idx % size] = head;
	avail->idx++;
}
