/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - MEM_CTL: frames of a domain come and go.
 */
#include <string.h>

#include "../lib/abitest.h"

#define VA 0x20000000ull

static u64 mem_used(void)
{
	struct pv_dom_status s;

	dom_status(PV_SELF, &s);
	return s.mem_used;
}

PV_TEST(populate_zeroed, "PVABI-MEM-001.1")
{
	u64 gfn = free_gfn(), used = mem_used();

	populate(PV_SELF, gfn, 40);
	CHECK_EQ(mem_used(), used + 40);
	map(PV_SELF, VA, gfn, 40, RW);
	for (const u64 *p = (const u64 *)VA; p < (const u64 *)(VA + 40 * PAGE_BYTES); p++)
		CHECK_EQ(*p, 0);
}

PV_TEST(populate_taken, "PVABI-MEM-002.1")
{
	u64 gfn = free_gfn();

	CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, PV_EXPLICIT_BASE >> 12, 1), EEXIST);
	populate(PV_SELF, gfn + 2, 1);
	u64 done = TRY(OP(MEM_CTL, POPULATE, PV_SELF, gfn, 4));

	while (done < 2)
		done += TRY(OP(MEM_CTL, POPULATE, PV_SELF, gfn + done, 4 - done));
	CHECK_EQ(done, 2);
	CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, gfn + 2, 2), EEXIST);
}

PV_TEST(populate_beyond_quota, "PVABI-MEM-003.1 PVABI-HOS-003.1")
{
	u64 gfn = free_gfn(), n = 0;
	struct pv_dom_status s;
	i64 result;

	while ((result = OP(MEM_CTL, POPULATE, PV_SELF, gfn + n, 1000 - n)) > 0)
		n += (u64)result;
	CHECK_EQ(result, -(i64)PV_ENOMEM);
	dom_status(PV_SELF, &s);
	CHECK_EQ(s.mem_used, s.mem_quota);
	map(PV_SELF, VA, gfn, n, RW);
	memset((void *)VA, 1, n * PAGE_BYTES);
	release(PV_SELF, gfn + n - 1, 1);
	CHECK_EQ(OP(MEM_CTL, POPULATE, PV_SELF, gfn + n, 1), 1);
	CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, gfn + n + 1, 1), ENOMEM);
}

PV_TEST(release_leaves_hole, "PVABI-MEM-004.1")
{
	u64 gfn = free_gfn(), used = mem_used();

	populate(PV_SELF, gfn, 20);
	release(PV_SELF, gfn, 20);
	CHECK_EQ(mem_used(), used);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn, 1), ENOENT);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, 0, 1), ENOENT);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, PV_MAX_GFN, 1), ENOENT);
	populate(PV_SELF, gfn, 1);
}

PV_TEST(release_in_use, "PVABI-MEM-005.1")
{
	u64 gfn = free_gfn();

	populate(PV_SELF, gfn, 2);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RO));

	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn, 1), EBUSY);
	CHECK_EQ(OP(MEM_CTL, RELEASE, PV_SELF, gfn + 1, 1), 1);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn_of(vcs0), 1), EBUSY);
	CHECK_OK(revoke(grant));
	CHECK_EQ(OP(MEM_CTL, RELEASE, PV_SELF, gfn, 1), 1);
}

PV_TEST(release_unmaps, "PVABI-MEM-006.1")
{
	u64 gfn = free_gfn();

	events_on(0);
	for (u32 i = 0; i < 10; i++) {
		populate(PV_SELF, gfn, 1);
		if (i == 0)
			map(PV_SELF, VA, gfn, 1, RW);
		else
			OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW);
		CHECK_EQ(try_write(VA, 0x5a5a), NO_TRAP);
		release(PV_SELF, gfn, 1);
		CHECK_EQ(try_read(VA), 14);
		CHECK_EQ(abi_cpus[0].cr2, VA);
	}
}

PV_TEST(release_reaches_other_cpu, "PVABI-MEM-006.1", .vcpus = 2)
{
	u64 gfn = free_gfn();

	populate(PV_SELF, gfn, 1);
	map(PV_SELF, VA, gfn, 1, RW);
	probe_launch(VA);
	sleep_ms(3);
	release(PV_SELF, gfn, 1);
	CHECK(probe_faulted());
}

