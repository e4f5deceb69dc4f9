/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advisories_walked.c - the rest of advisories.c: what went wrong with page tables, returns to user mode and the
 * emulator of instructions.
 */
#include <string.h>

#include "../lib/abitest.h"
#include "../lib/pagetable.h"

#define USER_VA 0x10000000000ull

/* ---- page tables ---- */

static u64 *root;

static void enter(void)
{
	root = pt_new_root();
	events_on(0);
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(root), 0));
}

/* A table entry with the number of a machine frame gave the guest that frame. */
PV_TEST(adv_entry_names_any_frame, "PVABI-ADV-014.1", .kind = PV_KIND_WALKED)
{
	u64 own = (u64)start->heap_end >> PV_PAGE_SHIFT;

	enter();
	pt_map(root, USER_VA, own, PT_W);
	volatile u64 *entry = pt_entry(root, USER_VA);

	for (u64 gfn = own + 1; gfn < 0x20000; gfn += 331) {
		*entry = gfn << 12 | PT_P | PT_W;
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, USER_VA, USER_VA + PAGE_BYTES, 0));
		CHECK_EQ(*(volatile u64 *)USER_VA, ~0ull);
	}
	for (u32 bit = 40; bit < 52; bit++) {
		*entry = 1ull << bit | PT_P | PT_W;
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, USER_VA, USER_VA + PAGE_BYTES, 0));
		if (try_read(USER_VA) == NO_TRAP)
			CHECK_EQ(*(volatile u64 *)USER_VA, ~0ull);
	}
}

/* A table that maps itself was written through that mapping, past all checks of its entries. */
PV_TEST(adv_recursive_table, "PVABI-ADV-014.1", .kind = PV_KIND_WALKED)
{
	u64 *page = pages_alloc(1);
	u64 hole = free_gfn();

	enter();
	page[0] = 77;
	root[300 & 255] = root_gpa(root) | PT_P | PT_W;
	pt_map(root, USER_VA, gfn_of(page), PT_W);
	u64 *entry = pt_entry(root, USER_VA);

	CHECK_EQ(*(volatile u64 *)USER_VA, 77);
	u64 slot = 300 & 255;
	volatile u64 *seen = (volatile u64 *)(slot << 39 | (USER_VA >> 39 & 511) << 30 | (USER_VA >> 30 & 511) << 21 |
					      (USER_VA >> 21 & 511) << 12 | (USER_VA >> 12 & 511) * 8);

	CHECK_EQ(*seen & ~(PT_A | PT_D), *entry & ~(PT_A | PT_D));
	*seen = hole << 12 | PT_P | PT_W;
	CHECK_OK(HC(AS_FLUSH, PV_FOREVER, 0, 0, 0));
	CHECK_EQ(*(volatile u64 *)USER_VA, ~0ull); /* as any entry that says so */
	*seen = 0x123456789000 | PT_P | PT_W;
	CHECK_OK(HC(AS_FLUSH, PV_FOREVER, 0, 0, 0));
	if (try_read(USER_VA) == NO_TRAP)
		CHECK_EQ(*(volatile u64 *)USER_VA, ~0ull);
}

/* Clearing an upper entry left what hung below it reachable. */
PV_TEST(adv_upper_entry_cleared, "PVABI-ADV-015.1", .kind = PV_KIND_WALKED)
{
	u64 *page = pages_alloc(1), *other = pages_alloc(1), *spare = pt_new_root();

	enter();
	page[0] = 1;
	other[0] = 2;
	pt_map(root, USER_VA, gfn_of(page), PT_W);
	pt_map(spare, USER_VA, gfn_of(other), PT_W);
	volatile u64 *top = &root[USER_VA >> 39 & 511];
	u64 mine = *top, its = spare[USER_VA >> 39 & 511];

	for (u32 i = 0; i < 10; i++) {
		CHECK_EQ(*(volatile u64 *)USER_VA, 1);
		*top = 0;
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, i & 1 ? USER_VA : 0, i & 1 ? USER_VA + PAGE_BYTES : 0, PV_FLUSH_ALL));
		CHECK_EQ(try_read(USER_VA), 14);
		*top = its;
		CHECK_EQ(try_read(USER_VA), NO_TRAP);
		CHECK_EQ(*(volatile u64 *)USER_VA, 2);
		*top = mine;
		CHECK_OK(HC(AS_FLUSH, PV_FOREVER, 0, 0, 0));
	}
}

