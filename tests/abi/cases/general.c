/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * general.c - what holds for every hypercall: numbers, registers, precedence, failure without effect.
 */
#include <string.h>

#include "../lib/abitest.h"

int abi_call_registers(u64 *in, u64 *out);

static const u64 bad_numbers[] = {
	PV_HC_COUNT, PV_HC_COUNT + 1, 255, 256, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
	0xffffffff, 0x100000000, 0x100000000 + PV_HC_INFO, 0x7fffffffffffffff, ~0ull,
};

PV_TEST(unknown_numbers, "PVABI-GEN-001.1")
{
	for (u32 i = 0; i < sizeof(bad_numbers) / sizeof(bad_numbers[0]); i++)
		CHECK_ERR(HC_NR(bad_numbers[i], 0), ENOSYS);
}

PV_TEST(number_sweep, "PVABI-GEN-001.1")
{
	for (u64 nr = PV_HC_COUNT; nr < 0x10000; nr += 17)
		CHECK_ERR(HC_NR(nr, 0), ENOSYS);
	for (u32 bit = 5; bit < 64; bit++)
		CHECK_ERR(HC_NR(1ull << bit, 0), ENOSYS);
}

PV_TEST(unknown_operations, "PVABI-GEN-002.1")
{
	static const u64 with_ops[][2] = {
		{ PV_HC_INFO, 4 },	 { PV_HC_CAP_CTL, 3 },	 { PV_HC_DOM_CTL, 5 },
		{ PV_HC_VCPU_CTL, 6 },	 { PV_HC_VCPU_REGS, 2 }, { PV_HC_VCPU_SETUP, 4 },
		{ PV_HC_AS_CTL, 3 },	 { PV_HC_AS_MAP, 3 },	 { PV_HC_MEM_CTL, 3 },
		{ PV_HC_GRANT_CTL, 4 },	 { PV_HC_PORT_CTL, 8 },	 { PV_HC_SEG_CTL, 3 },
		{ PV_HC_DEBUG_REG, 2 },	 { PV_HC_MSR, 2 },	 { PV_HC_SCHED_CTL, 3 },
		{ PV_HC_HOST_CTL, 7 },	 { PV_HC_DEV_CTL, 10 },
	};

	for (u32 i = 0; i < sizeof(with_ops) / sizeof(with_ops[0]); i++) {
		u64 nr = with_ops[i][0], op = with_ops[i][1];

		CHECK_ERR(HC_NR(nr, op), ENOSYS);
		CHECK_ERR(HC_NR(nr, op, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull), ENOSYS);
		CHECK_ERR(HC_NR(nr, 0x100000000), ENOSYS);
		CHECK_ERR(HC_NR(nr, ~0ull), ENOSYS);
	}
}

/* Order in abi_call_registers: rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15. */
static void registers_kept(u64 nr, u64 rdi)
{
	u64 in[15], out[15];

	for (u32 i = 0; i < 15; i++)
		in[i] = 0x1111111111111111ull * i + 0xa5;
	in[0] = nr;
	in[4] = 0;
	in[5] = rdi;
	abi_call_registers(in, out);
	for (u32 i = 0; i < 15; i++)
		if (i != 0 && i != 2 && i != 10)
			CHECK_EQ(out[i], in[i]);
}

PV_TEST(registers_are_kept, "PVABI-GEN-003.1")
{
	registers_kept(PV_HC_INFO, PV_INFO_VERSION);
	registers_kept(PV_HC_COUNT, 0);
	registers_kept(PV_HC_WAIT, 0x8000);
	registers_kept(PV_HC_TIMER_SET, PV_FOREVER);
	registers_kept(PV_HC_PORT_SEND, 77);
}

PV_TEST(registers_are_kept_when_switched, "PVABI-GEN-003.1")
{
	u64 in[15], out[15];

	for (u32 i = 0; i < 15; i++)
		in[i] = 0x0123456789abcdefull ^ (0x0101010101010101ull * i);
	in[0] = PV_HC_WAIT;
	in[5] = 0;
	in[4] = clock_ns() + 2 * MS;
	abi_call_registers(in, out);
	for (u32 i = 0; i < 15; i++)
		if (i != 0 && i != 2 && i != 10)
			CHECK_EQ(out[i], in[i]);
}

