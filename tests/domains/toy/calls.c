// SPDX-License-Identifier: BSD-2-Clause
/*
 * calls.c - the calling convention of hypercalls, and time.
 */
#include "toy.h"

static void test_registers_kept(void)
{
	u64 rbx = 0x1111, rdx = 0x2222, r8 = 0x3333, r9 = 0x4444, r15 = 0x5555, rsi = 0, rdi = 0;
	register u64 r8_ __asm__("r8") = r8;
	register u64 r9_ __asm__("r9") = r9;
	register u64 r15_ __asm__("r15") = r15;
	u64 rax = PV_HC_INFO, rflags;
	bool same;

	__asm__ volatile("stc; std; syscall; pushfq; cld; popq %0"
			 : "=r"(rflags), "+a"(rax), "+b"(rbx), "+d"(rdx), "+S"(rsi), "+D"(rdi),
			   "+r"(r8_), "+r"(r9_), "+r"(r15_)
			 :
			 : "rcx", "r11", "memory");
	same = rbx == 0x1111 && rdx == 0x2222 && !rsi && !rdi && r8_ == 0x3333 && r9_ == 0x4444 &&
	       r15_ == 0x5555;
	check(same, "a hypercall keeps registers");
	check_eq(rax, PV_ABI_MAJOR << 16 | PV_ABI_MINOR, "INFO VERSION");
	check_eq(rflags & 0x401, 0x401, "a hypercall keeps flags");
}

static u64 now_ns(void)
{
	const struct pv_clock *c = &vcs.clock;
	u32 lo, hi;
	u64 t;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi));
	t = ((u64)hi << 32 | lo) - c->tsc0;
	t = c->shift < 0 ? t >> -c->shift : t << c->shift;
	return c->ns0 + (u64)((unsigned __int128)t * c->mul >> 32);
}

void test_calls(void)
{
	u64 t0, t1;

	check_eq((u64)hypercall(999, 0, 0, 0, 0, 0, 0), (u64)-PV_ENOSYS, "unknown hypercall");
	test_registers_kept();
	check_eq(vcs.vcpu, 0, "VCS names the vCPU");
	check(!(vcs.clock.seq & 1) && vcs.clock.mul, "clock parameters are there");
	t0 = now_ns();
	check_eq((u64)HC2(WAIT, 0, t0 + 3000000), 1, "WAIT until a deadline answers 1");
	t1 = now_ns();
	check(t1 >= t0 + 3000000, "WAIT did not return early");
	check_eq((u64)HC2(WAIT, 0, 0), 1, "WAIT with deadline 0 polls");
	check(vcs.clock.wall_sec > 1500000000, "wall clock is of this century");
	check((u64)HC2(WAIT, 2, 0) == (u64)-PV_EINVAL, "WAIT with an unknown flag");
}
