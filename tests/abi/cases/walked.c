/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walked.c - domains whose own page tables are walked: the toy of a guest kernel. The program runs
 * 1:1 in linear translation first, then on tables it wrote itself, and lets small pieces of code run
 * in user mode.
 */
#include <string.h>

#include "../lib/abitest.h"
#include "../lib/pagetable.h"

#define USER_VA 0x10000000000ull /* another top-level slot than the program's */
#define USER_CODE USER_VA
#define USER_DATA (USER_VA + 0x1000)
#define USER_STACK (USER_VA + 0x3000)

static u64 *root;

static void load(u64 *table)
{
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(table), 0));
}

/* Enters a table of its own, events on. */
static void enter(void)
{
	root = pt_new_root();
	events_on(0);
	load(root);
}

PV_TEST(linear_start, "PVABI-WLK-001.1", WALKED)
{
	volatile u64 *page = pages_alloc(1);
	volatile u64 *alias = (volatile u64 *)(0xffffffff80000000 + (u64)page);

	*page = 4711;
	CHECK_EQ(*alias, 4711);
	*alias = 4712;
	CHECK_EQ(*page, 4712);
	CHECK_EQ(((u64)linear_start & ~0xfffffffull), 0); /* it runs where it was put */
}

PV_TEST(own_tables, "PVABI-WLK-002.1", WALKED)
{
	u64 *page = pages_alloc(1);

	enter();
	page[0] = 1234;
	pt_map(root, USER_VA, gfn_of(page), PT_W);
	CHECK_EQ(*(volatile u64 *)USER_VA, 1234);
	*(volatile u64 *)(USER_VA + 8) = 99;
	CHECK_EQ(page[1], 99);
	CHECK_EQ(try_read(USER_VA + PAGE_BYTES), 14);
	CHECK_EQ(try_read(0x10), 14);
}

PV_TEST(root_errors, "PVABI-WLK-003.1", WALKED)
{
	CHECK_ERR(HC(AS_LOAD_ROOT, 0x400001, 0), EINVAL);
	CHECK_ERR(HC(AS_LOAD_ROOT, 0x400800, 0), EINVAL);
	CHECK_ERR(HC(AS_LOAD_ROOT, (PV_MAX_GFN + 1ull) << 12, 0), ERANGE);
	CHECK_ERR(HC(AS_LOAD_ROOT, free_gfn() << 12, 0), EFAULT);
	CHECK_ERR(HC(AS_LOAD_ROOT, 0, 0), EFAULT);
	CHECK_ERR(OP(AS_CTL, SET_KERNEL_ROOT, 0x400008), EINVAL);
	CHECK_ERR(OP(AS_CTL, SET_KERNEL_ROOT, (PV_MAX_GFN + 1ull) << 12), ERANGE);
	CHECK_ERR(OP(AS_CTL, SET_KERNEL_ROOT, free_gfn() << 12), EFAULT);
}

PV_TEST(not_in_explicit, "PVABI-WLK-004.1")
{
	CHECK_ERR(HC(AS_LOAD_ROOT, 0x400000, 0), ESTATE);
	CHECK_ERR(HC(AS_FLUSH, PV_FOREVER, 0, 0, 0), ESTATE);
	CHECK_ERR(OP(AS_CTL, SET_KERNEL_ROOT, 0x400000), ESTATE);
	CHECK_ERR(OP(AS_CTL, DROP, 0x400000), ESTATE);
	CHECK_ERR(OP(AS_CTL, DESTROY, 0x400000), ESTATE);
}

