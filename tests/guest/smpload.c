/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smpload.c - what many CPUs do to one another, in one process, for tests/system/smp.py.
 *
 *	smpload hotplug ROUNDS	load on all CPUs while one thread takes CPUs down and up
 *	smpload load ROUNDS	the same load, ROUNDS remappings, all CPUs left in peace
 *	smpload locks ROUNDS	every CPU takes the same locks of the kernel ROUNDS times
 *	smpload swap ROUNDS	every CPU writes and checks memory, half as much again as there is in all
 *	smpload clocks ROUNDS	every CPU reads clocks that must not lie behind what another one read
 *
 * The load: one thread maps a window onto another page again and again, the others read it and must
 * see the page that is mapped (remote flushes); membarrier() interrupts all; children are forked and
 * end (flushes of all, address spaces that die). Prints one line and exits 0, or says what is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE 4096
#define MAX_CPUS 16
#define PAGES 4 /* that the window shows in turn */

static int cpus;
static atomic_bool stop;

__attribute__((noreturn, format(printf, 1, 2))) static void wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("smpload: WRONG: ", stdout);
	vprintf(format, args);
	printf(" (%s)\n", strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	if (pthread_create(thread, NULL, run, arg))
		wrong("pthread_create");
}

/* ---- the window: page number generation % PAGES is mapped while generation is even ---- */

static int pages_fd;
static volatile uint64_t *window;
static _Atomic uint64_t generation;
static _Atomic uint64_t looks;

static void map_window(uint64_t page)
{
	if (mmap((void *)window, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, pages_fd,
		 (off_t)(page * PAGE)) == MAP_FAILED)
		wrong("mmap of the window");
}

static void make_window(void)
{
	pages_fd = memfd_create("window", 0);
	if (pages_fd < 0 || ftruncate(pages_fd, PAGES * PAGE))
		wrong("memfd");
	for (uint64_t i = 0; i < PAGES; i++)
		if (pwrite(pages_fd, &i, sizeof(i), (off_t)(i * PAGE)) != sizeof(i))
			wrong("pwrite");
	window = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, pages_fd, 0);
	if (window == MAP_FAILED)
		wrong("mmap");
}

/* Between two equal even generations the window was not changed. */
static void *look(void *unused)
{
	uint64_t n = 0;

	while (!stop) {
		uint64_t before = atomic_load(&generation), seen = *window;

		if (before % 2 == 0 && atomic_load(&generation) == before) {
			if (seen != before / 2 % PAGES)
				wrong("generation %lu shows page %lu", before, seen);
			n++;
		}
	}
	atomic_fetch_add(&looks, n);
	return unused;
}

static void remap(void)
{
	uint64_t g = atomic_fetch_add(&generation, 1) + 1;

	map_window((g + 1) / 2 % PAGES);
	atomic_fetch_add(&generation, 1);
	if (*window != (g + 1) / 2 % PAGES)
		wrong("own window after generation %lu", g);
}

static void *interrupt(void *unused)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
		wrong("membarrier");
	while (!stop) {
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
			wrong("membarrier");
		sched_yield();
	}
	return unused;
}

/* Each child finds this process' memory as it was, and changes its own copy. */
static void *breed(void *unused)
{
	static volatile uint64_t mark = 7;

	while (!stop) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			bool good = mark == 7;

			mark = 8;
			_exit(good && mark == 8 ? 0 : 1);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			wrong("fork");
		if (status || mark != 7)
			wrong("child ended with %x, mark %lu", status, mark);
	}
	return unused;
}

/* ---- taking CPUs down and up ---- */

static bool set_online(int cpu, bool online)
{
	char path[64];
	bool good;
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_RDWR);
	if (fd < 0)
		wrong("%s", path);
	good = write(fd, online ? "1" : "0", 1) == 1;
	close(fd);
	return good;
}

static void hotplug(unsigned long rounds)
{
	bool online[MAX_CPUS];
	uint64_t random = 88172645463325252ull;

	memset(online, true, sizeof(online));
	for (unsigned long i = 0; i < rounds; i++) {
		int cpu;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		cpu = 1 + (int)(random % (uint64_t)(cpus - 1));
		if (!set_online(cpu, !online[cpu]))
			wrong("CPU %d to %d", cpu, !online[cpu]);
		online[cpu] = !online[cpu];
		remap();
	}
	for (int cpu = 1; cpu < cpus; cpu++)
		if (!online[cpu] && !set_online(cpu, true))
			wrong("CPU %d up at the end", cpu);
	if (sysconf(_SC_NPROCESSORS_ONLN) != cpus)
		wrong("%ld CPUs at the end", sysconf(_SC_NPROCESSORS_ONLN));
}

