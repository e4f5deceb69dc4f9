/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fused.c - domains created with PV_CREATE_FUSED: one root for both modes. What such a guest gives up is its own inner
 * boundary; all else is as in any other domain, and nothing at all is given up between domains.
 *
 * What user mode finds on a page that is its kernel mode's is one of two answers, and either is right. That the
 * cases of walked.c hold here too is said there, row by row.
 */
#include <string.h>

#include "../lib/abitest.h"
#include "../lib/pagetable.h"
#include "../lib/turns.h"

#define USER_CODE 0x10000000000ull /* another top-level slot than the program's */
#define USER_STACK (USER_CODE + 0x3000)
#define SECRET_VA (USER_CODE + 0x5000)
#define KERNEL_VA 0xffffc90000000000ull
#define WORLD_VA 0x20000000000ull /* where a child shows itself every frame there could be */
#define WORLD_PAGES 3072ull
#define SECRET 0x5ec4e7

static u64 *root;
static u8 *text;

static const u8 code_read[] = { 0x48, 0x8b, 0x00, 0x0f, 0x05 };	 /* mov (%rax), %rax; syscall */
static const u8 code_write[] = { 0x48, 0x89, 0x00, 0x0f, 0x05 }; /* mov %rax, (%rax); syscall */
static const u8 code_jump[] = { 0xff, 0xe0 };			 /* jmp *%rax */
static const u8 code_return[] = { 0xc3 };

/* On tables of its own, events on, with a page for programs of user mode. */
static void enter(void)
{
	text = pages_alloc(1);
	root = pt_new_root();
	events_on(0);
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(root), 0));
	pt_map(root, USER_CODE, gfn_of(text), PT_U);
	pt_map(root, USER_STACK - PAGE_BYTES, gfn_of(pages_alloc(1)), PT_U | PT_W | PT_NX);
}

/* Runs a program of user mode with rax; 1: its fault, 2: it came to its system call. */
static u64 user(const u8 *code, u64 size, u64 rax)
{
	memcpy(text, code, size); /* through the kernel mode's own mapping */
	return run_user(USER_CODE, USER_STACK, rax);
}

#define USER(code, rax) user(code, sizeof(code), rax)

static void check_user_fault(u64 va, u64 error)
{
	CHECK_EQ(vcs0->uframe.vector, 14);
	CHECK_EQ(vcs0->uframe.error, error);
	CHECK_EQ(vcs0->cr2, va);
}

/* User mode reads what is its kernel mode's: the very value, or the fault of any other domain. */
static void check_either(u64 va, u64 value)
{
	u64 how = USER(code_read, va);

	CHECK(how == 1 || how == 2);
	if (how == 2)
		CHECK_EQ(abi_cpus[0].user_rax, value);
	else
		check_user_fault(va, 5);
}

PV_TEST(fused_is_told, "PVABI-WLK-025.1", FUSED)
{
	struct pv_info_system system;

	CHECK_EQ(TRY(OP(INFO, FEATURES, 0)) & PV_FEAT_FUSED, PV_FEAT_FUSED);
	CHECK_OK(OP(INFO, SYSTEM, 0));
	batch_get(&system, sizeof(system));
	CHECK_EQ(system.features & PV_FEAT_FUSED, PV_FEAT_FUSED);
}

PV_TEST(split_is_told, "PVABI-WLK-025.1", WALKED)
{
	CHECK_EQ(TRY(OP(INFO, FEATURES, 0)) & PV_FEAT_FUSED, 0);
}

PV_TEST(fused_reaches_or_faults, "PVABI-WLK-024.1", FUSED)
{
	volatile u64 *page = pages_alloc(1);

	enter();
	pt_map(root, SECRET_VA, gfn_of((void *)page), PT_W);
	pt_map(root, KERNEL_VA, gfn_of((void *)page), PT_W);
	for (u64 i = 0; i < 8; i++) {
		page[0] = SECRET + i;
		check_either(SECRET_VA, SECRET + i);
		check_either(KERNEL_VA, SECRET + i);
		CHECK_EQ(*(volatile u64 *)SECRET_VA, SECRET + i); /* kernel mode has touched it now */
		CHECK_EQ(*(volatile u64 *)KERNEL_VA, SECRET + i);
		check_either(SECRET_VA, SECRET + i);
		check_either(KERNEL_VA, SECRET + i);
		if (i & 1)
			CHECK_OK(HC(AS_FLUSH, PV_FOREVER, 0, 0, i & 2 ? PV_FLUSH_KERNEL : 0));
	}
}

