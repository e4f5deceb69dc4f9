/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.c - threads: creation, futexes, thread-local data, and changes of the address space that
 * another thread must notice.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <semaphore.h>
#include "gt.h"

static __thread unsigned long local_value = 5;

static void *store_local(void *arg)
{
	CHECK_EQ(local_value, 5);
	for (unsigned long i = 0; i < gt_rounds(200); i++) {
		local_value = (uintptr_t)arg + i;
		sched_yield();
		CHECK_EQ(local_value, (uintptr_t)arg + i);
	}
	return (void *)local_value;
}

static void thread_locals(void)
{
	pthread_t threads[8];

	for (uintptr_t i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, store_local, (void *)(i << 32)), 0);
	for (uintptr_t i = 0; i < 8; i++) {
		void *result;

		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((uintptr_t)result, (i << 32) + gt_rounds(200) - 1);
	}
	CHECK_EQ(local_value, 5);
}

static void *nothing(void *arg)
{
	return arg;
}

static void create_and_join(void)
{
	for (uintptr_t i = 0; i < gt_rounds(300); i++) {
		pthread_t thread;
		void *result;

		CHECK_EQ(pthread_create(&thread, NULL, nothing, (void *)i), 0);
		CHECK_EQ(pthread_join(thread, &result), 0);
		CHECK_EQ((uintptr_t)result, i);
	}
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long protected_sum;

static void *add_under_lock(void *arg)
{
	for (unsigned int i = 0; i < gt_rounds(3000); i++) {
		pthread_mutex_lock(&lock);
		protected_sum += 1;
		if (i % 64 == 0)
			sched_yield();
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void mutex(void)
{
	pthread_t threads[6];

	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, add_under_lock, NULL), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(protected_sum, 6ul * gt_rounds(3000));
}

static volatile uint32_t turn;

static void *take_turns(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;

	for (uint32_t i = 0; i < gt_rounds(1000); i++) {
		gt_wait_for(&turn, i * 2 + me);
		gt_set(&turn, i * 2 + me + 1);
	}
	return NULL;
}

static void futex_ping_pong(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, take_turns, (void *)1), 0);
	take_turns((void *)0);
	pthread_join(thread, NULL);
	CHECK_EQ(turn, 2 * gt_rounds(1000));
}

static pthread_barrier_t barrier;

static void *meet(void *arg)
{
	unsigned int *serial = arg;

	for (unsigned int i = 0; i < gt_rounds(100); i++)
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_fetch_add(serial, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void barriers(void)
{
	pthread_t threads[5];
	unsigned int serial = 0;

	pthread_barrier_init(&barrier, NULL, 5);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, meet, &serial), 0);
	for (int i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(serial, gt_rounds(100));
}

static void *die_with_lock(void *arg)
{
	CHECK_EQ(pthread_mutex_lock(arg), 0);
	return NULL;
}

/* The kernel walks the list a dead thread left. */
static void robust_mutex(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t robust;
	pthread_t thread;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	CHECK_EQ(pthread_create(&thread, NULL, die_with_lock, &robust), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&robust), 0);
	CHECK_EQ(pthread_mutex_unlock(&robust), 0);
}

struct watch {
	volatile char *page;
	volatile uint32_t stop;
	volatile unsigned long reads;
};

static void *keep_reading(void *arg)
{
	struct watch *w = arg;

	while (!w->stop) {
		char value = *w->page;

		CHECK(value == 'A' || value == 'B');
		w->reads++;
	}
	return NULL;
}

/* One thread replaces the page under another that reads: old or new, nothing else. */
static void page_replaced_under_reader(void)
{
	struct watch w = { .page = gt_pages(PAGE, PROT_READ | PROT_WRITE) };
	int fd[2];
	pthread_t thread;

	for (int i = 0; i < 2; i++) {
		fd[i] = SYS(memfd_create("gt", 0));
		SYS(ftruncate(fd[i], PAGE));
		CHECK_EQ(pwrite(fd[i], i ? "B" : "A", 1, 0), 1);
	}
	*w.page = 'A';
	CHECK_EQ(pthread_create(&thread, NULL, keep_reading, &w), 0);
	for (unsigned int i = 0; i < gt_rounds(300); i++) {
		CHECK(mmap((void *)w.page, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd[i & 1], 0) ==
		      w.page);
		CHECK_EQ(*w.page, i & 1 ? 'B' : 'A');
		if (i % 16 == 0)
			sched_yield();
	}
	w.stop = 1;
	pthread_join(thread, NULL);
	CHECK(w.reads > 0);
}

struct forbidden {
	volatile char *page;
	volatile uint32_t step;
	volatile uint32_t faults;
};

static struct forbidden *forbidden;

static void count_fault(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	CHECK_EQ((uintptr_t)info->si_addr, (uintptr_t)forbidden->page);
	forbidden->faults++;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 3;
}

