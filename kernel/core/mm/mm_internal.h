/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm_internal.h - what the files of core/mm/ tell each other. Everything here is called with the
 * mm.lock of the domain held, unless it says otherwise.
 */
#ifndef RF_MM_INTERNAL_H
#define RF_MM_INTERNAL_H

#include <pv/abi.h>

#include "arch_mmu.h"
#include "compiler.h"
#include "domain.h"
#include "mm.h"
#include "race.h"
#include "types.h"
#include "vcpu.h"

#define LOW_END 0x0000800000000000ull /* first address above the low half */
#define KERNEL_HALF PV_HOLE_END	      /* first address of the guest's kernel half */
#define L4_SLOTS_LOW 256u

/* ---- gfn map ---- */
#define GFN_BITS 27
#define GFN_LEAF_CONTIG 1ull

static inline u64 gfn_leaf_entry(const struct mm *mm, gfn_t gfn)
{
	u64 mid = mm->gfn_root[gfn >> 18 & 511];

	if (unlikely(!mid || gfn > PV_MAX_GFN))
		return 0;
	return ((u64 *)mid)[gfn >> 9 & 511];
}

static inline u64 gfn_lookup(const struct mm *mm, gfn_t gfn)
{
	u64 leaf = gfn_leaf_entry(mm, gfn) & ~GFN_LEAF_CONTIG;

	if (unlikely(!leaf))
		return 0;
	return ((u64 *)leaf)[gfn & 511];
}

void gfn_mark_contig_locked(struct domain *dom, gfn_t gfn);

/* Gives frames of an unfinished 2 MiB populate back; true if that was all. */
bool mem_drop_reservation_step(struct domain *dom);
/* Something comes where nothing was. True if the domain's CPUs must be flushed after the unlock. */
bool mem_forget_absent(struct domain *dom);
/* The page that stands in for what is not there; made on first use, 0 if kmem is used up. */
mfn_t mm_dummy(struct domain *dom);

/* ---- address spaces ---- */
enum as_kind { AS_LINEAR, AS_EXPLICIT, AS_WALKED };
enum { VIEW_KERNEL = MODE_KERNEL, VIEW_USER = MODE_USER };

/*
 * What a CPU would keep of upper levels (paging-structure caches): for 2 MiB, where the guest's leaf table stands
 * and where ours. Leaf entries are always read anew. Good as long as nothing of the domain was flushed and its gfn
 * map did not change: walk_gen.
 */
struct near {
	u64 region; /* va >> 21 */
	u64 gen;    /* mm.walk_gen when it was noted */
	u64 *entries; /* guest's leaf table, through the direct map */
	u64 upper;    /* flags of the levels above it */
	u64 *leaves;  /* ours; NULL: not known */
};
#define NEAR_COUNT 4u

struct aspace {
	u64 *l4[2]; /* by view; the same page if one root serves both */
	gfn_t root; /* walked: top table */
	u32 kind;   /* enum as_kind */
	u32 users;  /* vCPUs whose space it is, running or not: its roots may be in a CR3 */
	u64 gen;    /* mm.gen when its leaves were last known good */
	u64 used[4];	 /* low-half slots of l4 with something below */
	u32 slots;	 /* how many */
	u64 private[4];	 /* of them those where the kernel view has a subtree of its own */
	struct table_set tables; /* below the l4s */
	bool splintered; /* a leaf was cut from a larger guest page */
	bool detached;	 /* DESTROYed while in use: goes on as the kernel root's space at its next
			  * low-half fault; not in the hash */
	struct aspace *hash_next; /* or next spare one */
	struct aspace *lru_next, *lru_prev; /* every space but the initial one */
	struct near near[NEAR_COUNT];
};

/* Guest user and guest kernel see the same: there is nothing that one view has and the other lacks. */
static inline bool aspace_fused(const struct aspace *as)
{
	return as->l4[VIEW_KERNEL] == as->l4[VIEW_USER];
}

/* Top tables of a walked space. */
static inline u32 mm_roots(const struct mm *mm)
{
	return mm->fused ? 1 : 2;
}

static inline struct near *near_of(struct aspace *as, vaddr_t va)
{
	return &as->near[va >> 21 & (NEAR_COUNT - 1)];
}

static inline bool near_holds(const struct mm *mm, const struct near *n, vaddr_t va)
{
	return n->region == va >> 21 && n->gen == mm->walk_gen;
}

/* Whatever takes something away that a struct near may say calls this. */
static inline void near_forget(struct mm *mm)
{
	mm->walk_gen++;
}

