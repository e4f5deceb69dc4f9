/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * platform.h - what the files of this directory offer each other; core code sees arch.h only.
 */
#ifndef RF_PLATFORM_H
#define RF_PLATFORM_H

#include "boot_info.h"
#include "compiler.h"
#include "types.h"

struct cpu;
struct cpu_regs;

/* boot.c, multiboot2.c, pvh.c: parse into boot_info; panic on absurd input */
#define MB2_LOADER_MAGIC 0x36d76289
void multiboot2_parse(paddr_t info);
void pvh_parse(paddr_t info);
void __noreturn boot_switch_stack(u64 top, void (*fn)(void));
void __noreturn boot_main(u32 magic, u32 info);

/* percpu.c: stacks, GDT, TSS. A CPU's stack lies between unmapped pages. */
#define STACK_SIZE KIB(16)
void percpu_create(struct cpu *cpu); /* boot CPU only: allocates and maps */
void percpu_load(struct cpu *cpu);   /* on the CPU itself */

/* traps.c */
void traps_init(void);
void traps_load(void);
void traps_use_ist(void); /* once TSSs exist */
void trap_kernel(struct cpu_regs *regs);
void trap_ist(struct cpu_regs *regs);

/* lapic.c */
extern bool lapic_x2;
void lapic_init(void); /* every CPU */
void lapic_eoi(void);
u32 lapic_id(void);
void lapic_start_others(u8 page); /* INIT, SIPI, SIPI to all but self */
void lapic_nmi_others(void);
u32 lapic_timer_probe(void); /* free-running count-down at divide by 4, for calibration */
void lapic_timer_set_rate(u64 hz);
bool lapic_timer_expired(void); /* on VEC_TIMER: false = early, was armed again */

/* ioapic.c */
void ioapic_add(u32 id, paddr_t base, u32 gsi_base);
void ioapic_override(u8 isa_irq, u32 gsi, u16 flags);
void pic_disable(void);

/* acpi.c: 0 CPUs found means no usable ACPI */
void acpi_init(void);
struct acpi_info {
	paddr_t lapic_base;
	u32 nr_cpus; /* enabled ones in the MADT */
	u32 cpu_apic_ids[64];
	u16 pm1a_cnt, pm1b_cnt;
	bool s5_valid;
	u8 s5_a, s5_b;
	const void *dmar; /* table of remapping units, NULL = none */
	u32 dmar_size;
	bool reset_valid;
	u16 reset_port;
	u8 reset_value;
};
extern struct acpi_info acpi_info;

/* clock.c */
void clock_init(void);
void clock_check_master(struct cpu *other); /* CPU 0, against one AP at a time */
void clock_check_slave(struct cpu *self);
void clock_decide(i64 worst_warp);
void delay_us(u64 us); /* works once the clock runs */

/* smp.c */
void __noreturn ap_main(void);

/* Where message interrupts are written to: APIC id << 12. */
#define MSI_ADDRESS 0xfee00000u

/* console.c */
void console_no_vga(void);

#endif
