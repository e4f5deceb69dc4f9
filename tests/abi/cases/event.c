/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event.c - delivery: what arrives where, with which state, and the way back.
 */
#include <string.h>

#include "../lib/abitest.h"

PV_TEST(delivery_state, "PVABI-EVT-001.1")
{
	struct abi_cpu *cpu = &abi_cpus[0];

	events_on(0);
	CHECK_OK(HC(SEND_IPI, 1, 0x33));
	irq_enable(vcs0);
	CHECK_EQ(cpu->irqs, 1);
	CHECK_EQ(cpu->vectors[0x33], 1);
	CHECK_EQ(cpu->busy_seen, 1);
	CHECK_EQ(cpu->if_seen, 0);
	CHECK_EQ(cpu->frame.vector, PV_VEC_IRQ);
	CHECK_EQ(cpu->frame.cs, PV_KERNEL_CS);
	CHECK_EQ(cpu->frame.ss, PV_KERNEL_SS);
	CHECK_EQ(cpu->frame.rflags & PV_VCS_IF, PV_VCS_IF);
	CHECK(cpu->frame.rsp > start->heap_start || cpu->frame.rsp > PV_EXPLICIT_BASE);
	CHECK(vcs0->flags & PV_VCS_IF); /* ERETS put it back */
	CHECK_EQ(vcs0->busy, 0);
}

PV_TEST(delivery_at_once_when_enabled, "PVABI-EVT-001.1 PVABI-IPI-001.1")
{
	events_on(0);
	irq_enable(vcs0);
	for (u64 i = 1; i <= 20; i++) {
		CHECK_OK(HC(SEND_IPI, 1, 0x34));
		CHECK_EQ(*(volatile u64 *)&abi_cpus[0].vectors[0x34], i);
	}
}

PV_TEST(nothing_while_disabled, "PVABI-EVT-002.1 PVABI-EVT-011.1")
{
	events_on(0);
	for (u32 v = PV_VEC_IPI_MIN; v < 256; v++)
		CHECK_OK(HC(SEND_IPI, 1, v));
	CHECK_OK(HC(TIMER_SET, 1));
	OP(INFO, VERSION, 0);
	CHECK_EQ(abi_cpus[0].irqs, 0);
	CHECK(vcs0->flags & PV_VCS_IP);
	CHECK(!(vcs0->flags & PV_VCS_IF));
	irq_enable(vcs0);
	CHECK_EQ(abi_cpus[0].irqs, 1);
	for (u32 v = PV_VEC_IPI_MIN; v < 256; v++)
		CHECK_EQ(abi_cpus[0].vectors[v], 1);
	CHECK_EQ(abi_cpus[0].vectors[PV_VEC_TIMER], 1);
	CHECK(!(vcs0->flags & PV_VCS_IP));
}

PV_TEST(irq_win, "PVABI-EVT-003.1")
{
	events_on(0);
	CHECK_ERR(HC(IRQ_WIN), ESTATE);
	CHECK_OK(HC(SEND_IPI, 1, 0x50));
	CHECK_ERR(HC(IRQ_WIN), ESTATE);
	CHECK_EQ(abi_cpus[0].irqs, 0);
	vcs0->flags |= PV_VCS_IF;
	CHECK_OK(HC(IRQ_WIN));
	CHECK_EQ(abi_cpus[0].irqs, 1);
	CHECK_OK(HC(IRQ_WIN)); /* nothing pending: nothing happens */
	CHECK_EQ(abi_cpus[0].irqs, 1);
}

