/* SPDX-License-Identifier: BSD-2-Clause */
/* time.c - clocks agree with each other and never go back; timers fire, in order, not too early. */
#include <cpuid.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>
#include <x86intrin.h>
#include "gt.h"

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	SYS(clock_gettime(clock, &ts));
	CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static int64_t now_by_call(clockid_t clock)
{
	struct timespec ts;

	SYS(syscall(SYS_clock_gettime, clock, &ts));
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void sleep_ns(int64_t ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	SYS(nanosleep(&ts, NULL));
}

/* The clock page and the system call tell one story. */
static void clocks_never_go_back(void)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW };

	for (size_t c = 0; c < sizeof(clocks) / sizeof(clocks[0]); c++) {
		int64_t last = now(clocks[c]);

		for (unsigned int i = 0; i < gt_rounds(20000); i++) {
			int64_t next = i % 8 ? now(clocks[c]) : now_by_call(clocks[c]);

			if (next < last)
				gt_fail(__FILE__, __LINE__, "clock %d back by %lld ns", clocks[c],
					(long long)(last - next));
			last = next;
		}
	}
}

static void clocks_agree(void)
{
	for (unsigned int i = 0; i < gt_rounds(100); i++) {
		int64_t a = now(CLOCK_MONOTONIC), coarse = now(CLOCK_MONOTONIC_COARSE);
		int64_t b = now_by_call(CLOCK_MONOTONIC), boot = now(CLOCK_BOOTTIME);

		CHECK(a <= b);
		CHECK(coarse <= b);
		CHECK(boot >= b);
	}
}

/*
 * The wall clock was set from the machine's, and runs at the pace of the other clock: what it gained
 * lies between the shortest and the longest time the readings around it allow.
 */
static void wall_clock(void)
{
	int64_t before, after, before2, after2, real, real2;

	CHECK(time(NULL) > 1700000000);
	before = now(CLOCK_MONOTONIC);
	real = now(CLOCK_REALTIME);
	after = now(CLOCK_MONOTONIC);
	sleep_ns(5000000);
	before2 = now(CLOCK_MONOTONIC);
	real2 = now(CLOCK_REALTIME);
	after2 = now(CLOCK_MONOTONIC);
	CHECK(real2 - real >= before2 - after - 1000);
	CHECK(real2 - real <= after2 - before + 1000);
}

static void cycles_never_go_back(void)
{
	unsigned int aux, eax, ebx, ecx, edx = 0;
	bool rdtscp = __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (edx & 1u << 27);
	uint64_t last = __rdtsc();

	for (unsigned int i = 0; i < gt_rounds(50000); i++) {
		uint64_t next = i % 3 || !rdtscp ? __rdtsc() : __rdtscp(&aux);

		CHECK(next >= last);
		last = next;
		if (i % 4096 == 0)
			sched_yield();
	}
}

/* The same from CPU to CPU. */
static void clocks_across_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t last = now(CLOCK_MONOTONIC);
	uint64_t cycles = __rdtsc();

	if (cpus < 2)
		gt_skip("one CPU");
	for (unsigned int i = 0; i < gt_rounds(200); i++) {
		cpu_set_t set;
		int64_t next;
		uint64_t c;

		CPU_ZERO(&set);
		CPU_SET((int)(i % (unsigned long)cpus), &set);
		SYS(sched_setaffinity(0, sizeof(set), &set));
		CHECK_EQ(sched_getcpu(), i % (unsigned long)cpus);
		next = now(CLOCK_MONOTONIC);
		c = __rdtsc();
		CHECK(next >= last);
		CHECK(c >= cycles);
		last = next;
		cycles = c;
	}
}

static void sleeps_are_not_short(void)
{
	static const int64_t lengths[] = { 1, 1000, 100000, 1000000, 3000000, 10000000 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		int64_t before = now(CLOCK_MONOTONIC);

		sleep_ns(lengths[i]);
		CHECK(now(CLOCK_MONOTONIC) - before >= lengths[i]);
	}
}

static void absolute_sleep(void)
{
	for (int i = 1; i < 5; i++) {
		int64_t until = now(CLOCK_MONOTONIC) + i * 1000000;
		struct timespec ts = { until / 1000000000, until % 1000000000 };

		CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
		CHECK(now(CLOCK_MONOTONIC) >= until);
		/* A moment already past returns at once. */
		CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	}
}

