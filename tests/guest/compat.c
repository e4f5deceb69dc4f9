/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compat.c - programs of the other word size, mode switches within one program, the old entry
 * points: int 0x80 from 64-bit code, the vsyscall page.
 */
#include <asm/ldt.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <time.h>
#include "compat.h"
#include "gt.h"
#include "probes.h"

unsigned int compat_enter(unsigned int number);
extern char compat_code[], compat_code_end[], compat_return_address[];

static void program_32(void)
{
	int status;
	pid_t pid = SYS(fork());

	if (pid == 0) {
		execl("/bin/compat32", "compat32", NULL);
		_exit(100);
	}
	status = gt_wait(pid);
	if (status == 100 << 8)
		gt_skip("no /bin/compat32");
	CHECK_EQ(status, 0);
}

static void programs_32_and_64(void)
{
	for (unsigned int i = 0; i < gt_rounds(10); i++) {
		pid_t pids[4];

		for (int k = 0; k < 4; k++) {
			pids[k] = SYS(fork());
			if (pids[k] == 0) {
				if (k & 1)
					_exit(0);
				execl("/bin/compat32", "compat32", NULL);
				_exit(100);
			}
		}
		for (int k = 0; k < 4; k++)
			gt_join(pids[k]);
	}
}

static void map_compat_code(void)
{
	void *p = mmap((void *)COMPAT_BASE, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(p != MAP_FAILED);
	memcpy(p, compat_code, (size_t)(compat_code_end - compat_code));
	memcpy((void *)COMPAT_RETURN, compat_return_address, 8);
}

/* Far jumps to a 32-bit code segment and back, with a system call in between. */
static void mode_switch(void)
{
	map_compat_code();
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(compat_enter(20), getpid());
	CHECK_EQ((int)compat_enter(9999), -ENOSYS);
}

static void mode_switch_child(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < gt_rounds(3000); i++)
		CHECK_EQ(compat_enter(20), syscall(SYS_getpid));
}

static void mode_switch_and_schedule(void)
{
	pid_t pids[3];

	map_compat_code();
	for (int i = 0; i < 3; i++)
		pids[i] = gt_fork(mode_switch_child, NULL);
	for (int i = 0; i < 3; i++)
		gt_join(pids[i]);
}

/* int 0x80 sees 32-bit arguments whatever the upper halves hold. */
static void int80_arguments(void)
{
	static char text[] = "x";
	char *low = mmap((void *)0x20000000, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	struct gprs in = { 0 }, out;
	int fds[2];

	CHECK(low != MAP_FAILED);
	SYS(pipe(fds));
	memcpy(low, text, 1);
	in.flags = FLAGS_IF;
	in.rax = 4;
	in.rbx = 0x7777777700000000ul | (unsigned int)fds[1];
	in.rcx = 0x5555555500000000ul | 0x20000000u;
	in.rdx = 0x9999999900000001ul;
	probe_int80(&in, &out);
	CHECK_EQ(out.rax, 1);
	CHECK_EQ(read(fds[0], low + 8, 1), 1);
	CHECK_EQ(low[8], 'x');
	in.rcx = (uintptr_t)text | 0xf0000000u;
	probe_int80(&in, &out);
	CHECK_EQ(out.rax, -EFAULT);
}

static void *const vsyscall_page = (void *)0xffffffffff600000ul;

static void call_vsyscall_time(void *arg)
{
	long (*vtime)(long *) = (long (*)(long *))((char *)vsyscall_page + 0x400);

	*(long *)arg = vtime(NULL);
}

/* The vsyscall page can be called; it cannot be read, and only its three entries work. */
static void vsyscall(void)
{
	struct caught caught;
	struct timeval tv;
	long value = 0, before = time(NULL);
	int (*vgettimeofday)(struct timeval *, void *) =
		(int (*)(struct timeval *, void *))vsyscall_page;

	if (gt_catch(call_vsyscall_time, &value, &caught) == SIGSEGV)
		gt_skip("vsyscall=none");
	CHECK(before <= value && value <= time(NULL));
	CHECK_EQ(vgettimeofday(&tv, NULL), 0);
	CHECK(value <= tv.tv_sec);
}

static void read_byte(void *arg)
{
	(void)*(volatile char *)arg;
}

static void call_address(void *arg)
{
	((void (*)(void))arg)();
}

static void vsyscall_misuse(void)
{
	struct caught caught;

	CHECK_EQ(gt_catch(read_byte, vsyscall_page, &caught), SIGSEGV);
	CHECK_EQ((uintptr_t)caught.info.si_addr, (uintptr_t)vsyscall_page);
	CHECK_EQ(gt_catch(call_address, (char *)vsyscall_page + 8, &caught), SIGSEGV);
	CHECK_EQ(gt_catch(call_address, (char *)vsyscall_page + 0x1000, &caught), SIGSEGV);
	CHECK_EQ(gt_catch(call_address, (char *)vsyscall_page - 0x1000, &caught), SIGSEGV);
}

static void sysenter(void *arg)
{
	(void)arg;
	__asm__ volatile("sysenter" : : "a"(39ul) : "memory");
}

/* sysenter from 64-bit code is a 32-bit call that never comes back here, or is refused. */
static void sysenter_from_64(void)
{
	struct caught caught;
	pid_t pid = SYS(fork());
	int status;

	if (pid == 0) {
		gt_catch(sysenter, NULL, &caught);
		_exit(0);
	}
	status = gt_wait(pid);
	CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGILL);
	CHECK_EQ(syscall(SYS_getppid) > 0, 1);
}

