/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * race_memory.c - memory that changes hands while others use it: fills against flushes, and revoking
 * against use. What must not be reached any more is made deadly at once.
 *
 * The word at the start of a page says what it is. Readers and writers of a page run on vCPUs of their
 * own; boot parameters abi.seed and (in ringfence-race.elf) race decide who meets whom.
 */
#include <string.h>

#include "../lib/abitest.h"
#include "../lib/pagetable.h"
#include "../lib/turns.h"

#define DEAD 0xdeaddeaddeaddeadull
#define ROUNDS 200

/* ---- fill against flush ---- */

#define AREA 0x10000000000ull
#define PLACES 72u /* more tables than the small capacity has */
#define STRIDE (2ull << 20)
#define SPARES 8u
#define BLOCK_VA (AREA + PLACES * STRIDE)
#define BLOCK_PAGES 512u
#define PT_PS 0x80ull
#define TAG(place) (0x5a5a00000000ull + (place))

static u64 *roots[2];
static volatile u64 stopping, readers, reads, wrong, wrong_at;
static u64 frame_at[PLACES], spares[SPARES], block_gfn;
static u64 block_alternative; /* gfn that stands for one page of the block in its small-page form */
static u64 *block_table, *block_directory; /* its small-page form; the table with its entry */

static u64 place_va(u32 place)
{
	return AREA + place * STRIDE;
}

/* The 1:1 view of a frame of the heap; others have a window of their own. */
static volatile u64 *page_of(u64 gfn)
{
	return (volatile u64 *)(gfn << PV_PAGE_SHIFT);
}

static void report_wrong(u64 va, u64 value)
{
	if (!__atomic_exchange_n(&wrong_at, va, __ATOMIC_ACQ_REL))
		store_release(&share->word[20], value);
	store_release(&wrong, 1);
}

/* Many loads in a row without a branch: where CPUs run at once, one is nearly always among them. */
static void read_place(u32 place)
{
	u64 va = place_va(place), want = TAG(place), value, differs = 0;

	__asm__ volatile(".rept 120\n\tmov (%[va]), %[value]\n\txor %[want], %[value]\n\t"
			 "or %[value], %[differs]\n\t.endr"
			 : [value] "=&r"(value), [differs] "+r"(differs)
			 : [va] "r"(va), [want] "r"(want)
			 : "memory", "cc");
	if (differs)
		report_wrong(va, want ^ differs);
}

static void read_block(u32 page)
{
	u64 va = BLOCK_VA + page * PAGE_BYTES, value = *(volatile u64 *)va;

	if (value != TAG(1000 + page))
		report_wrong(va, value);
}

/* Reads, stores beside what is read, and now and then changes to the other root. */
static void read_on(void)
{
	struct random r;

	random_seed(&r, share->word[1] * 100 + this_abi_cpu()->vcs->vcpu);
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(roots[0]), 0));
	__atomic_fetch_add(&readers, 1, __ATOMIC_ACQ_REL);
	while (!load_acquire(&stopping)) {
		u32 place = (u32)random_below(&r, PLACES);

		switch (random_below(&r, 8)) {
		case 0:
			HC(AS_LOAD_ROOT, root_gpa(roots[random_below(&r, 2)]), random_below(&r, 2));
			break;
		case 1:
			try_write(place_va(place) + 8, random_next(&r));
			break;
		case 2:
		case 3:
			read_block((u32)random_below(&r, 4));
			break;
		default:
			read_place(random_below(&r, 2) ? place % 4 : place);
		}
		__atomic_fetch_add(&reads, 1, __ATOMIC_RELAXED);
		some_turns(&r);
	}
	__atomic_fetch_sub(&readers, 1, __ATOMIC_ACQ_REL);
}

static void flush_both(u64 va, u64 bytes)
{
	for (u32 i = 0; i < 2; i++)
		CHECK_OK(HC(AS_FLUSH, root_gpa(roots[i]), va, va + bytes, PV_FLUSH_ALL));
}