/* An address that is not canonical in a flush was used by the hypervisor as it was. */
PV_TEST(adv_flush_not_canonical, "PVABI-ADV-015.1", .kind = PV_KIND_WALKED)
{
	enter();
	for (u32 bit = 47; bit < 64; bit++) {
		CHECK_ERR(HC(AS_FLUSH, PV_FOREVER, 1ull << bit, (1ull << bit) + 0x1000, 0), ERANGE);
		if (bit > 47)
			CHECK_ERR(HC(AS_FLUSH, PV_FOREVER, 0x1000, 1ull << bit, 0), ERANGE);
	}
	CHECK_EQ(*(volatile u64 *)root, root[0]);
}

/* An entry of a large page was taken for a table, or its size not for its rights. */
PV_TEST(adv_large_pages, "PVABI-ADV-016.1", .kind = PV_KIND_WALKED)
{
	u64 *l3 = pages_alloc(1), *l2 = pages_alloc(1);

	enter();
	root[USER_VA >> 39 & 511] = (u64)l3 | PT_P | PT_W;
	l3[0] = (u64)l2 | PT_P | PT_W;
	l2[0] = (PV_EXPLICIT_BASE & ~0x1fffffull) | PT_P | 0x80; /* 2 MiB of itself, read-only */
	CHECK_EQ(*(volatile u64 *)(USER_VA + (PV_EXPLICIT_BASE & 0x1fffff)), *(volatile u64 *)PV_EXPLICIT_BASE);
	CHECK_EQ(try_write(USER_VA + 0x1000, 1), 14);
	CHECK_EQ(abi_cpus[0].error, 3);
	CHECK_EQ(l2[0] & (PT_A | PT_D), PT_A);
	l2[0] = 0x4000000ull | PT_P | PT_W | 0x80; /* of nothing */
	CHECK_OK(HC(AS_FLUSH, PV_FOREVER, 0, 0, 0));
	CHECK_EQ(*(volatile u64 *)USER_VA, ~0ull);
	l3[0] = 0x80 | PT_P | PT_W; /* 1 GiB from 0 */
	CHECK_OK(HC(AS_FLUSH, PV_FOREVER, 0, 0, 0));
	CHECK_EQ(*(volatile u64 *)(USER_VA + PV_EXPLICIT_BASE), *(volatile u64 *)PV_EXPLICIT_BASE);
	CHECK_EQ(*(volatile u64 *)(USER_VA + 0x3ffff000), ~0ull);
}

/* ---- returns to user mode, instructions for the emulator ---- */

static const u8 code_syscall[] = { 0x0f, 0x05 };

/* A return frame with a null, a privileged or a missing selector faulted in the hypervisor. */
PV_TEST(adv_return_selectors, "PVABI-ADV-017.1", .kind = PV_KIND_WALKED)
{
	u8 *text = pages_alloc(1), *stack = pages_alloc(1); /* what is refused arrives on this stack */

	enter();
	memcpy(text, code_syscall, 2);
	pt_map(root, USER_VA, gfn_of(text), PT_U);
	pt_map(root, USER_VA + 0x1000, gfn_of(stack), PT_U | PT_W);
	for (u64 selector = 0; selector < 0x100; selector++) {
		u64 how = run_user_with(USER_VA, USER_VA + 0x2000, PV_USER_CS, selector, 0x202);

		CHECK_EQ(how == 2, selector == PV_USER_SS);
		how = run_user_with(USER_VA, USER_VA + 0x2000, selector, PV_USER_SS, 0x202);
		CHECK(how == 3 || ((selector == PV_USER_CS || selector == PV_USER32_CS) && how != 0));
	}
	CHECK_EQ(run_user_with(USER_VA, USER_VA + 0x2000, 1ull << 32 | PV_USER_CS, PV_USER_SS, 0x202), 3);
	CHECK_EQ(run_user_with(USER_VA, USER_VA + 0x2000, PV_USER_CS, 1ull << 63 | PV_USER_SS, 0x202), 3);
	CHECK_EQ(run_user_with(USER_VA, USER_VA + 0x2000, PV_USER_CS, PV_USER_SS, 0x202), 2);
}

