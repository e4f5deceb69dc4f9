// SPDX-License-Identifier: BSD-2-Clause
/*
 * walked.c - see walked.h.
 */
#include "walked.h"

struct domain *dom;
struct guest guest;
struct vcpu *v;

static void make(u64 kmem, u32 tables)
{
	dom = host_domain(PV_KIND_WALKED, 2 * NPAGES, kmem, tables);
	assert_non_null(dom);
	guest = (struct guest){ dom, 1 };
	guest_populate(dom, 0, NPAGES);
	guest_tag(dom, DATA, NPAGES - DATA);
	v = host_vcpu(dom, 0);
	host_run(v);
}

void start(u32 ncpus, u64 kmem, u32 tables)
{
	host_machine_init(MIB(64), ncpus, NULL);
	make(kmem, tables);
}

void start_audited(void)
{
	host_machine_init(MIB(64), 1, "audit");
	make(256, PV_VTLB_MAX);
}

gfn_t new_root(void)
{
	return guest_table(&guest);
}

void load(gfn_t root, u64 flags)
{
	assert_int_equal(aspace_load_root(v, root << 12, flags), 0);
}

u64 *map_large(gfn_t root, vaddr_t va, gfn_t gfn, u64 flags)
{
	u64 *e = guest_entry(&guest, root, va, 21);

	*e = gfn << 12 | flags | PTE_PS;
	return e;
}

void touch_large(vaddr_t va, enum host_access how, gfn_t gfn)
{
	for (u64 i = 0; i < 512; i++)
		assert_int_equal(touch(va + (i << 12), how), gfn + i);
}

void scatter(void)
{
	assert_int_equal(mem_release(dom, DATA + 3, 1), 1);
	assert_int_equal(mem_populate(dom, DATA + 3, 1), 1);
	guest_tag(dom, DATA + 3, 1);
}

u64 faults_at(vaddr_t va)
{
	u64 faults = host_faults;

	(void)touch(va, HOST_READ);
	return host_faults - faults;
}
