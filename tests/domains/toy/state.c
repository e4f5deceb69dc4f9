// SPDX-License-Identifier: BSD-2-Clause
/*
 * state.c - emulated instructions, cached translations, segments, debug registers and the FPU of
 * the toy guest.
 */
#include "snippet.h"

SNIPPET(prog_load, "movq (%rbx), %rax; syscall");
SNIPPET(prog_store, "movq %rax, (%rbx); syscall");
SNIPPET(prog_tls, "movl %edx, %fs; movl %fs:0, %eax; syscall");
SNIPPET(prog_syscall32, ".code32; syscall; .code64");
SNIPPET(prog_compat, ".code32; movl $0x1234, %ebx; int $0x80; .code64");
SNIPPET(prog_xmm, "movq %rax, %xmm5; 1: syscall; movq %xmm5, %rbx; jmp 1b");

/* Without x87, AVX without SSE, what the kernel does not save. */
static const u64 bad_xcr0[] = { 0, 2, 6, 5, 0xf, 0x207, 1ull << 63 | 7 };

void test_emulator(void)
{
	u64 cr4, cr0, lo, hi, in;
	i64 answer;

	cr4 = read_cr4();
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	check((cr4 & 0x20) && (cr0 & 0x80000001) == 0x80000001, "MOV from CR4 and CR0");
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(0xc0000080));
	check_eq(lo & 0xd01, 0xd01, "RDMSR of EFER");
	__asm__ volatile("inb $0x71, %%al" : "=a"(in) : "a"(0));
	check_eq(in & 0xff, 0xff, "IN of a port without owner");
	__asm__ volatile("outb %%al, $0x80; clts; wbinvd; sti" : : "a"(0) : "memory");
	check(irqs_are_on(), "OUT, CLTS, WBINVD, STI");
	__asm__ volatile("cli" ::: "memory");
	check(!irqs_are_on(), "CLI");
	if (cr4 & CR4_OSXSAVE) {
		__asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
		__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
		check_eq(lo, 7, "XSETBV");
		for (u64 i = 0; i < sizeof(bad_xcr0) / sizeof(bad_xcr0[0]); i++) {
			seen.last.vector = 0;
			__asm__ volatile("leaq 1f(%%rip), %%rbx; movq %%rbx, %0; xsetbv; 1:"
					 : "=m"(kernel_fixup)
					 : "a"(bad_xcr0[i]), "d"(bad_xcr0[i] >> 32), "c"(0)
					 : "rbx", "memory");
			check_eq(seen.last.vector, 13, "XSETBV of what cannot be is #GP");
		}
		__asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0)); /* what it is already */
		__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
		check_eq(lo, 7, "XSETBV once more, and none of the others");
	}
	__asm__ volatile("leaq 1f(%%rip), %%rbx; movq %%rbx, %0; rdmsr; 1:"
			 : "=m"(kernel_fixup)
			 : "c"(0x12345)
			 : "rax", "rbx", "rdx", "memory");
	check_eq(seen.last.vector, 13, "RDMSR of nothing is #GP");
	check_eq((u64)HC3(MSR, PV_MSR_READ, 0x12345, 0), (u64)-PV_ENOENT, "MSR READ of nothing");
	answer = HC2(CPUID, 1, 0); /* the report goes through the batch area too */
	hi = ((struct pv_cpuid *)vcs.batch)->ecx;
	check_eq((u64)answer, 0, "CPUID leaf 1");
	check(hi >> 31 == 1, "hypervisor bit");
}

static u64 user_load(u64 va)
{
	struct user_ctx c;

	SETUP(&c, prog_load);
	c.rbx = va;
	return user_go(&c) == LEFT_BY_SYSCALL ? c.rax : ~0ull;
}

#define HINTED (USER_DATA + 0x200000)
#define KERNEL_SPARE 0xffffc90000000000ull /* nothing else is in these 2 MiB */

static const struct {
	u64 va, count;
} hints[] = {
	{ 0x800000000000, 1 },	  { PV_HOLE_START, 16 },    { PV_HOLE_END - 1, 16 },
	{ PV_HOLE_START - 1, 1 }, { ~0ull, ~0ull },	    { PV_HOLE_END, 3 },
	{ HINTED, 0 },		  { HINTED, 1 },	    { HINTED + 0x1000, 1 },
	{ HINTED - 0x1000, ~0ull }, { HINTED - 0x10000, 16 }, { HINTED - 0x10000, 17 },
};

