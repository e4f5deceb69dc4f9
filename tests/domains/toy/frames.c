// SPDX-License-Identifier: BSD-2-Clause
/*
 * frames.c - frames ERETU must refuse, or must not take by its short way: the guest kernel gets #GP
 * at the return and nothing worse happens.
 */
#include "snippet.h"

SNIPPET(prog_plain, "movl $0x42, %ebx; syscall");

/* The frame is refused with #GP at the ERETU, in kernel mode, with the virtual IF clear. */
static void expect_refusal(struct user_ctx *c, const char *what)
{
	u64 count = seen.count, how = user_go(c);

	if (how != LEFT_BY_REFUSAL || seen.last.vector != 13)
		print("# left by %d, vector %d\n", how, seen.last.vector);
	check(how == LEFT_BY_REFUSAL && seen.count == count + 1 && seen.last.vector == 13 &&
		      seen.last.rip == (u64)toy_eretu && !(seen.last.rflags & 0x200),
	      what);
}

static void test_refusals(void)
{
	static const u64 bad_cs[] = { 0, 0x10, 0x13, 0x33 & ~3ull, 0x2b, 0x43, 0x7b, 0x333, 0x10033 };
	static const u64 bad_ss[] = { 0, 0x18, 0x28, 0x33, 0x43 };
	static const u64 bad_rip[] = { 0x800000000000, 0xffff7fffffffffff, 0x8000000000000000 };
	struct user_ctx c;

	for (u32 i = 0; i < sizeof(bad_cs) / 8; i++) {
		SETUP(&c, prog_plain);
		c.cs = bad_cs[i];
		print("# cs 0x%x\n", c.cs);
		expect_refusal(&c, "bad cs");
	}
	for (u32 i = 0; i < sizeof(bad_ss) / 8; i++) {
		SETUP(&c, prog_plain);
		c.ss = bad_ss[i];
		print("# ss 0x%x\n", c.ss);
		expect_refusal(&c, "bad ss");
	}
	for (u32 i = 0; i < sizeof(bad_rip) / 8; i++) {
		SETUP(&c, prog_plain);
		c.rip = c.rcx = bad_rip[i];
		expect_refusal(&c, "rip that is not canonical");
	}
	SETUP(&c, prog_plain);
	vcs.user_gs_base = 0x1234567812345678;
	expect_refusal(&c, "gs base that is not canonical");
	vcs.user_gs_base = 0;
}

static void test_odd_frames(void)
{
	struct user_ctx c;

	SETUP(&c, prog_plain);
	c.rip = (u64)&vcs;
	c.rcx = c.rip;
	check_eq(user_go(&c), LEFT_BY_EVENT, "rip in the guest kernel's half");
	check(vcs.uframe.vector == 14 && vcs.uframe.error == 0x15, "is the program's own #PF");
	SETUP(&c, prog_plain);
	c.rflags = c.r11 = ~0x100ull;
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "every flag but TF set in the frame");
	check_eq(c.rflags & ~0x254fd7ull, 0, "and none of the forbidden ones arrived");
	check_eq(c.rflags & 0x200, 0x200, "IF did");
	SETUP(&c, prog_plain);
	c.rflags = c.r11 = 0;
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "no flag set in the frame");
	check_eq(c.rflags & 0x202, 0x202, "interrupts are on all the same");
	SETUP(&c, prog_plain);
	vcs.kframe.rip = 0x800000000000;
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "the kernel frame does not matter to ERETU");
	check_eq(c.rbx, 0x42, "the program ran");
}

/* ERETU at the end of the canonical range: the SYSCALL there leaves a rip no SYSRET may load. */
static void test_edge(void)
{
	u64 page = page_alloc(), last = 0x7ffffffff000;
	u8 *p = gpa_ptr(page);
	struct user_ctx c;

	p[4094] = 0x0f;
	p[4095] = 0x05;
	map(last, page, PTE_P | PTE_U | PTE_A);
	SETUP(&c, prog_plain);
	c.rip = c.rcx = last + 4094;
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "SYSCALL as the last instruction of the low half");
	check_eq(c.rip, 0x800000000000, "leaves a rip that is not canonical");
	expect_refusal(&c, "to which ERETU does not return");
	map(last, 0, 0);
	(void)flush(last, last + 4096);
}

void test_frames(void)
{
	test_refusals();
	test_odd_frames();
	test_edge();
}
