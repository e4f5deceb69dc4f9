/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/mem.h - frames, explicit mappings and grants. ABI: AS_MAP (14), MEM_CTL (15), GRANT_CTL (16).
 *
 * Calls on n items return how many they completed; fewer than n is progress. The *_all() forms go
 * on until everything is done and return 0, or the first error with the earlier items in place.
 */
#ifndef PV_MEM_H
#define PV_MEM_H

#include <pv/call.h>

/*
 * Maps npages (1..PV_MAX_MAP_PAGES) from va to gfn of an explicit domain (PV_RIGHT_DOM_MEM) with
 * prot (PV_PROT_READ and WRITE or EXEC). Result: pages done.
 * ESTATE: walked domain; EFAULT: no such frame; EEXIST: place taken; EPERM: read-only grant.
 */
static inline int64_t pv_as_map(pv_handle_t dom, uint64_t va, pv_gfn_t gfn, uint64_t npages,
				uint64_t prot)
{
	return pv_call6(PV_HC_AS_MAP, PV_AS_MAP_MAP, dom, va, gfn, npages, prot);
}

/* Removes mappings; afterwards no CPU uses them. ENOENT: not mapped. Result: pages done. */
static inline int64_t pv_as_unmap(pv_handle_t dom, uint64_t va, uint64_t npages)
{
	return pv_call6(PV_HC_AS_MAP, PV_AS_MAP_UNMAP, dom, va, 0, npages, 0);
}

/* Changes rights of existing mappings. ENOENT, EPERM. Result: pages done. */
static inline int64_t pv_as_protect(pv_handle_t dom, uint64_t va, uint64_t npages, uint64_t prot)
{
	return pv_call6(PV_HC_AS_MAP, PV_AS_MAP_PROTECT, dom, va, 0, npages, prot);
}

/* Fresh zeroed frames at n >= 1 holes from gfn. EEXIST: not a hole; ENOMEM: quota. Frames done. */
static inline int64_t pv_mem_populate(pv_handle_t dom, pv_gfn_t gfn, uint64_t n)
{
	return pv_call5(PV_HC_MEM_CTL, PV_MEM_CTL_POPULATE, dom, gfn, n, 0);
}

/* Gives frames back. EBUSY: pinned or granted; ENOENT: a hole; EFAULT: not PRIVATE. Frames done. */
static inline int64_t pv_mem_release(pv_handle_t dom, pv_gfn_t gfn, uint64_t n)
{
	return pv_call5(PV_HC_MEM_CTL, PV_MEM_CTL_RELEASE, dom, gfn, n, 0);
}

/* Copies n of the caller's frames from gfn src into dom's frames from gfn. EFAULT. Frames done. */
static inline int64_t pv_mem_copy(pv_handle_t dom, pv_gfn_t gfn, uint64_t n, pv_gfn_t src)
{
	return pv_call5(PV_HC_MEM_CTL, PV_MEM_CTL_COPY, dom, gfn, n, src);
}

/*
 * A grant over n (1..PV_MAX_GRANT_PAGES) PRIVATE frames of owner (PV_SELF or PV_RIGHT_DOM_MEM) with
 * rights PV_RIGHT_GRANT_READ or READ|WRITE. Result: a handle with these rights and REVOKE.
 */
static inline int64_t pv_grant_create(pv_handle_t owner, pv_gfn_t gfn, uint64_t n, uint64_t rights)
{
	return pv_call5(PV_HC_GRANT_CTL, PV_GRANT_CTL_CREATE, owner, gfn, n, rights);
}

/* The whole grant (n = its size) appears at the caller's holes from gfn. Result: n. */
static inline int64_t pv_grant_map(pv_handle_t grant, pv_gfn_t gfn, uint64_t n, int writable)
{
	return pv_call5(PV_HC_GRANT_CTL, PV_GRANT_CTL_MAP, grant, gfn, n, writable ? 1 : 0);
}

/* n GRANTED gfns of the caller become holes. EFAULT: not granted. Result: frames done. */
static inline int64_t pv_grant_unmap(pv_gfn_t gfn, uint64_t n)
{
	return pv_call5(PV_HC_GRANT_CTL, PV_GRANT_CTL_UNMAP, 0, gfn, n, 0);
}

/* One step of taking a grant back (PV_RIGHT_GRANT_REVOKE): EAGAIN until done. */
static inline int64_t pv_grant_revoke_step(pv_handle_t grant)
{
	return pv_call5(PV_HC_GRANT_CTL, PV_GRANT_CTL_REVOKE, grant, 0, 0, 0);
}

static inline int64_t pv_grant_revoke(pv_handle_t grant)
{
	int64_t r;

	do {
		r = pv_grant_revoke_step(grant);
	} while (pv_again(r));
	return r;
}

int64_t pv_mem_populate_all(pv_handle_t dom, pv_gfn_t gfn, uint64_t n);
int64_t pv_mem_copy_all(pv_handle_t dom, pv_gfn_t gfn, uint64_t n, pv_gfn_t src);
int64_t pv_as_map_all(pv_handle_t dom, uint64_t va, pv_gfn_t gfn, uint64_t npages, uint64_t prot);

/*
 * Maps a grant of n pages into the calling explicit domain at an address of libpv's choice.
 * Returns 0 and sets *addr, or an error with nothing mapped (ENOSPC: the window is full).
 */
int64_t pv_grant_attach(pv_handle_t grant, uint64_t n, int writable, void **addr);

/* The same for several grants, one behind the other. */
struct pv_grant_piece {
	pv_handle_t grant;
	uint64_t pages;
	int writable;
};
int64_t pv_grant_attach_pieces(const struct pv_grant_piece *pieces, unsigned count, void **addr);

/* Undoes pv_grant_attach(); n: pages in all. The capabilities stay. */
int64_t pv_grant_detach(void *addr, uint64_t n);

#endif
