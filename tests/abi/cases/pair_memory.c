/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_memory.c - two vCPUs of a domain at its own frames and mappings; see lib/pair.h.
 */
#include "../lib/pair.h"

#define ONE(gfn) PV_SELF, IT(gfn), 1
#define THERE PV_SELF, PAIR_VA, IT(GFN), 1
#define PLACE PV_SELF, PAIR_VA, 0, 1
#define MEMORY(name, ...) \
	PV_ROW(pair_##name, "PVABI-PAR-001.1", pair_run, \
	       PAIR(.state = memory_there, .clear = memory_clear, ##__VA_ARGS__))

MEMORY(populate_populate, .setup = hole, .a = DO(MEM_CTL, POPULATE, ONE(GFN)), .b = DO(MEM_CTL, POPULATE, ONE(GFN)));
MEMORY(populate_release, .setup = frame, .a = DO(MEM_CTL, POPULATE, ONE(GFN)), .b = DO(MEM_CTL, RELEASE, ONE(GFN)));
MEMORY(release_release, .setup = frame, .a = DO(MEM_CTL, RELEASE, ONE(GFN)), .b = DO(MEM_CTL, RELEASE, ONE(GFN)));
MEMORY(map_map, .setup = frame, .a = DO(AS_MAP, MAP, THERE, RW), .b = DO(AS_MAP, MAP, THERE, PV_PROT_READ));
MEMORY(map_unmap, .setup = frame, .a = DO(AS_MAP, MAP, THERE, RW), .b = DO(AS_MAP, UNMAP, PLACE));
MEMORY(map_protect, .setup = frame, .a = DO(AS_MAP, MAP, THERE, RW), .b = DO(AS_MAP, PROTECT, PLACE, PV_PROT_READ));
MEMORY(map_release, .setup = frame, .a = DO(AS_MAP, MAP, THERE, RW), .b = DO(MEM_CTL, RELEASE, ONE(GFN)));
MEMORY(map_populate, .setup = hole, .a = DO(AS_MAP, MAP, THERE, RW), .b = DO(MEM_CTL, POPULATE, ONE(GFN)));
MEMORY(unmap_unmap, .setup = frame_mapped, .a = DO(AS_MAP, UNMAP, PLACE), .b = DO(AS_MAP, UNMAP, PLACE));
MEMORY(unmap_release, .setup = frame_mapped, .a = DO(AS_MAP, UNMAP, PLACE), .b = DO(MEM_CTL, RELEASE, ONE(GFN)));
MEMORY(protect_protect, .setup = frame_mapped, .a = DO(AS_MAP, PROTECT, PLACE, PV_PROT_READ),
       .b = DO(AS_MAP, PROTECT, PLACE, RW));
MEMORY(protect_unmap, .setup = frame_mapped, .a = DO(AS_MAP, PROTECT, PLACE, PV_PROT_READ),
       .b = DO(AS_MAP, UNMAP, PLACE));
MEMORY(protect_release, .setup = frame_mapped, .a = DO(AS_MAP, PROTECT, PLACE, PV_PROT_READ),
       .b = DO(MEM_CTL, RELEASE, ONE(GFN)));
MEMORY(protect_write, .setup = frame_mapped, .a = DO(AS_MAP, PROTECT, PLACE, PV_PROT_READ), .b = RUN(write_there));
MEMORY(unmap_write, .setup = frame_mapped, .a = DO(AS_MAP, UNMAP, PLACE), .b = RUN(write_there));
MEMORY(release_write, .setup = frame_mapped, .a = DO(MEM_CTL, RELEASE, ONE(GFN)), .b = RUN(write_there));

/* ---- copying ---- */

static u64 *sources; /* two pages of the heap, each full of one number */

static void frames_and_sources(void)
{
	frame_mapped();
	if (sources)
		return;
	sources = pages_alloc(2);
	for (u32 i = 0; i < 1024; i++)
		sources[i] = 0xa0a + i / 512;
}

static i64 copy_page(u32 source)
{
	i64 result = OP(MEM_CTL, COPY, PV_SELF, things[GFN], 1, gfn_of(sources) + source);

	return result > 0 ? 0 : result;
}

static i64 copy_first(void)
{
	return copy_page(0);
}

static i64 copy_second(void)
{
	return copy_page(1);
}

/* Two copies into one frame may mix, but each word is of one of them. */
static u64 copied_words(void)
{
	const volatile u64 *page = (const volatile u64 *)PAIR_VA;

	for (u32 i = 0; i < 512; i++)
		if (page[i] != 0xa0a && page[i] != 0xa0b)
			return 1;
	return 0;
}

MEMORY(copy_copy, .setup = frames_and_sources, .state = copied_words, .a = RUN(copy_first), .b = RUN(copy_second));
MEMORY(copy_release, .setup = frames_and_sources, .a = RUN(copy_first), .b = DO(MEM_CTL, RELEASE, ONE(GFN)));
MEMORY(copy_populate, .setup = hole, .a = DO(MEM_CTL, COPY, ONE(GFN), IT(FAR)), .b = DO(MEM_CTL, POPULATE, ONE(GFN)));
MEMORY(copy_protect, .setup = frames_and_sources, .state = NULL, .a = RUN(copy_first),
       .b = DO(AS_MAP, PROTECT, PLACE, PV_PROT_READ));
MEMORY(read_release, .setup = frames, .a = DO(MEM_CTL, COPY, ONE(FAR), IT(GFN)), .b = DO(MEM_CTL, RELEASE, ONE(GFN)));

/* ---- the hand-over page ---- */

static struct pv_vcs *own[2];

static i64 take_page(u32 who)
{
	own[who] = abi_cpus[who].vcs;
	return OP(VCPU_SETUP, SET_VCS, things[GFN]);
}

static i64 take_page_a(void)
{
	return take_page(0);
}

static i64 take_page_b(void)
{
	return take_page(1);
}

static void back_to_own_b(void)
{
	CHECK_OK(OP(VCPU_SETUP, SET_VCS, gfn_of(own[1])));
}

static void back_to_own(void)
{
	if (own[0])
		CHECK_OK(OP(VCPU_SETUP, SET_VCS, gfn_of(own[0])));
	memory_clear();
}

static u64 page_there(void)
{
	return frame_exists(things[GFN]);
}

#define VCS_PAIR(name, ...) \
	PV_ROW(pair_##name, "PVABI-PAR-001.1", pair_run, \
	       PAIR(.state = page_there, .clear = back_to_own, .clear_b = back_to_own_b, ##__VA_ARGS__))

VCS_PAIR(vcs_vcs, .setup = frame, .a = RUN(take_page_a), .b = RUN(take_page_b));
VCS_PAIR(release_vcs, .setup = frame, .a = DO(MEM_CTL, RELEASE, ONE(GFN)), .b = RUN(take_page_b));
VCS_PAIR(populate_vcs, .setup = hole, .a = DO(MEM_CTL, POPULATE, ONE(GFN)), .b = RUN(take_page_b));
