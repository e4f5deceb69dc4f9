/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grant.c - GRANT_CTL: sharing frames and taking them back.
 */
#include <string.h>

#include "../lib/abitest.h"

#define VA 0x20000000ull
#define TYPE_RIGHTS(type, rights) ((u64)(type) << 32 | (rights))

/* Conventions of the two halves: word[0] the grant's handle in the child, word[1] its size,
 * word[2..] steps. A child maps the grant at free_gfn() and VA. */
#define STEP_AT 10
static void child_step(u64 n) { __atomic_store_n(&share->word[STEP_AT], n, __ATOMIC_RELEASE); }
static void child_await(u64 n) { CHECK(wait_for(&share->word[STEP_AT + 1], n, 1500)); }
static void driver_step(struct child *c, u64 n)
{
	__atomic_store_n(&c->share->word[STEP_AT + 1], n, __ATOMIC_RELEASE);
}
static void driver_await(struct child *c, u64 n)
{
	if (!wait_for(&c->share->word[STEP_AT], n, 1500))
		child_expect_pass(c);
	CHECK_EQ(c->share->word[STEP_AT], n);
}

static u64 own_frames(u64 n)
{
	u64 gfn = free_gfn();

	populate(PV_SELF, gfn, n);
	return gfn;
}

PV_TEST(grant_create, "PVABI-GRT-001.1")
{
	u64 gfn = own_frames(3);
	u64 ro = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 2, GRANT_RO));
	u64 rw = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn + 1, 2, GRANT_RW));

	CHECK_EQ(OP(CAP_CTL, INSPECT, ro),
		 TYPE_RIGHTS(PV_CAP_GRANT, GRANT_RO | PV_RIGHT_GRANT_REVOKE));
	CHECK_EQ(OP(CAP_CTL, INSPECT, rw),
		 TYPE_RIGHTS(PV_CAP_GRANT, GRANT_RW | PV_RIGHT_GRANT_REVOKE));
}

PV_TEST(grant_create_bad_frames, "PVABI-GRT-002.1")
{
	u64 gfn = own_frames(2);

	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 3, GRANT_RO), EFAULT);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, 0, 1, GRANT_RO), EFAULT);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 0, GRANT_RO), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, gfn, PV_MAX_GRANT_PAGES + 1, GRANT_RO), ERANGE);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, PV_MAX_GFN + 1, 1, GRANT_RO), ERANGE);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, ~0ull, 2, GRANT_RO), ERANGE);
}

PV_TEST(grant_create_bad_rights, "PVABI-GRT-003.1")
{
	u64 gfn = own_frames(1);

	for (u64 rights = 0; rights < 32; rights++)
		if (rights != GRANT_RO && rights != GRANT_RW)
			CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, rights), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, 1ull << 32 | GRANT_RO), EINVAL);
}

static void write_through_grant(void)
{
	u64 gfn = free_gfn(), n = share->word[1];

	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, n, 1), n);
	map(PV_SELF, VA, gfn, n, RW);
	for (u64 i = 0; i < n; i++) {
		CHECK_EQ(*(volatile u64 *)(VA + i * PAGE_BYTES), 1000 + i);
		*(volatile u64 *)(VA + i * PAGE_BYTES) = 2000 + i;
	}
	unmap(PV_SELF, VA, n);
	for (u64 done = 0; done < n;)
		done += TRY(OP(GRANT_CTL, UNMAP, 0, gfn + done, n - done));
}

static u64 driver_pages(u64 n, u64 **va)
{
	*va = (u64 *)start->heap_start + 512 * 16;
	*va = (u64 *)(((u64)*va + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
	for (u64 i = 0; i < n; i++)
		(*va)[i * 512] = 1000 + i;
	return gfn_of(*va);
}

/* A child that runs part 0 and finds its handle of the grant in word 0, its size in word 1. */
static struct child *holder_start(u64 grant, u64 rights, u64 pages)
{
	struct child *c = child_make(0);

	c->share->word[0] = child_give(c, grant, rights);
	c->share->word[1] = pages;
	child_start(c);
	return c;
}

PV_DRIVER_TEST(grant_shared_bytes, "PVABI-GRT-004.1 PVABI-GRT-014.1", PARTS(write_through_grant))
{
	u64 *va, gfn = driver_pages(8, &va);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 8, GRANT_RW));
	struct child *c = holder_start(grant, GRANT_RW, 8);

	child_expect_pass(c);
	for (u64 i = 0; i < 8; i++)
		CHECK_EQ(va[i * 512], 2000 + i);
	CHECK_OK(revoke(grant));
}

