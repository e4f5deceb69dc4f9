/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ops.c - batch calls repeated until everything is done: a call may do less than was asked for,
 * at least one item, and says how many.
 */
#include "abitest.h"

#define ALL_OF(n, call) \
	do { \
		for (u64 done = 0; done < (n);) { \
			u64 left = (n) - done; \
			u64 now = TRY(call); \
			CHECK(now >= 1 && now <= left); \
			done += now; \
		} \
	} while (0)

void populate(u64 dom, u64 gfn, u64 n)
{
	ALL_OF(n, OP(MEM_CTL, POPULATE, dom, gfn + done, left));
}

void release(u64 dom, u64 gfn, u64 n)
{
	ALL_OF(n, OP(MEM_CTL, RELEASE, dom, gfn + done, left));
}

void copy_frames(u64 dom, u64 gfn, u64 src, u64 n)
{
	ALL_OF(n, OP(MEM_CTL, COPY, dom, gfn + done, left, src + done));
}

static u64 map_limit(u64 left)
{
	return left > PV_MAX_MAP_PAGES ? PV_MAX_MAP_PAGES : left;
}

void map(u64 dom, u64 va, u64 gfn, u64 n, u64 prot)
{
	ALL_OF(n, OP(AS_MAP, MAP, dom, va + done * PAGE_BYTES, gfn + done, map_limit(left), prot));
}

void unmap(u64 dom, u64 va, u64 n)
{
	ALL_OF(n, OP(AS_MAP, UNMAP, dom, va + done * PAGE_BYTES, 0, map_limit(left)));
}

i64 revoke(u64 grant)
{
	i64 result;

	do
		result = OP(GRANT_CTL, REVOKE, grant);
	while (result == -PV_EAGAIN);
	return result;
}
