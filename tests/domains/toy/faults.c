// SPDX-License-Identifier: BSD-2-Clause
/*
 * faults.c - exceptions of the toy guest's programs and of its kernel mode: vectors, error codes,
 * addresses, and going on afterwards.
 */
#include "snippet.h"

#define PF_P 1ull
#define PF_W 2ull
#define PF_U 4ull
#define PF_I 16ull

SNIPPET(prog_store, "movq $0x77, (%rbx); movq (%rbx), %rax; syscall");
SNIPPET(prog_load, "movq (%rbx), %rax; syscall");
SNIPPET(prog_jump, "jmp *%rbx");
SNIPPET(prog_divide, "xorl %ecx, %ecx; divl %ecx");
SNIPPET(prog_hlt, "hlt");
SNIPPET(prog_int3, "int3; syscall");
SNIPPET(prog_int80, "movl $5, %eax; int $0x80; syscall");
SNIPPET(prog_int81, "int $0x81");
SNIPPET(prog_in, "inb $0x60, %al");
SNIPPET(prog_step, "nop; nop; syscall");

/* A program at rbx = va ends in #PF with this code and address. */
static void expect_pf(struct user_ctx *c, u64 va, u64 error, const char *what)
{
	u64 how = user_go(c);

	if (how != LEFT_BY_EVENT || vcs.uframe.vector != 14 || vcs.uframe.error != error || vcs.cr2 != va)
		print("# left by %d vector %d error 0x%x cr2 0x%x\n", how, vcs.uframe.vector,
		      vcs.uframe.error, vcs.cr2);
	check(how == LEFT_BY_EVENT && vcs.uframe.vector == 14 && vcs.uframe.error == error &&
		      vcs.cr2 == va,
	      what);
}

static void test_demand_paging(void)
{
	u64 page = page_alloc();
	struct user_ctx c;

	SETUP(&c, prog_store);
	c.rbx = USER_DATA;
	expect_pf(&c, USER_DATA, PF_W | PF_U, "store to an absent page");
	check_eq(c.rip, USER_CODE, "rip at the faulting store");
	map(USER_DATA, page, PTE_P | PTE_U);
	expect_pf(&c, USER_DATA, PF_P | PF_W | PF_U, "store to a read-only page");
	map(USER_DATA, page, PTE_P | PTE_W | PTE_U);
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "store goes on once the page is there");
	check_eq(c.rax, 0x77, "what was stored is read back");
	check_eq(*(u64 *)gpa_ptr(page), 0x77, "and seen by the guest kernel");
	check_eq(*pte_of(USER_DATA) & (PTE_A | PTE_D), PTE_A | PTE_D, "A and D were set");
}

static void test_accessed(void)
{
	u64 page = page_alloc(), va = USER_DATA + 0x1000;
	struct user_ctx c;

	map(va, page, PTE_P | PTE_W | PTE_U);
	SETUP(&c, prog_load);
	c.rbx = va;
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "load of a fresh page needs no event");
	check_eq(*pte_of(va) & (PTE_A | PTE_D), PTE_A, "a load sets A but not D");
	SETUP(&c, prog_store);
	c.rbx = va;
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "first store to it needs none either");
	check_eq(*pte_of(va) & (PTE_A | PTE_D), PTE_A | PTE_D, "and sets D");
}

static void test_protection(void)
{
	u64 page = page_alloc(), va = USER_DATA + 0x2000;
	struct user_ctx c;

	map(va, page, PTE_P | PTE_W | PTE_U | PTE_NX);
	SETUP(&c, prog_jump);
	c.rbx = va;
	expect_pf(&c, va, PF_P | PF_U | PF_I, "jump to a page without execute right");
	SETUP(&c, prog_jump);
	c.rbx = va + 0x10000;
	expect_pf(&c, va + 0x10000, PF_U | PF_I, "jump to an absent page");
	SETUP(&c, prog_load);
	c.rbx = (u64)&vcs;
	expect_pf(&c, (u64)&vcs, PF_P | PF_U, "program reads its kernel's memory");
	SETUP(&c, prog_load);
	c.rbx = PV_HOLE_START + 0x1000;
	expect_pf(&c, PV_HOLE_START + 0x1000, PF_U, "program reads the hypervisor's hole");
	map(va, page, PTE_P | PTE_W);
	(void)flush(va, va + 4096);
	SETUP(&c, prog_load);
	c.rbx = va;
	expect_pf(&c, va, PF_P | PF_U, "program reads a low page without U");
	check_eq(*(volatile u64 *)va, 0, "which the guest kernel may read");
	expect_pf(&c, va, PF_P | PF_U, "and the program still may not");
}

