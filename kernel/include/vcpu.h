/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vcpu.h - one virtual CPU. Assembly uses the first part by offset (vcpu_asm.h); a trap from the guest is pushed by the CPU straight into regs.
 *
 * Written only by the CPU that runs the vCPU, except the fields marked (any).
 */
#ifndef RF_VCPU_H
#define RF_VCPU_H

#include <pv/abi.h>

#include "domain.h"
#include "regs.h"
#include "string.h"
#include "types.h"
#include "vcpu_asm.h"

enum vcpu_mode { MODE_KERNEL = 0, MODE_USER = 1 };
enum vcpu_state { VCPU_STOPPED, VCPU_RUNNABLE, VCPU_RUNNING, VCPU_BLOCKED };

/* exit_work bits: something to do before the guest runs on. Locked operations only, by (any). */
#define WORK_EVENTS 0x1u  /* look at pend[] */
#define WORK_RESCHED 0x2u /* let the scheduler choose again */
#define WORK_STOP 0x4u	  /* STOP, PAUSE, shutdown: leave the CPU */
#define WORK_BLOCK 0x8u	  /* WAIT: leave the CPU until something is pending */
#define WORK_MAIL 0x10u	  /* epoch_start(): this CPU has to pass the door of cpu_enter_guest() */
#define WORK_SLOW 0x80u	  /* sticky: every entry passes through C (vTLB capacity 0, audit, no FSGSBASE, trace) */

/* eretu and erets while not set: no address is equal to it. */
#define ENTRY_NONE 0x5a5a000000000000ull
#define NO_FPU_CPU 0xffffffffu

struct vcpu {
	struct cpu_regs regs; /* offset 0: TSS.rsp0 points at its end */
	struct pv_vcs __guest *vcs; /* registered page through the direct map, or no_vcs */
	u32 mode;	      /* enum vcpu_mode */
	u32 exit_work;	      /* (any) */
	u64 kernel_cr3;	      /* roots of the current address space; equal in explicit domains */
	u64 user_cr3;
	u64 fast_syscall;     /* syscall_entry, or 0: take the path through C */
	u64 kernel_gs;	      /* gs base in guest kernel mode, as registered */
	u64 eretu, erets;     /* ENTRY_NONE = not set */
	u64 hypercalls;
	u64 user_entry, kernel_entry, syscall_entry; /* 0 = not set */

	u64 post[4];	   /* (any) vectors posted and not yet moved to vcs->pend */
	u64 post_port_sel; /* (any) the same for vcs->port_sel */
	struct pv_vcs __guest *no_vcs; /* page of zeros that stands in until SET_VCS: assembly needs no test */

	vaddr_t fault_va;     /* page of the #PF that was injected last; 0: the return from it has been prepared */

	u64 fs_base;	      /* saved at switch; live in hardware while running */
	u64 gs_base;	      /* of the current mode, likewise */
	u16 ds, es, fs, gs;   /* selectors, saved at switch */
	u64 dr[4], dr6, dr7;
	u64 tls[3], cpunode, tsc_aux;
	u64 xcr0;	      /* what the guest set by XSETBV, within arch_xcr0() */
	u32 fpu_cpu;	      /* CPU whose registers hold the saved state too, or NO_FPU_CPU */
	void *xsave;	      /* 64-byte aligned area of XSAVE or FXSAVE in the vCPU's own page */

	struct domain *dom;
	u32 index;
	struct aspace *as;
	gfn_t vcs_gfn;
	mfn_t vcs_mfn; /* pinned; 0 = none */

	/* scheduling (sched.c); guarded by the run queue lock of cpu */
	u32 state; /* enum vcpu_state, (any) reads */
	u32 cpu;   /* where it runs, is queued or last ran */
	bool queued;	     /* on the run queue of cpu */
	bool parked;	     /* RUNNABLE, but its domain is paused or over its cap */
	bool stop_requested; /* (any) VCPU_CTL STOP */
	u32 kicked; /* (any) a KICK arrived: the next WAIT returns at once */
	u64 vruntime;
	struct vcpu *rq_next, *rq_prev;
	u64 run_ns, steal_ns, since_ns, switches;
	u64 wait_deadline;  /* of a WAIT; PV_FOREVER = none */
	u64 timer_deadline; /* of TIMER_SET; PV_FOREVER = none */
	u32 timer_cpu;	    /* whose timer list it is on, or NO_TIMER_CPU */
	u64 timer_key;
	struct vcpu *timer_next, *timer_prev;
};

