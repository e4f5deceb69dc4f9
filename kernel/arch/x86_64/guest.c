// SPDX-License-Identifier: BSD-2-Clause
/*
 * guest.c - what arrives from a guest: traps, interrupts, hypercalls, the returns to user and
 * kernel mode that did not fit the short way, and faults of the kernel's own IRETQ.
 *
 * Each function called by entry.S starts with cpu_leave_guest() and ends with the exit protocol;
 * in between the running vCPU's registers are in v->regs and may be changed at will.
 */
#include "guest.h"

#include "arch.h"
#include "bits.h"
#include "counters.h"
#include "cpu.h"
#include "domain.h"
#include "hypercall.h"
#include "mm.h"
#include "sched.h"
#include "tlbflush.h"
#include "trace.h"

#define SYSCALL_LEN 2
#define INT_LEN 2
#define VEC_IRQ_FIRST 0x20
#define ERROR_IDT 2 /* error code of an INT n that is not allowed: vector * 8 + this */
#define DR6_INIT 0xffff0ff0ull
#define DR6_STATUS 0xe00full
#define HINT_MAX 16ull
#define FAULT_PREFILL 8
#define SYSCALL_MASK 0x257fd5 /* every flag a program can set, IF and TF among them */

/* Before the mail is read: an epoch that passes at this door may free the root loaded until now. */
static inline void load_root(const struct vcpu *v)
{
	u64 root = v->mode == MODE_KERNEL ? v->kernel_cr3 : v->user_cr3;

	if (root != read_cr3())
		write_cr3(root);
}

void arch_vcpu_load_root(const struct vcpu *v)
{
	load_root(v);
}

/* Nothing else to do: the common case costs no scheduler call. Everybody ends with it, so it is jumped to. */
static __noinline void leave(const struct vcpu *v)
{
	if (likely(!(atomic_load_relaxed(&v->exit_work) & ~WORK_SLOW))) {
		load_root(v);
		if (likely(cpu_enter_guest()))
			return;
	}
	sched_exit_to_guest();
}

/* Something other than a fill the guest does not notice: vTLB capacity 0 drops everything here. */
static inline void guest_event(struct vcpu *v)
{
	if (unlikely(atomic_load_relaxed(&v->exit_work) & WORK_SLOW))
		mm_guest_event(v);
}

static void page_fault(struct vcpu *v)
{
	vaddr_t va = read_cr2();
	u64 error = 0;

	v->dom->faults++;
	count(CNT_PAGE_FAULTS);
	switch (mm_guest_fault(v, va, v->regs.error, &error)) {
	case FAULT_RESUME:
		return;
	case FAULT_INJECT:
		guest_event(v);
		v->fault_va = va & PAGE_MASK;
		event_inject_pf(v, va, error);
		return;
	case FAULT_FATAL:
		domain_shutdown(v->dom, PV_REASON_KMEM, EXC_PF, va, v->regs.rip);
		return;
	}
}

static void debug_exception(struct vcpu *v)
{
	u64 dr6;

	__asm__ volatile("movq %%dr6, %0" : "=r"(dr6));
	__asm__ volatile("movq %0, %%dr6" ::"r"(DR6_INIT));
	v->dr6 |= dr6 & DR6_STATUS;
	event_inject(v, EXC_DB, 0);
}

static void software_interrupt(struct vcpu *v)
{
	if (v->mode == MODE_USER) {
		event_inject(v, PV_VEC_INT80, 0);
		return;
	}
	v->regs.rip -= INT_LEN;
	event_inject(v, EXC_GP, PV_VEC_INT80 * 8 + ERROR_IDT);
}

static void exception(struct vcpu *v, u64 vector)
{
	switch (vector) {
	case EXC_DB:
		debug_exception(v);
		return;
	case EXC_GP:
		if (v->mode == MODE_KERNEL && emulate_privileged(v))
			return;
		break;
	case PV_VEC_INT80:
		software_interrupt(v);
		return;
	}
	event_inject(v, vector, v->regs.error);
}

void guest_trap(struct vcpu *v)
{
	u64 vector = v->regs.vector;

	cpu_leave_guest();
	if (vector == EXC_PF) {
		page_fault(v);
	} else {
		guest_event(v);
		if (vector >= VEC_IRQ_FIRST && vector != PV_VEC_INT80)
			arch_irq_dispatch((u8)vector);
		else
			exception(v, vector);
	}
	leave(v);
}

void guest_hypercall(struct vcpu *v)
{
	cpu_leave_guest();
	guest_event(v);
	v->regs.rflags = guest_flags_clean(v->regs.rflags);
	v->regs.rax = (u64)hypercall_dispatch(v);
	leave(v);
}

/* A hypercall that took the short way in and found work for the way out. */
void guest_hypercall_end(struct vcpu *v)
{
	cpu_leave_guest();
	leave(v);
}

void guest_user_syscall(struct vcpu *v)
{
	struct pv_frame __guest *f = &v->vcs->uframe;

	cpu_leave_guest();
	guest_event(v);
	if (!v->syscall_entry) {
		v->regs.rip -= SYSCALL_LEN;
		event_inject(v, EXC_UD, 0);
	} else {
		WRITE_ONCE(f->rip, v->regs.rip);
		WRITE_ONCE(f->rcx, v->regs.rip);
		WRITE_ONCE(f->rflags, v->regs.rflags);
		WRITE_ONCE(f->r11, v->regs.rflags);
		WRITE_ONCE(f->cs, SEL_UCODE);
		WRITE_ONCE(f->ss, SEL_UDATA);
		event_enter_kernel(v);
		WRITE_ONCE(v->vcs->flags, READ_ONCE(v->vcs->flags) & ~(u64)PV_VCS_IF);
		event_set_entry(v, v->syscall_entry);
	}
	leave(v);
}

