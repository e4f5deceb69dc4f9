// SPDX-License-Identifier: BSD-2-Clause
/*
 * race.c - one thread changes a mapping, another uses it. What a system call has taken away must be gone
 * for the other thread too when the call returns, whichever CPU it runs on.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"

#define TURNS 40u

struct game {
	volatile uint64_t *page;
	volatile uint32_t turn; /* odd: the user's */
	volatile uint32_t stop;
	uint64_t expected;
};

static void play(void *(*user)(void *), void (*change)(struct game *g, unsigned int turn),
		 struct game *g)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, user, g))
		wrong("race: cannot create a thread");
	for (unsigned int turn = 0; turn < TURNS; turn++) {
		wait_for(&g->turn, 2 * turn);
		change(g, turn);
		set(&g->turn, 2 * turn + 1);
	}
	pthread_join(thread, NULL);
}

/* ---- a new page at an old address ---- */

static void *read_replaced(void *arg)
{
	struct game *g = arg;

	for (unsigned int turn = 0; turn < TURNS; turn++) {
		wait_for(&g->turn, 2 * turn + 1);
		if (*g->page != g->expected)
			wrong("replace: %#lx is still seen after turn %u", *g->page, turn);
		*g->page = turn;
		set(&g->turn, 2 * turn + 2);
	}
	return NULL;
}

static void replace(struct game *g, unsigned int turn)
{
	SYS(mmap((void *)g->page, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	g->expected = turn & 1 ? 0 : 0x100 + turn;
	if (g->expected)
		*g->page = g->expected;
}

static void op_replace(struct worker *w)
{
	struct game g = { .page = pages(1) };

	(void)w;
	play(read_replaced, replace, &g);
	SYS(munmap((void *)g.page, PAGE));
}

static void discard(struct game *g, unsigned int turn)
{
	(void)turn;
	SYS(madvise((void *)g->page, PAGE, MADV_DONTNEED));
	g->expected = 0;
}

static void op_discard(struct worker *w)
{
	struct game g = { .page = pages(1) };

	(void)w;
	play(read_replaced, discard, &g);
	SYS(munmap((void *)g.page, PAGE));
}

/* ---- rights taken away ---- */

static __thread sigjmp_buf fault_jump;

static void on_fault(int signo)
{
	siglongjmp(fault_jump, signo);
}

static void *write_protected(void *arg)
{
	struct game *g = arg;

	for (unsigned int turn = 0; turn < TURNS; turn++) {
		volatile int refused = 0;

		wait_for(&g->turn, 2 * turn + 1);
		if (!sigsetjmp(fault_jump, 1))
			*g->page = turn;
		else
			refused = 1;
		if (refused != (int)g->expected)
			wrong("protect: a write was %s in turn %u", refused ? "refused" : "allowed",
			      turn);
		set(&g->turn, 2 * turn + 2);
	}
	return NULL;
}

static void protect(struct game *g, unsigned int turn)
{
	g->expected = turn & 1;
	SYS(mprotect((void *)g->page, PAGE, turn & 1 ? PROT_READ : PROT_READ | PROT_WRITE));
}

static void op_protect(struct worker *w)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER }, old;
	struct game g = { .page = pages(1) };

	(void)w;
	*g.page = 1;
	SYS(sigaction(SIGSEGV, &action, &old));
	play(write_protected, protect, &g);
	SYS(sigaction(SIGSEGV, &old, NULL));
	SYS(munmap((void *)g.page, PAGE));
}

/* ---- a fork while another thread writes: the child's copy stands still ---- */

#define FORK_PAGES 8u

static void *keep_writing(void *arg)
{
	struct game *g = arg;

	set(&g->turn, 1);
	for (uint64_t i = 1; !g->stop; i++)
		for (unsigned int p = 0; p < FORK_PAGES; p++)
			g->page[p * 512] = i;
	return NULL;
}

static void child_of_writer(struct game *g)
{
	uint64_t first[FORK_PAGES];

	for (unsigned int p = 0; p < FORK_PAGES; p++)
		first[p] = g->page[p * 512];
	for (volatile unsigned int i = 0; i < 20000; i++)
		;
	for (unsigned int p = 0; p < FORK_PAGES; p++)
		if (g->page[p * 512] != first[p])
			wrong("fork while writing: the parent writes into page %u of its child", p);
	_exit(0);
}

static void op_fork_writing(struct worker *w)
{
	struct game g = { .page = pages(FORK_PAGES) };
	pthread_t thread;

	if (pthread_create(&thread, NULL, keep_writing, &g))
		wrong("fork while writing: cannot create a thread");
	wait_for(&g.turn, 1);
	for (unsigned int i = 1 + (unsigned int)below(w, 4); i; i--) {
		pid_t pid = SYS(fork());

		if (!pid)
			child_of_writer(&g);
		expect_exit(pid, 0);
	}
	g.stop = 1;
	pthread_join(thread, NULL);
	SYS(munmap((void *)g.page, FORK_PAGES * PAGE));
}

const struct operation race_operations[] = {
	{ "replace", op_replace, 3 },
	{ "discard", op_discard, 3 },
	{ "protect", op_protect, 3 },
	{ "fork_writing", op_fork_writing, 3 },
	{ NULL, NULL, 0 },
};
