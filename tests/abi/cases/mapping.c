/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping.c - AS_MAP: the address space of an explicit domain.
 */
#include <string.h>

#include "../lib/abitest.h"

#define VA 0x20000000ull
#define LOW_END 0x800000000000ull

static u64 one_frame(void)
{
	u64 gfn = free_gfn();

	populate(PV_SELF, gfn, 1);
	return gfn;
}

PV_TEST(map_read_write, "PVABI-MAP-001.1")
{
	u64 gfn = one_frame();
	volatile u64 *p = (volatile u64 *)VA;

	events_on(0);
	CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), 1);
	for (u32 i = 0; i < 512; i++)
		p[i] = i * 3;
	for (u32 i = 0; i < 512; i++)
		CHECK_EQ(p[i], i * 3);
	CHECK_EQ(try_read(VA - 1), 14);
	CHECK_EQ(try_read(VA + PAGE_BYTES), 14);
}

PV_TEST(map_execute, "PVABI-MAP-001.1 PVABI-MAP-017.1")
{
	u64 gfn = one_frame();

	events_on(0);
	CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), 1);
	*(volatile u8 *)VA = 0xc3; /* ret */
	CHECK_EQ(try_exec(VA), 14);
	CHECK_EQ(abi_cpus[0].cr2, VA);
	CHECK_EQ(abi_cpus[0].error & 0x11, 0x11); /* present, fetch */
	CHECK_EQ(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, RX), 1);
	CHECK_EQ(try_exec(VA), NO_TRAP);
	CHECK_EQ(try_write(VA, 0), 14);
}

PV_TEST(map_taken, "PVABI-MAP-002.1")
{
	u64 gfn = free_gfn();

	populate(PV_SELF, gfn, 2);
	CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), 1);
	*(volatile u64 *)VA = 77;
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, gfn + 1, 1, RW), EEXIST);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), EEXIST);
	CHECK_EQ(*(volatile u64 *)VA, 77);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, PV_EXPLICIT_BASE, gfn, 1, RW), EEXIST);
}

PV_TEST(map_hole, "PVABI-MAP-003.1")
{
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, free_gfn(), 1, RW), EFAULT);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, 0, 1, PV_PROT_READ), EFAULT);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, PV_MAX_GFN, 1, PV_PROT_READ), EFAULT);
	events_on(0);
	CHECK_EQ(try_read(VA), 14);
}

PV_TEST(unmap_takes_away, "PVABI-MAP-004.1")
{
	u64 gfn = one_frame();

	events_on(0);
	for (u32 i = 0; i < 20; i++) {
		CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), 1);
		CHECK_EQ(try_write(VA + 8, i), NO_TRAP);
		CHECK_EQ(OP(AS_MAP, UNMAP, PV_SELF, VA, 0, 1), 1);
		CHECK_EQ(try_read(VA + 8), 14);
		CHECK_EQ(abi_cpus[0].cr2, VA + 8);
		CHECK_EQ(try_write(VA + 16, i), 14);
	}
}

PV_TEST(unmap_nothing, "PVABI-MAP-005.1")
{
	CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, VA, 0, 1), ENOENT);
	CHECK_ERR(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, PV_PROT_READ), ENOENT);
	CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, LOW_END - PAGE_BYTES, 0, 1), ENOENT);
	CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, PAGE_BYTES, 0, 1), ENOENT);
}

PV_TEST(protect_at_once, "PVABI-MAP-006.1")
{
	u64 gfn = one_frame();

	events_on(0);
	CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), 1);
	for (u32 i = 0; i < 20; i++) {
		CHECK_EQ(try_write(VA, i), NO_TRAP);
		CHECK_EQ(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, PV_PROT_READ), 1);
		CHECK_EQ(try_write(VA, 99), 14);
		CHECK_EQ(abi_cpus[0].error & ~4ull, 3);
		CHECK_EQ(*(volatile u64 *)VA, i);
		CHECK_EQ(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, RW), 1);
	}
}

PV_TEST(map_bad_shape, "PVABI-MAP-007.1")
{
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, 0x400, 0, RW), EINVAL);
	CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, VA, 0, 0), EINVAL);
	CHECK_ERR(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 0, RW), EINVAL);
	for (u32 bit = 0; bit < 12; bit++)
		CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA | 1ull << bit, 0x400, 1, RW), EINVAL);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, 0x400, PV_MAX_MAP_PAGES + 1, RW), ERANGE);
	CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, VA, 0, ~0ull), ERANGE);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, 0x400, 1ull << 32, RW), ERANGE);
}

