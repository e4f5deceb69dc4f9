/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of a split virtqueue; see drvq.h. */
#include "drvq.h"

static uint16_t *used_event(const struct drvq *q)
{
	return (uint16_t *)&q->avail->ring[q->size];
}

static const uint16_t *avail_event(const struct drvq *q)
{
	return (const uint16_t *)&q->used->ring[q->size];
}

bool drvq_start(struct drvq *q, const struct vr_window *window, const struct vr_place *place,
		struct drvq_slot *slots, bool event_idx)
{
	*q = (struct drvq){ .slots = slots, .event_idx = event_idx, .fault = DRVQ_PLACE };
	if (!vr_size_valid(place->size))
		return false;
	q->desc = vr_at(&window->driver, place->desc, VR_DESC_BYTES(place->size));
	q->avail = vr_at(&window->driver, place->avail, VR_AVAIL_BYTES(place->size));
	q->used = vr_at(&window->device, place->used, VR_USED_BYTES(place->size));
	if (!q->desc || !q->avail || !q->used)
		return false;
	if (((uintptr_t)q->desc & 15) || ((uintptr_t)q->avail & 1) || ((uintptr_t)q->used & 3))
		return false;
	q->size = q->free_count = place->size;
	for (uint16_t i = 0; i < q->size; i++)
		slots[i] = (struct drvq_slot){ .next = (uint16_t)(i + 1) };
	vr_store16(&q->avail->flags, 0);
	vr_store16(&q->avail->idx, 0);
	vr_store16(used_event(q), 0);
	q->fault = DRVQ_OK;
	return true;
}

bool drvq_add(struct drvq *q, const struct drvq_buf *bufs, unsigned readable, unsigned writable,
	      void *token)
{
	unsigned count = readable + writable;
	uint16_t head = q->free_head;
	uint16_t at = head;
	uint32_t room = 0;

	if (drvq_broken(q) || count == 0 || count > q->free_count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		struct vr_desc *desc = &q->desc[at];
		unsigned flags = (i >= readable ? VR_DESC_WRITE : 0) |
				 (i + 1 < count ? VR_DESC_NEXT : 0);

		if (i >= readable)
			room += bufs[i].len;
		vr_store64(&desc->addr, bufs[i].off);
		vr_store32(&desc->len, bufs[i].len);
		vr_store16(&desc->flags, (uint16_t)flags);
		vr_store16(&desc->next, i + 1 < count ? q->slots[at].next : 0);
		at = q->slots[at].next;
	}
	q->free_head = at;
	q->free_count = (uint16_t)(q->free_count - count);
	q->slots[head].token = token;
	q->slots[head].writable = room;
	q->slots[head].count = (uint16_t)count;
	q->in_flight++;
	vr_store16(&q->avail->ring[q->avail_idx & (q->size - 1)], head);
	vr_store16(&q->avail->idx, ++q->avail_idx);
	return true;
}

bool drvq_should_kick(struct drvq *q)
{
	uint16_t before = q->kicked;

	if (drvq_broken(q) || before == q->avail_idx)
		return false;
	q->kicked = q->avail_idx;
	vr_fence();
	if (q->event_idx)
		return vr_need_event(vr_load16(avail_event(q)), q->avail_idx, before);
	return !(vr_load16(&q->used->flags) & VR_USED_NO_NOTIFY);
}

/* The links of a chain are those of the free list it was cut from, never what lies in the ring. */
static void release(struct drvq *q, uint16_t head)
{
	uint16_t count = q->slots[head].count;
	uint16_t last = head;

	for (uint16_t i = 1; i < count; i++)
		last = q->slots[last].next;
	q->slots[last].next = q->free_head;
	q->slots[head].count = 0;
	q->free_head = head;
	q->free_count = (uint16_t)(q->free_count + count);
	q->in_flight--;
}

/* Chains the device has returned and we have not looked at. */
static unsigned returned(struct drvq *q)
{
	uint16_t count = (uint16_t)(vr_load16(&q->used->idx) - q->last_used);

	if (count > q->in_flight) {
		q->fault = DRVQ_INDEX;
		return 0;
	}
	return count;
}

int drvq_get(struct drvq *q, void **token, uint32_t *written)
{
	const struct vr_used_elem *elem;
	uint32_t id, len;

	if (drvq_broken(q) || !returned(q))
		return 0;
	elem = &q->used->ring[q->last_used & (q->size - 1)];
	id = vr_load32(&elem->id);
	len = vr_load32(&elem->len);
	if (id >= q->size || q->slots[id].count == 0) {
		q->fault = DRVQ_ID;
		return 0;
	}
	if (len > q->slots[id].writable) {
		len = q->slots[id].writable;
		q->clamped++;
	}
	q->last_used++;
	*token = q->slots[id].token;
	*written = len;
	release(q, (uint16_t)id);
	return 1;
}

bool drvq_want_notify(struct drvq *q)
{
	if (drvq_broken(q))
		return false;
	if (q->event_idx)
		vr_store16(used_event(q), q->last_used);
	else
		vr_store16(&q->avail->flags, 0);
	vr_fence();
	return returned(q) != 0;
}

void drvq_no_notify(struct drvq *q)
{
	if (!drvq_broken(q) && !q->event_idx)
		vr_store16(&q->avail->flags, VR_AVAIL_NO_INTERRUPT);
}
