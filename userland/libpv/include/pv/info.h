/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/info.h - facts about the kernel and the processor; text for the kernel log.
 * ABI: INFO (0), CONSOLE_WRITE (1), CPUID (23).
 */
#ifndef PV_INFO_H
#define PV_INFO_H

#include <pv/call.h>
#include <string.h>

/* ABI version, major << 16 | minor. Cannot fail. */
static inline int64_t pv_info_version(void)
{
	return pv_call2(PV_HC_INFO, PV_INFO_VERSION, 0);
}

/* PV_FEAT_* bits. Cannot fail. */
static inline int64_t pv_info_features(void)
{
	return pv_call2(PV_HC_INFO, PV_INFO_FEATURES, 0);
}

/* The machine and the caller's number. ESTATE: no VCS registered. */
static inline int64_t pv_info_system(struct pv_info_system *out)
{
	int64_t r = pv_call2(PV_HC_INFO, PV_INFO_SYSTEM, 0);

	if (r >= 0)
		memcpy(out, pv_batch(), sizeof(*out));
	return r;
}

/* Kernel counters. host: PV_RIGHT_HOST_TRACE. ECAP, EPERM, ESTATE. */
static inline int64_t pv_info_counters(pv_handle_t host, struct pv_counters *out)
{
	int64_t r = pv_call2(PV_HC_INFO, PV_INFO_COUNTERS, host);

	if (r >= 0)
		memcpy(out, pv_batch(), sizeof(*out));
	return r;
}

/*
 * Appends len bytes (1..PV_CONSOLE_MAX) of text to the kernel log under the domain's name.
 * Result: how many were taken, at least 1. EINVAL: length; EAGAIN: the domain is over its rate, try again later.
 */
static inline int64_t pv_console_write(const void *text, size_t len)
{
	if (len <= PV_CONSOLE_MAX)
		memcpy(pv_batch(), text, len);
	return pv_call1(PV_HC_CONSOLE_WRITE, len);
}

/* The processor as the ABI shows it (32-bit leaf and subleaf). ERANGE: wider arguments. */
static inline int64_t pv_cpuid(uint64_t leaf, uint64_t subleaf, struct pv_cpuid *out)
{
	int64_t r = pv_call2(PV_HC_CPUID, leaf, subleaf);

	if (r >= 0)
		memcpy(out, pv_batch(), sizeof(*out));
	return r;
}

#endif
