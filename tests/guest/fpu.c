/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fpu.c - x87, SSE and AVX state: kept across calls, signals, switches and fork, fresh after exec,
 * visible and changeable in signal frames and through ptrace.
 */
#include <elf.h>
#include <fenv.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include "gt.h"

struct vectors {
	uint64_t word[16][4];	/* ymm0..15; xmm uses the first two words */
} __attribute__((aligned(64)));

static bool have_avx(void)
{
	return __builtin_cpu_supports("avx");
}

#define EACH_16(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) \
	op(12) op(13) op(14) op(15)
#define LOAD_X(n) "movdqa " #n "*32(%[in]), %%xmm" #n "\n\t"
#define STORE_X(n) "movdqa %%xmm" #n ", " #n "*32(%[out])\n\t"
#define LOAD_Y(n) "vmovdqa " #n "*32(%[in]), %%ymm" #n "\n\t"
#define STORE_Y(n) "vmovdqa %%ymm" #n ", " #n "*32(%[out])\n\t"
#define CLOBBER "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
	"xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* Loads all vector registers, makes one system call, stores them. */
static long call_with_vectors(long number, const struct vectors *in, struct vectors *out)
{
	long result;

	if (have_avx())
		__asm__ volatile(EACH_16(LOAD_Y) "syscall\n\t" EACH_16(STORE_Y)
				 : "=a"(result) : "a"(number), [in] "r"(in), [out] "r"(out)
				 : "rcx", "r11", "memory", CLOBBER);
	else
		__asm__ volatile(EACH_16(LOAD_X) "syscall\n\t" EACH_16(STORE_X)
				 : "=a"(result) : "a"(number), [in] "r"(in), [out] "r"(out)
				 : "rcx", "r11", "memory", CLOBBER);
	return result;
}

/* The same around a loop in user mode, for interrupts to come in between. */
static void spin_with_vectors(unsigned long rounds, const struct vectors *in, struct vectors *out)
{
	if (have_avx())
		__asm__ volatile(EACH_16(LOAD_Y) "1: loop 1b\n\t" EACH_16(STORE_Y)
				 : "+c"(rounds) : [in] "r"(in), [out] "r"(out) : "memory", CLOBBER);
	else
		__asm__ volatile(EACH_16(LOAD_X) "1: loop 1b\n\t" EACH_16(STORE_X)
				 : "+c"(rounds) : [in] "r"(in), [out] "r"(out) : "memory", CLOBBER);
}

static void fill(struct vectors *v, uint64_t seed)
{
	for (unsigned int i = 0; i < 16; i++)
		for (unsigned int k = 0; k < 4; k++)
			v->word[i][k] = gt_mix(seed * 64 + i * 4 + k + 1);
}

static void same(const struct vectors *got, const struct vectors *want)
{
	unsigned int words = have_avx() ? 4 : 2;

	for (unsigned int i = 0; i < 16; i++)
		for (unsigned int k = 0; k < words; k++)
			if (got->word[i][k] != want->word[i][k])
				gt_fail(__FILE__, __LINE__, "ymm%u word %u is %#llx, was %#llx", i, k,
					(unsigned long long)got->word[i][k],
					(unsigned long long)want->word[i][k]);
}

static void across_calls(void)
{
	struct vectors in, out;

	for (uint64_t seed = 0; seed < 50; seed++) {
		fill(&in, seed);
		CHECK_EQ(call_with_vectors(SYS_getpid, &in, &out), getpid());
		same(&out, &in);
		call_with_vectors(SYS_sched_yield, &in, &out);
		same(&out, &in);
	}
}

static volatile int ticks;

static void clobbering(int signo)
{
	struct vectors junk;

	(void)signo;
	fill(&junk, 12345 + (uint64_t)ticks);
	spin_with_vectors(1, &junk, &junk);
	ticks++;
}

static void across_signals(void)
{
	struct itimerval every_ms = { { 0, 1000 }, { 0, 1000 } };
	int want = (int)gt_rounds(50);
	struct vectors in, out;

	signal(SIGALRM, clobbering);
	SYS(setitimer(ITIMER_REAL, &every_ms, NULL));
	for (uint64_t seed = 0; ticks < want; seed++) {
		fill(&in, seed);
		spin_with_vectors(100000, &in, &out);
		same(&out, &in);
	}
}

