/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abuse.c - what a program could try against its kernel and against the hypervisor below it: gates,
 * selectors, far returns, addresses that are nobody's, and instructions with registers of noise. Where
 * the outcome is known it is checked, and the native run shows that it is right; elsewhere the program may
 * end as it likes, if only everybody else goes on.
 */
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/user.h>
#include "gt.h"

#define USER_TOP 0x7ffffffff000ul
#define LOW 0x31000000ul

static unsigned char *code;

static void need_code(void)
{
	if (!code)
		code = gt_pages(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static void run_code(void *arg)
{
	__asm__ volatile("call *%0" : : "r"(code), "a"(arg), "c"(arg), "d"(arg)
			 : "memory", "cc", "rsi", "rdi", "r8", "r9", "r10", "r11");
}

/* The signal of the bytes followed by RET; its registers in *caught. */
static int try_code(const void *bytes, size_t n, void *arg, struct caught *caught)
{
	need_code();
	memcpy(code, bytes, n);
	code[n] = 0xc3;
	return gt_catch(run_code, arg, caught);
}

/* ---- gates ---- */

/* Each of the 256: three are a program's to use, all others name themselves in the error code. */
static void every_gate(void)
{
	struct caught caught;

	for (unsigned int n = 0; n < 256; n++) {
		unsigned char bytes[] = { 0xcd, (unsigned char)n };
		/* eax is no system call */
		int signo = try_code(bytes, 2, (void *)0x7fffffff, &caught);
		int want = n == 3 ? SIGTRAP : n == 0x80 ? 0 : SIGSEGV;

		if (signo != want)
			gt_fail(__FILE__, __LINE__, "int %#x: signal %d", n, signo);
		if (n != 3 && n != 4 && n != 0x80) {
			CHECK_EQ(caught.regs[REG_TRAPNO], 13);
			/* QEMU's TCG counts 16 to a gate of the long-mode table, processors 8 */
			CHECK(caught.regs[REG_ERR] == n * 8 + 2 || caught.regs[REG_ERR] == n * 16 + 2);
			CHECK_EQ(caught.regs[REG_RIP], (uintptr_t)code);
		}
	}
}

/* ---- selectors ---- */

/* Null, or one of the descriptors that are every program's: code 32, data, code 64, the CPU's number. */
static bool loadable(unsigned int selector)
{
	unsigned int index = selector >> 3;

	return selector < 4 || (!(selector & 4) && ((index >= 4 && index <= 6) || index == 15));
}

static void every_selector(void)
{
	static const struct {
		const char *name;
		unsigned char bytes[2];
	} loads[] = { { "ds", { 0x8e, 0xd8 } }, { "es", { 0x8e, 0xc0 } }, { "gs", { 0x8e, 0xe8 } },
		      { "ss", { 0x8e, 0xd0 } } };
	struct caught caught;
	unsigned int step = gt_scale > 1 ? 3 : 1;

	for (unsigned int selector = 0; selector < 0x10000; selector += selector < 0x220 ? step : 0x7f1)
		for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
			bool ss = i == 3;
			bool good = ss ? selector == 0x2b : loadable(selector);
			int signo = try_code(loads[i].bytes, 2, (void *)(uintptr_t)selector, &caught);

			__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(0));
			if ((signo == 0) != good || (signo && signo != SIGSEGV && signo != SIGBUS))
				gt_fail(__FILE__, __LINE__, "mov %s, %#x: signal %d", loads[i].name,
					selector, signo);
		}
}

/* ---- far transfers ---- */

static unsigned long far_selector, far_rip, far_flags, far_rsp, far_ss;

static void lretq(void *arg)
{
	(void)arg;
	__asm__ volatile("pushq %0\n\tpushq %1\n\tlretq" : : "m"(far_selector), "r"(far_rip) : "memory");
}

static void iretq(void *arg)
{
	(void)arg;
	__asm__ volatile("mov %0, %%rax\n\tmov %1, %%rcx\n\tmov %2, %%rdx\n\tmov %3, %%rsi\n\t"
			 "mov %4, %%rdi\n\tpushq %%rax\n\tpushq %%rcx\n\tpushq %%rdx\n\tpushq %%rsi\n\t"
			 "pushq %%rdi\n\tiretq"
			 : : "m"(far_ss), "m"(far_rsp), "m"(far_flags), "m"(far_selector), "m"(far_rip)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "memory");
}

