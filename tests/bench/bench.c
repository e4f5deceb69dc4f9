// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench.c - one static program that measures the operations a guest does all day.
 *
 * It runs as it is in native Linux on QEMU and inside a Ringfence VM, on the same bzImage and
 * initramfs. Under `-icount shift=0,sleep=off` one TSC tick is one executed instruction of the
 * whole machine, so that the numbers are exact and repeat. Each operation is measured REPS times
 * over a number of iterations; the median is printed as
 *     BENCH <name> <instructions per operation, one decimal>
 * Markers (a long NOP with a magic displacement) bracket the last repetition, so that the
 * counting plugin can attribute CR3 loads and privilege transitions to the operation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

#define REPS 5

static inline uint64_t ticks(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *name, uint64_t *samples, unsigned iterations)
{
	uint64_t tenths;

	qsort(samples, REPS, sizeof(*samples), by_value);
	tenths = samples[REPS / 2] * 10 / iterations;
	printf("BENCH %s %llu.%llu\n", name, (unsigned long long)(tenths / 10),
	       (unsigned long long)(tenths % 10));
	fflush(stdout);
}

/* Measures `body` over n iterations; the marker needs a constant, hence a macro. */
#define MEASURE(id, name, n, body)                                                                 \
	do {                                                                                       \
		uint64_t samples[REPS];                                                            \
		for (unsigned i = 0; i < (n) / 10 + 1; i++) {                                      \
			body;                                                                      \
		}                                                                                  \
		for (unsigned r = 0; r < REPS; r++) {                                              \
			uint64_t start = ticks();                                                  \
			if (r == REPS - 1)                                                         \
				START(id);                                                         \
			for (unsigned i = 0; i < (n); i++) {                                       \
				body;                                                              \
			}                                                                          \
			if (r == REPS - 1)                                                         \
				END(id);                                                           \
			samples[r] = ticks() - start;                                              \
		}                                                                                  \
		printf("BENCH-ID %d %s %u\n", id, name, (unsigned)(n));                            \
		report(name, samples, n);                                                          \
	} while (0)

static void bench_syscalls(void)
{
	struct timespec ts;
	char byte;
	int zero = open("/dev/zero", O_RDONLY);

	if (zero < 0)
		die("/dev/zero");
	MEASURE(1, "null_syscall", 2000, syscall(SYS_getppid));
	MEASURE(2, "read_1", 2000, if (read(zero, &byte, 1) != 1) die("read"));
	MEASURE(3, "clock_gettime", 2000, clock_gettime(CLOCK_MONOTONIC, &ts));
	close(zero);
}

/* A child that sends back every byte it gets. */
static pid_t echo_child(int in, int out)
{
	char byte;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	while (read(in, &byte, 1) == 1)
		if (write(out, &byte, 1) != 1)
			break;
	_exit(0);
}

static void round_trip(int out, int in)
{
	char byte = 'x';

	if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
		die("round trip");
}

static void bench_pipe(void)
{
	int there[2], back[2];
	pid_t child;

	if (pipe(there) || pipe(back))
		die("pipe");
	child = echo_child(there[0], back[1]);
	MEASURE(4, "pipe_pingpong", 200, round_trip(there[1], back[0]));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(there[0]), close(there[1]), close(back[0]), close(back[1]);
}

static void touch(char *buffer, size_t size)
{
	for (size_t i = 0; i < size; i += 4096)
		((volatile char *)buffer)[i]++;
}

/* Two processes that touch 64 KiB each between hand-overs: cost per switch. */
static void bench_context_switch(void)
{
	static char buffer[65536];
	int there[2], back[2];
	pid_t child;
	char byte;

	if (pipe(there) || pipe(back))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		while (read(there[0], &byte, 1) == 1) {
			touch(buffer, sizeof(buffer));
			if (write(back[1], &byte, 1) != 1)
				break;
		}
		_exit(0);
	}
	MEASURE(5, "context_switch_x2", 200, {
		touch(buffer, sizeof(buffer));
		round_trip(there[1], back[0]);
	});
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(there[0]), close(there[1]), close(back[0]), close(back[1]);
}

/* A ring of more processes than Linux has PCIDs for, each touching 64 KiB: cost per round. */
static void bench_ring(void)
{
	enum { RING = 12 };
	static char buffer[65536];
	int pipes[RING][2];
	pid_t children[RING];
	char byte;

	for (int i = 0; i < RING; i++)
		if (pipe(pipes[i]))
			die("pipe");
	for (int i = 1; i < RING; i++) {
		children[i] = fork();
		if (children[i] < 0)
			die("fork");
		if (children[i])
			continue;
		while (read(pipes[i][0], &byte, 1) == 1) {
			touch(buffer, sizeof(buffer));
			if (write(pipes[(i + 1) % RING][1], &byte, 1) != 1)
				break;
		}
		_exit(0);
	}
	MEASURE(16, "ring_of_12", 50, {
		touch(buffer, sizeof(buffer));
		round_trip(pipes[1][1], pipes[0][0]);
	});
	for (int i = 1; i < RING; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	for (int i = 0; i < RING; i++)
		close(pipes[i][0]), close(pipes[i][1]);
}

static void fork_and_wait(int exec)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		if (exec)
			execl("/proc/self/exe", "bench", "--exit", (char *)NULL);
		_exit(0);
	}
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid");
}

