/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_walked.c - two vCPUs of a walked domain at one of its address spaces; see lib/pair.h. Both roots map
 * the program; TOUCHED has another frame in each.
 */
#include "../lib/pair.h"
#include "../lib/pagetable.h"
#include "../lib/turns.h"

#define TOUCHED 0x10000000000ull
#define WALKED_PAIR(name, ...) \
	PV_ROW(pair_##name, "PVABI-PAR-007.1", pair_run, PAIR_OF(PV_KIND_WALKED, .setup = roots, .clear = home, \
		.clear_b = home_b, .state = both_spaces, ##__VA_ARGS__))

static u64 *root[2], *pages[2];

static void roots(void)
{
	if (!root[0]) {
		for (u32 i = 0; i < 2; i++) {
			root[i] = pt_new_root();
			pages[i] = pages_alloc(1);
			pages[i][0] = 0x700 + i;
		}
	}
	for (u32 i = 0; i < 2; i++)
		pt_map(root[i], TOUCHED, gfn_of(pages[i]), PT_W);
	things[ROOT] = root_gpa(root[0]);
	things[OTHER_ROOT] = root_gpa(root[1]);
	CHECK_OK(HC(AS_LOAD_ROOT, things[ROOT], 0));
	CHECK_OK(OP(AS_CTL, SET_KERNEL_ROOT, things[ROOT])); /* where a vCPU goes on whose space is destroyed */
}

static void home_b(void)
{
	CHECK_OK(HC(AS_LOAD_ROOT, things[ROOT], PV_ROOT_KEEP));
}

static void home(void)
{
	home_b();
	OP(AS_CTL, DESTROY, things[OTHER_ROOT]);
}

static u64 seen_in(u64 space)
{
	CHECK_OK(HC(AS_LOAD_ROOT, space, PV_ROOT_KEEP));
	u64 vector = try_read(TOUCHED);

	return vector == NO_TRAP ? *(volatile u64 *)TOUCHED : vector;
}

static u64 both_spaces(void)
{
	u64 other = seen_in(things[OTHER_ROOT]);

	return other << 32 | seen_in(things[ROOT]);
}

static i64 enter(u64 flags)
{
	i64 result = HC(AS_LOAD_ROOT, things[OTHER_ROOT], flags);

	return result < 0 ? result : try_read(TOUCHED) == NO_TRAP ? 0 : -PV_EFAULT;
}

static i64 enter_keep(void)
{
	return enter(PV_ROOT_KEEP);
}

static i64 enter_fresh(void)
{
	return enter(0);
}

/* Takes the translation away and touches it once that is done: a fault, in whatever space. */
static i64 take_away(void)
{
	for (u32 i = 0; i < 2; i++) {
		*pt_entry(root[i], TOUCHED) = 0;
		CHECK_OK(HC(AS_FLUSH, root_gpa(root[i]), TOUCHED, TOUCHED + PAGE_BYTES, PV_FLUSH_ALL));
	}
	return try_read(TOUCHED) == NO_TRAP ? -PV_EFAULT : 0;
}

static i64 touch(void)
{
	(void)try_read(TOUCHED);
	return 0;
}

#define FLUSH_OTHER DO_CALL(AS_FLUSH, IT(OTHER_ROOT), 0, 0, PV_FLUSH_ALL)
WALKED_PAIR(load_load, .a = RUN(enter_keep), .b = RUN(enter_keep));
WALKED_PAIR(load_load_fresh, .a = RUN(enter_fresh), .b = RUN(enter_fresh));
WALKED_PAIR(load_drop, .a = RUN(enter_keep), .b = DO(AS_CTL, DROP, IT(OTHER_ROOT)));
WALKED_PAIR(load_destroy, .a = RUN(enter_keep), .b = DO(AS_CTL, DESTROY, IT(OTHER_ROOT)));
WALKED_PAIR(load_flush, .a = RUN(enter_fresh), .b = FLUSH_OTHER);
WALKED_PAIR(flush_flush, .a = FLUSH_OTHER, .b = FLUSH_OTHER);
WALKED_PAIR(flush_destroy, .a = FLUSH_OTHER, .b = DO(AS_CTL, DESTROY, IT(OTHER_ROOT)));
WALKED_PAIR(as_destroy_destroy, .a = DO(AS_CTL, DESTROY, IT(OTHER_ROOT)), .b = DO(AS_CTL, DESTROY, IT(OTHER_ROOT)));
WALKED_PAIR(kernel_root_touch, .a = DO(AS_CTL, SET_KERNEL_ROOT, IT(ROOT)), .b = RUN(touch));
WALKED_PAIR(take_away_touch, .a = RUN(take_away), .b = RUN(touch));
WALKED_PAIR(take_away_load, .a = RUN(take_away), .b = DO_CALL(AS_LOAD_ROOT, IT(ROOT), 0));

/* A third vCPU, which stands still, is put into the space that goes. */
static i64 put_third(void)
{
	struct pv_vcpu_gpr gpr = vcpu_gpr_for(2, home_b);

	gpr.root = things[OTHER_ROOT];
	OP(VCPU_CTL, CREATE, PV_SELF, 2);
	*(struct pv_vcpu_gpr *)this_abi_cpu()->vcs->batch = gpr;
	return OP(VCPU_REGS, SET, PV_SELF, 2);
}

WALKED_PAIR(put_destroy, .a = RUN(put_third), .b = DO(AS_CTL, DESTROY, IT(OTHER_ROOT)));
WALKED_PAIR(put_load, .a = RUN(put_third), .b = RUN(enter_fresh));
