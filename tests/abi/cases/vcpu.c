/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vcpu.c - VCPU_CTL and VCPU_REGS.
 */
#include <string.h>

#include "../lib/abitest.h"

static volatile u64 flag;
extern volatile u64 ticks; /* named by assembly below */
volatile u64 ticks;

static void set_flag(void)
{
	flag = 1;
}

static void tick_loop(void)
{
	for (;;)
		ticks++;
}

static void put_gpr(const struct pv_vcpu_gpr *gpr)
{
	batch_put(gpr, sizeof(*gpr));
}

static struct pv_runstate runstate(u64 dom, u64 vcpu)
{
	struct pv_runstate state;

	CHECK_OK(OP(VCPU_CTL, STATUS, dom, vcpu));
	batch_get(&state, sizeof(state));
	return state;
}

PV_TEST(vcpu_create, "PVABI-VCP-001.1", .vcpus = 3)
{
	struct pv_dom_status s;

	CHECK_ERR(OP(VCPU_CTL, CREATE, PV_SELF, 0), EEXIST);
	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, 2));
	CHECK_ERR(OP(VCPU_CTL, CREATE, PV_SELF, 2), EEXIST);
	CHECK_EQ(runstate(PV_SELF, 2).state, 0);
	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, 1));
	dom_status(PV_SELF, &s);
	CHECK_EQ(s.vcpus, 3);
}

PV_TEST(vcpu_create_range, "PVABI-VCP-001.1", .vcpus = 3)
{
	CHECK_ERR(OP(VCPU_CTL, CREATE, PV_SELF, 3), ERANGE);
	CHECK_ERR(OP(VCPU_CTL, CREATE, PV_SELF, PV_MAX_VCPUS), ERANGE);
	CHECK_ERR(OP(VCPU_CTL, CREATE, PV_SELF, 1ull << 32), ERANGE);
	CHECK_ERR(OP(VCPU_CTL, CREATE, PV_SELF, ~0ull), ERANGE);
}

PV_TEST(vcpu_sixteen, "PVABI-VCP-001.1", .vcpus = PV_MAX_VCPUS, .kmem = 256)
{
	for (u64 i = 1; i < PV_MAX_VCPUS; i++)
		CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, i));
	CHECK_ERR(OP(VCPU_CTL, CREATE, PV_SELF, PV_MAX_VCPUS), ERANGE);
}

PV_TEST(vcpu_missing, "PVABI-VCP-002.1", .vcpus = 2)
{
	struct pv_vcpu_gpr gpr = vcpu_gpr_for(1, set_flag);

	CHECK_ERR(OP(VCPU_CTL, START, PV_SELF, 1), ENOENT);
	CHECK_ERR(OP(VCPU_CTL, STOP, PV_SELF, 1), ENOENT);
	CHECK_ERR(OP(VCPU_CTL, STATUS, PV_SELF, 1), ENOENT);
	CHECK_ERR(OP(VCPU_CTL, KICK, PV_SELF, 1), ENOENT);
	CHECK_ERR(OP(VCPU_REGS, GET, PV_SELF, 1), ENOENT);
	put_gpr(&gpr);
	CHECK_ERR(OP(VCPU_REGS, SET, PV_SELF, 1), ENOENT);
}

PV_TEST(vcpu_number_range, "PVABI-VCP-002.1")
{
	CHECK_ERR(OP(VCPU_CTL, START, PV_SELF, PV_MAX_VCPUS), ERANGE);
	CHECK_ERR(OP(VCPU_CTL, KICK, PV_SELF, ~0ull), ERANGE);
	CHECK_ERR(OP(VCPU_REGS, GET, PV_SELF, PV_MAX_VCPUS), ERANGE);
}

PV_TEST(vcpu_start_twice, "PVABI-VCP-003.1", .vcpus = 2)
{
	CHECK_ERR(OP(VCPU_CTL, START, PV_SELF, 0), ESTATE);
	vcpu_launch(1, tick_loop);
	CHECK_ERR(OP(VCPU_CTL, START, PV_SELF, 1), ESTATE);
}

