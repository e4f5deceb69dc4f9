// SPDX-License-Identifier: BSD-2-Clause
/*
 * vcpu_setup.c - the VCS page, entry addresses, and registers as other domains see them. Nothing here
 * touches the processor but through guest.h, so the host build runs it as it is.
 */
#include "arch.h"
#include "atomic.h"
#include "domain.h"
#include "guest.h"
#include "mm.h"
#include "string.h"

#define NS_PER_SEC 1000000000ull

/* ---- VCPU_SETUP ---- */

static void fill_clock(struct pv_clock __guest *c)
{
	u64 now = clock_now_ns();
	u64 wall = clock_wall_ns();
	u64 wall0 = wall > now ? wall - now : 0;

	WRITE_ONCE(c->mul, clock_params.mul);
	WRITE_ONCE(c->shift, clock_params.shift);
	WRITE_ONCE(c->flags, clock_params.stable ? 1 : 0);
	WRITE_ONCE(c->tsc0, clock_params.tsc_base);
	WRITE_ONCE(c->ns0, 0);
	WRITE_ONCE(c->wall_sec, wall0 / NS_PER_SEC);
	WRITE_ONCE(c->wall_nsec, wall0 % NS_PER_SEC);
	atomic_store_release(&c->seq, 2u);
}

i64 arch_vcpu_set_vcs(struct vcpu *v, gfn_t gfn)
{
	mfn_t old = v->vcs_mfn, mfn;
	struct pv_vcs __guest *vcs;
	int err = gfn_pin(v->dom, gfn, &mfn);

	if (err)
		return err;
	vcs = (struct pv_vcs __guest *)mfn_ptr(mfn);
	fill_clock(&vcs->clock);
	WRITE_ONCE(vcs->vcpu, v->index);
	WRITE_ONCE(vcs->preempted, 0);
	WRITE_ONCE(vcs->run_ns, v->run_ns);
	WRITE_ONCE(vcs->steal_ns, v->steal_ns);
	for (u32 i = 0; i < 4; i++) /* of the page it had until now */
		(void)atomic_fetch_or(&vcs->pend[i], READ_ONCE(v->vcs->pend[i]));
	(void)atomic_fetch_or(&vcs->port_sel, READ_ONCE(v->vcs->port_sel));
	v->vcs = vcs;
	v->vcs_gfn = gfn;
	v->vcs_mfn = mfn;
	if (old)
		mfn_unpin(old);
	else
		memset((void __own *)v->no_vcs, 0, PAGE_SIZE);
	(void)atomic_fetch_or(&v->exit_work, WORK_EVENTS); /* what was posted before comes now */
	return 0;
}

i64 arch_vcpu_set_entry(struct vcpu *v, const struct pv_entry *entry)
{
	struct pv_entry e = *entry;

	if (!addr_is_guests(e.user_entry) || !addr_is_guests(e.kernel_entry) ||
	    !addr_is_guests(e.syscall_entry) || !addr_is_guests(e.eretu) || !addr_is_guests(e.erets))
		return -PV_EINVAL;
	if (v->dom->kind == PV_KIND_EXPLICIT) /* it has no user mode to come from or to return to */
		e.user_entry = e.syscall_entry = e.eretu = 0;
	v->user_entry = e.user_entry;
	v->kernel_entry = e.kernel_entry;
	v->syscall_entry = e.syscall_entry;
	v->fast_syscall = atomic_load_relaxed(&v->exit_work) & WORK_SLOW ? 0 : e.syscall_entry;
	v->eretu = e.eretu ? e.eretu : ENTRY_NONE;
	v->erets = e.erets ? e.erets : ENTRY_NONE;
	(void)atomic_fetch_or(&v->exit_work, WORK_EVENTS); /* something may be deliverable now */
	return 0;
}

i64 arch_vcpu_set_kernel_gs(struct vcpu *v, u64 base)
{
	if (!addr_is_canonical(base))
		return -PV_EINVAL;
	v->kernel_gs = base;
	guest_gs_write(base);
	return 0;
}

/* ---- VCPU_REGS: the vCPU does not run ---- */

i64 arch_vcpu_get_gpr(struct vcpu *v, struct pv_vcpu_gpr *out)
{
	const struct cpu_regs *r = &v->regs;

	*out = (struct pv_vcpu_gpr){
		.rax = r->rax, .rbx = r->rbx, .rcx = r->rcx, .rdx = r->rdx,
		.rsi = r->rsi, .rdi = r->rdi, .rbp = r->rbp, .rsp = r->rsp,
		.r8 = r->r8,   .r9 = r->r9,   .r10 = r->r10, .r11 = r->r11,
		.r12 = r->r12, .r13 = r->r13, .r14 = r->r14, .r15 = r->r15,
		.rip = r->rip, .rflags = r->rflags, .kernel_gs_base = v->kernel_gs,
		.root = aspace_root(v), .mode = v->mode,
	};
	return 0;
}

i64 arch_vcpu_set_gpr(struct vcpu *v, const struct pv_vcpu_gpr *in)
{
	struct pv_vcpu_gpr g = *in;
	struct cpu_regs *r = &v->regs;
	int err;

	if (g.mode || g.reserved || !addr_is_guests(g.rip) || !addr_is_canonical(g.kernel_gs_base))
		return -PV_EINVAL;
	if (g.root != LINEAR_ROOT && (v->dom->kind == PV_KIND_EXPLICIT || g.root % PAGE_SIZE))
		return -PV_EINVAL;
	err = v->dom->kind == PV_KIND_WALKED ? aspace_set_root(v, g.root) : 0;
	if (err)
		return err;
	*r = (struct cpu_regs){
		.rax = g.rax, .rbx = g.rbx, .rcx = g.rcx, .rdx = g.rdx,
		.rsi = g.rsi, .rdi = g.rdi, .rbp = g.rbp, .rsp = g.rsp,
		.r8 = g.r8,   .r9 = g.r9,   .r10 = g.r10, .r11 = g.r11,
		.r12 = g.r12, .r13 = g.r13, .r14 = g.r14, .r15 = g.r15,
		.rip = g.rip, .rflags = guest_flags_clean(g.rflags) & ~(u64)RFLAGS_RF,
		.cs = SEL_UCODE, .ss = SEL_UDATA,
	};
	v->mode = MODE_KERNEL;
	v->kernel_gs = g.kernel_gs_base;
	v->gs_base = g.kernel_gs_base;
	atomic_store_relaxed(&v->fpu_cpu, NO_FPU_CPU); /* gs_base above is newer than any register */
	return 0;
}