static void switching_child(void *arg)
{
	struct vectors in, out;

	for (uint64_t i = 0; i < gt_rounds(300); i++) {
		fill(&in, (uintptr_t)arg * 1000 + i);
		call_with_vectors(SYS_sched_yield, &in, &out);
		same(&out, &in);
		if (i % 8 == 0) {
			spin_with_vectors(100000, &in, &out);
			same(&out, &in);
		}
	}
}

static void across_switches(void)
{
	pid_t pids[4];

	for (uintptr_t i = 0; i < 4; i++)
		pids[i] = gt_fork(switching_child, (void *)i);
	for (int i = 0; i < 4; i++)
		gt_join(pids[i]);
}

/* The child of a fork starts with its parent's registers. */
static void across_fork(void)
{
	struct vectors in, out;
	long pid;

	for (uint64_t seed = 0; seed < gt_rounds(10); seed++) {
		fill(&in, seed + 99);
		memset(&out, 0, sizeof(out));
		pid = call_with_vectors(SYS_fork, &in, &out);
		CHECK(pid >= 0);
		same(&out, &in);
		if (pid == 0)
			_exit(0);
		gt_join((pid_t)pid);
	}
}

static void control_words_child(void *arg)
{
	static const int modes[] = { FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };
	int mode = modes[(uintptr_t)arg];

	CHECK_EQ(fesetround(mode), 0);
	for (unsigned int i = 0; i < gt_rounds(200); i++) {
		volatile double x = 1.0, y = 3.0, z = x / y;
		unsigned int mxcsr;
		unsigned short control;

		__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(control));
		CHECK_EQ(mxcsr & 0x6000, mode << 3);
		CHECK_EQ(control & 0xc00, mode);
		(void)z;
		sched_yield();
	}
}

static void control_words(void)
{
	pid_t pids[4];

	for (uintptr_t i = 0; i < 4; i++)
		pids[i] = gt_fork(control_words_child, (void *)i);
	for (int i = 0; i < 4; i++)
		gt_join(pids[i]);
}

static void x87_child(void *arg)
{
	for (unsigned int i = 0; i < gt_rounds(200); i++) {
		long double value = (long double)(uintptr_t)arg + 0.5L, got;

		__asm__ volatile("fldt %1\n\tfldpi\n\tsyscall\n\tfstp %%st(0)\n\tfstpt %0"
				 : "=m"(got) : "m"(value), "a"((long)SYS_sched_yield)
				 : "rcx", "r11", "memory", "st", "st(1)");
		CHECK(got == value);
	}
}

static void x87_across_switches(void)
{
	pid_t pids[3];

	for (uintptr_t i = 0; i < 3; i++)
		pids[i] = gt_fork(x87_child, (void *)(i + 1));
	for (int i = 0; i < 3; i++)
		gt_join(pids[i]);
}

static void frame_handler(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	struct _fpstate *fp = (struct _fpstate *)uc->uc_mcontext.fpregs;
	const uint32_t *xmm5 = (const uint32_t *)&fp->_xmm[5];

	(void)signo;
	(void)info;
	if (xmm5[0] == 0x11111111 && xmm5[3] == 0x44444444)
		ticks = 1;
	memset(&fp->_xmm[5], 0x77, 16);
	uc->uc_mcontext.gregs[REG_RIP] += 2;
}

/* The frame shows the registers, and what a handler writes there comes back. */
static void in_signal_frame(void)
{
	struct sigaction action = { .sa_sigaction = frame_handler, .sa_flags = SA_SIGINFO };
	static const uint32_t before[4] = { 0x11111111, 0x22222222, 0x33333333, 0x44444444 };
	uint32_t after[4];

	SYS(sigaction(SIGILL, &action, NULL));
	__asm__ volatile("movdqu %1, %%xmm5\n\tud2\n\tmovdqu %%xmm5, %0"
			 : "=m"(after) : "m"(before) : "xmm5", "memory");
	CHECK_EQ(ticks, 1);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(after[i], 0x77777777);
}