void test_vtlb(void)
{
	u64 a = page_alloc(), b = page_alloc(), va = HINTED, other;
	u64 *other_root, *root = gpa_ptr(root_gpa);

	*(u64 *)gpa_ptr(a) = 0xa;
	*(u64 *)gpa_ptr(b) = 0xb;
	map(va, a, PTE_P | PTE_W | PTE_U);
	check_eq(user_load(va), 0xa, "page a");
	map(va, b, PTE_P | PTE_W | PTE_U);
	check_eq((u64)flush(va, va + 4096), 0, "AS_FLUSH of one page");
	check_eq(user_load(va), 0xb, "page b in its place");
	map(va, 0, 0);
	(void)flush(0, 0);
	check_eq(user_load(va), ~0ull, "gone after a full flush");
	check(vcs.uframe.vector == 14 && vcs.cr2 == va, "with a #PF");
	map(va, a, PTE_P | PTE_W | PTE_U);
	vcs.hint_va = va;
	vcs.hint_count = 1;
	check_eq(user_load(va), 0xa, "there again without a flush, with a hint");
	check_eq(vcs.hint_va, 0, "hint was taken");
	for (u64 i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) { /* whatever it says, it only says where to look */
		map(va, 0, 0);
		(void)flush(0, 0);
		check_eq(user_load(va), ~0ull, "gone once more");
		map(va, a, PTE_P | PTE_W | PTE_U);
		vcs.hint_va = hints[i].va;
		vcs.hint_count = hints[i].count;
		check_eq(user_load(va), 0xa, "there again, with a bad hint");
		check_eq(vcs.hint_va, 0, "which was taken all the same");
	}

	map(KERNEL_SPARE, a, PTE_P | PTE_W);
	check_eq(*(volatile u64 *)KERNEL_SPARE, 0xa, "page a in the kernel's half");
	map(KERNEL_SPARE, b, PTE_P | PTE_W);
	check_eq((u64)HC4(AS_FLUSH, PV_FOREVER, KERNEL_SPARE, KERNEL_SPARE + 0x200000, PV_FLUSH_KERNEL), 0,
		 "AS_FLUSH of a table of it");
	check_eq(*(volatile u64 *)KERNEL_SPARE, 0xb, "page b in its place");

	other = page_alloc();
	other_root = gpa_ptr(other);
	for (u32 i = 256; i < 512; i++)
		other_root[i] = root[i];
	check_eq((u64)HC2(AS_LOAD_ROOT, other, 0), 0, "another root");
	check_eq(user_go(&(struct user_ctx){ .rip = USER_CODE, .rcx = USER_CODE, .rflags = 0x202,
					     .r11 = 0x202, .cs = PV_USER_CS, .ss = PV_USER_SS }),
		 LEFT_BY_EVENT, "has no program");
	check(vcs.uframe.vector == 14 && vcs.cr2 == USER_CODE, "but a #PF at its place");
	check_eq((u64)HC2(AS_LOAD_ROOT, root_gpa, PV_ROOT_KEEP), 0, "back to the first root");
	check_eq(user_load(va), 0xa, "whose pages are there");
	check_eq((u64)HC2(AS_CTL, PV_AS_CTL_DESTROY, other), 0, "DESTROY of the other");
}

