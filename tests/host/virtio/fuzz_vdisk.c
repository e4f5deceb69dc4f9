/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the driver of a PCI disk with a device that does what the input says: takes and returns
 * commands, right or wrong, and writes to its rings, its registers and the arena at any time. Whatever
 * it does, each request is done once, the driver touches nothing but the arena and the requests' own
 * bytes, and it ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pci/vdisk.h>

#include "fuzzjobs.h"
#include "fuzzvirtio.h"

#define PAGES 37u /* of the arena: 2 slots and a page that belongs to none */
#define STEPS 64u

static uint8_t arena[PAGES * CUTTER_PAGE] __attribute__((aligned(4096)));
static uint64_t bus[PAGES];
static struct vpci vpci;
static struct vdisk disk;

uint8_t *const fuzzfn_arena = arena;
const size_t fuzzfn_bytes = sizeof(arena);

/* A used entry: mostly for something that was offered. */
static void give_back(void)
{
	struct vr_avail *avail = (struct vr_avail *)(arena + CUTTER_PAGE);
	struct vr_used *used = (struct vr_used *)(arena + 2 * CUTTER_PAGE);
	uint16_t size = disk.queue.size ? disk.queue.size : 1;
	uint8_t which = next();
	uint32_t id = which > 250 ? next32() : avail->ring[which % size];

	if (id < size && next() > 16) { /* its status byte: the last descriptor's */
		struct vr_desc *desc = (struct vr_desc *)arena;
		unsigned at = id;

		for (unsigned i = 0; i < size && (desc[at].flags & VR_DESC_NEXT); i++)
			at = desc[at].next % size;
		if (desc[at].addr >= FUZZFN_BASE && desc[at].addr < FUZZFN_BASE + sizeof(arena))
			arena[desc[at].addr - FUZZFN_BASE] = next() > 32 ? 0 : next();
	}
	used->ring[used->idx % size] = (struct vr_used_elem){ id, next() > 32 ? ~0u : next32() };
	used->idx = (uint16_t)(used->idx + (next() > 250 ? next() : 1));
}

static bool make_ready(void)
{
	const struct pci_arena place = { arena, bus, PAGES };

	fuzzvirtio_plug(&vpci, 1, 64);
	((uint32_t *)registers.device)[0] = 1u << 20; /* capacity */
	((uint32_t *)registers.device)[2] = 4096;
	((uint32_t *)registers.device)[3] = 126;
	((uint32_t *)registers.device)[5] = 512;
	for (unsigned i = 9; i < 15; i++)
		((uint32_t *)registers.device)[i] = 64;
	return !vdisk_init(&disk, &vpci, &place, 0, next() & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzzfn_begin(data, size, bus);
	fuzzjobs_begin();
	if (make_ready()) {
		for (unsigned i = 0; i < STEPS && left; i++) {
			switch (next() % 4) {
			case 0:
				fuzzjobs_submit(&disk.storage);
				break;
			case 1:
			case 2:
				give_back();
				break;
			default:
				disk.storage.poll(&disk.storage);
			}
		}
		/* a device that is gone: whatever is still out fails */
		fuzzvirtio_pull();
		fuzzjobs_end(&disk.storage);
	}
	fuzzjobs_free();
	return 0;
}