/* The place gets another frame; the old one is poisoned, or given back and taken anew. */
static void replace(struct random *r, u32 place)
{
	u32 spare = (u32)random_below(r, SPARES);
	u64 old = frame_at[place], gfn = spares[spare];

	page_of(gfn)[0] = TAG(place);
	*pt_entry(roots[0], place_va(place)) = gfn << 12 | PT_P | PT_W | PT_U;
	if (random_below(r, 4)) {
		flush_both(place_va(place), PAGE_BYTES);
		page_of(old)[0] = DEAD;
	} else {
		CHECK_EQ(OP(MEM_CTL, RELEASE, PV_SELF, old, 1), 1);
		CHECK_EQ(OP(MEM_CTL, POPULATE, PV_SELF, old, 1), 1);
		page_of(old)[0] = DEAD;
	}
	frame_at[place] = gfn;
	spares[spare] = old;
}

/* Without W no store lands once the flush is back. */
static void guard(struct random *r, u32 place)
{
	u64 *entry = pt_entry(roots[0], place_va(place)), before;

	/* Without A and D the next store sets them: just when W may be taken away again. */
	__atomic_fetch_and(entry, ~(PT_A | PT_D), __ATOMIC_SEQ_CST);
	flush_both(place_va(place), PAGE_BYTES);
	pause_for(random_below(r, 8));
	__atomic_fetch_and(entry, ~PT_W, __ATOMIC_SEQ_CST);
	flush_both(place_va(place), PAGE_BYTES);
	before = page_of(frame_at[place])[1];
	pause_for(1ull << random_below(r, 6));
	if (page_of(frame_at[place])[1] != before || (*(volatile u64 *)entry & PT_W))
		report_wrong(place_va(place) + 8, before);
	__atomic_fetch_or(entry, PT_W, __ATOMIC_SEQ_CST);
}

/* A large page becomes small ones with another frame among them, and large again. */
static void split(struct random *r)
{
	u64 *slot = &block_directory[BLOCK_VA >> 21 & 511];
	u32 page = (u32)random_below(r, 4);
	u64 inside = block_gfn + page;

	for (u32 i = 0; i < BLOCK_PAGES; i++)
		block_table[i] = (block_gfn + i) << 12 | PT_P | PT_W | PT_U | PT_A | PT_D;
	page_of(block_alternative)[0] = TAG(1000 + page);
	block_table[page] = block_alternative << 12 | PT_P | PT_W | PT_U;
	__atomic_store_n(slot, (u64)block_table | PT_P | PT_W | PT_U, __ATOMIC_SEQ_CST);
	flush_both(BLOCK_VA, STRIDE);
	page_of(inside)[0] = DEAD;
	some_turns(r);
	page_of(inside)[0] = TAG(1000 + page);
	__atomic_store_n(slot, block_gfn << 12 | PT_P | PT_W | PT_U | PT_PS, __ATOMIC_SEQ_CST);
	flush_both(BLOCK_VA, STRIDE);
	page_of(block_alternative)[0] = DEAD;
	some_turns(r);
}

/* The level-2 table that holds the block's entry. */
static u64 *directory_of(u64 *root, u64 va)
{
	u64 *l3 = (u64 *)(root[va >> 39 & 511] & ~0xfffull & ~PT_NX);

	return (u64 *)(l3[va >> 30 & 511] & ~0xfffull & ~PT_NX);
}

static void build_area(void)
{
	u64 gfn;

	roots[0] = pt_new_root();
	gfn = gfn_of(pages_alloc(PLACES + SPARES + 1));
	for (u32 i = 0; i < PLACES; i++) {
		frame_at[i] = gfn + i;
		page_of(gfn + i)[0] = TAG(i);
		pt_map(roots[0], place_va(i), gfn + i, PT_W | PT_U);
	}
	for (u32 i = 0; i < SPARES; i++)
		spares[i] = gfn + PLACES + i;
	block_alternative = gfn + PLACES + SPARES;
	block_table = pages_alloc(1);
	block_gfn = (free_gfn() + BLOCK_PAGES) & ~(u64)(BLOCK_PAGES - 1);
	populate(PV_SELF, block_gfn, BLOCK_PAGES);
	for (u32 i = 0; i < 4; i++) {
		pt_map(roots[0], (block_gfn + i) << 12, block_gfn + i, PT_W); /* 1:1, for page_of() */
		page_of(block_gfn + i)[0] = TAG(1000 + i);
	}
	/* The second root shares everything below the top. */
	roots[1] = pages_alloc(1);
	memcpy(roots[1], roots[0], PAGE_BYTES);
	block_directory = directory_of(roots[0], BLOCK_VA);
	block_directory[BLOCK_VA >> 21 & 511] = block_gfn << 12 | PT_P | PT_W | PT_U | PT_PS;
}

