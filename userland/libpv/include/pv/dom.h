/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/dom.h - life of domains, their vCPUs and their share of the processors.
 * ABI: DOM_CREATE (3), DOM_CTL (4), VCPU_CTL (5), VCPU_REGS (6), SCHED_CTL (24).
 */
#ifndef PV_DOM_H
#define PV_DOM_H

#include <pv/call.h>
#include <string.h>

/*
 * Creates a domain; host: PV_RIGHT_HOST_CREATE. Result: a handle with PV_RIGHT_DOM_ALL.
 * args: see struct pv_dom_create; mem_pages + kmem_pages leave the caller's quota.
 * EINVAL/ERANGE: a field; ECAP, EPERM; ENOSPC: too many domains; ENOMEM: own quota.
 */
static inline int64_t pv_dom_create(pv_handle_t host, const struct pv_dom_create *args)
{
	memcpy(pv_batch(), args, sizeof(*args));
	return pv_call1(PV_HC_DOM_CREATE, host);
}

/* Adds one to the pause count; afterwards no vCPU of it runs. Not PV_SELF. PV_RIGHT_DOM_CTL. */
static inline int64_t pv_dom_pause(pv_handle_t dom)
{
	return pv_call3(PV_HC_DOM_CTL, PV_DOM_CTL_PAUSE, dom, 0);
}

/* Takes one from the pause count, or starts a built domain. ESTATE: neither paused nor built. */
static inline int64_t pv_dom_unpause(pv_handle_t dom)
{
	return pv_call3(PV_HC_DOM_CTL, PV_DOM_CTL_UNPAUSE, dom, 0);
}

/* One bounded step of destroying it: EAGAIN until done. Not PV_SELF. PV_RIGHT_DOM_CTL. */
static inline int64_t pv_dom_destroy_step(pv_handle_t dom)
{
	return pv_call3(PV_HC_DOM_CTL, PV_DOM_CTL_DESTROY, dom, 0);
}

/* Destroys it whole. The handle is stale afterwards. */
static inline int64_t pv_dom_destroy(pv_handle_t dom)
{
	int64_t r;

	do {
		r = pv_dom_destroy_step(dom);
	} while (pv_again(r));
	return r;
}

/* Name, state, why it stopped, quotas, use. PV_RIGHT_DOM_STATUS. */
static inline int64_t pv_dom_status(pv_handle_t dom, struct pv_dom_status *out)
{
	int64_t r = pv_call3(PV_HC_DOM_CTL, PV_DOM_CTL_STATUS, dom, 0);

	if (r >= 0)
		memcpy(out, pv_batch(), sizeof(*out));
	return r;
}

/* Stops the calling domain: reason PV_REASON_POWEROFF, REBOOT, PANIC or HALT; code for whoever asks. */
static inline __attribute__((noreturn)) void pv_dom_shutdown(uint32_t reason, uint32_t code)
{
	for (;;)
		pv_call3(PV_HC_DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF,
			 (uint64_t)reason << 32 | code);
}

/* Makes vCPU number vcpu, stopped. EEXIST, ERANGE, ENOMEM (kernel memory). */
static inline int64_t pv_vcpu_create(pv_handle_t dom, uint64_t vcpu)
{
	return pv_call4(PV_HC_VCPU_CTL, PV_VCPU_CTL_CREATE, dom, vcpu, 0);
}

/* Runs a stopped vCPU from its registers. ESTATE unless stopped; ENOENT. */
static inline int64_t pv_vcpu_start(pv_handle_t dom, uint64_t vcpu)
{
	return pv_call4(PV_HC_VCPU_CTL, PV_VCPU_CTL_START, dom, vcpu, 0);
}

/* Stops it; afterwards it does not run. On the caller's own vCPU: returns after a later start. */
static inline int64_t pv_vcpu_stop(pv_handle_t dom, uint64_t vcpu)
{
	return pv_call4(PV_HC_VCPU_CTL, PV_VCPU_CTL_STOP, dom, vcpu, 0);
}

/* Ends its WAIT, or the next one. ENOENT. */
static inline int64_t pv_vcpu_kick(pv_handle_t dom, uint64_t vcpu)
{
	return pv_call4(PV_HC_VCPU_CTL, PV_VCPU_CTL_KICK, dom, vcpu, 0);
}

/* State and times of a vCPU. ENOENT. */
static inline int64_t pv_vcpu_status(pv_handle_t dom, uint64_t vcpu, struct pv_runstate *out)
{
	int64_t r = pv_call4(PV_HC_VCPU_CTL, PV_VCPU_CTL_STATUS, dom, vcpu, 0);

	if (r >= 0)
		memcpy(out, pv_batch(), sizeof(*out));
	return r;
}

/* Gives up the rest of the slice. */
static inline int64_t pv_yield(void)
{
	return pv_call4(PV_HC_VCPU_CTL, PV_VCPU_CTL_YIELD, PV_SELF, 0, 0);
}

/* Registers of a stopped vCPU. ESTATE: it is not stopped and its domain runs; ENOENT. */
static inline int64_t pv_vcpu_get_regs(pv_handle_t dom, uint64_t vcpu, struct pv_vcpu_gpr *out)
{
	int64_t r = pv_call3(PV_HC_VCPU_REGS, PV_VCPU_REGS_GET, dom, vcpu);

	if (r >= 0)
		memcpy(out, pv_batch(), sizeof(*out));
	return r;
}

/* Writes all registers or none. EINVAL: a value no vCPU may have. */
static inline int64_t pv_vcpu_set_regs(pv_handle_t dom, uint64_t vcpu, const struct pv_vcpu_gpr *regs)
{
	memcpy(pv_batch(), regs, sizeof(*regs));
	return pv_call3(PV_HC_VCPU_REGS, PV_VCPU_REGS_SET, dom, vcpu);
}

/* Share of CPU time relative to others, 1..65535 (ERANGE). PV_RIGHT_DOM_CTL. */
static inline int64_t pv_sched_set_weight(pv_handle_t dom, uint64_t weight)
{
	return pv_call3(PV_HC_SCHED_CTL, PV_SCHED_CTL_SET_WEIGHT, dom, weight);
}

/* Upper limit in percent of one CPU; 0 = none; at most 100 per CPU (ERANGE). PV_RIGHT_DOM_CTL. */
static inline int64_t pv_sched_set_cap(pv_handle_t dom, uint64_t percent)
{
	return pv_call3(PV_HC_SCHED_CTL, PV_SCHED_CTL_SET_CAP, dom, percent);
}

/* CPUs it may run on, a mask; 0 = all. ERANGE: none of them exists. PV_RIGHT_DOM_CTL. */
static inline int64_t pv_sched_set_affinity(pv_handle_t dom, uint64_t mask)
{
	return pv_call3(PV_HC_SCHED_CTL, PV_SCHED_CTL_SET_AFFINITY, dom, mask);
}

#endif
