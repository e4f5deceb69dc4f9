// SPDX-License-Identifier: BSD-2-Clause
/*
 * audit.c - does the cache tell the truth? Switched on by the kernel command line, for tests.
 *
 * Three checks. What a flush covered must be gone. A leaf must show a frame the domain may see at
 * all. And leaves picked at random must agree with the guest's tables; since a guest may change a
 * table first and flush later, disagreement is a suspicion at first and a finding when the very same
 * leaf still disagrees long after. Absent kernel-half entries are no suspicion: Linux unmaps kernel
 * memory lazily.
 */
#include "arch.h"
#include "bits.h"
#include "counters.h"
#include "log.h"
#include "mm_internal.h"
#include "string.h"

#define SUSPECTS 32u
#define GRACE_EVENTS 4000u
#define GRACE_NS 1000000000ull
#define FLUSH_CHECK_PAGES 64u
#define CHECK_EVERY 4u /* events per random check */

struct suspect {
	struct aspace *as; /* NULL: unused */
	gfn_t root;
	vaddr_t va;
	u64 leaf, since_event, since_ns;
	u32 view;
};

struct audit {
	u64 random, events;
	u32 next, recheck;
	struct suspect suspects[SUSPECTS];
};
BUILD_ASSERT(sizeof(struct audit) <= PAGE_SIZE);

bool mm_audit_enabled;

static void finding(struct domain *dom, const char *what, vaddr_t va, u64 leaf)
{
	dom->mm.audit_findings++;
	count(CNT_AUDIT_FINDINGS);
	log_error("audit: domain %s: %s at %lx, leaf %lx\n", dom->name, what, va, leaf);
}

/*
 * Leaves of as (NULL: of the kernel half) were dropped, from start to end (0: all). What is found there
 * later is another leaf, even if it looks the same: a page that is forked again and again does.
 */
void audit_forget(struct domain *dom, const struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct audit *a = dom->mm.audit;

	for (u32 i = 0; a && i < SUSPECTS; i++) {
		struct suspect *s = &a->suspects[i];

		if (as ? s->as != as || is_kernel_half(s->va) : !is_kernel_half(s->va))
			continue;
		if (!end || (s->va >= start && s->va < end))
			s->as = NULL;
	}
}

void audit_flushed(struct domain *dom, struct aspace *as, vaddr_t start, vaddr_t end)
{
	u64 pages = (end - start) >> PAGE_SHIFT;

	if (!end) {
		if (as ? as->tables.first != 0 : dom->mm.kernel_tables.first != 0)
			finding(dom, "tables left by a full flush", start, 0);
		return;
	}
	for (u64 i = 0; i < MIN(pages, FLUSH_CHECK_PAGES); i++) {
		vaddr_t va = start + i * PAGE_SIZE;
		u8 shift;

		for (int view = VIEW_KERNEL; view <= VIEW_USER; view++) {
			u64 *leaf;

			if (!as && view == VIEW_USER)
				continue;
			count(CNT_AUDIT_CHECKS);
			leaf = leaf_find(dom, as, view, va, &shift);
			if (leaf)
				finding(dom, "leaf left by a flush", va, *leaf);
		}
	}
}

static u64 random_next(struct audit *a)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return a->random;
}

/* First present entry of a table at or after a random place; 512 = none. */
static u32 pick(const u64 *table, u64 r)
{
	for (u32 i = 0; i < 512; i++)
		if (table[(r + i) & 511] & PTE_P)
			return (u32)((r + i) & 511);
	return 512;
}

/* A random leaf of the space or of the kernel half; false if there is none that way. */
static bool pick_leaf(struct domain *dom, struct aspace *as, int view, vaddr_t *va)
{
	struct audit *a = dom->mm.audit;
	bool high = dom->mm.kernel_l4 && (random_next(a) & 1);
	const u64 *used = high ? dom->mm.kernel_used : as->used;
	const u64 *table = high ? dom->mm.kernel_l4 : as->l4[view];
	u32 start = random_next(a) & 255, slot = 256, i;

	for (i = 0; i < 256 && slot == 256; i++)
		if (bitmap_test(used, (start + i) & 255))
			slot = (start + i) & 255;
	if (slot == 256)
		return false;
	slot += high ? 256 : 0;
	*va = (vaddr_t)((i64)((u64)slot << 55) >> 16);
	for (u32 shift = 30;; shift -= 9) {
		if (!(table[shift == 30 ? slot : i] & PTE_P))
			return false;
		table = entry_table(table[shift == 30 ? slot : i]);
		i = pick(table, random_next(a));
		if (i == 512)
			return false;
		*va |= (u64)i << shift;
		if (shift == 12 || (table[i] & PTE_PS))
			return true;
	}
}

