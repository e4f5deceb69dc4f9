/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ksrun - runs the tests of a list inside the guest and reports in KTAP.
 *
 * The list, /kselftest/list, has one test per line: group, flag (quick or full), seconds, directory,
 * name, command; separated by tabs. Arguments choose: group=NAME, only=NAME[,NAME...], quick, scale=N (times
 * the seconds). A test is a shell command with a session of its own. It passes with exit status 0 and is
 * skipped with 4, as kselftest has it. Whatever it leaves running is killed. What it printed is repeated
 * behind "# " in front of its result, so the other side can compare the cases inside a test.
 *
 * Seconds are of CLOCK_MONOTONIC, which some tests cannot set. This process must be a child of process 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIST		"/kselftest/list"
#define MAX_TESTS	1000
#define SKIP_STATUS	4
#define HEAD_LINES	2500	/* of a test's output */
#define TAIL_LINES	60
#define LINE_LENGTH	220

struct test {
	char *group, *flag, *directory, *name, *command;
	unsigned int seconds;
};

static struct test tests[MAX_TESTS];
static size_t test_count;

static const char *want_group, *want_only;
static bool want_quick;
static unsigned int scale = 1;

__attribute__((noreturn))
static void bail(const char *what)
{
	printf("Bail out! ksrun: %s: %s\n", what, strerror(errno));
	exit(2);
}

static bool in_list(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == length && !strncmp(at, name, length))
			return true;
	return false;
}

static bool wanted(const struct test *test)
{
	return (!want_group || !strcmp(test->group, want_group))
		&& (!want_only || in_list(want_only, test->name))
		&& (!want_quick || !strcmp(test->flag, "quick"));
}

static void read_list(void)
{
	FILE *file = fopen(LIST, "re");
	char *line = NULL;
	size_t room = 0;

	if (!file)
		bail(LIST);
	while (getline(&line, &room, file) > 0 && test_count < MAX_TESTS) {
		struct test *test = &tests[test_count];
		char *rest = line;

		line[strcspn(line, "\n")] = 0;
		test->group = strsep(&rest, "\t");
		test->flag = strsep(&rest, "\t");
		test->seconds = (unsigned int)atoi(strsep(&rest, "\t") ?: "0");
		test->directory = strsep(&rest, "\t");
		test->name = strsep(&rest, "\t");
		test->command = rest;
		if (!test->command || !test->seconds) {
			errno = EINVAL;
			bail("a line of the list");
		}
		if (wanted(test)) {
			test_count++;
			line = NULL;	/* its parts are used from now on */
			room = 0;
		}
	}
	fclose(file);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noreturn))
static void become(const struct test *test, int output)
{
	int input = open("/dev/null", O_RDONLY);

	setsid();
	if (chdir(test->directory) || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(126);
	close(input);
	close(output);
	execl("/bin/sh", "sh", "-c", test->command, (char *)NULL);
	_exit(127);
}

/* Waits until @pid has ended or @deadline is past; true: ended, *status is set. */
static bool wait_until(pid_t pid, double deadline, int *status)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		bail("pidfd_open");
	for (double left; (left = deadline - now()) > 0 && poll_fd.revents == 0;)
		poll(&poll_fd, 1, (int)(left * 1000) + 1);
	close(fd);
	return waitpid(pid, status, WNOHANG) == pid;
}

/*
 * Nothing a test started survives it: this process and process 1 are the only ones spared. Orphans become
 * children of this process, so that no child left means nothing left.
 */
static void sweep(void)
{
	kill(-1, SIGCONT);
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void show_line(const char *line, size_t length)
{
	fputs("# ", stdout);
	for (size_t i = 0; i < length && i < LINE_LENGTH; i++)
		putchar(line[i] >= ' ' && line[i] <= '~' ? line[i] : ' ');
	putchar('\n');
}

static void show(int output)
{
	struct stat stat;
	unsigned long lines = 0, at = 0;

	if (fstat(output, &stat) || !stat.st_size)
		return;
	char *text = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, output, 0);
	if (text == MAP_FAILED)
		bail("mmap");
	const char *end = text + stat.st_size;

	for (const char *c = text; c < end; c++)
		lines += *c == '\n';
	for (const char *line = text; line < end; at++) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		stop = stop ?: end;
		if (at == HEAD_LINES && lines > HEAD_LINES + TAIL_LINES)
			printf("# ksrun: %lu lines left out\n", lines - HEAD_LINES - TAIL_LINES);
		if (stop > line && (at < HEAD_LINES || at + TAIL_LINES >= lines))
			show_line(line, (size_t)(stop - line));
		line = stop + 1;
	}
	munmap(text, (size_t)stat.st_size);
}

static void run(size_t number, const struct test *test)
{
	int output = memfd_create("output", MFD_CLOEXEC);
	double start = now();
	int status = 0;

	if (output < 0 || fcntl(output, F_SETFL, O_APPEND) < 0)
		bail("memfd_create");
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		bail("fork");
	if (!pid)
		become(test, output);
	bool ended = wait_until(pid, start + (double)(test->seconds * scale), &status);
	double taken = now() - start;

	sweep();
	show(output);
	close(output);
	bool skipped = ended && WIFEXITED(status) && WEXITSTATUS(status) == SKIP_STATUS;
	bool passed = ended && WIFEXITED(status) && !WEXITSTATUS(status);

	printf("%s %zu %s # %s", passed || skipped ? "ok" : "not ok", number, test->name,
	       !ended ? "TIMEOUT" : skipped ? "SKIP" : "");
	if (ended && WIFSIGNALED(status))
		printf("signal=%d", WTERMSIG(status));
	else if (ended && !passed && !skipped)
		printf("exit=%d", WEXITSTATUS(status));
	printf(" secs=%.2f\n", taken);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "group=", 6))
			want_group = argv[i] + 6;
		else if (!strncmp(argv[i], "only=", 5))
			want_only = argv[i] + 5;
		else if (!strcmp(argv[i], "quick"))
			want_quick = true;
		else if (!strncmp(argv[i], "scale=", 6))
			scale = (unsigned int)atoi(argv[i] + 6) ?: 1;
		else {
			errno = EINVAL;
			bail(argv[i]);
		}
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		bail("PR_SET_CHILD_SUBREAPER");
	read_list();
	printf("KTAP version 1\n1..%zu\n", test_count);
	for (size_t i = 0; i < test_count; i++)
		run(i + 1, &tests[i]);
	return 0;
}
