/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fakebus.h - the memory that a device of a test reaches: an arena whose pages lie apart on the bus, and the device's
 * way to it, which ends the test where an address is not the arena's.
 */
#ifndef VIRTIO_FAKEBUS_H
#define VIRTIO_FAKEBUS_H

#include <stdint.h>

/* A zeroed arena of these pages; where each is on the bus goes to `bus`, which stays the caller's. */
uint8_t *fakebus_begin(uint64_t *bus, unsigned pages);
void fakebus_end(void);

/* len bytes at an address of the bus, which must lie in one page of the arena. */
void *dma(uint64_t at, uint64_t len);

#endif