PV_TEST(vcpu_stop_start, "PVABI-VCP-004.1", .vcpus = 2)
{
	vcpu_launch(1, tick_loop);
	for (u32 i = 0; i < 10; i++) {
		u64 before = ticks;

		for (u32 j = 0; j < 200 && ticks == before; j++)
			sleep_ms(3);
		CHECK(ticks != before);
		CHECK_OK(OP(VCPU_CTL, STOP, PV_SELF, 1));
		CHECK_EQ(runstate(PV_SELF, 1).state, 0);
		before = ticks;
		sleep_ms(3);
		CHECK_EQ(ticks, before);
		CHECK_OK(OP(VCPU_CTL, START, PV_SELF, 1));
	}
}

PV_TEST(vcpu_stop_of_a_stopped, "PVABI-VCP-004.1", .vcpus = 2)
{
	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, 1));
	CHECK_OK(OP(VCPU_CTL, STOP, PV_SELF, 1));
	CHECK_EQ(runstate(PV_SELF, 1).state, 0);
}

static void stop_self_then_flag(void)
{
	flag = 1;
	CHECK_OK(OP(VCPU_CTL, STOP, PV_SELF, 1));
	flag = 2;
}

PV_TEST(vcpu_stop_itself, "PVABI-VCP-005.1", .vcpus = 2)
{
	vcpu_launch(1, stop_self_then_flag);
	CHECK(wait_for(&flag, 1, 500));
	for (u32 i = 0; i < 100 && runstate(PV_SELF, 1).state != 0; i++)
		sleep_ms(1);
	CHECK_EQ(runstate(PV_SELF, 1).state, 0);
	CHECK_EQ(flag, 1);
	CHECK_OK(OP(VCPU_CTL, START, PV_SELF, 1));
	CHECK(wait_for(&flag, 2, 500));
}

PV_TEST(vcpu_status_times, "PVABI-VCP-006.1", .vcpus = 2)
{
	vcpu_launch(1, tick_loop);
	sleep_ms(5);
	struct pv_runstate a = runstate(PV_SELF, 1);

	sleep_ms(20);
	struct pv_runstate b = runstate(PV_SELF, 1);

	CHECK(a.state >= 1 && a.state <= 2);
	CHECK(b.run_ns > a.run_ns);
	CHECK(b.run_ns - a.run_ns < 2000 * MS);
	CHECK(b.switches >= a.switches && b.switches >= 1);
	CHECK_EQ(runstate(PV_SELF, 0).state, 1);
}

static void waiter(void)
{
	flag = 1;
	CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
	flag = 2;
}

PV_TEST(vcpu_kick_ends_wait, "PVABI-VCP-007.1 PVABI-WAI-004.1", .vcpus = 2)
{
	vcpu_launch(1, waiter);
	CHECK(wait_for(&flag, 1, 500));
	sleep_ms(5);
	CHECK_EQ(flag, 1);
	CHECK_EQ(runstate(PV_SELF, 1).state, 3);
	CHECK_OK(OP(VCPU_CTL, KICK, PV_SELF, 1));
	CHECK(wait_for(&flag, 2, 500));
}

PV_TEST(vcpu_kick_is_remembered, "PVABI-VCP-007.1")
{
	CHECK_OK(OP(VCPU_CTL, KICK, PV_SELF, 0));
	CHECK_OK(OP(VCPU_CTL, KICK, PV_SELF, 0));
	CHECK_EQ(HC(WAIT, 0, PV_FOREVER), 0);
	CHECK_EQ(HC(WAIT, 0, clock_ns() + MS), 1); /* one kick, however often */
}

PV_TEST(vcpu_yield, "PVABI-VCP-008.1")
{
	CHECK_OK(OP(VCPU_CTL, YIELD, PV_SELF, 0, 0));
	CHECK_ERR(OP(VCPU_CTL, YIELD, PV_SELF, 1, 0), EINVAL);
	CHECK_ERR(OP(VCPU_CTL, YIELD, PV_SELF, 0, 1), EINVAL);
	CHECK_ERR(OP(VCPU_CTL, YIELD, 0x10001, 0, 0), EINVAL);
}

PV_TEST(vcpu_argument_must_be_zero, "PVABI-VCP-009.1", .vcpus = 2)
{
	CHECK_ERR(OP(VCPU_CTL, CREATE, PV_SELF, 1, 1), EINVAL);
	CHECK_ERR(OP(VCPU_CTL, START, PV_SELF, 1, 1), EINVAL);
	CHECK_ERR(OP(VCPU_CTL, START, PV_SELF, 1, ~0ull), EINVAL);
}

static volatile u64 ping, pong;

