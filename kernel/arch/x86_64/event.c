// SPDX-License-Identifier: BSD-2-Clause
/*
 * event.c - interrupting a guest: posting from anywhere, delivery by the CPU that runs the vCPU.
 *
 * Posting sets a bit in the vCPU's own kernel memory and a work bit, then wakes or kicks. The CPU
 * that runs the vCPU moves the bits to the guest's page on its way out and either delivers
 * PV_VEC_IRQ or leaves IP behind. No CPU but that one ever writes the page.
 *
 * Delivery writes one of two frames in the page and sets the entry address; no guest stack is
 * touched. What is read back from the page is never trusted.
 */
#include "atomic.h"
#include "bits.h"
#include "counters.h"
#include "domain.h"
#include "guest.h"
#include "log.h"
#include "race.h"
#include "sched.h"
#include "trace.h"
#include "vcpu.h"

/* Not seen running, or told before. A vCPU that sets the work bit for itself may block with it: being blocked is
 * looked at always. */
static __noinline void notify_slowly(struct vcpu *v, bool told)
{
	if ((atomic_load_seq(&v->state) != VCPU_BLOCKED || !sched_wake(v)) && !told)
		sched_kick(v);
}

/*
 * Pairs with the switch in sched.c: the poster writes post[], then reads the state; the scheduler
 * writes the state, then reads post[]. Both have a full barrier in between, so one sees the other.
 */
static inline void notify(struct vcpu *v)
{
	if (unlikely(atomic_fetch_or(&v->exit_work, WORK_EVENTS) & WORK_EVENTS)) {
		RACE_POINT();
		notify_slowly(v, true);
		return;
	}
	RACE_POINT();
	if (likely(atomic_load_seq(&v->state) == VCPU_RUNNING))
		sched_kick_running(v);
	else
		notify_slowly(v, false);
}

static inline void post(struct vcpu *v, u32 vector)
{
	u64 bit = BIT(vector % 64);

	if (!(atomic_fetch_or(&v->post[vector / 64 % 4], bit) & bit))
		notify(v);
}

void vcpu_post(struct vcpu *v, u32 vector)
{
	post(v, vector);
}

i64 vcpu_post_port(struct vcpu *v, u32 port)
{
	struct pv_port_page __guest *page = atomic_load_acquire(&v->dom->port_page);
	u64 word = port / 64 % 64, bit = BIT(port % 64);

	if (unlikely(!page))
		return 0;
	if (unlikely(atomic_fetch_or(&page->pending[word], bit) & bit))
		return 1;
	if (unlikely(atomic_load_relaxed(&page->mask[word]) & bit))
		return 0;
	(void)atomic_fetch_or(&v->post_port_sel, BIT(word));
	RACE_POINT();
	post(v, PV_VEC_PORTS);
	return 0;
}

static u64 pending_in_page(const struct pv_vcs __guest *vcs)
{
	return atomic_load_relaxed(&vcs->pend[0]) | atomic_load_relaxed(&vcs->pend[1]) |
	       atomic_load_relaxed(&vcs->pend[2]) | atomic_load_relaxed(&vcs->pend[3]);
}

bool vcpu_pending(const struct vcpu *v)
{
	return (atomic_load_relaxed(&v->post[0]) | atomic_load_relaxed(&v->post[1]) |
		atomic_load_relaxed(&v->post[2]) | atomic_load_relaxed(&v->post[3]) |
		pending_in_page(v->vcs)) != 0;
}

/* The page was just replaced or something was posted: post[] -> pend[]. port_sel goes last, because
 * its sender sets it first: a moved PORTS bit without its port_sel would look empty. */
static void move_posts(struct vcpu *v)
{
	struct pv_vcs __guest *vcs = v->vcs;
	u64 bits;

	for (u32 i = 0; i < 4; i++) {
		if (!atomic_load_relaxed(&v->post[i]))
			continue;
		bits = atomic_xchg(&v->post[i], 0);
		(void)atomic_fetch_or(&vcs->pend[i], bits);
	}
	if (atomic_load_relaxed(&v->post_port_sel)) {
		bits = atomic_xchg(&v->post_port_sel, 0);
		(void)atomic_fetch_or(&vcs->port_sel, bits);
	}
}

void event_enter_kernel(struct vcpu *v)
{
	WRITE_ONCE(v->vcs->user_gs_base, guest_gs_read());
	guest_gs_write(v->kernel_gs);
	v->mode = MODE_KERNEL;
}

void event_enter_user(struct vcpu *v, u64 gs_base)
{
	guest_gs_write(gs_base);
	v->mode = MODE_USER;
	WRITE_ONCE(v->vcs->flags, READ_ONCE(v->vcs->flags) | PV_VCS_IF);
}

void event_set_entry(struct vcpu *v, u64 rip)
{
	v->regs.rip = rip;
	v->regs.rcx = rip;
	v->regs.rflags = GUEST_FLAGS_SET;
	v->regs.r11 = GUEST_FLAGS_SET;
	v->regs.cs = SEL_UCODE;
	v->regs.ss = SEL_UDATA;
}

