/* SPDX-License-Identifier: BSD-2-Clause */
/* arena.h - the memory a device on the PCI bus may reach, and nothing else of its domain. */
#ifndef VIRTIO_PCI_ARENA_H
#define VIRTIO_PCI_ARENA_H

#include <stdint.h>

/* Page i of base is at bus[i] for the device, which need not be next to bus[i - 1]. Zeroed. */
struct pci_arena {
	uint8_t *base;
	const uint64_t *bus;
	unsigned pages; /* each driver says how many it wants at least, and how many it uses at most */
};

#endif
