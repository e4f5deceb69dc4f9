/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest.h - the guest's registers that live in the processor, for a processor that is not there. Stands in for
 * the file of the same name of x86_64.
 */
#ifndef RF_GUEST_H
#define RF_GUEST_H

#include "cpu.h"
#include "guest_state.h"

extern u64 host_gs_base[MAX_CPUS];

static inline u64 guest_gs_read(void)
{
	return host_gs_base[this_cpu()->id];
}

static inline void guest_gs_write(u64 base)
{
	host_gs_base[this_cpu()->id] = base;
}

#endif
