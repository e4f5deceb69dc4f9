/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's side of a split virtqueue; see devq.h. Our own indices, the set of heads in flight and
 * the segments of a chain are private; the rings are read for what the driver says and written for
 * what it is told, and nothing written there is ever believed again, but by a successor.
 */
#include "devq.h"

static uint16_t *used_event(const struct devq *q)
{
	return (uint16_t *)(uintptr_t)&q->avail->ring[q->size];
}

static uint16_t *avail_event(const struct devq *q)
{
	return (uint16_t *)&q->used->ring[q->size];
}

static bool is_busy(const struct devq *q, uint16_t head)
{
	return (q->busy[head / 64] >> (head % 64)) & 1;
}

static void set_busy(struct devq *q, uint16_t head)
{
	q->busy[head / 64] |= UINT64_C(1) << (head % 64);
	q->in_flight++;
}

static void clear_busy(struct devq *q, uint16_t head)
{
	q->busy[head / 64] &= ~(UINT64_C(1) << (head % 64));
}

void devq_break(struct devq *q, enum devq_fault fault)
{
	if (q->fault == DEVQ_OK)
		q->fault = fault;
}

/* A pointer to len bytes that are where they have to be, or NULL. */
static void *place(const struct vr_area *area, uint64_t off, uint64_t len, uintptr_t align)
{
	void *at = vr_at(area, off, len);

	return ((uintptr_t)at & (align - 1)) == 0 ? at : NULL;
}

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

static bool lay_out(struct devq *q, const struct vr_window *window, const struct vr_place *where,
		    uint16_t most, bool event_idx)
{
	uint16_t size = where->size;

	*q = (struct devq){ .window = window, .event_idx = event_idx };
	if (!vr_size_valid(size) || size > most) {
		q->fault = DEVQ_SIZE;
		return false;
	}
	q->desc = place(&window->driver, where->desc, VR_DESC_BYTES(size), 16);
	q->avail = place(&window->driver, where->avail, VR_AVAIL_BYTES(size), 2);
	q->used = place(&window->device, where->used, VR_USED_BYTES(size), 4);
	q->log = place(&window->device, where->log, INFLIGHT_BYTES(size), 8);
	/* Inside their areas, so the sums below do not overflow. */
	if (!q->desc || !q->avail || !q->used || !q->log ||
	    overlap(where->desc, VR_DESC_BYTES(size), where->avail, VR_AVAIL_BYTES(size)) ||
	    overlap(where->used, VR_USED_BYTES(size), where->log, INFLIGHT_BYTES(size))) {
		q->fault = DEVQ_PLACE;
		return false;
	}
	q->size = size;
	return true;
}

bool devq_start(struct devq *q, const struct vr_window *window, const struct vr_place *where,
		uint16_t most, bool event_idx)
{
	if (!lay_out(q, window, where, most, event_idx))
		return false;
	/* The log becomes valid last: who dies before starts again from nothing. */
	inflight_forget(q->log);
	vr_store16(&q->used->idx, 0);
	vr_store16(&q->used->flags, 0);
	vr_store16(avail_event(q), 0);
	inflight_start(q->log, q->size);
	return true;
}

bool devq_attach(struct devq *q, const struct vr_window *window, const struct vr_place *where,
		 uint16_t most, bool event_idx)
{
	int found;

	if (!lay_out(q, window, where, most, event_idx))
		return false;
	if (vr_load32(&q->log->magic) != INFLIGHT_MAGIC)
		return devq_start(q, window, where, most, event_idx);
	q->used_idx = vr_load16(&q->used->idx);
	found = inflight_recover(q->log, q->size, q->used, q->used_idx, q->replay,
				 &q->counter);
	if (found < 0) {
		q->fault = DEVQ_LOG;
		return false;
	}
	q->replay_count = (uint16_t)found;
	for (int i = 0; i < found; i++)
		set_busy(q, q->replay[i]);
	/* Every head that was taken is returned or in the log. */
	q->last_avail = (uint16_t)(q->used_idx + found);
	q->notified = q->used_idx;
	return true;
}

void devq_stop(struct devq *q)
{
	if (q->size)
		inflight_forget(q->log);
	*q = (struct devq){ 0 };
}

/* The chain at head, copied and checked. */
static bool read_chain(struct devq *q, struct devq_chain *chain, uint16_t head)
{
	uint64_t total = 0;
	uint16_t at = head;

	chain->head = head;
	chain->readable = chain->writable = 0;
	for (uint32_t step = 0;; step++) {
		const struct vr_desc *desc = &q->desc[at];
		uint64_t addr = vr_load64(&desc->addr);
		uint32_t len = vr_load32(&desc->len);
		uint16_t flags = vr_load16(&desc->flags);
		uint16_t next = vr_load16(&desc->next);
		uint16_t count = (uint16_t)(chain->readable + chain->writable);
		uint8_t *bytes = vr_at(&q->window->data, addr, len);

		if (step == q->size)
			return devq_break(q, DEVQ_LOOP), false;
		if (flags & ~(VR_DESC_NEXT | VR_DESC_WRITE))
			return devq_break(q, DEVQ_FLAGS), false;
		total += len;
		if (len == 0 || !bytes || total > UINT32_MAX)
			return devq_break(q, DEVQ_BUFFER), false;
		if (count >= chain->max)
			return devq_break(q, DEVQ_SEGMENTS), false;
		if (flags & VR_DESC_WRITE)
			chain->writable++;
		else if (chain->writable)
			return devq_break(q, DEVQ_ORDER), false;
		else
			chain->readable++;
		chain->segs[count] = (struct vr_seg){ bytes, addr, len };
		if (!(flags & VR_DESC_NEXT))
			return true;
		if (next >= q->size)
			return devq_break(q, DEVQ_NEXT), false;
		at = next;
	}
}

