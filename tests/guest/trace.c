/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.c - ptrace: single steps, system call stops, registers set from outside. */
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include "gt.h"
#include "probes.h"

/* A traced child that stops itself, then runs @body. */
static pid_t traced(void (*body)(void *), void *arg)
{
	pid_t pid = SYS(fork());
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(90);
		raise(SIGSTOP);
		body(arg);
		_exit(0);
	}
	status = gt_wait(pid);
	CHECK(WIFSTOPPED(status));
	SYS(ptrace(PTRACE_SETOPTIONS, pid, NULL,
		   (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)));
	return pid;
}

static struct user_regs_struct get_regs(pid_t pid)
{
	struct user_regs_struct regs;

	SYS(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	return regs;
}

static int resume(pid_t pid, int how)
{
	SYS(ptrace(how, pid, NULL, NULL));
	return gt_wait(pid);
}

static void work(void *arg)
{
	struct gprs in = { 0 }, out;

	(void)arg;
	in.flags = FLAGS_IF;
	in.rax = SYS_getpid;
	probe_syscall(&in, &out);
	in.rax = 20;
	probe_int80(&in, &out);
	_exit(7);
}

/* Every step stops at another instruction; the system calls and faults on the way are one each. */
static void single_step(void)
{
	pid_t pid = traced(work, NULL);
	unsigned long steps = 0, before_syscall = 0, last = 0;
	bool passed = false;
	int status;

	for (;;) {
		struct user_regs_struct regs;

		status = resume(pid, PTRACE_SINGLESTEP);
		if (!WIFSTOPPED(status))
			break;
		CHECK_EQ(WSTOPSIG(status), SIGTRAP);
		regs = get_regs(pid);
		if (regs.rip == (uintptr_t)probe_syscall_after) {
			before_syscall = last;
			passed = true;
			CHECK_EQ(regs.rax, pid);
		}
		last = regs.rip;
		steps++;
		CHECK(steps < 100000);
	}
	CHECK(passed);
	CHECK_EQ(before_syscall, (uintptr_t)probe_syscall_after - 2);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
}

static void three_calls(void *arg)
{
	(void)arg;
	CHECK_EQ(syscall(SYS_getppid), 4711);
	CHECK_EQ(syscall(SYS_getuid), -1);
	CHECK_EQ(syscall(SYS_lseek, 1, 2, 3), 12345);
}

/* Stops at entry and exit; number, arguments and results replaced. */
static void system_call_stops(void)
{
	pid_t pid = traced(three_calls, NULL);
	struct user_regs_struct regs;
	unsigned int seen = 0;
	int status;

	for (;;) {
		status = resume(pid, PTRACE_SYSCALL);
		if (!WIFSTOPPED(status))
			break;
		CHECK_EQ(WSTOPSIG(status), SIGTRAP | 0x80);
		regs = get_regs(pid);
		CHECK_EQ(regs.rax, -ENOSYS);
		if (regs.orig_rax == SYS_getuid)
			regs.orig_rax = (unsigned long)-1;
		else if (regs.orig_rax == SYS_lseek)
			regs.orig_rax = SYS_getpgrp;
		SYS(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
		status = resume(pid, PTRACE_SYSCALL);
		if (!WIFSTOPPED(status))
			break;
		CHECK_EQ(WSTOPSIG(status), SIGTRAP | 0x80);
		regs = get_regs(pid);
		if (regs.orig_rax == SYS_getppid)
			regs.rax = 4711;
		else if (regs.orig_rax == SYS_getpgrp)
			regs.rax = 12345;
		SYS(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
		seen++;
	}
	CHECK_EQ(status, 0);
	CHECK(seen >= 3);
}

static void stop_in_call(void *arg)
{
	struct gprs in = { 0 }, out;

	(void)arg;
	in.rax = SYS_getpid;
	in.flags = FLAGS_IF;
	probe_syscall(&in, &out);
	for (int i = 0; i < 15; i++)
		CHECK_EQ(((uint64_t *)&out)[i], 0xabc0000000000000ul + (uint64_t)i);
	_exit(9);
}

/* All registers set at an exit stop, rcx and r11 among them: the way back must not be SYSRET. */
static void set_registers_in_call(void)
{
	pid_t pid = traced(stop_in_call, NULL);
	struct user_regs_struct regs;
	int status;

	do {
		status = resume(pid, PTRACE_SYSCALL);
		CHECK(WIFSTOPPED(status));
		regs = get_regs(pid);
	} while (regs.rip != (uintptr_t)probe_syscall_after);
	status = resume(pid, PTRACE_SYSCALL);
	regs = get_regs(pid);
	CHECK_EQ(regs.rax, pid);
	regs.rax = 0xabc0000000000000ul;
	regs.rbx = 0xabc0000000000001ul;
	regs.rcx = 0xabc0000000000002ul;
	regs.rdx = 0xabc0000000000003ul;
	regs.rsi = 0xabc0000000000004ul;
	regs.rdi = 0xabc0000000000005ul;
	regs.rbp = 0xabc0000000000006ul;
	regs.r8 = 0xabc0000000000007ul;
	regs.r9 = 0xabc0000000000008ul;
	regs.r10 = 0xabc0000000000009ul;
	regs.r11 = 0xabc000000000000aul;
	regs.r12 = 0xabc000000000000bul;
	regs.r13 = 0xabc000000000000cul;
	regs.r14 = 0xabc000000000000dul;
	regs.r15 = 0xabc000000000000eul;
	SYS(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	status = resume(pid, PTRACE_CONT);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 9);
}

/* A return address outside user space set at an exit stop: the child dies, nothing else does. */
static void set_bad_rip_in_call(void)
{
	static const unsigned long rips[] = { 0x0000800000000000ul, 0x8000000000000000ul,
		0xffff800000000000ul, 0xffffffff81000000ul };

	for (size_t i = 0; i < sizeof(rips) / sizeof(rips[0]); i++) {
		pid_t pid = traced(stop_in_call, NULL);
		struct user_regs_struct regs;
		int status;

		resume(pid, PTRACE_SYSCALL);
		resume(pid, PTRACE_SYSCALL);
		regs = get_regs(pid);
		regs.rip = rips[i];
		regs.rcx = rips[i];
		if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) != 0) {
			SYS(kill(pid, SIGKILL));
			gt_wait(pid);
			continue;
		}
		status = resume(pid, PTRACE_CONT);
		CHECK(WIFSTOPPED(status));
		CHECK_EQ(WSTOPSIG(status), SIGSEGV);
		regs = get_regs(pid);
		CHECK_EQ(regs.rip, rips[i]);
		SYS(kill(pid, SIGKILL));
		gt_wait(pid);
	}
}

static void breakpoint_body(void *arg)
{
	struct gprs in = { 0 }, out;

	(void)arg;
	in.flags = FLAGS_IF;
	in.rcx = 1;
	for (int i = 0; i < 3; i++)
		probe_loop(&in, &out);
	_exit(3);
}

/* A breakpoint poked into text, which stays untouched in the parent. */
static void software_breakpoint(void)
{
	pid_t pid = traced(breakpoint_body, NULL);
	struct user_regs_struct regs;
	long *where = (long *)probe_loop;
	long word = *where, patched = (word & ~0xfful) | 0xcc;
	int status, hits = 0;

	SYS(ptrace(PTRACE_POKETEXT, pid, where, (void *)patched));
	for (;;) {
		status = resume(pid, PTRACE_CONT);
		if (!WIFSTOPPED(status))
			break;
		CHECK_EQ(WSTOPSIG(status), SIGTRAP);
		hits++;
		regs = get_regs(pid);
		CHECK_EQ(regs.rip, (uintptr_t)where + 1);
		regs.rip--;
		SYS(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
		SYS(ptrace(PTRACE_POKETEXT, pid, where, (void *)word));
		CHECK(WIFSTOPPED(resume(pid, PTRACE_SINGLESTEP)));
		SYS(ptrace(PTRACE_POKETEXT, pid, where, (void *)patched));
	}
	CHECK_EQ(hits, 3);
	CHECK_EQ(WEXITSTATUS(status), 3);
	CHECK_EQ(*(volatile long *)where, word);
}

static volatile unsigned long peeked[1024] __attribute__((aligned(4096)));

static void peek_body(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1024; i++)
		peeked[i] = gt_mix((uint64_t)i);
	raise(SIGSTOP);
	for (int i = 0; i < 1024; i++)
		CHECK_EQ(peeked[i], gt_mix((uint64_t)i) + 1);
}

/* Memory of another process read and written through the kernel: copy on write on the way. */
static void other_memory(void)
{
	pid_t pid = traced(peek_body, NULL);
	int status = resume(pid, PTRACE_CONT);

	CHECK(WIFSTOPPED(status));
	for (int i = 0; i < 1024; i++) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, pid, &peeked[i], NULL);
		CHECK_EQ(errno, 0);
		CHECK_EQ(word, gt_mix((uint64_t)i));
		SYS(ptrace(PTRACE_POKEDATA, pid, &peeked[i], (void *)(word + 1)));
		CHECK_EQ(peeked[i], 0);
	}
	CHECK_EQ(resume(pid, PTRACE_CONT), 0);
}

static void signal_body(void *arg)
{
	(void)arg;
	signal(SIGUSR1, SIG_IGN);
	raise(SIGTERM);
	_exit(11);
}

static void signal_suppressed(void)
{
	pid_t pid = traced(signal_body, NULL);
	int status = resume(pid, PTRACE_CONT);

	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGTERM);
	status = resume(pid, PTRACE_CONT);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 11);
}

ROOM(trace,
	{ "single_step", single_step, GT_LONG },
	{ "system_call_stops", system_call_stops, 0 },
	{ "set_registers_in_call", set_registers_in_call, 0 },
	{ "set_bad_rip_in_call", set_bad_rip_in_call, 0 },
	{ "software_breakpoint", software_breakpoint, 0 },
	{ "other_memory", other_memory, 0 },
	{ "signal_suppressed", signal_suppressed, 0 });
