/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzes the driver of an 82574L network card with a card that does what the input says: says frames have come and
 * gone, right or wrong, and writes to its rings, its registers and the arena at any time. Whatever it does, the driver
 * touches nothing but its registers and the arena, receives in one half of the buffers and sends from the other, and
 * it ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pci/e1000e.h>
#include <pci/mmio.h>

#include "fuzzfn.h"

#define PAGES (E1000E_ARENA_MIN + 9u) /* 16 descriptors a ring, and a page that belongs to none */
#define STEPS 96u

static uint8_t arena[PAGES * E1000E_PAGE] __attribute__((aligned(4096)));
static uint8_t registers[E1000E_REGISTERS] __attribute__((aligned(4096)));
static uint64_t bus[PAGES];
static struct e1000e nic;
static unsigned heads[2]; /* of the rings, as the card has them: rx, tx */

uint8_t *const fuzzfn_arena = arena;
const size_t fuzzfn_bytes = sizeof(arena);

static void insist(bool ok)
{
	if (!ok)
		abort();
}

static void set(uint32_t at, uint32_t value)
{
	memcpy(registers + at, &value, 4);
}

void mmio_test_write(void *reg)
{
	if (reg == registers) /* a reset is over at once, mostly */
		set(0, next() > 250 ? next32() : 0);
}

static uint8_t *half(void)
{
	return arena + E1000E_CONTROL_PAGES * E1000E_PAGE + nic.size * E1000E_BUFFER;
}

/* Reads all of it: the sanitizer sees every step outside. */
static void receive(void *self, const uint8_t *frame, uint32_t len)
{
	unsigned *count = self;
	uint8_t copy[E1000E_FRAME_MAX];

	insist(len >= E1000E_FRAME_MIN && len <= E1000E_FRAME_MAX);
	insist(frame >= arena + E1000E_CONTROL_PAGES * E1000E_PAGE && frame + len <= half());
	memcpy(copy, frame, len);
	++*count;
}

/* A descriptor is done: mostly the next. */
static void finish(unsigned ring)
{
	struct e1000e_descriptor *d = (struct e1000e_descriptor *)(arena + ring * E1000E_PAGE);
	unsigned at = next() > 240 ? next() % nic.size : heads[ring]++ % nic.size;
	uint64_t status = next() > 240 ? next() : ring ? 1 : 3;

	d[at].word |= status << 32;
	if (ring == 0)
		d[at].word = (d[at].word & ~UINT64_C(0xffff)) | (next() > 16 ? 14u + next() * 6u : next32() & 0xffff);
	if (next() > 240)
		d[at].word |= (uint64_t)next() << 40;
	set(0x2810 + ring * 0x1000, next() > 250 ? next32() : heads[ring] % nic.size);
}

static void send(void)
{
	uint8_t *at = e1000e_room(&nic);

	if (!at)
		return;
	insist(at >= half() && at + E1000E_FRAME_MAX <= arena + sizeof(arena));
	memset(at, 0xaa, E1000E_FRAME_MAX);
	e1000e_send(&nic, next32() % (E1000E_FRAME_MAX + 100));
}

static void step(void)
{
	unsigned limit = 1 + (next() & 15), count = 0;

	switch (next() % 6) {
	case 0:
	case 1:
		send();
		break;
	case 2:
		finish(0);
		break;
	case 3:
		finish(1);
		break;
	case 4:
		set(0xc0, next() > 250 ? ~0u : next()); /* causes */
		break;
	default:
		(void)e1000e_poll(&nic, limit, receive, &count);
		insist(count <= limit && count < nic.size);
		e1000e_flush(&nic);
	}
}

static bool make_ready(void)
{
	const struct pci_arena place = { arena, bus, PAGES };

	memset(registers, 0, sizeof(registers));
	memset(arena, 0, sizeof(arena));
	memset(heads, 0, sizeof(heads));
	set(0x10, 0x200);
	set(0x5400, 0x12005452);
	set(0x5404, 0x80005634);
	return !e1000e_look(&nic, registers, sizeof(registers)) && e1000e_reset_done(&nic) &&
	       !e1000e_start(&nic, &place);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned count = 0;
	size_t kept;
	bool ready;

	fuzzfn_begin(data, size, bus);
	kept = next() > 64 ? left : 0; /* mostly an honest one, and the input is for what comes then */
	left -= kept;
	ready = make_ready();
	left += kept;
	for (unsigned i = 0; ready && i < STEPS && left; i++)
		step();
	if (!ready)
		return 0;
	/* a card that is gone: nothing goes out, and nothing is believed any more */
	memset(registers, 0xff, sizeof(registers));
	left = 0;
	(void)e1000e_poll(&nic, 16, receive, &count);
	insist(nic.failed != NULL && count == 0);
	insist(!e1000e_room(&nic));
	return 0;
}
