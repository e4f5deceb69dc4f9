// SPDX-License-Identifier: BSD-2-Clause
/*
 * platform.c - brings up what sits around the boot CPU, in the order it depends on each other.
 */
#include "arch.h"
#include "cpu.h"
#include "cpu_features.h"
#include "iommu.h"
#include "log.h"
#include "pci.h"
#include "platform.h"
#include "x86.h"

static void print_cpu(void)
{
	const struct cpu_features *f = &cpu_features;
	u64 cr4 = read_cr4();

	log_info("cpu: %s%s%s%s%s%s, %u-bit physical\n", f->tcg ? "TCG" : f->kvm ? "KVM" : "native",
		 f->avx ? " AVX" : "", cr4 & CR4_SMEP ? " SMEP" : "", cr4 & CR4_SMAP ? " SMAP" : "",
		 cr4 & CR4_UMIP ? " UMIP" : "", f->gib_pages ? " 1G" : "", f->phys_bits);
	if (f->meltdown)
		log_warn("this CPU leaks kernel memory to user mode (Meltdown); domains are NOT "
			 "isolated from a determined attacker\n");
}

void arch_init_platform(void)
{
	print_cpu();
	acpi_init();
	pic_disable();
	lapic_init();
	cpus[0].apic_id = lapic_id();
	clock_init();
	pci_init();
	arch_iommu_init();
}
