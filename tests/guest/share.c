/* SPDX-License-Identifier: BSD-2-Clause */
/* share.c - memory of several processes: copy on write and shared mappings. */
#include <sys/ipc.h>
#include <sys/shm.h>
#include "gt.h"

#define PAGES 32u

static void stamp(volatile uint64_t *area, uint64_t seed)
{
	for (uint64_t i = 0; i < PAGES; i++)
		area[i * PAGE / 8] = gt_mix(seed * 1000 + i);
}

static void stamped(volatile const uint64_t *area, uint64_t seed)
{
	for (uint64_t i = 0; i < PAGES; i++)
		CHECK_EQ(area[i * PAGE / 8], gt_mix(seed * 1000 + i));
}

static void copy_child(void *arg)
{
	volatile uint64_t *area = arg;

	stamped(area, 1);
	stamp(area, 2);
	stamped(area, 2);
}

/* The child's writes are its own, whichever side writes first. */
static void copy_on_write(void)
{
	uint64_t *area = gt_pages(PAGES * PAGE, PROT_READ | PROT_WRITE);

	for (unsigned int i = 0; i < gt_rounds(20); i++) {
		pid_t pid;

		stamp(area, 1);
		pid = gt_fork(copy_child, area);
		if (i & 1)
			stamp(area, 1);
		gt_join(pid);
		stamped(area, 1);
		stamp(area, 3);
	}
}

/* The parent writes while the child still looks. */
static void parent_writes_first(void)
{
	uint64_t *area = gt_pages(PAGES * PAGE, PROT_READ | PROT_WRITE);
	volatile uint32_t *word = gt_shared(PAGE);

	for (uint32_t i = 0; i < gt_rounds(20); i++) {
		pid_t pid;

		stamp(area, i);
		pid = SYS(fork());
		if (pid == 0) {
			gt_wait_for(word, i + 1);
			stamped(area, i);
			stamp(area, i + 7);
			stamped(area, i + 7);
			_exit(0);
		}
		stamp(area, i + 1);
		gt_set(word, i + 1);
		gt_join(pid);
		stamped(area, i + 1);
	}
}

/* A tree of processes, each writing the pages it inherited. */
static void tree(volatile uint64_t *area, uint64_t seed, unsigned int depth)
{
	pid_t pids[2] = { 0, 0 };

	stamped(area, seed);
	if (depth > 0) {
		for (int i = 0; i < 2; i++) {
			pids[i] = SYS(fork());
			if (pids[i] == 0) {
				uint64_t mine = seed * 2 + (uint64_t)i;

				stamped(area, seed);
				stamp(area, mine);
				tree(area, mine, depth - 1);
				_exit(0);
			}
		}
		for (int i = 0; i < 2; i++)
			gt_join(pids[i]);
	}
	stamped(area, seed);
}

static void copy_tree(void)
{
	uint64_t *area = gt_pages(PAGES * PAGE, PROT_READ | PROT_WRITE);

	stamp(area, 1);
	tree(area, 1, gt_scale > 1 ? 2 : 4);
}

/* Pages that were read-only when copied and become writable later. */
static void copy_then_rights(void)
{
	uint64_t *area = gt_pages(PAGES * PAGE, PROT_READ | PROT_WRITE);
	pid_t pid;

	stamp(area, 1);
	SYS(mprotect(area, PAGES * PAGE, PROT_READ));
	pid = SYS(fork());
	if (pid == 0) {
		SYS(mprotect(area, PAGES * PAGE, PROT_READ | PROT_WRITE));
		stamped(area, 1);
		stamp(area, 9);
		stamped(area, 9);
		_exit(0);
	}
	SYS(mprotect(area, PAGES * PAGE, PROT_READ | PROT_WRITE));
	stamp(area, 4);
	gt_join(pid);
	stamped(area, 4);
}

