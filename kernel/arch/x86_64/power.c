// SPDX-License-Identifier: BSD-2-Clause
/*
 * power.c - the ways a machine stops: idle for a moment, halt, restart, power off, leave QEMU.
 */
#include "arch.h"
#include "atomic.h"
#include "cpu.h"
#include "cpu_features.h"
#include "log.h"
#include "platform.h"
#include "x86.h"

#define STOP_TIMEOUT_NS 200000000ull
#define SLP_EN 0x2000
#define DEBUG_EXIT_PORT 0xf4

void arch_idle(void)
{
	/* STI takes effect after HLT has begun: no wake-up is lost in between */
	__asm__ volatile("sti; hlt; cli" ::: "memory");
}

void arch_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" ::: "memory");
}

void arch_stop_this_cpu(void)
{
	atomic_store_release(&this_cpu()->state, (u32)CPU_STOPPED);
	arch_halt();
}

void arch_stop_other_cpus(void)
{
	u64 end = clock_now_ns() + STOP_TIMEOUT_NS;

	if (nr_cpus == 1 || !clock_params.mul)
		return;
	lapic_nmi_others();
	for (u32 i = 0; i < nr_cpus; i++)
		while (i != this_cpu()->id && clock_now_ns() < end &&
		       atomic_load_acquire(&cpus[i].state) != CPU_STOPPED)
			cpu_relax();
}

void arch_debug_exit(u32 code)
{
	outl(DEBUG_EXIT_PORT, code);
}

void arch_poweroff(void)
{
	if (acpi_info.s5_valid && acpi_info.pm1a_cnt) {
		outw(acpi_info.pm1a_cnt, (u16)(acpi_info.s5_a << 10 | SLP_EN));
		if (acpi_info.pm1b_cnt)
			outw(acpi_info.pm1b_cnt, (u16)(acpi_info.s5_b << 10 | SLP_EN));
	}
	outw(0x604, SLP_EN);  /* QEMU q35 and later pc */
	outw(0xb004, SLP_EN); /* QEMU, old pc */
	log_warn("power off failed: the machine is halted\n");
	arch_halt();
}

void arch_reboot(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __packed no_idt = { 0, 0 };

	if (acpi_info.reset_valid)
		outb(acpi_info.reset_port, acpi_info.reset_value);
	outb(0xcf9, 0x02);
	outb(0xcf9, 0x06);
	for (u32 i = 0; i < 100000 && (inb(0x64) & 2); i++)
		cpu_relax();
	outb(0x64, 0xfe); /* keyboard controller pulses the reset line */
	__asm__ volatile("lidt %0; ud2" ::"m"(no_idt));
	arch_halt();
}

bool arch_random_u64(u64 *out)
{
	u64 v = 0;
	u8 ok = 0;

	for (u32 i = 0; cpu_features.rdrand && !ok && i < 10; i++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(v), "=qm"(ok)::"cc");
	*out = v;
	return ok;
}