PV_TEST(walk_rights, "PVABI-WLK-005.1", WALKED)
{
	u64 *page = pages_alloc(1);
	struct abi_cpu *cpu = &abi_cpus[0];

	enter();
	*(u8 *)page = 0xc3;
	pt_map(root, USER_VA, gfn_of(page), 0); /* read-only, executable */
	CHECK_EQ(try_read(USER_VA), NO_TRAP);
	CHECK_EQ(try_exec(USER_VA), NO_TRAP);
	CHECK_EQ(try_write(USER_VA, 1), 14);
	CHECK_EQ(cpu->error, 3);
	CHECK_EQ(cpu->cr2, USER_VA);
	pt_map(root, USER_VA + PAGE_BYTES, gfn_of(page), PT_W | PT_NX);
	CHECK_EQ(try_write(USER_VA + PAGE_BYTES + 8, 1), NO_TRAP);
	CHECK_EQ(try_exec(USER_VA + PAGE_BYTES), 14);
	CHECK_EQ(cpu->error, 0x11);
	CHECK_EQ(try_write(USER_VA + 5 * PAGE_BYTES, 1), 14);
	CHECK_EQ(cpu->error, 2);
	pt_map(root, USER_VA + 2 * PAGE_BYTES, gfn_of(page), PT_W | PT_U);
	CHECK_EQ(try_exec(USER_VA + 2 * PAGE_BYTES), 14); /* SMEP */
	CHECK_EQ(cpu->error & 0x10, 0x10);
}

PV_TEST(walk_upper_rights, "PVABI-WLK-005.1", WALKED)
{
	u64 *page = pages_alloc(1);

	enter();
	pt_map(root, USER_VA, gfn_of(page), PT_W);
	root[USER_VA >> 39 & 511] &= ~PT_W; /* W is the AND of all levels */
	CHECK_EQ(try_read(USER_VA), NO_TRAP);
	CHECK_EQ(try_write(USER_VA, 1), 14);
	CHECK_EQ(abi_cpus[0].error, 3);
}

PV_TEST(accessed_and_dirty, "PVABI-WLK-006.1", WALKED)
{
	u64 *page = pages_alloc(1);

	enter();
	pt_map(root, USER_VA, gfn_of(page), PT_W);
	volatile u64 *entry = pt_entry(root, USER_VA);

	CHECK_EQ(*entry & (PT_A | PT_D), 0);
	(void)*(volatile u64 *)USER_VA;
	CHECK_EQ(*entry & (PT_A | PT_D), PT_A);
	CHECK(root[USER_VA >> 39 & 511] & PT_A);
	*(volatile u64 *)USER_VA = 1;
	CHECK_EQ(*entry & (PT_A | PT_D), PT_A | PT_D);
	*entry &= ~(PT_A | PT_D);
	CHECK_OK(HC(AS_FLUSH, PV_FOREVER, USER_VA, USER_VA + PAGE_BYTES, 0));
	(void)*(volatile u64 *)USER_VA;
	CHECK_EQ(*entry & (PT_A | PT_D), PT_A);
}

PV_TEST(flush_makes_changes_seen, "PVABI-WLK-007.1", WALKED)
{
	u64 *a = pages_alloc(1), *b = pages_alloc(1);

	enter();
	a[0] = 1;
	b[0] = 2;
	pt_map(root, USER_VA, gfn_of(a), PT_W);
	volatile u64 *entry = pt_entry(root, USER_VA);

	for (u32 i = 0; i < 50; i++) {
		u64 flags = i & 1 ? PV_FLUSH_ALL : 0, end = i & 2 ? USER_VA + PAGE_BYTES : 0;

		*entry = gfn_of(i & 4 ? a : b) << 12 | PT_P | PT_W;
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, end ? USER_VA : 0, end, flags));
		CHECK_EQ(*(volatile u64 *)USER_VA, i & 4 ? 1 : 2);
		*(volatile u64 *)(USER_VA + 8) = i;
		*entry &= ~PT_W;
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, USER_VA, USER_VA + PAGE_BYTES, flags));
		CHECK_EQ(try_write(USER_VA + 8, 0), 14);
		*entry = 0;
		CHECK_OK(HC(AS_FLUSH, root_gpa(root), USER_VA, USER_VA + PAGE_BYTES, flags));
		CHECK_EQ(try_read(USER_VA), 14);
	}
}

/* Adding rights needs no flush: a fault walks again before it is given to the guest. */
PV_TEST(upgrade_without_flush, "PVABI-WLK-005.1", WALKED)
{
	u64 *page = pages_alloc(1);

	enter();
	pt_map(root, USER_VA, gfn_of(page), 0);
	CHECK_EQ(try_read(USER_VA), NO_TRAP);
	*pt_entry(root, USER_VA) |= PT_W;
	CHECK_EQ(try_write(USER_VA, 5), NO_TRAP);
	CHECK_EQ(try_read(USER_VA + PAGE_BYTES), 14);
	pt_map(root, USER_VA + PAGE_BYTES, gfn_of(page), PT_W);
	CHECK_EQ(try_read(USER_VA + PAGE_BYTES), NO_TRAP);
}