BUILD_ASSERT(offsetof(struct vcpu, regs) == VCPU_REGS);
BUILD_ASSERT(offsetof(struct vcpu, vcs) == VCPU_VCS);
BUILD_ASSERT(offsetof(struct vcpu, mode) == VCPU_MODE);
BUILD_ASSERT(offsetof(struct vcpu, exit_work) == VCPU_EXIT_WORK);
BUILD_ASSERT(offsetof(struct vcpu, kernel_cr3) == VCPU_KERNEL_CR3);
BUILD_ASSERT(offsetof(struct vcpu, user_cr3) == VCPU_USER_CR3);
BUILD_ASSERT(offsetof(struct vcpu, fast_syscall) == VCPU_FAST_SYSCALL);
BUILD_ASSERT(offsetof(struct vcpu, kernel_gs) == VCPU_KERNEL_GS);
BUILD_ASSERT(offsetof(struct vcpu, eretu) == VCPU_ERETU);
BUILD_ASSERT(offsetof(struct vcpu, erets) == VCPU_ERETS);
BUILD_ASSERT(offsetof(struct vcpu, hypercalls) == VCPU_HYPERCALLS);
BUILD_ASSERT(MODE_USER == VCPU_MODE_USER && MODE_KERNEL == VCPU_MODE_KERNEL);

/* ---- vcpu.c (core): life and the calls that wait ---- */
warn_unused_result int vcpu_create(struct domain *dom, u32 index); /* dom->lock held; -PV_ENOMEM */
void vcpu_destroy(struct vcpu *v); /* at the end of its domain, whose frames are gone, the VCS among them */
int vcpu_start(struct vcpu *v);	   /* -PV_ESTATE unless stopped */
/* Asks it to stop and waits until it does not run; of the caller itself: takes effect at exit. No
 * lock may be held. */
void vcpu_stop_sync(struct vcpu *v);
void vcpu_get_runstate(struct vcpu *v, struct pv_runstate *out);
void vcpu_kick(struct vcpu *v);		 /* VCPU_CTL KICK */
i64 vcpu_wait(struct vcpu *v, u64 flags, u64 deadline_ns); /* WAIT, flags checked by the caller */
i64 vcpu_irq_win(struct vcpu *v);	 /* IRQ_WIN */

/* ---- events (arch/x86_64/event.c) ---- */
/* Posts a pend[] vector, from any CPU, and wakes or kicks the vCPU. Takes no lock of the domain. */
void vcpu_post(struct vcpu *v, u32 vector);
/* Sets port bit + port_sel + PV_VEC_PORTS unless masked. Returns 1 if it was pending already, else 0.
 * Without a registered port page nothing is set and the answer is 0. */
i64 vcpu_post_port(struct vcpu *v, u32 port);
bool vcpu_pending(const struct vcpu *v);
/* Synchronous event for the running vCPU: frame is written, entry address set. Stops the domain if
 * it has no entry, or if the kernel frame is busy. */
void event_inject(struct vcpu *v, u64 vector, u64 error);
void event_inject_pf(struct vcpu *v, vaddr_t cr2, u64 error);
/* Exit check of the running vCPU: moves posts to pend[], delivers PV_VEC_IRQ or sets IP. */
void event_check(struct vcpu *v);

/* ---- arch/x86_64: state switching and the calls that are the processor's ---- */
void arch_guest_init_cpu(void); /* each CPU: entry points */
void __noreturn arch_enter_guest(void); /* into this_cpu()->current; the exit protocol has run */
size_t arch_vcpu_xsave_size(void);
void arch_vcpu_init(struct vcpu *v);
/* Between two vCPUs, or to and from idle (NULL). Loads everything but the registers entry.S
 * restores and the root of `to`; that of the kernel when it is NULL. */
void arch_vcpu_switch(struct vcpu *from, struct vcpu *to);
/* Loads the root of v's mode; last thing before cpu_enter_guest(). */
void arch_vcpu_load_root(const struct vcpu *v);
void arch_vcpu_forget(struct vcpu *v); /* it is going to be freed: no CPU may think its state is loaded */
i64 arch_vcpu_set_vcs(struct vcpu *v, gfn_t gfn);
i64 arch_vcpu_set_entry(struct vcpu *v, const struct pv_entry *entry);
i64 arch_vcpu_set_kernel_gs(struct vcpu *v, u64 base);
i64 arch_vcpu_get_gpr(struct vcpu *v, struct pv_vcpu_gpr *out);
i64 arch_vcpu_set_gpr(struct vcpu *v, const struct pv_vcpu_gpr *in);
i64 arch_seg_ctl(struct vcpu *v, u64 op, u64 a, u64 b, u64 c);
i64 arch_debug_reg(struct vcpu *v, u64 op, u64 n, u64 value);
i64 arch_msr(struct vcpu *v, u64 op, u64 index, u64 value); /* READ: answer in the batch area */
void arch_cpuid(struct vcpu *v, u32 leaf, u32 subleaf, struct pv_cpuid *out);
u64 arch_xcr0(void);
/* dom->ioports changed: CPUs follow at their next switch to the domain, this one at once. Explicit
 * domains use the ports directly, walked ones through the emulator (their user mode must not). */
void arch_set_ioports(struct domain *dom);

/* What a guest wrote is copied once and judged in the copy. */
static inline void guest_read(void *to, const void __guest *from, size_t n)
{
	memcpy(to, (const void __own *)from, n);
}

static inline void guest_write(void __guest *to, const void *from, size_t n)
{
	memcpy((void __own *)to, from, n);
}

static inline void __guest *vcpu_batch(struct vcpu *v) /* NULL without a VCS */
{
	return v->vcs_mfn ? v->vcs->batch : NULL;
}

#endif
