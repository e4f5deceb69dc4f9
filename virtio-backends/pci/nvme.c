/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The namespace of an NVMe controller as a storage; see nvme.h. The arena:
 *
 *	queues of the controller's own commands, of the namespace's (nvmeup.c), an answer; lists; slots
 *
 * A slot's command has 128 bytes of the lists: the addresses of its pages but the first, or the range it discards.
 */
#include "nvme.h"

#include "../blk/blk.h"
#include "mmio.h"

#define LISTS (5u * CUTTER_PAGE)
#define LIST_BYTES 128u
#define STATUS_FATAL 2u
#define GONE UINT32_MAX

#define OP_FLUSH 0x00u
#define OP_WRITE 0x01u
#define OP_READ 0x02u
#define OP_ZERO 0x08u
#define OP_MANAGE 0x09u
#define MANAGE_DISCARD 4u
#define ZERO_SECTORS 0x10000u /* of a command: 16 bits, of which 0 means one */

struct range {
	uint32_t attributes, sectors;
	uint64_t sector;
};

_Static_assert(NVMEQ_SIZE_MAX * LIST_BYTES <= 2 * CUTTER_PAGE, "lists fit two pages");
_Static_assert((CUTTER_SLOT_PAGES - 1) * 8 <= LIST_BYTES, "a list has room for a slot's pages");
_Static_assert(LISTS + 2 * CUTTER_PAGE == NVME_CONTROL_PAGES * CUTTER_PAGE, "lists come last");

/* ---- the arena ---- */

static uint64_t list_off(const struct nvme *nvme, const struct cutter_slot *slot)
{
	return LISTS + cutter_index(&nvme->cutter, slot) * LIST_BYTES;
}

static uint64_t data_off(const struct nvme *nvme, const struct cutter_slot *slot)
{
	return (uint64_t)NVME_CONTROL_PAGES * CUTTER_PAGE +
	       (uint64_t)cutter_index(&nvme->cutter, slot) * CUTTER_SLOT_BYTES;
}

static uint64_t bus_at(const struct nvme *nvme, uint64_t off)
{
	return nvme->arena.bus[off / CUTTER_PAGE] + off % CUTTER_PAGE;
}

/* ---- the end, and another beginning ---- */

void nvme_fail(struct nvme *nvme, const char *why)
{
	if (nvme->failed)
		return;
	nvme->failed = why;
	nvme->state = NVME_FAILED;
	mmio_write32(&nvme->registers->config, 0); /* asking is enough: the arena is not used again */
	cutter_fail(&nvme->cutter);
}

void nvme_reset(struct nvme *nvme)
{
	if (nvme->resets++ == NVME_RESETS_MAX) {
		nvme_fail(nvme, "does not do its commands, reset as often as it may be");
		return;
	}
	nvme->resets_ever++;
	mmio_write32(&nvme->registers->config, 0);
	nvme->state = NVME_STOPPING;
	nvme->waited_ms = 0;
}

/* ---- commands ---- */

static uint64_t most_bytes(void *self, enum storage_op op)
{
	const struct nvme *nvme = self;

	switch (op) {
	case STORAGE_DISCARD:
		return (uint64_t)BLK_RANGE_SECTORS * STORAGE_SECTOR;
	case STORAGE_ZERO:
		return (uint64_t)ZERO_SECTORS * STORAGE_SECTOR;
	default:
		return nvme->slot_bytes;
	}
}

/* The pages of a transfer: the first in the command, a second there too, more in a list. */
static void list_pages(struct nvme *nvme, const struct cutter_slot *slot, struct nvmeq_command *command)
{
	uint64_t off = data_off(nvme, slot), list = list_off(nvme, slot);
	uint64_t *entries = (uint64_t *)(nvme->arena.base + list);
	unsigned pages = (slot->len + CUTTER_PAGE - 1) / CUTTER_PAGE;

	command->prp1 = bus_at(nvme, off);
	if (pages == 2)
		command->prp2 = bus_at(nvme, off + CUTTER_PAGE);
	if (pages <= 2)
		return;
	for (unsigned i = 1; i < pages; i++)
		vr_store64(&entries[i - 1], bus_at(nvme, off + i * CUTTER_PAGE));
	command->prp2 = bus_at(nvme, list);
}

static void describe_transfer(struct nvme *nvme, const struct cutter_slot *slot, struct nvmeq_command *command)
{
	const struct storage_request *request = slot->request;

	if (request->op == STORAGE_WRITE)
		(void)vr_gather(nvme->arena.base + data_off(nvme, slot), request->segs, request->count,
				slot->at, slot->len);
	list_pages(nvme, slot, command);
	command->opcode = request->op == STORAGE_READ ? OP_READ : OP_WRITE;
}

