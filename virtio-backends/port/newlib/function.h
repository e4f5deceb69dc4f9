/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * function.h - a virtio function of this domain, made ready for its driver: registers mapped, interrupt bound
 * to a port, device reset, and the memory it may reach.
 */
#ifndef VIRTIO_PORT_NEWLIB_FUNCTION_H
#define VIRTIO_PORT_NEWLIB_FUNCTION_H

#include <pci/vpci.h>
#include <pv/libpv.h>

#include "pcidev.h"

#define FUNCTION_VECTOR 0u /* the MSI-X vector that is bound */

struct function {
	pv_handle_t dev;
	uint32_t bdf;
	struct pv_dev_info info;
	struct pci_config config;
	uint8_t *bars[PCI_BARS];
	struct vpci vpci;
	pv_port_t irq;
	uint8_t *arena; /* page i is at bus[i] for the device */
	unsigned pages;
	bool remapped; /* behind an IOMMU */
};

/*
 * The domain's index-th function; the first `most` pages of its memory at most, whose addresses go to bus.
 * Whatever a predecessor left in flight is over. NULL, or what is wrong: a sentence about the device.
 */
const char *function_open(struct function *fn, unsigned index, uint64_t *bus, unsigned most,
			  pv_event_fn on_irq, void *arg) __attribute__((warn_unused_result));

/* Says it in the log, with the function's address. */
void function_say(const struct function *fn, const char *kind, const char *what);

#endif
