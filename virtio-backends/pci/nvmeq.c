/* SPDX-License-Identifier: BSD-2-Clause */
/* A pair of NVMe queues, host's side; see nvmeq.h. */
#include "nvmeq.h"

#include "../ring/ring.h"
#include "mmio.h"

#define SLOT_BITS 6u
#define GENERATIONS 512u /* keeps a name from being ffff, which means none */
#define PHASE 1u

_Static_assert(1u << SLOT_BITS == NVMEQ_SIZE_MAX, "a name has room for a slot");

void nvmeq_start(struct nvmeq *q, const struct nvmeq_place *place)
{
	uint16_t generation = q->generation;

	*q = (struct nvmeq){ .place = *place, .phase = true, .generation = generation };
	for (unsigned i = 0; i < NVMEQ_SIZE_MAX; i++)
		q->cids[i] = UINT16_MAX;
	vr_zero(place->sq, place->size * sizeof(*place->sq));
	vr_zero(place->cq, place->size * sizeof(*place->cq));
}

static uint16_t next_of(const struct nvmeq *q, uint16_t index)
{
	return (uint16_t)(index + 1) == q->place.size ? 0 : (uint16_t)(index + 1);
}

static unsigned distance(const struct nvmeq *q, unsigned from, unsigned to)
{
	return (to + q->place.size - from) % q->place.size;
}

static unsigned out_count(const struct nvmeq *q)
{
	return (unsigned)__builtin_popcountll(q->out);
}

void nvmeq_add(struct nvmeq *q, unsigned slot, struct nvmeq_command *command)
{
	q->generation = (uint16_t)((q->generation + 1) % GENERATIONS);
	command->cid = (uint16_t)(q->generation << SLOT_BITS | slot);
	vr_copy(&q->place.sq[q->tail], command, sizeof(*command));
	q->cids[slot] = command->cid;
	q->out |= UINT64_C(1) << slot;
	/* never full: fewer commands are out than it has entries, and what the controller has not taken is out */
	q->tail = next_of(q, q->tail);
}

void nvmeq_ring(struct nvmeq *q)
{
	if (q->broken)
		return;
	if (q->head != q->freed)
		mmio_write32(q->place.cq_bell, q->head);
	q->freed = q->head;
	if (q->tail != q->rung)
		mmio_write32(q->place.sq_bell, q->tail);
	q->rung = q->tail;
}

static bool broken(struct nvmeq *q, const char *why)
{
	q->broken = why;
	return false;
}

static bool right_name(struct nvmeq *q, uint16_t cid)
{
	unsigned slot = cid % NVMEQ_SIZE_MAX;
	bool known = q->cids[slot] == cid;

	if (known && q->out >> slot & 1)
		return true;
	return broken(q, known ? "completes a command twice" : "completes a command that is not out");
}

/* The controller has taken this completion's command and goes forward only: what lies between its head and the tail
 * is of commands that are still out. */
static bool right_head(struct nvmeq *q, uint32_t head)
{
	if (head >= q->place.size || distance(q, q->taken, head) > distance(q, q->taken, q->rung) ||
	    distance(q, head, q->rung) > out_count(q) - 1)
		return broken(q, "says that its queue's head is where it cannot be");
	q->taken = (uint16_t)head;
	return true;
}

bool nvmeq_get(struct nvmeq *q, unsigned *slot, uint16_t *status, uint32_t *result)
{
	const struct nvmeq_completion *at = &q->place.cq[q->head];
	uint32_t last, where;
	uint16_t cid;

	if (q->broken)
		return false;
	last = vr_load32(&at->words[3]);
	if ((last >> 16 & PHASE) != q->phase)
		return false;
	*result = vr_load32(&at->words[0]);
	where = vr_load32(&at->words[2]);
	if (vr_load32(&at->words[3]) != last)
		return broken(q, "changes a completion while it is read");
	cid = (uint16_t)last;
	if (where >> 16 != q->place.id)
		return broken(q, "completes a command of another queue");
	if (!right_name(q, cid) || !right_head(q, where & 0xffff))
		return false;
	*slot = cid % NVMEQ_SIZE_MAX;
	*status = (uint16_t)(last >> 17);
	q->out &= ~(UINT64_C(1) << *slot);
	q->head = next_of(q, q->head);
	if (q->head == 0)
		q->phase = !q->phase;
	return true;
}