PV_TEST(grant_map_size, "PVABI-GRT-005.1")
{
	u64 gfn = own_frames(4), to = gfn + 100;
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 4, GRANT_RO));

	CHECK_ERR(OP(GRANT_CTL, MAP, grant, to, 3, 0), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, MAP, grant, to, 5, 0), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, MAP, grant, to, 0, 0), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, MAP, grant, to, 4, 2), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, MAP, grant, PV_MAX_GFN - 2, 4, 0), ERANGE);
}

static void map_where_taken(void)
{
	u64 gfn = own_frames(1);

	CHECK_ERR(OP(GRANT_CTL, MAP, share->word[0], gfn, share->word[1], 0), EEXIST);
	CHECK_ERR(OP(GRANT_CTL, MAP, share->word[0], gfn - 1, share->word[1], 0), EEXIST);
	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn + 1, share->word[1], 0), share->word[1]);
	CHECK_ERR(OP(GRANT_CTL, MAP, share->word[0], gfn + 2, share->word[1], 0), EEXIST);
}

PV_DRIVER_TEST(grant_map_taken, "PVABI-GRT-006.1", PARTS(map_where_taken))
{
	u64 *va, gfn = driver_pages(2, &va);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 2, GRANT_RO));
	struct child *c = holder_start(grant, GRANT_RO, 2);

	child_expect_pass(c);
	child_destroy(c);
	CHECK_OK(revoke(grant));
}

static void read_only_holder(void)
{
	u64 gfn = free_gfn();

	CHECK_ERR(OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 1), EPERM);
	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 0), 1);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), EPERM);
	map(PV_SELF, VA, gfn, 1, PV_PROT_READ);
	CHECK_EQ(*(volatile u64 *)VA, 1000);
	CHECK_ERR(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, RW), EPERM);
	events_on(0);
	CHECK_EQ(try_write(VA, 666), 14);
	CHECK_EQ(*(volatile u64 *)VA, 1000);
	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, gfn, 1, PV_EXPLICIT_BASE >> 12), EFAULT);
	CHECK_EQ(OP(MEM_CTL, COPY, PV_SELF, gfn_of(pages_alloc(1)), 1, gfn), 1);
}

PV_DRIVER_TEST(grant_read_only, "PVABI-GRT-007.1 PVABI-GRT-008.1 PVABI-MEM-012.1",
	       PARTS(read_only_holder))
{
	u64 *va, gfn = driver_pages(1, &va);
	u64 ro = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RO));
	u64 rw = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RW));
	u64 handles[2] = { ro, rw }; /* read-only at birth, or by copying fewer rights */

	for (u32 i = 0; i < 2; i++) {
		struct child *c = holder_start(handles[i], GRANT_RO, 1);

		child_expect_pass(c);
		child_destroy(c);
	}
	CHECK_EQ(va[0], 1000);
	CHECK_OK(revoke(ro));
	CHECK_OK(revoke(rw));
}

/* A mapping for reading of a writable grant stays for reading. */
static void chose_read_only(void)
{
	u64 gfn = free_gfn();

	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 0), 1);
	CHECK_ERR(OP(AS_MAP, MAP, PV_SELF, VA, gfn, 1, RW), EPERM);
}

PV_DRIVER_TEST(grant_mapped_for_reading, "PVABI-GRT-008.1", PARTS(chose_read_only))
{
	u64 *va, gfn = driver_pages(1, &va);
	u64 rw = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RW));
	struct child *c = holder_start(rw, GRANT_RW, 1);

	child_expect_pass(c);
	child_destroy(c);
	CHECK_OK(revoke(rw));
}

