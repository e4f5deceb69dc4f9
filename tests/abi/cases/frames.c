/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames.c - traps and returns: every flag of a frame by itself, every exception, every INT n, and the places
 * from which a processor returns badly.
 */
#include <string.h>

#include "../lib/abitest.h"

#define VA 0x20000000ull
#define LOW_END 0x800000000000ull
#define TF (1ull << 8)
#define NT (1ull << 14)

/* ---- flags in the frame of ERETS ---- */

/* Returns through ERETS to the next instruction with these flags; what PUSHF shows there. */
static u64 flags_after_erets(u64 flags)
{
	u64 seen;

	vcs0->busy = 0;
	vcs0->kframe.rflags = flags;
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %c[rip](%[vcs])\n\t"
			 "mov %%rsp, %c[rsp](%[vcs])\n\t"
			 "lea -2+abi_erets_address(%%rip), %%rax; jmp *%%rax\n"
			 "1: pushf; pop %[seen]; push $0x202; popf"
			 : [seen] "=r"(seen)
			 : [vcs] "r"(vcs0), [rip] "i"(offsetof(struct pv_vcs, kframe.rip)),
			   [rsp] "i"(offsetof(struct pv_vcs, kframe.rsp))
			 : "rax", "rcx", "r11", "memory", "cc");
	return seen;
}

struct flag {
	u64 bit;
	bool kept;
};

static void one_flag(void)
{
	const struct flag *row = this_case->row;
	u64 bit = 1ull << row->bit;

	events_on(0);
	CHECK_EQ(flags_after_erets(bit | 2) & bit, row->kept ? bit : 0);
	CHECK_EQ(flags_after_erets(2) & bit, 0);
	CHECK_EQ(flags_after_erets(bit | 2) & 1ull << 9, 1ull << 9); /* the hardware's IF stays set */
	CHECK_EQ(TRAP_OF("cli"), 13);				     /* and IOPL 0 */
}

