/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hc.h - hypercalls without a safety net. The tests must be able to pass any number and any
 * argument, so they do not go through libpv, which only passes right ones.
 *
 * HC(NAME, args...) calls PV_HC_NAME, OP(NAME, OP, args...) puts PV_NAME_OP in front of the
 * arguments; arguments left out are 0.
 */
#ifndef ABI_HC_H
#define ABI_HC_H

#include <pv/abi.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

static inline i64 hc_call(u64 nr, const u64 *a)
{
	register u64 r10 __asm__("r10") = a[3];
	register u64 r8 __asm__("r8") = a[4];
	register u64 r9 __asm__("r9") = a[5];
	u64 ret = nr;

	__asm__ volatile("syscall"
			 : "+a"(ret)
			 : "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return (i64)ret;
}

/* The same, noted in the record of what a run has shown (record.h). */
i64 hc_noted(u64 nr, const u64 *a);

#define HC_NR(nr, ...) hc_noted((nr), (const u64[6]){ __VA_ARGS__ })
#define HC(name, ...) HC_NR(PV_HC_##name, ##__VA_ARGS__)
#define OP(name, op, ...) HC_NR(PV_HC_##name, PV_##name##_##op, ##__VA_ARGS__)

#endif