/* How many heads the driver has offered and we have not taken. A driver has at most size out. */
static unsigned offered(struct devq *q)
{
	uint16_t count = (uint16_t)(vr_load16(&q->avail->idx) - q->last_avail);

	if (count > q->size - q->in_flight) {
		devq_break(q, DEVQ_AVAIL);
		return 0;
	}
	return count;
}

unsigned devq_waiting(struct devq *q)
{
	if (devq_broken(q) || q->size == 0)
		return 0;
	return offered(q) + (unsigned)(q->replay_count - q->replay_next);
}

int devq_pop(struct devq *q, struct devq_chain *chain)
{
	uint16_t head;

	if (devq_broken(q) || q->size == 0)
		return 0;
	chain->replayed = q->replay_next < q->replay_count;
	if (chain->replayed)
		return read_chain(q, chain, q->replay[q->replay_next++]);
	if (!offered(q))
		return 0;
	head = vr_load16(&q->avail->ring[q->last_avail & (q->size - 1)]);
	if (head >= q->size)
		return devq_break(q, DEVQ_HEAD), 0;
	if (is_busy(q, head))
		return devq_break(q, DEVQ_BUSY), 0;
	vr_test_step(VR_STEP_POPPED);
	q->last_avail++;
	set_busy(q, head);
	vr_store64(&q->log->counter[head], ++q->counter);
	vr_test_step(VR_STEP_LOGGED);
	return read_chain(q, chain, head);
}

bool devq_fill(struct devq *q, uint16_t head, uint32_t written)
{
	struct vr_used_elem *elem;

	if (q->size == 0 || head >= q->size || !is_busy(q, head) || q->filled_count == DEVQ_BATCH)
		return false;
	clear_busy(q, head);
	if (!devq_broken(q)) {
		elem = &q->used->ring[(q->used_idx + q->filled_count) & (q->size - 1)];
		vr_store32(&elem->id, head);
		vr_store32(&elem->len, written);
		vr_test_step(VR_STEP_FILLED);
	}
	q->filled[q->filled_count++] = head;
	return true;
}

/* The order of the stores is the protocol of the log. */
void devq_publish(struct devq *q)
{
	uint16_t count = q->filled_count;

	q->filled_count = 0;
	q->in_flight = (uint16_t)(q->in_flight - count);
	if (devq_broken(q) || count == 0)
		return;
	q->used_idx = (uint16_t)(q->used_idx + count);
	vr_store16(&q->used->idx, q->used_idx);
	vr_test_step(VR_STEP_PUBLISHED);
	for (uint16_t i = 0; i < count; i++)
		vr_store64(&q->log->counter[q->filled[i]], 0);
	vr_test_step(VR_STEP_CLEARED);
	vr_store16(&q->log->used_idx, q->used_idx);
}

bool devq_push(struct devq *q, uint16_t head, uint32_t written)
{
	if (!devq_fill(q, head, written))
		return false;
	devq_publish(q);
	return true;
}

bool devq_should_notify(struct devq *q)
{
	uint16_t before = q->notified;

	if (devq_broken(q) || q->size == 0 || before == q->used_idx)
		return false;
	q->notified = q->used_idx;
	vr_fence();
	if (q->event_idx)
		return vr_need_event(vr_load16(used_event(q)), q->used_idx, before);
	return !(vr_load16(&q->avail->flags) & VR_AVAIL_NO_INTERRUPT);
}

bool devq_want_kick(struct devq *q)
{
	if (devq_broken(q) || q->size == 0)
		return false;
	if (q->event_idx)
		vr_store16(avail_event(q), q->last_avail);
	else
		vr_store16(&q->used->flags, 0);
	vr_fence();
	return offered(q) != 0;
}

void devq_no_kick(struct devq *q)
{
	/* With event indices the last one asked for is behind us already. */
	if (!devq_broken(q) && q->size && !q->event_idx)
		vr_store16(&q->used->flags, VR_USED_NO_NOTIFY);
}

const char *devq_fault_name(enum devq_fault fault)
{
	static const char *const names[] = {
		[DEVQ_OK] = "no fault",
		[DEVQ_SIZE] = "queue size",
		[DEVQ_PLACE] = "place of the rings",
		[DEVQ_AVAIL] = "avail.idx",
		[DEVQ_HEAD] = "head out of range",
		[DEVQ_BUSY] = "head already in flight",
		[DEVQ_NEXT] = "next out of range",
		[DEVQ_LOOP] = "chain longer than the queue",
		[DEVQ_FLAGS] = "flags of a descriptor",
		[DEVQ_BUFFER] = "buffer empty or outside the window",
		[DEVQ_ORDER] = "readable behind writable",
		[DEVQ_SEGMENTS] = "too many segments",
		[DEVQ_LOG] = "in-flight log",
		[DEVQ_REQUEST] = "request without room for its answer",
	};

	return names[fault];
}
