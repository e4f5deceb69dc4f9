/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irq.h - hardware interrupt lines and who holds them.
 *
 * A line is an ISA number (0..15) or a global system interrupt. One capability may be made per
 * line, copied like any other; one port may be bound to it. Edge interrupts are posted as they
 * come; a level line stays masked from the interrupt to the port's EOI. Message interrupts of PCI functions
 * come like edges, but only so many without an EOI: then they are masked until it comes.
 */
#ifndef RF_IRQ_H
#define RF_IRQ_H

#include "compiler.h"
#include "domain.h"
#include "types.h"

bool irq_line_exists(u64 line);

/* Resolves a line that exists and takes its first capability. -PV_EBUSY; the key is stored in the
 * capability. */
warn_unused_result i64 irq_claim(u64 line);
void irq_cap_get(u32 key); /* a capability was copied */
void irq_cap_put(u32 key); /* one was dropped; the last frees the line */

/* Caller holds dom->lock. -PV_EBUSY: bound already; -PV_ENOSPC: no vector left. */
warn_unused_result int irq_bind(u32 key, struct domain *dom, u32 port);
void irq_unbind(u32 key);

/* A key of the same kind for message interrupt `index` of PCI function `fn` (its number in pci_fns); it is in
 * use while bound. -PV_ENOSPC: all places are taken. */
#define IRQ_MSI 0x80000000u
static inline u32 irq_msi_key(u32 fn, u32 index)
{
	return IRQ_MSI | fn << 16 | index;
}
void irq_eoi(u32 key);

#endif
