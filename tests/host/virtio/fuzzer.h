/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzzer.h - what the fuzzers of virtio-backends share: the input as a row of numbers, a clock, and the
 * change of shared memory at a chosen read.
 */
#ifndef VIRTIO_FUZZER_H
#define VIRTIO_FUZZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern size_t left;	/* bytes of the input not taken yet */
extern uint64_t now_ns; /* what fuzz_now() says */

/* The change at a read: when `countdown` reads have passed; 0 = none. */
extern unsigned countdown;
extern uint8_t *change_at;
extern uint32_t change_to;

#define insist(ok) insist_at(ok, __FILE__, __LINE__)
void insist_at(bool ok, const char *file, int line);

void fuzz_begin(const uint8_t *data, size_t size);

/* The next number of the input; zeros when it has ended. */
uint32_t take(unsigned bytes);

/* For struct port. */
uint64_t fuzz_now(void *self);
void fuzz_log(void *self, const char *line);

#endif