/* P, W and NX hold for user mode also where kernel mode was before. */
PV_TEST(fused_rights, "PVABI-WLK-024.1", FUSED)
{
	static const u64 places[] = { SECRET_VA, KERNEL_VA };
	u8 *page = pages_alloc(1);

	enter();
	memcpy(page, code_return, sizeof(code_return));
	for (u32 i = 0; i < 2; i++) {
		u64 va = places[i];

		pt_map(root, va, gfn_of(page), 0);
		CHECK_EQ(try_exec(va), NO_TRAP);
		CHECK_EQ(USER(code_write, va), 1);
		check_user_fault(va, 7);
		CHECK_EQ(try_write(va, 1), 14); /* no more did kernel mode get it */
		CHECK_EQ(page[0], code_return[0]);
		pt_map(root, va + PAGE_BYTES, gfn_of(page), PT_W | PT_NX);
		CHECK_EQ(try_write(va + PAGE_BYTES + 8, 1), NO_TRAP);
		CHECK_EQ(USER(code_jump, va + PAGE_BYTES), 1);
		check_user_fault(va + PAGE_BYTES, 0x15);
		CHECK_EQ(USER(code_read, va + 2 * PAGE_BYTES), 1);
		check_user_fault(va + 2 * PAGE_BYTES, 4);
		CHECK_EQ(USER(code_write, va + 2 * PAGE_BYTES), 1);
		check_user_fault(va + 2 * PAGE_BYTES, 6);
	}
}

/* A page taken from both is gone for both, whoever used it last. */
PV_TEST(fused_flush, "PVABI-WLK-024.1 PVABI-WLK-007.1", FUSED)
{
	u64 *pages[2] = { pages_alloc(1), pages_alloc(1) };

	enter();
	pages[0][0] = 10;
	pages[1][0] = 11;
	pt_map(root, SECRET_VA, gfn_of(pages[0]), PT_U | PT_W);
	volatile u64 *entry = pt_entry(root, SECRET_VA);

	for (u32 i = 0; i < 24; i++) {
		*entry = gfn_of(pages[i & 1]) << 12 | PT_P | PT_U | PT_W;
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, SECRET_VA, SECRET_VA + PAGE_BYTES, i & 2 ? PV_FLUSH_ALL : 0));
		if (i & 4)
			CHECK_EQ(*(volatile u64 *)SECRET_VA, 10 + (i & 1));
		CHECK_EQ(USER(code_read, SECRET_VA), 2);
		CHECK_EQ(abi_cpus[0].user_rax, 10 + (i & 1));
		*entry = 0;
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, SECRET_VA, SECRET_VA + PAGE_BYTES, 0));
		CHECK_EQ(USER(code_read, SECRET_VA), 1);
		check_user_fault(SECRET_VA, 4);
		CHECK_EQ(try_read(SECRET_VA), 14);
	}
}

/* ---- the outer boundary ---- */

static void check_closed(u64 va)
{
	CHECK_EQ(try_read(va), 14);
	CHECK_EQ(try_write(va, 1), 14);
	CHECK_EQ(try_exec(va), 14);
	CHECK_EQ(USER(code_read, va), 1);
	CHECK_EQ(vcs0->uframe.vector, 14);
	CHECK_EQ(USER(code_write, va), 1);
	CHECK_EQ(vcs0->uframe.vector, 14);
	CHECK_EQ(USER(code_jump, va), 1);
	CHECK_EQ(vcs0->uframe.vector, 14);
}

