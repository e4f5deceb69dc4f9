// SPDX-License-Identifier: BSD-2-Clause
/*
 * irqs.c - interrupts of the toy guest: posting, the virtual IF, delivery from both modes, waiting.
 */
#include "snippet.h"

#define VECTOR 0x55u
#define MS 1000000ull

SNIPPET(prog_spin, "1: incq %rbx; jmp 1b");
SNIPPET(prog_one, "movl $0x42, %ebx; syscall");

static bool pending(u32 vector)
{
	return ((volatile u64 *)vcs.pend)[vector / 64] >> vector % 64 & 1;
}

static void test_masking(void)
{
	u64 irqs = percpu.irqs;

	irq_off();
	check_eq((u64)HC2(SEND_IPI, 1, VECTOR), 0, "SEND_IPI to oneself");
	check(pending(VECTOR), "is pending at once");
	check(vcs.flags & PV_VCS_IP, "and IP is set");
	check_eq(percpu.irqs, irqs, "but not delivered while IF is clear");
	irq_on();
	check_eq(percpu.irqs, irqs + 1, "enabling delivers it");
	check(took(VECTOR) && !pending(VECTOR), "with its vector");
	check(irqs_are_on(), "and returns with IF set");
	check_eq((u64)HC2(SEND_IPI, 1, VECTOR), 0, "SEND_IPI with IF set");
	check_eq(percpu.irqs, irqs + 2, "is delivered before the call returns");
	check(took(VECTOR), "with its vector");
	irq_off();
	check_eq((u64)HC0(IRQ_WIN), (u64)-PV_ESTATE, "IRQ_WIN with IF clear");
	irq_on();
	check_eq((u64)HC0(IRQ_WIN), 0, "IRQ_WIN without anything pending");
	check(!(vcs.flags & PV_VCS_IP), "leaves IP clear");
	irq_off();
}

static void test_from_user(void)
{
	struct user_ctx c;

	SETUP(&c, prog_spin);
	check_eq((u64)HC1(TIMER_SET, 0), 0, "TIMER_SET in the past");
	check_eq(user_go(&c), LEFT_BY_EVENT, "an endless program is left");
	check_eq(vcs.uframe.vector, PV_VEC_IRQ, "by an interrupt");
	check(pending(PV_VEC_TIMER), "of the timer");
	check(!irqs_are_on(), "with IF clear");
	check(vcs.uframe.rflags & 0x200, "and set in the frame");
	take_pend();
	(void)took(PV_VEC_TIMER);
	SETUP(&c, prog_one);
	irq_off();
	(void)HC2(SEND_IPI, 1, VECTOR);
	check_eq(user_go(&c), LEFT_BY_EVENT, "ERETU with something pending");
	check_eq(vcs.uframe.vector, PV_VEC_IRQ, "is an interrupt before the first instruction");
	check(c.rip == USER_CODE && !c.rbx, "of the program");
	take_pend();
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "which then runs");
	check(took(VECTOR), "vector of that interrupt");
}

static void test_waiting(void)
{
	u64 irqs;

	irq_off();
	(void)HC2(SEND_IPI, 1, VECTOR);
	check_eq((u64)HC2(WAIT, 0, PV_FOREVER), 0, "WAIT with something pending returns");
	check(pending(VECTOR), "and leaves it pending");
	irqs = percpu.irqs;
	check_eq((u64)HC2(WAIT, PV_WAIT_ENABLE, PV_FOREVER), 0, "WAIT and enable");
	check_eq(percpu.irqs, irqs + 1, "delivers what was pending");
	check(took(VECTOR) && irqs_are_on(), "with IF set afterwards");
	irq_off();
	(void)HC1(TIMER_SET, 1);
	irqs = percpu.irqs;
	check_eq((u64)HC2(WAIT, PV_WAIT_ENABLE, PV_FOREVER), 0, "WAIT for the timer");
	check(percpu.irqs == irqs + 1 && took(PV_VEC_TIMER), "which is delivered");
	check_eq((u64)HC3(VCPU_CTL, PV_VCPU_CTL_KICK, PV_SELF, 0), 0, "KICK of oneself");
	check_eq((u64)HC2(WAIT, 0, PV_FOREVER), 0, "is remembered by the next WAIT");
	irq_off();
}

/* Programs and the guest kernel are interrupted thousands of times; nothing may be lost or changed. */
static void test_storm(void)
{
	u64 fired = 0, before = 0;
	struct user_ctx c;
	bool same = true;

	SETUP(&c, prog_spin);
	c.r15 = 0x1515;
	c.rax = 0xaaaa;
	for (u32 i = 0; i < 300; i++) {
		(void)HC1(TIMER_SET, 0);
		if (user_go(&c) != LEFT_BY_EVENT || vcs.uframe.vector != PV_VEC_IRQ)
			break;
		take_pend();
		fired += took(PV_VEC_TIMER);
		same &= c.r15 == 0x1515 && c.rax == 0xaaaa && c.rbx >= before &&
			(c.rip == USER_CODE || c.rip == USER_CODE + 3);
		before = c.rbx;
	}
	check_eq(fired, 300, "three hundred timer interrupts of a program");
	check(same, "which noticed none of them");
}

void test_irqs(void)
{
	test_masking();
	test_from_user();
	test_waiting();
	test_storm();
}