static void corrupt_handler(int signo, siginfo_t *info, void *context)
{
	struct _fpstate *fp = (struct _fpstate *)((ucontext_t *)context)->uc_mcontext.fpregs;

	(void)signo;
	(void)info;
	/* The header of the extended area: reserved state components, which XRSTOR refuses. */
	memset((char *)fp + 512, 0xff, 64);
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

/* A frame whose state the processor refuses kills the program, nothing else. */
static void corrupt_frame(void)
{
	struct sigaction action = { .sa_sigaction = corrupt_handler, .sa_flags = SA_SIGINFO };
	pid_t pid = SYS(fork());
	int status;

	if (pid == 0) {
		SYS(sigaction(SIGILL, &action, NULL));
		__asm__ volatile("ud2" : : : "memory");
		_exit(0);
	}
	status = gt_wait(pid);
	CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
	across_calls();
}

static void divide_by_zero(void *arg)
{
	volatile double zero = 0.0;

	(void)arg;
	feenableexcept(FE_DIVBYZERO);
	zero = 1.0 / zero;
}

static void x87_divide_by_zero(void *arg)
{
	unsigned short control = 0x37b;

	(void)arg;
	__asm__ volatile("fninit\n\tfldcw %0\n\tfldz\n\tfld1\n\tfdivp\n\tfwait" : : "m"(control));
}

static void exceptions(void)
{
	struct caught caught;

	CHECK_EQ(gt_catch(x87_divide_by_zero, NULL, &caught), SIGFPE);
	CHECK_EQ(caught.info.si_code, FPE_FLTDIV);
	CHECK_EQ(caught.regs[REG_TRAPNO], 16);
	if (gt_catch(divide_by_zero, NULL, &caught) == 0)
		gt_skip("this processor raises no SSE exceptions");
	CHECK_EQ(caught.signo, SIGFPE);
	CHECK_EQ(caught.info.si_code, FPE_FLTDIV);
	CHECK_EQ(caught.regs[REG_TRAPNO], 19);
}

static void by_ptrace(void)
{
	struct user_fpregs_struct fp;
	struct vectors in, out;
	pid_t pid = SYS(fork());

	fill(&in, 3);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(90);
		/* kill(getpid(), SIGSTOP) with the registers loaded. */
		register long self __asm__("rdi") = getpid();
		register long stop __asm__("rsi") = SIGSTOP;

		__asm__ volatile(EACH_16(LOAD_X) "mov $62, %%eax\n\tsyscall\n\t" EACH_16(STORE_X)
				 : : "r"(self), "r"(stop), [in] "r"(&in), [out] "r"(&out)
				 : "rax", "rcx", "r11", "memory", CLOBBER);
		CHECK_EQ(out.word[7][0], 0xaaaaaaaaaaaaaaaa);
		CHECK_EQ(out.word[8][1], in.word[8][1]);
		_exit(0);
	}
	CHECK(WIFSTOPPED(gt_wait(pid)));
	SYS(ptrace(PTRACE_GETFPREGS, pid, NULL, &fp));
	CHECK_EQ(memcmp(&fp.xmm_space[7 * 4], in.word[7], 16), 0);
	memset(&fp.xmm_space[7 * 4], 0xaa, 16);
	SYS(ptrace(PTRACE_SETFPREGS, pid, NULL, &fp));
	SYS(ptrace(PTRACE_CONT, pid, NULL, NULL));
	gt_join(pid);
}

/* A new program starts with clean registers whatever ran before. */
static void fresh_after_exec(void)
{
	struct vectors junk;

	fill(&junk, 9);
	for (unsigned int i = 0; i < gt_rounds(10); i++) {
		int status;
		pid_t pid = SYS(fork());

		if (pid == 0) {
			spin_with_vectors(1, &junk, &junk);
			execl("/bin/freshregs", "freshregs", NULL);
			_exit(100);
		}
		status = gt_wait(pid);
		if (status == 100 << 8)
			gt_skip("no /bin/freshregs");
		CHECK_EQ(status, 0);
	}
}

ROOM(fpu,
	{ "across_calls", across_calls, 0 },
	{ "across_signals", across_signals, 0 },
	{ "across_switches", across_switches, 0 },
	{ "across_fork", across_fork, 0 },
	{ "control_words", control_words, 0 },
	{ "x87_across_switches", x87_across_switches, 0 },
	{ "in_signal_frame", in_signal_frame, 0 },
	{ "corrupt_frame", corrupt_frame, 0 },
	{ "exceptions", exceptions, 0 },
	{ "by_ptrace", by_ptrace, 0 },
	{ "fresh_after_exec", fresh_after_exec, 0 });