PV_TEST(flush_arguments, "PVABI-WLK-008.1", WALKED)
{
	enter();
	CHECK_OK(HC(AS_FLUSH, 0x123000, 0, 0, 0)); /* unknown root */
	CHECK_ERR(HC(AS_FLUSH, 0x123001, 0, 0, 0), EINVAL);
	CHECK_ERR(HC(AS_FLUSH, PV_FOREVER, 1, 0x1000, 0), EINVAL);
	CHECK_ERR(HC(AS_FLUSH, PV_FOREVER, 0x1000, 0x1001, 0), EINVAL);
	CHECK_ERR(HC(AS_FLUSH, PV_FOREVER, 0x2000, 0x1000, 0), EINVAL);
	CHECK_ERR(HC(AS_FLUSH, PV_FOREVER, 0x1000, 0x1000, 0), EINVAL);
	CHECK_ERR(HC(AS_FLUSH, PV_FOREVER, 0, 0, 4), EINVAL);
	CHECK_ERR(HC(AS_FLUSH, 0x1000, 0, 0, PV_FLUSH_KERNEL), EINVAL);
	CHECK_ERR(HC(AS_FLUSH, (PV_MAX_GFN + 1ull) << 12, 0, 0, 0), ERANGE);
	CHECK_ERR(HC(AS_FLUSH, PV_FOREVER, 0, 0x800000001000, 0), ERANGE);
	CHECK_OK(HC(AS_FLUSH, PV_FOREVER, 0, 0, PV_FLUSH_KERNEL | PV_FLUSH_ALL));
}

PV_TEST(load_root_flags, "PVABI-WLK-017.1", WALKED)
{
	u64 *table = pt_new_root();

	for (u32 bit = 1; bit < 64; bit++)
		CHECK_ERR(HC(AS_LOAD_ROOT, root_gpa(table), 1ull << bit), EINVAL);
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(table), PV_ROOT_KEEP));
}

PV_TEST(two_roots, "PVABI-WLK-016.1", WALKED)
{
	u64 *a = pages_alloc(1), *b = pages_alloc(1), *other = pt_new_root();

	enter();
	a[0] = 1;
	b[0] = 2;
	pt_map(root, USER_VA, gfn_of(a), PT_W);
	pt_map(other, USER_VA, gfn_of(b), PT_W);
	for (u32 i = 0; i < 40; i++) {
		u64 flags = i & 2 ? PV_ROOT_KEEP : 0;

		CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(i & 1 ? other : root), flags));
		CHECK_EQ(*(volatile u64 *)USER_VA, i & 1 ? 2 : 1);
	}
}

PV_TEST(drop_and_destroy, "PVABI-WLK-015.1", WALKED)
{
	u64 *a = pages_alloc(1), *other = pt_new_root();

	enter();
	a[0] = 7;
	pt_map(other, USER_VA, gfn_of(a), PT_W);
	for (u32 i = 0; i < 10; i++) {
		load(other);
		CHECK_EQ(*(volatile u64 *)USER_VA, 7);
		load(root);
		CHECK_OK(OP(AS_CTL, DROP, root_gpa(other)));
		load(other);
		CHECK_EQ(*(volatile u64 *)USER_VA, 7);
		load(root);
		CHECK_OK(OP(AS_CTL, DESTROY, root_gpa(other)));
	}
	CHECK_OK(OP(AS_CTL, DESTROY, 0x7000)); /* unknown: success */
}

/* ---- user mode ---- */

static void user_pages(const void *code, u64 size)
{
	u8 *text = pages_alloc(1), *data = pages_alloc(2);

	memcpy(text, code, size);
	pt_map(root, USER_CODE, gfn_of(text), PT_U);
	pt_map(root, USER_DATA, gfn_of(data), PT_U | PT_W | PT_NX);
	pt_map(root, USER_DATA + PAGE_BYTES, gfn_of(data) + 1, PT_U | PT_W | PT_NX);
}

