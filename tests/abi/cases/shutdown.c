/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shutdown.c - how domains end: what they asked for, faults, and what is left afterwards.
 */
#include <string.h>

#include "../lib/abitest.h"

static void shutdown_as_told(void)
{
	OP(DOM_CTL, SHUTDOWN, PV_SELF, share->word[0] << 32 | share->word[1]);
	share->word[2] = 1; /* never */
}

/* Runs part 0 with these two words to its end. */
static struct child *run_to_end(u64 first, u64 second, struct pv_dom_status *s)
{
	struct child *c = child_make(0);

	c->share->word[0] = first;
	c->share->word[1] = second;
	child_start(c);
	CHECK(child_wait(c, 500, s));
	return c;
}

static void expect_end(u64 reason, u64 code)
{
	struct pv_dom_status s;
	struct child *c = run_to_end(reason, code, &s);

	CHECK_EQ(s.reason, reason);
	CHECK_EQ(s.code, code);
	CHECK_EQ(c->share->word[2], 0);
	CHECK(s.mem_used > 10); /* the frames are still there */
	child_destroy(c);
}

PV_DRIVER_TEST(shutdown_poweroff, "PVABI-DOM-013.1", PARTS(shutdown_as_told))
{
	expect_end(PV_REASON_POWEROFF, 0);
	expect_end(PV_REASON_POWEROFF, 0xdeadbeef);
}

PV_DRIVER_TEST(shutdown_reboot, "PVABI-DOM-013.1", PARTS(shutdown_as_told))
{
	expect_end(PV_REASON_REBOOT, 1);
}

PV_DRIVER_TEST(shutdown_panic, "PVABI-DOM-013.1", PARTS(shutdown_as_told))
{
	expect_end(PV_REASON_PANIC, 0xffffffff);
}

PV_DRIVER_TEST(shutdown_halt, "PVABI-DOM-013.1", PARTS(shutdown_as_told))
{
	expect_end(PV_REASON_HALT, 7);
}

PV_TEST(shutdown_bad_reason, "PVABI-DOM-014.1")
{
	CHECK_ERR(OP(DOM_CTL, SHUTDOWN, PV_SELF, (u64)PV_REASON_NONE << 32), EINVAL);
	CHECK_ERR(OP(DOM_CTL, SHUTDOWN, PV_SELF, (u64)PV_REASON_FAULT << 32), EINVAL);
	CHECK_ERR(OP(DOM_CTL, SHUTDOWN, PV_SELF, (u64)PV_REASON_DOUBLE_FAULT << 32), EINVAL);
	CHECK_ERR(OP(DOM_CTL, SHUTDOWN, PV_SELF, (u64)PV_REASON_KMEM << 32), EINVAL);
	CHECK_ERR(OP(DOM_CTL, SHUTDOWN, PV_SELF, 99ull << 32), EINVAL);
	CHECK_ERR(OP(DOM_CTL, SHUTDOWN, PV_SELF, ~0ull), EINVAL);
}

PV_DRIVER_TEST(shutdown_of_another, "PVABI-DOM-014.1")
{
	u64 dom = empty_domain(4, 64);

	CHECK_ERR(OP(DOM_CTL, SHUTDOWN, dom, (u64)PV_REASON_POWEROFF << 32), EINVAL);
	CHECK_OK(dom_destroy(dom));
}

static void report_status(void)
{
	struct pv_dom_status s;

	dom_status(PV_SELF, &s);
	CHECK_EQ(s.state, PV_DOM_RUNNING);
	CHECK_EQ(s.reason, PV_REASON_NONE);
	CHECK_EQ(s.pause_count, 0);
	CHECK_EQ(s.vcpus, 1);
	CHECK(s.mem_used > 10 && s.mem_used <= s.mem_quota);
	CHECK(s.kmem_used >= 1 && s.kmem_used <= s.kmem_quota);
	CHECK_EQ(s.audit_findings, 0);
	u64 calls = s.hypercalls;

	for (u32 i = 0; i < 10; i++)
		OP(INFO, VERSION, 0);
	dom_status(PV_SELF, &s);
	CHECK_EQ(s.hypercalls - calls, 11);
	u64 ran = s.run_ns;

	delay_ms(20);
	OP(VCPU_CTL, YIELD, PV_SELF);
	dom_status(PV_SELF, &s);
	CHECK(s.run_ns > ran + 5 * MS);
}