/* Each top-level slot of the hole, as it is and where the guest's tables say that its own memory is there. */
PV_TEST(fused_hole_closed, "PVABI-ISO-008.1 PVABI-ISO-004.1", FUSED, .budget_ms = 10000)
{
	static const u64 offsets[] = { 0, 0x1000, 0x100000, 0x200000, 0x40000000, 0x7fffffff8 };
	u64 gfn;

	enter();
	gfn = gfn_of(pages_alloc(1));
	for (u64 base = PV_HOLE_START; base < PV_HOLE_END; base += 1ull << 39)
		for (u32 i = 0; i < sizeof(offsets) / sizeof(u64); i++)
			check_closed(base + offsets[i]);
	check_closed(PV_HOLE_END - 8);
	pt_map(root, PV_HOLE_START, gfn, PT_U | PT_W);
	pt_map(root, PV_HOLE_END - PAGE_BYTES, gfn, PT_U | PT_W);
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(root), 0));
	check_closed(PV_HOLE_START);
	check_closed(PV_HOLE_END - PAGE_BYTES);
}

/*
 * Shows itself every frame number from 0 on, its own and those that are none of its own, and looks for what another
 * domain has written to its memory: in kernel mode, in user mode, and once more with writes to all that is not
 * its own. word[2]: what it writes itself; word[3]: what must never be seen.
 */
static void look_for_others(void)
{
	u64 *mine = pages_alloc(1), memory_end = (start->memmap[0].base + start->memmap[0].size) >> PV_PAGE_SHIFT;
	u64 never = share->word[3];

	enter();
	for (u32 i = 0; i < 512; i++)
		mine[i] = share->word[2];
	for (u64 gfn = 0; gfn < WORLD_PAGES; gfn++)
		pt_map(root, WORLD_VA + gfn * PAGE_BYTES, gfn, PT_U | PT_W);
	store_release(&share->word[0], 1);
	CHECK(wait_for(&share->word[1], 1, 1000));
	for (u64 gfn = 0; gfn < WORLD_PAGES; gfn++) {
		volatile u64 *at = (volatile u64 *)(WORLD_VA + gfn * PAGE_BYTES);

		CHECK(at[0] != never && at[511] != never);
		if (gfn >= memory_end)
			at[8] = never ^ share->word[2];
		if (gfn % 16 == 0)
			OP(VCPU_CTL, YIELD, PV_SELF);
	}
	memcpy(text, code_read, sizeof(code_read));
	for (u64 gfn = 0; gfn < WORLD_PAGES; gfn += 3) {
		CHECK_EQ(run_user(USER_CODE, USER_STACK, WORLD_VA + gfn * PAGE_BYTES), 2);
		CHECK(abi_cpus[0].user_rax != never);
	}
	store_release(&share->word[0], 2);
	CHECK(wait_for(&share->word[1], 2, 4000));
	for (u32 i = 0; i < 512; i++)
		CHECK_EQ(mine[i], share->word[2]);
}

static void look_at_each_other(u32 other_flags)
{
	struct abi_case other = *this_case;
	struct child *c[2];

	other.flags = other_flags;
	c[0] = child_make(0);
	c[1] = child_make_opt(0, &other);
	for (u32 i = 0; i < 2; i++) {
		c[i]->share->word[2] = 0x6f6e6365a0ull + i;
		c[i]->share->word[3] = 0x6f6e6365a0ull + !i;
		child_start(c[i]);
	}
	for (u64 step = 1; step <= 2; step++) {
		for (u32 i = 0; i < 2; i++)
			CHECK(wait_for(&c[i]->share->word[0], step, 4000));
		for (u32 i = 0; i < 2; i++)
			store_release(&c[i]->share->word[1], step);
	}
	child_expect_pass(c[0]);
	child_expect_pass(c[1]);
}

PV_DRIVER_TEST(fused_beside_fused, "PVABI-ISO-008.1 PVABI-ISO-006.1", PARTS(look_for_others), FUSED, .kmem = 128,
	       .budget_ms = 10000)
{
	look_at_each_other(PV_CREATE_FUSED);
}

PV_DRIVER_TEST(fused_beside_split, "PVABI-ISO-008.1 PVABI-ISO-006.1", PARTS(look_for_others), FUSED, .kmem = 128,
	       .budget_ms = 10000)
{
	look_at_each_other(0);
}

FUSED_CACHES(fused_reaches_or_faults, "PVABI-WLK-024.1");
FUSED_CACHES(fused_rights, "PVABI-WLK-024.1");
FUSED_CACHES(fused_flush, "PVABI-WLK-024.1");