static void describe_discard(struct nvme *nvme, const struct cutter_slot *slot, struct nvmeq_command *command)
{
	const struct range range = {
		.sectors = slot->len / STORAGE_SECTOR,
		.sector = (slot->request->off + slot->at) / STORAGE_SECTOR,
	};

	vr_copy(nvme->arena.base + list_off(nvme, slot), &range, sizeof(range));
	command->opcode = OP_MANAGE;
	command->prp1 = bus_at(nvme, list_off(nvme, slot));
	command->dw11 = MANAGE_DISCARD; /* dw10: one range less one */
}

static void add(struct nvme *nvme, const struct cutter_slot *slot)
{
	struct nvmeq_command command = { .nsid = nvme->identity.nsid };
	unsigned index = cutter_index(&nvme->cutter, slot);
	uint64_t sector = (slot->request->off + slot->at) / STORAGE_SECTOR;

	switch (slot->request->op) {
	case STORAGE_READ:
	case STORAGE_WRITE:
		describe_transfer(nvme, slot, &command);
		break;
	case STORAGE_ZERO:
		command.opcode = OP_ZERO;
		break;
	case STORAGE_DISCARD:
		describe_discard(nvme, slot, &command);
		break;
	case STORAGE_FLUSH:
		command.opcode = OP_FLUSH;
		break;
	}
	if (command.opcode == OP_READ || command.opcode == OP_WRITE || command.opcode == OP_ZERO) {
		command.dw10 = (uint32_t)sector;
		command.dw11 = (uint32_t)(sector >> 32);
		command.dw12 = slot->len / STORAGE_SECTOR - 1;
	}
	nvme->ages_ms[index] = 0;
	nvmeq_add(&nvme->io, index, &command);
}

static bool offer(void *self, struct cutter_slot *slot)
{
	struct nvme *nvme = self;

	if (nvme->state != NVME_LIVE)
		return false;
	add(nvme, slot);
	return true;
}

/* Tells the controller, and whoever counts the time. */
static void ring(struct nvme *nvme)
{
	nvmeq_ring(&nvme->io);
	if (nvme->io.out && !nvme->armed && nvme->arm) {
		nvme->armed = true;
		nvme->arm(nvme->self);
	}
}

static void returned(struct nvme *nvme, struct cutter_slot *slot, bool ok)
{
	const struct storage_request *request = slot->request;

	if (ok)
		nvme->resets = 0;
	if (ok && request->op == STORAGE_READ)
		(void)vr_scatter(request->segs, request->count, slot->at,
				 nvme->arena.base + data_off(nvme, slot), slot->len);
	cutter_returned(&nvme->cutter, slot, ok);
}

/* ---- the storage ---- */

static bool nvme_submit(struct storage *storage, struct storage_request *request)
{
	struct nvme *nvme = (struct nvme *)storage;

	if (nvme->failed) {
		request->done(request, false);
		return true;
	}
	if (request->op == STORAGE_FLUSH && !nvme->has_flush) { /* without a cache it writes through */
		request->done(request, true);
		return true;
	}
	if (!cutter_submit(&nvme->cutter, request))
		return false;
	ring(nvme);
	return true;
}

/* Nothing is done although something is out: is it still at work? */
static void look_at_status(struct nvme *nvme)
{
	uint32_t status = mmio_read32(&nvme->registers->status);

	if (status == GONE)
		nvme_fail(nvme, "is not there any more");
	else if (status & STATUS_FATAL)
		nvme_reset(nvme);
}

static void nvme_poll(struct storage *storage)
{
	struct nvme *nvme = (struct nvme *)storage;
	bool idle = true;
	unsigned slot;
	uint16_t status;
	uint32_t result;

	nvme_step(nvme);
	if (nvme->state != NVME_LIVE)
		return;
	/* one round of the queue: for what comes meanwhile there is another interrupt */
	for (unsigned i = 0; i < NVMEQ_SIZE_MAX && nvmeq_get(&nvme->io, &slot, &status, &result); i++) {
		returned(nvme, &nvme->cutter.slots[slot], status == 0);
		idle = false;
	}
	if (nvme->io.broken) {
		nvme_fail(nvme, nvme->io.broken);
		return;
	}
	cutter_more(&nvme->cutter);
	ring(nvme);
	if (idle && nvme->io.out)
		look_at_status(nvme);
}

void nvme_resume(struct nvme *nvme)
{
	nvme->storage.submit = nvme_submit;
	nvme->storage.poll = nvme_poll;
	nvme->cutter.self = nvme;
	nvme->cutter.most = most_bytes;
	nvme->cutter.offer = offer;
	nvme->state = NVME_LIVE;
	for (unsigned i = 0; i < nvme->cutter.count; i++)
		if (nvme->cutter.slots[i].request)
			add(nvme, &nvme->cutter.slots[i]);
	cutter_more(&nvme->cutter);
	ring(nvme);
}