static void pong_loop(void)
{
	for (u64 i = 1; i <= 2000; i++) {
		while (ping != i)
			__asm__ volatile("pause");
		pong = i;
	}
}

/* Without YIELD: it only ends in time if both run at once. */
PV_TEST(vcpu_two_at_once, "PVABI-VCP-010.1", .vcpus = 2, .cpus = 2, .budget_ms = 10000)
{
	vcpu_launch(1, pong_loop);
	for (u64 i = 1; i <= 2000; i++) {
		ping = i;
		while (pong != i)
			__asm__ volatile("pause");
	}
}

PV_TEST(vcpu_create_without_kmem, "PVABI-VCP-011.1", .vcpus = PV_MAX_VCPUS, .kmem = 96)
{
	i64 result = 0;
	u64 va = 0x40000000;

	for (u32 i = 0; result >= 0 && i < 512; i++, va += 0x40000000) /* a new L2 each */
		result = OP(AS_MAP, MAP, PV_SELF, va, PV_EXPLICIT_BASE >> 12, 1, PV_PROT_READ);
	CHECK_EQ(result, -(i64)PV_ENOMEM);
	for (u64 i = 1; i < PV_MAX_VCPUS; i++) {
		result = OP(VCPU_CTL, CREATE, PV_SELF, i);
		if (result < 0)
			break;
	}
	CHECK_EQ(result, -(i64)PV_ENOMEM);
}

/* ---- registers ---- */

static struct pv_vcpu_gpr pattern(void)
{
	struct pv_vcpu_gpr gpr;
	u64 *words = (u64 *)&gpr;

	for (u32 i = 0; i < 16; i++)
		words[i] = 0x0101010101010101ull * (i + 1);
	gpr.rip = 0x7fffffffe000;
	gpr.rflags = 0x202;
	gpr.kernel_gs_base = 0x123000;
	gpr.root = ~0ull;
	gpr.mode = 0;
	gpr.reserved = 0;
	return gpr;
}

PV_TEST(regs_round_trip, "PVABI-REG-001.1", .vcpus = 2)
{
	struct pv_vcpu_gpr in = pattern(), out;

	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, 1));
	put_gpr(&in);
	CHECK_OK(OP(VCPU_REGS, SET, PV_SELF, 1));
	memset(vcs0->batch, 0x55, sizeof(in));
	CHECK_OK(OP(VCPU_REGS, GET, PV_SELF, 1));
	batch_get(&out, sizeof(out));
	CHECK(!memcmp(&in, &out, offsetof(struct pv_vcpu_gpr, rflags)));
	CHECK_EQ(out.rflags & ~0x8d5ull, 0x202);
	CHECK_EQ(out.kernel_gs_base, in.kernel_gs_base);
	CHECK_EQ(out.mode, 0);
	CHECK_EQ(out.reserved, 0);
}

PV_TEST(regs_bad_addresses, "PVABI-REG-002.1 PVABI-REG-005.1", .vcpus = 2)
{
	static const u64 bad[] = { 0x800000000000, 0xffff7fffffffffff, PV_HOLE_START,
				   PV_HOLE_END - 1, 0x8000000000000000, 0xff00000000000000 };
	struct pv_vcpu_gpr good = pattern(), out;

	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, 1));
	put_gpr(&good);
	CHECK_OK(OP(VCPU_REGS, SET, PV_SELF, 1));
	for (u32 i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pv_vcpu_gpr gpr = pattern();

		gpr.rax = 99;
		gpr.rip = bad[i];
		put_gpr(&gpr);
		CHECK_ERR(OP(VCPU_REGS, SET, PV_SELF, 1), EINVAL);
	}
	for (u32 i = 0; i < 2; i++) {
		struct pv_vcpu_gpr gpr = pattern();

		gpr.kernel_gs_base = bad[i];
		put_gpr(&gpr);
		CHECK_ERR(OP(VCPU_REGS, SET, PV_SELF, 1), EINVAL);
	}
	CHECK_OK(OP(VCPU_REGS, GET, PV_SELF, 1));
	batch_get(&out, sizeof(out));
	CHECK_EQ(out.rax, good.rax);
	CHECK_EQ(out.rip, good.rip);
}

