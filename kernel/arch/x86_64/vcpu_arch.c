// SPDX-License-Identifier: BSD-2-Clause
/*
 * vcpu_arch.c - the processor's share of a vCPU: what is switched besides the registers that
 * entry.S restores.
 *
 * State is saved when a vCPU leaves its CPU and loaded when it enters one, except that a vCPU which
 * comes back to the CPU that still holds its state loads nothing: the kernel uses no FPU, no data
 * segments and no FS, so idling in between destroys nothing.
 */
#include "arch.h"
#include "bits.h"
#include "cpu_features.h"
#include "domain.h"
#include "guest.h"
#include "log.h"
#include "mm.h"
#include "paging.h"
#include "string.h"

#define XSAVE_MXCSR 24 /* offset in the legacy area */
#define FCW_INIT 0x37f
#define MXCSR_INIT 0x1f80

struct loaded loaded[MAX_CPUS];

u64 arch_xcr0(void)
{
	return cpu_features.xcr0;
}

size_t arch_vcpu_xsave_size(void)
{
	return cpu_features.xsave_size;
}

void arch_vcpu_init(struct vcpu *v)
{
	u8 *area = v->xsave;
	u16 fcw = FCW_INIT;
	u32 mxcsr = MXCSR_INIT;

	memcpy(area, &fcw, sizeof(fcw));
	memcpy(area + XSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	v->vcs = v->no_vcs;
	v->eretu = ENTRY_NONE;
	v->erets = ENTRY_NONE;
	v->xcr0 = XCR0_X87;
	if (v->dom->kind == PV_KIND_EXPLICIT)
		v->xcr0 = cpu_features.xcr0;
	if (!cpu_features.fsgsbase) /* the short ways of entry.S use the instructions */
		v->exit_work = WORK_SLOW;
	v->dr7 = 0x400;
	v->regs.cs = SEL_UCODE;
	v->regs.ss = SEL_UDATA;
	v->regs.rflags = GUEST_FLAGS_SET;
	v->ds = 0;
	v->mode = MODE_KERNEL;
}

/* Only where there is XSAVE. */
static inline void set_xcr0(struct loaded *l, u64 value)
{
	if (likely(l->xcr0 == value))
		return;
	xsetbv(0, value);
	l->xcr0 = value;
}

void xcr0_set(struct vcpu *v, u64 value)
{
	v->xcr0 = value;
	set_xcr0(&loaded[this_cpu()->id], value);
}

/* Saved and restored under the full mask, whatever the guest enabled for itself. */
static inline void fpu_save(struct vcpu *v, struct loaded *l)
{
	if (unlikely(!cpu_features.xsave)) {
		__asm__ volatile("fxsave64 (%0)" ::"r"(v->xsave) : "memory");
		return;
	}
	set_xcr0(l, cpu_features.xcr0);
	__asm__ volatile("xsave64 (%0)" ::"r"(v->xsave), "a"((u32)cpu_features.xcr0), "d"(0)
			 : "memory");
}

/* Where loading a state leaves the x87 pointers of the one before: makes them the kernel's own. */
static void clear_x87_pointers(void)
{
	static const u32 zero;

	__asm__ volatile("fnclex; emms; fildl %0" ::"m"(zero));
}

/* Cannot fault: only fpu_save() and arch_vcpu_init() write the area. */
static inline void fpu_load(struct vcpu *v, struct loaded *l)
{
	if (unlikely(cpu_features.x87_pointers_stay))
		clear_x87_pointers();
	if (unlikely(!cpu_features.xsave)) {
		__asm__ volatile("fxrstor64 (%0)" ::"r"(v->xsave) : "memory");
		return;
	}
	set_xcr0(l, cpu_features.xcr0);
	__asm__ volatile("xrstor64 (%0)" ::"r"(v->xsave), "a"((u32)cpu_features.xcr0), "d"(0)
			 : "memory");
	set_xcr0(l, v->xcr0);
}

void arch_vcpu_switch(struct vcpu *from, struct vcpu *to)
{
	struct cpu *cpu = this_cpu();
	struct loaded *l = &loaded[cpu->id];

	keep_pointer(l);
	if (likely(from)) {
		seg_save(from);
		fpu_save(from, l);
	}
	cpu->current = to;
	if (!to) {
		write_cr3(kernel_root_paddr);
		return;
	}
	/* Now and not on the way out: from's space may be freed as soon as another CPU runs from. */
	write_cr3(to->mode == MODE_USER ? to->user_cr3 : to->kernel_cr3);
	cpu->tss->rsp[0] = (u64)&to->regs + REGS_SIZE;
	ioports_load(to->dom, l); /* may have been given while its state stayed here */
	if (l->resident == to && atomic_load_relaxed(&to->fpu_cpu) == cpu->id) {
		if (likely(cpu_features.xsave))
			set_xcr0(l, to->xcr0);
		return;
	}
	seg_load(to, l);
	fpu_load(to, l);
	if (unlikely(l->dr7_live || (to->dr7 & DR7_ENABLED)))
		debug_regs_load(to);
	l->resident = to;
	atomic_store_relaxed(&to->fpu_cpu, cpu->id);
}

void arch_vcpu_forget(struct vcpu *v)
{
	for (u32 i = 0; i < nr_cpus; i++) {
		struct vcpu *expected = v;

		(void)atomic_cmpxchg(&loaded[i].resident, &expected, NULL);
	}
}
