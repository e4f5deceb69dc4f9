/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch_mmu.h - the fake MMU: the same table format, translations cached by a software TLB per CPU
 * until the code under test flushes them. Free frames are poisoned for AddressSanitizer.
 */
#ifndef RF_ARCH_MMU_H
#define RF_ARCH_MMU_H

#include "types.h"
#include "x86.h"

void arch_load_root(paddr_t root);
void arch_flush_tlb(void);
void arch_flush_page(vaddr_t va);
void arch_copy_kernel_half(u64 *l4);
void arch_frame_freed(mfn_t mfn);
void arch_frame_taken(mfn_t mfn);

#endif
