// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_oracle.c - random guests against the rule of x86: an access may use any value an entry has had
 * since this CPU last forgot the address, and no other; a fault must be explained by the value the
 * entry has now; frames that were taken away are never seen again.
 *
 * Two CPUs, each with a vCPU of the same domain, three spaces over shared and separate entries, in
 * the low half as the guest's user and kernel, at every capacity. Time counts steps. In a fused domain who has the
 * same translations as the other mode may use what that one was allowed; a fault must be explained all the same.
 */
#include "guest.h"

#include <stdio.h>
#include <string.h>

#define SPACES 3
#define PAGES 24 /* watched addresses per space */
#define FRAMES 64
#define DATA 1024
#define HISTORY 64
#define CPUS 2

struct past {
	u64 when, entry;
};

static struct domain *dom;
static struct guest guest;
static struct vcpu *vcpu[CPUS];
static gfn_t root[SPACES];
static u32 in_space[CPUS];
static struct past history[SPACES][PAGES][HISTORY];
static u32 nr_past[SPACES][PAGES];
static u64 flushed[CPUS][SPACES][PAGES];
static u64 gone[FRAMES]; /* when the frame was last taken away and replaced */
static u64 now, seed;

static u32 rnd(u32 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)((seed >> 11) % n);
}

/* Neighbours, other leaf tables, other upper tables. */
static vaddr_t page_va(u32 p)
{
	static const vaddr_t bases[] = { 0x10000, 0x200000, 0x3fe00000, 0x40000000, 0x7fff00000000,
					 0x8000000000 };

	return bases[p / 4] + ((vaddr_t)(p % 4) << 12);
}

static u64 *entry_of(u32 s, u32 p)
{
	return guest_entry(&guest, root[s], page_va(p), 12);
}

static void remember(u32 s, u32 p)
{
	u32 n = nr_past[s][p];

	if (n == HISTORY) {
		memmove(history[s][p], history[s][p] + 1, sizeof(history[s][p]) - sizeof(struct past));
		n--;
	}
	history[s][p][n] = (struct past){ now, *entry_of(s, p) };
	nr_past[s][p] = n + 1;
}

static void change_entry(void)
{
	static const u64 flags[] = { 0, RO, RW, RW & ~PTE_D, RO & ~PTE_A, KRW, KRW & ~PTE_D, RW | PTE_NX };
	u32 s = rnd(SPACES), p = rnd(PAGES);

	*entry_of(s, p) = (u64)(DATA + rnd(FRAMES)) << 12 | flags[rnd(8)];
	remember(s, p);
}

static void forget(u32 cpu, u32 s, u32 from, u32 to)
{
	for (u32 p = from; p < to; p++)
		flushed[cpu][s][p] = now;
}

static void flush(u32 cpu)
{
	u32 s = rnd(SPACES), p = rnd(PAGES), n = 1 + rnd(3);
	bool all = rnd(2), whole = rnd(6) == 0;
	vaddr_t start = page_va(p), end = start + ((vaddr_t)n << 12);
	u32 last = p;

	if (rnd(2))
		s = in_space[cpu];
	while (last < PAGES && page_va(last) >= start && page_va(last) < end)
		last++;
	assert_int_equal(aspace_flush(vcpu[cpu], root[s] << 12, whole ? 0 : start, whole ? 0 : end,
				      all ? PV_FLUSH_ALL : 0), 0);
	for (u32 c = 0; c < CPUS; c++)
		if (c == cpu || all)
			forget(c, s, whole ? 0 : p, whole ? PAGES : last);
}

static void load_root(u32 cpu)
{
	u32 s = rnd(SPACES);
	bool keep = rnd(2);

	assert_int_equal(aspace_load_root(vcpu[cpu], root[s] << 12, keep ? PV_ROOT_KEEP : 0), 0);
	in_space[cpu] = s;
	if (!keep)
		forget(cpu, s, 0, PAGES);
}

/* Does a value the entry has or had allow this to who has to fault for it? */
static bool allows(u64 e, u32 mode, enum host_access how)
{
	if (!(e & PTE_P) || (mode == MODE_USER && !(e & PTE_U)))
		return false;
	if (how == HOST_WRITE && !(e & PTE_W))
		return false;
	if (how == HOST_EXEC && ((e & PTE_NX) || (mode == MODE_KERNEL && (e & PTE_U))))
		return false;
	return true;
}

/* The same, to who may find it filled. */
static bool shows(u64 e, u32 mode, enum host_access how)
{
	if (dom->mm.fused)
		return allows(e, MODE_USER, how) || allows(e, MODE_KERNEL, how);
	return allows(e, mode, how);
}

/* Is what was seen a value since the last flush here? */
static bool explained(u32 cpu, u32 s, u32 p, u32 mode, enum host_access how, gfn_t gfn)
{
	const struct past *h = history[s][p];

	for (u32 i = nr_past[s][p]; i-- > 0;) {
		if (shows(h[i].entry, mode, how) && (h[i].entry & PTE_ADDR) >> 12 == gfn)
			return true;
		if (h[i].when <= flushed[cpu][s][p])
			return false; /* this one was in force at the flush: older ones are forgotten */
	}
	return nr_past[s][p] == HISTORY; /* more than remembered */
}

