/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segs.c - the bases and selectors of FS and GS: set by call, by instruction, by selector and by
 * ptrace; kept across everything that may run in between.
 */
#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include "gt.h"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

static unsigned long get_base(int code)
{
	unsigned long base = 0;

	SYS(syscall(SYS_arch_prctl, code, &base));
	return base;
}

static void set_gs(unsigned long base)
{
	SYS(syscall(SYS_arch_prctl, ARCH_SET_GS, base));
}

static unsigned long gs_word(unsigned long offset)
{
	unsigned long value;

	__asm__ volatile("mov %%gs:(%1), %0" : "=r"(value) : "r"(offset));
	return value;
}

static void need_fsgsbase(void)
{
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		gt_skip("the kernel does not offer FSGSBASE");
}

static unsigned long rdgsbase(void)
{
	unsigned long base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void wrgsbase(unsigned long base)
{
	__asm__ volatile("wrgsbase %0" : : "r"(base) : "memory");
}

static unsigned long block[64];

static void bases_by_call(void)
{
	unsigned long fs = get_base(ARCH_GET_FS);

	block[2] = 0x1234567887654321;
	set_gs((uintptr_t)block);
	CHECK_EQ(get_base(ARCH_GET_GS), (uintptr_t)block);
	CHECK_EQ(gs_word(16), block[2]);
	CHECK_EQ(get_base(ARCH_GET_FS), fs);
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff888000000000ul), -1);
	CHECK_EQ(errno, EPERM);
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x0000800000000000ul), -1);
	CHECK_EQ(gs_word(16), block[2]);
}

static void bases_by_instruction(void)
{
	unsigned long fs;

	need_fsgsbase();
	__asm__ volatile("rdfsbase %0" : "=r"(fs));
	CHECK_EQ(fs, get_base(ARCH_GET_FS));
	for (unsigned long i = 0; i < 32; i++) {
		block[i] = gt_mix(i);
		wrgsbase((uintptr_t)&block[i]);
		CHECK_EQ(gs_word(0), block[i]);
		CHECK_EQ(get_base(ARCH_GET_GS), (uintptr_t)&block[i]);
		CHECK_EQ(rdgsbase(), (uintptr_t)&block[i]);
	}
	__asm__ volatile("wrfsbase %0" : : "r"(fs) : "memory");
}

static volatile int ticks;

static void tick(int signo)
{
	(void)signo;
	ticks++;
}

/*
 * A program may give GS a base in the kernel's half. The kernel must not take it for its own: not in
 * a system call, a fault, an interrupt, a signal.
 */
static void base_in_kernel_half(void)
{
	static const unsigned long bases[] = { 0xffff888000000000ul, 0xffffffff82000000ul,
		0xffff800000000000ul, 0xfffffffffffff000ul };
	struct itimerval every_ms = { { 0, 1000 }, { 0, 1000 } };

	need_fsgsbase();
	signal(SIGALRM, tick);
	SYS(setitimer(ITIMER_REAL, &every_ms, NULL));
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		char *area;
		int want = ticks + 3;

		wrgsbase(bases[i]);
		CHECK(getppid() > 0);
		area = gt_pages(16 * PAGE, PROT_READ | PROT_WRITE);
		for (unsigned long k = 0; k < 16; k++)
			area[k * PAGE] = 1;
		while (ticks < want)
			;
		sched_yield();
		CHECK_EQ(rdgsbase(), bases[i]);
		SYS(munmap(area, 16 * PAGE));
	}
}

struct keeper {
	unsigned long base;
	unsigned int rounds;
};

static void keep_base(void *arg)
{
	const struct keeper *k = arg;

	set_gs(k->base);
	for (unsigned int i = 0; i < k->rounds; i++) {
		CHECK_EQ(gs_word(0), *(unsigned long *)k->base);
		CHECK_EQ(get_base(ARCH_GET_GS), k->base);
		sched_yield();
	}
}

static void bases_across_switches(void)
{
	struct keeper keepers[4];
	pid_t pids[4];

	for (unsigned long i = 0; i < 4; i++) {
		block[i * 8] = gt_mix(i + 77);
		keepers[i] = (struct keeper){ (uintptr_t)&block[i * 8], gt_rounds(500) };
	}
	for (int i = 0; i < 4; i++)
		pids[i] = gt_fork(keep_base, &keepers[i]);
	for (int i = 0; i < 4; i++)
		gt_join(pids[i]);
}

