/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_grant.c - two vCPUs of a holder at one grant, whose owner is another domain; see lib/pair.h.
 */
#include "../lib/pair.h"
#include "../lib/turns.h"

#define PAGES 2u
#define FIRST_GFN 16u
#define AT_WINDOW IT(GRANT), IT(WINDOW), PAGES, 1
#define AWAY 0, IT(WINDOW), PAGES

static void granted(void)
{
	hole();
	domain_empty();
	populate(things[DOM], FIRST_GFN, 4);
	things[GRANT] = TRY(OP(GRANT_CTL, CREATE, things[DOM], FIRST_GFN, PAGES, GRANT_RW));
}

static void granted_and_mapped(void)
{
	granted();
	CHECK_EQ(OP(GRANT_CTL, MAP, things[GRANT], things[WINDOW], PAGES, 1), PAGES);
}

static void granted_and_seen(void)
{
	granted_and_mapped();
	map(PV_SELF, PAIR_VA, things[WINDOW], 1, RW);
}

/* What is at the window: bit by bit a frame that can be mapped, and what UNMAP of it would say. */
static u64 window_there(void)
{
	u64 state = 0;

	for (u32 i = 0; i < PAGES; i++)
		state = state << 1 | frame_exists(things[WINDOW] + i);
	return state << 1 | domain_gone();
}

static void grant_clear(void)
{
	OP(AS_MAP, UNMAP, PV_SELF, PAIR_VA, 0, 1);
	for (u32 i = 0; i < 2 * PAGES; i++)
		OP(GRANT_CTL, UNMAP, 0, things[WINDOW] + i, 1);
	OP(MEM_CTL, RELEASE, PV_SELF, things[WINDOW], 1);
	if (revoke(things[GRANT]))
		OP(CAP_CTL, DROP, things[GRANT]);
	memory_clear();
	domain_clear();
}

