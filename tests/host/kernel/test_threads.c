// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_threads.c - real concurrency: a thread per CPU, pauses at race points, free frames poisoned.
 *
 * Each test runs once for every seed, which decides what the threads do and where they pause; not who is
 * faster, so that a seed which failed is worth running again but need not fail again.
 * THREADS_SEEDS=first-last and THREADS_MS=milliseconds per run choose others than the usual.
 *
 * Guest instructions are atomic against interrupts, as on hardware: a CPU that translated an address
 * uses it before it polls. So once a flush of all CPUs has returned, nobody may reach what was
 * there before, and the tests make whatever was there before deadly.
 */
#include "cap.h"
#include "grant.h"
#include "guest.h"
#include "tlbflush.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define CPUS 3
#define DATA 1024
#define PAGES 48
#define DEAD 0xdeaddeaddeaddeadull

static struct domain *dom, *owner;
static struct guest guest;
static struct vcpu *vcpu[CPUS];
static gfn_t roots[4];
static bool stop;
static u32 working; /* threads that have not come to their end */
static u64 milliseconds = 200, first_seed = 1, last_seed = 20, seed;

struct worker {
	pthread_t thread;
	u32 cpu;
	void (*body)(u32 cpu);
	u64 rounds;
};

static u64 rnd(void)
{
	static __thread u64 state;

	if (!state)
		state = 0x9e3779b97f4a7c15ull * (seed * CPUS + this_cpu()->id + 17);
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 9;
}

static bool stopping(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void *run_worker(void *arg)
{
	struct worker *w = arg;

	host_be(w->cpu);
	while (!stopping()) {
		w->body(w->cpu);
		__atomic_fetch_add(&w->rounds, 1, __ATOMIC_RELAXED);
	}
	/* Idle from here on, as a CPU is: whoever still works may wait for its epoch to pass here. */
	host_run(NULL);
	__atomic_fetch_sub(&working, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&working, __ATOMIC_RELAXED)) {
		host_poll();
		sched_yield();
	}
	return NULL;
}

static void run_all(void (*const bodies[])(u32), u32 n)
{
	struct worker w[CPUS];

	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	__atomic_store_n(&working, n, __ATOMIC_RELAXED);
	host_race_seed = seed;
	host_threads = true;
	for (u32 i = 0; i < n; i++) {
		w[i] = (struct worker){ .cpu = i, .body = bodies[i] };
		pthread_create(&w[i].thread, NULL, run_worker, &w[i]);
	}
	usleep((useconds_t)milliseconds * 1000);
	for (u32 i = 0; i < n; i++) /* on a busy machine one may not have come to anything yet */
		while (!__atomic_load_n(&w[i].rounds, __ATOMIC_RELAXED))
			usleep(1000);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (u32 i = 0; i < n; i++) {
		pthread_join(w[i].thread, NULL);
		printf("  seed %lu, cpu %u: %lu rounds\n", (unsigned long)seed, i, (unsigned long)w[i].rounds);
	}
	host_threads = false;
	host_be(0);
}

static void start(u64 kmem, u32 tables)
{
	host_machine_init(MIB(64), CPUS, NULL);
	dom = host_domain(PV_KIND_WALKED, 4096, kmem, tables);
	guest = (struct guest){ dom, 1 };
	guest_populate(dom, 0, DATA + 512);
	guest_tag(dom, DATA, 512);
	for (u32 r = 0; r < 4; r++) {
		roots[r] = guest_table(&guest);
		for (u64 i = 0; i < PAGES; i++)
			guest_map(&guest, roots[r], (i + 1) << 19, DATA + i, RW);
	}
	for (u32 c = 0; c < CPUS; c++) {
		host_be(c);
		vcpu[c] = host_vcpu(dom, c);
		host_run(vcpu[c]);
		assert_int_equal(aspace_load_root(vcpu[c], roots[0] << 12, 0), 0);
	}
	host_be(0);
}

static u64 read_page(vaddr_t va)
{
	u64 error = 0;
	char *p = NULL;
	enum host_result r = host_access(va, HOST_READ, &p, &error);

	if (r != HOST_OK)
		panic("access to %lx: result %d", (unsigned long)va, (int)r);
	return *(volatile u64 *)((uintptr_t)p & ~4095ull);
}

/* ---- PTE changes with FLUSH_ALL against readers ---- */

static void reader(u32 cpu)
{
	(void)cpu;
	if (read_page(((rnd() % PAGES) + 1) << 19) == DEAD)
		panic("a frame was reached after its flush");
}

static gfn_t spare, at[PAGES]; /* the writer's: the frame it has over, and which is where */

static void writer(u32 cpu)
{
	u32 i = (u32)(rnd() % PAGES);
	vaddr_t va = (vaddr_t)(i + 1) << 19;
	gfn_t old = at[i];

	host_leave_guest();
	*(u64 *)guest_page(dom, spare) = spare;
	__atomic_store_n(guest_entry(&guest, roots[0], va, 12), spare << 12 | RW, __ATOMIC_SEQ_CST);
	if (aspace_flush(vcpu[cpu], roots[0] << 12, va, va + PAGE_SIZE, PV_FLUSH_ALL))
		panic("flush");
	*(volatile u64 *)guest_page(dom, old) = DEAD;
	at[i] = spare;
	spare = old;
	host_enter_guest();
}

