// SPDX-License-Identifier: BSD-2-Clause
/*
 * irq.c - hardware interrupts handed to domains: lines of I/O APICs, messages of PCI functions.
 *
 * Lines are kept by global system interrupt, so an ISA number and the GSI it is wired to are one
 * line. irq_lock is a leaf below dom->lock; interrupts are off in the kernel, so the handler can
 * take it. A line is unbound before its domain's pages are freed, hence the plain pointer. Messages take
 * one of the places after the lines while they are bound.
 */
#include "irq.h"

#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "counters.h"
#include "fail.h"
#include "nospec.h"
#include "panic.h"
#include "pci.h"
#include "port.h"
#include "trace.h"
#include "vcpu.h"

#define MAX_LINES 128u
#define MAX_MESSAGES 64u
#define NR_ISA 16
#define MESSAGES_MAX 64u /* that come while nobody says EOI */
#define NR_VECTORS (VEC_DEVICE_LAST - VEC_DEVICE_FIRST + 1)

struct line {
	u32 caps;	    /* capabilities that name it; 0 = free */
	u32 port;
	struct domain *dom; /* bound to; NULL = not bound */
	u8 vector;	    /* while bound */
	bool level, active_low;
	bool in_service; /* masked until EOI: a level line, or a message that came too often */
	u32 message;	 /* its key, 0: a line */
	u32 count;	 /* messages since EOI */
};

static struct spinlock irq_lock;
static struct line lines[MAX_LINES + MAX_MESSAGES];
static u8 vector_line[NR_VECTORS]; /* line + 1, 0 = free */

BUILD_ASSERT(MAX_LINES + MAX_MESSAGES <= 255);
BUILD_ASSERT(PCI_MAX << 16 < IRQ_MSI && PV_DEV_MSI_MAX <= 1 << 16);

static struct irq_line line_of(u64 number)
{
	if (number < NR_ISA)
		return ioapic_isa_line((u8)number);
	return (struct irq_line){ .gsi = (u32)number, .level = true, .active_low = true };
}

bool irq_line_exists(u64 number)
{
	return number < MIN(ioapic_nr_gsi(), MAX_LINES) && line_of(number).gsi < MAX_LINES;
}

i64 irq_claim(u64 number)
{
	struct irq_line hw;
	i64 result;

	ASSERT(irq_line_exists(number));
	hw = line_of(number);
	spin_lock(&irq_lock);
	result = -PV_EBUSY;
	if (!lines[hw.gsi].caps && !lines[hw.gsi].dom) {
		lines[hw.gsi] = (struct line){
			.caps = 1, .level = hw.level, .active_low = hw.active_low
		};
		result = hw.gsi;
	}
	spin_unlock(&irq_lock);
	return result;
}

void irq_cap_get(u32 key)
{
	spin_lock(&irq_lock);
	lines[key].caps++;
	spin_unlock(&irq_lock);
}

void irq_cap_put(u32 key)
{
	spin_lock(&irq_lock);
	lines[key].caps--;
	spin_unlock(&irq_lock);
}

/* ---- lines and messages alike ---- */

static const struct pci_fn *message_fn(const struct line *line)
{
	return &pci_fns[line->message >> 16 & (PCI_MAX - 1)];
}

static void mask_locked(struct line *line, bool mask)
{
	u32 gsi = (u32)(line - lines);

	if (line->message)
		pci_msi_mask(message_fn(line), line->message & 0xffff, mask);
	else if (mask)
		ioapic_mask(gsi);
	else
		ioapic_unmask(gsi);
	line->in_service = mask;
}

static int route_locked(struct line *line)
{
	u32 dest = cpus[0].apic_id;
	struct msi_message m;

	if (!line->message)
		return ioapic_route((u32)(line - lines), line->vector, dest, line->level, line->active_low, false);
	m = arch_msi_message((u32)(line - lines), message_fn(line)->bdf, line->vector, dest);
	pci_msi_route(message_fn(line), line->message & 0xffff, m.address, m.data);
	return 0;
}

/* The place of a key; of a message that has none an unused one. NULL: there is none. */
static struct line *line_locked(u32 key)
{
	struct line *free = NULL;

	if (!(key & IRQ_MSI))
		return &lines[idx_nospec(key, MAX_LINES)];
	for (u32 i = MAX_LINES; i < ARRAY_SIZE(lines); i++) {
		if (lines[i].dom && lines[i].message == key)
			return &lines[i];
		if (!lines[i].dom)
			free = &lines[i];
	}
	return free;
}

/* Interrupt context, from a guest or from idle: no lock is held by this CPU. */
static void irq_handler(u8 vector)
{
	struct domain *dom = NULL;
	struct line *line;
	u32 key, port = 0;

	spin_lock(&irq_lock);
	key = vector_line[vector - VEC_DEVICE_FIRST];
	if (key) {
		line = &lines[key - 1];
		dom = line->dom;
		port = line->port;
		if (line->level || (line->message && ++line->count == MESSAGES_MAX))
			mask_locked(line, true);
	}
	spin_unlock(&irq_lock);
	trace(TRACE_IRQ, vector, port);
	if (dom) /* stays valid: this CPU is in the kernel */
		port_raise(dom, port);
}

static u32 vector_take_locked(u32 place)
{
	if (FAIL_POINT(PV_ENOSPC))
		return 0;
	for (u32 i = 0; i < NR_VECTORS; i++) {
		if (vector_line[i])
			continue;
		vector_line[i] = (u8)(place + 1);
		return i + VEC_DEVICE_FIRST;
	}
	return 0;
}

static int bind_locked(u32 key, struct domain *dom, u32 port)
{
	struct line *line = line_locked(key);
	u32 vector;

	if (line && line->dom)
		return -PV_EBUSY;
	vector = line ? vector_take_locked((u32)(line - lines)) : 0;
	if (!vector)
		return -PV_ENOSPC;
	line->vector = (u8)vector;
	line->dom = dom;
	line->port = port;
	line->in_service = false;
	line->message = key & IRQ_MSI ? key : 0;
	line->count = 0;
	arch_vector_set((u8)vector, irq_handler);
	if (route_locked(line)) {
		line->dom = NULL;
		vector_line[vector - VEC_DEVICE_FIRST] = 0;
		return -PV_ENOSPC;
	}
	return 0;
}

int irq_bind(u32 key, struct domain *dom, u32 port)
{
	int err;

	spin_lock(&irq_lock);
	err = bind_locked(key, dom, port);
	spin_unlock(&irq_lock);
	return err;
}

void irq_unbind(u32 key)
{
	struct line *line;

	spin_lock(&irq_lock);
	line = line_locked(key);
	if (line && line->dom) {
		mask_locked(line, true);
		arch_irq_forget((u32)(line - lines));
		line->dom = NULL;
		vector_line[line->vector - VEC_DEVICE_FIRST] = 0;
	}
	spin_unlock(&irq_lock);
}

void irq_eoi(u32 key)
{
	struct line *line;

	spin_lock(&irq_lock);
	line = line_locked(key);
	if (line && line->dom) {
		line->count = 0;
		if (line->in_service)
			mask_locked(line, false);
	}
	spin_unlock(&irq_lock);
}
