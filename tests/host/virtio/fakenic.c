/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakenic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <pci/mmio.h>

#include "fakebus.h"

#define NOTIFY_AT 0x3000u
#define DEVICE_AT 0x2000u
#define PAGE 4096u

struct fakenic fakenic;

struct vpci_common *fakenic_common(void)
{
	return (struct vpci_common *)fakenic.registers;
}

void fakenic_init(void)
{
	static const uint8_t mac[8] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56, 1, 0 };
	struct fakenic *n = &fakenic;

	memset(n, 0, sizeof(*n));
	n->virtio.common = (struct pci_region){ 4, 0, 0x1000 };
	n->virtio.isr = (struct pci_region){ 4, 0x1000, 0x1000 };
	n->virtio.device = (struct pci_region){ 4, DEVICE_AT, 0x1000 };
	n->virtio.notify = (struct pci_region){ 4, NOTIFY_AT, 0x1000 };
	n->virtio.notify_multiplier = 4;
	/* offloads too, which the driver must not take */
	n->offered = VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_EVENT_IDX) | 0x3ffff;
	n->queue_max = 256;
	memcpy(n->registers + DEVICE_AT, mac, sizeof(mac));
	n->arena.base = fakebus_begin(n->bus, FAKENIC_PAGES);
	n->arena.bus = n->bus;
	n->arena.pages = FAKENIC_PAGES;
	fakenic_common()->num_queues = 3;
}

void fakenic_free(void)
{
	fakebus_end();
}

/* ---- registers ---- */

static struct fakenic_queue *selected(void)
{
	static struct fakenic_queue none;
	uint16_t at = fakenic_common()->queue_select;

	return at < 2 ? &fakenic.queues[at] : &none;
}

void mmio_test_read(const void *reg)
{
	struct fakenic *n = &fakenic;
	struct vpci_common *c = fakenic_common();

	if (reg == &c->device_feature)
		c->device_feature =
			(uint32_t)(c->device_feature_select ? n->offered >> 32 : n->offered);
	else if (reg == &c->queue_size)
		c->queue_size = selected()->size ? selected()->size : n->queue_max;
	else if (reg == &c->queue_notify_off)
		c->queue_notify_off = c->queue_select;
	else if (reg == &c->config_generation && n->restless)
		c->config_generation++;
}

static void set_status(uint8_t status)
{
	struct fakenic *n = &fakenic;

	if (status == 0) {
		n->resets++;
		memset(n->queues, 0, sizeof(n->queues));
		n->accepted = 0;
	} else if (n->refuse_features || (n->accepted & ~n->offered)) {
		fakenic_common()->device_status = status & (uint8_t)~VIRTIO_FEATURES_OK;
	}
}

static void enable(struct fakenic_queue *q)
{
	struct vpci_common *c = fakenic_common();

	q->desc = c->queue_desc[0] | (uint64_t)c->queue_desc[1] << 32;
	q->avail = c->queue_driver[0] | (uint64_t)c->queue_driver[1] << 32;
	q->used = c->queue_device[0] | (uint64_t)c->queue_device[1] << 32;
	q->vector = c->queue_msix_vector;
	q->enabled = true;
}

void mmio_test_write(void *reg)
{
	struct fakenic *n = &fakenic;
	struct vpci_common *c = fakenic_common();
	uint64_t at = (uint64_t)((uint8_t *)reg - n->registers);

	if (reg == &c->device_status)
		set_status(c->device_status);
	else if (reg == &c->driver_feature)
		n->accepted |= (uint64_t)c->driver_feature << (c->driver_feature_select ? 32 : 0);
	else if (reg == &c->queue_size)
		selected()->size = c->queue_size;
	else if (reg == &c->queue_msix_vector && n->refuse_vector)
		c->queue_msix_vector = VPCI_NO_VECTOR;
	else if (reg == &c->queue_enable)
		enable(selected());
	else if (at == NOTIFY_AT || at == NOTIFY_AT + 4)
		n->queues[(at - NOTIFY_AT) / 4].kicks++;
}

/* ---- the wire ---- */

/* The only buffer of the next chain of a queue; NULL: nothing is offered. */
static const struct vr_desc *take(struct fakenic_queue *q, uint16_t *head)
{
	const struct vr_avail *avail;
	const struct vr_desc *desc;

	if (!q->enabled)
		return NULL;
	avail = dma(q->avail, VR_AVAIL_BYTES(q->size));
	if (q->taken == avail->idx)
		return NULL;
	*head = avail->ring[q->taken++ % q->size];
	assert_true(*head < q->size);
	desc = (const struct vr_desc *)dma(q->desc, 16) + *head;
	assert_false(desc->flags & VR_DESC_NEXT);
	return desc;
}

static void give_back(struct fakenic_queue *q, uint16_t head, uint32_t written)
{
	struct vr_used *used = dma(q->used, VR_USED_BYTES(q->size));
	const struct vr_avail *avail = dma(q->avail, VR_AVAIL_BYTES(q->size));
	uint16_t before = used->idx;
	enum fakenic_lie lie = fakenic.lie;

	used->ring[used->idx++ % q->size] =
		(struct vr_used_elem){ lie == NIC_ID ? head + 100u : head, written };
	if (lie == NIC_TWICE)
		used->ring[used->idx++ % q->size] = (struct vr_used_elem){ head, written };
	else if (lie == NIC_INDEX)
		used->idx = (uint16_t)(used->idx + 300);
	if (q->vector != VPCI_NO_VECTOR && vr_need_event(avail->ring[q->size], used->idx, before))
		fakenic.interrupts++;
	*(uint16_t *)&used->ring[q->size] = q->taken; /* tell me of the next one */
}

unsigned fakenic_transmit(unsigned limit)
{
	struct fakenic *n = &fakenic;
	const struct vr_desc *desc;
	unsigned count = 0;
	uint16_t head;

	while (count < limit && (desc = take(&n->queues[1], &head))) {
		const uint8_t *at = dma(desc->addr, desc->len);

		assert_false(desc->flags & VR_DESC_WRITE);
		assert_true(desc->len >= 12 + 14 && desc->len <= 12 + sizeof(n->sent));
		for (unsigned i = 0; i < 12; i++)
			assert_int_equal(at[i], 0);
		n->sent_len = desc->len - 12;
		memcpy(n->sent, at + 12, n->sent_len);
		n->sent_count++;
		give_back(&n->queues[1], head, 0);
		count++;
	}
	return count;
}

bool fakenic_receive(const uint8_t *frame, uint32_t len)
{
	struct fakenic *n = &fakenic;
	uint32_t written = 12 + len;
	const struct vr_desc *desc;
	uint16_t head;
	uint8_t *at;

	desc = take(&n->queues[0], &head);
	if (!desc)
		return false;
	assert_true(desc->flags & VR_DESC_WRITE);
	assert_true(desc->len >= written);
	at = dma(desc->addr, desc->len);
	memset(at, 0, 12);
	at[10] = 1; /* buffers of this frame */
	memcpy(at + 12, frame, len);
	if (n->lie == NIC_SHORT)
		written = 12 + 13;
	else if (n->lie == NIC_EMPTY)
		written = 0;
	else if (n->lie == NIC_LONG)
		written = ~0u;
	else if (n->lie == NIC_OVERSIZE)
		written = 12 + PAIR_FRAME_MAX + 1;
	give_back(&n->queues[0], head, written);
	return true;
}
