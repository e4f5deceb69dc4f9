/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.c - reads the clock parameters under their sequence number and the TSC.
 */
#include <pv/clock.h>

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	/* lfence: the TSC must not be read before the parameters it is combined with */
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* Pairs with the kernel's writer: odd while it writes, parameters between two equal even values. */
static void read_clock(struct pv_clock *out, uint64_t *tsc)
{
	const volatile struct pv_clock *clock = &pv_vcs()->clock;
	uint32_t seq;

	do {
		do {
			seq = __atomic_load_n(&clock->seq, __ATOMIC_ACQUIRE);
		} while (seq & 1);
		*out = *clock;
		*tsc = read_tsc();
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&clock->seq, __ATOMIC_RELAXED) != seq);
}

pv_ns_t pv_clock_ns(void)
{
	struct pv_clock clock;
	uint64_t tsc;

	read_clock(&clock, &tsc);
	return pv_clock_scale(&clock, tsc);
}

void pv_clock_wall(uint64_t *sec, uint32_t *nsec)
{
	struct pv_clock clock;
	uint64_t tsc, ns;

	read_clock(&clock, &tsc);
	ns = pv_clock_scale(&clock, tsc) + clock.wall_nsec;
	*sec = clock.wall_sec + ns / PV_NSEC_PER_SEC;
	*nsec = (uint32_t)(ns % PV_NSEC_PER_SEC);
}