PV_TEST(map_bad_range, "PVABI-MAP-008.1")
{
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, 0, 0x400, 1, RW), ERANGE);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, LOW_END, 0x400, 1, RW), ERANGE);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, LOW_END - PAGE_BYTES, 0x400, 2, RW), ERANGE);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, PV_HOLE_START, 0x400, 1, RW), ERANGE);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, ~0ull << 12, 0x400, 2, RW), ERANGE);
	CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, ~0ull << 12, 0, 1), ERANGE);
	CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, 0, 0, 1), ERANGE);
	CHECK_ERR(OP(AS_MAP, PROTECT, PV_SELF, 1ull << 63, 0, 1, RW), ERANGE);
}

PV_TEST(map_bad_rights, "PVABI-MAP-009.1")
{
	u64 gfn = one_frame();

	for (u64 prot = 0; prot < 64; prot++) {
		bool good = prot == PV_PROT_READ || prot == RW || prot == RX;

		if (!good)
			CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, prot), EINVAL);
	}
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, 1ull << 63 | 1), EINVAL);
	CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), 1);
	CHECK_ERR(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, RW | PV_PROT_EXEC), EINVAL);
	CHECK_ERR(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, 0), EINVAL);
}

PV_TEST(map_reserved_arguments, "PVABI-MAP-010.1")
{
	CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, PV_EXPLICIT_BASE, 1, 1, 0), EINVAL);
	CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, PV_EXPLICIT_BASE, 0, 1, PV_PROT_READ), EINVAL);
	CHECK_ERR(OP(AS_MAP, PROTECT, PV_SELF, PV_EXPLICIT_BASE, 1, 1, RX), EINVAL);
}

PV_TEST(map_on_walked, "PVABI-MAP-011.1", .kind = PV_KIND_WALKED)
{
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, PV_EXPLICIT_BASE >> 12, 1, RW), ESTATE);
	CHECK_ERR(OP(AS_MAP, UNMAP, PV_SELF, VA, 0, 1), ESTATE);
	CHECK_ERR(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, RW), ESTATE);
}

PV_TEST(map_stops_at_bad_page, "PVABI-MAP-012.1")
{
	u64 gfn = free_gfn();

	populate(PV_SELF, gfn, 3);
	populate(PV_SELF, gfn + 4, 1);
	u64 done = TRY(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 5, RW));

	while (done < 3)
		done += TRY(OP(AS_MAP, MAP, PV_SELF, VA + done * PAGE_BYTES, gfn + done, 5 - done, RW));
	CHECK_EQ(done, 3);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA + 3 * PAGE_BYTES, gfn + 3, 2, RW), EFAULT);
	*(volatile u64 *)(VA + 2 * PAGE_BYTES) = 5;
	events_on(0);
	CHECK_EQ(try_read(VA + 3 * PAGE_BYTES), 14);
	CHECK_EQ(try_read(VA + 4 * PAGE_BYTES), 14);
}

PV_TEST(map_alias, "PVABI-MAP-013.1")
{
	u64 gfn = one_frame();

	for (u64 i = 0; i < 10; i++)
		CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, VA + i * 0x40000000, gfn, 1, RW), 1);
	*(volatile u64 *)VA = 123456;
	for (u64 i = 0; i < 10; i++)
		CHECK_EQ(*(volatile u64 *)(VA + i * 0x40000000), 123456);
	events_on(0);
	CHECK_EQ(OP(AS_MAP, UNMAP, PV_SELF, VA, 0, 1), 1);
	CHECK_EQ(try_read(VA), 14);
	CHECK_EQ(try_read(VA + 0x40000000), NO_TRAP);
}

static void read_mapped_for_me(void)
{
	CHECK_EQ(*(volatile u64 *)VA, 0x1234);
	events_on(0);
	CHECK_EQ(try_write(VA, 1), 14);
}

