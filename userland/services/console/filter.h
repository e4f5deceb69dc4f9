/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.h - removes terminal control from a guest's output before it is shown among others' lines:
 * a guest must not move the cursor, set titles, answer-back or hide text in somebody else's line.
 * Printable ASCII, tab, newline and well-formed UTF-8 (C1 controls excepted) pass.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stddef.h>
#include <stdint.h>

#define FILTER_OUT_MAX 4

struct filter {
	uint8_t state;
	uint8_t have;	/* bytes of an unfinished UTF-8 sequence */
	uint8_t want;	/* its length */
	uint8_t seq[4];
};

/* Takes one byte; returns how many bytes (0..FILTER_OUT_MAX) of out are to be shown. */
size_t filter_byte(struct filter *filter, uint8_t byte, uint8_t out[FILTER_OUT_MAX]);

#endif
