/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio function that does what the input says; see fuzzvirtio.h. */
#include <string.h>

#include <pci/mmio.h>

#include "fuzzvirtio.h"

struct fuzzvirtio_registers registers;

void mmio_test_write(void *reg)
{
	if (reg == &registers.common.device_feature_select)
		registers.common.device_feature = next() < 248 ? ~0u : next32();
	else if (reg == &registers.common.device_status && next() > 250)
		registers.common.device_status = next();
}

void fuzzvirtio_plug(struct vpci *vpci, uint16_t queues, uint16_t queue_size)
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

void fuzzvirtio_pull(void)
{
	memset(&registers, 0xff, sizeof(registers));
	left = 0;
}
