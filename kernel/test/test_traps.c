// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_traps.c - exceptions and interrupts taken in the kernel, those among them that no healthy machine makes, and
 * what is printed of a stack that may be anything.
 */
#include "board.h"

#include "arch.h"
#include "bits.h"
#include "cpu.h"
#include "extable.h"
#include "paging.h"
#include "panic.h"
#include "platform.h"
#include "regs.h"

#define STOPPED 3
#define FRAMES 64

const char trap_doors[16];
/* Two instructions that may fault, and where it goes on. */
extern const struct ex_entry extable_start[], extable_end[];
extern const char fault_a[], fault_b[], fix_a[], fix_b[];
__asm__(".globl extable_start, extable_end\n.text\nfault_a: nop\nfault_b: nop\nfix_a: nop\nfix_b: nop\n"
	".data\n.balign 4\nextable_start:\n"
	".long fault_a - .\n.long fix_a - .\n.long fault_b - .\n.long fix_b - .\nextable_end:\n.text\n");

static u32 eois, calls, last_vector;
static bool due;
static u64 stack[FRAMES][2]; /* what there is of memory */

void lapic_eoi(void)
{
	eois++;
}

bool lapic_timer_expired(void)
{
	return due;
}

void arch_stop_this_cpu(void)
{
	siglongjmp(board_end, STOPPED);
}

bool paging_is_mapped(vaddr_t va)
{
	return va >= (u64)stack && va < (u64)stack + sizeof(stack);
}

const char *symbol_lookup(vaddr_t addr, u64 *offset)
{
	*offset = addr & 0xff;
	return addr >= 0x5000 ? "function" : NULL;
}

static void handler(u8 vector)
{
	calls++;
	last_vector = vector;
}

static int setup(void **state)
{
	(void)state;
	board_reset();
	host_cpu = &cpus[0];
	host_cpu->stack_top = (u64)stack + sizeof(stack);
	eois = calls = last_vector = 0;
	due = false;
	memset(stack, 0, sizeof(stack));
	return 0;
}

#define INTERRUPT(vector, want_calls, want_eois)                                                   \
	do {                                                                                       \
		eois = calls = 0;                                                                  \
		arch_irq_dispatch(vector);                                                         \
		assert_int_equal(calls, want_calls);                                               \
		assert_int_equal(eois, want_eois);                                                 \
	} while (0)

static void test_interrupts(void **state)
{
	struct cpu_regs regs = { .vector = 0x35 };

	(void)state;
	INTERRUPT(0x35, 0, 1); /* nobody's */
	INTERRUPT(VEC_KICK, 0, 1);
	arch_vector_set(0x35, handler);
	arch_vector_set(VEC_TIMER, handler);
	arch_vector_set(VEC_KICK, handler);
	INTERRUPT(0x35, 1, 1);
	assert_int_equal(last_vector, 0x35);
	INTERRUPT(VEC_KICK, 1, 1);
	INTERRUPT(VEC_TIMER, 0, 1); /* it fired early */
	due = true;
	INTERRUPT(VEC_TIMER, 1, 1);
	INTERRUPT(VEC_SPURIOUS, 0, 0);
	INTERRUPT(3, 0, 1);
	assert_int_equal(ENDS(arch_irq_dispatch(VEC_HALT)), STOPPED);
	calls = 0;
	trap_kernel(&regs);
	assert_int_equal(calls, 1);
	PANICS("assertion failed", arch_vector_set(0x1f, handler));
}

static void test_may_fault(void **state)
{
	struct cpu_regs regs = { .vector = EXC_GP, .rip = (u64)fault_b };

	(void)state;
	assert_int_equal(extable_fixup((u64)fault_a), (u64)fix_a);
	assert_int_equal(extable_fixup((u64)fix_a), 0);
	trap_kernel(&regs);
	assert_int_equal(regs.rip, (u64)fix_b);
}

static void unexpected(u64 vector)
{
	struct cpu_regs regs = { .vector = vector, .error = 0x18, .rip = (u64)fix_a, .rsp = 0x77 };

	trap_kernel(&regs);
}