PV_TEST(fpu_state_is_kept, "PVABI-GEN-004.1")
{
	static u8 before[512] __attribute__((aligned(64))), after[512] __attribute__((aligned(64)));
	u32 mxcsr = 0x1f80 | 0x6000; /* round to zero */

	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
	__asm__ volatile("fldpi; fldl2e");
	__asm__ volatile("movq %0, %%xmm7; movq %1, %%xmm15" ::"r"(0x1122334455667788ull),
			 "r"(0x99aabbccddeeff00ull)
			 : "xmm7", "xmm15");
	__asm__ volatile("fxsave %0" : "=m"(before));
	HC(INFO, PV_INFO_VERSION);
	HC(WAIT, 0, clock_ns() + MS);
	__asm__ volatile("fxsave %0" : "=m"(after));
	__asm__ volatile("fstp %st(0); fstp %st(0)");
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
	CHECK(!memcmp(before, after, 24));
	CHECK(!memcmp(before + 32, after + 32, 32));
	CHECK(!memcmp(before + 160 + 7 * 16, after + 160 + 7 * 16, 16));
	CHECK(!memcmp(before + 160 + 15 * 16, after + 160 + 15 * 16, 16));
}

PV_TEST(extra_registers_are_ignored, "PVABI-GEN-005.1")
{
	u64 version = TRY(HC(INFO, PV_INFO_VERSION, 0, ~0ull, ~0ull, ~0ull, ~0ull));

	CHECK_EQ(version, PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
	CHECK_EQ(HC(WAIT, 0, 0, ~0ull, ~0ull, ~0ull, ~0ull), 1);
	CHECK_OK(HC(TIMER_SET, PV_FOREVER, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull));
}

static volatile u64 bare_done;

static void bare_calls(void)
{
	CHECK_ERR(OP(INFO, SYSTEM, 0), ESTATE);
	CHECK_ERR(HC(CONSOLE_WRITE, 5), ESTATE);
	CHECK_ERR(OP(DOM_CTL, STATUS, PV_SELF), ESTATE);
	CHECK_ERR(OP(VCPU_CTL, STATUS, PV_SELF, 0), ESTATE);
	CHECK_ERR(OP(VCPU_SETUP, SET_ENTRY, 0), ESTATE);
	CHECK_ERR(HC(CPUID, 0, 0), ESTATE);
	CHECK_ERR(OP(MSR, READ, 0x10), ESTATE);
	CHECK_ERR(HC(WAIT, 0, 0), ESTATE);
	CHECK_ERR(HC(IRQ_WIN), ESTATE);
	bare_done = 1;
}

PV_TEST(batch_without_vcs, "PVABI-GEN-006.1", .vcpus = 2)
{
	vcpu_launch_bare(1, bare_calls);
	CHECK(wait_for(&bare_done, 1, 500));
}

static void bare_plain_calls(void)
{
	CHECK_EQ(OP(INFO, VERSION, 0), PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
	CHECK_OK(OP(VCPU_CTL, YIELD, PV_SELF));
	u64 port = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));

	CHECK_EQ(OP(PORT_CTL, STATUS, port), PV_PORT_UNBOUND);
	CHECK_OK(OP(PORT_CTL, CLOSE, port));
	bare_done = 1;
}

PV_TEST(calls_without_vcs, "PVABI-GEN-011.1", .vcpus = 2)
{
	vcpu_launch_bare(1, bare_plain_calls);
	CHECK(wait_for(&bare_done, 1, 500));
}

PV_TEST(invalid_before_cap, "PVABI-GEN-007.1")
{
	u64 bad = 0x30005;

	CHECK_ERR(OP(AS_MAP, MAP, bad, 0x10000001, 0, 1, PV_PROT_READ), EINVAL);
	CHECK_ERR(OP(AS_MAP, MAP, bad, 0x10000000, 0, 1, 0), EINVAL);
	CHECK_ERR(OP(MEM_CTL, POPULATE, bad, 1, 0), EINVAL);
	CHECK_ERR(OP(MEM_CTL, POPULATE, bad, PV_MAX_GFN + 1, 0), EINVAL);
	CHECK_ERR(OP(CAP_CTL, COPY, bad, PV_SELF, 0), EINVAL);
	CHECK_ERR(OP(CAP_CTL, DROP, bad, 1), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, CREATE, bad, PV_MAX_GFN + 1, 0, 1), EINVAL);
	CHECK_ERR(OP(VCPU_CTL, CREATE, bad, 99, 1), EINVAL);
	CHECK_ERR(OP(INFO, COUNTERS, bad), ECAP);
}

