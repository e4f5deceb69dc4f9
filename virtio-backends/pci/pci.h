/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci.h - what a driver reads out of a function's configuration space: the capability list, and where
 * a virtio device keeps its registers. Finding functions, their BARs and interrupts is the kernel's
 * (DEV_CTL).
 *
 * The device is not trusted: every walk ends after a number of steps that is known here, each
 * register that is decided on is read once, and what does not fit is refused with a sentence that
 * says why. How a register is reached is the caller's (struct pci_config).
 */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_VENDOR_VIRTIO 0x1af4u
#define PCI_DEVICE_VIRTIO 0x1040u /* plus the virtio device's number: modern devices */

#define PCI_COMMAND 0x04u
#define PCI_STATUS 0x06u
#define PCI_CAPABILITIES 0x34u

#define PCI_COMMAND_MEMORY 0x2u
#define PCI_COMMAND_MASTER 0x4u
#define PCI_COMMAND_NO_INTX 0x400u
#define PCI_STATUS_CAPABILITIES 0x10u

#define PCI_CAP_VENDOR 0x09u

#define PCI_BARS 6u

/* Configuration space of one function. width is 1, 2 or 4, off a multiple of it and below 256. What
 * cannot be read reads as ones, as on the bus; write says whether the write was let through. */
struct pci_config {
	void *self;
	uint32_t (*read)(void *self, unsigned off, unsigned width);
	bool (*write)(void *self, unsigned off, unsigned width, uint32_t value);
};

/* A piece of a BAR that was checked to lie inside it. */
struct pci_region {
	unsigned bar;
	uint32_t off;
	uint32_t len;
};

/* Where a modern virtio device keeps its registers (virtio 1.x, 4.1.4). */
struct pci_virtio {
	struct pci_region common, notify, isr;
	struct pci_region device; /* len 0: it has no configuration of its class */
	uint32_t notify_multiplier;
	unsigned config_cap; /* the capability that reaches registers through configuration space, or 0 */
};

/* Where the first capability `id` behind `after` lies (0: from the start), or 0. A list that loops
 * or leaves its place ends there. */
unsigned pci_find_cap(const struct pci_config *config, unsigned id, unsigned after);

/*
 * bar_bytes: size of each memory BAR, 0 where there is none. NULL, or why this is no modern virtio
 * device. Of each kind of registers the first that fits counts.
 */
const char *pci_find_virtio(const struct pci_config *config, const uint64_t bar_bytes[PCI_BARS],
			    struct pci_virtio *virtio) __attribute__((warn_unused_result));

/*
 * Registers of `common` for who has configuration space but no mapping of them. False: the device has
 * no such capability, or a write was not let through.
 */
bool pci_virtio_read(const struct pci_config *config, const struct pci_virtio *virtio, uint32_t off,
		     unsigned width, uint32_t *value) __attribute__((warn_unused_result));
bool pci_virtio_write(const struct pci_config *config, const struct pci_virtio *virtio,
		      uint32_t off, unsigned width, uint32_t value)
	__attribute__((warn_unused_result));

#endif