PV_DRIVER_TEST(map_into_child, "PVABI-MAP-014.1 PVABI-MEM-007.1", PARTS(read_mapped_for_me))
{
	struct child *c = child_make(0);
	u64 *page = (u64 *)start->heap_start;
	u64 saved = *page;

	*page = 0x1234;
	populate(c->dom, c->spare_gfn, 1);
	copy_frames(c->dom, c->spare_gfn, gfn_of(page), 1);
	map(c->dom, VA, c->spare_gfn, 1, PV_PROT_READ);
	*page = saved;
	child_start(c);
	child_expect_pass(c);
}

PV_TEST(unmap_reaches_other_cpu, "PVABI-MAP-015.1", .vcpus = 2)
{
	u64 gfn = one_frame();

	CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), 1);
	probe_launch(VA);
	sleep_ms(5);
	CHECK(probe_reads());
	CHECK_EQ(OP(AS_MAP, UNMAP, PV_SELF, VA, 0, 1), 1);
	CHECK(probe_faulted());
}

static volatile u64 writer_count, writer_state;

static void writer(void)
{
	writer_state = 1;
	while (try_write(VA, writer_count + 1) == NO_TRAP)
		writer_count++;
	writer_state = 2;
}

/* When PROTECT returned, the value does not change any more: no CPU writes through an old entry. */
PV_TEST(protect_reaches_other_cpu, "PVABI-MAP-015.1 PVABI-MAP-006.1", .vcpus = 2,
	.budget_ms = 5000)
{
	u64 gfn = one_frame();

	CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), 1);
	vcpu_launch(1, writer);
	for (u32 i = 0; i < 20; i++) {
		CHECK(wait_for(&writer_state, 1, 500));
		sleep_ms(1);
		CHECK_EQ(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, PV_PROT_READ), 1);
		u64 value = *(volatile u64 *)VA;

		CHECK(wait_for(&writer_state, 2, 500));
		CHECK_EQ(*(volatile u64 *)VA, value);
		CHECK_OK(OP(VCPU_CTL, STOP, PV_SELF, 1));
		CHECK_EQ(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, RW), 1);
		struct pv_vcpu_gpr gpr = vcpu_gpr_for(1, writer);

		gpr.rdx = 0;
		writer_state = 0;
		batch_put(&gpr, sizeof(gpr));
		CHECK_OK(OP(VCPU_REGS, SET, PV_SELF, 1));
		CHECK_OK(OP(VCPU_CTL, START, PV_SELF, 1));
	}
}

PV_TEST(map_gfn_range, "PVABI-MAP-016.1")
{
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, PV_MAX_GFN + 1, 1, RW), ERANGE);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, PV_MAX_GFN, 2, RW), ERANGE);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, ~0ull, 1, RW), ERANGE);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, ~0ull, 2, RW), ERANGE);
}

PV_TEST(map_without_kmem, "PVABI-MAP-018.1 PVABI-HOS-004.1", .kmem = 96)
{
	i64 result = 0;
	u64 gfn = one_frame(), n = 0;
	u64 va = 0x40000000;

	for (; result >= 0 && n < 512; n++)
		result = OP(AS_MAP, MAP, PV_SELF, va + n * 0x40000000, gfn, 1, RW);
	CHECK_EQ(result, -(i64)PV_ENOMEM);
	n--;
	CHECK(n > 8);
	CHECK_EQ(OP(AS_MAP, UNMAP, PV_SELF, va, 0, 1), 1);
	CHECK_EQ(OP(AS_MAP, MAP, PV_SELF, va, gfn, 1, RW), 1); /* its tables are still there */
}

PV_TEST(map_largest_call, "PVABI-MAP-007.1 PVABI-MAP-001.1", .extra = 600)
{
	u64 gfn = free_gfn();

	populate(PV_SELF, gfn, PV_MAX_MAP_PAGES);
	map(PV_SELF, VA, gfn, PV_MAX_MAP_PAGES, RW);
	for (u64 i = 0; i < PV_MAX_MAP_PAGES; i++)
		*(volatile u64 *)(VA + i * PAGE_BYTES) = i;
	for (u64 i = 0; i < PV_MAX_MAP_PAGES; i++)
		CHECK_EQ(*(volatile u64 *)(VA + i * PAGE_BYTES), i);
	unmap(PV_SELF, VA, PV_MAX_MAP_PAGES);
	events_on(0);
	CHECK_EQ(try_read(VA + 511 * PAGE_BYTES), 14);
}
