/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iommu.h - what stands between devices and memory, if the machine has it.
 *
 * From boot on nothing passes. A function that is given frames gets a table of its own with just these,
 * guest-physical to machine; its interrupts are entries only the kernel writes, good for that function alone.
 *
 * core/mm/iopt.c keeps the tables, the architecture's driver shows them to the hardware.
 */
#ifndef RF_IOMMU_H
#define RF_IOMMU_H

#include "compiler.h"
#include "mm.h"
#include "types.h"

struct domain;

/* The table of one function: made of kernel memory of the domain it belongs to. */
struct iopt {
	u64 *root; /* NULL: none yet */
	struct table_set tables;
};

/* The device may reach the frame at gfn from the next arch_iommu_flush() on. -PV_ENOMEM. */
warn_unused_result int iopt_map(struct domain *dom, struct iopt *t, gfn_t gfn, mfn_t mfn);
/* No device uses the table any more: its pages go back to the domain. */
void iopt_free(struct domain *dom, struct iopt *t);

/* ---- the hardware (arch) ---- */
/* `source` is a number below PCI_MAX, of the function's own. */
void arch_iommu_init(void); /* boot only, after pci_init(): from here on nothing passes */
/* Does it confine this function, and may somebody have it? Fixed from boot on. */
bool arch_iommu_covers(u32 source);
u32 arch_iommu_levels(void); /* of tables, 3 or 4; 0: there is no IOMMU */
void arch_iommu_written(const void *p, size_t n); /* of a table: the hardware may look past the cache */
void arch_iommu_attach(u16 bdf, u32 source, const u64 *root);
void arch_iommu_flush(u32 source); /* forgets what it remembers of the table */
/* When it returns the function reaches nothing, and nothing it has sent is still on its way to memory. */
void arch_iommu_detach(u16 bdf, u32 source);

#endif
