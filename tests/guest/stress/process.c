// SPDX-License-Identifier: BSD-2-Clause
/* process.c - fork, exec, signals, pipes, futexes, moving between CPUs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

/* Both sides of a fork write to their own copy of every page. */
static void op_fork(struct worker *w)
{
	size_t n = 1 + below(w, 64);
	uint64_t *area = pages(n), seed = next_random(w);
	pid_t pid;

	for (size_t i = 0; i < n; i++)
		area[i * 512] = seed + i;
	pid = SYS(fork());
	for (size_t i = 0; i < n; i++) {
		if (area[i * 512] != seed + i)
			wrong("fork: page %zu of %zu is not what was written before", i, n);
		area[i * 512] = pid ? seed * 3 + i : seed * 5 + i;
	}
	sched_yield();
	for (size_t i = 0; i < n; i++)
		if (area[i * 512] != (pid ? seed * 3 + i : seed * 5 + i))
			wrong("fork: page %zu shows what the other side wrote", i);
	if (!pid)
		_exit(7);
	expect_exit(pid, 7);
	SYS(munmap(area, n * PAGE));
}

static void op_exec(struct worker *w)
{
	int code = (int)below(w, 90);
	char word[16];
	pid_t pid;

	snprintf(word, sizeof(word), "exit=%d", code);
	pid = SYS(fork());
	if (!pid) {
		execl(stress_program, "stress", word, NULL);
		wrong("exec: %m");
	}
	expect_exit(pid, code);
}

static volatile sig_atomic_t signals_seen;

static void count_signal(int signo)
{
	(void)signo;
	signals_seen++;
}

/* Signals to itself, and to a child that answers with its end. */
static void op_signal(struct worker *w)
{
	unsigned int n = 1 + (unsigned int)below(w, 20);
	struct sigaction action = { .sa_handler = count_signal };
	pid_t pid;

	SYS(sigaction(SIGUSR1, &action, NULL));
	signals_seen = 0;
	for (unsigned int i = 0; i < n; i++)
		SYS(raise(SIGUSR1));
	if (signals_seen != (sig_atomic_t)n)
		wrong("signal: %d arrived of %u", (int)signals_seen, n);
	pid = SYS(fork());
	if (!pid) {
		for (;;)
			pause();
	}
	SYS(kill(pid, SIGTERM));
	int status;
	SYS(waitpid(pid, &status, 0));
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
		wrong("signal: status %#x after SIGTERM", status);
}

/* What goes through a pipe arrives, in order. */
static void op_pipe(struct worker *w)
{
	size_t left = 1 + below(w, 200000);
	uint8_t buf[8192];
	uint64_t state = next_random(w) | 1, out = state;
	int ends[2];
	pid_t pid;

	SYS(pipe(ends));
	pid = SYS(fork());
	if (!pid) {
		close(ends[0]);
		while (left) {
			size_t n = left < sizeof(buf) ? left : sizeof(buf);
			ssize_t done;

			for (size_t i = 0; i < n; i++, out = out * 6364136223846793005ull + 1)
				buf[i] = (uint8_t)(out >> 56);
			for (size_t at = 0; at < n; at += (size_t)done)
				done = SYS(write(ends[1], buf + at, n - at));
			left -= n;
		}
		_exit(0);
	}
	close(ends[1]);
	for (ssize_t n; (n = SYS(read(ends[0], buf, sizeof(buf)))) != 0; left -= (size_t)n)
		for (ssize_t i = 0; i < n; i++, out = out * 6364136223846793005ull + 1)
			if (buf[i] != (uint8_t)(out >> 56))
				wrong("pipe: a byte arrived changed");
	if (left)
		wrong("pipe: %zu bytes did not arrive", left);
	close(ends[0]);
	expect_exit(pid, 0);
}

/* A token goes back and forth between two processes. */
static void op_futex(struct worker *w)
{
	unsigned int n = 2 * (1 + (unsigned int)below(w, 50));
	volatile uint32_t *token = shared_pages(1);
	pid_t pid = SYS(fork());

	for (unsigned int i = pid ? 0 : 1; i < n; i += 2) {
		wait_for(token, i);
		set(token, i + 1);
	}
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
	if (*token != n)
		wrong("futex: the token stands at %u of %u", *token, n);
	SYS(munmap((void *)token, PAGE));
}

/* Onto one CPU and free again; what the program holds in registers goes along. */
static void op_move(struct worker *w)
{
	cpu_set_t all, one;
	unsigned int count, cpu, seen, at = 0;

	SYS(sched_getaffinity(0, sizeof(all), &all));
	count = (unsigned int)CPU_COUNT(&all);
	at = (unsigned int)below(w, count);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && !at--)
			break;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	SYS(sched_setaffinity(0, sizeof(one), &one));
	SYS(syscall(SYS_getcpu, &seen, NULL, NULL));
	if (seen != cpu)
		wrong("move: on CPU %u, not %u", seen, cpu);
	SYS(sched_setaffinity(0, sizeof(all), &all));
}

static void *thread_sum(void *arg)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 1000; i++)
		sum += i * (uintptr_t)arg;
	return (void *)(uintptr_t)sum;
}

static void op_threads(struct worker *w)
{
	pthread_t threads[4];
	void *sum;

	for (uintptr_t i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, thread_sum, (void *)(i + 1)))
			wrong("threads: cannot create");
	for (uintptr_t i = 0; i < 4; i++) {
		pthread_join(threads[i], &sum);
		if ((uintptr_t)sum != 499500 * (i + 1))
			wrong("threads: sum %lu of thread %lu", (uintptr_t)sum, i);
	}
	(void)w;
}

/*
 * Switches code of the kernel on and off: its text is patched while the others run it. One worker at a time:
 * static_key_disable() looks at the key before it takes its lock and warns if another is switching it on.
 */
static void op_patch_kernel(struct worker *w)
{
	int fd = open("/proc/sys/kernel/sched_schedstats", O_WRONLY);

	if (fd < 0)
		return; /* not configured, or not root */
	if (flock(fd, LOCK_EX))
		wrong("patch_kernel: cannot lock");
	(void)!write(fd, below(w, 2) ? "1" : "0", 1);
	close(fd);
}

const struct operation process_operations[] = {
	{ "fork", op_fork, 10 },	 { "exec", op_exec, 4 },   { "signal", op_signal, 6 },
	{ "pipe", op_pipe, 4 },		 { "futex", op_futex, 5 }, { "move", op_move, 4 },
	{ "threads", op_threads, 4 },	 { "patch_kernel", op_patch_kernel, 2 },
	{ NULL, NULL, 0 },
};
