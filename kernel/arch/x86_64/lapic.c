// SPDX-License-Identifier: BSD-2-Clause
/*
 * lapic.c - the local APIC of each CPU: identity, interprocessor interrupts, one-shot timer.
 *
 * xAPIC through its registers in memory; where the firmware has already switched to x2APIC (no way
 * back without a reset of the unit) through MSRs.
 */
#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "compiler.h"
#include "cpu.h"
#include "cpu_features.h"
#include "paging.h"
#include "platform.h"

#define APIC_BASE_X2 BIT(10)
#define APIC_BASE_ENABLE BIT(11)

#define REG_ID 0x20
#define REG_TPR 0x80
#define REG_EOI 0xb0
#define REG_LDR 0xd0
#define REG_SVR 0xf0
#define REG_ICR 0x300
#define REG_ICR_HIGH 0x310
#define REG_LVT_TIMER 0x320
#define REG_LVT_THERMAL 0x330
#define REG_LVT_PERF 0x340
#define REG_LVT_LINT0 0x350
#define REG_LVT_LINT1 0x360
#define REG_LVT_ERROR 0x370
#define REG_TIMER_INITIAL 0x380
#define REG_TIMER_CURRENT 0x390
#define REG_TIMER_DIVIDE 0x3e0

#define SVR_ENABLE 0x100
#define LVT_MASKED 0x10000
#define LVT_NMI 0x400
#define DIVIDE_BY_4 0x1
#define ICR_NMI 0x400
#define ICR_INIT 0x500
#define ICR_STARTUP 0x600
#define ICR_PENDING 0x1000
#define ICR_ASSERT 0x4000
#define ICR_ALL_BUT_SELF 0xc0000
#define MSR_X2APIC 0x800

bool lapic_x2;
static volatile u8 *lapic_regs;
static u64 timer_mul; /* ticks = ns * timer_mul >> 32 */
static u64 deadlines[MAX_CPUS]; /* ns; 0 = not armed */

static u32 lapic_read(u32 reg)
{
	if (lapic_x2)
		return (u32)rdmsr(MSR_X2APIC + reg / 16);
	return *(volatile u32 *)(lapic_regs + reg);
}

static void lapic_write(u32 reg, u32 v)
{
	if (lapic_x2)
		wrmsr(MSR_X2APIC + reg / 16, v);
	else
		*(volatile u32 *)(lapic_regs + reg) = v;
}

static __noinline void x2_icr_send(u32 dest, u32 command)
{
	fence_full(); /* the MSR write does not order earlier stores by itself */
	wrmsr(MSR_X2APIC + REG_ICR / 16, (u64)dest << 32 | command);
}

static inline void icr_send(u32 dest, u32 command)
{
	volatile u8 *regs = lapic_regs; /* NULL: x2APIC */

	if (unlikely(!regs)) {
		x2_icr_send(dest, command);
		return;
	}
	while (unlikely(*(volatile u32 *)(regs + REG_ICR) & ICR_PENDING))
		cpu_relax();
	*(volatile u32 *)(regs + REG_ICR_HIGH) = dest << 24;
	*(volatile u32 *)(regs + REG_ICR) = command;
}

void lapic_init(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	if (!lapic_regs && !lapic_x2) {
		lapic_x2 = cpu_features.x2apic && (base & APIC_BASE_X2);
		if (!lapic_x2)
			lapic_regs = paging_map_mmio(acpi_info.lapic_base ? acpi_info.lapic_base :
						     base & PTE_ADDR, PAGE_SIZE);
	}
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | (lapic_x2 ? APIC_BASE_X2 : 0));
	lapic_write(REG_TPR, 0);
	lapic_write(REG_LVT_TIMER, LVT_MASKED | VEC_TIMER);
	lapic_write(REG_LVT_LINT0, LVT_MASKED);
	lapic_write(REG_LVT_LINT1, LVT_NMI);
	lapic_write(REG_LVT_ERROR, LVT_MASKED | VEC_SPURIOUS);
	lapic_write(REG_TIMER_INITIAL, 0); /* the firmware's may still run */
	lapic_write(REG_TIMER_DIVIDE, DIVIDE_BY_4);
	lapic_write(REG_SVR, SVR_ENABLE | VEC_SPURIOUS);
	for (u32 i = 0; i < 8; i++)
		lapic_eoi(); /* whatever the firmware left in service */
}

void lapic_eoi(void)
{
	lapic_write(REG_EOI, 0);
}

u32 lapic_id(void)
{
	u32 id = lapic_read(REG_ID);

	return lapic_x2 ? id : id >> 24;
}

void lapic_start_others(u8 page)
{
	icr_send(0, ICR_ALL_BUT_SELF | ICR_INIT | ICR_ASSERT);
	delay_us(10000);
	for (u32 i = 0; i < 2; i++) {
		icr_send(0, ICR_ALL_BUT_SELF | ICR_STARTUP | ICR_ASSERT | page);
		delay_us(200);
	}
}

void lapic_nmi_others(void)
{
	icr_send(0, ICR_ALL_BUT_SELF | ICR_NMI | ICR_ASSERT);
}

void arch_ipi_send(u32 cpu, u8 vector)
{
	icr_send(cpus[cpu].apic_id, ICR_ASSERT | vector);
}

void arch_kick(u32 cpu)
{
	icr_send(cpus[cpu].apic_id, ICR_ASSERT | VEC_KICK);
}

void arch_ipi_send_others(u8 vector)
{
	icr_send(0, ICR_ALL_BUT_SELF | ICR_ASSERT | vector);
}

/* ---- timer ---- */

u32 lapic_timer_probe(void)
{
	if (!lapic_read(REG_TIMER_INITIAL))
		lapic_write(REG_TIMER_INITIAL, UINT32_MAX);
	return lapic_read(REG_TIMER_CURRENT);
}

void lapic_timer_set_rate(u64 hz)
{
	timer_mul = (hz << 32) / 1000000000;
	lapic_write(REG_TIMER_INITIAL, 0);
}

static void timer_start(u64 now)
{
	u64 deadline = deadlines[this_cpu()->id];
	u64 delta = deadline > now ? deadline - now : 0;
	u64 ticks = mul_shift_u64(MIN(delta, 4000000000ull), timer_mul, 32) + 1;

	lapic_write(REG_LVT_TIMER, VEC_TIMER);
	lapic_write(REG_TIMER_INITIAL, (u32)MIN(ticks, (u64)UINT32_MAX));
}

void arch_timer_arm(u64 abs_ns)
{
	deadlines[this_cpu()->id] = abs_ns ? abs_ns : 1;
	timer_start(clock_now_ns());
}

void arch_timer_disarm(void)
{
	deadlines[this_cpu()->id] = 0;
	lapic_write(REG_TIMER_INITIAL, 0);
}

/*
 * The counter is 32 bits and its rate was measured, so it can end before the time asked for: then
 * it runs again for the rest. An interrupt that was under way when the timer was disarmed is lost.
 */
bool lapic_timer_expired(void)
{
	u64 deadline = deadlines[this_cpu()->id];
	u64 now = clock_now_ns();

	if (!deadline)
		return false;
	if (now < deadline) {
		timer_start(now);
		return false;
	}
	deadlines[this_cpu()->id] = 0;
	return true;
}