/* No code segment but the two of programs; none of the kernel's, whatever the stack says. */
static void far_returns(void)
{
	struct caught caught;
	char stack[256] __attribute__((aligned(16)));

	if (!gt_vm)
		gt_skip("QEMU's IRETQ and LRETQ of programs fault in the kernel's name where SMAP is on");
	need_code();
	code[0] = 0xf4; /* hlt: where a return that worked would trap */
	for (unsigned int selector = 0; selector < 0x100; selector++) {
		if ((selector | 3) == 0x33 || (selector | 3) == 0x23)
			continue;
		far_selector = selector;
		far_rip = (uintptr_t)code;
		far_flags = 0x202;
		far_rsp = (uintptr_t)stack + 128;
		far_ss = 0x2b;
		for (int i = 0; i < 2; i++) {
			int signo = gt_catch(i ? iretq : lretq, NULL, &caught);

			if (signo != SIGSEGV && signo != SIGBUS)
				gt_fail(__FILE__, __LINE__, "%s to %#x: signal %d", i ? "iretq" : "lretq",
					selector, signo);
			CHECK(caught.regs[REG_RIP] != (greg_t)(uintptr_t)code);
		}
	}
	/* To where nothing is, and with a stack or stack segment that is none. */
	far_selector = 0x33;
	for (unsigned int i = 0; i < 4; i++) {
		far_rip = i == 0 ? 0x800000000000ul : i == 1 ? 0xffff870000000000ul : (uintptr_t)code;
		far_ss = i == 2 ? 0x18 : 0x2b;
		far_flags = i == 3 ? ~0ul : 0x202;
		CHECK(gt_catch(iretq, NULL, &caught) != 0);
	}
}

/* ---- addresses that are nobody's ---- */

static void read_at(void *arg)
{
	(void)*(volatile unsigned char *)arg;
}

static void write_at(void *arg)
{
	*(volatile unsigned char *)arg = 1;
}

static void jump_to(void *arg)
{
	__asm__ volatile("call *%0" : : "r"(arg) : "memory");
}

static void push_at(void *arg)
{
	__asm__ volatile("mov %%rsp, %%rbx\n\tmov %0, %%rsp\n\tpushq %%rax\n\tmov %%rbx, %%rsp"
			 : : "r"(arg) : "rbx", "memory");
}

static void nothing_at(unsigned long at)
{
	static void (*const ways[])(void *) = { read_at, write_at, jump_to, push_at };
	struct caught caught;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int signo = gt_catch(ways[i], (void *)at, &caught);

		if (signo != SIGSEGV && signo != SIGBUS)
			gt_fail(__FILE__, __LINE__, "way %zu to %#lx: signal %d", i, at, signo);
	}
}

static void hypervisor_addresses(void)
{
	static const unsigned long places[] = {
		USER_TOP, 0x800000000000ul, 0xffff7ffffffffff8ul,	/* the end and the gap */
		0xffff800000000000ul, 0xffff870000000000ul, 0xffff870000100000ul, 0xffff870000101000ul,
		0xffff87fffffffff8ul,					/* the hypervisor's hole */
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		nothing_at(places[i]);
	for (unsigned int i = 0; i < gt_rounds(100); i++)
		nothing_at(0xffff800000000000ul + (gt_mix(i) & 0x7fffffffff8ul));
}

static void kernel_addresses(void)
{
	static const unsigned long places[] = { 0xffff888000000000ul, 0xffffffff81000000ul, 0xffffffffff5ff000ul,
						0xfffffffffffffff0ul };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		nothing_at(places[i]);
}

/*
 * The addresses where the guest kernel's own way back lies mean nothing when a program jumps there, nor do
 * the addresses of the doors; natively the entry code stands for them.
 */
static void kernel_doors(void)
{
	static const char *const wanted[] = { "ringfence_eretu", "ringfence_erets", "ringfence_syscall_entry",
		"ringfence_user_entry", "ringfence_kernel_entry", "entry_SYSCALL_64", "asm_exc_page_fault" };
	FILE *file = fopen("/proc/kallsyms", "r");
	unsigned int found = 0;
	char line[256];

	if (!file)
		gt_skip("no /proc/kallsyms");
	while (fgets(line, sizeof(line), file)) {
		unsigned long at;
		char type, name[128];

		if (sscanf(line, "%lx %c %127s", &at, &type, name) != 3 || !at)
			continue;
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
			if (strncmp(name, wanted[i], strlen(wanted[i])))
				continue;
			nothing_at(at);
			found++;
		}
	}
	fclose(file);
	if (!found)
		gt_skip("no symbol of the kernel's doors");
}