static void write_frame(struct pv_frame __guest *f, const struct cpu_regs *regs, u64 vector, u64 error)
{
	WRITE_ONCE(f->vector, vector);
	WRITE_ONCE(f->error, error);
	WRITE_ONCE(f->rip, regs->rip);
	WRITE_ONCE(f->rsp, regs->rsp);
	WRITE_ONCE(f->rcx, regs->rcx);
	WRITE_ONCE(f->r11, regs->r11);
	WRITE_ONCE(f->reserved, 0);
}

static void deliver_from_user(struct vcpu *v, u64 vector, u64 error)
{
	struct pv_frame __guest *f = &v->vcs->uframe;

	write_frame(f, &v->regs, vector, error);
	WRITE_ONCE(f->cs, v->regs.cs);
	WRITE_ONCE(f->ss, v->regs.ss);
	WRITE_ONCE(f->rflags, v->regs.rflags | RFLAGS_IF);
	event_enter_kernel(v);
	event_set_entry(v, v->user_entry);
}

static void deliver_from_kernel(struct vcpu *v, u64 vector, u64 error, u64 flags)
{
	struct pv_frame __guest *f = &v->vcs->kframe;

	write_frame(f, &v->regs, vector, error);
	WRITE_ONCE(f->cs, PV_KERNEL_CS);
	WRITE_ONCE(f->ss, PV_KERNEL_SS);
	WRITE_ONCE(f->rflags, (v->regs.rflags & ~(u64)RFLAGS_IF) | (flags & PV_VCS_IF));
	WRITE_ONCE(v->vcs->busy, 1);
	event_set_entry(v, v->kernel_entry);
}

static void unhandled(struct vcpu *v, u64 vector, u64 error, u32 reason)
{
	u64 detail = vector == EXC_PF ? READ_ONCE(v->vcs->cr2) : error;

	log_warn("domain %u '%s' vcpu %u: %s: vector %lu error %lx address %lx\n",
		 v->dom->self.slot, v->dom->name, v->index,
		 reason == PV_REASON_FAULT ? "unhandled exception" : "event while the frame was busy",
		 vector, error, detail);
	log_raw("  %s mode, rip %lx rsp %lx rflags %lx; frame: vector %lu rip %lx\n",
		 v->mode == MODE_USER ? "user" : "kernel", v->regs.rip, v->regs.rsp,
		 v->regs.rflags, READ_ONCE(v->vcs->kframe.vector),
		 READ_ONCE(v->vcs->kframe.rip));
	log_raw("  rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx\n", v->regs.rax,
		 v->regs.rbx, v->regs.rcx, v->regs.rdx, v->regs.rsi, v->regs.rdi, v->regs.rbp);
	domain_shutdown(v->dom, reason, vector, detail, v->regs.rip);
}

void event_inject(struct vcpu *v, u64 vector, u64 error)
{
	u64 flags = READ_ONCE(v->vcs->flags);

	if (v->mode == MODE_USER) {
		if (!v->user_entry) {
			unhandled(v, vector, error, PV_REASON_FAULT);
			return;
		}
		deliver_from_user(v, vector, error);
	} else {
		if (!v->kernel_entry) {
			unhandled(v, vector, error, PV_REASON_FAULT);
			return;
		}
		if (READ_ONCE(v->vcs->busy)) {
			if (vector == EXC_DB)
				return; /* dr6 has it; the guest looks there after its frame */
			unhandled(v, vector, error, PV_REASON_DOUBLE_FAULT);
			return;
		}
		deliver_from_kernel(v, vector, error, flags);
	}
	WRITE_ONCE(v->vcs->flags, flags & ~(u64)PV_VCS_IF);
	count(CNT_INJECTIONS);
	if (unlikely(trace_hot))
		trace(TRACE_INJECT, vector, error);
}

void event_inject_pf(struct vcpu *v, vaddr_t cr2, u64 error)
{
	WRITE_ONCE(v->vcs->cr2, cr2);
	event_inject(v, EXC_PF, error);
}

bool event_is_quiet(const struct vcpu *v)
{
	const struct pv_vcs __guest *vcs = v->vcs;

	return !(atomic_load_relaxed(&v->exit_work) & WORK_EVENTS) && !(READ_ONCE(vcs->flags) & PV_VCS_IP) &&
	       !pending_in_page(vcs);
}

void event_check(struct vcpu *v)
{
	struct pv_vcs __guest *vcs = v->vcs;
	u64 flags;

	(void)atomic_fetch_and(&v->exit_work, ~WORK_EVENTS);
	RACE_POINT();
	move_posts(v);
	flags = READ_ONCE(vcs->flags);
	if (!pending_in_page(vcs)) {
		if (flags & PV_VCS_IP)
			WRITE_ONCE(vcs->flags, flags & ~(u64)PV_VCS_IP);
		return;
	}
	if (v->mode == MODE_USER ? v->user_entry != 0 :
				   v->kernel_entry && (flags & PV_VCS_IF) && !READ_ONCE(vcs->busy)) {
		WRITE_ONCE(vcs->flags, flags & ~(u64)PV_VCS_IP);
		event_inject(v, PV_VEC_IRQ, 0);
		return;
	}
	WRITE_ONCE(vcs->flags, flags | PV_VCS_IP);
}
