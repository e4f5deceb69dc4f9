// SPDX-License-Identifier: BSD-2-Clause
/*
 * memory.c - the deed `walker`: page tables in every kind of frame, changed, given back, granted, revoked
 * and populated anew by some vCPUs while others walk them.
 *
 * A region of the low half is mapped by tables that lie in a pool of pages. An entry of them may name a
 * page of the pool (so that a table is data and the other way round), a page that is granted away, one
 * mapped from a grant or left behind by a revoked one, a hole, or a frame beyond all memory.
 */
#include "hostile.h"

#define REGION 0x10000000000ull
#define POOL 48u
#define GRANTS 8u
#define WINDOW ((MEMORY >> 12) + 64)

static u64 pool[POOL];
static volatile u64 grants[GRANTS]; /* handles; 0: none */

static void prepare_pool(void)
{
	for (u32 i = 0; i < POOL; i++)
		pool[i] = page_alloc() >> 12;
	/* The region's own slot: made here, torn to pieces later. */
	for (u32 i = 0; i < 8; i++)
		map(REGION + (u64)i * (2ull << 20), pool[i] << 12, PTE_P | PTE_W | PTE_U);
}

static u64 any_gfn(void)
{
	switch (below(8)) {
	case 0:
		return WINDOW + below(GRANTS); /* mapped from a grant, a revoked one, or a hole */
	case 1:
		return (MEMORY >> 12) + 4096 + below(1024); /* a hole */
	case 2:
		return below(2) ? PV_MAX_GFN + below(3) : argument() & 0xffffffffff;
	case 3:
		return root_gpa >> 12; /* the walk bites its own tail */
	default:
		return pool[below(POOL)];
	}
}

static u64 any_entry(void)
{
	u64 flags = PTE_P | (noise() & (PTE_W | PTE_U | PTE_A | PTE_D));

	if (below(8) == 0)
		flags |= PTE_PS;
	if (below(8) == 0)
		flags |= PTE_NX;
	if (below(16) == 0)
		return noise();
	return any_gfn() << 12 | flags;
}

/* An entry on the way to the region, or any in the pool. */
static void change_tables(void)
{
	volatile u64 *top = (volatile u64 *)gpa_ptr(root_gpa) + (REGION >> 39 & 511);
	volatile u64 *page = gpa_ptr(pool[below(POOL)] << 12);

	if (below(16) == 0)
		*top = any_entry() & ~PTE_PS;
	else
		page[below(4) ? below(8) : below(512)] = any_entry();
}

static void change_owner(void)
{
	u64 gfn = pool[below(POOL)], *at = (u64 *)&grants[below(GRANTS)];
	u64 handle = __atomic_load_n(at, __ATOMIC_RELAXED);
	i64 answer;

	switch (below(6)) {
	case 0:
	case 1:
		if (CALL(MEM_CTL, RELEASE, PV_SELF, gfn, 1) == 1)
			(void)CALL(MEM_CTL, POPULATE, PV_SELF, gfn, 1);
		break;
	case 2:
		if (handle)
			break;
		answer = CALL(GRANT_CTL, CREATE, PV_SELF, gfn, 1, 3);
		if (answer > 0)
			__atomic_store_n(at, (u64)answer, __ATOMIC_RELAXED);
		break;
	case 3:
		(void)CALL(GRANT_CTL, MAP, handle, WINDOW + below(GRANTS), 1, below(2));
		break;
	case 4:
		(void)CALL(GRANT_CTL, UNMAP, 0, WINDOW + below(GRANTS), 1);
		break;
	default:
		__atomic_store_n(at, 0, __ATOMIC_RELAXED);
		for (u32 i = 0; i < 64 && CALL(GRANT_CTL, REVOKE, handle) == -PV_EAGAIN; i++)
			;
		(void)CALL(CAP_CTL, DROP, handle);
	}
}

static void touch(void)
{
	u64 va = REGION + (below(8) << 21) + (below(8) << 12) + (below(512) << 3);
	volatile u64 *where = (volatile u64 *)(below(16) ? va : REGION + below(512ull << 30));

	switch (below(4)) {
	case 0:
		*where = any_entry(); /* what is data here may be a table there */
		break;
	case 1:
		if (below(256) == 0) /* what is executed is noise: seldom good for long */
			((void (*)(void))where)();
		break;
	default:
		(void)*where;
	}
}

static void one_walk(void)
{
	u64 base = REGION + (below(8) << 21);

	/* One vCPU more than the others only walks. */
	if (this_actor()->index == 1 && below(8)) {
		touch();
		return;
	}
	switch (below(8)) {
	case 0:
	case 1:
		change_tables();
		break;
	case 2:
		change_owner();
		break;
	case 3:
		(void)call(PV_HC_AS_FLUSH, PV_FOREVER, base, base + (below(2) ? 4096 : 2ull << 20),
			   below(2), 0, 0);
		break;
	case 4:
		if (below(8) == 0)
			(void)call(PV_HC_AS_LOAD_ROOT, root_gpa, below(2), 0, 0, 0, 0);
		else if (below(16) == 0)
			(void)call(PV_HC_AS_CTL, PV_AS_CTL_DROP, root_gpa, 0, 0, 0, 0);
		break;
	default:
		touch();
	}
}

const struct deed memory_deeds[] = {
	{ "walker", one_walk, prepare_pool }, { NULL, NULL, NULL },
};
