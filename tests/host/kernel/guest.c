// SPDX-License-Identifier: BSD-2-Clause
/*
 * guest.c - see guest.h.
 */
#include "guest.h"

void guest_populate(struct domain *dom, gfn_t gfn, u64 n)
{
	while (n) {
		i64 done = mem_populate(dom, gfn, n);

		assert_true(done > 0);
		gfn += (u64)done;
		n -= (u64)done;
	}
}

void *guest_page(struct domain *dom, gfn_t gfn)
{
	u64 entry;

	spin_lock(&dom->mm.lock);
	entry = gfn_get_locked(dom, gfn);
	spin_unlock(&dom->mm.lock);
	assert_true(entry != 0);
	return mfn_ptr(gfn_entry_mfn(entry));
}

void guest_tag(struct domain *dom, gfn_t gfn, u64 n)
{
	for (u64 i = 0; i < n; i++)
		*(u64 *)guest_page(dom, gfn + i) = gfn + i;
}

gfn_t guest_table(struct guest *g)
{
	return g->next++;
}

u64 *guest_entry(struct guest *g, gfn_t root, vaddr_t va, u32 shift)
{
	for (u32 s = 39;; s -= 9) {
		u64 *e = (u64 *)guest_page(g->dom, root) + (va >> s & 511);

		if (s == shift)
			return e;
		if (!(*e & PTE_P) || (*e & PTE_PS))
			*e = guest_table(g) << PAGE_SHIFT | PTE_P | PTE_W | PTE_U | PTE_A;
		root = (*e & PTE_ADDR) >> PAGE_SHIFT;
	}
}

void guest_map(struct guest *g, gfn_t root, vaddr_t va, gfn_t gfn, u64 flags)
{
	*guest_entry(g, root, va, 12) = gfn << PAGE_SHIFT | flags;
}

u64 touch(vaddr_t va, enum host_access how)
{
	u64 error = 0;
	char *p = NULL;

	assert_int_equal(host_access(va, how, &p, &error), HOST_OK);
	return *(u64 *)((uintptr_t)p & ~4095ull);
}

void expect_fault(vaddr_t va, enum host_access how, u64 error)
{
	u64 got = 0;
	char *p;

	assert_int_equal(host_access(va, how, &p, &got), HOST_FAULT);
	assert_int_equal(got, error);
}

struct levels_seen levels_now(void)
{
	struct levels_seen seen = { .frames = frame_free_count() };

	for (u32 i = 0; i < LVL_COUNT; i++)
		seen.l[i] = levels[i];
	return seen;
}

void assert_levels(struct levels_seen before)
{
	struct levels_seen now = levels_now();

	assert_int_equal(before.frames, now.frames);
	for (u32 i = 0; i < LVL_COUNT; i++)
		assert_int_equal(before.l[i], now.l[i]);
}