#define GRANT_PAIR(name, ...) \
	PV_ROW(pair_##name, "PVABI-PAR-002.1", pair_run, \
	       PAIR(.state = window_there, .clear = grant_clear, ##__VA_ARGS__))
#define REVOKE_IT DO(GRANT_CTL, REVOKE, IT(GRANT))
#define DESTROY_IT DO(DOM_CTL, DESTROY, IT(DOM))

GRANT_PAIR(grant_map_map, .setup = granted, .a = DO(GRANT_CTL, MAP, AT_WINDOW), .b = DO(GRANT_CTL, MAP, AT_WINDOW));
GRANT_PAIR(grant_map_beside, .setup = granted, .a = DO(GRANT_CTL, MAP, AT_WINDOW),
	   .b = DO(GRANT_CTL, MAP, IT(GRANT), IT(GFN), PAGES));
GRANT_PAIR(grant_map_unmap, .setup = granted, .a = DO(GRANT_CTL, MAP, AT_WINDOW), .b = DO(GRANT_CTL, UNMAP, AWAY));
GRANT_PAIR(grant_map_populate, .setup = granted, .a = DO(GRANT_CTL, MAP, AT_WINDOW),
	   .b = DO(MEM_CTL, POPULATE, PV_SELF, IT(WINDOW), 1));
/* A grant that is being revoked is dead before its handle is gone. */
GRANT_PAIR(grant_map_revoke, .setup = granted, .a = DO(GRANT_CTL, MAP, AT_WINDOW), .b = REVOKE_IT,
	   ALSO(MAY(-PV_EDEAD, 0)));
GRANT_PAIR(grant_map_drop, .setup = granted, .a = DO(GRANT_CTL, MAP, AT_WINDOW), .b = DO(CAP_CTL, DROP, IT(GRANT)));
GRANT_PAIR(grant_map_destroy, .setup = granted, .a = DO(GRANT_CTL, MAP, AT_WINDOW), .b = DESTROY_IT);
GRANT_PAIR(grant_unmap_unmap, .setup = granted_and_mapped, .a = DO(GRANT_CTL, UNMAP, AWAY),
	   .b = DO(GRANT_CTL, UNMAP, AWAY));
GRANT_PAIR(grant_unmap_revoke, .setup = granted_and_mapped, .a = DO(GRANT_CTL, UNMAP, AWAY), .b = REVOKE_IT);
GRANT_PAIR(grant_unmap_destroy, .setup = granted_and_mapped, .a = DO(GRANT_CTL, UNMAP, AWAY), .b = DESTROY_IT);
GRANT_PAIR(grant_revoke_revoke, .setup = granted_and_mapped, .a = REVOKE_IT, .b = REVOKE_IT,
	   ALSO(MAY(-PV_EDEAD, 0), MAY(0, -PV_EDEAD)));
GRANT_PAIR(grant_revoke_destroy, .setup = granted_and_mapped, .a = REVOKE_IT, .b = DESTROY_IT);
/* DROP while it is being revoked. */
GRANT_PAIR(grant_revoke_drop, .setup = granted, .a = REVOKE_IT, .b = DO(CAP_CTL, DROP, IT(GRANT)), ALSO(MAY(0, 0)));
GRANT_PAIR(grant_asmap_unmap, .setup = granted_and_mapped, .a = DO(AS_MAP, MAP, PV_SELF, PAIR_VA, IT(WINDOW), 1, RW),
	   .b = DO(GRANT_CTL, UNMAP, AWAY));
GRANT_PAIR(grant_asmap_revoke, .setup = granted_and_mapped, .a = DO(AS_MAP, MAP, PV_SELF, PAIR_VA, IT(WINDOW), 1, RW),
	   .b = REVOKE_IT);
GRANT_PAIR(grant_write_unmap, .setup = granted_and_seen, .a = RUN(write_there), .b = DO(GRANT_CTL, UNMAP, AWAY));
GRANT_PAIR(grant_write_revoke, .setup = granted_and_seen, .a = RUN(write_there), .b = REVOKE_IT);
GRANT_PAIR(grant_write_destroy, .setup = granted_and_seen, .a = RUN(write_there), .b = DESTROY_IT);

/* ---- capabilities to a grant, copies through it ---- */

static void copied_grant_clear(void)
{
	pair_drop(pair_made[0]);
	grant_clear();
}

GRANT_PAIR(grant_copy_revoke, .setup = granted, .a = DO(CAP_CTL, COPY, IT(GRANT), PV_SELF, GRANT_RO), .b = REVOKE_IT,
	   .clear = copied_grant_clear, ALSO(MAY(-PV_EDEAD, 0)));
GRANT_PAIR(grant_copy_drop, .setup = granted, .a = DO(CAP_CTL, COPY, IT(GRANT), PV_SELF, GRANT_RO),
	   .b = DO(CAP_CTL, DROP, IT(GRANT)), .clear = copied_grant_clear);
GRANT_PAIR(grant_copy_destroy, .setup = granted, .a = DO(CAP_CTL, COPY, IT(GRANT), PV_SELF, GRANT_RO),
	   .b = DESTROY_IT, .clear = copied_grant_clear);
GRANT_PAIR(grant_memcopy_unmap, .setup = granted_and_mapped,
	   .a = DO(MEM_CTL, COPY, PV_SELF, IT(WINDOW), 1, PV_EXPLICIT_BASE >> PV_PAGE_SHIFT),
	   .b = DO(GRANT_CTL, UNMAP, AWAY));
GRANT_PAIR(grant_memcopy_revoke, .setup = granted_and_mapped,
	   .a = DO(MEM_CTL, COPY, PV_SELF, IT(WINDOW), 1, PV_EXPLICIT_BASE >> PV_PAGE_SHIFT), .b = REVOKE_IT);

/* ---- making one of frames that go ---- */

static void made_clear(void)
{
	for (u32 i = 0; i < 2; i++)
		if (pair_made[i] && revoke(pair_made[i]))
			OP(CAP_CTL, DROP, pair_made[i]);
	memory_clear();
	domain_clear();
}

static void domain_with_frames(void)
{
	hole();
	domain_empty();
	populate(things[DOM], FIRST_GFN, 4);
}

static u64 frame_there(void)
{
	return frame_exists(things[GFN]);
}

#define MAKE_OWN DO(GRANT_CTL, CREATE, PV_SELF, IT(GFN), 1, GRANT_RW)
GRANT_PAIR(grant_create_create, .setup = frame, .a = MAKE_OWN, .b = MAKE_OWN, .state = frame_there,
	   .clear = made_clear);
GRANT_PAIR(grant_create_release, .setup = frame, .a = MAKE_OWN, .b = DO(MEM_CTL, RELEASE, PV_SELF, IT(GFN), 1),
	   .state = frame_there, .clear = made_clear);
GRANT_PAIR(grant_create_destroy, .setup = domain_with_frames,
	   .a = DO(GRANT_CTL, CREATE, IT(DOM), FIRST_GFN, PAGES, GRANT_RW), .b = DESTROY_IT, .state = domain_gone,
	   .clear = made_clear, ALSO(MAY(-PV_EDEAD, 0)));
