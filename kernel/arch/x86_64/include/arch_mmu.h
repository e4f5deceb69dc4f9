/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch_mmu.h - what the memory code needs of the MMU: the table format (PTE_* of x86.h) and the few
 * instructions. Without PCID every load of a root forgets all translations of guests.
 */
#ifndef RF_ARCH_MMU_H
#define RF_ARCH_MMU_H

#include "paging.h"
#include "x86.h"

static inline void arch_load_root(paddr_t root)
{
	write_cr3(root); /* serializing, as AS_LOAD_ROOT promises */
}

static inline void arch_flush_tlb(void)
{
	write_cr3(read_cr3());
}

/* One page, or the large page around va, and every cached upper-level entry. */
static inline void arch_flush_page(vaddr_t va)
{
	invlpg(va);
}

static inline void arch_copy_kernel_half(u64 *l4)
{
	paging_copy_kernel_half(l4);
}

/* A checked build may watch for uses of free frames. */
static inline void arch_frame_freed(mfn_t mfn)
{
	(void)mfn;
}

static inline void arch_frame_taken(mfn_t mfn)
{
	(void)mfn;
}

#endif
