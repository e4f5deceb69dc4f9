/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signals.c - delivery, stacks, masks and storms. What a signal frame does to registers is in
 * entry.c and fpu.c, the details of fault signals are in fault.c.
 */
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>
#include "gt.h"

static volatile int count;
static volatile int last_value;
static volatile uintptr_t handler_sp;

static void counting(int signo)
{
	(void)signo;
	count++;
}

static void noting(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	count++;
	last_value = info->si_value.sival_int;
	handler_sp = (uintptr_t)__builtin_frame_address(0);
}

static void on_signal(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	SYS(sigaction(signo, &action, NULL));
}

static void to_self(void)
{
	signal(SIGUSR1, counting);
	for (unsigned int i = 0; i < gt_rounds(2000); i++) {
		SYS(kill(getpid(), SIGUSR1));
		CHECK_EQ(count, i + 1);
	}
}

static void alternate_stack(void)
{
	size_t size = 65536;
	char *area = gt_pages(size, PROT_READ | PROT_WRITE);
	stack_t alt = { .ss_sp = area, .ss_size = size }, now;

	SYS(sigaltstack(&alt, NULL));
	on_signal(SIGUSR1, noting, SA_ONSTACK);
	on_signal(SIGUSR2, noting, 0);
	SYS(raise(SIGUSR1));
	CHECK(handler_sp >= (uintptr_t)area && handler_sp < (uintptr_t)area + size);
	SYS(raise(SIGUSR2));
	CHECK(handler_sp < (uintptr_t)area || handler_sp >= (uintptr_t)area + size);
	SYS(sigaltstack(NULL, &now));
	CHECK_EQ(now.ss_flags, 0);
	CHECK_EQ((uintptr_t)now.ss_sp, (uintptr_t)area);
}

static unsigned long recurse(unsigned long depth)
{
	volatile char frame[512];

	frame[0] = (char)depth;
	if (depth == ~0ul)
		return 0;
	return recurse(depth + 1) + (unsigned char)frame[0];
}

static void overflow(void *arg)
{
	*(volatile unsigned long *)arg = recurse(0);
}

/* A stack that runs into its guard is noticed on the other stack, again and again. */
static void stack_overflow(void)
{
	unsigned long sink;
	struct caught caught;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(gt_catch(overflow, &sink, &caught), SIGSEGV);
		CHECK(labs((long)((uintptr_t)caught.info.si_addr -
				  (uintptr_t)caught.regs[REG_RSP])) < 65536);
	}
}

