/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzzinput.h - a fuzzer's input taken byte by byte, and what must hold whatever it is. */
#ifndef FIREWALL_FUZZINPUT_H
#define FIREWALL_FUZZINPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern size_t left; /* bytes not taken yet */

void input_begin(const uint8_t *data, size_t size);

/* The next n bytes as a number, the highest first; zeroes behind the end. */
uint32_t take(unsigned n);

/* abort() if not. */
void insist(bool ok);

#endif
