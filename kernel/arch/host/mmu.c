// SPDX-License-Identifier: BSD-2-Clause
/*
 * mmu.c - an MMU that forgets nothing on its own.
 *
 * Per CPU: a TLB of final translations and a cache of upper-level entries (what the manuals call
 * paging-structure caches), both kept until a root is loaded, a flush or a page fault at the address
 * drops them. A real CPU may forget at any time, so code that is right here at the moment of most
 * memory is right there.
 */
#include "arch_mmu.h"

#include "arch.h"
#include "bits.h"
#include "domain.h"
#include "host.h"
#include "mm.h"
#include "panic.h"
#include "tlbflush.h"
#include "vcpu.h"

#include <sanitizer/asan_interface.h>
#include <sched.h>
#include <unistd.h>
#include <string.h>

#define TLB_SIZE 1024
#define UPPER_SIZE 64
#define RETRIES 100000

struct translation {
	vaddr_t va; /* of the page */
	u64 size;   /* 0 = unused */
	u64 entry;  /* leaf, rights of all levels folded in */
};

struct upper {
	vaddr_t prefix; /* va >> shift */
	u32 shift;	/* 0 = unused; 21 caches the entry that points to a leaf table */
	u64 entry;	/* rights folded in */
};

static struct mmu {
	paddr_t root;
	struct translation tlb[TLB_SIZE];
	struct upper upper[UPPER_SIZE];
	u32 next_upper;
} mmus[MAX_CPUS];

__thread u64 host_faults;

static struct mmu *mmu(void)
{
	return &mmus[this_cpu()->id];
}

void arch_flush_tlb(void)
{
	memset(mmu()->tlb, 0, sizeof(mmu()->tlb));
	memset(mmu()->upper, 0, sizeof(mmu()->upper));
}

void arch_load_root(paddr_t root)
{
	arch_flush_tlb();
	mmu()->root = root;
}

static void drop_translations(struct mmu *m, vaddr_t va)
{
	for (u32 i = 0; i < TLB_SIZE; i++)
		if (m->tlb[i].size && va - m->tlb[i].va < m->tlb[i].size)
			m->tlb[i].size = 0;
}

/* INVLPG forgets every upper-level entry. */
void arch_flush_page(vaddr_t va)
{
	drop_translations(mmu(), va);
	memset(mmu()->upper, 0, sizeof(mmu()->upper));
}

/* A page fault, those that lead to its address. */
static void forget_fault(struct mmu *m, vaddr_t va)
{
	drop_translations(m, va);
	for (u32 i = 0; i < UPPER_SIZE; i++)
		if (m->upper[i].prefix == va >> m->upper[i].shift)
			m->upper[i].shift = 0;
}

void arch_copy_kernel_half(u64 *l4)
{
	for (u32 i = 0; i < KERNEL_SLOT_COUNT; i++)
		l4[KERNEL_SLOT_FIRST + i] = KERNEL_HALF_TABLE | PTE_P | PTE_W; /* not the guest's: U=0 */
}

void arch_frame_freed(mfn_t mfn)
{
	ASAN_POISON_MEMORY_REGION(mfn_ptr(mfn), PAGE_SIZE);
}

void arch_frame_taken(mfn_t mfn)
{
	ASAN_UNPOISON_MEMORY_REGION(mfn_ptr(mfn), PAGE_SIZE);
}

static u64 fold(u64 above, u64 entry)
{
	return (entry & ~(PTE_W | PTE_U | PTE_NX)) | (above & entry & (PTE_W | PTE_U)) |
	       ((above | entry) & PTE_NX);
}

static struct translation *tlb_find(struct mmu *m, vaddr_t va)
{
	u32 at = (u32)(va >> 12) % TLB_SIZE, large = (u32)(va >> 21) * 7 % TLB_SIZE;

	if (m->tlb[at].size && va - m->tlb[at].va < m->tlb[at].size)
		return &m->tlb[at];
	if (m->tlb[large].size && va - m->tlb[large].va < m->tlb[large].size)
		return &m->tlb[large];
	return NULL;
}

/* The hardware's walk, from the deepest upper entry it remembers. NULL: not present. */
static struct translation *walk(struct mmu *m, vaddr_t va)
{
	u64 e = m->root | PTE_P | PTE_W | PTE_U;
	u32 shift = 39;

	for (u32 i = 0; i < UPPER_SIZE; i++) {
		const struct upper *u = &m->upper[i];

		if (u->shift && u->prefix == va >> u->shift && u->shift - 9 < shift) {
			e = u->entry;
			shift = u->shift - 9;
		}
	}
	for (;; shift -= 9) {
		const u64 *table = paddr_to_ptr(e & PTE_ADDR);
		u64 below = READ_ONCE(table[va >> shift & 511]);
		struct translation *t;

		if (!(below & PTE_P))
			return NULL;
		e = fold(e, below);
		if (shift != 12 && !(below & PTE_PS)) {
			m->upper[m->next_upper++ % UPPER_SIZE] =
				(struct upper){ va >> shift, shift, e };
			continue;
		}
		ASSERT(below & PTE_A);
		t = &m->tlb[(shift == 12 ? (u32)(va >> 12) : (u32)(va >> 21) * 7) % TLB_SIZE];
		*t = (struct translation){ va & ~(BIT(shift) - 1), BIT(shift), e };
		return t;
	}
}

static bool allowed(u64 entry, enum host_access how)
{
	if (!(entry & PTE_U)) /* guests run in ring 3 */
		return false;
	if (how == HOST_WRITE)
		return entry & PTE_W;
	return how != HOST_EXEC || !(entry & PTE_NX);
}

/* Machine address or ~0; a fault drops what the CPU knew about the address. */
static paddr_t hardware_access(vaddr_t va, enum host_access how, u64 *hw_error)
{
	struct mmu *m = mmu();
	struct translation *t = tlb_find(m, va);

	if (!t)
		t = walk(m, va);
	if (t && allowed(t->entry, how)) {
		if (how == HOST_WRITE)
			ASSERT(t->entry & PTE_D);
		return (t->entry & PTE_ADDR & ~(t->size - 1)) + (va - t->va);
	}
	*hw_error = (t ? PTE_P : 0) | 4u | (how == HOST_WRITE ? 2u : 0) | (how == HOST_EXEC ? 16u : 0);
	forget_fault(m, va);
	return ~0ull;
}

enum host_result host_access(vaddr_t va, enum host_access how, char **ptr, u64 *error)
{
	struct vcpu *v = this_cpu()->current;

	for (u32 i = 0; i < RETRIES; i++) {
		enum fault_result r;
		u64 hw_error = 0;
		paddr_t pa;

		host_poll();
		pa = hardware_access(va, how, &hw_error);
		if (pa != ~0ull) {
			*ptr = paddr_to_ptr(pa);
			return HOST_OK;
		}
		host_faults++;
		host_leave_guest();
		r = mm_guest_fault(v, va, hw_error, error);
		if (r == FAULT_INJECT && mm_wants_events(v->dom))
			mm_guest_event(v);
		host_enter_guest();
		if (r != FAULT_RESUME)
			return r == FAULT_INJECT ? HOST_FAULT : HOST_FATAL;
		/* What it waits for may be a thread that is not running: time must pass, not only turns. */
		if (host_threads && i > RETRIES / 2)
			usleep(1000);
		else if (i > 100)
			sched_yield();
	}
	panic("access to %lx faults for ever", (unsigned long)va);
}