/*
 * A base that is not canonical: processors refuse the instruction, TCG takes it. Then it is saved and
 * loaded with everything else, and none of that may hurt anybody but the program.
 */
static void switch_with_base(unsigned long base, bool fs)
{
	__asm__ volatile("cmpb $0, %1\n\tjne 1f\n\twrgsbase %0\n\tjmp 2f\n1:\twrfsbase %0\n2:\t"
			 "mov $200, %%ebx\n3:\tmov %2, %%eax\n\tsyscall\n\tdec %%ebx\n\tjnz 3b\n\t"
			 "mov %3, %%eax\n\txor %%edi, %%edi\n\tsyscall"
			 : : "r"(base), "r"(fs), "i"(SYS_sched_yield), "i"(SYS_exit_group)
			 : "rax", "rbx", "rcx", "rdi", "r11", "memory");
}

static void bases_not_canonical(void)
{
	static const unsigned long bad[] = { 0x800000000000ul, 1ul << 63, 0xffff7ffffffffffful,
		0x123456789abcdef0ul };

	for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++) {
		pid_t pid = SYS(fork());
		int status;

		if (pid == 0)
			switch_with_base(bad[i / 2], i & 1);
		for (int k = 0; k < 200; k++)
			sched_yield();
		status = gt_wait(pid);
		CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	}
}