static unsigned long load_gs_word(unsigned short selector, unsigned long offset)
{
	unsigned long value;

	__asm__ volatile("mov %%gs, %%ecx\n\tmov %w1, %%gs\n\tmov %%gs:(%2), %0\n\tmov %%ecx, %%gs"
			 : "=&r"(value) : "r"((unsigned int)selector), "r"(offset) : "rcx");
	return value;
}

/* A segment in the thread's part of the descriptor table, also used from 64-bit code. */
static void thread_segment_check(void *arg)
{
	unsigned short selector = *(unsigned short *)arg;

	for (unsigned int i = 0; i < gt_rounds(200); i++) {
		CHECK_EQ(load_gs_word(selector, 8), 0x2222222222222222);
		syscall(SYS_sched_yield);
	}
}

static void thread_segment(void)
{
	unsigned long *block = mmap((void *)0x20000000, PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	struct user_desc *desc = (struct user_desc *)((char *)block + 2048);
	struct gprs in = { 0 }, out;
	unsigned short selector;
	pid_t pids[2];

	CHECK(block != MAP_FAILED);
	block[0] = 0x1111111111111111;
	block[1] = 0x2222222222222222;
	*desc = (struct user_desc){ .entry_number = (unsigned int)-1, .base_addr = 0x20000000,
				    .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1,
				    .useable = 1 };
	in.flags = FLAGS_IF;
	in.rax = 243;
	in.rbx = (uintptr_t)desc;
	probe_int80(&in, &out);
	CHECK_EQ(out.rax, 0);
	selector = (unsigned short)(desc->entry_number * 8 + 3);
	pids[0] = gt_fork(thread_segment_check, &selector);
	pids[1] = gt_fork(thread_segment_check, &selector);
	thread_segment_check(&selector);
	gt_join(pids[0]);
	gt_join(pids[1]);
}

ROOM(compat,
	{ "program_32", program_32, 0 },
	{ "programs_32_and_64", programs_32_and_64, GT_LONG },
	{ "mode_switch", mode_switch, 0 },
	{ "mode_switch_and_schedule", mode_switch_and_schedule, GT_LONG },
	{ "int80_arguments", int80_arguments, 0 },
	{ "vsyscall", vsyscall, 0 },
	{ "vsyscall_misuse", vsyscall_misuse, 0 },
	{ "sysenter_from_64", sysenter_from_64, 0 },
	{ "thread_segment", thread_segment, 0 });
