// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_apic.c - local APICs in both modes and I/O APICs, the old ones among them: x2APIC, interrupts under way,
 * destinations and lines beyond the end. Registers are plain memory: what was written last is what is there.
 */
#include "board.h"

#include "arch.h"
#include "bits.h"
#include "cpu.h"
#include "cpu_features.h"
#include "platform.h"
#include "vtd.h"

#define LAPIC 0xfee00000u
#define IOAPIC 0xfec00000u
#define X2(reg) (0x800u + (reg) / 16)
#define ENABLE BIT(11)
#define X2_ON BIT(10)
#define ICR 0x300
#define ICR_HIGH 0x310
#define PENDING 0x1000u

struct cpu_features cpu_features;
struct acpi_info acpi_info;

static u64 now;
static bool remapped, signs;
static struct {
	u32 index;
	u16 source;
	u8 vector;
	u32 dest;
	bool level;
} entry;

u64 clock_now_ns(void)
{
	return now;
}

void delay_us(u64 us)
{
	now += us * 1000;
}

bool vtd_interrupts(void)
{
	return remapped;
}

void vtd_interrupt_set(u32 index, u16 source, u8 vector, u32 dest, bool level)
{
	entry.index = index;
	entry.source = source;
	entry.vector = vector;
	entry.dest = dest;
	entry.level = level;
}

bool vtd_ioapic_source(u32 id, u16 *source)
{
	*source = (u16)(0xf000 | id);
	return signs;
}

static u32 *reg(u64 base, u32 off)
{
	return (u32 *)board_page(base) + off / 4;
}

static int setup(void **state)
{
	(void)state;
	board_reset();
	memset(&acpi_info, 0, sizeof(acpi_info));
	memset(&cpu_features, 0, sizeof(cpu_features));
	now = 1000;
	remapped = signs = false;
	return 0;
}

/* ---- the local APIC ---- */

static void in_x2_mode(void)
{
	cpu_features.x2apic = true;
	board_msr_set(MSR_APIC_BASE, LAPIC | X2_ON);
	lapic_init();
	assert_true(lapic_x2);
	assert_int_equal(board_rdmsr(MSR_APIC_BASE), LAPIC | X2_ON | ENABLE);
	assert_int_equal(board_rdmsr(X2(0xf0)), 0x100 | VEC_SPURIOUS);
	board_msr_set(X2(0x20), 0x12345);
	assert_int_equal(lapic_id(), 0x12345);
	cpus[3].apic_id = 0x345;
	arch_kick(3);
	assert_int_equal(board_rdmsr(X2(ICR)), 0x345ull << 32 | 0x4000 | VEC_KICK);
	board_msr_set(MSR_APIC_BASE, LAPIC); /* the next CPU: the kernel switches it itself */
	lapic_init();
	assert_int_equal(board_rdmsr(MSR_APIC_BASE), LAPIC | X2_ON | ENABLE);
}

static void in_memory_at(u64 where)
{
	lapic_init();
	assert_false(lapic_x2);
	assert_int_equal(board_rdmsr(MSR_APIC_BASE) & X2_ON, 0);
	assert_int_equal(*reg(where, 0xf0), 0x100 | VEC_SPURIOUS);
	assert_int_equal(*reg(where, 0x3e0), 1);
	*reg(where, 0x20) = 7u << 24;
	assert_int_equal(lapic_id(), 7);
}

static u32 pauses;

static void it_is_delivered(void)
{
	if (++pauses == 3)
		*reg(LAPIC, ICR) &= ~PENDING;
}

static void sends_when_the_last_is_gone(void)
{
	cpus[2].apic_id = 9;
	*reg(LAPIC, ICR) = PENDING;
	board_relax = it_is_delivered;
	arch_ipi_send(2, VEC_FLUSH);
	assert_int_equal(pauses, 3);
	assert_int_equal(*reg(LAPIC, ICR_HIGH), 9u << 24);
	assert_int_equal(*reg(LAPIC, ICR), 0x4000 | VEC_FLUSH);
	lapic_nmi_others();
	assert_int_equal(*reg(LAPIC, ICR), 0xc4400);
	arch_ipi_send_others(VEC_KICK);
	assert_int_equal(*reg(LAPIC, ICR), 0xc4000 | VEC_KICK);
	lapic_start_others(0x9e);
	assert_int_equal(*reg(LAPIC, ICR), 0xc469e);
	assert_int_equal(now, 1000 + 10400 * 1000);
}

