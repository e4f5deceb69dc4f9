/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm.h - the memory of one domain: quotas, the gfn map, address spaces.
 *
 * Implemented by frame.c (machine frames), kmem.c (pages a domain's creator donated), gfnmap.c
 * (gfn -> frame), aspace.c and vtlb.c (hardware tables), walk.c (the three ways to translate),
 * grant.c (sharing).
 */
#ifndef RF_MM_H
#define RF_MM_H

#include "compiler.h"
#include "spinlock.h"
#include "types.h"

struct domain;
struct vcpu;
struct aspace;

#define MM_HASH 64 /* buckets of the root gfn -> aspace hash */

struct mm {
	struct spinlock lock; /* gfn map, aspaces, tables, quotas of this domain */
	u64 mem_quota, mem_used;   /* frames */
	u64 kmem_quota, kmem_used; /* pages */

	u64 *gfn_root; /* top of the radix tree (gfnmap.c) */

	u32 vtlb_tables;	     /* capacity in leaf tables; PV_VTLB_MAX: bounded by kmem only */
	u32 leaf_tables;	     /* in use */
	struct aspace *hash[MM_HASH]; /* walked spaces by root gfn */
	struct aspace *lru_first, *lru_last;
	struct aspace *initial;      /* linear (walked domains) or explicit space */
	u64 *map_root;		     /* explicit domains: the authoritative table AS_MAP edits */
	gfn_t kernel_root;	     /* root kernel-half addresses are walked from; NO_GFN before it is set */
	u64 kernel_l4[256];	     /* shared kernel half: hardware L4 entries 256..511 */
	void *limbo;		     /* table pages waiting for limbo_epoch */
	u64 limbo_epoch;
	u64 cpu_mask;		     /* CPUs that may hold translations of this domain */
	u64 audit_findings;
	mfn_t dummy; /* page that replaces revoked grants; 0 = not yet made */
};

#define NO_GFN (~0ull)
#define LINEAR_ROOT (~0ull) /* vcpu_gpr.root: linear translation */

/* ---- machine frames (frame.c) ---- */
/* 16 bytes per frame. state: */
enum frame_state { FRAME_RESERVED, FRAME_FREE, FRAME_PRIVATE, FRAME_KMEM, FRAME_LIMBO };
struct frame {
	u64 gfn : 36;
	u64 owner : 16; /* domain slot */
	u64 state : 4;
	u64 spare : 8;
	u32 refs; /* grants that cover it */
	u32 pins; /* kernel users: VCS, port page, a call in flight */
};
void frame_init(void);
struct frame *frame_of(mfn_t mfn);
/* 4 KiB frames from the global free list; never fails within a quota. Not zeroed. 0 = none. */
mfn_t frame_alloc(void);
/* 512 contiguous, 2 MiB-aligned frames or 0. */
mfn_t frame_alloc_large(void);
void frame_free(mfn_t mfn); /* only after its epoch */
u64 frame_total(void);
u64 frame_free_count(void);
static inline void *mfn_ptr(mfn_t mfn); /* direct map */

/* ---- kernel memory of a domain (kmem.c) ---- */
/* One zeroed page charged to dom, NULL when its kmem is used up. Takes no lock but the frame's. */
void *kmem_alloc(struct domain *dom);
void kmem_free(struct domain *dom, void *page); /* page is not reachable by any CPU any more */

/* ---- gfn map (gfnmap.c) ---- */
/* Entry: bits 0-3 state, bit 4 writable, bits 12-51 mfn << 12. */
enum gfn_state { GFN_HOLE, GFN_PRIVATE, GFN_GRANTED, GFN_DUMMY, GFN_MODULE };
#define GFN_WRITABLE 0x10ull
static inline enum gfn_state gfn_entry_state(u64 entry) { return (enum gfn_state)(entry & 0xf); }
static inline mfn_t gfn_entry_mfn(u64 entry) { return (entry >> 12) & 0xffffffffffull; }
u64 gfn_get_locked(struct domain *dom, gfn_t gfn); /* 0 = hole */
/* Makes room for [gfn, gfn+n), so that gfn_set_nofail() cannot fail there. -PV_ENOMEM. */
warn_unused_result int gfn_reserve_locked(struct domain *dom, gfn_t gfn, u64 n);
void gfn_set_nofail_locked(struct domain *dom, gfn_t gfn, u64 entry);

/* Pins a PRIVATE frame against release for the kernel's own use. -PV_EFAULT otherwise. */
warn_unused_result int gfn_pin(struct domain *dom, gfn_t gfn, mfn_t *out);
void mfn_unpin(mfn_t mfn);

/* ---- populate, release, copy: MEM_CTL. Return items done, or -error if none. ---- */
i64 mem_populate(struct domain *dom, gfn_t gfn, u64 n);
i64 mem_release(struct domain *dom, gfn_t gfn, u64 n);
i64 mem_copy(struct domain *dst, gfn_t dst_gfn, struct domain *src, gfn_t src_gfn, u64 n);
/* Root domain only: boot module frames appear at gfn as read-only. */
warn_unused_result int mem_map_module(struct domain *dom, gfn_t gfn, paddr_t start, u64 npages);

/* ---- life of a domain's memory ---- */
warn_unused_result int mm_init(struct domain *dom, u64 mem_pages, u64 kmem_pages, u32 vtlb_tables);
/* Bounded step: drops tables, revokes grants' frames, frees frames. true when nothing is left but
 * the domain's own pages. Call again after an epoch while it answers false. */
bool mm_destroy_step(struct domain *dom);

/* ---- address spaces as seen by hypercalls ---- */
void mm_vcpu_init(struct vcpu *v); /* initial space: linear or explicit */
void mm_vcpu_exit(struct vcpu *v);
int aspace_load_root(struct vcpu *v, gpa_t root, u64 flags);
int aspace_flush(struct vcpu *v, gpa_t root, vaddr_t start, vaddr_t end, u64 flags);
int aspace_ctl(struct vcpu *v, u64 op, gpa_t root);
i64 aspace_map(struct domain *dom, vaddr_t va, gfn_t gfn, u64 n, u64 prot);
i64 aspace_unmap(struct domain *dom, vaddr_t va, u64 n);
i64 aspace_protect(struct domain *dom, vaddr_t va, u64 n, u64 prot);

/* ---- the fault path ---- */
enum fault_result {
	FAULT_RESUME, /* filled, or to be retried */
	FAULT_INJECT, /* the guest's own: *error is the code it must see */
	FAULT_FATAL,  /* kernel memory exhausted: the domain cannot go on */
};
/* va faulted in vCPU v with hardware error code hw_error while it ran in user (v->mode) or kernel mode. */
enum fault_result mm_guest_fault(struct vcpu *v, vaddr_t va, u64 hw_error, u64 *error);
/* Fills up to n pages at va if the guest's tables allow, silently. */
void mm_prefill(struct vcpu *v, vaddr_t va, u32 n);
/* Reads guest memory by the guest kernel's own translation: emulator only. Bytes read, short at a fault. */
size_t mm_guest_read(struct vcpu *v, vaddr_t va, void *buf, size_t n);
/* Capacity 0: called at every entry from the guest that is not a hidden fill. */
void mm_guest_event(struct vcpu *v);

#include "arch_layout.h"
static inline void *mfn_ptr(mfn_t mfn) { return paddr_to_ptr(mfn << PAGE_SHIFT); }

#endif
