/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/clock.h - time without a hypercall, from the VCS's clock page. ABI: struct clock.
 */
#ifndef PV_CLOCK_H
#define PV_CLOCK_H

#include <pv/call.h>

#define PV_NSEC_PER_SEC 1000000000ull
#define PV_NSEC_PER_MSEC 1000000ull

/* System time: nanoseconds since boot, never backwards. */
pv_ns_t pv_clock_ns(void);

/* Wall clock: seconds and nanoseconds since 1970. */
void pv_clock_wall(uint64_t *sec, uint32_t *nsec);

/* The arithmetic, for tests: system time at TSC value tsc. */
static inline pv_ns_t pv_clock_scale(const struct pv_clock *clock, uint64_t tsc)
{
	uint64_t delta = tsc - clock->tsc0;

	delta = clock->shift >= 0 ? delta << clock->shift : delta >> -clock->shift;
	return clock->ns0 + (uint64_t)(((unsigned __int128)delta * clock->mul) >> 32);
}

#endif
