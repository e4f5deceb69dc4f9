// SPDX-License-Identifier: BSD-2-Clause
/*
 * ioapic.c - interrupt lines of devices without MSI, by global system interrupt number.
 *
 * The two old interrupt controllers (8259) are masked for good. Routing happens under one lock;
 * masking and unmasking are single register writes of a line that has one owner, but the select
 * register is shared, so they take it too.
 */
#include "arch.h"
#include "bits.h"
#include "log.h"
#include "paging.h"
#include "platform.h"
#include "spinlock.h"
#include "vtd.h"
#include "x86.h"

#define MAX_IOAPICS 8
#define REG_VERSION 1
#define REG_REDIRECT 0x10
#define REDIR_LOW 0x2000 /* active low */
#define REDIR_LEVEL 0x8000
#define REDIR_MASKED 0x10000
#define REDIR_REMAPPED 0x10000 /* of the upper half: bits 17..31 are an entry of the IOMMU's table */

struct ioapic {
	volatile u32 *regs; /* [0] select, [4] window */
	u32 id, gsi_base, lines;
};

static struct ioapic ioapics[MAX_IOAPICS];
static u32 nr_ioapics;
static struct irq_line isa_lines[16];
static u16 isa_overridden;
static struct spinlock lock = SPINLOCK_INIT;

static u32 ioapic_read(const struct ioapic *io, u32 reg)
{
	io->regs[0] = reg;
	return io->regs[4];
}

static void ioapic_write(const struct ioapic *io, u32 reg, u32 v)
{
	io->regs[0] = reg;
	io->regs[4] = v;
}

void ioapic_add(u32 id, paddr_t base, u32 gsi_base)
{
	struct ioapic *io = &ioapics[nr_ioapics];

	if (nr_ioapics == MAX_IOAPICS) {
		log_warn("I/O APIC %u ignored: more than %u\n", id, MAX_IOAPICS);
		return;
	}
	io->regs = paging_map_mmio(base, PAGE_SIZE);
	io->id = id;
	io->gsi_base = gsi_base;
	io->lines = (ioapic_read(io, REG_VERSION) >> 16 & 0xff) + 1;
	for (u32 i = 0; i < io->lines; i++) {
		ioapic_write(io, REG_REDIRECT + 2 * i, REDIR_MASKED);
		ioapic_write(io, REG_REDIRECT + 2 * i + 1, 0);
	}
	nr_ioapics++;
}

/* flags as in the MADT: bits 0-1 polarity, 2-3 trigger; 0 = as the bus, 3 = low / level */
void ioapic_override(u8 isa_irq, u32 gsi, u16 flags)
{
	if (isa_irq >= ARRAY_SIZE(isa_lines))
		return;
	isa_lines[isa_irq] = (struct irq_line){ gsi, (flags >> 2 & 3) == 3, (flags & 3) == 3 };
	isa_overridden |= (u16)BIT(isa_irq);
}

struct irq_line ioapic_isa_line(u8 isa_irq)
{
	if (isa_irq < ARRAY_SIZE(isa_lines) && (isa_overridden >> isa_irq & 1))
		return isa_lines[isa_irq];
	return (struct irq_line){ isa_irq, false, false };
}

static const struct ioapic *ioapic_of(u32 gsi)
{
	for (u32 i = 0; i < nr_ioapics; i++)
		if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].lines)
			return &ioapics[i];
	return NULL;
}

u32 ioapic_nr_gsi(void)
{
	u32 n = 0;

	for (u32 i = 0; i < nr_ioapics; i++)
		n = MAX(n, ioapics[i].gsi_base + ioapics[i].lines);
	return n;
}

int ioapic_route(u32 gsi, u8 vector, u32 dest_apic, bool level, bool active_low, bool masked)
{
	const struct ioapic *io = ioapic_of(gsi);
	u32 reg, low = vector, high = dest_apic << 24;

	if (!io || dest_apic > 0xff)
		return -1;
	if (vtd_interrupts()) {
		u16 source;

		if (!vtd_ioapic_source(io->id, &source))
			return -1;
		vtd_interrupt_set(gsi, source, vector, dest_apic, level);
		high = gsi << 17 | REDIR_REMAPPED;
	}
	low |= (level ? REDIR_LEVEL : 0) | (active_low ? REDIR_LOW : 0);
	reg = REG_REDIRECT + 2 * (gsi - io->gsi_base);
	spin_lock(&lock);
	ioapic_write(io, reg, low | REDIR_MASKED);
	ioapic_write(io, reg + 1, high);
	if (!masked)
		ioapic_write(io, reg, low);
	spin_unlock(&lock);
	return 0;
}

static void set_mask(u32 gsi, u32 mask)
{
	const struct ioapic *io = ioapic_of(gsi);
	u32 reg;

	if (!io)
		return;
	reg = REG_REDIRECT + 2 * (gsi - io->gsi_base);
	spin_lock(&lock);
	ioapic_write(io, reg, (ioapic_read(io, reg) & ~(u32)REDIR_MASKED) | mask);
	spin_unlock(&lock);
}

void ioapic_mask(u32 gsi)
{
	set_mask(gsi, REDIR_MASKED);
}

void ioapic_unmask(u32 gsi)
{
	set_mask(gsi, 0);
}

/* Remapped to vectors nobody uses, then masked: a spurious one cannot look like an exception. */
void pic_disable(void)
{
	static const u8 init[][2] = { { 0x11, 0x11 }, { 0x20, 0x28 }, { 4, 2 }, { 1, 1 }, { 0xff, 0xff } };

	for (u32 i = 0; i < ARRAY_SIZE(init); i++) {
		outb(i ? 0x21 : 0x20, init[i][0]);
		outb(i ? 0xa1 : 0xa0, init[i][1]);
	}
}
