/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entry.c - system calls and the ways back from the kernel: which registers and flags survive, odd
 * return addresses and selectors, interrupts that must not be seen.
 */
#include <sys/time.h>
#include "gt.h"
#include "probes.h"

static struct gprs pattern(uint64_t seed)
{
	struct gprs regs;
	uint64_t *word = (uint64_t *)&regs;

	for (size_t i = 0; i < sizeof(regs) / sizeof(*word); i++)
		word[i] = gt_mix(seed * 16 + i + 1);
	regs.flags = FLAGS_IF;
	return regs;
}

/* Fails unless all of @got is as in @want; bit n of @except leaves out word n. */
static void same_regs(const struct gprs *got, const struct gprs *want, unsigned int except)
{
	static const char *const names[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
		"r9", "r10", "r11", "r12", "r13", "r14", "r15", "flags" };
	const uint64_t *g = (const uint64_t *)got, *w = (const uint64_t *)want;

	for (unsigned int i = 0; i < 16; i++) {
		if (except & (1u << i))
			continue;
		if ((g[i] | (i == 15 ? 2 : 0)) != (w[i] | (i == 15 ? 2 : 0)))
			gt_fail(__FILE__, __LINE__, "%s is %#llx, was %#llx", names[i],
				(unsigned long long)g[i], (unsigned long long)w[i]);
	}
}

#define RAX (1u << 0)
#define RCX (1u << 2)
#define R11 (1u << 10)

static void unknown_syscalls(void)
{
	static const long numbers[] = { 9999, 600, 0x7fffffff, -1, (long)0x80000000ffffffful };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		errno = 0;
		CHECK_EQ(syscall(numbers[i]), -1);
		CHECK_EQ(errno, ENOSYS);
	}
}

/* Only eax names the call; the upper half is ignored. */
static void syscall_upper_half(void)
{
	struct gprs in = pattern(3), out;

	in.rax = 0x1234567800000000ul | SYS_getpid;
	probe_syscall(&in, &out);
	CHECK_EQ(out.rax, getpid());
}

static void syscall_keeps_registers(void)
{
	for (uint64_t seed = 0; seed < 64; seed++) {
		struct gprs in = pattern(seed), out;

		in.rax = SYS_getpid;
		probe_syscall(&in, &out);
		CHECK_EQ(out.rax, getpid());
		same_regs(&out, &in, RAX | RCX | R11);
		CHECK_EQ(out.rcx, (uintptr_t)probe_syscall_after);
		CHECK_EQ(out.r11 | 2, out.flags | 2);
	}
}

static void flags_survive(probe_fn *probe, uint64_t number)
{
	static const uint64_t flags[] = { 0, FLAGS_STATUS, FLAGS_DF, FLAGS_AC, FLAGS_NT, FLAGS_ID,
		FLAGS_NT | FLAGS_AC | FLAGS_DF | FLAGS_ID | FLAGS_STATUS };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct gprs in = pattern(i + 100), out;

		in.rax = number;
		in.flags = flags[i] | FLAGS_IF;
		probe(&in, &out);
		CHECK_EQ(out.rax, getpid());
		CHECK_EQ(out.flags | 2, in.flags | 2);
	}
}

static void syscall_keeps_flags(void)
{
	flags_survive(probe_syscall, SYS_getpid);
}

static void int80_keeps_flags(void)
{
	flags_survive(probe_int80, 20);
}

static void int80_keeps_registers(void)
{
	for (uint64_t seed = 0; seed < 64; seed++) {
		struct gprs in = pattern(seed), out;

		in.rax = 20;
		probe_int80(&in, &out);
		CHECK_EQ(out.rax, getpid());
		same_regs(&out, &in, RAX);
	}
}

/* The interrupt flag is not the program's to clear, whatever popf says. */
static void popf_cannot_clear_if(void)
{
	struct gprs in = pattern(7), out;

	in.rax = SYS_getpid;
	in.flags = 0x3000;
	probe_syscall(&in, &out);
	CHECK_EQ(out.flags & 0x3200, FLAGS_IF);
}

/* A demand fault shows in no register. */
static void fault_keeps_registers(void)
{
	char *area = gt_pages(64 * PAGE, PROT_READ | PROT_WRITE);

	for (uint64_t i = 0; i < 64; i++) {
		struct gprs in = pattern(i + 300), out;

		in.rbx = (uintptr_t)area + i * PAGE + i;
		in.flags = FLAGS_IF | (i & 1 ? FLAGS_STATUS | FLAGS_DF | FLAGS_ID | FLAGS_NT : 0);
		probe_store(&in, &out);
		same_regs(&out, &in, 0);
		CHECK_EQ(area[i * PAGE + i], 1);
	}
}

static volatile unsigned int ticks;

static void tick(int signo)
{
	(void)signo;
	ticks++;
}

