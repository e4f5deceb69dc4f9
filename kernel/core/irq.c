// SPDX-License-Identifier: BSD-2-Clause
/*
 * irq.c - hardware interrupt lines handed to domains.
 *
 * Lines are kept by global system interrupt, so an ISA number and the GSI it is wired to are one
 * line. irq_lock is a leaf below dom->lock; interrupts are off in the kernel, so the handler can
 * take it. A line is unbound before its domain's pages are freed, hence the plain pointer.
 */
#include "irq.h"

#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "counters.h"
#include "fail.h"
#include "nospec.h"
#include "panic.h"
#include "port.h"
#include "trace.h"
#include "vcpu.h"

#define MAX_LINES 128u
#define NR_ISA 16
#define NR_VECTORS (VEC_DEVICE_LAST - VEC_DEVICE_FIRST + 1)

struct line {
	u32 caps;	    /* capabilities that name it; 0 = free */
	u32 port;
	struct domain *dom; /* bound to; NULL = not bound */
	u8 vector;	    /* while bound */
	bool level, active_low;
	bool in_service; /* level: masked until EOI */
};

static struct spinlock irq_lock;
static struct line lines[MAX_LINES];
static u8 vector_line[NR_VECTORS]; /* line + 1, 0 = free */

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
		if (line->level) {
			ioapic_mask(key - 1);
			line->in_service = true;
		}
	}
	spin_unlock(&irq_lock);
	trace(TRACE_IRQ, vector, port);
	if (dom) /* stays valid: this CPU is in the kernel */
		port_raise(dom, port);
}

static u32 vector_take_locked(u32 key)
{
	if (FAIL_POINT(PV_ENOSPC))
		return 0;
	for (u32 i = 0; i < NR_VECTORS; i++) {
		if (vector_line[i])
			continue;
		vector_line[i] = (u8)(key + 1);
		return i + VEC_DEVICE_FIRST;
	}
	return 0;
}

static int bind_locked(u32 key, struct domain *dom, u32 port)
{
	struct line *line = &lines[key];
	u32 vector;

	if (line->dom)
		return -PV_EBUSY;
	vector = vector_take_locked(key);
	if (!vector)
		return -PV_ENOSPC;
	line->vector = (u8)vector;
	line->dom = dom;
	line->port = port;
	line->in_service = false;
	arch_vector_set((u8)vector, irq_handler);
	if (ioapic_route(key, (u8)vector, cpus[0].apic_id, line->level, line->active_low, false)) {
		line->dom = NULL;
		vector_line[vector - VEC_DEVICE_FIRST] = 0;
		return -PV_ENOSPC;
	}
	return 0;
}

int irq_bind(u32 key, struct domain *dom, u32 port)
{
	int err;

	key = (u32)idx_nospec(key, MAX_LINES);
	spin_lock(&irq_lock);
	err = bind_locked(key, dom, port);
	spin_unlock(&irq_lock);
	return err;
}

void irq_unbind(u32 key)
{
	struct line *line = &lines[key];

	spin_lock(&irq_lock);
	if (line->dom) {
		ioapic_mask(key);
		line->dom = NULL;
		vector_line[line->vector - VEC_DEVICE_FIRST] = 0;
	}
	spin_unlock(&irq_lock);
}

void irq_eoi(u32 key)
{
	struct line *line = &lines[key];

	spin_lock(&irq_lock);
	if (line->dom && line->level && line->in_service) {
		line->in_service = false;
		ioapic_unmask(key);
	}
	spin_unlock(&irq_lock);
}
