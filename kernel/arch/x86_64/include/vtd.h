/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vtd.h - the interrupt half of the IOMMU, for those who route interrupts here. An index is the place of an
 * interrupt in irq.c: lines by number, then messages.
 */
#ifndef RF_VTD_H
#define RF_VTD_H

#include "types.h"

bool vtd_interrupts(void); /* are they remapped? */
/* What the source sends to this index goes to vector; of anybody else nothing does. */
void vtd_interrupt_set(u32 index, u16 source, u8 vector, u32 dest_apic, bool level);
void vtd_interrupt_clear(u32 index);
/* What an I/O APIC signs its interrupts with. */
bool vtd_ioapic_source(u32 id, u16 *source);

#endif