/* mov %rsp, rax is user's own; syscall; two bytes each */
static const u8 code_syscall[] = { 0x48, 0xc7, 0xc0, 0x2a, 0, 0, 0,	/* mov $42, %rax */
				   0x0f, 0x05,				/* syscall */
				   0x0f, 0x0b };			/* ud2 */
static const u8 code_read[] = { 0x48, 0x8b, 0x00, 0x0f, 0x05 };		/* mov (%rax), %rax */
static const u8 code_write[] = { 0x48, 0x89, 0x00, 0x0f, 0x05 };	/* mov %rax, (%rax) */
static const u8 code_int80[] = { 0xcd, 0x80, 0x0f, 0x05 };		/* int $0x80 */
static const u8 code_hlt[] = { 0xf4 };
static const u8 code_loop[] = { 0xeb, 0xfe };
static const u8 code_jump[] = { 0xff, 0xe0 };				/* jmp *%rax */

PV_TEST(user_syscall, "PVABI-WLK-009.2", WALKED)
{
	enter();
	user_pages(code_syscall, sizeof(code_syscall));
	for (u32 i = 0; i < 20; i++) {
		CHECK_EQ(run_user(USER_CODE, USER_STACK - 64, 0), 2);
		CHECK_EQ(abi_cpus[0].user_rax, 42);
		CHECK_EQ(abi_cpus[0].user_rsp, USER_STACK - 64);
		CHECK_EQ(vcs0->uframe.rip, USER_CODE + 9);
		CHECK_EQ(vcs0->uframe.rcx, USER_CODE + 9);
		CHECK_EQ(vcs0->uframe.cs, PV_USER_CS);
		CHECK_EQ(vcs0->uframe.ss, PV_USER_SS);
		CHECK_EQ(vcs0->uframe.rflags & 0x200, 0x200);
	}
}

PV_TEST(user_faults, "PVABI-WLK-010.2", WALKED)
{
	u64 *secret = pages_alloc(1);

	enter();
	user_pages(code_read, sizeof(code_read));
	pt_map(root, USER_VA + 0x5000, gfn_of(secret), PT_W); /* without U */
	CHECK_EQ(run_user(USER_CODE, USER_STACK, USER_DATA), 2);
	CHECK_EQ(run_user(USER_CODE, USER_STACK, USER_VA + 0x5000), 1);
	CHECK_EQ(vcs0->uframe.vector, 14);
	CHECK_EQ(vcs0->uframe.error, 5);
	CHECK_EQ(vcs0->cr2, USER_VA + 0x5000);
	CHECK_EQ(vcs0->uframe.rip, USER_CODE);
	CHECK_EQ(run_user(USER_CODE, USER_STACK, PV_EXPLICIT_BASE), 1);
	CHECK_EQ(vcs0->uframe.error, 5);
	CHECK_EQ(run_user(USER_CODE, USER_STACK, USER_VA + 0x9000), 1);
	CHECK_EQ(vcs0->uframe.error, 4);
	CHECK_EQ(run_user(USER_CODE, USER_STACK, PV_HOLE_START), 1);
	CHECK_EQ(vcs0->uframe.vector, 14);
	CHECK_EQ(run_user(USER_CODE, USER_STACK, (u64)vcs0), 1);
	CHECK_EQ(vcs0->uframe.vector, 14);
}

PV_TEST(user_write_faults, "PVABI-WLK-010.2 PVABI-WLK-006.1", WALKED)
{
	enter();
	user_pages(code_write, sizeof(code_write));
	volatile u64 *entry = pt_entry(root, USER_DATA);

	CHECK_EQ(*entry & PT_D, 0);
	CHECK_EQ(run_user(USER_CODE, USER_STACK, USER_DATA), 2);
	CHECK_EQ(*entry & (PT_A | PT_D), PT_A | PT_D);
	CHECK_EQ(run_user(USER_CODE, USER_STACK, USER_CODE), 1);
	CHECK_EQ(vcs0->uframe.error, 7);
}

