// SPDX-License-Identifier: BSD-2-Clause
/*
 * devices.c - the devices and the processor state of the host machine, as far as the whole core asks.
 *
 * The calls that stand for privileged instructions (SEG_CTL, DEBUG_REG, MSR) have no processor behind them
 * here and answer PV_ENOSYS; CPUID answers zeros.
 */
#include "arch.h"
#include "arch_mmu.h"
#include "console.h"
#include "fail.h"
#include "guest.h"
#include "vcpu.h"
#include "whole.h"
#include "whole_devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES 24

u64 host_gs_base[MAX_CPUS];
struct clock_params clock_params = { .mul = 1u << 31, .shift = 1, .tsc_hz = 1000000000, .stable = true };

/* ---- vCPUs ---- */

size_t arch_vcpu_xsave_size(void)
{
	return 512;
}

u64 arch_xcr0(void)
{
	return XCR0_X87 | XCR0_SSE;
}

void arch_vcpu_init(struct vcpu *v)
{
	v->vcs = v->no_vcs;
	v->eretu = ENTRY_NONE;
	v->erets = ENTRY_NONE;
	v->regs.cs = SEL_UCODE;
	v->regs.ss = SEL_UDATA;
	v->regs.rflags = GUEST_FLAGS_SET;
	v->mode = MODE_KERNEL;
}

void arch_vcpu_switch(struct vcpu *from, struct vcpu *to)
{
	if (from)
		from->gs_base = guest_gs_read();
	this_cpu()->current = to;
	arch_load_root(to ? (to->mode == MODE_USER ? to->user_cr3 : to->kernel_cr3) : 0);
	if (to)
		guest_gs_write(to->gs_base);
}

void arch_vcpu_load_root(const struct vcpu *v)
{
	(void)v; /* every change of a root loads it at once */
}

void arch_vcpu_forget(struct vcpu *v)
{
	(void)v;
}

void arch_guest_init_cpu(void)
{
}

void arch_enter_guest(void)
{
	abort(); /* sched_idle_loop() is not used here */
}

i64 arch_seg_ctl(struct vcpu *v, u64 op, u64 a, u64 b, u64 c)
{
	(void)v, (void)op, (void)a, (void)b, (void)c;
	return -PV_ENOSYS;
}

i64 arch_debug_reg(struct vcpu *v, u64 op, u64 n, u64 value)
{
	(void)v, (void)op, (void)n, (void)value;
	return -PV_ENOSYS;
}

i64 arch_msr(struct vcpu *v, u64 op, u64 index, u64 value)
{
	(void)v, (void)op, (void)index, (void)value;
	return -PV_ENOSYS;
}

void arch_cpuid(struct vcpu *v, u32 leaf, u32 subleaf, struct pv_cpuid *out)
{
	(void)v, (void)leaf, (void)subleaf;
	memset(out, 0, sizeof(*out));
}

void arch_set_ioports(struct domain *dom)
{
	(void)dom;
}

/* ---- interrupt lines ---- */

static struct {
	bool routed, masked;
	u8 vector;
} lines[LINES];
static vector_handler_t handlers[256];

void arch_vector_set(u8 vector, vector_handler_t fn)
{
	handlers[vector] = fn;
}

u32 ioapic_nr_gsi(void)
{
	return LINES;
}

struct irq_line ioapic_isa_line(u8 isa_irq)
{
	return (struct irq_line){ .gsi = isa_irq == 0 ? 2 : isa_irq, .level = isa_irq == 9 };
}

int ioapic_route(u32 gsi, u8 vector, u32 dest, bool level, bool active_low, bool masked)
{
	(void)dest, (void)level, (void)active_low;
	if (FAIL_POINT(PV_ENOSPC))
		return -1;
	lines[gsi].vector = vector;
	lines[gsi].routed = true;
	lines[gsi].masked = masked;
	return 0;
}

void ioapic_mask(u32 gsi)
{
	lines[gsi].masked = true;
}

void ioapic_unmask(u32 gsi)
{
	lines[gsi].masked = false;
}

bool whole_line_open(u32 line)
{
	return lines[line].routed && !lines[line].masked;
}

void whole_device_assert(u32 line)
{
	if (whole_line_open(line))
		handlers[lines[line].vector](lines[line].vector);
}

/* ---- the rest ---- */

u64 clock_wall_ns(void)
{
	return clock_now_ns();
}

u16 host_uart_port = 0x3f8;

u16 arch_uart_port(void)
{
	return host_uart_port;
}

u64 host_shown;
size_t host_shown_at_once = SIZE_MAX;

size_t arch_console_write(const char *s, size_t n)
{
	static int wanted = -1;

	n = n < host_shown_at_once ? n : host_shown_at_once;
	host_shown += n;
	if (wanted < 0)
		wanted = getenv("HOST_LOG") != NULL;
	if (wanted)
		(void)fwrite(s, 1, n, stderr);
	return n;
}

void arch_console_uart(bool use)
{
	(void)use;
}

void arch_debug_exit(u32 code)
{
	(void)code;
}