static void test_unexpected(void **state)
{
	(void)state;
	board_cr2 = 0x1234;
	PANICS("page fault in the kernel at 1234, error 18", unexpected(EXC_PF));
	PANICS("double fault in the kernel (stack overflow?), rsp 77", unexpected(EXC_DF));
	PANICS("general protection (vector 13) in the kernel, error 18", unexpected(EXC_GP));
	PANICS("SIMD (vector 19)", unexpected(19));
	PANICS("exception (vector 20)", unexpected(20));
}

static void on_own_stack(u64 vector)
{
	struct cpu_regs regs = { .vector = vector };

	trap_ist(&regs);
}

static void test_with_stacks_of_their_own(void **state)
{
	(void)state;
	on_own_stack(EXC_NMI); /* nobody panics: of no interest */
	panic_owner = 2;
	assert_int_equal(ENDS(on_own_stack(EXC_NMI)), STOPPED);
	HALTS(on_own_stack(EXC_DB)); /* clears DR6, which no program may */
	PANICS("machine check (vector 18)", on_own_stack(EXC_MC));
}

/* ---- what a panic prints ---- */

/* A chain of n frames that ends as the last one says. */
static u64 chain(u32 n, u64 next, u64 back_to)
{
	for (u32 i = 0; i < n; i++) {
		stack[i][0] = (u64)&stack[i + 1];
		stack[i][1] = 0x5001 + 16 * i;
	}
	stack[n - 1][0] = next;
	stack[n][1] = back_to;
	return (u64)stack;
}

static u32 printed(u64 rbp)
{
	struct cpu_regs regs = { .rbp = rbp, .rip = 0x5678 };
	u32 lines = 0;

	board_log[0] = '\0';
	arch_print_backtrace(&regs);
	for (const char *p = board_log; (p = strchr(p, '\n')); p++)
		lines++;
	LOGGED("stack:\n  0000000000005678 function+0x78\n");
	return lines - 2;
}

static void test_stack(void **state)
{
	(void)state;
	assert_int_equal(printed(0), 0);
	assert_int_equal(printed(0x12345678), 0);
	assert_int_equal(printed(~0ull - 15), 0); /* above all stacks */
	assert_int_equal(printed((u64)stack + 4), 0);
	assert_int_equal(printed((u64)&stack[FRAMES] - 8), 0); /* half of it is there */
	assert_int_equal(printed(chain(3, 0, 0)), 3);
	LOGGED("function+0x20"); /* inside the call, not behind it */
	assert_int_equal(printed(chain(3, (u64)stack, 0)), 3); /* back to where it came from */
	assert_int_equal(printed(chain(3, (u64)&stack[3], 0)), 3); /* called by nobody */
	assert_int_equal(printed(chain(40, 0, 0)), 24);
	host_cpu->stack_top = (u64)stack;
	assert_int_equal(printed(chain(3, 0, 0)), 0); /* on no stack: a guest's rbp */
	board_log[0] = '\0';
	arch_print_backtrace(NULL); /* of the caller, whose frames are none of the kernel's */
	assert_string_equal(board_log, "stack:\n");
}

static void test_registers(void **state)
{
	struct cpu_regs regs = { .rip = 0x5010, .r15 = 0xabcd };

	(void)state;
	board_cr3 = 0x777;
	arch_print_regs(&regs);
	LOGGED("rip 0000000000005010 function+0x10");
	LOGGED("r15 000000000000abcd");
	LOGGED("cr3 0000000000000777");
	regs.rip = 0x10;
	arch_print_regs(&regs);
	LOGGED("rip 0000000000000010 ?+0x10");
	stack[0][1] = 0x21;
	regs.rbp = (u64)stack;
	arch_print_backtrace(&regs);
	LOGGED("0000000000000020 ?+0x20");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_interrupts, setup),
		cmocka_unit_test_setup(test_may_fault, setup),
		cmocka_unit_test_setup(test_unexpected, setup),
		cmocka_unit_test_setup(test_with_stacks_of_their_own, setup),
		cmocka_unit_test_setup(test_stack, setup),
		cmocka_unit_test_setup(test_registers, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