/* A loop that keeps known values in rcx and r11 is interrupted many times. */
PV_TEST(erets_restores, "PVABI-EVT-004.1", .budget_ms = 5000)
{
	u64 bad = 0;

	events_on(0);
	irq_enable(vcs0);
	for (u32 i = 0; i < 20; i++) {
		u64 count = abi_cpus[0].irqs; /* before arming: it may fire at any time from then on */

		CHECK_OK(HC(TIMER_SET, clock_ns() + 300000));
		__asm__ volatile("movabs $0x1122334455667788, %%rcx\n\t"
				 "movabs $0x99aabbccddeeff00, %%r11\n\t"
				 "mov %%rcx, %%rax; mov %%r11, %%rdx\n\t"
				 "xor %%r8d, %%r8d\n"
				 "1: cmp %%rcx, %%rax\n\tjne 2f\n\t"
				 "cmp %%r11, %%rdx\n\tjne 2f\n\t"
				 "stc\n\tjnc 2f\n\t"
				 "inc %%r8\n\tcmp $50000000, %%r8\n\tja 3f\n\t"
				 "cmp %[count], %[irqs]\n\tje 1b\n\tjmp 3f\n"
				 "2: mov $1, %[bad]\n3:"
				 : [bad] "+r"(bad)
				 : [irqs] "m"(abi_cpus[0].irqs), [count] "r"(count)
				 : "rax", "rcx", "rdx", "r8", "r11", "cc", "memory");
		CHECK_EQ(bad, 0);
		CHECK_EQ(abi_cpus[0].irqs, count + 1);
	}
}

PV_TEST(erets_sets_if_from_flags, "PVABI-EVT-004.1")
{
	events_on(0);
	CHECK_EQ(try_read(0x18), 14); /* a trap with IF clear comes back with IF clear */
	CHECK(!(vcs0->flags & PV_VCS_IF));
	CHECK_EQ(abi_cpus[0].frame.rflags & PV_VCS_IF, 0);
	irq_enable(vcs0);
	CHECK_EQ(try_read(0x18), 14);
	CHECK(vcs0->flags & PV_VCS_IF);
	CHECK_EQ(abi_cpus[0].frame.rflags & PV_VCS_IF, PV_VCS_IF);
	CHECK_EQ(abi_cpus[0].if_seen, 0);
}

PV_TEST(page_fault_event, "PVABI-EVT-005.1")
{
	struct abi_cpu *cpu = &abi_cpus[0];

	events_on(0);
	CHECK_EQ(try_read(0x7fff12345678), 14);
	CHECK_EQ(cpu->cr2, 0x7fff12345678);
	CHECK_EQ(cpu->error & 3, 0); /* not present, read */
	CHECK_EQ(try_write(0x7fff12345000, 1), 14);
	CHECK_EQ(cpu->error & 3, 2);
	u64 text = (u64)wait_for;

	CHECK_EQ(try_write(text, 1), 14);
	CHECK_EQ(cpu->cr2, text);
	CHECK_EQ(cpu->error & 3, 3);
	CHECK_EQ(try_read(text), NO_TRAP);
}

PV_TEST(other_exceptions, "PVABI-EVT-005.1")
{
	struct abi_cpu *cpu = &abi_cpus[0];

	events_on(0);
	CHECK_EQ(TRAP_OF("ud2"), 6);
	CHECK_EQ(cpu->rip, cpu->frame.rip);
	CHECK_EQ(TRAP_OF("xor %%edx, %%edx; xor %%eax, %%eax; div %%edx"), 0);
	CHECK_EQ(TRAP_OF("int3"), 3);
	CHECK_EQ(try_read(0x8000000000000000), 13);
	CHECK_EQ(cpu->error, 0);
}

PV_TEST(exception_while_busy, "PVABI-EVT-006.1", .reason = PV_REASON_DOUBLE_FAULT, .code = 14)
{
	events_on(0);
	vcs0->busy = 1;
	try_read(0x10);
}

PV_TEST(interrupt_waits_while_busy, "PVABI-EVT-011.1")
{
	events_on(0);
	vcs0->busy = 1;
	vcs0->flags |= PV_VCS_IF;
	CHECK_OK(HC(SEND_IPI, 1, 0x60));
	u64 early = abi_cpus[0].irqs;

	vcs0->busy = 0;
	irq_enable(vcs0);
	CHECK_EQ(early + (abi_cpus[0].irqs - early), 1);
	CHECK_EQ(abi_cpus[0].vectors[0x60], 1);
}

/* ---- ports ---- */

static u64 connected_to_self(u64 *other)
{
	u64 a = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF)), b = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));

	CHECK_OK(OP(PORT_CTL, CONNECT, a, PV_SELF, PV_SELF, b));
	*other = b;
	return a;
}

static u64 bit_of(u64 port)
{
	return 1ull << port % 64;
}

