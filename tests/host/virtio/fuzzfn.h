/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzzfn.h - a function on the PCI bus that does what a fuzzer's input says: its registers answer something
 * else than was written now and then, and the memory it reaches changes between two looks. Which registers it has
 * (fuzzvirtio.h), and what it does with its queues, is each fuzzer's own.
 */
#ifndef VIRTIO_FUZZFN_H
#define VIRTIO_FUZZFN_H

#include <stddef.h>
#include <stdint.h>

#define FUZZFN_BASE 0x100000000ull /* where the device sees its memory */
#define FUZZFN_PAGE 4096u

extern size_t left; /* bytes of the input not taken yet */

/* The fuzzer has them: memory of just the size it gives away, since the sanitizer looks behind it. */
extern uint8_t *const fuzzfn_arena;
extern const size_t fuzzfn_bytes;

uint8_t next(void);
uint32_t next32(void);

/* A new input; where the device sees the pages of the arena. */
void fuzzfn_begin(const uint8_t *data, size_t size, uint64_t *bus);

#endif