struct aspace *aspace_create(struct domain *dom, u32 kind); /* NULL: no kmem */
void aspace_free(struct domain *dom, struct aspace *as);    /* unused; unlisted, its pages clean */
struct aspace *aspace_lookup(struct domain *dom, gfn_t root);
/* The space of a root for v to enter; made if need be, by giving its own another root if there is
 * no room for one more. NULL: no kmem. */
struct aspace *aspace_obtain(struct vcpu *v, gfn_t root);
/* Makes v run in as (users counted). Loads the root if v is running here. */
void aspace_enter(struct vcpu *v, struct aspace *as);
/* Frees the least recently used space no vCPU is in; false if there is none. */
bool aspace_evict(struct domain *dom);

/* ---- tables (tables.c) ---- */
/* Software bits of entries. */
#define PTE_SPLINTER 0x200ull /* table below came from one larger guest page: dies as a unit */
#define TABLE_BITS (PTE_P | PTE_W | PTE_U | PTE_A)

void set_push(struct table_set *set, mfn_t mfn, u8 level);
void set_remove(struct table_set *set, mfn_t mfn);
void set_splice(struct table_set *to, struct table_set *from); /* from becomes empty */

enum fill_status { FILL_DONE, FILL_RETRY, FILL_NO_MEMORY };
/* Page of a table at level (1 = leaf table), linked into set. NULL: *status says what now. */
u64 *table_alloc(struct domain *dom, struct table_set *set, u8 level, enum fill_status *status);
/* The table of an entry that has been or will be cleared at once: it goes to limbo. */
void tables_retire(struct domain *dom, struct table_set *set, u64 entry);
/* Pages of tables no CPU can walk any more: to be used again. */
void tables_clean(struct domain *dom, struct table_set *set);
void *tables_take_clean(struct domain *dom); /* zeroed, NULL: none */
void limbo_reap(struct domain *dom);	     /* ends a passed epoch, starts the next if needed */
void limbo_end_all(struct domain *dom);	     /* the caller knows that no CPU is left */
/* A page of kmem, reclaiming the cache if needed. NULL: none, or none yet. */
void *mm_page_alloc(struct domain *dom);

/* Forgets the low half of a space; true if this CPU has been flushed on the way. */
bool tables_drop_low(struct domain *dom, struct aspace *as);
void tables_drop_kernel(struct domain *dom);
/* Everything of the domain; the caller flushes its CPUs after it has let the lock go. */
void tables_drop_all(struct domain *dom);
/* Forgets [start, end) of one half; as NULL = kernel half. True if the local flush must be full. */
bool tables_drop_range(struct domain *dom, struct aspace *as, vaddr_t start, vaddr_t end);

/* ---- translation (walk.c) ---- */
#define ACCESS_WRITE PTE_W
#define ACCESS_EXEC 0x10ull
#define ACCESS_USER PTE_U
#define ACCESS_PEEK 0x100ull /* change nothing: no A, no D */

struct xlate {
	gfn_t gfn;  /* 4 KiB frame of the address */
	u64 flags;  /* PTE_W if it may be written through now; PTE_U, PTE_NX of all levels */
	u8 shift;   /* size of the guest's page */
	u64 error;  /* WALK_FAULT: P bit or 0 */
	const u64 *entry; /* WALKED: where the leaf entry stands; else NULL */
	u64 leaf;   /* WALKED: its value */
	u64 upper;  /* WALKED: flags of the levels above it */
};
/* PTE_W, PTE_U, PTE_NX of an entry and all levels above it, whose are `upper`. */
static inline u64 flags_below(u64 upper, u64 e)
{
	return (upper & e & (PTE_W | PTE_U)) | ((upper | e) & PTE_NX);
}

enum walk_result { WALK_OK, WALK_FAULT, WALK_RETRY };
enum walk_result translate(struct domain *dom, struct aspace *as, vaddr_t va, u64 access,
			   struct xlate *x);
enum walk_result walk_explicit(struct domain *dom, vaddr_t va, u64 access, struct xlate *x);
/* Present leaf at va in a view, NULL if none; *shift 12 or 21. */
u64 *leaf_find(struct domain *dom, struct aspace *as, int view, vaddr_t va, u8 *shift);

/* ---- audit.c ---- */
void audit_flushed(struct domain *dom, struct aspace *as, vaddr_t start, vaddr_t end);
void audit_forget(struct domain *dom, const struct aspace *as, vaddr_t start, vaddr_t end);
void audit_event(struct vcpu *v);

static inline bool is_kernel_half(vaddr_t va)
{
	return va >= KERNEL_HALF;
}

static inline u32 l4_slot(vaddr_t va)
{
	return (u32)(va >> 39 & 511);
}

static inline u64 *entry_table(u64 entry)
{
	return paddr_to_ptr(entry & PTE_ADDR);
}

#endif