static void unmap_holder(void)
{
	u64 gfn = free_gfn();

	populate(PV_SELF, gfn + 10, 1);
	CHECK_ERR(OP(GRANT_CTL, UNMAP, 0, gfn, 1), ENOENT);
	CHECK_ERR(OP(GRANT_CTL, UNMAP, 0, gfn + 10, 1), EFAULT);
	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 1), 1);
	map(PV_SELF, VA, gfn, 1, RW);
	events_on(0);
	CHECK_EQ(try_write(VA, 5), NO_TRAP);
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, gfn, 1), 1);
	CHECK_EQ(try_write(VA, 6), 14);
	CHECK_ERR(OP(GRANT_CTL, UNMAP, 0, gfn, 1), ENOENT);
	CHECK_EQ(OP(MEM_CTL, POPULATE, PV_SELF, gfn, 1), 1);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn + 1, 1), ENOENT);
}

PV_DRIVER_TEST(grant_unmap, "PVABI-GRT-009.1", PARTS(unmap_holder))
{
	u64 *va, gfn = driver_pages(1, &va);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RW));
	struct child *c = holder_start(grant, GRANT_RW, 1);

	child_expect_pass(c);
	CHECK_EQ(va[0], 5);
	CHECK_OK(revoke(grant));
}

PV_TEST(grant_uses, "PVABI-GRT-020.1")
{
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, own_frames(1), 1, GRANT_RW)), at = free_gfn() + 1;

	for (u64 i = 0; i < 4; i++)
		CHECK_EQ(OP(GRANT_CTL, MAP, grant, at + i, 1, 0), 1);
	CHECK_ERR(OP(GRANT_CTL, MAP, grant, at + 4, 1, 0), ENOSPC);
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, at + 1, 1), 1);
	CHECK_EQ(OP(GRANT_CTL, MAP, grant, at + 4, 1, 0), 1);
}

/* b comes into the half of a that was unmapped, and goes again: a must still know of its other half. */
PV_TEST(grant_in_between, "PVABI-GRT-021.1")
{
	u64 gfn = own_frames(4), at = gfn + 8;
	u64 a = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 2, GRANT_RW));
	u64 b = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn + 2, 1, GRANT_RW));

	CHECK_EQ(OP(GRANT_CTL, MAP, a, at, 2, 1), 2);
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, at, 1), 1);
	CHECK_EQ(OP(GRANT_CTL, MAP, b, at, 1, 1), 1);
	CHECK_EQ(OP(GRANT_CTL, UNMAP, 0, at, 1), 1);
	map(PV_SELF, VA, at + 1, 1, RW);
	*(volatile u64 *)VA = 7;
	CHECK_OK(revoke(a));
	CHECK(*(volatile u64 *)VA != 7);
	CHECK_EQ(OP(MEM_CTL, RELEASE, PV_SELF, gfn, 2), 2);
}

/* ---- revocation ---- */

static void revoked_holder(void)
{
	u64 gfn = free_gfn();

	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, 2, 1), 2);
	map(PV_SELF, VA, gfn, 2, RW);
	CHECK_EQ(*(volatile u64 *)VA, 1000);
	*(volatile u64 *)(VA + 8) = 1;
	events_on(0);
	child_step(1);
	child_await(1); /* the driver has revoked it, or destroyed the owner */
	CHECK_EQ(try_read(VA), NO_TRAP);
	CHECK_EQ(try_read(VA + PAGE_BYTES), NO_TRAP);
	CHECK(*(volatile u64 *)VA != 1000);
	CHECK_EQ(try_write(VA + 8, 0xbad), NO_TRAP);
	CHECK_EQ(try_write(VA + PAGE_BYTES, 0xbad), NO_TRAP);
	CHECK_EQ(*(volatile u64 *)(VA + 8), 0xbad);
	CHECK_ERR(OP(GRANT_CTL, MAP, share->word[0], gfn + 10, 2, 0), EDEAD);
	child_step(2);
	child_await(2);
	unmap(PV_SELF, VA, 2);
	for (u64 done = 0; done < 2;)
		done += TRY(OP(GRANT_CTL, UNMAP, 0, gfn + done, 2 - done));
}