static void expect_vector(struct user_ctx *c, u64 vector, u64 error, const char *what)
{
	u64 how = user_go(c);

	if (how != LEFT_BY_EVENT || vcs.uframe.vector != vector || vcs.uframe.error != error)
		print("# left by %d vector 0x%x error 0x%x\n", how, vcs.uframe.vector, vcs.uframe.error);
	check(how == LEFT_BY_EVENT && vcs.uframe.vector == vector && vcs.uframe.error == error, what);
}

static void test_exceptions(void)
{
	struct user_ctx c;

	SETUP(&c, prog_divide);
	expect_vector(&c, 0, 0, "#DE");
	check_eq(c.rip, USER_CODE + 2, "at the division");
	SETUP(&c, prog_hlt);
	expect_vector(&c, 13, 0, "#GP of HLT");
	SETUP(&c, prog_in);
	expect_vector(&c, 13, 0, "#GP of IN");
	SETUP(&c, prog_int3);
	expect_vector(&c, 3, 0, "#BP");
	check_eq(c.rip, USER_CODE + 1, "behind the INT3");
	check_eq(user_go(&c), LEFT_BY_SYSCALL, "and on");
	SETUP(&c, prog_int80);
	expect_vector(&c, PV_VEC_INT80, 0, "int 0x80");
	check_eq(c.rip, USER_CODE + 7, "behind the INT");
	check_eq(c.rax, 5, "with its eax");
	SETUP(&c, prog_int81);
	check_eq(user_go(&c), LEFT_BY_EVENT, "int 0x81");
	check(vcs.uframe.vector == 13 && (vcs.uframe.error & 7) == 2 && c.rip == USER_CODE,
	      "is a #GP at the instruction"); /* the vector in the code is not checked: TCG errs */
	SETUP(&c, prog_step);
	c.rflags = c.r11 = 0x302;
	expect_vector(&c, 1, 0, "#DB of a single step");
	check_eq(c.rip, USER_CODE + 1, "behind one instruction");
	check(c.rflags & 0x100, "TF is in the frame");
	check((u64)HC3(DEBUG_REG, PV_DEBUG_REG_READ, 6, 0) & 0x4000, "DR6.BS says so");
	(void)HC3(DEBUG_REG, PV_DEBUG_REG_WRITE, 6, 0);
}

static void test_kernel_mode(void)
{
	u64 va = USER_DATA + 0x400000, count = seen.count;

	__asm__ volatile("leaq 1f(%%rip), %%rax; movq %%rax, %0; movq (%1), %%rax; 1:"
			 : "=m"(kernel_fixup)
			 : "r"(va)
			 : "rax", "memory");
	check_eq(seen.count, count + 1, "kernel mode takes a #PF and goes on");
	check(seen.last.vector == 14 && seen.last.error == 0 && seen.cr2 == va, "absent page, by the kernel");
	check(seen.last.cs == PV_KERNEL_CS && seen.last.ss == PV_KERNEL_SS, "selectors of a kernel frame");
	__asm__ volatile("leaq 1f(%%rip), %%rax; movq %%rax, %0; ud2; 1:"
			 : "=m"(kernel_fixup)
			 :
			 : "rax", "memory");
	check_eq(seen.last.vector, 6, "#UD in kernel mode");
	irq_on();
	__asm__ volatile("std; int3; cld");
	check(seen.last.vector == 3 && (seen.last.rflags & 0x600) == 0x600,
	      "#BP in kernel mode, virtual IF and DF in the frame");
	check(irqs_are_on(), "ERETS restores the virtual IF: set");
	irq_off();
	__asm__ volatile("int3");
	check(!(seen.last.rflags & 0x200) && !irqs_are_on(), "ERETS restores the virtual IF: clear");
}

static void test_kernel_registers(void)
{
	u64 rcx = 0x1234, r11 = 0x5678, rax = 0x9abc;
	register u64 r11_ __asm__("r11") = r11;

	__asm__ volatile("int3" : "+c"(rcx), "+a"(rax), "+r"(r11_));
	check(rcx == 0x1234 && r11_ == 0x5678 && rax == 0x9abc, "ERETS restores rax, rcx and r11");
	check(seen.last.rcx == 0x1234 && seen.last.r11 == 0x5678, "which were in the frame");
}

void test_faults(void)
{
	test_demand_paging();
	test_accessed();
	test_protection();
	test_exceptions();
	test_kernel_mode();
	test_kernel_registers();
}