PV_TEST(port_pending_bits, "PVABI-EVT-008.1")
{
	u64 b, a = connected_to_self(&b);

	CHECK_EQ(HC(PORT_SEND, a), 0);
	CHECK(port_page->pending[b / 64] & bit_of(b));
	CHECK(!(port_page->pending[a / 64] & bit_of(a)));
	CHECK(vcs0->port_sel & 1ull << b / 64);
	CHECK(vcs0->pend[0] & 1ull << PV_VEC_PORTS);
	CHECK_EQ(HC(PORT_SEND, a), 1);
}

PV_TEST(port_masked, "PVABI-EVT-007.1")
{
	u64 b, a = connected_to_self(&b);

	port_page->mask[b / 64] |= bit_of(b);
	CHECK_EQ(HC(PORT_SEND, a), 0);
	CHECK(port_page->pending[b / 64] & bit_of(b));
	CHECK_EQ(vcs0->port_sel, 0);
	CHECK_EQ(vcs0->pend[0], 0);
	CHECK_EQ(HC(PORT_SEND, a), 1);
	CHECK_EQ(HC(WAIT, 0, 0), 1);
}

PV_TEST(port_delivery, "PVABI-EVT-008.1 PVABI-EVT-001.1")
{
	u64 b, a = connected_to_self(&b);

	events_on(0);
	irq_enable(vcs0);
	for (u32 i = 1; i <= 10; i++) {
		abi_cpus[0].ports_seen = 0;
		CHECK_EQ(HC(PORT_SEND, a), 0);
		CHECK_EQ(abi_cpus[0].ports_seen, bit_of(b));
		CHECK_EQ(abi_cpus[0].vectors[PV_VEC_PORTS], i);
	}
}

/* ---- hostile frames: ERETS to where nobody may go ---- */

static void erets_to(u64 rip)
{
	extern char abi_erets_address[];

	events_on(0);
	vcs0->busy = 0;
	vcs0->kframe.rip = rip;
	vcs0->kframe.rsp = start->heap_end - 64;
	vcs0->kframe.rflags = 0x2;
	__asm__ volatile("jmp *%0" ::"r"((u64)abi_erets_address - 2));
}

static void erets_hole(void)
{
	erets_to(share->word[0]);
}

PV_DRIVER_TEST(erets_outside, "PVABI-EVT-010.1", PARTS(erets_hole))
{
	static const u64 where[] = { PV_HOLE_START, PV_HOLE_START + 0x200000, PV_HOLE_END - 16,
				     0x800000000000, 0x8000000000000000, 0xffff7ffffffffff0 };

	for (u32 i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		struct child *c = child_make(0);
		struct pv_dom_status s;

		c->share->word[0] = where[i];
		child_start(c);
		CHECK(child_wait(c, 500, &s));
		CHECK(s.reason == PV_REASON_FAULT || s.reason == PV_REASON_DOUBLE_FAULT ||
		      c->share->verdict == VERDICT_FAIL);
		child_destroy(c);
	}
}

/* IOPL, NT, VM, TF and friends in the frame of ERETS must not reach the processor as they are. */
PV_TEST(erets_hostile_flags, "PVABI-EVT-004.1")
{
	u64 flags;

	events_on(0);
	vcs0->busy = 0;
	vcs0->kframe.rflags = 3ull << 12 | 1ull << 14 | 1ull << 17 | 1ull << 19 | 1ull << 20 | 2;
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %c[rip](%[vcs])\n\t"
			 "mov %%rsp, %c[rsp](%[vcs])\n\t"
			 "lea -2+abi_erets_address(%%rip), %%rax; jmp *%%rax\n"
			 "1: pushf; pop %[flags]"
			 : [flags] "=r"(flags)
			 : [vcs] "r"(vcs0), [rip] "i"(offsetof(struct pv_vcs, kframe.rip)),
			   [rsp] "i"(offsetof(struct pv_vcs, kframe.rsp))
			 : "rax", "rcx", "r11", "memory", "cc");
	CHECK_EQ(flags & (3ull << 12 | 1ull << 14 | 1ull << 17), 0);
	CHECK_EQ(flags & 1ull << 9, 1ull << 9);
	CHECK_EQ(TRAP_OF("cli"), 13);
}