static void test_segments(void)
{
	u64 page = page_alloc(), va = USER_DATA + 0x300000;
	/* 32-bit data and code, DPL 3, page granular; base of the data segment: va */
	u64 data = 0x00cff2000000ffffull | (va & 0xffffff) << 16 | (va >> 24 & 0xff) << 56;
	u64 code = 0x00cffa000000ffffull, start;
	struct user_ctx c;

	*(u32 *)gpa_ptr(page) = 0xfeed;
	map(va, page, PTE_P | PTE_U | PTE_W);
	check_eq((u64)HC4(SEG_CTL, PV_SEG_CTL_LOAD_TLS, data, code, 0), 0, "LOAD_TLS");
	SETUP(&c, prog_tls);
	c.rdx = PV_TLS_FIRST * 8 + 3;
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "program with a TLS segment");
	check_eq(c.rax, 0xfeed, "reads through it");
	check_eq((u64)HC4(SEG_CTL, PV_SEG_CTL_LOAD_GS, PV_TLS_FIRST * 8 + 3, 0, 0), va, "LOAD_GS answers the base");
	check_eq((u64)HC4(SEG_CTL, PV_SEG_CTL_LOAD_GS, 0x40, 0, 0), (u64)-PV_EINVAL, "LOAD_GS of a system segment");
	check_eq((u64)HC4(SEG_CTL, PV_SEG_CTL_LOAD_GS, 0, 0, 0), 0, "LOAD_GS of null");
	check_eq((u64)HC4(SEG_CTL, PV_SEG_CTL_LOAD_TLS, 0x00affa000000ffffull, 0, 0), (u64)-PV_EINVAL,
		 "LOAD_TLS of 64-bit code");
	check_eq((u64)HC4(SEG_CTL, PV_SEG_CTL_LOAD_TLS, 0x00cf92000000ffffull, 0, 0), (u64)-PV_EINVAL,
		 "LOAD_TLS of a ring-0 segment");
	SETUP(&c, prog_compat);
	c.cs = PV_USER32_CS;
	check_eq(user_go(&c), LEFT_BY_EVENT, "32-bit program");
	check(vcs.uframe.vector == PV_VEC_INT80 && c.rbx == 0x1234 && c.cs == PV_USER32_CS,
	      "that made its int 0x80");
	SETUP(&c, prog_syscall32);
	c.cs = PV_USER32_CS;
	start = c.rip;
	check_eq(user_go(&c), LEFT_BY_EVENT, "32-bit program with a SYSCALL");
	check(vcs.uframe.vector == 6 && vcs.uframe.rip == start && vcs.uframe.cs == PV_USER32_CS,
	      "which is a #UD at it");
	SETUP(&c, prog_compat);
	c.cs = (PV_TLS_FIRST + 1) * 8 + 3;
	check_eq(user_go(&c), LEFT_BY_EVENT, "32-bit program in a TLS code segment");
	check(vcs.uframe.vector == PV_VEC_INT80 && c.cs == (PV_TLS_FIRST + 1) * 8 + 3, "likewise");
	(void)HC4(SEG_CTL, PV_SEG_CTL_LOAD_TLS, 0, 0, 0);
}

static void test_debug(void)
{
	u64 page = page_alloc(), va = USER_DATA + 0x310000;
	struct user_ctx c;

	map(va, page, PTE_P | PTE_U | PTE_W);
	check_eq((u64)HC3(DEBUG_REG, PV_DEBUG_REG_WRITE, 0, va), 0, "DR0");
	check_eq((u64)HC3(DEBUG_REG, PV_DEBUG_REG_WRITE, 7, 0xd0001), 0, "DR7: four bytes, writes");
	SETUP(&c, prog_store);
	c.rbx = va;
	check_eq(user_go(&c), LEFT_BY_EVENT, "store to a watched word");
	check_eq(vcs.uframe.vector, 1, "is a #DB");
	check((u64)HC3(DEBUG_REG, PV_DEBUG_REG_READ, 6, 0) & 1, "of DR0");
	check_eq((u64)HC3(DEBUG_REG, PV_DEBUG_REG_WRITE, 7, 0), 0, "DR7 off");
	check_eq((u64)HC3(DEBUG_REG, PV_DEBUG_REG_WRITE, 1, PV_HOLE_START), (u64)-PV_EINVAL,
		 "breakpoint in the hole");
	check_eq((u64)HC3(DEBUG_REG, PV_DEBUG_REG_WRITE, 7, 0x2000), (u64)-PV_EINVAL, "DR7.GD");
	check_eq((u64)HC3(DEBUG_REG, PV_DEBUG_REG_READ, 4, 0), (u64)-PV_ERANGE, "DR4");
}

void test_state(void)
{
	struct user_ctx c;

	SETUP(&c, prog_xmm);
	c.rax = 0xfeedfacecafebeef;
	(void)user_go(&c);
	(void)HC3(VCPU_CTL, PV_VCPU_CTL_YIELD, PV_SELF, 0);
	(void)HC2(WAIT, 0, vcs.run_ns + vcs.steal_ns);
	(void)user_go(&c);
	check_eq(c.rbx, 0xfeedfacecafebeef, "xmm register kept over system calls and switches");
	test_segments();
	test_debug();
}
