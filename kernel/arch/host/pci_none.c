// SPDX-License-Identifier: BSD-2-Clause
/*
 * pci_none.c - a host machine in which boot found nothing: no memory beyond what the tests make, no PCI.
 */
#include "arch.h"
#include "boot_info.h"

struct boot_info boot_info;

bool arch_pci_present(void)
{
	return false;
}

u32 arch_pci_read(u32 bdf, u32 off, u32 width)
{
	(void)bdf, (void)off, (void)width;
	return ~0u;
}

void arch_pci_write(u32 bdf, u32 off, u32 width, u32 value)
{
	(void)bdf, (void)off, (void)width, (void)value;
}

volatile void *arch_map_mmio(paddr_t pa, u64 size)
{
	(void)pa, (void)size;
	return NULL;
}

struct msi_message arch_msi_message(u8 vector, u32 dest_apic)
{
	(void)dest_apic;
	return (struct msi_message){ 0, vector };
}
