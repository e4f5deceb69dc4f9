/* SPDX-License-Identifier: BSD-2-Clause */
/* sums.h - the Internet's checksum as the tests count it: a plain loop that shares no code with the firewall. */
#ifndef FIREWALL_SUMS_H
#define FIREWALL_SUMS_H

#include <stdint.h>

/* The sum so far with these bytes; one over a right packet is 0xffff. */
uint32_t add(uint32_t sum, const uint8_t *bytes, unsigned len);

#endif
