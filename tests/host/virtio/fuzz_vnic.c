/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the driver of a PCI network card with a card that does what the input says: takes and returns
 * buffers, right or wrong, and writes to its rings, its registers and the arena at any time. Whatever it
 * does, the driver touches nothing but the arena, no buffer is used for two frames at once, and it ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pci/vnic.h>

#include "fuzzvirtio.h"

#define PAGES 17u /* of the arena: 22 buffers */
#define STEPS 96u

static uint8_t arena[PAGES * VNIC_PAGE] __attribute__((aligned(4096)));
static uint64_t bus[PAGES];
static struct vpci vpci;
static struct vnic nic;

uint8_t *const fuzzfn_arena = arena;
const size_t fuzzfn_bytes = sizeof(arena);

static void insist(bool ok)
{
	if (!ok)
		abort();
}

/* A used entry of a queue: mostly for something that was offered. */
static void give_back(unsigned number)
{
	uint8_t *at = arena + number * 3 * VNIC_PAGE;
	const struct vr_avail *avail = (const struct vr_avail *)(at + VNIC_PAGE);
	struct vr_used *used = (struct vr_used *)(at + 2 * VNIC_PAGE);
	struct pair_queue *queue = &nic.pair.queues[number];
	uint16_t size = queue->ring.size ? queue->ring.size : 1;
	uint8_t which = next();
	uint32_t id = which > 250 ? next32() : avail->ring[which % size];
	uint32_t len = number ? 0 : next() > 32 ? 12u + 14u + next() * 6u : next32();

	used->ring[used->idx % size] = (struct vr_used_elem){ id, len };
	used->idx = (uint16_t)(used->idx + (next() > 250 ? next() : 1));
}

/* Reads all of it: the sanitizer sees every step outside. */
static void receive(void *self, const uint8_t *frame, uint32_t len)
{
	unsigned *count = self;
	uint8_t copy[PAIR_FRAME_MAX];

	insist(len >= PAIR_FRAME_MIN && len <= PAIR_FRAME_MAX);
	insist(frame >= arena + VNIC_CONTROL_PAGES * VNIC_PAGE && frame + len <= arena + sizeof(arena));
	memcpy(copy, frame, len);
	++*count;
}

/* No buffer is both free and out, or free twice. */
static void check_buffers(void)
{
	const struct pair *pair = &nic.pair;
	const struct pair_queue *tx = &pair->queues[PAIR_TX], *rx = &pair->queues[PAIR_RX];
	bool free[PAGES * 2] = { false };

	for (unsigned i = 0; i < pair->free_count; i++) {
		unsigned buffer = pair->free[i];

		insist(buffer >= tx->first && buffer < tx->first + tx->count && !free[buffer]);
		free[buffer] = true;
	}
	insist(pair->free_count + tx->ring.in_flight == tx->count);
	insist(rx->ring.in_flight <= rx->count);
}

static void step(void)
{
	unsigned limit = 1 + (next() & 15), count = 0;
	uint8_t *at;

	switch (next() % 4) {
	case 0:
		at = vnic_room(&nic);
		if (!at)
			break;
		memset(at, 0xaa, PAIR_FRAME_MAX);
		vnic_send(&nic, next32() % (PAIR_FRAME_MAX + 100));
		break;
	case 1:
		give_back(0);
		break;
	case 2:
		give_back(1);
		break;
	default:
		(void)vnic_poll(&nic, limit, receive, &count);
		insist(count <= limit);
		vnic_flush(&nic);
	}
	check_buffers();
}

static bool make_ready(void)
{
	const struct pci_arena place = { arena, bus, PAGES };

	fuzzvirtio_plug(&vpci, 2, (uint16_t)(8u << (next() & 3)));
	return !vnic_init(&nic, &vpci, &place, 0, next() & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned count = 0;

	fuzzfn_begin(data, size, bus);
	if (!make_ready())
		return 0;
	for (unsigned i = 0; i < STEPS && left; i++)
		step();
	/* a device that is gone: nothing goes out, and soon nothing is believed any more */
	fuzzvirtio_pull();
	for (unsigned i = 0; i < 64; i++)
		(void)vnic_poll(&nic, 16, receive, &count);
	insist(nic.failed != NULL);
	insist(!vnic_room(&nic));
	return 0;
}
