/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest.h - a toy guest: it builds page tables in its own memory and changes them.
 */
#ifndef TEST_GUEST_H
#define TEST_GUEST_H

#include <pv/abi.h>

#include "bits.h"
#include "counters.h"
#include "domain.h"
#include "host.h"
#include "mm.h"
#include "vcpu.h"
#include "x86.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define KERNEL_VA 0xffff888000000000ull

/* Populates all of [gfn, gfn+n). */
void guest_populate(struct domain *dom, gfn_t gfn, u64 n);
/* The frame behind a gfn as the guest sees it. */
void *guest_page(struct domain *dom, gfn_t gfn);
/* First word of each page is its gfn, so that an access shows which frame it reached. */
void guest_tag(struct domain *dom, gfn_t gfn, u64 n);

/* Tables come from a bump allocator over gfns [next, ...). */
struct guest {
	struct domain *dom;
	gfn_t next;
};
gfn_t guest_table(struct guest *g);
/* The entry for va at level shift (12, 21, 30), tables above it made with all rights. */
u64 *guest_entry(struct guest *g, gfn_t root, vaddr_t va, u32 shift);
void guest_map(struct guest *g, gfn_t root, vaddr_t va, gfn_t gfn, u64 flags);

/* One access of the running vCPU; returns the tag of the frame reached, or asserts. */
u64 touch(vaddr_t va, enum host_access how);
/* Asserts that it faults with this error code. */
void expect_fault(vaddr_t va, enum host_access how, u64 error);

#define RW (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define RO (PTE_P | PTE_U | PTE_A)
#define KRW (PTE_P | PTE_W | PTE_A | PTE_D)

/* Every level the kernel keeps, to compare before and after. */
struct levels_seen {
	u64 frames, l[LVL_COUNT];
};
/* What the domain's memory counts is what it has (mmcheck.c). */
void mm_check(struct domain *dom);

struct levels_seen levels_now(void);
void assert_levels(struct levels_seen before);

#endif
