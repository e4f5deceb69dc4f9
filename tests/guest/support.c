/* SPDX-License-Identifier: BSD-2-Clause */
/* support.c - what several rooms need: verdicts, children, caught signals, memory, hand-shakes. */
#include <linux/futex.h>
#include <stdarg.h>
#include "gt.h"

#define STATUS_SKIP 77

void gt_fail(const char *file, int line, const char *fmt, ...)
{
	const char *slash = strrchr(file, '/');
	char text[400];
	va_list args;
	int n;

	n = snprintf(text, sizeof(text), "# %s:%d: ", slash ? slash + 1 : file, line);
	va_start(args, fmt);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n - 1, fmt, args);
	va_end(args);
	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	text[n++] = '\n';
	if (write(STDOUT_FILENO, text, (size_t)n) < 0)
		_exit(2);
	_exit(1);
}

void gt_skip(const char *fmt, ...)
{
	char text[200] = "# skipped: ";
	size_t n = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + n, sizeof(text) - n - 1, fmt, args);
	va_end(args);
	n = strlen(text);
	text[n++] = '\n';
	if (write(STDOUT_FILENO, text, n) < 0)
		_exit(2);
	_exit(STATUS_SKIP);
}

unsigned int gt_rounds(unsigned int n)
{
	return n / gt_scale ? n / gt_scale : 1;
}

pid_t gt_fork(void (*fn)(void *), void *arg)
{
	pid_t pid = SYS(fork());

	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	return pid;
}

int gt_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		CHECK(errno == EINTR);
	return status;
}

void gt_join(pid_t pid)
{
	int status = gt_wait(pid);

	if (status != 0)
		gt_fail(__FILE__, __LINE__, "child %d ended with status %#x", (int)pid, status);
}

static sigjmp_buf catch_return;
static struct caught *catch_into;

static void catch_handler(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	catch_into->signo = signo;
	catch_into->info = *info;
	memcpy(catch_into->regs, uc->uc_mcontext.gregs, sizeof(catch_into->regs));
	siglongjmp(catch_return, 1);
}

int gt_catch(void (*fn)(void *), void *arg, struct caught *caught)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE };
	static char stack[65536] __attribute__((aligned(64)));
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = catch_handler,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };

	SYS(sigaltstack(&alt, NULL));
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		SYS(sigaction(signals[i], &action, NULL));
	memset(caught, 0, sizeof(*caught));
	catch_into = caught;
	if (sigsetjmp(catch_return, 1) == 0)
		fn(arg);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	return caught->signo;
}

void *gt_pages(size_t bytes, int prot)
{
	void *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

void *gt_shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

void gt_wait_for(volatile uint32_t *word, uint32_t value)
{
	for (;;) {
		uint32_t now = __atomic_load_n(word, __ATOMIC_ACQUIRE);

		if (now == value)
			return;
		syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
	}
}

void gt_set(volatile uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE, 1 << 30, NULL, NULL, 0);
}
