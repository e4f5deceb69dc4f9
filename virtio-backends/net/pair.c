/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of a network card; see pair.h. A token of a queue is the number of its buffer, from 1. */
#include "pair.h"

_Static_assert(PAIR_HEADER + PAIR_FRAME_MAX <= PAIR_BUFFER, "a frame fits its buffer");
_Static_assert(PAIR_PAGE % PAIR_BUFFER == 0, "a buffer lies in one page");

static uint8_t *bytes_of(const struct pair *pair, unsigned buffer)
{
	return pair->memory.base + (uint64_t)buffer * PAIR_BUFFER;
}

static uint64_t address_of(const struct pair *pair, unsigned buffer)
{
	uint64_t at = (uint64_t)buffer * PAIR_BUFFER;

	if (!pair->memory.bus)
		return pair->memory.off + at;
	return pair->memory.bus[at / PAIR_PAGE] + at % PAIR_PAGE;
}

static void *token_of(unsigned buffer)
{
	return (void *)(uintptr_t)(buffer + 1);
}

static unsigned buffer_of(const void *token)
{
	return (unsigned)(uintptr_t)token - 1;
}

/* ---- frames out ---- */

/* Buffers the device has sent are free again. */
static void reclaim(struct pair *pair)
{
	uint32_t written;
	void *token;

	while (drvq_get(&pair->queues[PAIR_TX].ring, &token, &written))
		pair->free[pair->free_count++] = buffer_of(token);
}

uint8_t *pair_room(struct pair *pair)
{
	if (!pair->free_count)
		reclaim(pair);
	if (!pair->free_count || pair_broken(pair)) {
		pair->counters.full++;
		return NULL;
	}
	return bytes_of(pair, pair->free[pair->free_count - 1]) + PAIR_HEADER;
}

void pair_send(struct pair *pair, uint32_t len)
{
	unsigned buffer;
	struct drvq_buf buf;

	if (!pair->free_count || len < PAIR_FRAME_MIN || len > PAIR_FRAME_MAX)
		return;
	buffer = pair->free[pair->free_count - 1];
	buf = (struct drvq_buf){ address_of(pair, buffer), PAIR_HEADER + len };
	vr_zero(bytes_of(pair, buffer), PAIR_HEADER);
	if (!drvq_add(&pair->queues[PAIR_TX].ring, &buf, 1, 0, token_of(buffer)))
		return; /* as many buffers as entries: only a broken ring has no room */
	pair->free_count--;
	pair->counters.sent++;
}

/* ---- frames in ---- */

static bool offer(struct pair *pair, unsigned buffer)
{
	struct drvq_buf buf = { address_of(pair, buffer), PAIR_BUFFER };

	return drvq_add(&pair->queues[PAIR_RX].ring, &buf, 0, 1, token_of(buffer));
}

static bool take(struct pair *pair, pair_receive_fn receive, void *self)
{
	uint32_t written;
	void *token;

	if (!drvq_get(&pair->queues[PAIR_RX].ring, &token, &written))
		return false;
	if (written < PAIR_HEADER + PAIR_FRAME_MIN || written > PAIR_HEADER + PAIR_FRAME_MAX) {
		pair->counters.malformed++;
	} else {
		pair->counters.received++;
		receive(self, bytes_of(pair, buffer_of(token)) + PAIR_HEADER, written - PAIR_HEADER);
	}
	return offer(pair, buffer_of(token));
}

unsigned pair_poll(struct pair *pair, unsigned limit, pair_receive_fn receive, void *self)
{
	unsigned count = 0;

	do {
		while (count < limit && take(pair, receive, self))
			count++;
	} while (count < limit && drvq_want_notify(&pair->queues[PAIR_RX].ring));
	return count;
}

bool pair_broken(const struct pair *pair)
{
	return drvq_broken(&pair->queues[PAIR_RX].ring) || drvq_broken(&pair->queues[PAIR_TX].ring);
}

/* ---- making it ready ---- */

void pair_init(struct pair *pair, const struct pair_memory *memory)
{
	unsigned half = memory->buffers / 2;

	*pair = (struct pair){ .memory = *memory };
	pair->queues[PAIR_RX].count = pair->queues[PAIR_TX].count = half;
	pair->queues[PAIR_TX].first = half;
	/* broken until they are started */
	pair->queues[PAIR_RX].ring.fault = pair->queues[PAIR_TX].ring.fault = DRVQ_PLACE;
}

bool pair_start(struct pair *pair, unsigned queue, const struct vr_window *window,
		const struct vr_place *place, bool event_idx)
{
	struct pair_queue *q = &pair->queues[queue];

	if (place->size > PAIR_QUEUE || !drvq_start(&q->ring, window, place, q->slots, event_idx))
		return false;
	if (q->count > place->size)
		q->count = place->size;
	for (unsigned i = 0; i < q->count; i++)
		if (queue == PAIR_TX)
			pair->free[pair->free_count++] = q->first + i;
		else if (!offer(pair, q->first + i))
			return false; /* not with at most as many buffers as entries */
	if (queue == PAIR_TX)
		drvq_no_notify(&q->ring); /* what was sent is looked for when room is wanted */
	else
		(void)drvq_want_notify(&q->ring);
	return true;
}
