/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * errors_memory.c - tables of flaws for the calls about address spaces, frames and grants.
 */
#include "../lib/flaws.h"

#define LOW_END 0x800000000000ull
#define BAD_GFN (PV_MAX_GFN + 1ull)
#define BAD_ROOT (BAD_GFN << 12)

/* ---- walked spaces: their errors in an explicit domain, then in a walked one ---- */

FLAWED(load_root_explicit, CALL(AS_LOAD_ROOT, 0x400000, 0), .ambient = PV_ESTATE,
       .flaws = { FLAW(EINVAL, { 0, 0x400001 }), FLAW(EINVAL, { 1, 2 }), FLAW(ERANGE, { 0, BAD_ROOT }) });
FLAWED(flush_explicit, CALL(AS_FLUSH, PV_FOREVER, 0, 0, 0), .ambient = PV_ESTATE,
       .flaws = { FLAW(EINVAL, { 0, 0x400001 }), FLAW(EINVAL, { 1, 1 }), FLAW(EINVAL, { 3, 4 }),
		  FLAW(ERANGE, { 0, BAD_ROOT }), FLAW(ERANGE, { 2, LOW_END + 0x1000 }) });
FLAWED(set_kernel_root_explicit, CALL_OP(AS_CTL, SET_KERNEL_ROOT, 0x400000), .ambient = PV_ESTATE,
       .flaws = { FLAW(EINVAL, { 1, 0x400001 }), FLAW(ERANGE, { 1, BAD_ROOT }) });
FLAWED(space_drop_explicit, CALL_OP(AS_CTL, DROP, 0x400000), .ambient = PV_ESTATE,
       .flaws = { FLAW(EINVAL, { 1, 8 }), FLAW(ERANGE, { 1, BAD_ROOT }) });
FLAWED(space_destroy_explicit, CALL_OP(AS_CTL, DESTROY, 0x400000), .ambient = PV_ESTATE,
       .flaws = { FLAW(EINVAL, { 1, 8 }), FLAW(ERANGE, { 1, BAD_ROOT }) });

FLAWED_WALKED(load_root, CALL(AS_LOAD_ROOT, SYM(S_ROOT), 0),
	      .flaws = { FLAW(EINVAL, { 0, 0x400001 }), FLAW(EINVAL, { 0, ~0ull }), FLAW(EINVAL, { 1, 2 }),
			 FLAW(EINVAL, { 1, 1ull << 63 }), FLAW(ERANGE, { 0, BAD_ROOT }), FLAW(EFAULT, { 0, 0x1000 }) });
FLAWED_WALKED(flush, CALL(AS_FLUSH, PV_FOREVER, 0x1000, 0x2000, 0),
	      .flaws = { FLAW(EINVAL, { 0, 0x400001 }), FLAW(EINVAL, { 1, 0x1001 }), FLAW(EINVAL, { 2, 0x2001 }),
			 FLAW(EINVAL, { 2, 0x1000 }, { 1, 0x1000 }), FLAW(EINVAL, { 3, 4 }),
			 FLAW(ERANGE, { 0, BAD_ROOT }), FLAW(ERANGE, { 2, LOW_END + 0x1000 }) });
FLAWED_WALKED(flush_kernel, CALL(AS_FLUSH, PV_FOREVER, PV_HOLE_END, PV_HOLE_END + 0x1000, PV_FLUSH_KERNEL),
	      .flaws = { FLAW(EINVAL, { 0, 0x400000 }), FLAW(EINVAL, { 2, PV_HOLE_END + 1 }),
			 FLAW(ERANGE, { 1, 0x1000 }) });
FLAWED_WALKED(set_kernel_root, CALL_OP(AS_CTL, SET_KERNEL_ROOT, SYM(S_ROOT)),
	      .flaws = { FLAW(EINVAL, { 1, 0x400001 }), FLAW(ERANGE, { 1, BAD_ROOT }), FLAW(EFAULT, { 1, 0 }) });
FLAWED_WALKED(space_drop, CALL_OP(AS_CTL, DROP, SYM(S_ROOT)),
	      .flaws = { FLAW(EINVAL, { 1, 8 }), FLAW(ERANGE, { 1, BAD_ROOT }) });
