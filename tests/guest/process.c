/* SPDX-License-Identifier: BSD-2-Clause */
/* process.c - many processes: fork, exec, vfork, clone, exit statuses, more spaces than fit a cache. */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include "gt.h"

static void exit_statuses(void)
{
	for (int i = 0; i < 256; i += 5) {
		pid_t pid = SYS(fork());

		if (pid == 0)
			_exit(i);
		CHECK_EQ(gt_wait(pid), i << 8);
	}
}

static void fork_loop(void)
{
	volatile unsigned int mark = 0;

	for (unsigned int i = 0; i < gt_rounds(200); i++) {
		pid_t pid;

		mark = i;
		pid = SYS(fork());
		if (pid == 0) {
			unsigned int seen = mark;

			mark = 12345;
			_exit(seen == i ? 0 : 1);
		}
		mark = i + 1000;
		gt_join(pid);
		CHECK_EQ(mark, i + 1000);
	}
}

static void exec_loop(void)
{
	for (unsigned int i = 0; i < gt_rounds(60); i++) {
		pid_t pid = SYS(fork());

		if (pid == 0) {
			execl("/bin/true", "true", NULL);
			_exit(100);
		}
		gt_join(pid);
	}
}

static void vfork_once(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(100);
	}
	CHECK(pid > 0);
	gt_join(pid);
}

static void vfork_loop(void)
{
	for (unsigned int i = 0; i < gt_rounds(100); i++)
		vfork_once();
}

/* A shell pipeline: several programs, pipes and exits at once. */
static void shell_pipeline(void)
{
	for (unsigned int i = 0; i < gt_rounds(5); i++) {
		FILE *f = popen("seq 1 500 | grep 7 | sort -rn | head -n 3 | tr '\\n' ' '", "r");
		char line[64] = "";

		CHECK(f != NULL);
		CHECK(fgets(line, sizeof(line), f) != NULL);
		CHECK_EQ(pclose(f), 0);
		CHECK_EQ(strcmp(line, "497 487 479 "), 0);
	}
}

/* Forty address spaces take turns; each finds its own data at the same address. */
static void many_spaces(void)
{
	unsigned int members = gt_scale > 1 ? 12 : 40, rounds = gt_rounds(10);
	uint64_t *own = gt_pages(16 * PAGE, PROT_READ | PROT_WRITE);
	volatile uint32_t *word = gt_shared(PAGE);
	pid_t pids[40];

	for (uint32_t m = 0; m < members; m++) {
		pids[m] = SYS(fork());
		if (pids[m] != 0)
			continue;
		for (size_t i = 0; i < 16; i++)
			own[i * PAGE / 8] = m * 100 + i;
		for (uint32_t r = 0; r < rounds; r++) {
			gt_wait_for(word, r * members + m);
			for (size_t i = 0; i < 16; i++)
				CHECK_EQ(own[i * PAGE / 8]++, m * 100 + i + r);
			gt_set(word, r * members + m + 1);
		}
		_exit(0);
	}
	for (uint32_t m = 0; m < members; m++)
		gt_join(pids[m]);
}

/* All at once, none waiting: the scheduler interleaves them. */
static void many_runners(void)
{
	pid_t pids[12];

	for (uint64_t m = 0; m < 12; m++) {
		pids[m] = SYS(fork());
		if (pids[m] != 0)
			continue;
		volatile uint64_t *own = gt_pages(64 * PAGE, PROT_READ | PROT_WRITE);

		for (unsigned int r = 0; r < gt_rounds(60); r++) {
			for (size_t i = 0; i < 64; i++)
				own[i * PAGE / 8] = gt_mix(m * 64 + i + r);
			if (r % 4 == 0)
				sched_yield();
			for (size_t i = 0; i < 64; i++)
				CHECK_EQ(own[i * PAGE / 8], gt_mix(m * 64 + i + r));
		}
		_exit(0);
	}
	for (int m = 0; m < 12; m++)
		gt_join(pids[m]);
}

static void burst(void)
{
	pid_t pids[60];
	unsigned int n = gt_scale > 1 ? 20 : 60;

	for (unsigned int round = 0; round < gt_rounds(3); round++) {
		for (unsigned int i = 0; i < n; i++) {
			pids[i] = SYS(fork());
			if (pids[i] == 0)
				_exit((int)i);
		}
		for (unsigned int i = 0; i < n; i++)
			CHECK_EQ(gt_wait(pids[i]), (int)i << 8);
	}
}

