// SPDX-License-Identifier: BSD-2-Clause
/*
 * pci_none.c - a host machine in which boot found nothing: no memory beyond what the tests make, no PCI, no IOMMU.
 */
#include "arch.h"
#include "boot_info.h"

struct boot_info boot_info;

u32 arch_iommu_levels(void)
{
	return 0;
}

bool arch_iommu_covers(u32 source)
{
	(void)source;
	return false;
}

void arch_iommu_written(const void *p, size_t n)
{
	(void)p, (void)n;
}

void arch_iommu_attach(u16 bdf, u32 source, const u64 *root)
{
	(void)bdf, (void)source, (void)root;
}

void arch_iommu_flush(u32 source)
{
	(void)source;
}

void arch_iommu_detach(u16 bdf, u32 source)
{
	(void)bdf, (void)source;
}

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

void arch_irq_forget(u32 place)
{
	(void)place;
}

struct msi_message arch_msi_message(u32 place, u16 bdf, u8 vector, u32 dest_apic)
{
	(void)place, (void)bdf, (void)dest_apic;
	return (struct msi_message){ 0, vector };
}
