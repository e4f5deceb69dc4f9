/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch_layout.h - the machine's memory is one arena of the host process; the direct map is its base.
 */
#ifndef RF_ARCH_LAYOUT_H
#define RF_ARCH_LAYOUT_H

#include "types.h"

#define DIRECTMAP_SIZE 0x40000000000ull
#define KERNEL_SLOT_FIRST 256
#define KERNEL_SLOT_COUNT 16
#define KERNEL_PHYS 0x100000
#define KERNEL_HALF_TABLE 0x1000ull /* what stands for the tables of the kernel's own half: an empty one */

extern char *host_ram;

static inline void *paddr_to_ptr(paddr_t pa)
{
	return host_ram + pa;
}

static inline paddr_t ptr_to_paddr(const void *p)
{
	return (paddr_t)((const char *)p - host_ram);
}

/* Static data: it is where it is. */
static inline paddr_t image_to_paddr(const void *p)
{
	return ptr_to_paddr(p);
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