/* Flags of a return frame gave user mode I/O privilege, virtual-8086 mode or no interrupts. */
PV_TEST(adv_return_flags, "PVABI-ADV-017.1", .kind = PV_KIND_WALKED)
{
	/* pushf; pop %rax; syscall */
	static const u8 code[] = { 0x9c, 0x58, 0x0f, 0x05 };
	u8 *text = pages_alloc(1), *stack = pages_alloc(1);

	enter();
	memcpy(text, code, sizeof(code));
	pt_map(root, USER_VA, gfn_of(text), PT_U);
	pt_map(root, USER_VA + 0x1000, gfn_of(stack), PT_U | PT_W);
	for (u32 bit = 0; bit < 64; bit++) {
		u64 flags = 1ull << bit | 2;

		if (bit == 8)
			continue; /* TF steps */
		CHECK_EQ(run_user_with(USER_VA, USER_VA + 0x2000, PV_USER_CS, PV_USER_SS, flags), 2);
		CHECK_EQ(abi_cpus[0].user_rax & 3ull << 12, 0);	    /* IOPL */
		CHECK_EQ(abi_cpus[0].user_rax & 1ull << 9, 1ull << 9); /* IF */
		CHECK_EQ(abi_cpus[0].user_rax & (1ull << 17 | 3ull << 19), 0);
	}
}

/* An instruction longer than 15 bytes, or one that ends behind mapped memory, confused the emulator. */
PV_TEST(adv_emulator_length, "PVABI-ADV-018.1", .kind = PV_KIND_WALKED)
{
	u8 *page = pages_alloc(1);

	enter();
	pt_map(root, USER_VA, gfn_of(page), PT_W);
	for (u32 prefixes = 0; prefixes < 20; prefixes++) {
		memset(page, 0x66, prefixes);
		page[prefixes] = 0xfa; /* cli */
		page[prefixes + 1] = 0xc3;
		u64 vector = try_exec(USER_VA);

		CHECK_EQ(vector, prefixes < 15 ? NO_TRAP : 13);
	}
	for (u32 left = 1; left < 3; left++) { /* whole it would load a root */
		memcpy(page + PAGE_BYTES - left, (const u8[]){ 0x0f, 0x22, 0xd8 }, left); /* mov %rax, %cr3 */
		u64 vector = try_exec(USER_VA + PAGE_BYTES - left);

		CHECK(vector == 14 || vector == 13);
	}
}

/* The emulator did for a program what only the kernel of the guest may ask for. */
PV_TEST(adv_emulator_user_mode, "PVABI-ADV-018.1", .kind = PV_KIND_WALKED)
{
	static const u8 codes[][4] = { { 0xfa }, { 0xfb }, { 0xf4 }, { 0x0f, 0x06 }, { 0x0f, 0x20, 0xd8 },
				       { 0x0f, 0x22, 0xd8 }, { 0x0f, 0x30 }, { 0x0f, 0x32 }, { 0x0f, 0x09 },
				       { 0x0f, 0x23, 0xf8 }, { 0xe4, 0x60 }, { 0xe6, 0x60 }, { 0x0f, 0x01, 0xd1 } };
	u8 *text = pages_alloc(1);
	struct pv_cpuid leaf;
	bool xsetbv;

	enter();
	CHECK_OK(HC(CPUID, 1, 0));
	batch_get(&leaf, sizeof(leaf));
	pt_map(root, USER_VA, gfn_of(text), PT_U);
	for (u32 i = 0; i < sizeof(codes) / 4; i++) {
		memcpy(text, codes[i], 4);
		CHECK_EQ(run_user(USER_VA, USER_VA + 0x800, 0), 1);
		xsetbv = !memcmp(codes[i], "\x0f\x01\xd1", 3); /* unknown without OSXSAVE */
		CHECK_EQ(vcs0->uframe.vector, xsetbv && !(leaf.ecx & 1u << 27) ? 6 : 13);
		CHECK_EQ(vcs0->uframe.rip, USER_VA);
	}
}
