// SPDX-License-Identifier: BSD-2-Clause
/*
 * pci_ports.c - PCI configuration space by address and data port, device registers, message interrupts.
 */
#include "arch.h"
#include "paging.h"
#include "platform.h"
#include "vtd.h"
#include "x86.h"

#define ADDRESS ARCH_PCI_PORT
#define DATA (ARCH_PCI_PORT + 4)
#define ENABLE 0x80000000u
#define MSI_REMAPPED 0x10

static u16 select(u32 bdf, u32 off)
{
	outl(ADDRESS, ENABLE | bdf << 8 | (off & 0xfc));
	return (u16)(DATA + (off & 3));
}

/* The address port keeps what is written, if it is there. */
bool arch_pci_present(void)
{
	outl(ADDRESS, ENABLE);
	return inl(ADDRESS) == ENABLE;
}

u32 arch_pci_read(u32 bdf, u32 off, u32 width)
{
	u16 port = select(bdf, off);

	return width == 1 ? inb(port) : width == 2 ? inw(port) : inl(port);
}

void arch_pci_write(u32 bdf, u32 off, u32 width, u32 value)
{
	u16 port = select(bdf, off);

	if (width == 1)
		outb(port, (u8)value);
	else if (width == 2)
		outw(port, (u16)value);
	else
		outl(port, value);
}

volatile void *arch_map_mmio(paddr_t pa, u64 size)
{
	return paging_map_mmio(pa, size);
}

/* Remapped, a message is the number of an entry; else it is what the local APIC gets to see. */
struct msi_message arch_msi_message(u32 place, u16 bdf, u8 vector, u32 dest_apic)
{
	if (!vtd_interrupts())
		return (struct msi_message){ MSI_ADDRESS | (u64)dest_apic << 12, vector };
	vtd_interrupt_set(place, bdf, vector, dest_apic, false);
	return (struct msi_message){ MSI_ADDRESS | MSI_REMAPPED | place << 5, 0 };
}

void arch_irq_forget(u32 place)
{
	if (vtd_interrupts())
		vtd_interrupt_clear(place);
}