static void fill_against_flush(void)
{
	struct random r;

	random_seed(&r, share->word[1]);
	build_area();
	events_on(0);
	CHECK_OK(HC(AS_LOAD_ROOT, root_gpa(roots[0]), 0));
	for (u32 i = 1; i < 3; i++)
		vcpu_launch(i, read_on);
	CHECK(wait_for(&readers, 2, 1500));
	for (u32 round = 0; round < ROUNDS && !load_acquire(&wrong); round++) {
		u32 place = (u32)random_below(&r, random_below(&r, 2) ? 4 : PLACES);

		switch (random_below(&r, 4)) {
		case 0:
			guard(&r, place);
			break;
		case 1:
			split(&r);
			break;
		default:
			replace(&r, place);
		}
		some_turns(&r);
		if (load_acquire(&reads) < round) /* nobody to race with: let them come */
			rest();
	}
	store_release(&stopping, 1);
	CHECK(wait_for(&readers, 0, 1500));
	share->word[21] = reads;
	if (wrong)
		abi_fail(__LINE__, "what a flushed translation still gave (address)", share->word[20],
			 wrong_at);
	CHECK(reads > 20);
}

static void fill_with_tables(u32 tables)
{
	struct abi_case opt = *this_case;
	struct child *c;

	opt.tables = tables;
	c = child_make_opt(0, &opt);
	c->share->word[1] = abi_seed();
	child_start(c);
	child_expect_pass(c);
	abi_note("%llu reads met %u changes", (unsigned long long)c->share->word[21], ROUNDS);
	child_destroy(c);
}

#define FILL_OPTIONS .kind = PV_KIND_WALKED, .vcpus = 3, .heap = 320, .extra = 1200, .kmem = 600, \
	.budget_ms = 20000

PV_DRIVER_TEST(race_fill_flush, "PVABI-RAC-001.1", PARTS(fill_against_flush), FILL_OPTIONS)
{
	fill_with_tables(PV_VTLB_MAX);
}

PV_DRIVER_TEST(race_fill_flush_16, "PVABI-RAC-001.1", PARTS(fill_against_flush), FILL_OPTIONS)
{
	fill_with_tables(16); /* far fewer than the places need */
}

PV_DRIVER_TEST(race_fill_flush_0, "PVABI-RAC-001.1", PARTS(fill_against_flush), FILL_OPTIONS)
{
	fill_with_tables(NO_TABLES);
}

/* ---- revoke against use ---- */

#define GRANTED_PAGES 4u
#define GRANT_VA 0x20000000ull
#define HELD 0x1e1d000000000000ull
#define OWNED 0x0123456789abcdefull
#define REVOKES 30u

/* word[0]: the grant's handle, 0 to end; word[10]: vCPUs that ended. */
static u64 window_gfn(void)
{
	return free_gfn() + 64;
}

/* Explicit domains see a gfn through a mapping, walked ones in linear translation 1:1. */
static u64 window_va(void)
{
	return this_case->kind == PV_KIND_WALKED ? window_gfn() << 12 : GRANT_VA;
}

static void store_on(void)
{
	u64 vcpu = this_abi_cpu()->vcs->vcpu, stores = 0;
	struct random r;

	random_seed(&r, share->word[1] * 10 + vcpu);
	while (load_acquire(&share->word[0])) {
		u64 va = window_va() + random_below(&r, GRANTED_PAGES) * PAGE_BYTES + vcpu * 8;

		try_write(va, HELD | ++stores);
		if (random_below(&r, 16) == 0)
			OP(VCPU_CTL, YIELD, PV_SELF);
		some_turns(&r);
	}
	__atomic_fetch_add(&share->word[10], 1, __ATOMIC_ACQ_REL);
}

