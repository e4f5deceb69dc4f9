// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench.c - what the hot paths cost. Under `-icount shift=0` the TSC counts executed instructions, so
 * the differences are exact; elsewhere they are cycles. Runs when the command line says `bench`.
 */
#include "snippet.h"

#define ROUNDS 1000u

SNIPPET(prog_loop, "1: syscall; jmp 1b");
SNIPPET(prog_touch, "1: movq (%rbx), %rax; addq $4096, %rbx; decq %rcx; jnz 1b; syscall");
SNIPPET(prog_store, "1: movb $1, (%rbx); jmp 1b");

static u64 tsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

static void report(const char *what, u64 from, u64 to, u64 rounds)
{
	print("# bench %s: %d\n", what, (to - from) / rounds);
}

static void bench_calls(void)
{
	u64 t = tsc();

	for (u32 i = 0; i < ROUNDS; i++)
		__asm__ volatile("" ::: "memory");
	report("empty loop", t, tsc(), ROUNDS);
	t = tsc();
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 rax = PV_HC_INFO;

		__asm__ volatile("syscall" : "+a"(rax) : "D"(0), "S"(0) : "rcx", "r11", "memory");
	}
	report("null hypercall", t, tsc(), ROUNDS);
	irq_off();
	t = tsc();
	for (u32 i = 0; i < ROUNDS; i++)
		(void)HC2(SEND_IPI, 1, 0x55);
	report("send_ipi to oneself, pending", t, tsc(), ROUNDS);
	take_pend();
	t = tsc();
	for (u32 i = 0; i < ROUNDS; i++)
		(void)HC1(TIMER_SET, PV_FOREVER - 1);
	report("timer_set", t, tsc(), ROUNDS);
	(void)HC1(TIMER_SET, PV_FOREVER);
	t = tsc();
	for (u32 i = 0; i < ROUNDS; i++)
		(void)HC3(VCPU_CTL, PV_VCPU_CTL_YIELD, PV_SELF, 0);
	report("yield", t, tsc(), ROUNDS);
	t = tsc();
	for (u32 i = 0; i < ROUNDS; i++)
		(void)flush(USER_DATA, USER_DATA + 4096);
	report("flush of one page", t, tsc(), ROUNDS);
	t = tsc();
	for (u32 i = 0; i < ROUNDS; i++)
		(void)HC2(AS_LOAD_ROOT, root_gpa, PV_ROOT_KEEP);
	report("load_root, the same one", t, tsc(), ROUNDS);
	t = tsc();
	for (u32 i = 0; i < ROUNDS; i++)
		__asm__ volatile("int3");
	report("int3 in kernel mode with handler and ERETS", t, tsc(), ROUNDS);
}

static void bench_user(void)
{
	struct user_ctx c;
	u64 t, va = USER_DATA + 0x1000000;

	SETUP(&c, prog_loop);
	(void)user_go(&c);
	irq_off();
	t = tsc();
	for (u32 i = 0; i < ROUNDS; i++)
		(void)user_run(&c);
	report("system call round trip, with the toy's 60 instructions", t, tsc(), ROUNDS);

	for (u32 i = 0; i < 256; i++)
		map(va + i * 4096, page_alloc(), PTE_P | PTE_W | PTE_U | PTE_A | PTE_D);
	SETUP(&c, prog_touch);
	c.rbx = va;
	c.rcx = 256;
	t = tsc();
	(void)user_go(&c);
	report("vTLB fill", t, tsc(), 256);
	c.rbx = va;
	c.rcx = 256;
	c.rip = USER_CODE;
	t = tsc();
	(void)user_go(&c);
	report("the same pages, filled", t, tsc(), 256);

	SETUP(&c, prog_store);
	c.rbx = va + 0x200000;
	(void)user_go(&c);
	t = tsc();
	for (u32 i = 0; i < ROUNDS; i++)
		(void)user_run(&c);
	report("page fault, injected and refused, with the toy's", t, tsc(), ROUNDS);
}

void bench(void)
{
	bench_calls();
	bench_user();
}
