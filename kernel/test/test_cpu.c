// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_cpu.c - what is shown of a processor and said through a machine: CPUID of many kinds, screens and serial lines
 * that are not there or hang, the ways to switch off when none of them works, interrupts nobody waits for.
 */
#include "board.h"

#include "arch.h"
#include "bits.h"
#include "boot_info.h"
#include "cpu.h"
#include "cpu_features.h"
#include "domain.h"
#include "platform.h"
#include "vcpu.h"

#define RAM MIB(1)
#define UART 0x3f8
#define SCREEN 0xb8000
#define COLUMNS 80

struct cpu_features cpu_features;
struct acpi_info acpi_info;
struct clock_params clock_params;

static u64 now;
static u32 nmis;

u64 clock_now_ns(void)
{
	return now += 1000000;
}

static void (*on_nmi)(void);

void lapic_nmi_others(void)
{
	nmis++;
	if (on_nmi)
		on_nmi();
}

/* ---- CPUID ---- */

static struct vcpu v;

static struct pv_cpuid ask(u32 leaf, u32 sub)
{
	struct pv_cpuid out;

	memset(&out, 0xff, sizeof(out));
	arch_cpuid(&v, leaf, sub, &out);
	return out;
}

#define NOTHING(leaf, sub)                                                                         \
	do {                                                                                       \
		struct pv_cpuid r_ = ask(leaf, sub);                                               \
		assert_int_equal(r_.eax | r_.ebx | r_.ecx | r_.edx, 0);                            \
	} while (0)

/* A processor that answers ones wherever it is asked. */
static void ones(u32 max_basic, u32 max_ext)
{
	for (u32 leaf = 1; leaf <= 0x20; leaf++)
		for (u32 sub = 0; sub < 3; sub++)
			board_cpuid_set(leaf, sub, ~0u, ~0u, ~0u, ~0u);
	for (u32 leaf = 1; leaf <= 9; leaf++)
		board_cpuid_set(0x80000000 + leaf, 0, ~0u, ~0u, ~0u, ~0u);
	board_cpuid_set(0, 0, max_basic, 1, 2, 3);
	board_cpuid_set(0x80000000, 0, max_ext, 1, 2, 3);
}

static void test_leaves(void **state)
{
	struct pv_cpuid r;

	(void)state;
	ones(0x20, 0x80000021);
	assert_int_equal(ask(0, 0).eax, 0x16);
	assert_int_equal(ask(0x80000000, 0).eax, 0x80000008);
	cpu_features.xsave = true;
	v.index = 5;
	r = ask(1, 0);
	assert_int_equal(r.ebx, 0x0501ffff);
	assert_int_equal(r.ecx, 0x76da3203 | BIT(27) | BIT(31) | BIT(17));
	cpu_features.xsave = false;
	assert_int_equal(ask(1, 0).ecx, (u32)(0x76da3203 | BIT(31) | BIT(17)));
	r = ask(7, 0);
	assert_int_equal(r.eax, 0);
	assert_int_equal(r.edx, BIT(4) | BIT(29));
	NOTHING(7, 1);
	for (u32 leaf = 2; leaf <= 4; leaf += 2)
		assert_int_equal(ask(leaf, 1).ebx, ~0u);
	assert_int_equal(ask(4, 0).eax, 0x3fff);
	assert_int_equal(ask(2, 0).eax, ~0u);
	for (u32 leaf = 2; leaf <= 6; leaf++)
		assert_int_equal(ask(0x80000000 + leaf, 0).edx, ~0u);
	NOTHING(3, 0);
	NOTHING(5, 0);
	NOTHING(0x80000009, 0);
	assert_int_equal(ask(0x80000001, 0).ecx, 0x1e1);
	assert_int_equal(ask(0x80000008, 0).eax, 0xffff);
	board_cpuid_set(0x80000007, 0, 0, 0, 0, 0);
	NOTHING(0x80000007, 0);
	clock_params.stable = true;
	assert_int_equal(ask(0x80000007, 0).edx, BIT(8));
}

