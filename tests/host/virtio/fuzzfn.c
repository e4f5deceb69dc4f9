/* SPDX-License-Identifier: BSD-2-Clause */
/* A function that does what the input says; see fuzzfn.h. */
#include <string.h>

#include <pci/mmio.h>
#include <ring/ring.h>

#include "fuzzfn.h"

struct fuzzfn_registers registers;
size_t left;

static const uint8_t *input;

uint8_t next(void)
{
	return left ? left--, *input++ : 0;
}

uint32_t next32(void)
{
	return (uint32_t)(next() | next() << 8 | next() << 16) | (uint32_t)next() << 24;
}

/* What the device answers to a read of a register: now and then something else than was written. */
void mmio_test_read(const void *reg)
{
	uint8_t what = next();

	if (what > 240)
		((uint8_t *)(uintptr_t)reg)[0] ^= (uint8_t)(1u << (what & 7));
}

void mmio_test_write(void *reg)
{
	if (reg == &registers.common.device_feature_select)
		registers.common.device_feature = next() < 248 ? ~0u : next32();
	else if (reg == &registers.common.device_status && next() > 250)
		registers.common.device_status = next();
}

void vr_test_load(void)
{
	uint8_t what = next();

	if (what > 250) /* memory of the device changes between two looks */
		fuzzfn_arena[(next() << 8 | next()) % fuzzfn_bytes] = next();
}

void vr_test_store(void)
{
}

void vr_test_step(enum vr_step step)
{
	(void)step;
}

void fuzzfn_begin(const uint8_t *data, size_t size, uint64_t *bus)
{
	input = data;
	left = size;
	for (size_t i = 0; i < fuzzfn_bytes / FUZZFN_PAGE; i++)
		bus[i] = FUZZFN_BASE + i * FUZZFN_PAGE;
}

void fuzzfn_plug(struct vpci *vpci, uint16_t queues, uint16_t queue_size)
{
	const struct pci_virtio virtio = {
		.common = { 0, 0, sizeof(registers.common) },
		.device = { 1, 0, sizeof(registers.device) },
		.notify = { 2, 0, sizeof(registers.notify) },
		.notify_multiplier = 4,
	};
	uint8_t *bars[PCI_BARS] = { (uint8_t *)&registers.common, registers.device, registers.notify };

	memset(&registers, 0, sizeof(registers));
	memset(fuzzfn_arena, 0, fuzzfn_bytes);
	registers.common.num_queues = queues;
	registers.common.queue_size = queue_size;
	vpci_init(vpci, &virtio, bars);
	vpci_reset(vpci);
}

void fuzzfn_pull(void)
{
	memset(&registers, 0xff, sizeof(registers));
	left = 0;
}
