/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bounds.c - the largest pieces of work a guest can lay before one call. The cases look at the results; maxima.py looks
 * at how long the kernel was at it, where instructions are the clock.
 *
 * Three tables of the guest's that lead into each other make as many of the kernel's as addresses are touched: all
 * entries of each are the same, so every address in a slot shows the one page.
 */
#include "../lib/abitest.h"
#include "../lib/pagetable.h"
#include "../lib/turns.h"

#define SLOT 40ull /* of the top table: another one than the program's */
#define LOW_SLOTS 24u
#define HIGH_SLOT 300u /* behind the hole */
#define HIGH_SLOTS 12u
#define MIB2 (1ull << 21)
#define GIB (1ull << 30)
#define GIB512 (1ull << 39)
#define SOMEWHERE (SLOT * GIB512)

static u64 *root, *leaves, *a, *b;

static u64 high_address(u64 slot)
{
	return 0xffff000000000000ull | (HIGH_SLOT + slot) * GIB512;
}

static void show(const u64 *page)
{
	for (u32 i = 0; i < 512; i++)
		leaves[i] = gfn_of(page) << 12 | PT_P | PT_W | PT_A | PT_D;
}

static u64 *table_of(const u64 *below)
{
	u64 *table = pages_alloc(1);

	for (u32 i = 0; i < 512; i++)
		table[i] = (u64)below | PT_P | PT_W | PT_A;
	return table;
}

static void enter(void)
{
	const u64 *top;

	root = pt_new_root();
	leaves = pages_alloc(1);
	a = pages_alloc(1);
	b = pages_alloc(1);
	a[0] = 1;
	b[0] = 2;
	show(a);
	top = table_of(table_of(leaves));
	for (u32 i = 0; i < LOW_SLOTS; i++)
		root[SLOT + i] = (u64)top | PT_P | PT_W | PT_A;
	for (u32 i = 0; i < HIGH_SLOTS; i++)
		root[HIGH_SLOT + i] = (u64)top | PT_P | PT_W | PT_A;
	events_on(0);
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(root), 0));
}

static void touch(u64 va, u64 stride, u64 n, u64 want)
{
	for (u64 i = 0; i < n; i++)
		CHECK_EQ(*(volatile u64 *)(va + i * stride), want);
}

/* Touches n addresses, changes what they show, flushes and looks again. */
static void flush_case(u64 va, u64 stride, u64 n, u64 from, u64 to, u64 flags)
{
	show(a);
	CHECK_OK(HC(AS_FLUSH, PV_FOREVER, 0, 0, flags));
	touch(va, stride, n, 1);
	show(b);
	CHECK_OK(HC(AS_FLUSH, PV_FOREVER, from, to, flags));
	touch(va, stride, n, 2);
}

PV_TEST(flush_much_at_once, "PVABI-WLK-007.1", WALKED, .kmem = 1400, .budget_ms = 8000)
{
	u64 end = SOMEWHERE + GIB, high = high_address(0);

	enter();
	flush_case(SOMEWHERE, MIB2, 512, SOMEWHERE, end, 0); /* a subtree that is full */
	flush_case(SOMEWHERE, MIB2, 60, SOMEWHERE, SOMEWHERE + 60 * MIB2, 0);
	flush_case(SOMEWHERE, MIB2, 512, SOMEWHERE, end - PAGE_BYTES, 0);
	flush_case(SOMEWHERE + 0x1000, MIB2, 40, SOMEWHERE + 0x1000, SOMEWHERE + 39 * MIB2 + 0x1ff000, 0); /* and its ends */
	flush_case(SOMEWHERE, GIB, 100, SOMEWHERE, SOMEWHERE + 100 * GIB, 0);
	flush_case(SOMEWHERE + 0x1000, 2 * MIB2, 200, 0x1000, GIB512 * 255, 0); /* far more than is there */
	flush_case(SOMEWHERE, GIB512, LOW_SLOTS, 0, 0, 0);
	flush_case(SOMEWHERE, GIB512, LOW_SLOTS, SOMEWHERE, SOMEWHERE + LOW_SLOTS * GIB512, 0);
	flush_case(high, MIB2, 512, high, high + GIB, PV_FLUSH_KERNEL);
	flush_case(high, GIB, 100, high, high + 100 * GIB, PV_FLUSH_KERNEL);
	flush_case(high, GIB512, HIGH_SLOTS, 0, 0, PV_FLUSH_KERNEL);
	flush_case(high, GIB512, HIGH_SLOTS, high, high + HIGH_SLOTS * GIB512, PV_FLUSH_KERNEL);
}