static void test_leaves_beyond_the_last(void **state)
{
	(void)state;
	ones(6, 0x80000004);
	assert_int_equal(ask(0, 0).eax, 6);
	assert_int_equal(ask(0x80000000, 0).eax, 0x80000004);
	NOTHING(7, 0);
	NOTHING(0xd, 0);
	NOTHING(0x80000005, 0);
	NOTHING(0x80000008, 0);
	assert_int_equal(ask(0x80000004, 0).eax, ~0u);
}

static void test_own_leaves(void **state)
{
	struct pv_cpuid r = ask(0x40000000, 0);

	(void)state;
	assert_int_equal(r.eax, 0x40000001);
	assert_memory_equal(&r.ebx, "RingfenceVMM", 12);
	assert_int_equal(ask(0x40000001, 0).eax, PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
	NOTHING(0x40000002, 0);
	NOTHING(0x400000ff, 0);
	NOTHING(0x40000100, 0);
	NOTHING(0x3fffffff, 0);
}

static void test_state_leaves(void **state)
{
	(void)state;
	ones(0xd, 0x80000008);
	NOTHING(0xd, 0); /* without XSAVE */
	cpu_features.xsave = true;
	cpu_features.xcr0 = 7;
	cpu_features.xsave_size = 832;
	v.xcr0 = 1;
	assert_int_equal(ask(0xd, 0).eax, 7);
	assert_int_equal(ask(0xd, 0).ebx, 576);
	assert_int_equal(ask(0xd, 0).ecx, 832);
	assert_int_equal(ask(0xd, 1).ebx, 576);
	assert_int_equal(ask(0xd, 1).eax, 7); /* no XSAVES */
	v.xcr0 = 7;
	assert_int_equal(ask(0xd, 0).ebx, 832);
	assert_int_equal(ask(0xd, 1).ebx, 832);
	assert_int_equal(ask(0xd, 2).ecx, 2);
	NOTHING(0xd, 3);
	NOTHING(0xd, 63);
	NOTHING(0xd, 64 + 2);
}

/* ---- the console ---- */

static bool uart_there, uart_hangs, uart_dies; /* dies: with the next CR */
static u32 uart_slow, uart_busy;	       /* so often it is asked in vain behind a character; still */
static u8 uart_scratch;
static char serial[4096];
static u32 nr_serial;

static bool in_board(u16 port, u32 width, u32 *value)
{
	(void)width;
	if (port == UART + 7 && uart_there)
		*value = uart_scratch;
	else if (port == UART + 5 && uart_there)
		*value = uart_hangs || (uart_busy && uart_busy--) ? 0 : 0x20;
	else if (port == 0x64)
		*value = 2;
	else
		return false;
	return true;
}

static void out_board(u16 port, u32 width, u32 value)
{
	(void)width;
	if (port == UART + 7)
		uart_scratch = (u8)value;
	if (port == UART) {
		uart_busy = uart_slow;
		uart_hangs |= uart_dies && value == '\r';
	}
	if (port == UART)
		serial[nr_serial++ % sizeof(serial)] = (char)value;
}

static u16 cell(u32 row, u32 column)
{
	return ((u16 *)(host_ram + SCREEN))[row * COLUMNS + column];
}

/* The row that the screen shows first. */
static u32 shown(void)
{
	u32 start = 0, index = 0;

	for (u32 i = 0; i < board_nr_outs && i < BOARD_OUTS; i++) {
		if (board_outs[i].port == 0x3d4)
			index = board_outs[i].value;
		if (board_outs[i].port == 0x3d5)
			start = index == 0x0c ? board_outs[i].value << 8 | (start & 0xff) :
						(start & 0xff00) | board_outs[i].value;
	}
	return start / COLUMNS;
}

static void say(const char *text)
{
	board_nr_outs = 0;
	for (size_t n = strlen(text), done = 0; done < n;) /* as the log goes on where the line was not ready */
		done += arch_console_write(text + done, n - done);
}

static int setup(void **state)
{
	(void)state;
	board_reset();
	free(host_ram);
	host_ram = calloc(1, RAM);
	memset(&cpu_features, 0, sizeof(cpu_features));
	memset(&clock_params, 0, sizeof(clock_params));
	memset(&acpi_info, 0, sizeof(acpi_info));
	memset(&v, 0, sizeof(v));
	board_on_in = in_board;
	board_on_out = out_board;
	uart_there = uart_hangs = uart_dies = false;
	uart_slow = uart_busy = 0;
	nr_serial = nmis = 0;
	memset(serial, 0, sizeof(serial));
	now = 0;
	on_nmi = NULL;
	return 0;
}

static void test_serial_line(void **state)
{
	(void)state;
	arch_console_init();
	assert_int_equal(arch_uart_port(), 0);
	say("a");
	assert_int_equal(nr_serial, 0);
	uart_there = true;
	arch_console_init();
	assert_int_equal(arch_uart_port(), UART);
	nr_serial = 0;
	say("a\nb");
	assert_memory_equal(serial, "a\r\nb", 4);
	arch_console_uart(false); /* a domain has it */
	say("hidden");
	assert_int_equal(nr_serial, 4);
	assert_int_equal(arch_uart_port(), UART);
	arch_console_uart(true);
	arch_console_uart(true); /* it is ours already */
	nr_serial = 0;
	say("c");
	assert_memory_equal(serial, "c", 1);
	uart_hangs = true; /* a line that takes nothing is given up */
	say("d");
	assert_int_equal(arch_uart_port(), 0);
	uart_hangs = false;
	nr_serial = 0;
	say("e");
	assert_int_equal(nr_serial, 0);
}

/* A line that needs its time between two characters of one newline, and one that is gone between them. */
static void test_slow_serial_line(void **state)
{
	(void)state;
	uart_there = true;
	arch_console_init();
	nr_serial = 0;
	uart_slow = 7;
	say("a\nb\n");
	assert_int_equal(nr_serial, 6);
	assert_memory_equal(serial, "a\r\nb\r\n", 6);
	uart_dies = true;
	uart_slow = uart_busy = 0;
	say("c\nd");
	assert_int_equal(arch_uart_port(), 0);
}

static void scrolls(void)
{
	char line[8];

	uart_there = false;
	arch_console_init();
	say("first\r\n");
	assert_int_equal(cell(0, 0), 0x0700 | 'f');
	assert_int_equal(cell(0, 5), 0x0700 | ' ');
	for (u32 i = 1; i < 199; i++) {
		snprintf(line, sizeof(line), "%u\n", i);
		say(line);
	}
	assert_int_equal(shown(), 199 + 1 - 25);
	say("x\n");
	assert_int_equal(shown(), 0); /* at the end the text moves back to the beginning */
	assert_int_equal(cell(24, 0), 0x0700 | ' ');
	assert_int_equal(cell(23, 0), 0x0700 | 'x');
	assert_int_equal(cell(22, 0), 0x0700 | '1');
	for (u32 i = 0; i < 81; i++) /* longer than a line */
		say("w");
	assert_int_equal(shown(), 1);
	assert_int_equal(cell(24, 79), 0x0700 | 'w');
	assert_int_equal(cell(25, 0), 0x0700 | 'w');
	assert_int_equal(cell(25, 1), 0x0700 | ' ');
	console_no_vga();
	say("z");
	assert_int_equal(cell(25, 1), 0x0700 | ' ');
}

static void test_screen(void **state)
{
	(void)state;
	board_alone(scrolls);
}

/* ---- ends ---- */

static void test_power_off(void **state)
{
	static const struct board_write all[] = { { 0x604, 2, 0x2000 }, { 0xb004, 2, 0x2000 } };

	(void)state;
	HALTS(arch_poweroff());
	LOGGED("power off failed");
	assert_int_equal(board_nr_outs, 2);
	assert_memory_equal(board_outs, all, sizeof(all));
	board_nr_outs = 0;
	acpi_info.s5_valid = true;
	HALTS(arch_poweroff());
	assert_int_equal(board_nr_outs, 2);
	acpi_info.pm1a_cnt = 0x404;
	acpi_info.s5_a = 5;
	acpi_info.s5_b = 6;
	HALTS(arch_poweroff());
	assert_int_equal(board_outs[2].port, 0x404);
	assert_int_equal(board_outs[2].value, 5 << 10 | 0x2000);
	assert_int_equal(board_outs[3].port, 0x604);
	board_nr_outs = 0;
	acpi_info.pm1b_cnt = 0x408;
	HALTS(arch_poweroff());
	assert_int_equal(board_outs[1].port, 0x408);
	assert_int_equal(board_outs[1].value, 6 << 10 | 0x2000);
}

static u32 waits;

static void count_waits(void)
{
	waits++;
}

static bool in_ready(u16 port, u32 width, u32 *value)
{
	(void)width;
	*value = 0;
	return port == 0x64;
}

static void test_restart(void **state)
{
	(void)state;
	board_relax = count_waits;
	HALTS(arch_reboot()); /* the keyboard controller never takes a byte: it is sent all the same */
	assert_int_equal(waits, 100000);
	assert_int_equal(board_nr_outs, 3);
	assert_int_equal(board_outs[1].port, 0xcf9);
	assert_int_equal(board_outs[1].value, 6);
	assert_int_equal(board_outs[2].port, 0x64);
	assert_int_equal(board_outs[2].value, 0xfe);
	board_on_in = in_ready;
	board_nr_outs = waits = 0;
	acpi_info.reset_valid = true;
	acpi_info.reset_port = 0xcf8;
	acpi_info.reset_value = 0x0f;
	HALTS(arch_reboot());
	assert_int_equal(waits, 0);
	assert_int_equal(board_outs[0].port, 0xcf8);
	assert_int_equal(board_outs[0].value, 0x0f);
	board_nr_outs = 0;
	arch_debug_exit(5);
	assert_int_equal(board_outs[0].port, 0xf4);
}

static void they_stop(void)
{
	cpus[1].state = cpus[2].state = CPU_STOPPED;
}

static void test_stop_the_others(void **state)
{
	(void)state;
	arch_stop_other_cpus(); /* alone */
	assert_int_equal(nmis, 0);
	nr_cpus = 3;
	for (u32 i = 0; i < 3; i++)
		cpus[i].id = i;
	arch_stop_other_cpus(); /* before there is a clock to wait by */
	assert_int_equal(nmis, 0);
	clock_params.mul = 1;
	on_nmi = they_stop;
	arch_stop_other_cpus();
	assert_int_equal(nmis, 1);
	assert_true(now < 10000000);
	cpus[1].state = CPU_ONLINE; /* this one does not answer: it is not waited for for ever */
	on_nmi = NULL;
	arch_stop_other_cpus();
	assert_in_range(now, 200000000, 230000000);
	HALTS(arch_stop_this_cpu());
	assert_int_equal(cpus[0].state, CPU_STOPPED);
	HALTS(arch_idle());
}

static void test_randomness(void **state)
{
	u64 a, b;

	(void)state;
	assert_false(arch_random_u64(&a));
	assert_int_equal(a, 0);
	if (!__builtin_cpu_supports("rdrnd"))
		skip();
	cpu_features.rdrand = true;
	assert_true(arch_random_u64(&a));
	assert_true(arch_random_u64(&b));
	assert_int_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_screen, setup), /* first: the kernel remembers where it has written */
		cmocka_unit_test_setup(test_leaves, setup),
		cmocka_unit_test_setup(test_leaves_beyond_the_last, setup),
		cmocka_unit_test_setup(test_own_leaves, setup),
		cmocka_unit_test_setup(test_state_leaves, setup),
		cmocka_unit_test_setup(test_serial_line, setup),
		cmocka_unit_test_setup(test_slow_serial_line, setup),
		cmocka_unit_test_setup(test_power_off, setup),
		cmocka_unit_test_setup(test_restart, setup),
		cmocka_unit_test_setup(test_stop_the_others, setup),
		cmocka_unit_test_setup(test_randomness, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