FLAWED_WALKED(space_destroy, CALL_OP(AS_CTL, DESTROY, SYM(S_ROOT)),
	      .flaws = { FLAW(EINVAL, { 1, 8 }), FLAW(ERANGE, { 1, BAD_ROOT }) });

/* ---- AS_MAP ---- */

FLAWED(map, CALL_OP(AS_MAP, MAP, SYM(S_DOM), 0x20000, 17, 1, PV_PROT_READ), .right = PV_RIGHT_DOM_MEM,
       .flaws = { FLAW(EINVAL, { 2, 0x20001 }), FLAW(EINVAL, { 4, 0 }), FLAW(EINVAL, { 5, 0 }),
		  FLAW(EINVAL, { 5, RW | PV_PROT_EXEC }), FLAW(EINVAL, { 5, PV_PROT_READ | 8 }), FLAW(ERANGE, { 2, 0 }),
		  FLAW(ERANGE, { 2, LOW_END }), FLAW(ERANGE, { 3, BAD_GFN }), FLAW(ERANGE, { 4, PV_MAX_MAP_PAGES + 1 }),
		  FLAW(ESTATE, { 1, SYM(S_WALKED) }), FLAW(EFAULT, { 3, 200 }), FLAW(EEXIST, { 2, 0x10000 }),
		  BAD_DOMAIN(1) });
FLAWED(unmap, CALL_OP(AS_MAP, UNMAP, SYM(S_DOM), 0x10000, 0, 1), .right = PV_RIGHT_DOM_MEM,
       .flaws = { FLAW(EINVAL, { 2, 0x10800 }), FLAW(EINVAL, { 3, 1 }), FLAW(EINVAL, { 4, 0 }),
		  FLAW(EINVAL, { 5, PV_PROT_READ }), FLAW(ERANGE, { 2, 0 }), FLAW(ERANGE, { 2, LOW_END }),
		  FLAW(ERANGE, { 4, PV_MAX_MAP_PAGES + 1 }), FLAW(ESTATE, { 1, SYM(S_WALKED) }),
		  FLAW(ENOENT, { 2, 0x20000 }), BAD_DOMAIN(1) });
FLAWED(protect, CALL_OP(AS_MAP, PROTECT, SYM(S_DOM), 0x10000, 0, 1, RW), .right = PV_RIGHT_DOM_MEM,
       .flaws = { FLAW(EINVAL, { 2, 0x10fff }), FLAW(EINVAL, { 3, 1 }), FLAW(EINVAL, { 4, 0 }), FLAW(EINVAL, { 5, 0 }),
		  FLAW(ERANGE, { 2, 0 }), FLAW(ERANGE, { 4, ~0ull }), FLAW(ESTATE, { 1, SYM(S_WALKED) }),
		  FLAW(EFAULT, { 2, 0x11000 }), FLAW(ENOENT, { 2, 0x20000 }), BAD_DOMAIN(1) });

/* ---- MEM_CTL ---- */

FLAWED(mem_populate, CALL_OP(MEM_CTL, POPULATE, SYM(S_DOM), 100, 1), .right = PV_RIGHT_DOM_MEM,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(EINVAL, { 4, 1 }), FLAW(ERANGE, { 2, BAD_GFN }),
		  FLAW(ERANGE, { 3, ~0ull }),
		  FLAW(EEXIST, { 2, 16 }), FLAW(ENOMEM, { 1, SYM(S_FULL) }), BAD_DOMAIN(1) });
FLAWED(mem_release, CALL_OP(MEM_CTL, RELEASE, SYM(S_DOM), 17, 1), .right = PV_RIGHT_DOM_MEM,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(EINVAL, { 4, 1 }), FLAW(ERANGE, { 2, BAD_GFN }),
		  FLAW(ERANGE, { 3, ~0ull }),
		  FLAW(EFAULT, { 1, PV_SELF }, { 2, SYM(S_GRANTED) }), FLAW(ENOENT, { 2, 100 }), FLAW(EBUSY, { 2, 20 }),
		  BAD_DOMAIN(1) });