static void chain(unsigned int depth)
{
	if (depth > 0) {
		pid_t pid = SYS(fork());

		if (pid == 0) {
			chain(depth - 1);
			_exit(0);
		}
		gt_join(pid);
	}
}

static void deep_chain(void)
{
	chain(gt_rounds(30));
}

/* Children of a process that ends get a new parent, which reaps them. */
static void orphans(void)
{
	volatile uint32_t *word = gt_shared(PAGE);
	pid_t pid;

	SYS(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	pid = SYS(fork());
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			if (SYS(fork()) == 0) {
				gt_wait_for(word, 1);
				_exit(getppid() == 1 ? 1 : 0);
			}
		}
		_exit(0);
	}
	gt_join(pid);
	gt_set(word, 1);
	for (int i = 0; i < 5; i++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
}

static void stop_and_continue(void)
{
	volatile uint64_t *progress = gt_shared(PAGE);
	pid_t pid = SYS(fork());
	int status;

	if (pid == 0)
		for (;;)
			(*progress)++;
	for (unsigned int i = 0; i < gt_rounds(10); i++) {
		uint64_t before;
		struct timespec ms = { 0, 1000000 };

		SYS(kill(pid, SIGSTOP));
		SYS(waitpid(pid, &status, WUNTRACED));
		CHECK(WIFSTOPPED(status));
		before = *progress;
		nanosleep(&ms, NULL);
		CHECK_EQ(*progress, before);
		SYS(kill(pid, SIGCONT));
		SYS(waitpid(pid, &status, WCONTINUED));
		CHECK(WIFCONTINUED(status));
		while (*progress == before)
			sched_yield();
	}
	SYS(kill(pid, SIGKILL));
	gt_wait(pid);
}

static int clone_body(void *arg)
{
	*(volatile uint32_t *)arg = 77;
	return 5;
}

static void clone_sharing_memory(void)
{
	char *stack = gt_pages(16 * PAGE, PROT_READ | PROT_WRITE);
	volatile uint32_t word = 0;
	pid_t pid;

	for (unsigned int i = 0; i < gt_rounds(50); i++) {
		word = 0;
		pid = SYS(clone(clone_body, stack + 16 * PAGE, CLONE_VM | SIGCHLD, (void *)&word));
		CHECK_EQ(gt_wait(pid), 5 << 8);
		CHECK_EQ(word, 77);
	}
}

/* The accounts of a child reach its parent. */
static void accounts(void)
{
	struct rusage usage;
	pid_t pid = SYS(fork());

	if (pid == 0) {
		char *p = gt_pages(256 * PAGE, PROT_READ | PROT_WRITE);

		memset(p, 1, 256 * PAGE);
		_exit(0);
	}
	gt_join(pid);
	SYS(getrusage(RUSAGE_CHILDREN, &usage));
	CHECK(usage.ru_minflt >= 256);
	CHECK(usage.ru_maxrss >= 1024);
}

/* A program with long arguments and environment finds them all. */
static void long_arguments(void)
{
	char *argv[202];
	char big[1001];
	pid_t pid;

	memset(big, 'x', 1000);
	big[1000] = 0;
	argv[0] = "sh";
	argv[1] = "-c";
	argv[2] = "[ $# = 197 ] && [ ${#1} = 1000 ] && shift 196 && [ ${#1} = 1000 ]";
	argv[3] = "sh";
	for (int i = 4; i <= 200; i++)
		argv[i] = big;
	argv[201] = NULL;
	pid = SYS(fork());
	if (pid == 0) {
		execv("/bin/sh", argv);
		_exit(100);
	}
	gt_join(pid);
}

ROOM(process,
	{ "exit_statuses", exit_statuses, 0 },
	{ "fork_loop", fork_loop, 0 },
	{ "exec_loop", exec_loop, 0 },
	{ "vfork_loop", vfork_loop, GT_LONG },
	{ "shell_pipeline", shell_pipeline, 0 },
	{ "many_spaces", many_spaces, 0 },
	{ "many_runners", many_runners, 0 },
	{ "burst", burst, 0 },
	{ "deep_chain", deep_chain, 0 },
	{ "orphans", orphans, 0 },
	{ "stop_and_continue", stop_and_continue, 0 },
	{ "clone_sharing_memory", clone_sharing_memory, 0 },
	{ "accounts", accounts, 0 },
	{ "long_arguments", long_arguments, 0 });
