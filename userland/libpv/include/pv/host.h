/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/host.h - the machine: power, log, interrupts, I/O ports, trace. ABI: HOST_CTL (25).
 */
#ifndef PV_HOST_H
#define PV_HOST_H

#include <pv/call.h>
#include <string.h>

#define PV_LOG_READ_MAX 2040u
#define PV_TRACE_EVENT_SIZE 32u

/* Powers the machine off; code 0..127 goes to an emulator that listens. PV_RIGHT_HOST_POWER. */
static inline int64_t pv_host_poweroff(pv_handle_t host, uint64_t code)
{
	return pv_call5(PV_HC_HOST_CTL, PV_HOST_CTL_POWEROFF, host, code, 0, 0);
}

/* Restarts the machine. PV_RIGHT_HOST_POWER. */
static inline int64_t pv_host_reboot(pv_handle_t host)
{
	return pv_call5(PV_HC_HOST_CTL, PV_HOST_CTL_REBOOT, host, 0, 0, 0);
}

/*
 * Up to len (1..PV_LOG_READ_MAX) bytes of the kernel log from *pos, which moves on; a position too
 * old starts at the oldest text. PV_RIGHT_HOST_LOG. Result: bytes, 0 = nothing new.
 */
static inline int64_t pv_host_log_read(pv_handle_t host, uint64_t *pos, void *text, size_t len)
{
	int64_t r = pv_call5(PV_HC_HOST_CTL, PV_HOST_CTL_LOG_READ, host, *pos, len, 0);

	if (r >= 0) {
		memcpy(pos, pv_batch(), sizeof(*pos));
		memcpy(text, (uint8_t *)pv_batch() + sizeof(*pos), (size_t)r);
	}
	return r;
}

/* len bytes (1..PV_CONSOLE_MAX) to the kernel log as they are. PV_RIGHT_HOST_LOG. */
static inline int64_t pv_host_log_write(pv_handle_t host, const void *text, size_t len)
{
	if (len <= PV_CONSOLE_MAX)
		memcpy(pv_batch(), text, len);
	return pv_call5(PV_HC_HOST_CTL, PV_HOST_CTL_LOG_WRITE, host, len, 0, 0);
}

/* Result: the interrupt capability of a line. EBUSY: there is one already. PV_RIGHT_HOST_DEV. */
static inline int64_t pv_host_irq_cap(pv_handle_t host, uint64_t line)
{
	return pv_call5(PV_HC_HOST_CTL, PV_HOST_CTL_IRQ_CAP, host, line, 0, 0);
}

/* Lets dom use I/O ports first..first+count-1 (count <= 64). EBUSY, ENOSPC. PV_RIGHT_HOST_DEV. */
static inline int64_t pv_host_ioports(pv_handle_t host, pv_handle_t dom, uint64_t first,
				      uint64_t count)
{
	return pv_call5(PV_HC_HOST_CTL, PV_HOST_CTL_IOPORTS, host, dom, first, count);
}

/* The newest trace events of a CPU, oldest first, in the batch area. Result: how many. */
static inline int64_t pv_host_trace_read(pv_handle_t host, uint64_t cpu)
{
	return pv_call5(PV_HC_HOST_CTL, PV_HOST_CTL_TRACE_READ, host, cpu, 0, 0);
}

#endif