static void keeps_time(void)
{
	lapic_timer_set_rate(1000000000 / 4); /* a tick is 4 ns */
	assert_int_equal(*reg(LAPIC, 0x380), 0);
	assert_int_equal(lapic_timer_probe(), 0);
	assert_int_equal(*reg(LAPIC, 0x380), UINT32_MAX); /* it was not running */
	*reg(LAPIC, 0x390) = 55;
	assert_int_equal(lapic_timer_probe(), 55);

	now = 5000;
	assert_false(lapic_timer_expired()); /* nobody asked */
	arch_timer_arm(9000);
	assert_in_range(*reg(LAPIC, 0x380), 1000, 1001);
	now = 8600;
	assert_false(lapic_timer_expired()); /* early: it runs for the rest */
	assert_in_range(*reg(LAPIC, 0x380), 100, 101);
	now = 9000;
	assert_true(lapic_timer_expired());
	assert_false(lapic_timer_expired());
	arch_timer_arm(0); /* long ago */
	assert_int_equal(*reg(LAPIC, 0x380), 1);
	assert_true(lapic_timer_expired());
	arch_timer_arm(9000 + 3600ull * 1000000000); /* further than the counter reaches */
	assert_in_range(*reg(LAPIC, 0x380), 999999000, 1000001000);
	lapic_timer_set_rate(4000000000ull);
	arch_timer_arm(9000 + 3600ull * 1000000000);
	assert_int_equal(*reg(LAPIC, 0x380), UINT32_MAX);
	arch_timer_disarm();
	assert_int_equal(*reg(LAPIC, 0x380), 0);
	now = ~0ull >> 1;
	assert_false(lapic_timer_expired());
}

static void not_switched_by_firmware(void)
{
	cpu_features.x2apic = true;
	board_msr_set(MSR_APIC_BASE, LAPIC);
	in_memory_at(LAPIC);
	in_memory_at(LAPIC); /* the next CPU */
}

static void without_x2(void)
{
	board_msr_set(MSR_APIC_BASE, LAPIC | X2_ON);
	lapic_init();
	assert_false(lapic_x2);
	sends_when_the_last_is_gone();
	keeps_time();
}

static void where_acpi_says(void)
{
	acpi_info.lapic_base = LAPIC + 0x10000;
	board_msr_set(MSR_APIC_BASE, LAPIC);
	in_memory_at(LAPIC + 0x10000);
}

static void test_local(void **state)
{
	(void)state;
	board_alone(in_x2_mode);
	board_alone(not_switched_by_firmware);
	board_alone(without_x2);
	board_alone(where_acpi_says);
}

/* ---- I/O APICs ---- */

static void add(u32 id, u64 base, u32 gsi, u32 lines)
{
	*reg(base, 0x10) = (lines - 1) << 16; /* whatever is selected */
	ioapic_add(id, base, gsi);
	if (*reg(base, 0)) { /* the last line is masked, and goes to nobody */
		assert_int_equal(*reg(base, 0), 0x10 + 2 * lines - 1);
		assert_int_equal(*reg(base, 0x10), 0);
	}
}