/* Timers of one CPU fire in the order of their times, not of their making. */
static void timers_in_order(void)
{
	int64_t start = now(CLOCK_MONOTONIC) + 10000000;
	sigset_t set;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	SYS(sched_setaffinity(0, sizeof(one), &one));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < 5; i++) {
		int64_t at = start + (4 - i) * 4000000;
		struct itimerspec spec = { .it_value = { at / 1000000000, at % 1000000000 } };
		struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN,
					  .sigev_value.sival_int = i };
		timer_t timer;

		SYS(timer_create(CLOCK_MONOTONIC, &event, &timer));
		SYS(timer_settime(timer, TIMER_ABSTIME, &spec, NULL));
	}
	/* All were set in time, or a slow machine fires each as it is set. */
	if (now(CLOCK_MONOTONIC) >= start)
		gt_skip("setting five timers took 10 ms");
	for (int i = 4; i >= 0; i--) {
		siginfo_t info;

		CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
		CHECK_EQ(info.si_value.sival_int, i);
		CHECK(now(CLOCK_MONOTONIC) >= start + (4 - i) * 4000000);
	}
}

static void timer_file(void)
{
	struct itimerspec spec = { { 0, 1000000 }, { 0, 1000000 } };
	int fd = SYS(timerfd_create(CLOCK_MONOTONIC, 0));
	int64_t start = now(CLOCK_MONOTONIC);
	uint64_t total = 0, n;

	SYS(timerfd_settime(fd, 0, &spec, NULL));
	while (total < gt_rounds(50)) {
		CHECK_EQ(read(fd, &n, 8), 8);
		CHECK(n > 0);
		total += n;
	}
	CHECK(now(CLOCK_MONOTONIC) - start >= (int64_t)total * 1000000);
}

static volatile unsigned int fired;

static void fire(int signo)
{
	(void)signo;
	fired++;
}

static void interval_timer(int which, int signo)
{
	struct itimerval spec = { { 0, 2000 }, { 0, 2000 } }, off = { { 0, 0 }, { 0, 0 } };

	fired = 0;
	signal(signo, fire);
	SYS(setitimer(which, &spec, NULL));
	while (fired < gt_rounds(10))
		__asm__ volatile("");
	SYS(setitimer(which, &off, NULL));
}

static void interval_timers(void)
{
	interval_timer(ITIMER_REAL, SIGALRM);
	interval_timer(ITIMER_VIRTUAL, SIGVTALRM);
	interval_timer(ITIMER_PROF, SIGPROF);
}

static void posix_timer(void)
{
	struct itimerspec spec = { { 0, 1000000 }, { 0, 1000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t timer;

	signal(SIGUSR1, fire);
	SYS(timer_create(CLOCK_MONOTONIC, &event, &timer));
	SYS(timer_settime(timer, 0, &spec, NULL));
	while (fired < gt_rounds(20))
		pause();
	SYS(timer_delete(timer));
}

/* Time spent computing is charged, time asleep is not. */
static void processor_time(void)
{
	/* What passed is read around what was used: the build machine may stop this one between the two. */
	int64_t mono = now(CLOCK_MONOTONIC), before = now(CLOCK_PROCESS_CPUTIME_ID), used, passed;

	while (now(CLOCK_PROCESS_CPUTIME_ID) - before < 20000000)
		;
	used = now(CLOCK_PROCESS_CPUTIME_ID) - before;
	passed = now(CLOCK_MONOTONIC) - mono;
	CHECK(used <= passed * (int64_t)sysconf(_SC_NPROCESSORS_ONLN) + 1000000);
	mono = now(CLOCK_MONOTONIC);
	before = now(CLOCK_PROCESS_CPUTIME_ID);
	sleep_ns(100000000);
	used = now(CLOCK_PROCESS_CPUTIME_ID) - before;
	passed = now(CLOCK_MONOTONIC) - mono;
	CHECK(used < passed);
}

/* An idle machine sleeps and still wakes: many short sleeps with nothing else to run. */
static void idle_and_wake(void)
{
	for (unsigned int i = 0; i < gt_rounds(100); i++)
		sleep_ns(200000);
}

ROOM(time,
	{ "clocks_never_go_back", clocks_never_go_back, 0 },
	{ "clocks_agree", clocks_agree, 0 },
	{ "wall_clock", wall_clock, 0 },
	{ "cycles_never_go_back", cycles_never_go_back, 0 },
	{ "clocks_across_cpus", clocks_across_cpus, 0 },
	{ "sleeps_are_not_short", sleeps_are_not_short, 0 },
	{ "absolute_sleep", absolute_sleep, 0 },
	{ "timers_in_order", timers_in_order, 0 },
	{ "timer_file", timer_file, 0 },
	{ "interval_timers", interval_timers, 0 },
	{ "posix_timer", posix_timer, 0 },
	{ "processor_time", processor_time, 0 },
	{ "idle_and_wake", idle_and_wake, 0 });
