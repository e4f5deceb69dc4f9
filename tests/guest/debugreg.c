/* SPDX-License-Identifier: BSD-2-Clause */
/* debugreg.c - hardware breakpoints and watchpoints, set through ptrace. */
#include <sys/ptrace.h>
#include <sys/user.h>
#include "gt.h"
#include "probes.h"

#define DR_EXECUTE 0u
#define DR_WRITE 1u
#define DR_ACCESS 3u

static volatile uint64_t watched[8] __attribute__((aligned(64)));

static pid_t traced(void (*body)(void))
{
	pid_t pid = SYS(fork());

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(90);
		raise(SIGSTOP);
		body();
		_exit(0);
	}
	CHECK(WIFSTOPPED(gt_wait(pid)));
	SYS(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL));
	return pid;
}

static void poke_debug(pid_t pid, unsigned int index, unsigned long value)
{
	SYS(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[index]), (void *)value));
}

static unsigned long peek_debug(pid_t pid, unsigned int index)
{
	errno = 0;
	return (unsigned long)ptrace(PTRACE_PEEKUSER, pid,
				     offsetof(struct user, u_debugreg[index]), NULL);
}

static void set_breakpoint(pid_t pid, unsigned int index, const volatile void *address,
			   unsigned int type, unsigned int length_code)
{
	unsigned long dr7 = peek_debug(pid, 7);

	poke_debug(pid, index, (uintptr_t)address);
	dr7 &= ~((3ul << (index * 2)) | (0xful << (16 + index * 4)));
	dr7 |= 1ul << (index * 2);
	dr7 |= (unsigned long)(type | length_code << 2) << (16 + index * 4);
	poke_debug(pid, 7, dr7);
}

static int resume(pid_t pid)
{
	SYS(ptrace(PTRACE_CONT, pid, NULL, NULL));
	return gt_wait(pid);
}

static unsigned long rip_of(pid_t pid)
{
	struct user_regs_struct regs;

	SYS(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	return regs.rip;
}

static void three_probes(void)
{
	struct gprs in = { 0 }, out;

	in.flags = FLAGS_IF;
	in.rcx = 1;
	for (int i = 0; i < 3; i++)
		probe_loop(&in, &out);
	_exit(5);
}

static void execute_breakpoint(void)
{
	pid_t pid = traced(three_probes);
	int status;

	set_breakpoint(pid, 0, (void *)probe_loop, DR_EXECUTE, 0);
	for (int i = 0; i < 3; i++) {
		status = resume(pid);
		CHECK(WIFSTOPPED(status));
		CHECK_EQ(WSTOPSIG(status), SIGTRAP);
		CHECK_EQ(rip_of(pid), (uintptr_t)probe_loop);
		CHECK_EQ(peek_debug(pid, 6) & 0xf, 1);
	}
	status = resume(pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 5);
}

static void writer(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		watched[i] = i + 1;
		(void)watched[i];
		sched_yield();
	}
	_exit((int)watched[3]);
}

static void write_watchpoint(void)
{
	pid_t pid = traced(writer);
	int status;

	set_breakpoint(pid, 1, &watched[3], DR_WRITE, 2);
	status = resume(pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGTRAP);
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &watched[3], NULL), 4);
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &watched[4], NULL), 0);
	CHECK_EQ(peek_debug(pid, 6) & 0xf, 2);
	status = resume(pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 4);
}

static void access_watchpoints(void)
{
	pid_t pid = traced(writer);
	unsigned int hits = 0;
	int status;

	for (unsigned int i = 0; i < 4; i++)
		set_breakpoint(pid, i, &watched[i * 2], DR_ACCESS, 2);
	for (;;) {
		status = resume(pid);
		if (!WIFSTOPPED(status))
			break;
		CHECK_EQ(WSTOPSIG(status), SIGTRAP);
		hits++;
		CHECK(hits < 100);
	}
	/* Each of the four words is written once and read at least once. */
	CHECK(hits >= 8);
	CHECK(WIFEXITED(status));
}

static void kernel_writer(void)
{
	int fds[2];

	if (pipe(fds) != 0 || write(fds[1], "abcdefgh", 8) != 8)
		_exit(90);
	if (read(fds[0], (void *)&watched[2], 8) != 8)
		_exit(91);
	_exit(watched[2] == 0x6867666564636261ul ? 6 : 92);
}

/* A watchpoint the kernel trips while it copies for the program must not hurt the kernel. */
static void kernel_access(void)
{
	pid_t pid = traced(kernel_writer);
	int status;

	set_breakpoint(pid, 2, &watched[2], DR_ACCESS, 2);
	do {
		status = resume(pid);
	} while (WIFSTOPPED(status));
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 6);
}

/* Debug registers belong to one process: others that touch the same address see nothing. */
static void private_to_process(void)
{
	pid_t pid = traced(writer), others[3];
	int status, hits = 0;

	set_breakpoint(pid, 0, &watched[3], DR_WRITE, 2);
	for (int i = 0; i < 3; i++) {
		others[i] = SYS(fork());
		if (others[i] == 0) {
			for (unsigned int k = 0; k < gt_rounds(2000); k++) {
				watched[3] = k;
				sched_yield();
			}
			_exit(0);
		}
	}
	while (WIFSTOPPED(status = resume(pid)))
		hits++;
	CHECK_EQ(hits, 1);
	for (int i = 0; i < 3; i++)
		gt_join(others[i]);
}

/* Addresses of the kernel are refused as breakpoints. */
static void kernel_addresses_refused(void)
{
	pid_t pid = traced(three_probes);
	static const unsigned long bad[] = { 0xffffffff81000000ul, 0xffff800000000000ul,
		0xffff888000000000ul };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bool refused = ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]),
				      (void *)bad[i]) != 0;

		if (!refused)
			refused = ptrace(PTRACE_POKEUSER, pid,
					 offsetof(struct user, u_debugreg[7]), (void *)1) != 0;
		CHECK(refused);
	}
	SYS(kill(pid, SIGKILL));
	gt_wait(pid);
}

ROOM(debugreg,
	{ "execute_breakpoint", execute_breakpoint, 0 },
	{ "write_watchpoint", write_watchpoint, 0 },
	{ "access_watchpoints", access_watchpoints, 0 },
	{ "kernel_access", kernel_access, 0 },
	{ "private_to_process", private_to_process, 0 },
	{ "kernel_addresses_refused", kernel_addresses_refused, 0 });
