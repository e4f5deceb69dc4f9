// SPDX-License-Identifier: BSD-2-Clause
/*
 * event.c - events that hit the toy guest's kernel mode, and its virtual interrupt flag.
 */
#include "toy.h"

struct kernel_seen seen;
u64 kernel_fixup;

void take_pend(void)
{
	struct percpu *p = me();

	for (u32 i = 0; i < 4; i++)
		p->pend[i] |= __atomic_exchange_n(&p->vcs->pend[i], 0, __ATOMIC_SEQ_CST);
}

bool took(u32 vector)
{
	u64 bit = 1ull << vector % 64;
	u64 *word = &me()->pend[vector / 64];
	bool yes = (*word & bit) != 0;

	*word &= ~bit;
	return yes;
}

/* A synchronous event while ERETU was tried is the refusal of its frame: give up the excursion. */
void kernel_event(struct kernel_regs *regs)
{
	if (regs->vector == PV_VEC_IRQ) {
		me()->irqs++;
		take_pend();
		return;
	}
	seen.count++;
	seen.last = *regs;
	seen.cr2 = me()->vcs->cr2;
	if (regs->rip == (u64)toy_eretu)
		user_run_abort(LEFT_BY_REFUSAL);
	if (kernel_fixup) {
		regs->rip = kernel_fixup;
		kernel_fixup = 0;
		return;
	}
	if (regs->vector == 1 || regs->vector == 3)
		return;
	print("# unexpected event: vector 0x%x error 0x%x rip 0x%x cr2 0x%x\n", regs->vector,
	      regs->error, regs->rip, me()->vcs->cr2);
	(void)HC3(DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF, (u64)PV_REASON_PANIC << 32 | 2);
}

void irq_off(void)
{
	struct pv_vcs *v = me()->vcs;

	__asm__ volatile("andq %1, %0" : "+m"(v->flags) : "i"(~PV_VCS_IF) : "memory");
}

void irq_on(void)
{
	struct pv_vcs *v = me()->vcs;

	__asm__ volatile("orq %1, %0" : "+m"(v->flags) : "i"(PV_VCS_IF) : "memory");
	if (*(volatile u64 *)&v->flags & PV_VCS_IP)
		(void)HC0(IRQ_WIN);
}

bool irqs_are_on(void)
{
	return (*(volatile u64 *)&me()->vcs->flags & PV_VCS_IF) != 0;
}
