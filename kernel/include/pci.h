/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci.h - the PCI functions of segment 0: what they are, and the few registers anybody may write.
 *
 * Found once at boot; BARs stay where firmware has put them. The kernel keeps to itself everything that says
 * where a function's registers appear, where its interrupts go and whether it may master the bus.
 */
#ifndef RF_PCI_H
#define RF_PCI_H

#include <pv/abi.h>

#include "compiler.h"
#include "types.h"

#define PCI_MAX 64
#define PCI_CONFIG_SIZE 256u
#define PCI_SECONDARY 0x19 /* of a bridge: the bus behind it, and the last of those behind it */
#define PCI_SUBORDINATE 0x1a

struct pci_fn {
	u16 bdf; /* bus << 8 | device << 3 | function */
	u16 vendor, device;
	u8 irq_line;
	bool bridge;
	bool hidden; /* behind a bridge that sends its requests as its own */
	u32 class_code; /* class, subclass, interface: 8 bits each */
	u8 pcie, msi, msix; /* offsets of capabilities, 0 = none */
	u8 vendor_caps[PCI_CONFIG_SIZE / 8]; /* a bit for each byte of vendor-specific capabilities */
	bool can_reset;	    /* alone, by its PCI Express capability */
	u16 command, control; /* what firmware has left in the command and device control registers */
	u16 vectors;	    /* MSI-X entries, or 1 with MSI */
	paddr_t table;	    /* MSI-X table */
	volatile u32 *table_regs;
	struct pv_dev_bar bars[PV_DEV_BARS];
};

extern struct pci_fn pci_fns[PCI_MAX];
extern u32 pci_count;

void pci_init(void); /* boot only; switches bus mastering and message interrupts off */
struct pci_fn *pci_find(u64 bdf); /* NULL: none */

/* off < 256, a multiple of width: 1, 2 or 4. */
u32 pci_read(const struct pci_fn *fn, u32 off, u32 width);
/* Writes what is open, to the owner vendor-specific capabilities too. -PV_EBUSY: a byte of it is the kernel's;
 * -PV_ESTATE: would start bus mastering, which `dma` does not allow. */
warn_unused_result int pci_write(const struct pci_fn *fn, u32 off, u32 width, u32 value, bool dma,
				   bool owner);
void pci_bus_master_off(const struct pci_fn *fn);

/* Begins a reset, after which nothing the function had begun goes on; false: it cannot. PCI_RESET_NS later
 * pci_reset_end() puts back what firmware had set up. */
#define PCI_RESET_NS 100000000ull
bool pci_reset_start(const struct pci_fn *fn);
void pci_reset_end(const struct pci_fn *fn);

/* May this frame, which lies in a memory BAR of fn, be shown to a guest? Nothing else may be in it. */
bool pci_frame_ok(const struct pci_fn *fn, mfn_t mfn);

/* Message interrupts; index < fn->vectors. */
void pci_msi_route(const struct pci_fn *fn, u32 index, u64 address, u32 data); /* and unmasks */
void pci_msi_mask(const struct pci_fn *fn, u32 index, bool mask);

#endif
