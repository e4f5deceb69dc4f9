/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/vcpu.h - the calling vCPU: set-up, waiting, timer, segments, debug and model-specific registers;
 * address spaces of walked domains. ABI: VCPU_SETUP (7), WAIT (8), TIMER_SET (9), IRQ_WIN (10),
 * AS_LOAD_ROOT (11), AS_FLUSH (12), AS_CTL (13), SEG_CTL (20), DEBUG_REG (21), MSR (22).
 */
#ifndef PV_VCPU_H
#define PV_VCPU_H

#include <pv/call.h>
#include <string.h>

/* Registers an own PRIVATE frame as this vCPU's VCS; a former one is unpinned. EFAULT, EBUSY. */
static inline int64_t pv_setup_vcs(pv_gfn_t gfn)
{
	return pv_call2(PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, gfn);
}

/* Entry points of a guest kernel. EINVAL: an address is not canonical or in the hole. */
static inline int64_t pv_setup_entry(const struct pv_entry *entry)
{
	memcpy(pv_batch(), entry, sizeof(*entry));
	return pv_call2(PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_ENTRY, 0);
}

/* gs base in guest kernel mode, effective at once. libpv uses it for pv_vcs(). EINVAL. */
static inline int64_t pv_setup_kernel_gs(uint64_t base)
{
	return pv_call2(PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_KERNEL_GS, base);
}

/* Registers an own PRIVATE frame as the domain's port page. EBUSY: there is one. */
static inline int64_t pv_setup_port_page(pv_gfn_t gfn)
{
	return pv_call2(PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_PORT_PAGE, gfn);
}

/*
 * Blocks until something is pending in pend[], a kick, or system time `deadline` (0 polls,
 * PV_FOREVER never). flags: PV_WAIT_ENABLE. Result: 0 woken, 1 deadline passed.
 */
static inline int64_t pv_wait(uint64_t flags, pv_ns_t deadline)
{
	return pv_call2(PV_HC_WAIT, flags, deadline);
}

/* Posts PV_VEC_TIMER at system time `deadline`; PV_FOREVER disarms. Cannot fail. */
static inline int64_t pv_timer_set(pv_ns_t deadline)
{
	return pv_call1(PV_HC_TIMER_SET, deadline);
}

/* Delivers what is pending after the virtual IF was set and IP found. ESTATE: no entry points. */
static inline int64_t pv_irq_win(void)
{
	return pv_call0(PV_HC_IRQ_WIN);
}

/* Walked domains: continue in the address space of this root (guest-physical). PV_ROOT_KEEP. */
static inline int64_t pv_as_load_root(uint64_t root, uint64_t flags)
{
	return pv_call2(PV_HC_AS_LOAD_ROOT, root, flags);
}

/* Forgets translations of [start, end); root PV_FOREVER = current. PV_FLUSH_ALL, PV_FLUSH_KERNEL. */
static inline int64_t pv_as_flush(uint64_t root, uint64_t start, uint64_t end, uint64_t flags)
{
	return pv_call4(PV_HC_AS_FLUSH, root, start, end, flags);
}

/* PV_AS_CTL_SET_KERNEL_ROOT, DROP or DESTROY of a walked address space. */
static inline int64_t pv_as_ctl(uint64_t op, uint64_t root)
{
	return pv_call2(PV_HC_AS_CTL, op, root);
}

/* The three TLS descriptors: 0, or present DPL 3 data or 32-bit code (EINVAL). */
static inline int64_t pv_seg_load_tls(uint64_t a, uint64_t b, uint64_t c)
{
	return pv_call4(PV_HC_SEG_CTL, PV_SEG_CTL_LOAD_TLS, a, b, c);
}

/* Loads a selector into user gs. Result: the base it gives. EINVAL: cannot be loaded. */
static inline int64_t pv_seg_load_gs(uint64_t selector)
{
	return pv_call4(PV_HC_SEG_CTL, PV_SEG_CTL_LOAD_GS, selector, 0, 0);
}

/* Descriptor and TSC_AUX that carry node and CPU. */
static inline int64_t pv_seg_set_cpunode(uint64_t descriptor, uint64_t tsc_aux)
{
	return pv_call4(PV_HC_SEG_CTL, PV_SEG_CTL_SET_CPUNODE, descriptor, tsc_aux, 0);
}

/* Debug register n (0..3, 6, 7). Result: its value. ERANGE. */
static inline int64_t pv_debug_read(uint64_t n)
{
	return pv_call3(PV_HC_DEBUG_REG, PV_DEBUG_REG_READ, n, 0);
}

/* EINVAL: a breakpoint in the hole, or DR7.GD. */
static inline int64_t pv_debug_write(uint64_t n, uint64_t value)
{
	return pv_call3(PV_HC_DEBUG_REG, PV_DEBUG_REG_WRITE, n, value);
}

/* ENOENT: reading it would be #GP. */
static inline int64_t pv_msr_read(uint64_t index, uint64_t *value)
{
	int64_t r = pv_call3(PV_HC_MSR, PV_MSR_READ, index, 0);

	if (r >= 0)
		memcpy(value, pv_batch(), sizeof(*value));
	return r;
}

/* ENOENT: writing it would be #GP; EINVAL: the value would. */
static inline int64_t pv_msr_write(uint64_t index, uint64_t value)
{
	return pv_call3(PV_HC_MSR, PV_MSR_WRITE, index, value);
}

/*
 * Starts vCPU `vcpu` of the own domain in fn(arg) with the stack that ends at stack_top (16-byte
 * aligned). cpu and vcs must stay; vcs is a page of its own. fn must not return. newlib is not
 * re-entrant across vCPUs: only one of them may use stdio and malloc.
 */
int64_t pv_vcpu_spawn(uint64_t vcpu, struct pv_cpu *cpu, struct pv_vcs *vcs, void *stack_top,
		      void (*fn)(void *), void *arg);

#endif