static void count_child(void *arg)
{
	volatile uint64_t *area = arg;

	for (unsigned int i = 0; i < gt_rounds(2000); i++)
		__atomic_fetch_add(&area[(i % PAGES) * PAGE / 8], 1, __ATOMIC_RELAXED);
}

/* Shared anonymous memory is one memory. */
static void shared_counters(void)
{
	uint64_t *area = gt_shared(PAGES * PAGE), sum = 0;
	pid_t pids[6];

	for (int i = 0; i < 6; i++)
		pids[i] = gt_fork(count_child, area);
	for (int i = 0; i < 6; i++)
		gt_join(pids[i]);
	for (unsigned int i = 0; i < PAGES; i++)
		sum += area[i * PAGE / 8];
	CHECK_EQ(sum, 6ul * gt_rounds(2000));
}

/* A token goes around: one word per page, each process sees what its neighbour wrote. */
static void ring(void)
{
	volatile uint32_t *word = gt_shared(PAGE);
	volatile uint64_t *area = gt_shared(PAGES * PAGE);
	unsigned int members = 8, rounds = gt_rounds(30);
	pid_t pids[8];

	for (uint32_t m = 0; m < members; m++) {
		pids[m] = SYS(fork());
		if (pids[m] != 0)
			continue;
		for (uint32_t r = 0; r < rounds; r++) {
			uint32_t turn = r * members + m;

			gt_wait_for(word, turn);
			if (turn)
				stamped(area, turn - 1);
			stamp(area, turn);
			gt_set(word, turn + 1);
		}
		_exit(0);
	}
	for (uint32_t m = 0; m < members; m++)
		gt_join(pids[m]);
	stamped(area, (uint64_t)rounds * members - 1);
}

/* System V memory at different addresses in two processes. */
static void system_v(void)
{
	int id = SYS(shmget(IPC_PRIVATE, PAGES * PAGE, IPC_CREAT | 0600));
	volatile uint64_t *here = shmat(id, NULL, 0);
	pid_t pid;

	CHECK(here != (void *)-1);
	SYS(shmctl(id, IPC_RMID, NULL));
	stamp(here, 5);
	pid = SYS(fork());
	if (pid == 0) {
		char *other = gt_pages(PAGES * PAGE, PROT_NONE);
		volatile uint64_t *there = shmat(id, other, SHM_REMAP);

		CHECK(there == (void *)other);
		stamped(there, 5);
		stamp(there, 6);
		SYS(shmdt((void *)there));
		_exit(0);
	}
	gt_join(pid);
	stamped(here, 6);
}

/* A page that goes through a pipe without being copied, and is then changed. */
static void fork_while_dirty(void)
{
	size_t pages = gt_rounds(1024);
	volatile uint64_t *area = gt_pages(pages * PAGE, PROT_READ | PROT_WRITE);

	for (unsigned int round = 0; round < 3; round++) {
		pid_t pid;

		for (size_t i = 0; i < pages; i++)
			area[i * PAGE / 8] = gt_mix(i + round);
		pid = SYS(fork());
		if (pid == 0) {
			for (size_t i = 0; i < pages; i++) {
				CHECK_EQ(area[i * PAGE / 8], gt_mix(i + round));
				if (i % 3 == 0)
					area[i * PAGE / 8] = 0;
			}
			_exit(0);
		}
		for (size_t i = 0; i < pages; i += 2)
			area[i * PAGE / 8]++;
		gt_join(pid);
		for (size_t i = 0; i < pages; i++)
			CHECK_EQ(area[i * PAGE / 8], gt_mix(i + round) + (i % 2 == 0));
	}
}

ROOM(share,
	{ "copy_on_write", copy_on_write, 0 },
	{ "parent_writes_first", parent_writes_first, 0 },
	{ "copy_tree", copy_tree, 0 },
	{ "copy_then_rights", copy_then_rights, 0 },
	{ "shared_counters", shared_counters, 0 },
	{ "ring", ring, 0 },
	{ "system_v", system_v, 0 },
	{ "fork_while_dirty", fork_while_dirty, GT_LONG });
