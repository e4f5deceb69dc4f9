/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch.h - everything core code may ask of the architecture's boot and platform layer.
 *
 * Page tables, address-space switching and guest entry have headers of their own.
 */
#ifndef RF_ARCH_H
#define RF_ARCH_H

#include "compiler.h"
#include "types.h"

#include "arch_layout.h" /* paddr_to_ptr(), ptr_to_paddr(): the direct map; image_to_paddr() */

/* Vectors. Device interrupts are handed out from the first group by whoever owns irqs. */
#define VEC_LOG 0x2e /* before all others give way: the sinks go on with the log, see log.c */
#define VEC_DEVICE_FIRST 0x30
#define VEC_DEVICE_LAST 0x7f /* 0x80 is a gate of guests */
#define VEC_TIMER 0xf0
#define VEC_KICK 0xf1	/* re-check scheduling and pending events */
#define VEC_FLUSH 0xf2	/* serve the TLB-shootdown mailbox */
#define VEC_HALT 0xf3	/* stop for good */
#define VEC_IOMMU 0xf4	/* the IOMMU has refused something */
#define VEC_SPURIOUS 0xff

/* ---- bring-up, called once each by kernel_init() ---- */
void arch_init_platform(void); /* CPU features, final page tables, ACPI, APICs, clock */
void arch_start_cpus(void);    /* APs up to ap_main(); sets nr_cpus */

/* ---- interrupts ---- */
/* Runs in interrupt context with interrupts off, after EOI was sent for edge vectors. */
typedef void (*vector_handler_t)(u8 vector);
void arch_vector_set(u8 vector, vector_handler_t fn);
/* What both entry paths (from guest, from idle) call for vectors 0x20..0xff: EOI and handler. */
void arch_irq_dispatch(u8 vector);
void arch_ipi_send(u32 cpu, u8 vector);
void arch_kick(u32 cpu); /* the same with VEC_KICK */
void arch_ipi_send_others(u8 vector);
void arch_idle(void); /* sti; hlt; cli: returns after one interrupt was handled */

/* I/O APIC lines by global system interrupt. Level lines are masked by the owner until handled. */
struct irq_line {
	u32 gsi;
	bool level;
	bool active_low;
};
u32 ioapic_nr_gsi(void);
/* The line an ISA interrupt 0..15 really is, after the MADT's overrides. */
struct irq_line ioapic_isa_line(u8 isa_irq);
warn_unused_result int ioapic_route(u32 gsi, u8 vector, u32 dest_apic, bool level, bool active_low,
				    bool masked);
void ioapic_mask(u32 gsi);
void ioapic_unmask(u32 gsi);

/* ---- PCI: configuration space of segment 0 by its two I/O ports, one user at a time ---- */
#define ARCH_PCI_PORT 0xcf8
#define ARCH_PCI_PORTS 8
bool arch_pci_present(void);
u32 arch_pci_read(u32 bdf, u32 off, u32 width); /* off < 256; ones where nothing answers */
void arch_pci_write(u32 bdf, u32 off, u32 width, u32 value);
volatile void *arch_map_mmio(paddr_t pa, u64 size); /* uncached, for good; boot only */
/* What a function must write where to raise a vector on a CPU. */
struct msi_message {
	u64 address;
	u32 data;
};
/* For the interrupt at `place` of irq.c, of function bdf; arch_irq_forget() when it is unbound, lines too. */
struct msi_message arch_msi_message(u32 place, u16 bdf, u8 vector, u32 dest_apic);
void arch_irq_forget(u32 place);

/* ---- time ---- */
/* ns = (tsc scaled by 2^shift) * mul / 2^32, relative to boot; the same triple guests get. */
struct clock_params {
	u32 mul;
	i8 shift;
	u64 tsc_hz;
	u64 tsc_base; /* tsc at ns 0 */
	bool stable;  /* TSC may be used by guests without the kernel's help */
};
extern struct clock_params clock_params;
u64 clock_now_ns(void);
u64 clock_tsc_to_ns(u64 tsc);
/* Seconds since 1970 from the real-time clock, read once at boot, plus uptime. */
u64 clock_wall_ns(void);
void arch_timer_arm(u64 abs_ns); /* one shot on this CPU: VEC_TIMER at or soon after abs_ns */
void arch_timer_disarm(void);

/* ---- power ---- */
void __noreturn arch_halt(void);
void __noreturn arch_poweroff(void);
void __noreturn arch_reboot(void);
void arch_debug_exit(u32 code); /* leaves QEMU with status 2*code+1; returns without the device */
void arch_stop_other_cpus(void); /* panic: by NMI, bounded wait */
void __noreturn arch_stop_this_cpu(void);

/* ---- console sinks ---- */
void arch_console_init(void);
size_t arch_console_write(const char *s, size_t n); /* how many were taken: a slow line does not make anybody wait */
void arch_console_uart(bool use);
#define ARCH_UART_IRQ 4 /* interrupt line of that serial port */
u16 arch_uart_port(void); /* first I/O port of the serial line found at boot, 0 = none */

/* ---- randomness ---- */
bool arch_random_u64(u64 *out); /* RDRAND; false if absent or failing */

/* ---- stack walking for panic ---- */
struct cpu_regs;
void arch_print_regs(const struct cpu_regs *regs);
void arch_print_backtrace(const struct cpu_regs *regs); /* NULL: of the caller */

#endif