/* 32-bit SYSCALL is not offered: the program sees the #UD of a CPU without it. */
void guest_cstar(struct vcpu *v)
{
	cpu_leave_guest();
	guest_event(v);
	v->regs.cs = SEL_UCODE32;
	v->regs.rip = (u32)v->regs.rip - SYSCALL_LEN;
	event_inject(v, EXC_UD, 0);
	leave(v);
}

/*
 * What the guest's handler has mapped is filled before the program runs into it again: what the hint says, and the
 * page of the fault with some behind it. A handler that maps more than was asked for leaves the hint for the last of
 * it.
 */
static void prefill_hint(struct vcpu *v)
{
	struct pv_vcs __guest *vcs = v->vcs;
	u64 va = READ_ONCE(vcs->hint_va);
	u64 n = READ_ONCE(vcs->hint_count);

	if (!va)
		return;
	WRITE_ONCE(vcs->hint_va, 0);
	n = MIN(n, HINT_MAX);
	if (n && addr_is_guests(va))
		mm_prefill(v, va, (u32)n);
	if (v->fault_va && v->fault_va - (va & PAGE_MASK) >= n * PAGE_SIZE)
		mm_prefill(v, v->fault_va, FAULT_PREFILL);
	v->fault_va = 0;
}

/* Selectors a frame may name: ring 3, and in the GDT (there is no LDT). IRETQ checks the rest. */
static bool selector_is_user(u64 sel)
{
	return sel <= 0xffff && (sel & 7) == 3;
}

/*
 * ERETU with work to do, or with a frame for IRETQ. A frame that cannot be loaded is the guest
 * kernel's fault: it gets #GP at the return instruction and stays in kernel mode.
 */
void guest_eretu(struct vcpu *v)
{
	struct pv_vcs __guest *vcs = v->vcs;
	u64 gs_base = READ_ONCE(vcs->user_gs_base);
	u64 rip = READ_ONCE(vcs->uframe.rip);
	u64 cs = READ_ONCE(vcs->uframe.cs);
	u64 ss = READ_ONCE(vcs->uframe.ss);
	u64 rflags = READ_ONCE(vcs->uframe.rflags);

	cpu_leave_guest();
	guest_event(v);
	v->regs.rip = v->eretu;
	if (!addr_is_canonical(gs_base) || !addr_is_canonical(rip) || !selector_is_user(cs) ||
	    !selector_is_user(ss)) {
		event_inject(v, EXC_GP, 0);
		leave(v);
		return;
	}
	v->regs.rip = rip;
	v->regs.cs = cs;
	v->regs.ss = ss;
	/* NT is a program's to keep: IRETQ ignores it here, and every way in clears it. */
	v->regs.rflags = guest_flags_clean(rflags) | (rflags & RFLAGS_NT);
	v->regs.rcx = READ_ONCE(vcs->uframe.rcx);
	v->regs.r11 = READ_ONCE(vcs->uframe.r11);
	event_enter_user(v, gs_base);
	prefill_hint(v);
	if (unlikely(!event_is_quiet(v)))
		event_check(v);
	leave(v);
}

/* ERETS: back to interrupted kernel mode, virtual IF and stack pointer from the frame. */
void guest_erets(struct vcpu *v)
{
	struct pv_vcs __guest *vcs = v->vcs;
	u64 rip = READ_ONCE(vcs->kframe.rip);
	u64 rflags = READ_ONCE(vcs->kframe.rflags);
	u64 flags = READ_ONCE(vcs->flags) & ~(u64)PV_VCS_IF;

	cpu_leave_guest();
	guest_event(v);
	if (!addr_is_canonical(rip)) {
		event_inject(v, EXC_GP, 0);
		leave(v);
		return;
	}
	v->regs.rip = rip;
	v->regs.cs = SEL_UCODE;
	v->regs.ss = SEL_UDATA;
	v->regs.rsp = READ_ONCE(vcs->kframe.rsp);
	v->regs.rflags = guest_flags_clean(rflags);
	v->regs.rcx = READ_ONCE(vcs->kframe.rcx);
	v->regs.r11 = READ_ONCE(vcs->kframe.r11);
	WRITE_ONCE(vcs->flags, flags | (rflags & PV_VCS_IF));
	prefill_hint(v);
	if (unlikely(!event_is_quiet(v)))
		event_check(v);
	leave(v);
}

/*
 * IRETQ faulted. On the way to user mode it was ERETU's frame (a descriptor that is not there, not
 * code, not data): undo the change of mode and say so at the ERETU. In kernel mode only rip can be
 * wrong: the guest ran off the canonical range.
 */
void guest_iret_failed(struct vcpu *v, u64 vector, u64 error)
{
	cpu_leave_guest();
	if (v->mode == MODE_USER && v->eretu != ENTRY_NONE) {
		guest_gs_write(v->kernel_gs);
		v->mode = MODE_KERNEL;
		WRITE_ONCE(v->vcs->flags, READ_ONCE(v->vcs->flags) & ~(u64)PV_VCS_IF);
		v->regs.rip = v->eretu;
		vector = EXC_GP;
	}
	v->regs.cs = SEL_UCODE;
	v->regs.ss = SEL_UDATA;
	event_inject(v, vector, error);
	leave(v);
}

void arch_guest_init_cpu(void)
{
	wrmsr(MSR_LSTAR, (u64)guest_syscall);
	wrmsr(MSR_CSTAR, (u64)guest_syscall32);
	wrmsr(MSR_FMASK, SYSCALL_MASK);
}
