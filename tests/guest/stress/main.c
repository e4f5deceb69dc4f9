// SPDX-License-Identifier: BSD-2-Clause
/*
 * main.c - a mix of what makes a kernel's memory and process code sweat, from a seed:
 *
 *	stress [seed=N] [rounds=N] [workers=N] [vm=N] [only=OPERATION] [trace=1]
 *
 * Each worker is a process that runs `rounds` operations chosen at random, each of which checks itself.
 * vm=N names this machine for the counting plugin of the tests (tests/plugin/owner.h). The last line is
 * `stress: good, N operations` or `stress: WRONG: ...`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

#define WORKERS_MAX 64

const char *stress_program;
static unsigned int vm;
static const char *only; /* NULL: all operations */
static bool tracing;

uint64_t next_random(struct worker *w)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return (w->random * 0x2545f4914f6cdd1dull) >> 11;
}

void wrong(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dprintf(1, "stress: WRONG: %s (process %d)\n", text, getpid());
	_exit(99);
}

static void *map(size_t n, int flags)
{
	return SYS(mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0));
}

void *pages(size_t n)
{
	return map(n, MAP_PRIVATE);
}

void *shared_pages(size_t n)
{
	return map(n, MAP_SHARED);
}

void expect_exit(pid_t pid, int code)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			wrong("waitpid: %m");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		wrong("process %d ended with status %#x, exit %d was expected", pid, status, code);
}

void wait_for(volatile uint32_t *word, uint32_t value)
{
	for (;;) {
		uint32_t seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);

		if (seen == value)
			return;
		(void)syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
	}
}

void set(volatile uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	(void)syscall(SYS_futex, word, FUTEX_WAKE, 16, NULL, NULL, 0);
}

/* A displacement is part of the instruction, hence one for each. */
static void tell_name(void)
{
	switch (vm) {
	case 1:
		__asm__ volatile("nopl 0x52470001(%%rax)" ::: "memory");
		break;
	case 2:
		__asm__ volatile("nopl 0x52470002(%%rax)" ::: "memory");
		break;
	}
}

static const struct operation *const groups[] = { process_operations, memory_operations,
						  race_operations };

/* The operation at a place in the shares of all; NULL behind the last: *shares says how many there are. */
static const struct operation *at_share(unsigned int at, unsigned int *shares)
{
	*shares = 0;
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		for (const struct operation *o = groups[g]; o->name; o++) {
			if (only && strcmp(only, o->name))
				continue;
			*shares += o->share;
			if (at < *shares)
				return o;
		}
	return NULL;
}

static const struct operation *choose(struct worker *w)
{
	unsigned int shares;

	(void)at_share(~0u, &shares);
	if (!shares)
		wrong("there is no operation '%s'", only);
	return at_share((unsigned int)below(w, shares), &shares);
}

static void work(unsigned int number, uint64_t seed, unsigned long rounds)
{
	struct worker w = { number, (seed * WORKERS_MAX + number + 1) * 0x9e3779b97f4a7c15ull };

	for (unsigned long i = 0; i < rounds; i++) {
		const struct operation *o = choose(&w);

		tell_name();
		if (tracing)
			dprintf(1, "stress: worker %u: %s\n", number, o->name);
		o->run(&w);
	}
	_exit(0);
}

static unsigned long option(int argc, char **argv, const char *name, unsigned long value)
{
	size_t len = strlen(name);

	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], name, len) && argv[i][len] == '=')
			value = strtoul(argv[i] + len + 1, NULL, 0);
	return value;
}

int main(int argc, char **argv)
{
	unsigned long seed = option(argc, argv, "seed", 1), rounds = option(argc, argv, "rounds", 100);
	unsigned long workers = option(argc, argv, "workers", 2UL * (unsigned long)sysconf(_SC_NPROCESSORS_ONLN));
	pid_t pids[WORKERS_MAX];

	if (argc == 2 && !strncmp(argv[1], "exit=", 5)) /* what the exec operation runs */
		return atoi(argv[1] + 5);
	if (!workers || workers > WORKERS_MAX)
		wrong("workers must be 1 to %d", WORKERS_MAX);
	vm = (unsigned int)option(argc, argv, "vm", 0);
	tracing = option(argc, argv, "trace", 0);
	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], "only=", 5))
			only = argv[i] + 5;
	stress_program = "/proc/self/exe";
	for (unsigned int i = 0; i < workers; i++) {
		pids[i] = SYS(fork());
		if (!pids[i])
			work(i, seed, rounds);
	}
	for (unsigned int i = 0; i < workers; i++)
		expect_exit(pids[i], 0);
	printf("stress: good, %lu operations\n", rounds * workers);
	return 0;
}
