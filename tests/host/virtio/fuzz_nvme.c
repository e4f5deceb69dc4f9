/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the driver of an NVMe disk with a controller that does what the input says: answers what it is asked and
 * completes commands, right or wrong, and writes to its queues, its registers and the arena at any time, while time
 * passes. Whatever it does, each request is done once, the driver touches nothing but its registers, the arena and
 * the requests' own bytes, and it ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pci/mmio.h>
#include <pci/nvme.h>

#include "fuzzfn.h"
#include "fuzzjobs.h"

#define PAGES (NVME_CONTROL_PAGES + 2u * CUTTER_SLOT_PAGES + 1u) /* 2 slots and a page that belongs to none */
#define STEPS 96u
#define REGISTER_BYTES (NVME_DOORBELLS + 16u)
#define ANSWER (4u * CUTTER_PAGE)

static uint8_t arena[PAGES * CUTTER_PAGE] __attribute__((aligned(4096)));
static uint8_t registers[REGISTER_BYTES] __attribute__((aligned(4096)));
static uint64_t bus[PAGES];
static struct nvme nvme;

uint8_t *const fuzzfn_arena = arena;
const size_t fuzzfn_bytes = sizeof(arena);

/* What the controller knows of its queues. */
static struct {
	unsigned head, tail;
	unsigned phase;
} queues[2];

static struct nvme_registers *regs(void)
{
	return (struct nvme_registers *)registers;
}

void mmio_test_write(void *reg)
{
	if (reg != &regs()->config || regs()->status == ~0u)
		return;
	regs()->status = next() > 250 ? next32() : regs()->config & 1;
	memset(queues, 0, sizeof(queues));
	queues[0].phase = queues[1].phase = 1;
}

/* Something that mostly does: of the namespace, the controller, or which namespaces there are. */
static void answer(uint32_t what)
{
	static const uint8_t fields[][2] = { { 77, 2 }, { 99, 0 }, { 26, 0 }, { 25, 0 }, { 130, 9 } };
	uint32_t first = what == 2 ? 1 : 1u << 20;

	memcpy(arena + ANSWER, &first, 4);
	for (unsigned i = 0; what != 2 && i < 5; i++)
		arena[ANSWER + fields[i][0]] = next() > 250 ? next() : fields[i][1];
	arena[ANSWER + 512] = next() > 250 ? next() : 0x66;
	arena[ANSWER + 513] = next() > 250 ? next() : 0x44;
	arena[ANSWER + 520] = 0x0c;
	arena[ANSWER + 525] = next() & 1;
}

/* The next command that is out, or what the input says. */
static void complete(unsigned id)
{
	struct nvmeq *q = id ? &nvme.io : &nvme.admin;
	unsigned size = q->place.size;
	const struct nvmeq_command *command;
	uint32_t *entry;

	if (!q->place.sq || (queues[id].head == q->tail && next() < 240))
		return;
	command = &q->place.sq[queues[id].head];
	if (id == 0 && command->opcode == 6 && next() < 250)
		answer(command->dw10);
	queues[id].head = (queues[id].head + 1) % size;
	entry = q->place.cq[queues[id].tail].words;
	entry[0] = next32();
	entry[2] = next() > 250 ? next32() : id << 16 | queues[id].head;
	entry[3] = next() > 250 ? next32() :
				  (next() > 240 ? next32() << 17 : 0) | queues[id].phase << 16 | command->cid;
	if (++queues[id].tail == size) {
		queues[id].tail = 0;
		queues[id].phase ^= 1;
	}
}

static bool make_ready(void)
{
	const struct pci_arena place = { arena, bus, PAGES };
	size_t kept = next() > 64 ? left : 0; /* mostly an honest one, and the input is for what comes then */

	left -= kept;
	memset(registers, 0, sizeof(registers));
	memset(arena, 0, sizeof(arena));
	memset(&nvme, 0, sizeof(nvme));
	regs()->cap[0] = (next() > 250 ? next32() : 63) | 2u << 24;
	regs()->cap[1] = next() > 250 ? next32() : 1u << 5;
	regs()->version = 0x10400;
	if (nvme_look(&nvme, regs(), REGISTER_BYTES) || !nvme_stopped(&nvme) ||
	    nvme_start(&nvme, &place, 0, NULL, NULL))
		return false; /* which an honest one does not come to */
	for (unsigned i = 0; i < 24 && nvme.state != NVME_LIVE && nvme.state != NVME_FAILED; i++) {
		nvme_step(&nvme);
		complete(0);
	}
	left += kept;
	return nvme.state == NVME_LIVE;
}

/* A controller that is gone: whatever is still out fails. */
static void pull(void)
{
	memset(registers, 0xff, sizeof(registers));
	left = 0;
	fuzzjobs_end(&nvme.storage);
}

static void act(void)
{
	switch (next() % 6) {
	case 0:
	case 1:
		fuzzjobs_submit(&nvme.storage);
		break;
	case 2:
	case 3:
		complete(nvme.state != NVME_ASKING);
		break;
	case 4:
		nvme.storage.poll(&nvme.storage);
		break;
	default:
		nvme_tick(&nvme, next() > 200 ? NVME_COMMAND_MS + 1 : 1000);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzzfn_begin(data, size, bus);
	fuzzjobs_begin();
	if (make_ready()) {
		for (unsigned i = 0; i < STEPS && left; i++)
			act();
		pull();
	}
	fuzzjobs_free();
	return 0;
}