static bool frame_allowed(const struct domain *dom, u64 leaf)
{
	mfn_t mfn = (leaf & PTE_ADDR) >> PAGE_SHIFT;
	const struct frame *f = frame_of(mfn);

	if (leaf & PTE_PCD) /* a device's register, which has no entry in the frame table */
		return true;
	if (mfn == dom->mm.dummy || f->state == FRAME_RESERVED)
		return true;
	return f->state == FRAME_PRIVATE && (f->owner == dom->self.slot || f->refs);
}

/* Would a fill made now allow everything this leaf allows? */
static bool agrees(struct domain *dom, struct aspace *as, int view, vaddr_t va, u64 leaf)
{
	struct xlate x;
	u64 entry;

	if (translate(dom, as, va, ACCESS_PEEK | (view == VIEW_USER ? ACCESS_USER : 0), &x) != WALK_OK)
		return is_kernel_half(va) && x.error == 0;
	entry = gfn_lookup(&dom->mm, x.gfn);
	if (entry && gfn_entry_mfn(entry) != (leaf & PTE_ADDR) >> PAGE_SHIFT)
		return false;
	if (!entry && (leaf & PTE_ADDR) >> PAGE_SHIFT != dom->mm.dummy)
		return false;
	if ((leaf & PTE_W) && !(x.flags & PTE_W))
		return false;
	return (leaf & PTE_NX) || !(x.flags & PTE_NX);
}

static struct suspect *find_suspect(struct audit *a, const struct aspace *as, vaddr_t va, int view)
{
	for (u32 i = 0; i < SUSPECTS; i++)
		if (a->suspects[i].as == as && a->suspects[i].va == va &&
		    a->suspects[i].view == (u32)view)
			return &a->suspects[i];
	return NULL;
}

static void check_leaf(struct domain *dom, struct aspace *as, int view, vaddr_t va)
{
	struct audit *a = dom->mm.audit;
	struct suspect *s = find_suspect(a, as, va, view);
	u64 *slot, leaf;
	u8 shift;

	slot = leaf_find(dom, as, view, va, &shift);
	leaf = slot ? *slot : 0;
	if (slot && shift == 21)
		leaf = (leaf & ~(u64)PTE_PS) | (va & (MIB(2) - 1) & PAGE_MASK);
	count(CNT_AUDIT_CHECKS);
	if (leaf && !frame_allowed(dom, leaf))
		finding(dom, "frame that is not its own", va, leaf);
	if (!leaf || agrees(dom, as, view, va, leaf)) {
		if (s)
			s->as = NULL;
		return;
	}
	if (!s || s->leaf != leaf || s->root != as->root) {
		if (!s)
			s = &a->suspects[a->next++ % SUSPECTS];
		*s = (struct suspect){ as, as->root, va, leaf, a->events, clock_now_ns(),
				       (u32)view };
		return;
	}
	if (a->events - s->since_event < GRACE_EVENTS || clock_now_ns() - s->since_ns < GRACE_NS)
		return;
	finding(dom, "stale leaf", va, leaf);
	s->as = NULL;
}

void audit_event(struct vcpu *v)
{
	struct domain *dom = v->dom;
	struct mm *mm = &dom->mm;
	struct suspect *s;
	vaddr_t va;
	int view;

	spin_lock(&mm->lock);
	if (!mm->audit) {
		mm->audit = kmem_alloc(dom);
		if (!mm->audit)
			goto out;
		mm->audit->random = 0x9e3779b97f4a7c15ull + dom->self.slot;
	}
	if (++mm->audit->events % CHECK_EVERY || v->as->detached)
		goto out;
	s = &mm->audit->suspects[mm->audit->recheck++ % SUSPECTS];
	if (s->as == v->as && s->root == v->as->root)
		check_leaf(dom, v->as, (int)s->view, s->va);
	view = random_next(mm->audit) & 1 && !mm->fused ? VIEW_USER : VIEW_KERNEL; /* fused: U says nothing */
	if (pick_leaf(dom, v->as, view, &va))
		check_leaf(dom, v->as, is_kernel_half(va) ? VIEW_KERNEL : view, va);
out:
	spin_unlock(&mm->lock);
}