/* The last two bytes a program can have; behind them nothing may be executed. */
static void syscall_in_the_last_bytes(void)
{
	unsigned char *last = mmap((void *)(USER_TOP - PAGE), PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	struct caught caught;

	if (last == MAP_FAILED)
		gt_skip("the last page is taken");
	CHECK_EQ((uintptr_t)last, USER_TOP - PAGE);
	for (unsigned int k = 0; k < 2; k++) {
		memcpy(last + PAGE - 2, k ? "\xcd\x80" : "\x0f\x05", 2);
		code = last + PAGE - 2;
		CHECK_EQ(gt_catch(run_code, (void *)(uintptr_t)0x7fffffff, &caught), SIGSEGV);
		CHECK_EQ(caught.regs[REG_RIP], USER_TOP);
	}
	code = NULL;
}

/* ---- noise ---- */

static uint64_t noise_state;

static uint64_t noise(void)
{
	noise_state = gt_mix(noise_state + 0x9e3779b97f4a7c15ull);
	return noise_state;
}

static uint64_t odd_value(void)
{
	static const uint64_t odd[] = { 0, 1, 0x23, 0x2b, 0x33, 0x10, 0x18, 0x7b, 0x7ffffffff000, 0x7fffffffffff,
		0x800000000000, 0xffff800000000000, 0xffff870000100000, 0xffff880000000000,
		0xffffffff81000000, ~0ull, 1ull << 63, 0x80000000, 0xffffffff };

	return noise() % 4 ? odd[noise() % (sizeof(odd) / sizeof(odd[0]))] : noise();
}

/* Instructions that cross a border, with registers and flags of noise; prefixes before some. */
static size_t put_noise(unsigned char *at)
{
	static const struct {
		unsigned char length, bytes[4];
	} insns[] = {
		{ 2, { 0x0f, 0x05 } }, { 2, { 0x0f, 0x34 } }, { 2, { 0x0f, 0x35 } }, { 2, { 0x0f, 0x07 } },
		{ 3, { 0x48, 0x0f, 0x07 } }, { 3, { 0x48, 0x0f, 0x35 } }, { 1, { 0xcf } }, { 2, { 0x48, 0xcf } },
		{ 1, { 0xcb } }, { 2, { 0x48, 0xcb } }, { 1, { 0x9d } }, { 2, { 0xcd, 0x80 } }, { 1, { 0xcc } },
		{ 1, { 0xf1 } }, { 1, { 0xf4 } }, { 1, { 0xfa } }, { 1, { 0xfb } }, { 1, { 0xec } }, { 1, { 0xef } },
		{ 3, { 0x0f, 0x22, 0xd8 } }, { 3, { 0x0f, 0x20, 0xd0 } }, { 2, { 0x0f, 0x30 } }, { 2, { 0x0f, 0x33 } },
		{ 3, { 0x0f, 0x01, 0xf8 } }, { 3, { 0x0f, 0x01, 0xd1 } }, { 3, { 0x0f, 0x01, 0xc1 } },
		{ 3, { 0x0f, 0x01, 0xd9 } }, { 3, { 0x0f, 0x01, 0xca } }, { 3, { 0x0f, 0x01, 0xcb } },
		{ 2, { 0x8e, 0xd8 } }, { 2, { 0x8e, 0xe0 } }, { 2, { 0x8e, 0xe8 } }, { 2, { 0x8e, 0xd0 } },
		{ 4, { 0xf3, 0x0f, 0xae, 0xd8 } }, { 3, { 0x0f, 0x00, 0xd8 } }, { 2, { 0xff, 0x28 } },
		{ 2, { 0xff, 0x18 } }, { 2, { 0x0f, 0x0b } }, { 2, { 0x0f, 0xa2 } }, { 2, { 0x0f, 0x31 } },
		{ 3, { 0x0f, 0xae, 0x28 } }, { 3, { 0x0f, 0xae, 0x08 } }, { 2, { 0x48, 0x9c } }, { 1, { 0xc9 } },
	};
	static const unsigned char prefixes[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x64, 0x65, 0x48, 0x2e };
	size_t which, n = 0;

	do /* as in far_returns */
		which = noise() % (sizeof(insns) / sizeof(insns[0]));
	while (!gt_vm && insns[which].length < 3 &&
	       (insns[which].bytes[insns[which].length - 1] | 4) == 0xcf);
	if (noise() % 4 == 0)
		at[n++] = prefixes[noise() % sizeof(prefixes)];
	memcpy(at + n, insns[which].bytes, insns[which].length);
	return n + insns[which].length;
}

/* System calls that would end or stop more than the program itself. */
static bool harmless(uint64_t nr)
{
	switch ((unsigned int)nr & ~0x40000000u) {
	case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_reboot: case SYS_fork: case SYS_vfork:
	case SYS_clone: case SYS_pause: case SYS_ptrace:
		return false;
	}
	return (nr >> 32) == 0 && (nr < 2 || nr > 0x1000);
}

/* Code and stack lie below 4 GiB; odd seeds run it as 32-bit code. */
static void go_wild(unsigned int seed)
{
	struct itimerval limit = { { 0, 0 }, { 0, 50000 } };
	struct {
		unsigned int offset;
		unsigned short selector;
	} target = { LOW, seed & 1 ? 0x23 : 0x33 };
	uint64_t regs[8], flags, *stack = (uint64_t *)(LOW + PAGE);
	unsigned char *code_at = (unsigned char *)LOW;
	size_t n = 0;

	noise_state = seed;
	for (size_t i = 0; i < PAGE / 8; i++)
		stack[i] = odd_value();
	for (int i = 0; i < 4; i++)
		n += put_noise(code_at + n);
	memcpy(code_at + n, "\x0f\x0b", 2);
	for (int i = 0; i < 8; i++)
		regs[i] = odd_value();
	while (!harmless(regs[0]))
		regs[0] = 0x10000 + (noise() & 0xffff);
	flags = 0x202 | (noise() & 0x244fd5); /* arithmetic, TF, DF, NT, AC, ID */
	setitimer(ITIMER_REAL, &limit, NULL);
	__asm__ volatile("mov %0, %%rsi\n\tlea 2048(%1), %%rsp\n\tpushq %2\n\tpopfq\n\t"
			 "mov (%%rsi), %%rax\n\tmov 8(%%rsi), %%rcx\n\tmov 16(%%rsi), %%rdx\n\t"
			 "mov 24(%%rsi), %%rbx\n\tmov 32(%%rsi), %%rbp\n\tmov 40(%%rsi), %%r10\n\t"
			 "mov 48(%%rsi), %%r11\n\tmov %3, %%r8\n\tmov 56(%%rsi), %%rsi\n\tljmp *(%%r8)"
			 : : "r"(regs), "r"(stack), "r"(flags), "r"(&target) : "memory");
}

static int wait_any(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		CHECK_EQ(errno, EINTR);
	return status;
}

static void instructions_of_noise(void)
{
	unsigned int died = 0, rounds = gt_rounds(400);
	void *low = mmap((void *)LOW, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(low == (void *)LOW);
	for (unsigned int i = 1; i <= rounds; i++) {
		pid_t pid = SYS(fork());

		if (pid == 0) {
			go_wild(i);
			_exit(0);
		}
		died += WIFSIGNALED(wait_any(pid));
		CHECK(getppid() > 0);
	}
	CHECK(died > rounds / 2);
}

/* What a debugger may write into a stopped program's registers, and what comes of it. */
static void debugger_writes_noise(void)
{
	unsigned int taken = 0, rounds = gt_rounds(200);

	noise_state = 4711;
	for (unsigned int i = 0; i < rounds; i++) {
		struct user_regs_struct regs;
		unsigned long long *words = (unsigned long long *)&regs;
		pid_t pid = SYS(fork());
		int status;

		if (pid == 0) {
			struct itimerval limit = { { 0, 0 }, { 0, 50000 } };

			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
			raise(SIGSTOP);
			setitimer(ITIMER_REAL, &limit, NULL);
			for (;;)
				getppid();
		}
		CHECK(WIFSTOPPED(wait_any(pid)));
		SYS(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
		for (uint64_t n = 1 + noise() % 3; n; n--)
			words[noise() % (sizeof(regs) / 8)] = odd_value();
		taken += ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0;
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		usleep(200);
		kill(pid, SIGKILL);
		do
			status = wait_any(pid);
		while (!WIFSIGNALED(status) && !WIFEXITED(status));
	}
	CHECK(taken > 0);
}

static void scramble(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signo;
	(void)info;
	for (uint64_t n = 1 + noise() % 3; n; n--)
		uc->uc_mcontext.gregs[noise() % NGREG] = (greg_t)odd_value();
}

static void signal_frames_of_noise(void)
{
	unsigned int died = 0, rounds = gt_rounds(300);

	for (unsigned int i = 1; i <= rounds; i++) {
		pid_t pid = SYS(fork());

		if (pid == 0) {
			struct sigaction action = { .sa_sigaction = scramble, .sa_flags = SA_SIGINFO };
			struct itimerval limit = { { 0, 0 }, { 0, 50000 } };

			noise_state = i;
			sigaction(SIGUSR1, &action, NULL);
			setitimer(ITIMER_REAL, &limit, NULL);
			for (int k = 0; k < 10; k++)
				raise(SIGUSR1);
			_exit(0);
		}
		died += WIFSIGNALED(wait_any(pid));
	}
	CHECK(died > rounds / 10);
}

ROOM(abuse,
	{ "every_gate", every_gate, 0 },
	{ "every_selector", every_selector, GT_LONG },
	{ "far_returns", far_returns, 0 },
	{ "hypervisor_addresses", hypervisor_addresses, 0 },
	{ "kernel_addresses", kernel_addresses, GT_KERNEL },
	{ "kernel_doors", kernel_doors, GT_KERNEL },
	{ "bases_not_canonical", bases_not_canonical, 0 },
	{ "syscall_in_the_last_bytes", syscall_in_the_last_bytes, 0 },
	{ "instructions_of_noise", instructions_of_noise, 0 },
	{ "debugger_writes_noise", debugger_writes_noise, 0 },
	{ "signal_frames_of_noise", signal_frames_of_noise, 0 });