PV_TEST(user_hypercall_is_not_one, "PVABI-WLK-011.1", WALKED)
{
	enter();
	user_pages(code_read + 3, 2); /* syscall */
	u64 shutdown = PV_HC_DOM_CTL;

	CHECK_EQ(run_user(USER_CODE, USER_STACK, shutdown), 2);
	CHECK_EQ(abi_cpus[0].user_rax, shutdown);
	for (u64 nr = 0; nr < PV_HC_COUNT + 3; nr++)
		CHECK_EQ(run_user(USER_CODE, USER_STACK, nr), 2);
}

PV_TEST(user_int80, "PVABI-WLK-012.1", WALKED)
{
	enter();
	user_pages(code_int80, sizeof(code_int80));
	CHECK_EQ(run_user(USER_CODE, USER_STACK, 5), 1);
	CHECK_EQ(vcs0->uframe.vector, PV_VEC_INT80);
	CHECK_EQ(vcs0->uframe.rip, USER_CODE + 2);
	CHECK_EQ(abi_cpus[0].user_rax, 5);
}

PV_TEST(user_privileged, "PVABI-WLK-010.2 PVABI-ISO-005.1", WALKED)
{
	enter();
	user_pages(code_hlt, sizeof(code_hlt));
	CHECK_EQ(run_user(USER_CODE, USER_STACK, 0), 1);
	CHECK_EQ(vcs0->uframe.vector, 13);
}

PV_TEST(user_syscall_nowhere, "PVABI-WLK-023.1", WALKED)
{
	static const u64 syscall_at = USER_CODE + 7;

	enter();
	user_pages(code_syscall, sizeof(code_syscall));
	syscalls_off();
	CHECK_EQ(run_user(USER_CODE, USER_STACK, 0), 1);
	CHECK_EQ(vcs0->uframe.vector, 6);
	CHECK_EQ(vcs0->uframe.rip, syscall_at);
	CHECK_EQ(abi_cpus[0].user_rax, 42);
	events_on(0);
	CHECK_EQ(run_user(USER_CODE, USER_STACK, 0), 2);
}

PV_TEST(user_interrupted, "PVABI-WLK-009.2 PVABI-TIM-007.1", WALKED)
{
	enter();
	user_pages(code_loop, sizeof(code_loop));
	for (u32 i = 0; i < 5; i++) {
		CHECK_OK(HC(TIMER_SET, clock_ns() + 2 * MS)); /* user mode has no IF to clear */
		CHECK_EQ(run_user(USER_CODE, USER_STACK, 0), 1);
		CHECK_EQ(vcs0->uframe.vector, PV_VEC_IRQ);
		CHECK_EQ(vcs0->uframe.rip, USER_CODE);
		CHECK(vcs0->pend[0] & 1ull << PV_VEC_TIMER);
		CHECK_EQ(vcs0->flags & PV_VCS_IF, 0);
		vcs0->pend[0] = 0;
	}
}

PV_TEST(user_jumps_away, "PVABI-WLK-010.2", WALKED)
{
	static const u64 where[] = { PV_HOLE_START, 0, PV_EXPLICIT_BASE, USER_DATA,
				     0xffffffff81000000 };

	enter();
	user_pages(code_jump, sizeof(code_jump));
	for (u32 i = 0; i < sizeof(where) / sizeof(u64); i++) {
		CHECK_EQ(run_user(USER_CODE, USER_STACK, where[i]), 1);
		CHECK_EQ(vcs0->uframe.vector, 14);
		CHECK_EQ(vcs0->cr2, where[i]);
	}
	CHECK_EQ(run_user(USER_CODE, USER_STACK, 1ull << 63), 1);
	CHECK_EQ(vcs0->uframe.vector, 13);
}

/* ERETU to where nobody can go is a #GP at the ERETU; to where nobody may go a fault of user mode. */
PV_TEST(user_entry_hostile, "PVABI-WLK-018.1", WALKED)
{
	static const u64 nowhere[] = { 0xffff7fffffffffff, 0x800000000000, 1ull << 63 };

	enter();
	user_pages(code_syscall, sizeof(code_syscall));
	for (u32 i = 0; i < 3; i++) {
		CHECK_EQ(run_user(nowhere[i], USER_STACK, 0), 3);
		CHECK_EQ(abi_cpus[0].vector, 13);
	}
	CHECK_EQ(run_user(PV_HOLE_START, USER_STACK, 0), 1);
	CHECK_EQ(vcs0->uframe.vector, 14);
	CHECK_EQ(run_user(PV_HOLE_END - 1, USER_STACK, 0), 1);
	CHECK_EQ(vcs0->uframe.vector, 14);
	CHECK_EQ(run_user(USER_CODE, USER_STACK, 0), 2);
}