/* Neither do timer interrupts, and signals on top of them. */
static void interrupts_keep_registers(void)
{
	struct itimerval every_ms = { { 0, 1000 }, { 0, 1000 } };
	unsigned int want = gt_rounds(60), round = 0;

	signal(SIGALRM, tick);
	SYS(setitimer(ITIMER_REAL, &every_ms, NULL));
	while (ticks < want) {
		struct gprs in = pattern(++round + 500), out;

		in.rcx = 200000;
		in.flags = FLAGS_IF | (round & 1 ? FLAGS_STATUS | FLAGS_ID : 0);
		probe_loop(&in, &out);
		CHECK_EQ(out.rcx, 0);
		same_regs(&out, &in, RCX);
	}
}

/* Two such programs on one CPU: switching between them shows in neither. */
static void spin_child(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (unsigned int round = 0; round < gt_rounds(40); round++) {
		struct gprs in = pattern(seed + round), out;

		in.rcx = 1000000;
		probe_loop(&in, &out);
		same_regs(&out, &in, RCX);
	}
}

static void switches_keep_registers(void)
{
	pid_t pids[3];

	for (uintptr_t i = 0; i < 3; i++)
		pids[i] = gt_fork(spin_child, (void *)(i * 100000));
	for (int i = 0; i < 3; i++)
		gt_join(pids[i]);
}

static const struct gprs *want_regs;
static unsigned long want_selectors;
static bool want_set_selectors;
static unsigned long want_rip;

/* Replaces the whole interrupted state; the probe then stores what came back. */
static void replace_context(int signo, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signo;
	(void)info;
	regs[REG_RAX] = (greg_t)want_regs->rax;
	regs[REG_RBX] = (greg_t)want_regs->rbx;
	regs[REG_RCX] = (greg_t)want_regs->rcx;
	regs[REG_RDX] = (greg_t)want_regs->rdx;
	regs[REG_RSI] = (greg_t)want_regs->rsi;
	regs[REG_RDI] = (greg_t)want_regs->rdi;
	regs[REG_RBP] = (greg_t)want_regs->rbp;
	regs[REG_R8] = (greg_t)want_regs->r8;
	regs[REG_R9] = (greg_t)want_regs->r9;
	regs[REG_R10] = (greg_t)want_regs->r10;
	regs[REG_R11] = (greg_t)want_regs->r11;
	regs[REG_R12] = (greg_t)want_regs->r12;
	regs[REG_R13] = (greg_t)want_regs->r13;
	regs[REG_R14] = (greg_t)want_regs->r14;
	regs[REG_R15] = (greg_t)want_regs->r15;
	regs[REG_EFL] = (greg_t)want_regs->flags;
	regs[REG_RIP] = (greg_t)want_rip;
	if (want_set_selectors)
		regs[REG_CSGSFS] = (greg_t)want_selectors;
}

static void catch_ud2(void)
{
	struct sigaction action = { .sa_sigaction = replace_context, .sa_flags = SA_SIGINFO };

	SYS(sigaction(SIGILL, &action, NULL));
	want_rip = (uintptr_t)probe_ud2_after;
	want_set_selectors = false;
}

static void sigreturn_sets_registers(void)
{
	catch_ud2();
	for (uint64_t seed = 0; seed < 64; seed++) {
		struct gprs in = pattern(seed + 700), want = pattern(seed + 900), out;

		/* Every second time rcx and r11 are as SYSRET would leave them. */
		want.flags = FLAGS_IF | (seed & 4 ? FLAGS_DF | FLAGS_AC | FLAGS_STATUS : 0);
		if (seed & 1)
			want.rcx = want_rip;
		if (seed & 2)
			want.r11 = want.flags;
		if (seed & 8)
			want.flags |= FLAGS_RF;
		want_regs = &want;
		probe_ud2(&in, &out);
		want.flags &= ~(uint64_t)FLAGS_RF;
		same_regs(&out, &want, 0);
	}
}

struct target {
	unsigned long rip;
	bool like_sysret;	/* rcx and r11 as if the way back were SYSRET */
};

static void go_to(void *arg)
{
	const struct target *target = arg;
	struct gprs in = pattern(1), want = pattern(2), out;

	catch_ud2();
	want_rip = target->rip;
	want_regs = &want;
	if (target->like_sysret) {
		want.rcx = target->rip;
		want.r11 = want.flags;
	}
	probe_ud2(&in, &out);
}

/* Addresses SYSRET must never see: the fault belongs to the program. */
static void sigreturn_bad_rip(void)
{
	static const unsigned long rips[] = { 0x0000800000000000ul, 0x8000000000000000ul,
		0xffff7ffffffffffful, 0xffff800000000000ul, 0xffffffff81000000ul,
		0xfffffffffffffffful, 0x00007ffffffff000ul, 0 };

	for (size_t i = 0; i < 2 * sizeof(rips) / sizeof(rips[0]); i++) {
		struct target target = { rips[i / 2], i & 1 };
		struct caught caught;

		CHECK_EQ(gt_catch(go_to, &target, &caught), SIGSEGV);
		CHECK_EQ(caught.regs[REG_RIP], rips[i / 2]);
		CHECK_EQ(caught.regs[REG_RBX], pattern(2).rbx);
	}
}

