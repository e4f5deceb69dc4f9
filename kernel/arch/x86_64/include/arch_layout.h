/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch_layout.h - where the kernel lives: Linux's guard hole, top-level slots 256..271.
 *
 *   256..263  direct map of all memory, never executable
 *   270       the kernel image at KERNEL_BASE + its physical address, W^X
 *   271       per-CPU stacks with guard pages; device registers
 *
 * The next-level tables of all sixteen slots exist before the first guest root is made, so every
 * other root shares the kernel half by copying sixteen entries.
 */
#ifndef RF_ARCH_LAYOUT_H
#define RF_ARCH_LAYOUT_H

#define KERNEL_SLOT_FIRST 256
#define KERNEL_SLOT_COUNT 16

#define KERNEL_PHYS 0x100000

#ifdef __ASSEMBLER__
#define DIRECTMAP_BASE 0xffff800000000000
#define KERNEL_BASE 0xffff870000000000
#else

#include "types.h"

#define DIRECTMAP_BASE 0xffff800000000000ull
#define DIRECTMAP_SIZE 0x40000000000ull /* 4 TiB */
#define KERNEL_BASE 0xffff870000000000ull
#define PERCPU_BASE 0xffff878000000000ull
#define MMIO_BASE 0xffff87c000000000ull
#define KERNEL_END 0xffff880000000000ull

static inline void *paddr_to_ptr(paddr_t pa)
{
	return (void *)(DIRECTMAP_BASE + pa);
}

/* Of a pointer into the direct map. */
static inline paddr_t ptr_to_paddr(const void *p)
{
	return (u64)p - DIRECTMAP_BASE;
}

/* Of a pointer into the kernel image: its code and static data. */
static inline paddr_t image_to_paddr(const void *p)
{
	return (u64)p - KERNEL_BASE;
}

static inline void *mfn_to_ptr(mfn_t mfn)
{
	return paddr_to_ptr(mfn << PAGE_SHIFT);
}

static inline mfn_t ptr_to_mfn(const void *p)
{
	return ptr_to_paddr(p) >> PAGE_SHIFT;
}

#endif
#endif