FLAWED(mem_copy, CALL_OP(MEM_CTL, COPY, SYM(S_DOM), 18, 1, SYM(S_OWN)), .right = PV_RIGHT_DOM_MEM,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(ERANGE, { 2, BAD_GFN }), FLAW(ERANGE, { 4, BAD_GFN }),
		  FLAW(EFAULT, { 2, 100 }), FLAW(EFAULT, { 4, SYM(S_HOLE) }), BAD_DOMAIN(1) });

/* ---- GRANT_CTL ---- */

FLAWED(grant_create, CALL_OP(GRANT_CTL, CREATE, SYM(S_DOM), 17, 1, GRANT_RO), .yields = true, .right = PV_RIGHT_DOM_MEM,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(EINVAL, { 4, 0 }), FLAW(EINVAL, { 4, PV_RIGHT_GRANT_WRITE }),
		  FLAW(EINVAL, { 4, 1ull << 32 | 1 }), FLAW(ERANGE, { 2, BAD_GFN }),
		  FLAW(ERANGE, { 3, PV_MAX_GRANT_PAGES + 1 }), FLAW(EFAULT, { 2, 100 }), BAD_DOMAIN(1) });
FLAWED(grant_map, CALL_OP(GRANT_CTL, MAP, SYM(S_GRANT), SYM(S_HOLE), 2, 0), .right = PV_RIGHT_GRANT_READ,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(EINVAL, { 4, 2 }),
		  FLAW(EINVAL, { 3, 1 }, { 1, SYM(S_GRANT) }, { 2, SYM(S_HOLE) }),
		  FLAW(ERANGE, { 2, BAD_GFN }), FLAW(ERANGE, { 3, PV_MAX_GRANT_PAGES + 1 }),
		  FLAW(ECAP, { 1, SYM(S_STALE) }), FLAW(ECAP, { 1, SYM(S_DOM) }), FLAW(ECAP, { 1, PV_SELF }),
		  FLAW(EPERM, { 1, SYM(S_WEAK_GRANT) }), FLAW(EDEAD, { 1, SYM(S_DEAD_GRANT) }),
		  FLAW(EEXIST, { 2, SYM(S_OWN) }) });
FLAWED(grant_map_writable, CALL_OP(GRANT_CTL, MAP, SYM(S_GRANT), SYM(S_HOLE), 2, 1), .right = PV_RIGHT_GRANT_WRITE,
       .flaws = { FLAW(EINVAL, { 3, 0 }), FLAW(ERANGE, { 2, BAD_GFN }), FLAW(EPERM, { 1, SYM(S_WEAK_GRANT) }),
		  FLAW(EDEAD, { 1, SYM(S_DEAD_GRANT) }), FLAW(EEXIST, { 2, SYM(S_OWN) }) });
FLAWED(grant_unmap, CALL_OP(GRANT_CTL, UNMAP, 0, SYM(S_GRANTED), 1, 0), .ambient = 0, .ends = true,
       .flaws = { FLAW(EINVAL, { 1, 1 }), FLAW(EINVAL, { 1, SYM(S_GRANT) }), FLAW(EINVAL, { 3, 0 }),
		  FLAW(EINVAL, { 4, 1 }),
		  FLAW(ERANGE, { 2, BAD_GFN }), FLAW(ERANGE, { 3, ~0ull }), FLAW(EFAULT, { 2, SYM(S_OWN) }),
		  FLAW(ENOENT, { 2, SYM(S_HOLE) }) });
FLAWED(grant_revoke, CALL_OP(GRANT_CTL, REVOKE, SYM(S_GRANT)), .right = PV_RIGHT_GRANT_REVOKE,
       .flaws = { FLAW(EINVAL, { 2, 1 }), FLAW(EINVAL, { 3, 1 }), FLAW(EINVAL, { 4, 1 }),
		  FLAW(ECAP, { 1, SYM(S_STALE) }),
		  FLAW(ECAP, { 1, SYM(S_DOM) }), FLAW(ECAP, { 1, SYM(S_HOST) }), FLAW(EPERM, { 1, SYM(S_WEAK_GRANT) }),
		  FLAW(EDEAD, { 1, SYM(S_DEAD_GRANT) }) });