static void bases_across_fork(void)
{
	pid_t pid;

	block[0] = 42;
	set_gs((uintptr_t)block);
	pid = SYS(fork());
	if (pid == 0) {
		CHECK_EQ(gs_word(0), 42);
		CHECK_EQ(get_base(ARCH_GET_GS), (uintptr_t)block);
		set_gs(0);
		_exit(0);
	}
	gt_join(pid);
	CHECK_EQ(gs_word(0), 42);
}

static void load_selectors(unsigned short fs_like)
{
	__asm__ volatile("mov %w0, %%gs" : : "r"((unsigned int)fs_like) : "memory");
}

static unsigned short gs_selector(void)
{
	unsigned int selector;

	__asm__ volatile("mov %%gs, %0" : "=r"(selector));
	return (unsigned short)selector;
}

/* A selector and what the load of one does to the base. */
static void selectors(void)
{
	static const unsigned short values[] = { 0, 3, 0x2b };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		load_selectors(values[i]);
		for (int k = 0; k < 20; k++) {
			CHECK_EQ(gs_selector(), values[i]);
			sched_yield();
		}
		if (values[i] == 0x2b)
			CHECK_EQ(get_base(ARCH_GET_GS), 0);
	}
	load_selectors(0);
}

static void load_bad_selector(void *arg)
{
	load_selectors(*(unsigned short *)arg);
}

static void bad_selectors(void)
{
	static const unsigned short values[] = { 0x08, 0x10, 0x13, 0x18, 0x40, 0x80, 0xe008, 0xe010,
		0xfff8, 0x0c };
	struct caught caught;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		CHECK_EQ(gt_catch(load_bad_selector, (void *)&values[i], &caught), SIGSEGV);
}

static void data_selectors_child(void *arg)
{
	unsigned int want = (unsigned int)(uintptr_t)arg, ds, es;

	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(want) : "memory");
	for (unsigned int i = 0; i < gt_rounds(200); i++) {
		sched_yield();
		__asm__ volatile("mov %%ds, %0\n\tmov %%es, %1" : "=r"(ds), "=r"(es));
		CHECK_EQ(ds, want);
		CHECK_EQ(es, want);
	}
}

/* Null selectors other than 0 are left out: an interrupt's IRET may make 0 of them anywhere. */
static void data_selectors(void)
{
	static const unsigned long values[] = { 0, 0x2b, 0, 0x2b };
	pid_t pids[4];

	for (int i = 0; i < 4; i++)
		pids[i] = gt_fork(data_selectors_child, (void *)values[i]);
	for (int i = 0; i < 4; i++)
		gt_join(pids[i]);
}

static void bases_by_ptrace(void)
{
	struct user_regs_struct regs;
	pid_t pid = SYS(fork());

	if (pid == 0) {
		block[1] = 99;
		set_gs((uintptr_t)&block[0]);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(90);
		raise(SIGSTOP);
		CHECK_EQ(gs_word(0), 99);
		CHECK_EQ(get_base(ARCH_GET_GS), (uintptr_t)&block[1]);
		_exit(0);
	}
	CHECK(WIFSTOPPED(gt_wait(pid)));
	SYS(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	CHECK_EQ(regs.gs_base, (uintptr_t)&block[0]);
	CHECK_EQ(regs.fs_base, get_base(ARCH_GET_FS));
	regs.gs_base = (uintptr_t)&block[1];
	SYS(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	SYS(ptrace(PTRACE_CONT, pid, NULL, NULL));
	gt_join(pid);
}

/* The CPU's number as a program may ask for it: by call, and by the segment limit or rdpid. */
static void cpu_number(void)
{
	unsigned int cpu, node, limit;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	SYS(sched_setaffinity(0, sizeof(one), &one));
	SYS(syscall(SYS_getcpu, &cpu, &node, NULL));
	CHECK_EQ(cpu, 0);
	CHECK_EQ(sched_getcpu(), 0);
	__asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(0x7bu));
	CHECK_EQ(limit & 0xfff, 0);
}

ROOM(segs,
	{ "bases_by_call", bases_by_call, 0 },
	{ "bases_by_instruction", bases_by_instruction, 0 },
	{ "base_in_kernel_half", base_in_kernel_half, 0 },
	{ "bases_across_switches", bases_across_switches, 0 },
	{ "bases_across_fork", bases_across_fork, 0 },
	{ "selectors", selectors, 0 },
	{ "bad_selectors", bad_selectors, 0 },
	{ "data_selectors", data_selectors, 0 },
	{ "bases_by_ptrace", bases_by_ptrace, 0 },
	{ "cpu_number", cpu_number, 0 });