PV_TEST(copy_within, "PVABI-MEM-007.1")
{
	u64 gfn = free_gfn();
	u64 *from = pages_alloc(8);

	for (u32 i = 0; i < 8 * 512; i++)
		from[i] = i * 7 + 1;
	populate(PV_SELF, gfn, 8);
	copy_frames(PV_SELF, gfn, gfn_of(from), 8);
	map(PV_SELF, VA, gfn, 8, PV_PROT_READ);
	CHECK(!memcmp((void *)VA, from, 8 * PAGE_BYTES));
	copy_frames(PV_SELF, gfn, gfn, 1); /* onto itself */
	CHECK(!memcmp((void *)VA, from, PAGE_BYTES));
}

PV_TEST(copy_holes, "PVABI-MEM-008.1")
{
	u64 gfn = free_gfn(), good = PV_EXPLICIT_BASE >> 12;

	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, gfn, 1, good), EFAULT);
	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, gfn_of(pages_alloc(1)), 1, gfn), EFAULT);
	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, PV_MAX_GFN, 1, good), EFAULT);
}

PV_TEST(memory_bad_range, "PVABI-MEM-009.1")
{
	CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, 5, 0), EINVAL);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, 5, 0), EINVAL);
	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, 5, 0, 5), EINVAL);
	CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, PV_MAX_GFN + 1, 1), ERANGE);
	CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, PV_MAX_GFN, 2), ERANGE);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, ~0ull, 1), ERANGE);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, 1, ~0ull), ERANGE);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, ~0ull, 2), ERANGE);
	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, 0x400, 1, PV_MAX_GFN + 1), ERANGE);
	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, PV_MAX_GFN + 1, 1, 0x400), ERANGE);
}

PV_TEST(memory_highest_gfn, "PVABI-MEM-001.1 PVABI-MEM-009.1")
{
	populate(PV_SELF, PV_MAX_GFN, 1);
	map(PV_SELF, VA, PV_MAX_GFN, 1, RW);
	*(volatile u64 *)VA = 9;
	unmap(PV_SELF, VA, 1);
	release(PV_SELF, PV_MAX_GFN, 1);
}

PV_TEST(memory_src_must_be_zero, "PVABI-MEM-010.1")
{
	CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, free_gfn(), 1, 1), EINVAL);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, free_gfn(), 1, 1), EINVAL);
}

PV_TEST(populate_again_is_zero, "PVABI-MEM-011.1")
{
	u64 gfn = free_gfn();

	for (u32 i = 0; i < 8; i++) {
		populate(PV_SELF, gfn, 16);
		map(PV_SELF, VA, gfn, 16, RW);
		for (u64 *p = (u64 *)VA; p < (u64 *)(VA + 16 * PAGE_BYTES); p++) {
			CHECK_EQ(*p, 0);
			*p = ~0ull;
		}
		unmap(PV_SELF, VA, 16);
		release(PV_SELF, gfn, 16);
	}
}

/* The owner's own rights in its address space do not bind its creator. */
static void read_only_page(void)
{
	u64 va = share->word[0];

	CHECK(wait_for(&share->word[1], 1, 500));
	CHECK_EQ(*(volatile u64 *)va, 0xfeed);
}

PV_DRIVER_TEST(copy_into_read_only, "PVABI-MEM-012.1", PARTS(read_only_page))
{
	struct child *c = child_make(0);
	u64 *page = (u64 *)start->heap_start;
	u64 saved = *page;

	populate(c->dom, c->spare_gfn, 1);
	map(c->dom, VA, c->spare_gfn, 1, PV_PROT_READ);
	c->share->word[0] = VA;
	child_start(c);
	*page = 0xfeed;
	copy_frames(c->dom, c->spare_gfn, gfn_of(page), 1);
	*page = saved;
	c->share->word[1] = 1;
	child_expect_pass(c);
}

PV_TEST(populate_large_run, "PVABI-MEM-001.1 PVABI-MEM-004.1", .extra = 1600)
{
	u64 gfn = 0x10000, used = mem_used(); /* 2 MiB aligned: may become a large page */

	populate(PV_SELF, gfn, 1024);
	CHECK_EQ(mem_used(), used + 1024);
	map(PV_SELF, VA, gfn, 1024, RW);
	for (u64 i = 0; i < 1024; i++)
		*(volatile u64 *)(VA + i * PAGE_BYTES + 8) = i;
	release(PV_SELF, gfn + 100, 1); /* splinters it */
	events_on(0);
	CHECK_EQ(try_read(VA + 100 * PAGE_BYTES), 14);
	for (u64 i = 0; i < 1024; i++)
		if (i != 100)
			CHECK_EQ(*(volatile u64 *)(VA + i * PAGE_BYTES + 8), i);
	release(PV_SELF, gfn, 100);
	release(PV_SELF, gfn + 101, 923);
	CHECK_EQ(mem_used(), used);
}
