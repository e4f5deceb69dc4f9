// SPDX-License-Identifier: BSD-2-Clause
/*
 * user.c - excursions to user mode and their tests. A user program here is a few instructions
 * copied to USER_CODE.
 */
#include "snippet.h"

void user_setup(struct user_ctx *ctx, const void *code, size_t len)
{
	static u64 code_page, stack_page;
	u8 *to;

	if (!code_page) {
		code_page = page_alloc();
		stack_page = page_alloc();
		map(USER_CODE, code_page, PTE_P | PTE_U | PTE_A);
		map(USER_STACK - 4096, stack_page, PTE_P | PTE_U | PTE_W | PTE_A | PTE_D | PTE_NX);
	}
	to = gpa_ptr(code_page);
	for (size_t i = 0; i < len; i++)
		to[i] = ((const u8 *)code)[i];
	*ctx = (struct user_ctx){
		.rip = USER_CODE,
		.rcx = USER_CODE,
		.rflags = 0x202,
		.r11 = 0x202,
		.cs = PV_USER_CS,
		.ss = PV_USER_SS,
		.rsp = USER_STACK,
	};
}

u64 user_go(struct user_ctx *ctx)
{
	struct pv_frame *f = &vcs.uframe;
	u64 how;

	f->rip = ctx->rip;
	f->rcx = ctx->rcx;
	f->r11 = ctx->r11;
	f->rflags = ctx->rflags;
	f->cs = ctx->cs;
	f->ss = ctx->ss;
	f->vector = f->error = ~0ull;
	irq_off();
	how = user_run(ctx);
	if (how == LEFT_BY_REFUSAL)
		return how;
	ctx->rip = f->rip;
	ctx->rcx = f->rcx;
	ctx->r11 = f->r11;
	ctx->rflags = f->rflags;
	ctx->cs = f->cs;
	ctx->ss = f->ss;
	return how;
}

SNIPPET(prog_syscall, "mov $0x1122334455667788, %rax; mov $7, %edi; syscall; mov $9, %ebx; syscall");
SNIPPET(prog_loop, "1: syscall; dec %rbx; jnz 1b; ud2");
SNIPPET(prog_regs, "xchg %rcx, %rax; xchg %r11, %rdx; syscall");
SNIPPET(prog_gs, "movq %gs:0, %rbx; syscall; movq %gs:8, %rbx; syscall");
SNIPPET(prog_wrgsbase, "rdgsbase %rbx; mov $0x1234567000, %rax; wrgsbase %rax; syscall; rdgsbase %rbx; syscall");
SNIPPET(prog_flags, "pushf; pop %rbx; std; stc; syscall");

static void test_round_trips(void)
{
	struct user_ctx c;
	u64 left = 0;

	SETUP(&c, prog_loop);
	c.rbx = 1000;
	while (left < 2000 && user_go(&c) == LEFT_BY_SYSCALL)
		left++;
	check_eq(left, 1000, "a thousand system calls, then the #UD behind them");
	check_eq(vcs.uframe.vector, 6, "#UD from user mode");
	check_eq(c.rbx, 0, "user register survived a thousand system calls");
}

static void test_registers(void)
{
	struct user_ctx c;

	SETUP(&c, prog_regs);
	c.rcx = 0xaaaabbbbccccddddull;
	c.r11 = 0x5555666677778888ull;
	c.r8 = 8;
	c.r15 = 15;
	c.rsi = 0x51;
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "ERETU with a frame for IRETQ");
	check_eq(c.rax, 0xaaaabbbbccccddddull, "rcx arrived in user mode");
	check_eq(c.rdx, 0x5555666677778888ull, "r11 arrived in user mode");
	check(c.r8 == 8 && c.r15 == 15 && c.rsi == 0x51, "other registers arrived and came back");
}

static void test_gs(void)
{
	u64 page = page_alloc(), va = USER_DATA + 0x600000;
	u64 *data = gpa_ptr(page);
	struct user_ctx c;

	data[0] = 0x600d;
	data[1] = 0xbe77e8;
	map(va, page, PTE_P | PTE_U);
	SETUP(&c, prog_gs);
	vcs.user_gs_base = va;
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "user program that uses its gs base");
	check_eq(c.rbx, 0x600d, "memory behind gs");
	check_eq(vcs.user_gs_base, va, "gs base as it was");
	(void)user_go(&c);
	check_eq(c.rbx, 0xbe77e8, "memory behind gs after a system call");
	if (!(read_cr4() & CR4_FSGSBASE))
		return;
	SETUP(&c, prog_wrgsbase);
	vcs.user_gs_base = 0x7654321000ull;
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "user program that sets its gs base");
	check_eq(c.rbx, 0x7654321000ull, "gs base given by the VCS");
	check_eq(vcs.user_gs_base, 0x1234567000ull, "gs base handed back in the VCS");
	(void)user_go(&c);
	check_eq(c.rbx, 0x1234567000ull, "gs base kept over a system call");
}

void test_user(void)
{
	struct user_ctx c;

	SETUP(&c, prog_syscall);
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "user mode reached and left by SYSCALL");
	check_eq(c.rax, 0x1122334455667788ull, "rax of the system call");
	check_eq(c.rdi, 7, "rdi of the system call");
	check_eq(c.rip, USER_CODE + 17, "rip behind the SYSCALL");
	check_eq(c.rcx, c.rip, "frame.rcx is rip");
	check_eq(c.r11, c.rflags, "frame.r11 is rflags");
	check_eq(c.rsp, USER_STACK, "user stack pointer kept");
	check(c.cs == PV_USER_CS && c.ss == PV_USER_SS, "selectors of the user frame");
	check(!irqs_are_on(), "virtual IF is clear on entry");
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "second system call");
	check_eq(c.rbx, 9, "user mode went on where it was");
	SETUP(&c, prog_flags);
	c.rflags = c.r11 = 0x203202; /* ID, IOPL 3 */
	(void)user_go(&c);
	check_eq(c.rbx & 0x3f7fd7, 0x200202, "IOPL is taken away, ID and IF are there");
	check_eq(c.rflags & 0x401, 0x401, "DF and CF of the program are in the frame");
	test_round_trips();
	test_registers();
	test_gs();
}