/* The call alone, of a parent that has written to PAGES pages: the child does not run before it is over. */
static void bench_big_fork(void)
{
	enum { PAGES = 1000 };
	char *area = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sched_param first = { .sched_priority = 1 }, none = { .sched_priority = 0 };
	uint64_t samples[REPS];
	pid_t pid;

	if (area == MAP_FAILED)
		die("mmap");
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first))
		die("sched_setscheduler");
	madvise(area, PAGES * 4096, MADV_NOHUGEPAGE);
	for (unsigned i = 0; i < REPS; i++) {
		touch(area, PAGES * 4096);
		samples[i] = ticks();
		START(17);
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid)
			_exit(0);
		END(17);
		samples[i] = ticks() - samples[i];
		if (waitpid(pid, NULL, 0) != pid)
			die("waitpid");
	}
	if (sched_setscheduler(0, SCHED_OTHER, &none))
		die("sched_setscheduler");
	printf("BENCH-ID 17 fork_1000_pages 1\n");
	report("fork_1000_pages", samples, 1);
	munmap(area, PAGES * 4096);
}

static void bench_processes(void)
{
	MEASURE(6, "fork_exit", 20, fork_and_wait(0));
	MEASURE(7, "fork_exec", 20, fork_and_wait(1));
	bench_big_fork();
}

static void bench_memory(void)
{
	enum { PAGES = 256 };
	static char from[1 << 20], to[1 << 20];
	char *area = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		die("mmap");
	madvise(area, PAGES * 4096, MADV_NOHUGEPAGE);
	MEASURE(8, "anon_fault", PAGES, {
		if (i % PAGES == 0)
			madvise(area, PAGES * 4096, MADV_DONTNEED);
		((volatile char *)area)[(i % PAGES) * 4096] = 1;
	});
	MEASURE(9, "mmap_munmap", 200, {
		char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, 16384))
			die("mmap");
	});
	((volatile char *)area)[0] = 1;
	MEASURE(10, "mprotect_pair", 200, {
		if (mprotect(area, 4096, PROT_READ) ||
		    mprotect(area, 4096, PROT_READ | PROT_WRITE))
			die("mprotect");
		((volatile char *)area)[0] = 2;
	});
	memset(from, 1, sizeof(from));
	MEASURE(11, "memcpy_1m", 5, {
		memcpy(to, from, sizeof(to));
		__asm__ volatile("" ::"r"(to) : "memory");
	});
	munmap(area, PAGES * 4096);
}

static volatile unsigned signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void bench_signal(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	pid_t self = getpid();

	sigaction(SIGUSR1, &action, NULL);
	MEASURE(12, "signal", 500, kill(self, SIGUSR1));
}

static uint32_t futex_word;

static long futex(int op, uint32_t value)
{
	return syscall(SYS_futex, &futex_word, op, value, NULL, NULL, 0);
}

/* Hands the word from 0 to 1 and waits until the partner has made it 0 again. */
static void futex_hand_over(uint32_t mine, uint32_t theirs)
{
	while (__atomic_load_n(&futex_word, __ATOMIC_ACQUIRE) != mine)
		futex(FUTEX_WAIT, theirs);
	__atomic_store_n(&futex_word, theirs, __ATOMIC_RELEASE);
	futex(FUTEX_WAKE, 1);
}

static void *futex_partner(void *unused)
{
	(void)unused;
	for (;;)
		futex_hand_over(1, 0);
	return NULL;
}

static void bench_futex(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, futex_partner, NULL))
		die("pthread_create");
	MEASURE(13, "futex_pair", 200, futex_hand_over(0, 1));
}

static void bench_sockets(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int pair[2], listener, client, server, one = 1;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair");
	child = echo_child(pair[1], pair[1]);
	MEASURE(14, "unix_rtt", 200, round_trip(pair[0], pair[0]));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);

	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (void *)&address, sizeof(address)) ||
	    listen(listener, 1) || getsockname(listener, (void *)&address, &length))
		die("listen");
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (client < 0 || connect(client, (void *)&address, sizeof(address)))
		die("connect");
	server = accept(listener, NULL, NULL);
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	child = echo_child(server, server);
	MEASURE(15, "tcp_rtt", 200, round_trip(client, client));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--exit"))
		return 0;
	printf("BENCH-START\n");
	sleep(1); /* lets the boot's own background work settle */
	bench_syscalls();
	bench_pipe();
	bench_context_switch();
	bench_ring();
	bench_processes();
	bench_memory();
	bench_signal();
	bench_futex();
	bench_sockets();
	printf("BENCH-END\n");
	return 0;
}