/* ---- tables that lie ---- */

PV_TEST(tables_outside, "PVABI-WLK-013.1", WALKED)
{
	u64 hole = free_gfn();

	enter();
	root[300 & 255] = hole << 12 | PT_P | PT_W;
	CHECK_EQ(try_read(300ull % 256 << 39), 14);
	root[100] = (u64)PV_MAX_GFN << 12 | PT_P | PT_W;
	CHECK_EQ(try_read(100ull << 39), 14);
	root[101] = 0x7ffffffffffff000 | PT_P | PT_W;
	CHECK_EQ(try_read(101ull << 39), 14);
	root[102] = root_gpa(root) | PT_P | PT_W; /* the root as its own L3: recursion */
	(void)try_read(102ull << 39);
	(void)try_read(102ull << 39 | 102ull << 30 | 102ull << 21 | 102ull << 12);
	for (u64 word = 0; word < 512; word += 13) {
		u64 *table = pages_alloc(1);

		table[0] = 0x9e3779b97f4a7c15ull * (word + 1) | PT_P;
		root[103] = (u64)table | PT_P | PT_W;
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, 0, 0, 0));
		(void)try_read(103ull << 39);
		break;
	}
}

PV_TEST(absent_memory, "PVABI-WLK-013.1", WALKED)
{
	u64 hole = free_gfn();

	enter();
	pt_map(root, USER_VA, hole, PT_W);
	CHECK_EQ(*(volatile u64 *)USER_VA, ~0ull);
	CHECK_EQ(try_write(USER_VA, 5), NO_TRAP);
	CHECK_EQ(OP(MEM_CTL, POPULATE, PV_SELF, hole, 1), 1);
	CHECK_EQ(*(volatile u64 *)USER_VA, 0);
	*(volatile u64 *)USER_VA = 6;
	CHECK_EQ(*(volatile u64 *)USER_VA, 6);
}

/* ---- all of that with little or no cache: nothing a guest can see depends on its size ---- */

SMALL_CACHES(own_tables, "PVABI-WLK-002.1");
SMALL_CACHES(walk_rights, "PVABI-WLK-005.1");
SMALL_CACHES(walk_upper_rights, "PVABI-WLK-005.1");
SMALL_CACHES(accessed_and_dirty, "PVABI-WLK-006.1");
SMALL_CACHES(flush_makes_changes_seen, "PVABI-WLK-007.1");
SMALL_CACHES(upgrade_without_flush, "PVABI-WLK-005.1");
SMALL_CACHES(two_roots, "PVABI-WLK-016.1");
SMALL_CACHES(drop_and_destroy, "PVABI-WLK-015.1");

/* It stands in what it destroys: the page fault that follows cannot be taken anywhere. */
PV_TEST(destroy_the_ground, "PVABI-WLK-022.1", WALKED, .reason = PV_REASON_DOUBLE_FAULT, .code = 14)
{
	u64 *ground = pt_new_root();

	events_on(0);
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(ground), 0));
	OP(AS_CTL, DESTROY, root_gpa(ground));
}

PV_TEST(destroy_back_to_kernel_root, "PVABI-WLK-022.1", WALKED)
{
	u64 *ground = pt_new_root(), *kernel_root = pt_new_root();

	events_on(0);
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(ground), 0));
	CHECK_OK(OP(AS_CTL, SET_KERNEL_ROOT, root_gpa(kernel_root)));
	CHECK_OK(OP(AS_CTL, DESTROY, root_gpa(ground)));
	pt_map(kernel_root, 0x10000000000, gfn_of(ground), PT_W);
	CHECK_EQ(try_read(0x10000000000), NO_TRAP);
}
SMALL_CACHES(user_syscall, "PVABI-WLK-009.2");
SMALL_CACHES(user_faults, "PVABI-WLK-010.2");
SMALL_CACHES(user_write_faults, "PVABI-WLK-010.2");
SMALL_CACHES(user_jumps_away, "PVABI-WLK-010.2");
SMALL_CACHES(user_interrupted, "PVABI-WLK-009.2");
SMALL_CACHES(tables_outside, "PVABI-WLK-013.1");
SMALL_CACHES(absent_memory, "PVABI-WLK-013.1");