PV_TEST(range_before_cap, "PVABI-GEN-008.1")
{
	u64 bad = 0x30005;

	CHECK_ERR(OP(AS_MAP, MAP, bad, 0x10000000, 0, PV_MAX_MAP_PAGES + 1, PV_PROT_READ), ERANGE);
	CHECK_ERR(OP(AS_MAP, MAP, bad, 0x10000000, PV_MAX_GFN + 1, 1, PV_PROT_READ), ERANGE);
	CHECK_ERR(OP(MEM_CTL, POPULATE, bad, PV_MAX_GFN + 1, 1), ERANGE);
	CHECK_ERR(OP(GRANT_CTL, CREATE, bad, 0, PV_MAX_GRANT_PAGES + 1, 1), ERANGE);
	CHECK_ERR(OP(SCHED_CTL, SET_WEIGHT, bad, 0), ERANGE);
	CHECK_ERR(OP(SCHED_CTL, SET_WEIGHT, bad, 65536), ERANGE);
	CHECK_ERR(OP(VCPU_CTL, CREATE, bad, PV_MAX_VCPUS), ERANGE);
}

PV_DRIVER_TEST(perm_before_state, "PVABI-GEN-009.1")
{
	u64 dom = empty_domain(8, 64);
	u64 weak = TRY(OP(CAP_CTL, COPY, dom, PV_SELF, PV_RIGHT_DOM_STATUS));

	CHECK_ERR(OP(DOM_CTL, UNPAUSE, weak), EPERM);		     /* else ESTATE */
	CHECK_ERR(OP(AS_MAP, MAP, weak, 0x10000000, 5, 1, 1), EPERM); /* else EFAULT */
	CHECK_ERR(OP(MEM_CTL, RELEASE, weak, 5, 1), EPERM);	     /* else ENOENT */
	CHECK_ERR(OP(VCPU_CTL, START, weak, 0), EPERM);		     /* else ENOENT */
	CHECK_ERR(OP(VCPU_REGS, GET, weak, 0), EPERM);
	CHECK_OK(dom_destroy(dom));
	CHECK_ERR(OP(DOM_CTL, UNPAUSE, weak), EPERM); /* else EDEAD */
	CHECK_OK(OP(CAP_CTL, DROP, weak));
}

static u64 status_hash(const struct pv_dom_status *s)
{
	return s->state ^ s->pause_count << 4 ^ s->mem_used << 8 ^ s->kmem_used << 24 ^
	       s->mem_quota << 40 ^ (u64)s->vcpus << 60 ^ s->weight ^ s->cap << 16;
}

PV_DRIVER_TEST(failure_changes_nothing, "PVABI-GEN-010.1")
{
	u64 dom = empty_domain(8, 64);
	struct pv_counters before, after;
	struct pv_dom_status s;

	CHECK_EQ(OP(MEM_CTL, POPULATE, dom, 16, 4), 4);
	CHECK_EQ(OP(AS_MAP, MAP, dom, 0x10000, 16, 1, PV_PROT_READ), 1);
	dom_status(dom, &s);
	u64 hash = status_hash(&s);

	counters_read(&before);
	CHECK_ERR(OP(MEM_CTL, POPULATE, dom, 16, 4), EEXIST);
	CHECK_ERR(OP(AS_MAP, MAP, dom, 0x10000, 17, 1, PV_PROT_READ), EEXIST);
	CHECK_ERR(OP(AS_MAP, MAP, dom, 0x11000, 20, 1, PV_PROT_READ), EFAULT);
	CHECK_ERR(OP(AS_MAP, UNMAP, dom, 0x12000, 0, 1), ENOENT);
	CHECK_ERR(OP(MEM_CTL, RELEASE, dom, 20, 1), ENOENT);
	CHECK_ERR(OP(GRANT_CTL, CREATE, dom, 15, 2, 1), EFAULT);
	CHECK_ERR(OP(VCPU_CTL, START, dom, 0), ENOENT);
	CHECK_ERR(OP(DOM_CTL, UNPAUSE, dom), ESTATE);
	CHECK_ERR(OP(SCHED_CTL, SET_CAP, dom, 100000), ERANGE);
	CHECK_ERR(OP(CAP_CTL, COPY, dom, dom, 0x40), EPERM);
	counters_read(&after);
	CHECK(!memcmp(&before, &after, 12 * sizeof(u64)));
	dom_status(dom, &s);
	CHECK_EQ(status_hash(&s), hash);
	CHECK_OK(dom_destroy(dom));
}
