/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/call.h - the bare hypercall and what every stub needs: the calling vCPU's own VCS page.
 *
 * ABI "Calling convention": number in rax, arguments in rdi rsi rdx r10 r8 r9, result in rax
 * (negative = -PV_E*), rcx and r11 clobbered. Everything in pv/ returns that result unchanged.
 *
 * Domains that use libpv run with the virtual interrupt flag clear for ever and register no entry
 * points: nothing is ever delivered, events are taken from pend[] by pv/event.h, and so the batch
 * area of the VCS is always the caller's. An exception stops the domain.
 */
#ifndef PV_CALL_H
#define PV_CALL_H

#include <pv/abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t pv_handle_t; /* into the own capability table; PV_SELF = own domain */
typedef uint64_t pv_gfn_t;    /* guest frame number: guest-physical address >> PV_PAGE_SHIFT */
typedef uint64_t pv_port_t;   /* number of an event port in its domain */
typedef uint64_t pv_ns_t;     /* system time, nanoseconds since boot */

#define PV_PAGE_SIZE (1ul << PV_PAGE_SHIFT)

#define pv_call0(nr) pv_call(nr, 0, 0, 0, 0, 0, 0)
#define pv_call1(nr, a) pv_call(nr, a, 0, 0, 0, 0, 0)
#define pv_call2(nr, a, b) pv_call(nr, a, b, 0, 0, 0, 0)
#define pv_call3(nr, a, b, c) pv_call(nr, a, b, c, 0, 0, 0)
#define pv_call4(nr, a, b, c, d) pv_call(nr, a, b, c, d, 0, 0)
#define pv_call5(nr, a, b, c, d, e) pv_call(nr, a, b, c, d, e, 0)
#define pv_call6(nr, a, b, c, d, e, f) pv_call(nr, a, b, c, d, e, f)

static inline int64_t pv_call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			      uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* Is there more to do? The pause is for whoever has to do something first, on another CPU. */
static inline bool pv_again(int64_t result)
{
	if (result != -PV_EAGAIN)
		return false;
	__builtin_ia32_pause();
	return true;
}

/* What a vCPU's kernel gs base points to; made by the start code, by pv_vcpu_spawn() for others. */
struct pv_cpu {
	struct pv_cpu *self;
	struct pv_vcs *vcs;
};

static inline struct pv_vcs *pv_vcs(void)
{
	struct pv_vcs *vcs;

	__asm__ volatile("mov %%gs:%c1, %0" : "=r"(vcs) : "i"(offsetof(struct pv_cpu, vcs)));
	return vcs;
}

/* Arguments and results of more than six words. Good until the next hypercall that uses it. */
static inline void *pv_batch(void)
{
	return pv_vcs()->batch;
}

/* "EINVAL" and so on for a result; "ok" for one that is not negative. */
const char *pv_strerror(int64_t result);

#endif