static void load(unsigned long rounds, bool plug)
{
	pthread_t threads[MAX_CPUS + 2];
	int n = 0;

	make_window();
	for (int i = 0; i < cpus; i++)
		start(&threads[n++], look, NULL);
	start(&threads[n++], interrupt, NULL);
	start(&threads[n++], breed, NULL);
	if (plug)
		hotplug(rounds);
	else
		for (unsigned long i = 0; i < rounds; i++) {
			remap();
			sched_yield();
		}
	stop = true;
	while (n)
		pthread_join(threads[--n], NULL);
	if (!looks)
		wrong("nobody ever saw the window");
}

/* ---- locks of the kernel ---- */

static unsigned long lock_rounds;
static uint32_t futex_word;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		wrong("sched_setaffinity");
}

/* A wait for another value takes the lock of the futex' bucket, a dup that of the file table. */
static void *contend(void *cpu)
{
	pin((int)(intptr_t)cpu);
	for (unsigned long i = 0; i < lock_rounds; i++) {
		int fd;

		if (syscall(SYS_futex, &futex_word, FUTEX_WAIT, 1, NULL, NULL, 0) != -1 ||
		    errno != EAGAIN)
			wrong("futex");
		fd = dup(0);
		if (fd < 0 || close(fd))
			wrong("dup");
	}
	return NULL;
}

/* ---- more memory than there is: pages leave and come back while all CPUs use them ---- */

static unsigned long swap_rounds;
static uint64_t *swap_area;
static size_t swap_words; /* one for each page */

/* Word i of round r, wherever it is looked at. */
static uint64_t expected(size_t i, unsigned long round)
{
	return (i * 0x9e3779b97f4a7c15ull) ^ round;
}

/* CPU c writes every page whose number is c modulo the CPUs and checks its neighbour's last round. */
static void *fill_memory(void *arg)
{
	static pthread_barrier_t barrier;
	static atomic_int arrived;
	size_t step = PAGE / sizeof(uint64_t);
	int cpu = (int)(intptr_t)arg;

	pin(cpu);
	if (cpu == 0) {
		pthread_barrier_init(&barrier, NULL, (unsigned)cpus);
		arrived = 1;
	}
	while (!arrived)
		sched_yield();
	for (unsigned long round = 1; round <= swap_rounds; round++) {
		for (size_t i = (size_t)cpu; i < swap_words; i += (size_t)cpus)
			swap_area[i * step] = expected(i, round);
		pthread_barrier_wait(&barrier);
		for (size_t i = (size_t)((cpu + 1) % cpus); i < swap_words; i += (size_t)cpus)
			if (swap_area[i * step] != expected(i, round))
				wrong("page %zu, round %lu holds %lx", i, round, swap_area[i * step]);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void make_swap_area(void)
{
	swap_words = (size_t)sysconf(_SC_PHYS_PAGES) / 2 * 3;
	swap_area = mmap(NULL, swap_words * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (swap_area == MAP_FAILED)
		wrong("mmap of %zu pages", swap_words);
}

static unsigned long swapped_out(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		wrong("sysinfo");
	return (info.totalswap - info.freeswap) * info.mem_unit / PAGE;
}

/* ---- clocks ---- */

static unsigned long clock_rounds;
static _Atomic uint64_t newest[3];

static uint64_t read_clock(int which)
{
	struct timespec ts;

	if (which == 0) {
		_mm_lfence();
		return __rdtsc();
	}
	if (which == 1)
		clock_gettime(CLOCK_MONOTONIC, &ts);
	else
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void *read_clocks(void *cpu)
{
	pin((int)(intptr_t)cpu);
	for (unsigned long i = 0; i < clock_rounds; i++) {
		int which = (int)(i % 3);
		uint64_t last = atomic_load(&newest[which]), now = read_clock(which);

		if (now < last)
			wrong("clock %d on CPU %d: %lu after %lu", which, (int)(intptr_t)cpu, now, last);
		while (now > last && !atomic_compare_exchange_weak(&newest[which], &last, now))
			;
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static void on_each_cpu(void *(*run)(void *))
{
	pthread_t threads[MAX_CPUS];

	for (int i = 0; i < cpus; i++)
		start(&threads[i], run, (void *)(intptr_t)i);
	for (int i = 0; i < cpus; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	const char *what = argc > 2 ? argv[1] : "";

	cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus < 1 || cpus > MAX_CPUS)
		wrong("%d CPUs", cpus);
	if (!strcmp(what, "hotplug") && cpus > 1)
		load(rounds, true);
	else if (!strcmp(what, "load"))
		load(rounds, false);
	else if (!strcmp(what, "locks"))
		lock_rounds = rounds, on_each_cpu(contend);
	else if (!strcmp(what, "swap")) {
		swap_rounds = rounds, make_swap_area(), on_each_cpu(fill_memory);
		looks = swapped_out();
		if (looks < swap_words / 4)
			wrong("only %lu pages are swapped out", looks);
	} else if (!strcmp(what, "clocks"))
		clock_rounds = rounds, on_each_cpu(read_clocks);
	else
		wrong("usage: smpload hotplug|load|locks|swap|clocks ROUNDS");
	printf("smpload: %s good, %lu rounds on %d CPUs, %lu looks\n", what, rounds, cpus, looks);
	return 0;
}
