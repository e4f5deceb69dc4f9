// SPDX-License-Identifier: BSD-2-Clause
/*
 * mmcheck.c - the numbers that the memory code keeps beside its lists, counted anew from the lists.
 */
#include "guest.h"
#include "mm_internal.h"

static void check_set(const struct table_set *set)
{
	u32 mfn = set->first, tables = 0, leaves = 0;

	while (mfn && (!tables || mfn != set->first)) {
		const struct frame *f = frame_of(mfn);

		assert_int_equal(f->state, FRAME_KMEM);
		assert_int_equal(frame_of(f->next)->prev, mfn);
		tables++;
		leaves += f->level == 1;
		mfn = f->next;
	}
	assert_int_equal(set->tables, tables);
	assert_int_equal(set->leaves, leaves);
}

struct sums {
	u32 spaces, tables, leaves;
};

static void check_space(const struct domain *dom, const struct aspace *as, struct sums *s)
{
	u32 users = 0;

	check_set(&as->tables);
	for (u32 i = 0; i < PV_MAX_VCPUS; i++)
		users += dom->vcpus[i] && dom->vcpus[i]->as == as;
	assert_int_equal(as->users, users);
	for (u32 slot = 0; slot < L4_SLOTS_LOW; slot++) {
		bool used = bitmap_test(as->used, slot);

		assert_int_equal(used, (as->l4[VIEW_USER][slot] | as->l4[VIEW_KERNEL][slot]) != 0);
		assert_true(used || !bitmap_test(as->private, slot));
	}
	s->spaces++;
	s->tables += as->tables.tables;
	s->leaves += as->tables.leaves;
}

static u32 spare_objects(const struct mm *mm)
{
	u32 n = 0;

	for (const struct aspace *as = mm->spare; as; as = as->hash_next)
		n++;
	return n;
}

/* Every walked space is found by its name, unless it lost that by DESTROY. */
static void check_names(struct domain *dom)
{
	u32 named = 0, hashed = 0;

	for (struct aspace *as = dom->mm.lru_first; as; as = as->lru_next)
		if (!as->detached) {
			assert_ptr_equal(aspace_lookup(dom, as->root), as);
			named++;
		}
	for (u32 i = 0; i < MM_HASH; i++)
		for (struct aspace *as = dom->mm.hash[i]; as; as = as->hash_next)
			hashed++;
	assert_int_equal(named, hashed);
}

void mm_check(struct domain *dom)
{
	const struct mm *mm = &dom->mm;
	struct sums s = { 0, 0, 0 };
	u32 vcpus = 0, slots = 0;

	check_space(dom, mm->initial, &s);
	for (const struct aspace *as = mm->lru_first; as; as = as->lru_next)
		check_space(dom, as, &s);
	check_set(&mm->kernel_tables);
	check_set(&mm->kernel_tops);
	check_set(&mm->limbo);
	check_set(&mm->limbo_new);
	check_set(&mm->clean);
	check_set(&mm->reserve);
	check_set(&mm->map_tables);
	check_set(&mm->object_pages);
	assert_int_equal(mm->object_pages.tables * (PAGE_SIZE / sizeof(struct aspace)),
			 s.spaces + spare_objects(mm));
	assert_int_equal(mm->leaf_tables, s.leaves + mm->kernel_tables.leaves);
	assert_int_equal(mm->cache_pages, s.tables + mm->kernel_tables.tables + mm->kernel_tops.tables +
						  mm->limbo.tables + mm->limbo_new.tables + mm->clean.tables);
	check_names(dom);
	for (u32 i = 0; i < PV_MAX_VCPUS; i++)
		vcpus += dom->vcpus[i] && dom->vcpus[i]->as;
	assert_int_equal(mm->vcpus, vcpus);
	for (u32 i = 0; i < 256; i++)
		slots += bitmap_test(mm->kernel_used, i);
	assert_int_equal(mm->kernel_slots, slots);
}
