/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * whole.h - the whole core on the machine of host.h: real dispatcher, scheduler, timers. One thread plays all
 * CPUs; who runs next is said by hand, the scheduler does it.
 *
 * An interrupt is taken when its CPU is outside the kernel and the CPU at work either waits for it
 * (cpu_relax) or has finished (whole_settle). So every call ends in a quiet machine.
 */
#ifndef RF_WHOLE_H
#define RF_WHOLE_H

#include "domain.h"
#include "types.h"

struct vcpu;

/* A machine that has just started its root domain: explicit, vCPU 0 running with frames 0 to 15, frame 0
 * as its VCS, frame 1 as port page, and the host capability. Once per process. */
struct domain *whole_start(u64 ram_bytes, u32 ncpus);
extern u64 whole_host_handle; /* of the root domain */

/* Puts v on a CPU, which this thread plays from now on; false if v may not run. */
bool whole_run(struct vcpu *v);

#define WHOLE_OFF INT64_MIN /* the machine was switched off: nothing may be called any more */
/* A hypercall of v, which runs: result as in rax, even if v does not run any more. */
i64 whole_call(struct vcpu *v, u64 nr, const u64 args[6]);

/* Ends a domain to which nobody may hold a capability any more; the root domain's vCPU 0 runs. */
void whole_destroy(struct domain_ref ref);

void whole_settle(void); /* until no CPU has an interrupt to take */
void whole_time(u64 ns); /* the clock jumps forward, timers fire */
void whole_interrupt(u32 line); /* a device asserts it */
bool whole_line_open(u32 line); /* routed and not masked */
extern u16 host_uart_port;	/* of the serial line found at boot, 0: none */

#endif
