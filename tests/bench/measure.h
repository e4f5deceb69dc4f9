// SPDX-License-Identifier: BSD-2-Clause
/*
 * measure.h - what the programs that are measured in Linux have in common: the end with an error, and an operation
 * repeated between markers, with a line that says which one it was and how many there were of it.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

/* Does `body`, with i from 0 on, `warm` times, then `runs` times `calls` times between markers; one of it is `each`
 * operations. The marker's number is part of the instruction, hence a macro. */
#define MEASURE_RUNS(id, name, runs, warm, calls, each, body)                                      \
	do {                                                                                       \
		for (unsigned i = 0; i < (warm); i++)                                              \
			body;                                                                      \
		for (unsigned run = 0; run < (runs); run++) {                                      \
			START(id);                                                                 \
			for (unsigned i = 0; i < (calls); i++)                                     \
				body;                                                              \
			END(id);                                                                   \
		}                                                                                  \
		printf("BENCH-ID %d %s %u\n", id, name, (unsigned)(calls) * (each));               \
		fflush(stdout);                                                                    \
	} while (0)

static inline void die(const char *what)
{
	printf("BENCH-ERROR %s: %s\n", what, strerror(errno));
	exit(1);
}

#endif
