/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * discovery.c - how a guest finds out what it runs on: versions, features, what does not exist.
 */
#include <string.h>

#include "../lib/abitest.h"

#define HYPERVISOR_LEAF 0x40000000u

/* The version stands in four places and is the same in each. */
PV_TEST(version_everywhere, "PVABI-INF-001.1 PVABI-INF-004.1 PVABI-CPU-001.1")
{
	u64 version = TRY(OP(INFO, VERSION, 0));
	struct pv_info_system s;
	struct pv_cpuid leaf;

	CHECK_EQ(version, PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
	CHECK_OK(OP(INFO, SYSTEM, 0));
	batch_get(&s, sizeof(s));
	CHECK_EQ((u64)s.abi_major << 16 | s.abi_minor, version);
	CHECK_OK(HC(CPUID, HYPERVISOR_LEAF, 0));
	batch_get(&leaf, sizeof(leaf));
	CHECK(leaf.eax > HYPERVISOR_LEAF);
	CHECK(!memcmp(&leaf.ebx, "RingfenceVMM", 12));
	CHECK_OK(HC(CPUID, HYPERVISOR_LEAF + 1, 0));
	batch_get(&leaf, sizeof(leaf));
	CHECK_EQ(leaf.eax, version);
}

PV_TEST(features_mean_something, "PVABI-INF-002.1 PVABI-INF-004.1", .vcpus = 2)
{
	u64 features = TRY(OP(INFO, FEATURES, 0));

	CHECK_EQ(features & ~7ull, 0); /* of a domain that is not fused */
	CHECK_EQ(features & PV_FEAT_SMP_GUEST ? OP(VCPU_CTL, CREATE, PV_SELF, 1) : 0, 0);
	CHECK_EQ(!!(features & PV_FEAT_STABLE_TSC), vcs0->clock.flags & 1);
}

/* The first operation, and every power of two above it, that a call does not list. */
PV_TEST(operations_end, "PVABI-GEN-002.1")
{
#define PV_CALL(nr, NAME, name, nargs, nops, max_insns) { nr, nops },
	static const u64 calls[][2] = {
#include <pv/calls.def>
	};
#undef PV_CALL

	CHECK_EQ(sizeof(calls) / sizeof(calls[0]), PV_HC_COUNT);
	for (u32 i = 0; i < PV_HC_COUNT; i++) {
		if (!calls[i][1])
			continue;
		CHECK_ERR(HC_NR(calls[i][0], calls[i][1]), ENOSYS);
		for (u32 bit = 4; bit < 64; bit++)
			CHECK_ERR(HC_NR(calls[i][0], 1ull << bit), ENOSYS);
	}
}

/* Numbers are never used again for something else: these stand since 1.0 draft. */
#define STANDS(call, nr) _Static_assert(PV_HC_##call == nr, #call)
STANDS(INFO, 0);
STANDS(CONSOLE_WRITE, 1);
STANDS(CAP_CTL, 2);
STANDS(DOM_CREATE, 3);
STANDS(DOM_CTL, 4);
STANDS(VCPU_CTL, 5);
STANDS(VCPU_REGS, 6);
STANDS(VCPU_SETUP, 7);
STANDS(WAIT, 8);
STANDS(TIMER_SET, 9);
STANDS(IRQ_WIN, 10);
STANDS(AS_LOAD_ROOT, 11);
STANDS(AS_FLUSH, 12);
STANDS(AS_CTL, 13);
STANDS(AS_MAP, 14);
STANDS(MEM_CTL, 15);
STANDS(GRANT_CTL, 16);
STANDS(PORT_CTL, 17);
STANDS(PORT_SEND, 18);
STANDS(SEND_IPI, 19);
STANDS(SEG_CTL, 20);
STANDS(DEBUG_REG, 21);
STANDS(MSR, 22);
STANDS(CPUID, 23);
STANDS(SCHED_CTL, 24);
STANDS(HOST_CTL, 25);
STANDS(DEV_CTL, 26);

static void all_zero(const void *data, u64 size)
{
	for (u64 i = 0; i < size; i++)
		CHECK_EQ(((const u8 *)data)[i], 0);
}

PV_DRIVER_TEST(root_reserved_fields, "PVABI-BOO-001.1")
{
	all_zero(start->reserved, sizeof(start->reserved));
	CHECK_EQ(start->link_count, 0);
	all_zero(start->links, sizeof(start->links));
	for (u32 i = 0; i < start->memmap_count; i++) {
		CHECK_EQ(start->memmap[i].reserved, 0);
		CHECK(start->memmap[i].type == PV_MEM_RAM || start->memmap[i].type == PV_MEM_RESERVED);
		CHECK_EQ(start->memmap[i].base % PAGE_BYTES, 0);
	}
	for (u32 i = start->memmap_count; i < PV_MAX_MEMMAP; i++)
		all_zero(&start->memmap[i], sizeof(start->memmap[i]));
}