static void test_flush_all(void **state)
{
	static void (*const bodies[])(u32) = { writer, reader, reader };
	(void)state;

	for (seed = first_seed; seed <= last_seed; seed++) {
		start(1000, PV_VTLB_MAX);
		spare = DATA + PAGES;
		for (u32 i = 0; i < PAGES; i++)
			at[i] = DATA + i;
		run_all(bodies, CPUS);
		host_domain_free(dom);
	}
}

/* ---- frames released and populated by another domain's hand, spaces and tables coming and going ---- */

static void releaser(u32 cpu)
{
	gfn_t gfn = DATA + rnd() % PAGES;

	(void)cpu;
	host_leave_guest();
	if (mem_release(dom, gfn, 1 + rnd() % 3) > 0)
		while (mem_populate(dom, gfn, 1) == 1)
			gfn++;
	host_enter_guest();
}

static void churner(u32 cpu)
{
	u64 r = rnd() % 64;

	if (r < 56) {
		(void)read_page(((rnd() % PAGES) + 1) << 19);
		return;
	}
	host_leave_guest();
	if (r < 60) {
		if (aspace_load_root(vcpu[cpu], roots[rnd() % 4] << 12, rnd() & 1))
			panic("load root");
	} else if (r < 62) {
		(void)aspace_flush(vcpu[cpu], PV_FOREVER, 0, 0, rnd() & 1);
	} else if (r < 63) {
		(void)aspace_ctl(vcpu[cpu], PV_AS_CTL_DROP, roots[rnd() % 4] << 12);
	} else {
		(void)aspace_flush(vcpu[cpu], PV_FOREVER, 1 << 19, 12 << 19, rnd() & 1);
	}
	host_enter_guest();
}

static void test_release(void **state)
{
	static void (*const bodies[])(u32) = { releaser, churner, churner };
	static const struct {
		u64 kmem;
		u32 tables;
	} sizes[] = { { 1000, PV_VTLB_MAX }, { 56, PV_VTLB_MAX }, { 1000, 16 }, { 1000, 0 } };
	(void)state;

	for (u32 i = 0; i < ARRAY_SIZE(sizes) * (last_seed - first_seed + 1); i++) {
		u32 size = i % ARRAY_SIZE(sizes);
		struct levels_seen before;

		seed = first_seed + i / ARRAY_SIZE(sizes);
		start(sizes[size].kmem, sizes[size].tables);
		before = (struct levels_seen){ .frames = frame_total() };
		run_all(bodies, CPUS);
		host_domain_free(dom);
		assert_levels(before);
	}
}

/* ---- grants mapped, unmapped and revoked while the holder runs ---- */

static i64 shared_handle;

static void granter(u32 cpu)
{
	i64 handle;

	(void)cpu;
	host_leave_guest();
	handle = grant_create(owner, owner, rnd() % 64, 4, 3);
	if (handle > 0) {
		struct cap *c = host_cap((u64)handle);

		__atomic_store_n(&shared_handle, handle, __ATOMIC_SEQ_CST);
		host_enter_guest();
		for (u32 i = 0; i < 20; i++) {
			host_poll();
			sched_yield();
		}
		host_leave_guest();
		while (grant_revoke(c) == -PV_EAGAIN)
			;
		/* Nobody has it any more: the frames go, poisoned. */
		for (gfn_t g = 0; g < 68; g++)
			if (mem_release(owner, g, 1) == 1)
				(void)mem_populate(owner, g, 1);
		cap_unreserve(owner, (u64)handle);
	}
	host_enter_guest();
}

static void user(u32 cpu)
{
	gfn_t base = 3000 + cpu * 8;
	u64 r = rnd() % 32;

	if (r < 28) {
		(void)read_page((base + rnd() % 4) << 12);
		return;
	}
	host_leave_guest();
	if (r < 30) {
		i64 handle = __atomic_load_n(&shared_handle, __ATOMIC_SEQ_CST);
		struct cap c = *(handle ? host_cap((u64)handle) : &(struct cap){ 0 });

		if (c.type == PV_CAP_GRANT)
			(void)grant_map(dom, &c, base, 4, rnd() & 1);
	} else {
		(void)grant_unmap(dom, base, 4);
	}
	host_enter_guest();
}

static void test_grants(void **state)
{
	static void (*const bodies[])(u32) = { granter, user, user };
	struct levels_seen before;
	(void)state;

	for (seed = first_seed; seed <= last_seed; seed++) {
		host_machine_init(MIB(64), CPUS, NULL);
		before = levels_now();
		dom = host_domain(PV_KIND_WALKED, 4096, 1000, PV_VTLB_MAX);
		owner = host_domain(PV_KIND_EXPLICIT, 256, 100, PV_VTLB_MAX);
		guest_populate(dom, 0, 16);
		guest_populate(owner, 0, 68);
		for (u32 c = 1; c < CPUS; c++) {
			host_be(c);
			vcpu[c] = host_vcpu(dom, c); /* linear translation */
			host_run(vcpu[c]);
		}
		host_be(0);
		host_run(host_vcpu(owner, 0));
		run_all(bodies, CPUS);
		host_domain_free(dom);
		host_domain_free(owner);
		assert_levels(before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flush_all),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_grants),
	};
	const char *seeds = getenv("THREADS_SEEDS"), *ms = getenv("THREADS_MS");

	if (ms)
		milliseconds = strtoull(ms, NULL, 10);
	if (seeds && sscanf(seeds, "%lu-%lu", &first_seed, &last_seed) == 1)
		last_seed = first_seed;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
