/* SPDX-License-Identifier: BSD-2-Clause */
/* seed.c - random bytes for every domain from the 32 the kernel gave init. */
#include "init.h"

#include <random.h>

void seed_fill(uint8_t out[32])
{
	static struct random random;
	static bool ready;

	if (!ready)
		random_init(&random, pv_start_info->seed);
	ready = true;
	random_fill(&random, out, 32);
}
