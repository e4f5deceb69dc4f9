/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vcpu.h - one virtual CPU. Assembly uses the first part by offset (vcpu_offsets are asserted in
 * vcpu.c); a trap from the guest is pushed by the CPU straight into regs.
 *
 * Written only by the CPU that runs the vCPU, except the fields marked (any).
 */
#ifndef RF_VCPU_H
#define RF_VCPU_H

#include <pv/abi.h>

#include "domain.h"
#include "regs.h"
#include "types.h"

enum vcpu_mode { MODE_KERNEL = 0, MODE_USER = 1 };
enum vcpu_state { VCPU_STOPPED, VCPU_RUNNABLE, VCPU_RUNNING, VCPU_BLOCKED };

/* exit_work bits: something to do before the guest runs on. Set with atomic or, by (any). */
#define WORK_EVENTS 0x1u /* look at pend[] */
#define WORK_RESCHED 0x2u
#define WORK_STOP 0x4u	/* STOP, PAUSE, shutdown: leave the CPU */

struct vcpu {
	struct cpu_regs regs; /* offset 0: TSS.rsp0 points at its end */
	struct pv_vcs *vcs;   /* registered page through the direct map, or no_vcs: a page of zeros
			       * private to the vCPU so that assembly needs no test */
	u32 mode;	      /* enum vcpu_mode */
	u32 exit_work;	      /* (any) */
	u64 kernel_cr3;	      /* roots of the current address space; equal in explicit domains */
	u64 user_cr3;
	u64 user_entry, kernel_entry, syscall_entry, eretu, erets; /* 0 = not set */
	u64 kernel_gs;	      /* gs base in guest kernel mode */

	u64 user_gs;	      /* gs base in guest user mode while not running there without VCS */
	u64 fs_base;	      /* saved at switch; live in hardware while running */
	u64 gs_base;	      /* of the current mode, saved at switch */
	u16 ds, es, fs, gs;   /* selectors, saved at switch */
	u64 dr[4], dr6, dr7;
	u64 tls[3], cpunode, tsc_aux;
	void *xsave;	      /* 64-byte aligned area in the vCPU's own page */
	u64 cr4_tsd;	      /* spare */

	struct domain *dom;
	u32 index;
	struct aspace *as;
	gfn_t vcs_gfn;
	mfn_t vcs_mfn; /* pinned; 0 = none */

	/* scheduling (sched.c); guarded by the run queue lock of cpu */
	u32 state; /* enum vcpu_state, (any) reads */
	u32 cpu;   /* where it runs, is queued or last ran */
	bool kicked; /* (any) a KICK or event arrived: the next WAIT returns at once */
	u64 vruntime;
	struct vcpu *rq_next, *rq_prev;
	u64 run_ns, steal_ns, since_ns, switches;
	u64 cap_used_ns, cap_window_ns;
	u64 wait_deadline;  /* of a WAIT; PV_FOREVER = none */
	u64 timer_deadline; /* of TIMER_SET; PV_FOREVER = none */
	struct vcpu *timer_next; /* per-CPU timer list (timer.c) */
};

/* ---- vcpu.c (core) ---- */
warn_unused_result int vcpu_create(struct domain *dom, u32 index);
void vcpu_destroy(struct vcpu *v); /* stopped, unlinked, epoch passed */
int vcpu_start(struct vcpu *v);
/* Asks it to stop and waits until it does not run (never for the caller itself: then it stops at exit). */
void vcpu_stop_sync(struct vcpu *v);

/* ---- events (arch/x86_64/event.c) ---- */
/* Posts a pend[] vector, from any CPU, and wakes or kicks the vCPU. Takes no lock of the domain. */
void vcpu_post(struct vcpu *v, u32 vector);
/* Sets port bit + port_sel + PV_VEC_PORTS unless masked. Returns true if it was pending already. */
bool vcpu_post_port(struct vcpu *v, u32 port);
bool vcpu_pending(const struct vcpu *v);
/* Synchronous event for the running vCPU: frame is written, entry address set. Stops the domain if
 * it has no entry, or if the kernel frame is busy. */
void event_inject(struct vcpu *v, u64 vector, u64 error);
void event_inject_pf(struct vcpu *v, vaddr_t cr2, u64 error);
/* Exit check: delivers PV_VEC_IRQ or sets IP. */
void event_check(struct vcpu *v);

/* ---- arch/x86_64: state switching and the calls that are the processor's ---- */
void arch_vcpu_init(struct vcpu *v);
void arch_vcpu_switch(struct vcpu *from, struct vcpu *to); /* either may be NULL (idle) */
i64 arch_vcpu_set_vcs(struct vcpu *v, gfn_t gfn);
i64 arch_vcpu_set_entry(struct vcpu *v, const struct pv_entry *entry);
i64 arch_vcpu_set_kernel_gs(struct vcpu *v, u64 base);
i64 arch_vcpu_get_gpr(struct vcpu *v, struct pv_vcpu_gpr *out);
i64 arch_vcpu_set_gpr(struct vcpu *v, const struct pv_vcpu_gpr *in);
i64 arch_seg_ctl(struct vcpu *v, u64 op, u64 a, u64 b, u64 c);
i64 arch_debug_reg(struct vcpu *v, u64 op, u64 n, u64 value);
i64 arch_msr(struct vcpu *v, u64 op, u64 index, u64 value);
void arch_cpuid(struct vcpu *v, u32 leaf, u32 subleaf, struct pv_cpuid *out);
u64 arch_xcr0(void);
void arch_set_ioports(struct domain *dom); /* the running CPU's bitmap follows dom->ioports at switch */

static inline void *vcpu_batch(struct vcpu *v) /* NULL without a VCS */
{
	return v->vcs_mfn ? v->vcs->batch : NULL;
}

#endif
