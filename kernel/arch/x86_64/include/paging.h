/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paging.h - the kernel's own address space: the half that every root shares.
 */
#ifndef RF_PAGING_H
#define RF_PAGING_H

#include "arch_layout.h"
#include "types.h"
#include "x86.h"

extern paddr_t kernel_root_paddr; /* CR3 of an idle CPU: kernel half only */

/* Copies the sixteen kernel slots into a new root. Guest slots are left alone. */
void paging_copy_kernel_half(u64 *l4);

/* Whether the kernel half of the current root maps va (which may be any value). */
bool paging_is_mapped(vaddr_t va);

/* Boot only. */
void paging_init(void);
void paging_map(vaddr_t va, paddr_t pa, u64 size, u64 flags);

/* Device registers, uncached, never freed: boot only. */
void *paging_map_mmio(paddr_t pa, u64 size);
/* Firmware tables wherever they are: through the direct map if it covers them. */
const void *paging_map_firmware(paddr_t pa, u64 size);

#endif
