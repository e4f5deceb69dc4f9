// SPDX-License-Identifier: BSD-2-Clause
/*
 * event.c - events that hit the toy guest's kernel mode, and its virtual interrupt flag.
 */
#include "toy.h"

struct kernel_seen seen;
u64 kernel_fixup;

u64 take_pend(void)
{
	u64 first = 0;

	for (u32 i = 0; i < 4; i++) {
		u64 bits = __atomic_exchange_n(&vcs.pend[i], 0, __ATOMIC_SEQ_CST);

		seen.pend[i] |= bits;
		if (!i)
			first = bits;
	}
	return first;
}

/* A synchronous event while ERETU was tried is the refusal of its frame: give up the excursion. */
void kernel_event(struct kernel_regs *regs)
{
	if (regs->vector == PV_VEC_IRQ) {
		seen.irqs++;
		(void)take_pend();
		return;
	}
	seen.count++;
	seen.last = *regs;
	seen.cr2 = vcs.cr2;
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
	      regs->error, regs->rip, vcs.cr2);
	(void)HC3(DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF, (u64)PV_REASON_PANIC << 32 | 2);
}

void irq_off(void)
{
	__asm__ volatile("andq %1, %0" : "+m"(vcs.flags) : "i"(~PV_VCS_IF) : "memory");
}

void irq_on(void)
{
	__asm__ volatile("orq %1, %0" : "+m"(vcs.flags) : "i"(PV_VCS_IF) : "memory");
	if (*(volatile u64 *)&vcs.flags & PV_VCS_IP)
		(void)HC0(IRQ_WIN);
}

bool irqs_are_on(void)
{
	return (*(volatile u64 *)&vcs.flags & PV_VCS_IF) != 0;
}
