/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - runs the cases one after the other and prints the verdicts as KTAP.
 *
 *	guesttest [vm] [quick] [fused] [scale=N] [only=PREFIX] [skip=PREFIX]
 *
 * Every case gets a process group of its own, which is killed when the case ends, and a watchdog
 * in the guest's own time. The plan counts exactly the cases that run.
 */
#include <stdarg.h>
#include <time.h>
#include "gt.h"

#define WATCHDOG_S 300
#define STATUS_SKIP 77

static const struct room rooms[] = {
	{ "entry", room_entry }, { "compat", room_compat }, { "traps", room_traps },
	{ "signals", room_signals }, { "trace", room_trace }, { "fpu", room_fpu },
	{ "abuse", room_abuse }, { "segs", room_segs }, { "debugreg", room_debugreg }, { "fault", room_fault },
	{ "map", room_map }, { "share", room_share }, { "process", room_process },
	{ "thread", room_thread }, { "ipc", room_ipc }, { "net", room_net },
	{ "time", room_time }, { "system", room_system },
};

bool gt_vm;
unsigned int gt_scale = 1;

static bool quick, fused;
static const char *only, *leave_out;

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool selected(const char *name, const struct test_case *c, bool last)
{
	if (last != !!(c->flags & GT_LAST))
		return false;
	if (quick && (c->flags & GT_LONG))
		return false;
	if (fused && (c->flags & GT_KERNEL))
		return false;
	if (leave_out && starts_with(name, leave_out))
		return false;
	return !only || starts_with(name, only);
}

static int case_status(pid_t pid)
{
	struct timespec watchdog = { .tv_sec = WATCHDOG_S };
	sigset_t child;
	int status;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (sigtimedwait(&child, NULL, &watchdog) < 0 && errno == EAGAIN) {
			printf("# no end after %d s of guest time\n", WATCHDOG_S);
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			return SIGKILL;
		}
	}
	return status;
}

static bool run_case(unsigned int number, const char *name, const struct test_case *c)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		sigset_t none;

		setpgid(0, 0);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		c->run();
		_exit(0);
	}
	if (pid < 0) {
		printf("# fork: %s\nnot ok %u %s\n", strerror(errno), number, name);
		return false;
	}
	setpgid(pid, pid);
	status = case_status(pid);
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIP) {
		printf("ok %u %s # SKIP\n", number, name);
		return true;
	}
	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	printf("%s %u %s\n", status == 0 ? "ok" : "not ok", number, name);
	return status == 0;
}

/* Counts the selected cases, or runs them. */
static unsigned int each_case(bool run, unsigned int *failed)
{
	unsigned int number = 0;
	char name[96];

	for (int last = 0; last < 2; last++) {
		for (size_t r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++) {
			for (const struct test_case *c = rooms[r].cases; c->name; c++) {
				snprintf(name, sizeof(name), "%s.%s", rooms[r].name, c->name);
				if (!selected(name, c, last))
					continue;
				number++;
				if (run && !run_case(number, name, c))
					(*failed)++;
			}
		}
	}
	return number;
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "vm") == 0)
			gt_vm = true;
		else if (strcmp(argv[i], "quick") == 0)
			quick = true;
		else if (strcmp(argv[i], "fused") == 0)
			fused = true;
		else if (starts_with(argv[i], "scale="))
			gt_scale = (unsigned int)atoi(argv[i] + 6);
		else if (starts_with(argv[i], "only="))
			only = argv[i] + 5;
		else if (starts_with(argv[i], "skip="))
			leave_out = argv[i] + 5;
	}
	if (gt_scale == 0)
		gt_scale = 1;
}

int main(int argc, char **argv)
{
	unsigned int failed = 0;
	sigset_t child;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(argc, argv);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	printf("KTAP version 1\n1..%u\n", each_case(false, NULL));
	each_case(true, &failed);
	printf("# %u failed\n", failed);
	fflush(stdout);
	return failed != 0;
}