PV_TEST(regs_reserved, "PVABI-REG-003.1", .vcpus = 2)
{
	struct pv_vcpu_gpr gpr = pattern();

	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, 1));
	gpr.reserved = 1;
	put_gpr(&gpr);
	CHECK_ERR(OP(VCPU_REGS, SET, PV_SELF, 1), EINVAL);
	gpr = pattern();
	gpr.mode = 2;
	put_gpr(&gpr);
	CHECK_ERR(OP(VCPU_REGS, SET, PV_SELF, 1), EINVAL);
}

PV_TEST(regs_of_a_running_vcpu, "PVABI-REG-004.1", .vcpus = 2)
{
	struct pv_vcpu_gpr gpr = pattern();

	CHECK_ERR(OP(VCPU_REGS, GET, PV_SELF, 0), ESTATE);
	put_gpr(&gpr);
	CHECK_ERR(OP(VCPU_REGS, SET, PV_SELF, 0), ESTATE);
	vcpu_launch(1, tick_loop);
	CHECK_ERR(OP(VCPU_REGS, GET, PV_SELF, 1), ESTATE);
	put_gpr(&gpr);
	CHECK_ERR(OP(VCPU_REGS, SET, PV_SELF, 1), ESTATE);
}

static void spin_with_pattern(void)
{
	__asm__ volatile("movabs $0x1234567812345678, %%r12; movabs $0x8765432187654321, %%r15\n"
			 "movabs $0x1111222233334444, %%rbp; 1: inc %%r14; mov %%r14, ticks\n"
			 "jmp 1b" ::: "memory", "r12", "r14", "r15");
}

PV_TEST(regs_survive_stop, "PVABI-REG-006.1", .vcpus = 2)
{
	struct pv_vcpu_gpr a, b;

	vcpu_launch(1, spin_with_pattern);
	while (!ticks)
		sleep_ms(1);
	CHECK_OK(OP(VCPU_CTL, STOP, PV_SELF, 1));
	CHECK_OK(OP(VCPU_REGS, GET, PV_SELF, 1));
	batch_get(&a, sizeof(a));
	CHECK_EQ(a.r12, 0x1234567812345678);
	CHECK_EQ(a.r15, 0x8765432187654321);
	CHECK_EQ(a.rbp, 0x1111222233334444);
	CHECK_OK(OP(VCPU_CTL, START, PV_SELF, 1));
	for (u64 seen = ticks; ticks == seen;)
		sleep_ms(1);
	CHECK_OK(OP(VCPU_CTL, STOP, PV_SELF, 1));
	CHECK_OK(OP(VCPU_REGS, GET, PV_SELF, 1));
	batch_get(&b, sizeof(b));
	CHECK(b.r14 > a.r14);
	CHECK_EQ(b.r12, a.r12);
	CHECK_EQ(b.rsp, a.rsp);
}

PV_TEST(regs_set_changes_the_course, "PVABI-REG-001.1 PVABI-REG-006.1", .vcpus = 2)
{
	vcpu_launch(1, tick_loop);
	sleep_ms(3);
	CHECK_OK(OP(VCPU_CTL, STOP, PV_SELF, 1));
	struct pv_vcpu_gpr gpr = vcpu_gpr_for(1, set_flag);

	put_gpr(&gpr);
	CHECK_OK(OP(VCPU_REGS, SET, PV_SELF, 1));
	CHECK_OK(OP(VCPU_CTL, START, PV_SELF, 1));
	CHECK(wait_for(&flag, 1, 500));
}

PV_TEST(regs_flags_sanitized, "PVABI-REG-007.1", .vcpus = 2)
{
	struct pv_vcpu_gpr gpr = pattern(), out;

	CHECK_OK(OP(VCPU_CTL, CREATE, PV_SELF, 1));
	for (u32 i = 0; i < 2; i++) {
		gpr.rflags = i ? ~0ull : 0;
		put_gpr(&gpr);
		CHECK_OK(OP(VCPU_REGS, SET, PV_SELF, 1));
		CHECK_OK(OP(VCPU_REGS, GET, PV_SELF, 1));
		batch_get(&out, sizeof(out));
		CHECK_EQ(out.rflags & (3ull << 12), 0); /* IOPL */
		CHECK_EQ(out.rflags & (1ull << 9), 1ull << 9);
		CHECK_EQ(out.rflags & (1ull << 14 | 1ull << 16 | 1ull << 17), 0); /* NT RF VM */
		CHECK_EQ(out.rflags & (1ull << 19 | 1ull << 20), 0);		  /* VIF VIP */
	}
}