PV_TEST(status_fields, "PVABI-DOM-015.1")
{
	report_status();
}

static void fault_then_shutdown(void)
{
	*(volatile u64 *)0x123456789000 = 1;
}

PV_DRIVER_TEST(first_reason_stays, "PVABI-DOM-016.1", PARTS(fault_then_shutdown))
{
	struct child *c = child_make(0);
	struct pv_dom_status s, again;

	child_start(c);
	CHECK(child_wait(c, 500, &s));
	CHECK_EQ(s.reason, PV_REASON_FAULT);
	CHECK_ERR(OP(DOM_CTL, PAUSE, c->dom), ESTATE);
	sleep_ms(2);
	child_status(c, &again);
	CHECK_EQ(again.reason, PV_REASON_FAULT);
	CHECK_EQ(again.code, s.code);
	CHECK_EQ(again.detail, 0x123456789000);
}

static void do_nothing(void)
{
}

PV_DRIVER_TEST(child_virq, "PVABI-DOM-017.1", PARTS(do_nothing))
{
	u64 port = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));

	CHECK_OK(OP(PORT_CTL, BIND_VIRQ, port, PV_VIRQ_CHILD));
	CHECK_EQ(OP(PORT_CTL, STATUS, port), PV_PORT_VIRQ);
	__atomic_fetch_and(&port_page->pending[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
	struct child *c = child_make(0);

	child_start(c);
	child_expect_pass(c);
	CHECK(port_page->pending[port / 64] & 1ull << port % 64);
	CHECK_OK(OP(PORT_CTL, CLOSE, port));
	__atomic_fetch_and(&port_page->pending[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcs0->port_sel, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcs0->pend[0], 0, __ATOMIC_SEQ_CST);
}

/* ---- faults; the driver compares reason, code, and here detail and rip too ---- */

static void fault_act(void)
{
	u64 address = share->word[1];

	switch (share->word[0]) {
	case 0:
		__asm__ volatile("fault_read: mov (%0), %%rax" ::"r"(address) : "rax");
		break;
	case 1:
		__asm__ volatile("fault_write: mov %0, (%0)" ::"r"(address) : "memory");
		break;
	case 2:
		__asm__ volatile("jmp *%0" ::"r"(address));
		break;
	case 3:
		__asm__ volatile("fault_ud: ud2");
		break;
	case 4:
		__asm__ volatile("fault_de: div %0" ::"r"(0ull) : "rax", "rdx");
		break;
	case 5:
		__asm__ volatile("fault_gp: mov (%0), %%rax" ::"r"(0x8000000000000000ull) : "rax");
		break;
	case 6:
		__asm__ volatile("fault_hlt: hlt");
		break;
	case 7:
		__asm__ volatile("int3");
		break;
	}
}
extern char fault_read[], fault_write[], fault_ud[], fault_de[], fault_gp[], fault_hlt[];

static void expect_fault(u64 what, u64 address, u64 vector, u64 detail, u64 rip)
{
	struct pv_dom_status s;
	struct child *c = run_to_end(what, address, &s);

	CHECK_EQ(s.reason, PV_REASON_FAULT);
	CHECK_EQ(s.code, vector);
	if (vector == 14)
		CHECK_EQ(s.detail, detail);
	if (rip)
		CHECK_EQ(s.fault_rip, rip);
	child_destroy(c);
}

PV_DRIVER_TEST(fault_null_read, "PVABI-DOM-018.1 PVABI-EVT-009.1", PARTS(fault_act))
{
	expect_fault(0, 0, 14, 0, (u64)fault_read);
}

PV_DRIVER_TEST(fault_unmapped_write, "PVABI-DOM-018.1", PARTS(fault_act))
{
	expect_fault(1, 0x7ffffffff123, 14, 0x7ffffffff123, (u64)fault_write);
	expect_fault(1, 0x10, 14, 0x10, (u64)fault_write);
}

PV_DRIVER_TEST(fault_write_to_text, "PVABI-DOM-018.1 PVABI-MAP-006.1", PARTS(fault_act))
{
	expect_fault(1, (u64)fault_ud, 14, (u64)fault_ud, (u64)fault_write);
}

PV_DRIVER_TEST(fault_exec_data, "PVABI-DOM-018.1 PVABI-MAP-017.1", PARTS(fault_act))
{
	expect_fault(2, (u64)&abi_cpus, 14, (u64)&abi_cpus, (u64)&abi_cpus);
}

PV_DRIVER_TEST(fault_kernel_hole, "PVABI-DOM-018.1 PVABI-ISO-004.1", PARTS(fault_act))
{
	expect_fault(0, PV_HOLE_START, 14, PV_HOLE_START, (u64)fault_read);
	expect_fault(1, PV_HOLE_END - 8, 14, PV_HOLE_END - 8, (u64)fault_write);
}

PV_DRIVER_TEST(fault_jump_to_hole, "PVABI-HOS-007.1", PARTS(fault_act))
{
	expect_fault(2, PV_HOLE_START + 0x1000, 14, PV_HOLE_START + 0x1000,
		     PV_HOLE_START + 0x1000);
}

PV_DRIVER_TEST(fault_undefined, "PVABI-DOM-018.1", PARTS(fault_act))
{
	expect_fault(3, 0, 6, 0, (u64)fault_ud);
}

PV_DRIVER_TEST(fault_divide, "PVABI-DOM-018.1", PARTS(fault_act))
{
	expect_fault(4, 0, 0, 0, (u64)fault_de);
}

PV_DRIVER_TEST(fault_non_canonical, "PVABI-DOM-018.1 PVABI-HOS-007.1", PARTS(fault_act))
{
	expect_fault(5, 0, 13, 0, (u64)fault_gp);
	expect_fault(2, 0x8000000000000000, 13, 0, 0);
}

PV_DRIVER_TEST(fault_privileged, "PVABI-DOM-018.1 PVABI-ISO-005.1", PARTS(fault_act))
{
	expect_fault(6, 0, 13, 0, (u64)fault_hlt);
}

PV_DRIVER_TEST(fault_breakpoint, "PVABI-DOM-018.1", PARTS(fault_act))
{
	expect_fault(7, 0, 3, 0, 0);
}

/* ---- afterwards ---- */

PV_DRIVER_TEST(no_second_start, "PVABI-DOM-020.1", PARTS(do_nothing), .vcpus = 2)
{
	struct child *c = child_make(0);

	CHECK_OK(OP(VCPU_CTL, CREATE, c->dom, 1));
	child_start(c);
	child_expect_pass(c);
	CHECK_ERR(OP(DOM_CTL, UNPAUSE, c->dom), ESTATE);
	CHECK_ERR(OP(VCPU_CTL, START, c->dom, 0), ESTATE);
	CHECK_ERR(OP(VCPU_CTL, START, c->dom, 1), ESTATE); /* never ran */
}

static void write_secret(void)
{
	u64 *page = pages_alloc(8);

	for (u32 i = 0; i < 8 * 512; i++)
		page[i] = 0x5ec2e75ec2e75ec2;
}

static void look_for_secret(void)
{
	u64 first = share->word[0];

	u64 va = 0x20000000;

	populate(PV_SELF, first, 64);
	map(PV_SELF, va, first, 64, PV_PROT_READ);
	for (const u64 *p = (const u64 *)va; p < (const u64 *)(va + 64 * PAGE_BYTES); p++)
		CHECK_EQ(*p, 0);
}

PV_DRIVER_TEST(frames_reach_others_zeroed, "PVABI-DOM-021.1 PVABI-MEM-001.1",
	       PARTS(write_secret, look_for_secret))
{
	for (u32 i = 0; i < 4; i++) {
		struct child *c = child_make(0);

		child_start(c);
		child_expect_pass(c);
		child_destroy(c);
		c = child_make(1);
		c->share->word[0] = c->spare_gfn;
		child_start(c);
		child_expect_pass(c);
		child_destroy(c);
	}
}