static bool settled(u32 cpu, u32 s, u32 p)
{
	return history[s][p][nr_past[s][p] - 1].when <= flushed[cpu][s][p];
}

static void access_page(u32 cpu)
{
	u32 p = rnd(PAGES), s = in_space[cpu], mode;
	enum host_access how = (enum host_access)rnd(3);
	u64 error = 0, e = *entry_of(s, p), tag;
	char *ptr = NULL;

	if (rnd(20) == 0) /* it forgets all, so not too often */
		host_set_mode(vcpu[cpu], rnd(2));
	mode = vcpu[cpu]->mode;
	if (host_access(page_va(p), how, &ptr, &error) == HOST_FAULT) {
		assert_false(allows(e, mode, how));
		assert_int_equal(error & 1, e & PTE_P ? 1 : 0);
		return;
	}
	tag = *(u64 *)((uintptr_t)ptr & ~4095ull);
	if (!explained(cpu, s, p, mode, how, tag & 0xffffffff))
		fail_msg("step %lu cpu %u space %u page %u mode %u access %d saw gfn %lx, entry %lx", now,
			 cpu, s, p, mode, how, tag & 0xffffffff, e);
	assert_true(tag >> 32 == gone[(tag & 0xffffffff) - DATA]);
	if (settled(cpu, s, p)) {
		e = *entry_of(s, p);
		assert_true(e & PTE_A);
		assert_true(how != HOST_WRITE || (e & PTE_D));
	}
}

/* The hypervisor's side: a frame is taken, another one comes in its place. */
static void replace_frame(void)
{
	u32 f = rnd(FRAMES);

	assert_int_equal(mem_release(dom, DATA + f, 1), 1);
	assert_int_equal(mem_populate(dom, DATA + f, 1), 1);
	gone[f]++;
	*(u64 *)guest_page(dom, DATA + f) = gone[f] << 32 | (DATA + f);
}

static void drop_or_destroy(u32 cpu)
{
	u32 s = rnd(SPACES);

	for (u32 c = 0; c < CPUS; c++)
		if (in_space[c] == s)
			return;
	assert_int_equal(aspace_ctl(vcpu[cpu], rnd(2) ? PV_AS_CTL_DROP : PV_AS_CTL_DESTROY,
				    root[s] << 12), 0);
	for (u32 c = 0; c < CPUS; c++)
		forget(c, s, 0, PAGES);
}

static void step(u32 cpu)
{
	u32 r = rnd(100);

	now++;
	host_be(cpu);
	if (r < 60) {
		access_page(cpu);
		return;
	}
	host_leave_guest();
	if (r >= 78 && vcpu[cpu]->mode == MODE_USER)
		host_set_mode(vcpu[cpu], MODE_KERNEL); /* who calls */
	if (r < 78)
		change_entry();
	else if (r < 88)
		flush(cpu);
	else if (r < 93)
		load_root(cpu);
	else if (r < 96)
		host_event(vcpu[cpu]);
	else if (r < 98)
		replace_frame();
	else
		drop_or_destroy(cpu);
	host_enter_guest();
}

static void run(u64 kmem, u32 tables, u64 with_seed)
{
	struct levels_seen before;

	host_machine_init(MIB(64), CPUS, NULL);
	before = levels_now();
	seed = with_seed * 0x9e3779b97f4a7c15ull | 1;
	now = 1;
	memset(nr_past, 0, sizeof(nr_past));
	memset(gone, 0, sizeof(gone));
	dom = host_domain(PV_KIND_WALKED, 4096, kmem, tables);
	guest = (struct guest){ dom, 1 };
	guest_populate(dom, 0, DATA + FRAMES);
	guest_tag(dom, DATA, FRAMES);
	for (u32 s = 0; s < SPACES; s++) {
		root[s] = guest_table(&guest);
		for (u32 p = 0; p < PAGES; p++)
			remember(s, p);
	}
	for (u32 c = 0; c < CPUS; c++) {
		host_be(c);
		vcpu[c] = host_vcpu(dom, c);
		host_run(vcpu[c]);
		assert_int_equal(aspace_load_root(vcpu[c], root[c] << 12, 0), 0);
		in_space[c] = c;
		for (u32 s = 0; s < SPACES; s++)
			forget(c, s, 0, PAGES);
	}
	for (u32 i = 0; i < 40000; i++) {
		step(rnd(CPUS));
		if (i % 64 == 0)
			mm_check(dom);
	}
	host_domain_free(dom);
	assert_levels(before);
}

static void test_oracle(void **state)
{
	const char *env = getenv("ORACLE_SEEDS");
	u64 seeds = env ? strtoull(env, NULL, 0) : 3;
	(void)state;

	for (u64 i = 1; i <= seeds; i++) {
		run(1000, PV_VTLB_MAX, i);
		run(1000, 16, i + 1000);
		run(1000, 0, i + 2000);
		run(64, PV_VTLB_MAX, i + 3000);
		host_fused = true;
		run(1000, PV_VTLB_MAX, i + 4000);
		run(1000, 16, i + 5000);
		run(1000, 0, i + 6000);
		run(64, PV_VTLB_MAX, i + 7000);
		host_fused = false;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_oracle) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