static void sibling(void)
{
	CHECK_OK(HC(AS_LOAD_ROOT, share->word[0], 0));
	touch(SOMEWHERE, GIB512, LOW_SLOTS, 1);
	touch(high_address(0), GIB512, HIGH_SLOTS, 1);
	store_release(&share->word[1], 1);
	for (;;)
		HC(WAIT, 0, PV_FOREVER);
}

/* A frame goes, and with it all that may lead there: of the spaces of both vCPUs and of the kernel's half. */
PV_TEST(release_under_much, "PVABI-MEM-006.1", WALKED, .kmem = 1400, .vcpus = 2, .budget_ms = 8000)
{
	u64 gfn = free_gfn();

	enter();
	populate(PV_SELF, gfn, 16);
	share->word[0] = root_gpa(root);
	vcpu_launch(1, sibling);
	while (!load_acquire(&share->word[1]))
		CHECK_OK(OP(VCPU_CTL, YIELD, PV_SELF, 0));
	touch(SOMEWHERE, GIB512, LOW_SLOTS, 1);
	touch(SOMEWHERE, MIB2, 512, 1);
	touch(high_address(0), GIB512, HIGH_SLOTS, 1);
	release(PV_SELF, gfn, 16);
	touch(SOMEWHERE, MIB2, 512, 1);
	touch(high_address(0), GIB512, HIGH_SLOTS, 1);
}

/* A block of 2 MiB is begun again and again, and each time the rest of the one before has to go. */
PV_TEST(populate_here_and_there, "PVABI-MEM-001.1", .extra = 1600, .kmem = 128)
{
	u64 first = (free_gfn() + 511) & ~511ull, n[3] = { 0, 0, 0 };

	for (u32 round = 0; round < 3; round++)
		for (u32 i = 0; i < 3; i++)
			n[i] += TRY(OP(MEM_CTL, POPULATE, PV_SELF, first + i * 512 + n[i], 512 - n[i]));
	for (u32 i = 0; i < 3; i++)
		populate(PV_SELF, first + i * 512 + n[i], 512 - n[i]);
	for (u32 i = 0; i < 3 * 512; i += 61) {
		map(PV_SELF, 0x20000000, first + i, 1, RW);
		CHECK_EQ(*(volatile u64 *)0x20000000, 0);
		unmap(PV_SELF, 0x20000000, 1);
	}
}

/* What is said of a domain that dies so is as long as its registers are. */
PV_TEST(die_with_long_numbers, "PVABI-EVT-006.1", .reason = PV_REASON_DOUBLE_FAULT, .code = 14)
{
	events_on(0);
	vcs0->busy = 1;
	vcs0->kframe.vector = ~0ull;
	vcs0->kframe.rip = ~0ull;
	__asm__ volatile("mov %0, %%rbx\n\tmov %%rbx, %%rcx\n\tmov %%rbx, %%rdx\n\tmov %%rbx, %%rsi\n\tmov %%rbx, %%rdi\n\t"
			 "mov %%rbx, %%rbp\n\tmov %%rbx, %%rsp\n\tmov %%rbx, %%rax\n\tmovb $0, (%%rax)"
			 : : "r"(0xffffffff8badc0deull) : "memory");
	__builtin_unreachable();
}