static void test_lines(void **state)
{
	u32 *window;

	(void)state;
	assert_int_equal(ioapic_nr_gsi(), 0);
	assert_int_equal(ioapic_route(4, 0x31, 0, false, false, false), -1); /* nobody has it */
	ioapic_mask(4);
	ioapic_unmask(4);
	add(1, IOAPIC, 0, 24);
	add(2, IOAPIC + 0x1000, 32, 8);
	assert_int_equal(ioapic_nr_gsi(), 40);
	window = reg(IOAPIC, 0x10);
	assert_int_equal(ioapic_route(4, 0x31, 3, false, false, false), 0);
	assert_int_equal(*window, 0x31);
	assert_int_equal(*reg(IOAPIC, 0), 0x10 + 8);
	assert_int_equal(ioapic_route(5, 0x32, 3, true, true, true), 0);
	assert_int_equal(*window, 3u << 24); /* the masked half before it is not written again */
	assert_int_equal(ioapic_route(33, 0x33, 0xff, true, false, false), 0);
	assert_int_equal(*reg(IOAPIC + 0x1000, 0x10), 0x8033);
	assert_int_equal(ioapic_route(34, 0x33, 1, false, true, false), 0);
	assert_int_equal(*reg(IOAPIC + 0x1000, 0x10), 0x2033);
	ioapic_mask(34);
	assert_int_equal(*reg(IOAPIC + 0x1000, 0x10), 0x12033);
	ioapic_unmask(34);
	assert_int_equal(*reg(IOAPIC + 0x1000, 0x10), 0x2033);
	assert_int_equal(ioapic_route(24, 0x33, 0, false, false, false), -1); /* between the two */
	assert_int_equal(ioapic_route(40, 0x33, 0, false, false, false), -1);
	assert_int_equal(ioapic_route(4, 0x33, 0x100, false, false, false), -1);

	remapped = true;
	assert_int_equal(ioapic_route(4, 0x31, 3, false, false, false), -1); /* signs as nobody */
	signs = true;
	assert_int_equal(ioapic_route(33, 0x44, 3, true, false, false), 0);
	assert_int_equal(entry.index, 33);
	assert_int_equal(entry.source, 0xf002);
	assert_int_equal(entry.vector, 0x44);
	assert_int_equal(entry.dest, 3);
	assert_true(entry.level);
	assert_int_equal(*reg(IOAPIC + 0x1000, 0x10), 0x8044);
	assert_int_equal(ioapic_route(33, 0x44, 3, false, false, true), 0);
	assert_int_equal(*reg(IOAPIC + 0x1000, 0x10), 33u << 17 | 0x10000);

	for (u32 i = 2; i < 8; i++)
		add(i, IOAPIC + i * 0x1000, 64 * i, 4);
	add(9, IOAPIC + 0x8000, 1000, 4);
	LOGGED("I/O APIC 9 ignored");
	assert_int_equal(ioapic_nr_gsi(), 64 * 7 + 4);
}

static void test_old_numbers(void **state)
{
	struct irq_line line;

	(void)state;
	line = ioapic_isa_line(9);
	assert_int_equal(line.gsi, 9);
	assert_false(line.level || line.active_low);
	ioapic_override(0, 2, 0);
	ioapic_override(9, 20, 15);
	ioapic_override(10, 21, 3);
	ioapic_override(16, 22, 0); /* there is no such line */
	assert_int_equal(ioapic_isa_line(0).gsi, 2);
	line = ioapic_isa_line(9);
	assert_true(line.gsi == 20 && line.level && line.active_low);
	line = ioapic_isa_line(10);
	assert_true(line.gsi == 21 && !line.level && line.active_low);
	assert_int_equal(ioapic_isa_line(16).gsi, 16);
	assert_int_equal(ioapic_isa_line(11).gsi, 11);
}

static void test_old_controllers(void **state)
{
	static const struct board_write last[] = { { 0x21, 1, 0xff }, { 0xa1, 1, 0xff } };

	(void)state;
	pic_disable();
	assert_int_equal(board_nr_outs, 10);
	assert_memory_equal(&board_outs[8], last, sizeof(last));
	assert_int_equal(board_outs[2].value, 0x20);
	assert_int_equal(board_outs[3].value, 0x28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_local, setup),
		cmocka_unit_test_setup(test_lines, setup),
		cmocka_unit_test_setup(test_old_numbers, setup),
		cmocka_unit_test_setup(test_old_controllers, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