/* Maps what it is given, again and again; two more vCPUs store through it. */
static void hold(void)
{
	u64 handle;
	struct random r;

	random_seed(&r, share->word[1] * 10);
	events_on(0);
	for (u32 i = 1; i < 3; i++)
		vcpu_launch(i, store_on);
	while ((handle = load_acquire(&share->word[0]))) {
		OP(GRANT_CTL, MAP, handle, window_gfn(), GRANTED_PAGES, 1);
		if (this_case->kind == PV_KIND_EXPLICIT)
			OP(AS_MAP, MAP, PV_SELF, GRANT_VA, window_gfn(), GRANTED_PAGES, RW);
		for (u64 n = random_below(&r, 40); n; n--) {
			try_write(window_va(), HELD | n);
			if (random_below(&r, 8) == 0)
				OP(VCPU_CTL, YIELD, PV_SELF);
			some_turns(&r);
		}
		if (this_case->kind == PV_KIND_EXPLICIT)
			OP(AS_MAP, UNMAP, PV_SELF, GRANT_VA, 0, GRANTED_PAGES);
		for (u64 done = 0; done < GRANTED_PAGES; done++)
			OP(GRANT_CTL, UNMAP, 0, window_gfn() + done, 1);
		some_turns(&r);
		OP(VCPU_CTL, YIELD, PV_SELF);
	}
	CHECK(wait_for(&share->word[10], 2, 1500));
}

static u64 words_held(volatile u64 *frames)
{
	u64 n = 0;

	for (u32 i = 0; i < GRANTED_PAGES; i++)
		for (u32 word = 0; word < 4; word++)
			n += frames[i * 512 + word] >> 48 == HELD >> 48;
	return n;
}

/* One grant: given, used for a while, revoked; then nothing may arrive in it any more. */
static u64 revoke_once(struct child *c, struct random *r, volatile u64 *frames)
{
	u64 grant = TRY(OP(GRANT_CTL, CREATE, PV_SELF, gfn_of((void *)frames), GRANTED_PAGES, GRANT_RW));
	u64 landed, end = clock_ns() + 300 * MS;

	store_release(&c->share->word[0], child_give(c, grant, GRANT_RW));
	while (!words_held(frames) && clock_ns() < end)
		rest();
	pause_for(1ull << random_below(r, 8));
	CHECK_OK(revoke(grant));
	landed = words_held(frames);
	for (u32 i = 0; i < GRANTED_PAGES; i++)
		for (u32 word = 0; word < 4; word++)
			frames[i * 512 + word] = OWNED;
	for (u32 k = 0; k < 8; k++) {
		pause_for(1ull << random_below(r, 6));
		OP(VCPU_CTL, YIELD, PV_SELF);
	}
	for (u32 i = 0; i < GRANTED_PAGES * 512; i++)
		if (frames[i] != OWNED && frames[i])
			abi_fail(__LINE__, "a store landed after REVOKE (value, index)", frames[i], i);
	memset((void *)frames, 0, GRANTED_PAGES * PAGE_BYTES);
	return landed;
}

static void revoke_against_use(void)
{
	volatile u64 *frames = (volatile u64 *)((start->heap_start + 64 * PAGE_BYTES) & ~(PAGE_BYTES - 1));
	struct child *c = child_make(0);
	u64 landed = 0;
	struct random r;

	random_seed(&r, abi_seed());
	memset((void *)frames, 0, GRANTED_PAGES * PAGE_BYTES);
	c->share->word[0] = 1; /* names nothing yet */
	c->share->word[1] = abi_seed();
	CHECK_OK(OP(SCHED_CTL, SET_AFFINITY, c->dom, 2)); /* else each wait is for a slice to end */
	child_start(c);
	for (u32 i = 0; i < REVOKES; i++)
		landed += revoke_once(c, &r, frames);
	store_release(&c->share->word[0], 0);
	child_expect_pass(c);
	abi_note("%llu words of %u grants had been stored to", (unsigned long long)landed, REVOKES);
	CHECK(landed > REVOKES / 2); /* else nothing was raced for */
}

PV_DRIVER_TEST(race_revoke_use, "PVABI-RAC-002.1", PARTS(hold), .vcpus = 3, .cpus = 2,
	       .budget_ms = 20000)
{
	revoke_against_use();
}

PV_DRIVER_TEST(race_revoke_use_walked, "PVABI-RAC-002.1", PARTS(hold), .kind = PV_KIND_WALKED,
	       .vcpus = 3, .cpus = 2, .budget_ms = 20000)
{
	revoke_against_use();
}