/* ---- and where both modes have one root: all but who is kept from pages without U (fused.c) ---- */

FUSED_TOO(own_tables, "PVABI-WLK-002.1");
FUSED_TOO(walk_upper_rights, "PVABI-WLK-005.1");
FUSED_TOO(accessed_and_dirty, "PVABI-WLK-006.1");
FUSED_TOO(flush_makes_changes_seen, "PVABI-WLK-007.1");
FUSED_TOO(upgrade_without_flush, "PVABI-WLK-005.1");
FUSED_TOO(two_roots, "PVABI-WLK-016.1");
FUSED_TOO(drop_and_destroy, "PVABI-WLK-015.1");
FUSED_TOO(user_syscall, "PVABI-WLK-009.2");
FUSED_TOO(user_write_faults, "PVABI-WLK-006.1");
FUSED_TOO(user_hypercall_is_not_one, "PVABI-WLK-011.1");
FUSED_TOO(user_int80, "PVABI-WLK-012.1");
FUSED_TOO(user_privileged, "PVABI-ISO-005.1");
FUSED_TOO(user_interrupted, "PVABI-WLK-009.2");
FUSED_TOO(user_entry_hostile, "PVABI-WLK-018.1");
FUSED_TOO(tables_outside, "PVABI-WLK-013.1");
FUSED_TOO(absent_memory, "PVABI-WLK-013.1");
FUSED_TOO(destroy_back_to_kernel_root, "PVABI-WLK-022.1");

/* ---- the same program with little or no cache ---- */

static void busy_program(void)
{
	u64 *pages[24], sum = 0;

	enter();
	user_pages(code_syscall, sizeof(code_syscall));
	for (u64 i = 0; i < 20; i++) {
		pages[i] = pages_alloc(1);
		pt_map(root, USER_VA + 0x10000000 * (i + 1), gfn_of(pages[i]), PT_W | PT_U);
	}
	for (u64 round = 0; round < 20; round++) {
		for (u64 i = 0; i < 20; i++) {
			volatile u64 *p = (volatile u64 *)(USER_VA + 0x10000000 * (i + 1));

			p[round] = i * round;
			sum += p[round / 2];
		}
		CHECK_EQ(run_user(USER_CODE, USER_STACK, 0), 2);
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, USER_VA, USER_VA + 0x100000000, 0));
	}
	CHECK_EQ(sum, 17100);
	struct pv_dom_status s;

	dom_status(PV_SELF, &s);
	CHECK_EQ(s.audit_findings, 0);
}

PV_TEST(vtlb_unbounded, "PVABI-WLK-014.1", WALKED, .extra = 200, .kmem = 300, .heap = 200)
{
	busy_program();
}

PV_TEST(vtlb_64, "PVABI-WLK-014.1", WALKED, .extra = 200, .kmem = 300, .heap = 200, .tables = 64)
{
	busy_program();
}

PV_TEST(vtlb_8, "PVABI-WLK-014.1", WALKED, .extra = 200, .kmem = 300, .heap = 200, .tables = 8)
{
	busy_program();
}

PV_TEST(vtlb_none, "PVABI-WLK-014.1", WALKED, .extra = 200, .kmem = 300, .heap = 200,
	.tables = NO_TABLES, .budget_ms = 10000)
{
	busy_program();
}

PV_CHILD_ROW(vtlb_unbounded_fused, "PVABI-WLK-014.1 PVABI-WLK-024.1", busy_program, FUSED, .extra = 200, .kmem = 300,
	     .heap = 200);
PV_CHILD_ROW(vtlb_64_fused, "PVABI-WLK-014.1 PVABI-WLK-024.1", busy_program, FUSED, .extra = 200, .kmem = 300,
	     .heap = 200, .tables = 64);