#define FLAG(name, bit, kept) \
	static const struct flag name##_flag = { bit, kept }; \
	PV_CHILD_ROW(erets_flag_##name, "PVABI-EVT-004.1", one_flag, .row = &name##_flag)
FLAG(carry, 0, true);
FLAG(parity, 2, true);
FLAG(adjust, 4, true);
FLAG(zero, 6, true);
FLAG(sign, 7, true);
FLAG(direction, 10, true);
FLAG(overflow, 11, true);
FLAG(iopl_low, 12, false);
FLAG(iopl_high, 13, false);
FLAG(nested_task, 14, false);
FLAG(resume, 16, false);
FLAG(vm86, 17, false);
FLAG(virtual_interrupt, 19, false);
FLAG(virtual_pending, 20, false);
FLAG(id, 21, true);
FLAG(bit_32, 32, false);
FLAG(bit_63, 63, false);

/* Virtual IF comes from the frame, whatever stands in the page. */
PV_TEST(erets_virtual_if, "PVABI-EVT-004.1")
{
	events_on(0);
	for (u32 i = 0; i < 4; i++) {
		vcs0->flags = i & 1 ? PV_VCS_IF : 0;
		flags_after_erets(2 | (i & 2 ? PV_VCS_IF : 0));
		CHECK_EQ(vcs0->flags & PV_VCS_IF, i & 2 ? PV_VCS_IF : 0);
	}
}

/* ---- every exception a program can raise ---- */

struct raised {
	u64 (*raise)(void);
	u64 vector, error;
};

static void one_exception(void)
{
	const struct raised *row = this_case->row;

	events_on(0);
	for (u32 i = 0; i < 5; i++) {
		CHECK_EQ(row->raise(), row->vector);
		CHECK_EQ(abi_cpus[0].error, row->error);
		CHECK_EQ(abi_cpus[0].frame.cs, PV_KERNEL_CS);
		CHECK_EQ(abi_cpus[0].frame.ss, PV_KERNEL_SS);
		CHECK_EQ(abi_cpus[0].frame.reserved, 0);
		CHECK_EQ(abi_cpus[0].busy_seen, 1);
		CHECK_EQ(vcs0->busy, 0);
	}
	irq_enable(vcs0);
	CHECK_EQ(row->raise(), row->vector);
	CHECK_EQ(abi_cpus[0].if_seen, 0); /* cleared on the way in, back on the way out */
	CHECK(vcs0->flags & PV_VCS_IF);
}

static u64 raise_de(void) { return TRAP_OF("xor %%edx, %%edx; xor %%eax, %%eax; div %%edx"); }
static u64 raise_bp(void) { return TRAP_OF("int3"); }
static u64 raise_db(void) { return TRAP_OF("pushf; orl $0x100, (%%rsp); popf; nop"); }
static u64 raise_ud(void) { return TRAP_OF("ud2"); }
static u64 raise_gp(void) { return TRAP_OF("movabs $0x8000000000000000, %%rcx; mov (%%rcx), %%rax"); }
static u64 raise_gp_selector(void) { return TRAP_OF("mov $0x10, %%eax; mov %%eax, %%ds"); }
static u64 raise_pf(void) { return TRAP_OF("movabs $0x7ffffffff000, %%rcx; mov (%%rcx), %%rax"); }
static u64 raise_pf_write(void) { return TRAP_OF("movabs $0x7ffffffff000, %%rcx; mov %%rax, (%%rcx)"); }
static u64 raise_mf(void)
{
	static u16 unmasked = 0x0300;

	return TRAP_OF("fninit; fldcw %[cw]; fldz; fldz; fdivrp; fwait", [cw] "m"(unmasked));
}
#define RAISED(name, vector, error) \
	static const struct raised name##_raised = { raise_##name, vector, error }; \
	PV_CHILD_ROW(exception_##name, "PVABI-EVT-005.1", one_exception, .row = &name##_raised)
RAISED(de, 0, 0);
RAISED(db, 1, 0);
RAISED(bp, 3, 0);
RAISED(ud, 6, 0);
RAISED(gp, 13, 0);
RAISED(gp_selector, 13, 0x10);
RAISED(pf, 14, 0);
RAISED(pf_write, 14, 2);
RAISED(mf, 16, 0);

/* INT n of every n: what is not a breakpoint or an overflow is a #GP that names the vector. */
PV_TEST(int_n, "PVABI-EVT-005.1 PVABI-ISO-005.1")
{
	u64 gfn = free_gfn();
	u8 *code = (u8 *)VA;

	events_on(0);
	populate(PV_SELF, gfn, 1);
	map(PV_SELF, VA, gfn, 1, RW);
	for (u32 n = 0; n < 256; n++)
		memcpy(code + n * 4, (const u8[]){ 0xcd, (u8)n, 0xc3 }, 3);
	CHECK_EQ(OP(AS_MAP, PROTECT, PV_SELF, VA, 0, 1, RX), 1);
	for (u32 n = 0; n < 256; n++) {
		u64 vector = try_exec(VA + n * 4);

		if (n == 3 || n == 4) {
			CHECK_EQ(vector, n);
			continue;
		}
		CHECK_EQ(vector, 13);
		/* QEMU before version 8 says n * 16. */
		CHECK(abi_cpus[0].error == n * 8 + 2 || abi_cpus[0].error == n * 16 + 2);
		CHECK_EQ(abi_cpus[0].frame.rip, VA + n * 4); /* a fault: at the instruction */
	}
}

/* ---- hypercalls from bad places and with bad flags ---- */

/* The last instruction of the low half is a hypercall: it would return to an address nobody can have. */
PV_TEST(call_at_the_end, "PVABI-HOS-007.1")
{
	u64 gfn = free_gfn();

	events_on(0);
	populate(PV_SELF, gfn, 1);
	map(PV_SELF, LOW_END - PAGE_BYTES, gfn, 1, RW);
	*(volatile u16 *)(LOW_END - 2) = 0x050f;
	CHECK_EQ(OP(AS_MAP, PROTECT, PV_SELF, LOW_END - PAGE_BYTES, 0, 1, RX), 1);
	for (u32 i = 0; i < 3; i++) {
		u64 vector = TRAP_OF("xor %%edi, %%edi; xor %%esi, %%esi; movabs $0x7ffffffffffe, %%rdx; xor %%eax, %%eax; "
				     "jmp *%%rdx");

		CHECK(vector == 13 || vector == 14);
	}
}

/* A single step over a hypercall stops behind it, in the guest. */
PV_TEST(call_single_stepped, "PVABI-EVT-005.1 PVABI-GEN-003.1")
{
	events_on(0);
	for (u32 i = 0; i < 3; i++) {
		CHECK_EQ(TRAP_OF("xor %%edi, %%edi; xor %%esi, %%esi; xor %%eax, %%eax; pushf; orl $0x100, (%%rsp); popf; "
				 "syscall"), 1);
		CHECK_EQ(abi_cpus[0].frame.rflags & NT, 0);
		CHECK_EQ(OP(DEBUG_REG, READ, 6) >> 14 & 1, 1); /* BS */
		CHECK_OK(OP(DEBUG_REG, WRITE, 6, 0));
	}
	CHECK_EQ(OP(INFO, VERSION, 0), PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
}

/* NT, AC, DF and RF set when the call is made neither trap nor reach the kernel's code. */
PV_TEST(call_with_odd_flags, "PVABI-GEN-003.1 PVABI-HOS-007.1")
{
	static const u64 flags[] = { 1ull << 14, 1ull << 18, 1ull << 10, 1ull << 21, 0xcd5, 1ull << 14 | 1ull << 18 | 0xcd5 };

	for (u32 i = 0; i < sizeof(flags) / sizeof(u64); i++) {
		i64 result = PV_HC_INFO;

		__asm__ volatile("push %[flags]; popf; syscall; push $0x202; popf"
				 : "+a"(result)
				 : [flags] "r"(flags[i] | 0x202), "D"(0ull), "S"(0ull)
				 : "rcx", "r11", "memory", "cc");
		CHECK_EQ(result, PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
	}
}

/* A data segment that cannot be used, a null stack segment: a call works, and they are what they were. */
PV_TEST(call_with_odd_segments, "PVABI-GEN-003.1 PVABI-ISO-003.1")
{
	static const u16 selectors[] = { 0, 1, 2, 3, PV_USER_SS };

	for (u32 i = 0; i < sizeof(selectors) / sizeof(u16); i++) {
		u16 ds, es;

		__asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"(selectors[i]));
		CHECK_EQ(OP(INFO, VERSION, 0), PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
		CHECK_EQ(HC(WAIT, 0, clock_ns() + MS / 5), 1);
		__asm__ volatile("mov %%ds, %0; mov %%es, %1" : "=r"(ds), "=r"(es));
		CHECK_EQ(ds & ~3, selectors[i] & ~3);
		CHECK_EQ(es & ~3, selectors[i] & ~3);
	}
}

/* The stack pointer of a trap is data: a bad one is reported as it is. */
PV_TEST(trap_with_odd_stack, "PVABI-EVT-005.1 PVABI-EVT-001.1")
{
	u64 gfn = free_gfn();

	events_on(0);
	populate(PV_SELF, gfn, 1);
	map(PV_SELF, VA, gfn, 1, RW);
	for (u32 i = 0; i < 3; i++) {
		/* The entry code needs a stack, so a good one is put back before the trap's event runs. */
		CHECK_EQ(TRAP_OF("mov %%rsp, %%rdx; mov %[other], %%rsp; ud2", [other] "r"(VA + 0xff8 - 8 * i)), 6);
		CHECK_EQ(abi_cpus[0].frame.rsp, VA + 0xff8 - 8 * i);
	}
}