/* Without another stack the same overflow kills: the kernel cannot write the frame. */
static void frame_on_bad_stack(void)
{
	pid_t pid = SYS(fork());
	int status;

	if (pid == 0) {
		signal(SIGSEGV, counting);
		signal(SIGUSR1, counting);
		__asm__ volatile("mov %0, %%rsp\n\tmov %1, %%edi\n\tmov $10, %%esi\n\t"
				 "mov $62, %%eax\n\tsyscall" : : "r"(0x1000ul), "r"(getpid())
				 : "memory", "rdi", "rsi", "rax", "rcx", "r11");
		_exit(0);
	}
	status = gt_wait(pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static int order[8];
static volatile int order_length;

static void nested(int signo, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	order[order_length++] = signo;
	if (signo == SIGUSR1)
		raise(SIGUSR2);
	order[order_length++] = -signo;
}

static void nesting_and_masks(void)
{
	sigset_t set;

	on_signal(SIGUSR1, nested, 0);
	on_signal(SIGUSR2, nested, 0);
	SYS(raise(SIGUSR1));
	CHECK_EQ(order[0], SIGUSR1);
	CHECK_EQ(order[1], SIGUSR2);
	CHECK_EQ(order[2], -SIGUSR2);
	CHECK_EQ(order[3], -SIGUSR1);
	order_length = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	SYS(raise(SIGUSR1));
	CHECK_EQ(order_length, 0);
	SYS(sigpending(&set));
	CHECK(sigismember(&set, SIGUSR1));
	sigemptyset(&set);
	SYS(sigprocmask(SIG_SETMASK, &set, NULL));
	CHECK_EQ(order_length, 4);
}

static void queued_in_order(void)
{
	sigset_t set;

	on_signal(SIGRTMIN, noting, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < 100; i++)
		SYS(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
	for (int i = 0; i < 50; i++) {
		siginfo_t info;

		CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
		CHECK_EQ(info.si_value.sival_int, i);
		CHECK_EQ(info.si_pid, getpid());
	}
	SYS(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, 50);
}

/* Two processes answer each other; each waits inside sigsuspend. */
static void ping(pid_t other, unsigned int rounds, bool first)
{
	sigset_t open;

	SYS(sigprocmask(SIG_BLOCK, NULL, &open));
	sigdelset(&open, SIGUSR1);
	for (unsigned int i = 0; i < rounds; i++) {
		if (first)
			SYS(kill(other, SIGUSR1));
		while (count == (int)i)
			sigsuspend(&open);
		if (!first)
			SYS(kill(other, SIGUSR1));
	}
}

static void ping_child(void *arg)
{
	ping(getppid(), *(unsigned int *)arg, false);
}

static void ping_pong(void)
{
	unsigned int rounds = gt_rounds(1000);
	sigset_t set;
	pid_t pid;

	on_signal(SIGUSR1, noting, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	pid = gt_fork(ping_child, &rounds);
	ping(pid, rounds, true);
	gt_join(pid);
}

/* Signals the parent again and again: one of them meets it inside its call. */
static void send_some(void *arg)
{
	int fd = *(int *)arg;
	struct timespec ms = { 0, 1000000 };

	for (int i = 0; i < 20 || fd < 0; i++) {
		if (kill(getppid(), SIGUSR1) != 0)
			_exit(1);
		nanosleep(&ms, NULL);
	}
	CHECK_EQ(write(fd, "r", 1), 1);
}

/* A read that a signal interrupts goes on, or returns EINTR, as the action says. */
static void restarted_calls(void)
{
	int fds[2], none = -1;
	char byte;
	pid_t pid;

	SYS(pipe(fds));
	on_signal(SIGUSR1, noting, 0);
	pid = gt_fork(send_some, &none);
	CHECK_EQ(read(fds[0], &byte, 1), -1);
	CHECK_EQ(errno, EINTR);
	on_signal(SIGUSR1, noting, SA_RESTART);
	SYS(kill(pid, SIGKILL));
	gt_wait(pid);
	count = 0;
	pid = gt_fork(send_some, &fds[1]);
	CHECK_EQ(read(fds[0], &byte, 1), 1);
	CHECK_EQ(byte, 'r');
	gt_join(pid);
	CHECK(count > 0);
}

/* restart_syscall: a sleep interrupted by stop and continue goes on. */
static void restarted_sleep(void)
{
	volatile uint32_t *word = gt_shared(PAGE);
	struct timespec ms = { 0, 1000000 };
	pid_t pid = SYS(fork());
	int status;

	if (pid == 0) {
		struct timespec request = { 0, 60000000 }, rest;

		gt_set(word, 1);
		_exit(nanosleep(&request, &rest) == 0 ? 0 : 1);
	}
	gt_wait_for(word, 1);
	for (int i = 0; i < 5; i++) {
		SYS(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		if (WIFEXITED(status))
			break;
		CHECK(WIFSTOPPED(status));
		nanosleep(&ms, NULL);
		SYS(kill(pid, SIGCONT));
	}
	if (!WIFEXITED(status))
		status = gt_wait(pid);
	CHECK_EQ(status, 0);
}

static void signal_file(void)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = SYS(signalfd(-1, &set, 0));
	for (int i = 0; i < 100; i++) {
		SYS(kill(getpid(), SIGUSR1));
		CHECK_EQ(read(fd, &info, sizeof(info)), sizeof(info));
		CHECK_EQ(info.ssi_signo, SIGUSR1);
	}
}

static void storm_child(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < gt_rounds(500); i++)
		SYS(kill(getppid(), SIGUSR1));
}

/* Signals from all sides while the program faults, calls and computes. */
static void storm(void)
{
	struct itimerval every_ms = { { 0, 1000 }, { 0, 1000 } };
	unsigned long sum = 0, check = 0;
	pid_t pids[3];

	on_signal(SIGUSR1, noting, SA_RESTART);
	on_signal(SIGALRM, noting, SA_RESTART);
	SYS(setitimer(ITIMER_REAL, &every_ms, NULL));
	for (int i = 0; i < 3; i++)
		pids[i] = gt_fork(storm_child, NULL);
	for (unsigned int i = 0; i < gt_rounds(300); i++) {
		unsigned char *p = gt_pages(8 * PAGE, PROT_READ | PROT_WRITE);

		for (unsigned int k = 0; k < 8; k++) {
			p[k * PAGE + k] = (unsigned char)(i + k);
			check += (unsigned char)(i + k);
		}
		for (unsigned int k = 0; k < 8; k++)
			sum += p[k * PAGE + k];
		SYS(munmap(p, 8 * PAGE));
	}
	for (int i = 0; i < 3; i++)
		gt_join(pids[i]);
	CHECK_EQ(sum, check);
	CHECK(count > 0);
}

static void kill_by_default(void)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGSEGV, SIGABRT, SIGALRM, SIGPIPE,
		SIGUSR1, SIGXCPU };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pid_t pid = SYS(fork());
		int status;

		if (pid == 0) {
			raise(signals[i]);
			for (;;)
				pause();
		}
		status = gt_wait(pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), signals[i]);
	}
}

/* An endless loop in user mode ends by SIGKILL: the interrupt gets through. */
static void kill_endless_loop(void)
{
	volatile uint32_t *word = gt_shared(PAGE);
	pid_t pid = SYS(fork());

	if (pid == 0) {
		gt_set(word, 1);
		for (;;)
			__asm__ volatile("");
	}
	gt_wait_for(word, 1);
	SYS(kill(pid, SIGKILL));
	CHECK_EQ(WTERMSIG(gt_wait(pid)), SIGKILL);
}

ROOM(signals,
	{ "to_self", to_self, 0 },
	{ "alternate_stack", alternate_stack, 0 },
	{ "stack_overflow", stack_overflow, GT_LONG },
	{ "frame_on_bad_stack", frame_on_bad_stack, 0 },
	{ "nesting_and_masks", nesting_and_masks, 0 },
	{ "queued_in_order", queued_in_order, 0 },
	{ "ping_pong", ping_pong, 0 },
	{ "restarted_calls", restarted_calls, 0 },
	{ "restarted_sleep", restarted_sleep, 0 },
	{ "signal_file", signal_file, 0 },
	{ "storm", storm, 0 },
	{ "kill_by_default", kill_by_default, 0 },
	{ "kill_endless_loop", kill_endless_loop, 0 });