PV_DRIVER_TEST(grant_revoke, "PVABI-GRT-010.1 PVABI-GRT-011.2", PARTS(revoked_holder))
{
	u64 *va, gfn = driver_pages(2, &va);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 2, GRANT_RW));
	u64 weak = TRY(OP(CAP_CTL, COPY, grant, PV_SELF, GRANT_RW));
	struct child *c = holder_start(grant, GRANT_RW, 2);

	CHECK_ERR(OP(GRANT_CTL, REVOKE, weak), EPERM);
	driver_await(c, 1);
	CHECK_EQ(va[1], 1);
	CHECK_OK(revoke(grant));
	CHECK_ERR(OP(GRANT_CTL, REVOKE, grant), ECAP);
	CHECK_ERR(OP(GRANT_CTL, MAP, weak, DRIVER_WINDOW_GFN + 300, 2, 0), EDEAD);
	CHECK_OK(OP(CAP_CTL, DROP, weak));
	driver_step(c, 1);
	driver_await(c, 2);
	CHECK_EQ(va[1], 1); /* what the holder wrote did not arrive */
	CHECK_EQ(va[512], 1001);
	driver_step(c, 2);
	child_expect_pass(c);
}

/* The holder writes in a loop on another vCPU while the driver takes the page away. */
static void restless_holder(void)
{
	u64 gfn = free_gfn();

	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 1), 1);
	map(PV_SELF, VA, gfn, 1, RW);
	child_step(1);
	for (u64 i = 1;; i++) {
		*(volatile u64 *)VA = i;
		if (share->word[STEP_AT + 1])
			break;
	}
}

PV_DRIVER_TEST(grant_revoke_while_written, "PVABI-GRT-010.1", PARTS(restless_holder))
{
	u64 *va, gfn = driver_pages(1, &va);

	for (u32 i = 0; i < 5; i++) {
		u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RW));
		struct child *c = holder_start(grant, GRANT_RW, 1);

		driver_await(c, 1);
		sleep_ms(1);
		CHECK_OK(revoke(grant));
		u64 value = *(volatile u64 *)va;

		sleep_ms(3);
		CHECK_EQ(*(volatile u64 *)va, value);
		driver_step(c, 1);
		child_expect_pass(c);
		child_destroy(c);
	}
}

PV_DRIVER_TEST(grant_owner_destroyed, "PVABI-GRT-012.1", PARTS(revoked_holder))
{
	struct child *c = child_make(0);
	u64 owner = empty_domain(8, 64);
	u64 *va, gfn = driver_pages(2, &va);

	populate(owner, 0x10, 2);
	copy_frames(owner, 0x10, gfn, 2);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, owner, 0x10, 2, GRANT_RW));

	c->share->word[0] = child_give(c, grant, GRANT_RW);
	child_start(c);
	driver_await(c, 1);
	CHECK_OK(dom_destroy(owner));
	driver_step(c, 1);
	driver_await(c, 2);
	driver_step(c, 2);
	child_expect_pass(c);
	CHECK_OK(OP(CAP_CTL, DROP, grant));
}

static void hold_for_ever(void)
{
	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], free_gfn(), 1, 1), 1);
	map(PV_SELF, VA, free_gfn(), 1, RW);
	*(volatile u64 *)VA = 31337;
	child_step(1);
	for (;;)
		HC(WAIT, 0, PV_FOREVER);
}

PV_DRIVER_TEST(grant_holder_destroyed, "PVABI-GRT-013.1 PVABI-GRT-016.1", PARTS(hold_for_ever))
{
	u64 owner = empty_domain(8, 64);
	struct child *c = child_make(0);

	populate(owner, 0x10, 1);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, owner, 0x10, 1, GRANT_RW));

	c->share->word[0] = child_give(c, grant, GRANT_RW);
	child_start(c);
	driver_await(c, 1);
	child_destroy(c);
	CHECK_ERR(OP(MEM_CTL, RELEASE, owner, 0x10, 1), EBUSY);
	CHECK_OK(revoke(grant));
	CHECK_EQ(OP(MEM_CTL, RELEASE, owner, 0x10, 1), 1);
	CHECK_OK(dom_destroy(owner));
}

static void exchange_two(void)
{
	u64 me = share->word[2];

	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], free_gfn(), 1, 1), 1);
	map(PV_SELF, VA, free_gfn(), 1, RW);
	volatile u64 *mine = (volatile u64 *)VA + 1 + me, *other = (volatile u64 *)VA + 2 - me;

	for (u64 i = 1; i <= 50; i++) {
		u64 end = clock_ns() + 1000 * MS;

		*mine = i;
		while (*other < i) {
			CHECK(clock_ns() < end);
			OP(VCPU_CTL, YIELD, PV_SELF);
		}
	}
}

