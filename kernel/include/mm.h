/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm.h - the memory of one domain: quotas, the gfn map, address spaces.
 *
 * Implemented in core/mm/: frame.c (machine frames), kmem.c (pages a domain's creator donated),
 * gfnmap.c (gfn -> frame), mem.c (MEM_CTL), life.c (birth and end), aspace.c (the objects guests
 * name by root), explicit.c (AS_MAP), tables.c and fill.c (hardware tables), walk.c (the three ways
 * to translate), audit.c, grant.c.
 *
 * One lock, mm.lock, guards everything of a domain but the kmem counters, which are atomic.
 */
#ifndef RF_MM_H
#define RF_MM_H

#include "arch_layout.h"
#include "compiler.h"
#include "spinlock.h"
#include "types.h"

#include <pv/abi.h>

struct domain;
struct vcpu;
struct aspace;

static inline bool gfns_valid(u64 gfn, u64 n)
{
	return gfn <= PV_MAX_GFN && n <= PV_MAX_GFN + 1 - gfn;
}

#define MM_HASH 64 /* buckets of the root gfn -> aspace hash */

/* A ring of table pages, linked through their frame entries. */
struct table_set {
	u32 first;  /* mfn, 0 = empty */
	u32 tables; /* pages in it */
	u32 leaves; /* of them leaf tables */
};

struct mm {
	struct spinlock lock;
	bool dying; /* mm_destroy_step() began: nothing new may be made */
	u8 destroy_stage;
	u64 mem_quota, mem_used;   /* frames */
	u64 kmem_quota, kmem_used; /* pages; used is atomic */
	u64 cache_pages;	   /* of them: tables of the vTLB, in use, in limbo or clean */

	u64 *gfn_root; /* top of the radix tree (gfnmap.c) */
	gfn_t resv_gfn; /* rest of a 2 MiB block being populated: next gfn (NO_GFN: given up), its frame, how many */
	mfn_t resv_mfn;
	u32 resv_count;

	u32 vtlb_tables;	/* capacity in leaf tables; PV_VTLB_MAX: bounded by kmem only */
	u32 leaf_tables;	/* linked now */
	bool fused;		/* one root serves both modes (PV_CREATE_FUSED); set before mm_init() */
	u64 gen;		/* an unused space with another number holds leaves of frames since taken */
	struct aspace *hash[MM_HASH]; /* walked spaces by root gfn */
	struct aspace *lru_first, *lru_last; /* most and least recently loaded */
	struct aspace *spare;	/* unused objects */
	struct aspace *initial; /* linear (walked domains) or explicit space */
	u64 walk_gen; /* counts what ends the truth of a struct near; never 0 */
	u64 *map_root;		/* explicit domains: the authoritative table AS_MAP edits */
	struct table_set map_tables;
	struct table_set object_pages; /* what struct aspaces are cut from */
	gfn_t kernel_root;	/* root kernel-half addresses are walked from; NO_GFN before it is set */
	u64 *kernel_l4;		/* pattern of a kernel root: entries 256..511 */
	struct table_set kernel_tables; /* below kernel_l4, all but the next */
	struct table_set kernel_tops;	/* level-3 tables of the kernel half: freed only with the domain */
	u64 kernel_used[4];	/* slots of kernel_l4 with something below */
	u32 kernel_slots;	/* how many */
	bool kernel_splintered; /* a kernel-half leaf was cut from a larger guest page */
	struct table_set limbo, limbo_new; /* unlinked pages: waiting for limbo_epoch, for a ticket */
	u64 limbo_epoch;
	struct table_set clean;	  /* pages that may be used again */
	struct table_set reserve; /* for each vCPU the roots of one more space: mm_roots() pages */
	u32 vcpus;
	u64 audit_findings;
	struct audit *audit;
	bool absent_seen; /* some leaf may show the dummy where the domain has no memory */
	mfn_t dummy; /* stands in for revoked grants and absent memory; 0 = not yet made */
	struct grant_map *grant_maps[2]; /* what this domain has mapped (grant.c) */
};

#define NO_GFN (~0ull)
#define LINEAR_ROOT (~0ull) /* vcpu_gpr.root: linear translation */

/* ---- machine frames (frame.c) ---- */
enum frame_state { FRAME_RESERVED, FRAME_FREE, FRAME_TAKEN, FRAME_PRIVATE, FRAME_KMEM };
struct frame {
	u32 gfn;   /* PRIVATE */
	u16 owner; /* domain slot */
	u8 state;
	u8 level; /* of a page table */
	union {
		struct {
			u32 refs; /* PRIVATE: grants that cover it */
			u32 pins; /* PRIVATE: kernel users: VCS, port page (atomic) */
		};
		struct {
			u32 next, prev; /* FREE, tables: mfns */
		};
	};
};
BUILD_ASSERT(sizeof(struct frame) == 16);

extern struct frame *frame_table;
void frame_init(void);
static inline struct frame *frame_of(mfn_t mfn) { return &frame_table[mfn]; }
/* From the global free list; never fails within a quota. FRAME_TAKEN, not zeroed. 0 = none. */
mfn_t frame_alloc(void);
/* 512 contiguous, 2 MiB-aligned frames or 0. */
mfn_t frame_alloc_large(void);
void frame_free(mfn_t mfn); /* only after its epoch */
void frame_free_run(mfn_t mfn, u32 n); /* n frames of one 2 MiB block */
u64 frame_total(void);
u64 frame_free_count(void);
static inline void *mfn_ptr(mfn_t mfn) { return paddr_to_ptr(mfn << PAGE_SHIFT); }

/* ---- kernel memory of a domain (kmem.c) ---- */
/* One zeroed page charged to dom, NULL when its kmem is used up. Takes no lock but the frame's. */
void *kmem_alloc(struct domain *dom);
/* For the vTLB's tables, mm.lock held: they may use what objects have to leave. */
void *kmem_alloc_table(struct domain *dom);
bool kmem_object_fits(const struct domain *dom);
#define KMEM_TABLES_MIN 12 /* code, stack and two operands: three levels each */
void kmem_free(struct domain *dom, void *page); /* page is not reachable by any CPU any more */

/* ---- gfn map (gfnmap.c) ---- */
/* Entry: bits 0-3 state, bit 4 writable, bits 12-51 mfn << 12. */
enum gfn_state { GFN_HOLE, GFN_PRIVATE, GFN_GRANTED, GFN_DUMMY, GFN_MODULE, GFN_IO };
#define GFN_WRITABLE 0x10ull
#define GFN_NEXT_MFN (1ull << 12) /* from one entry to that of the frame behind it */
static inline enum gfn_state gfn_entry_state(u64 entry) { return (enum gfn_state)(entry & 0xf); }
static inline mfn_t gfn_entry_mfn(u64 entry) { return (entry >> 12) & 0xffffffffffull; }
static inline u64 gfn_entry(enum gfn_state state, mfn_t mfn, bool writable)
{
	return mfn << 12 | (writable ? GFN_WRITABLE : 0) | (u64)state;
}
u64 gfn_get_locked(struct domain *dom, gfn_t gfn); /* 0 = hole */
/* Makes room for [gfn, gfn+n), so that gfn_set_nofail() cannot fail there. -PV_ENOMEM. */
warn_unused_result int gfn_reserve_locked(struct domain *dom, gfn_t gfn, u64 n);
void gfn_set_nofail_locked(struct domain *dom, gfn_t gfn, u64 entry);

/* Pins a PRIVATE frame against release for the kernel's own use. -PV_EFAULT otherwise. */
warn_unused_result int gfn_pin(struct domain *dom, gfn_t gfn, mfn_t *out);
void mfn_unpin(mfn_t mfn);

/* ---- populate, release, copy: MEM_CTL. Return items done, or -error if none. The caller
 * has checked ranges and rights. No lock may be held. ---- */
i64 mem_populate(struct domain *dom, gfn_t gfn, u64 n);
i64 mem_release(struct domain *dom, gfn_t gfn, u64 n);
i64 mem_copy(struct domain *dst, gfn_t dst_gfn, struct domain *src, gfn_t src_gfn, u64 n);
/* Root domain only: boot module frames appear at gfn as read-only. */
warn_unused_result int mem_map_module(struct domain *dom, gfn_t gfn, paddr_t start, u64 npages);

/* The same for devices: registers from machine frame mfn on appear at holes. */
i64 mem_map_io(struct domain *dom, gfn_t gfn, mfn_t mfn, u64 n);

/* ---- life of a domain's memory (life.c) ---- */
warn_unused_result int mm_init(struct domain *dom, u64 mem_pages, u64 kmem_pages, u32 vtlb_tables);
/* Bounded step: frees tables and frames. Its vCPUs run nowhere, an epoch has passed since, and
 * grant_destroy_step() is done. true when nothing is left but the domain's own pages. */
bool mm_destroy_step(struct domain *dom);
/* Locks of one or two domains in their order; a == b is allowed. */
void mm_lock_two(struct domain *a, struct domain *b);
void mm_unlock_two(struct domain *a, struct domain *b);

/* ---- address spaces as seen by hypercalls, whose form, ranges and domain kind the caller has
 * checked. No lock may be held. ---- */
void mm_vcpu_init(struct vcpu *v); /* initial space: linear or explicit */
void mm_vcpu_exit(struct vcpu *v); /* may come after mm_destroy_step() */
int aspace_load_root(struct vcpu *v, gpa_t root, u64 flags);
/* VCPU_REGS SET on a stopped vCPU: LINEAR_ROOT too; explicit domains: that or 0. Checks root. */
int aspace_set_root(struct vcpu *v, gpa_t root);
gpa_t aspace_root(const struct vcpu *v); /* what VCPU_REGS GET shows */
int aspace_flush(struct vcpu *v, gpa_t root, vaddr_t start, vaddr_t end, u64 flags);
int aspace_ctl(struct vcpu *v, u64 op, gpa_t root);
i64 aspace_map(struct domain *dom, vaddr_t va, gfn_t gfn, u64 n, u64 prot);
i64 aspace_unmap(struct domain *dom, vaddr_t va, u64 n);
i64 aspace_protect(struct domain *dom, vaddr_t va, u64 n, u64 prot);

/* ---- the fault path (fill.c) ---- */
enum fault_result {
	FAULT_RESUME, /* filled, or to be retried */
	FAULT_INJECT, /* the guest's own: *error is the code it must see */
	FAULT_FATAL,  /* kernel memory exhausted: the domain cannot go on (REASON_KMEM) */
};
/* va faulted in the running vCPU with hardware error code hw_error in v->mode. */
enum fault_result mm_guest_fault(struct vcpu *v, vaddr_t va, u64 hw_error, u64 *error);
/* Fills up to n pages at va if the guest's tables allow, silently. */
void mm_prefill(struct vcpu *v, vaddr_t va, u32 n);
/* Reads guest memory by the guest kernel's own translation: emulator only. Bytes read, short at a fault. */
size_t mm_guest_read(struct vcpu *v, vaddr_t va, void *buf, size_t n);

/* Every entry from the guest that is not a hidden fill: capacity 0 drops, the audit looks around. */
extern bool mm_audit_enabled; /* kernel command line `audit`; shown as PV_FEAT_AUDIT */
bool mm_wants_events(const struct domain *dom); /* mm_guest_event() must be called: no fast paths */
void mm_guest_event(struct vcpu *v);

#endif