static void jump_to(void *rip)
{
	((void (*)(void))rip)();
}

/* The last instruction of user memory is a system call: its return address has no page. */
static void syscall_at_end_of_memory(void)
{
	static const unsigned char code[] = { 0xb8, 39, 0, 0, 0, 0x0f, 0x05 };
	char *end = (char *)0x7ffffffff000ul;
	struct caught caught;
	char *page = mmap(end - PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (page == MAP_FAILED)
		gt_skip("the last page is taken: %s", strerror(errno));
	memcpy(end - sizeof(code), code, sizeof(code));
	CHECK_EQ(gt_catch(jump_to, end - sizeof(code), &caught), SIGSEGV);
	CHECK_EQ(caught.regs[REG_RIP], (uintptr_t)end);
	CHECK_EQ(caught.regs[REG_RAX], getpid());
}

/* Selectors only a kernel may use: refused to the program, on the way back as anywhere else. */
static void bad_selectors(void *arg)
{
	static struct gprs in, want;
	struct gprs out;

	in = pattern(1);
	want = pattern(2);
	catch_ud2();
	want_regs = &want;
	want_set_selectors = true;
	want_selectors = *(unsigned long *)arg;
	probe_ud2(&in, &out);
}

static void sigreturn_bad_selectors(void)
{
	static const unsigned short pairs[][2] = { { 0x33, 0 }, { 0x33, 0x10 }, { 0x33, 0x13 },
		{ 0x33, 0x18 }, { 0x33, 0x1b }, { 0x10, 0x2b }, { 0x13, 0x2b }, { 0x0b, 0x2b },
		{ 0, 0x2b }, { 3, 0x2b }, { 0x2b, 0x2b }, { 0xfff3, 0x2b }, { 0x33, 0xfff3 },
		{ 0x33, 0x33 }, { 0x43, 0x2b } };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		unsigned long selectors = pairs[i][0] | (unsigned long)pairs[i][1] << 48;
		struct caught caught;
		int signo = gt_catch(bad_selectors, &selectors, &caught);

		if (signo != SIGSEGV && signo != SIGBUS)
			gt_fail(__FILE__, __LINE__, "cs %#x ss %#x: signal %d",
				pairs[i][0], pairs[i][1], signo);
		/* The program goes on as before. */
		syscall_upper_half();
	}
}

/* A null or a sensible SS in the frame of a program that goes on in 64-bit mode. */
static void sigreturn_good_selectors(void)
{
	struct gprs in = pattern(1), want = pattern(2), out;

	catch_ud2();
	want_regs = &want;
	want_set_selectors = true;
	want_selectors = 0x33 | 0x2bul << 48;
	probe_ud2(&in, &out);
	same_regs(&out, &want, 0);
}

/* A system call whose result goes to a bad address fails; it does not fault. */
static void syscall_bad_pointers(void)
{
	static const unsigned long bad[] = { 0, 8, 0x7ffffffff000ul, 0x800000000000ul,
		0xffff800000000000ul, 0xffffffff81000000ul, 0xffffffffff600000ul, -8ul };
	int fds[2];

	SYS(pipe(fds));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(write(fds[1], (void *)bad[i], 8), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(syscall(SYS_clock_gettime, 1, bad[i]), -1);
		CHECK_EQ(errno, EFAULT);
		CHECK_EQ(syscall(SYS_rt_sigaction, SIGUSR1, bad[i] ? bad[i] : 1, NULL, 8), -1);
		CHECK_EQ(errno, EFAULT);
	}
}

ROOM(entry,
	{ "unknown_syscalls", unknown_syscalls, 0 },
	{ "syscall_upper_half", syscall_upper_half, 0 },
	{ "syscall_keeps_registers", syscall_keeps_registers, 0 },
	{ "syscall_keeps_flags", syscall_keeps_flags, 0 },
	{ "int80_keeps_registers", int80_keeps_registers, 0 },
	{ "int80_keeps_flags", int80_keeps_flags, 0 },
	{ "popf_cannot_clear_if", popf_cannot_clear_if, 0 },
	{ "fault_keeps_registers", fault_keeps_registers, 0 },
	{ "interrupts_keep_registers", interrupts_keep_registers, 0 },
	{ "switches_keep_registers", switches_keep_registers, GT_LONG },
	{ "sigreturn_sets_registers", sigreturn_sets_registers, 0 },
	{ "sigreturn_bad_rip", sigreturn_bad_rip, 0 },
	{ "syscall_at_end_of_memory", syscall_at_end_of_memory, 0 },
	{ "sigreturn_bad_selectors", sigreturn_bad_selectors, 0 },
	{ "sigreturn_good_selectors", sigreturn_good_selectors, 0 },
	{ "syscall_bad_pointers", syscall_bad_pointers, 0 });