PV_DRIVER_TEST(grant_two_holders, "PVABI-GRT-015.1", PARTS(exchange_two), .budget_ms = 5000)
{
	u64 *va, gfn = driver_pages(1, &va);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RW));
	struct child *c[2];

	memset(va, 0, PAGE_BYTES);
	for (u32 i = 0; i < 2; i++) {
		c[i] = child_make(0);
		c[i]->share->word[0] = child_give(c[i], grant, GRANT_RW);
		c[i]->share->word[2] = i;
	}
	child_start(c[0]);
	child_start(c[1]);
	child_expect_pass(c[0]);
	child_expect_pass(c[1]);
	child_destroy(c[0]);
	child_destroy(c[1]);
	CHECK_OK(revoke(grant));
}

PV_DRIVER_TEST(grant_release_after_revoke, "PVABI-GRT-016.1")
{
	u64 owner = empty_domain(8, 64);

	populate(owner, 0x10, 4);
	u64 a = TRY(OP(GRANT_CTL, CREATE, owner, 0x10, 4, GRANT_RO));
	u64 b = TRY(OP(GRANT_CTL, CREATE, owner, 0x12, 2, GRANT_RO));

	CHECK_ERR(OP(MEM_CTL, RELEASE, owner, 0x12, 1), EBUSY);
	CHECK_OK(revoke(a));
	release(owner, 0x10, 2);
	CHECK_ERR(OP(MEM_CTL, RELEASE, owner, 0x12, 1), EBUSY);
	CHECK_OK(revoke(b));
	release(owner, 0x12, 2);
	CHECK_OK(dom_destroy(owner));
}

PV_TEST(grant_table_full, "PVABI-GRT-017.1", .kmem = 128)
{
	u64 gfn = own_frames(1), n = 0, last = 0;
	i64 h;

	while ((h = OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RO)) >= 0) {
		last = (u64)h;
		n++;
	}
	CHECK(h == -PV_ENOSPC || h == -PV_ENOMEM);
	CHECK(n >= 64);
	CHECK_OK(revoke(last));
	last = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RO));
}

static void granted_frame_uses(void)
{
	u64 gfn = free_gfn();

	CHECK_EQ(OP(GRANT_CTL, MAP, share->word[0], gfn, 1, 1), 1);
	CHECK_ERR(OP(VCPU_SETUP, SET_VCS, gfn), EFAULT);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RO), EFAULT);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn, 1), EFAULT);
}

PV_DRIVER_TEST(grant_no_double_use, "PVABI-GRT-018.1 PVABI-SET-001.1 PVABI-GRT-002.1",
	       PARTS(granted_frame_uses))
{
	u64 *va, gfn = driver_pages(1, &va);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RW));
	struct child *c = holder_start(grant, GRANT_RW, 1);

	child_expect_pass(c);
	child_destroy(c);
	CHECK_OK(revoke(grant));
}

PV_TEST(grant_reserved_arguments, "PVABI-GRT-019.1")
{
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, own_frames(1), 1, GRANT_RO));

	CHECK_ERR(OP(GRANT_CTL, UNMAP, grant, 0x50000, 1, 0), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, UNMAP, 0, 0x50000, 1, 1), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, UNMAP, 0, 0x50000, 0, 0), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, REVOKE, grant, 1, 0, 0), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, REVOKE, grant, 0, 1, 0), EINVAL);
	CHECK_ERR(OP(GRANT_CTL, REVOKE, grant, 0, 0, 1), EINVAL);
	CHECK_OK(revoke(grant));
}

/* Two domains at once want what only a few may have: a fifth holder is refused, none is harmed. */
PV_DRIVER_TEST(grant_many_maps, "PVABI-GRT-015.1 PVABI-DOM-019.1", PARTS(hold_for_ever))
{
	u64 *va, gfn = driver_pages(1, &va);
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RW));

	for (u32 i = 0; i < 3; i++) {
		struct child *c = holder_start(grant, GRANT_RW, 1);

		driver_await(c, 1);
	}
	children_destroy_all();
	CHECK_EQ(va[0], 31337);
	CHECK_OK(revoke(grant));
}