static void *write_in_turn(void *arg)
{
	struct forbidden *f = arg;

	for (uint32_t i = 0; i < gt_rounds(100); i++) {
		gt_wait_for(&f->step, i * 2 + 1);
		__asm__ volatile("movb $1, (%0)" : : "a"(f->page) : "memory");
		gt_set(&f->step, i * 2 + 2);
	}
	return NULL;
}

/* Rights taken in one thread are gone in the other, on whichever CPU it runs. */
static void rights_taken_from_other(void)
{
	struct sigaction action = { .sa_sigaction = count_fault, .sa_flags = SA_SIGINFO };
	struct forbidden f = { .page = gt_pages(PAGE, PROT_READ | PROT_WRITE) };
	pthread_t thread;

	forbidden = &f;
	SYS(sigaction(SIGSEGV, &action, NULL));
	*f.page = 0;
	CHECK_EQ(pthread_create(&thread, NULL, write_in_turn, &f), 0);
	for (uint32_t i = 0; i < gt_rounds(100); i++) {
		uint32_t before = f.faults;

		SYS(mprotect((void *)f.page, PAGE, i & 1 ? PROT_READ : PROT_READ | PROT_WRITE));
		gt_set(&f.step, i * 2 + 1);
		gt_wait_for(&f.step, i * 2 + 2);
		CHECK_EQ(f.faults - before, i & 1);
	}
	pthread_join(thread, NULL);
}

static void *map_and_unmap(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (unsigned int i = 0; i < gt_rounds(150); i++) {
		size_t pages = 1 + (i + seed) % 9;
		volatile uint64_t *p = gt_pages(pages * PAGE, PROT_READ | PROT_WRITE);

		for (size_t k = 0; k < pages; k++)
			CHECK_EQ(p[k * PAGE / 8], 0);
		for (size_t k = 0; k < pages; k++)
			p[k * PAGE / 8] = seed + k;
		if (i % 4 == 0)
			sched_yield();
		for (size_t k = 0; k < pages; k++)
			CHECK_EQ(p[k * PAGE / 8], seed + k);
		SYS(munmap((void *)p, pages * PAGE));
	}
	return NULL;
}

static void mapping_threads(void)
{
	pthread_t threads[6];

	for (uintptr_t i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, map_and_unmap, (void *)(i << 20)), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
}

static void *keep_forking_memory(void *arg)
{
	volatile uint32_t *stop = arg;
	volatile uint64_t *p = gt_pages(8 * PAGE, PROT_READ | PROT_WRITE);
	uint64_t n = 0;

	while (!*stop) {
		n++;
		for (size_t k = 0; k < 8; k++)
			p[k * PAGE / 8] = n + k;
		for (size_t k = 0; k < 8; k++)
			CHECK_EQ(p[k * PAGE / 8], n + k);
	}
	return NULL;
}

/* fork makes all pages of a running thread read-only for a moment. */
static void fork_under_writers(void)
{
	volatile uint32_t stop = 0;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, keep_forking_memory, (void *)&stop), 0);
	for (unsigned int i = 0; i < gt_rounds(30); i++) {
		pid_t pid = SYS(fork());

		if (pid == 0)
			_exit(0);
		gt_join(pid);
	}
	stop = 1;
	pthread_join(thread, NULL);
}

static void barrier_call(void)
{
	long mask = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (mask < 0)
		gt_skip("no membarrier");
	CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0), 0);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), 0);
	if (mask & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) {
		CHECK_EQ(syscall(SYS_membarrier,
				 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0), 0);
		for (int i = 0; i < 50; i++)
			CHECK_EQ(syscall(SYS_membarrier,
					 MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0), 0);
	}
}

static void *sleep_on(void *arg)
{
	sem_wait(arg);
	return NULL;
}

/* A program that ends takes all its sleeping threads with it. */
static void exit_with_threads(void)
{
	for (unsigned int i = 0; i < gt_rounds(10); i++) {
		pid_t pid = SYS(fork());

		if (pid == 0) {
			pthread_t thread;
			sem_t sem;

			sem_init(&sem, 0, 0);
			for (int k = 0; k < 5; k++)
				if (pthread_create(&thread, NULL, sleep_on, &sem) != 0)
					_exit(1);
			sched_yield();
			_exit(33);
		}
		CHECK_EQ(gt_wait(pid), 33 << 8);
	}
}

ROOM(thread,
	{ "thread_locals", thread_locals, 0 },
	{ "create_and_join", create_and_join, 0 },
	{ "mutex", mutex, 0 },
	{ "futex_ping_pong", futex_ping_pong, 0 },
	{ "barriers", barriers, 0 },
	{ "robust_mutex", robust_mutex, 0 },
	{ "page_replaced_under_reader", page_replaced_under_reader, 0 },
	{ "rights_taken_from_other", rights_taken_from_other, 0 },
	{ "mapping_threads", mapping_threads, 0 },
	{ "fork_under_writers", fork_under_writers, 0 },
	{ "barrier_call", barrier_call, 0 },
	{ "exit_with_threads", exit_with_threads, 0 });
