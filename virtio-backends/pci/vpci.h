/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vpci.h - the driver's side of the registers of a modern virtio PCI device (virtio 1.x, 4.1.4).
 *
 *	vpci_init -> vpci_reset until true -> vpci_negotiate -> vpci_queue ... -> vpci_driver_ok
 *
 * The device may be hostile: nothing here waits, every read is bounded, and what it answers is checked
 * before it is used. Registers are reached through mappings of its BARs.
 */
#ifndef VIRTIO_VPCI_H
#define VIRTIO_VPCI_H

#include "../ring/vdev.h"
#include "pci.h"

#define VPCI_NO_VECTOR 0xffffu

/* Registers in the order and widths of the specification. */
struct vpci_common {
	uint32_t device_feature_select, device_feature;
	uint32_t driver_feature_select, driver_feature;
	uint16_t config_msix_vector, num_queues;
	uint8_t device_status, config_generation;
	uint16_t queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
	uint32_t queue_desc[2], queue_driver[2], queue_device[2];
};

_Static_assert(sizeof(struct vpci_common) == 56, "part of the protocol");

struct vpci {
	struct vpci_common *common;
	uint8_t *notify, *device;
	uint32_t notify_len, device_len, multiplier;
	uint64_t features; /* negotiated */
};

/* Where a queue lies, as the device addresses it. */
struct vpci_place {
	uint16_t size;
	uint64_t desc, avail, used;
	uint16_t vector; /* MSI-X vector it reports with, VPCI_NO_VECTOR = none */
};

/* regions: where the BARs they lie in are mapped, region.off bytes further are the registers. */
void vpci_init(struct vpci *vpci, const struct pci_virtio *virtio, uint8_t *const bars[PCI_BARS]);

/* Asks for a reset; true when it is done: the device has let go of all memory. Ask again until then. */
bool vpci_reset(struct vpci *vpci);

/* Takes of `wanted` what the device offers, and VERSION_1. remapped: the device is behind an IOMMU, so
 * it must also understand that addresses are not physical (ACCESS_PLATFORM). NULL or why not. */
const char *vpci_negotiate(struct vpci *vpci, uint64_t wanted, bool remapped)
	__attribute__((warn_unused_result));

/* Largest size the device takes for this queue, 0 = there is no such queue. */
uint16_t vpci_queue_max(struct vpci *vpci, uint16_t queue);

/* Sets a queue up and enables it. *doorbell is for vpci_kick. NULL or why not. */
const char *vpci_queue(struct vpci *vpci, uint16_t queue, const struct vpci_place *place,
		       uint16_t **doorbell) __attribute__((warn_unused_result));

void vpci_driver_ok(struct vpci *vpci);
void vpci_kick(uint16_t *doorbell, uint16_t queue);

/* Has the device given up (NEEDS_RESET), or gone away (all ones)? */
bool vpci_broken(const struct vpci *vpci);

/* A consistent copy of `count` words of the class's configuration from off, a multiple of 4. False: they
 * lie outside, or the device never holds still. */
bool vpci_config(const struct vpci *vpci, uint32_t off, uint32_t *words, unsigned count)
	__attribute__((warn_unused_result));

#endif
