// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_meanwhile.c - what another CPU does between two steps of a call, at each place where it can, one after the other.
 */
#include "walked.h"

/* An entry that another vCPU changes while it is walked is walked anew, and A and D come to the value used. */
static u64 *entry; /* of 0x1000 */
static u32 changes_left;

static void change_entry(void)
{
	*entry = ((*entry & PTE_ADDR) + PAGE_SIZE) | PTE_P | PTE_W | PTE_U;
	if (--changes_left)
		host_between(1, true, change_entry);
}

static void test_entry_changes(void **state)
{
	gfn_t root;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	root = new_root();
	load(root, 0);
	entry = guest_entry(&guest, root, 0x1000, 12);
	for (u32 times = 1; times < 8; times++) {
		u32 nth = 0;

		/* Which of the points with a lock held is that of the walk is found by trying; a change after it is one
		 * that the guest has to flush. */
		do {
			u64 tag;

			*entry = DATA << 12 | PTE_P | PTE_W | PTE_U;
			assert_int_equal(aspace_flush(v, PV_FOREVER, 0x1000, 0x2000, 0), 0);
			changes_left = times;
			host_between(++nth, true, change_entry);
			tag = touch(0x1000, HOST_WRITE);
			if ((*entry & (PTE_A | PTE_D)) == (PTE_A | PTE_D))
				assert_int_equal(tag, (*entry & PTE_ADDR) >> 12);
			else
				assert_true(tag < (*entry & PTE_ADDR) >> 12 && nth > 2);
		} while (host_between_done());
		assert_true(nth > 1);
	}
	host_domain_free(dom);
}

/* What is behind the end of a domain's memory asks for nothing any more. */
static void test_dying(void **state)
{
	mfn_t mfn;
	(void)state;

	start(1, 256, PV_VTLB_MAX);
	host_run(NULL);
	dom->mm.dying = true;
	assert_int_equal(mem_populate(dom, NPAGES + 3, 1), -PV_EDEAD);
	assert_int_equal(mem_release(dom, 3, 1), -PV_EDEAD);
	assert_int_equal(mem_copy(dom, 3, dom, 4, 1), -PV_EDEAD);
	assert_int_equal(aspace_map(dom, 0x1000, 3, 1, PV_PROT_READ), -PV_EDEAD);
	assert_int_equal(aspace_unmap(dom, 0x1000, 1), -PV_EDEAD);
	assert_int_equal(gfn_pin(dom, 3, &mfn), -PV_EFAULT);
	dom->mm.dying = false;
	host_domain_free(dom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry_changes),
		cmocka_unit_test(test_dying),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
