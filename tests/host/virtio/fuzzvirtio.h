/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzzvirtio.h - the registers of a virtio function that does what a fuzzer's input says (fuzzfn.h). */
#ifndef VIRTIO_FUZZVIRTIO_H
#define VIRTIO_FUZZVIRTIO_H

#include <pci/vpci.h>

#include "fuzzfn.h"

struct fuzzvirtio_registers {
	struct vpci_common common;
	uint8_t device[64], notify[64];
};

extern struct fuzzvirtio_registers registers;

/* A fresh device with these queues, found and reset. */
void fuzzvirtio_plug(struct vpci *vpci, uint16_t queues, uint16_t queue_size);
/* It is pulled out: from now on it reads as ones, and the input is at its end. */
void fuzzvirtio_pull(void);

#endif
