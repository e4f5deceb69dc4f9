/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * function.h - a PCI function of this domain, made ready for its driver:
 *
 *	function_find -> what it is -> function_map, or function_virtio -> the driver resets it -> function_arm
 *
 * It gets the bus last, so that whatever a predecessor left in flight is over by then. All return NULL, or what is
 * wrong: a sentence about the device.
 */
#ifndef VIRTIO_PORT_NEWLIB_FUNCTION_H
#define VIRTIO_PORT_NEWLIB_FUNCTION_H

#include <pci/arena.h>
#include <pci/kind.h>
#include <pci/vpci.h>
#include <pv/libpv.h>

#include "pcidev.h"

#define FUNCTION_VECTOR 0u /* of MSI-X or MSI: the one that is bound */

struct function {
	pv_handle_t dev;
	const struct pv_start_device *given;
	unsigned index;
	uint32_t bdf;
	enum pci_kind kind;
	struct pv_dev_info info;
	struct pci_config config;
	uint8_t *bars[PCI_BARS];
	struct vpci vpci; /* of a virtio function */
	pv_port_t irq;
	struct pci_arena arena; /* once it is armed */
	bool remapped; /* behind an IOMMU */
};

/* The domain's index-th function: its registers are switched on, and it is known what it is. */
const char *function_find(struct function *fn, unsigned index) __attribute__((warn_unused_result));

/* The pages a region lies on appear at bars[]; others of the BAR may not be ours to map. */
const char *function_map(struct function *fn, const struct pci_region *region)
	__attribute__((warn_unused_result));

/* Registers of a virtio function are mapped (vpci), and it is reset. */
const char *function_virtio(struct function *fn) __attribute__((warn_unused_result));

/* Interrupt, memory and the bus. The arena is the first `most` pages of its memory; bus, which holds
 * their addresses, stays the caller's. */
const char *function_arm(struct function *fn, uint64_t *bus, unsigned most, pv_event_fn on_irq, void *arg)
	__attribute__((warn_unused_result));

/* No driver of this domain is for it: says so in `text`, which it returns. */
const char *function_stranger(const struct function *fn, const char *kind, char *text, size_t size);

/* Asks every millisecond, for `ms` of them. False: it did not come true. */
bool function_wait(bool (*ask)(void *self), void *self, uint32_t ms) __attribute__((warn_unused_result));

/* Says it in the log, with the function's address. */
void function_say(const struct function *fn, const char *kind, const char *what);

#endif
