/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traps.c - instructions that trap: privileged ones must be refused to a program although its
 * kernel runs at the same privilege level, and traps must name the right instruction.
 */
#include <cpuid.h>
#include "gt.h"
#include "probes.h"

struct bytes {
	const char *name;
	unsigned char length;	/* of the instruction that faults; ret follows */
	unsigned char code[10];
	int signo;
	unsigned char rip_offset;
};

static unsigned char *code_page;

static void run_code(void *arg)
{
	(void)arg;
	/* rax, rcx, rdx and rbx as arguments of whatever instruction stands there. */
	__asm__ volatile("call *%0" : : "r"(code_page), "a"(0ul), "c"(0ul), "d"(0ul)
			 : "memory", "cc", "rsi", "rdi", "r8", "r9", "r10", "r11");
}

static void try_bytes(const struct bytes *b)
{
	struct caught caught;
	int signo;

	code_page = gt_pages(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	memset(code_page, 0x90, 64);
	memcpy(code_page, b->code, b->length);
	code_page[b->length] = 0xc3;
	signo = gt_catch(run_code, NULL, &caught);
	if (signo != b->signo)
		gt_fail(__FILE__, __LINE__, "%s: signal %d, not %d", b->name, signo, b->signo);
	if (signo && caught.regs[REG_RIP] != (greg_t)(uintptr_t)code_page + b->rip_offset)
		gt_fail(__FILE__, __LINE__, "%s: at offset %lld", b->name,
			caught.regs[REG_RIP] - (long long)(uintptr_t)code_page);
	munmap(code_page, PAGE);
}

#define INSN(text, signal, offset, ...) \
	{ .name = text, .length = sizeof((unsigned char[]){ __VA_ARGS__ }), \
	  .code = { __VA_ARGS__ }, .signo = signal, .rip_offset = offset }

static const struct bytes privileged[] = {
	INSN("hlt", SIGSEGV, 0, 0xf4),
	INSN("cli", SIGSEGV, 0, 0xfa),
	INSN("sti", SIGSEGV, 0, 0xfb),
	INSN("in al, dx", SIGSEGV, 0, 0xec),
	INSN("in eax, dx", SIGSEGV, 0, 0xed),
	INSN("out dx, al", SIGSEGV, 0, 0xee),
	INSN("in al, 0x60", SIGSEGV, 0, 0xe4, 0x60),
	INSN("outsb", SIGSEGV, 0, 0x6e),
	INSN("mov cr0, rax", SIGSEGV, 0, 0x0f, 0x22, 0xc0),
	INSN("mov rax, cr0", SIGSEGV, 0, 0x0f, 0x20, 0xc0),
	INSN("mov rax, cr2", SIGSEGV, 0, 0x0f, 0x20, 0xd0),
	INSN("mov cr3, rax", SIGSEGV, 0, 0x0f, 0x22, 0xd8),
	INSN("mov rax, cr3", SIGSEGV, 0, 0x0f, 0x20, 0xd8),
	INSN("mov cr4, rax", SIGSEGV, 0, 0x0f, 0x22, 0xe0),
	INSN("mov rax, cr8", SIGSEGV, 0, 0x44, 0x0f, 0x20, 0xc0),
	INSN("mov dr7, rax", SIGSEGV, 0, 0x0f, 0x23, 0xf8),
	INSN("mov rax, dr6", SIGSEGV, 0, 0x0f, 0x21, 0xf0),
	INSN("clts", SIGSEGV, 0, 0x0f, 0x06),
	INSN("invd", SIGSEGV, 0, 0x0f, 0x08),
	INSN("wbinvd", SIGSEGV, 0, 0x0f, 0x09),
	INSN("invlpg", SIGSEGV, 0, 0x0f, 0x01, 0x3c, 0x24),
	INSN("lgdt", SIGSEGV, 0, 0x0f, 0x01, 0x14, 0x24),
	INSN("lidt", SIGSEGV, 0, 0x0f, 0x01, 0x1c, 0x24),
	INSN("lmsw ax", SIGSEGV, 0, 0x0f, 0x01, 0xf0),
	INSN("lldt ax", SIGSEGV, 0, 0x0f, 0x00, 0xd0),
	INSN("ltr ax", SIGSEGV, 0, 0x0f, 0x00, 0xd8),
	INSN("rdmsr", SIGSEGV, 0, 0x0f, 0x32),
	INSN("wrmsr", SIGSEGV, 0, 0x0f, 0x30),
	INSN("swapgs", SIGSEGV, 0, 0x0f, 0x01, 0xf8),
	INSN("sysretq", SIGSEGV, 0, 0x48, 0x0f, 0x07),
};

/* Without it XGETBV and XSETBV are unknown. */
static bool has_osxsave(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_OSXSAVE);
}

static void privileged_instructions(void)
{
	const struct bytes xsetbv = INSN("xsetbv", has_osxsave() ? SIGSEGV : SIGILL, 0, 0x0f, 0x01, 0xd1);

	try_bytes(&xsetbv);
	for (size_t i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++)
		try_bytes(&privileged[i]);
}

static const struct bytes ordinary[] = {
	INSN("nop", 0, 0, 0x90),
	INSN("ud2", SIGILL, 0, 0x0f, 0x0b),
	INSN("int3", SIGTRAP, 1, 0xcc),
	INSN("int 3", SIGTRAP, 2, 0xcd, 0x03),
	INSN("int 0", SIGSEGV, 0, 0xcd, 0x00),
	INSN("int 1", SIGSEGV, 0, 0xcd, 0x01),
	INSN("int 8", SIGSEGV, 0, 0xcd, 0x08),
	INSN("int 0xd", SIGSEGV, 0, 0xcd, 0x0d),
	INSN("int 0xe", SIGSEGV, 0, 0xcd, 0x0e),
	INSN("int 0x20", SIGSEGV, 0, 0xcd, 0x20),
	INSN("int 0x81", SIGSEGV, 0, 0xcd, 0x81),
	INSN("int 0xef", SIGSEGV, 0, 0xcd, 0xef),
	INSN("int 0xff", SIGSEGV, 0, 0xcd, 0xff),
	INSN("div by 0", SIGFPE, 0, 0x48, 0xf7, 0xf1),
	INSN("into", SIGILL, 0, 0xce),
	INSN("mov (0), al", SIGSEGV, 0, 0x8a, 0x01),
	INSN("mov (noncanonical)", SIGSEGV, 5, 0x48, 0x0f, 0xba, 0xe8, 0x3f, 0x8a, 0x00),
	INSN("ljmp bad", SIGSEGV, 0, 0xff, 0x2c, 0x24),
	INSN("mov ss, 0", SIGSEGV, 0, 0x8e, 0xd0),
};

static void trapping_instructions(void)
{
	for (size_t i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++)
		try_bytes(&ordinary[i]);
}

/* What a program may ask of the processor must work, with or without a trap behind it. */
static void allowed_instructions(void)
{
	static const struct bytes allowed[] = {
		INSN("cpuid", 0, 0, 0x53, 0x0f, 0xa2, 0x5b),
		INSN("rdtsc", 0, 0, 0x0f, 0x31),
		INSN("pause", 0, 0, 0xf3, 0x90),
		INSN("lar", 0, 0, 0x0f, 0x02, 0xc0),
		INSN("lsl", 0, 0, 0x0f, 0x03, 0xc0),
		INSN("verr", 0, 0, 0x0f, 0x00, 0xe0),
		INSN("clflush", 0, 0, 0x0f, 0xae, 0x3c, 0x24),
		INSN("mfence", 0, 0, 0x0f, 0xae, 0xf0),
		INSN("endbr64", 0, 0, 0xf3, 0x0f, 0x1e, 0xfa),
		INSN("prefetchw", 0, 0, 0x0f, 0x0d, 0x0c, 0x24),
		INSN("cld", 0, 0, 0xfc),
	};
	const struct bytes xgetbv = INSN("xgetbv", has_osxsave() ? 0 : SIGILL, 0, 0x0f, 0x01, 0xd0);

	try_bytes(&xgetbv);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		try_bytes(&allowed[i]);
}

/* The siginfo of the commonest traps. */
static void trap_details(void)
{
	static const struct {
		struct bytes bytes;
		int code, trapno;
	} traps[] = {
		{ INSN("div by 0", SIGFPE, 0, 0x48, 0xf7, 0xf1), FPE_INTDIV, 0 },
		{ INSN("int3", SIGTRAP, 1, 0xcc), SI_KERNEL, 3 },
		{ INSN("ud2", SIGILL, 0, 0x0f, 0x0b), ILL_ILLOPN, 6 },
		{ INSN("hlt", SIGSEGV, 0, 0xf4), SI_KERNEL, 13 },
		{ INSN("mov (0), al", SIGSEGV, 0, 0x8a, 0x01), SEGV_MAPERR, 14 },
	};
	struct caught caught;

	code_page = gt_pages(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
		memcpy(code_page, traps[i].bytes.code, traps[i].bytes.length);
		CHECK_EQ(gt_catch(run_code, NULL, &caught), traps[i].bytes.signo);
		CHECK_EQ(caught.info.si_code, traps[i].code);
		CHECK_EQ(caught.regs[REG_TRAPNO], traps[i].trapno);
	}
}

/* A program may not pass a gate of the kernel by naming its selectors. */
static void far_calls(void)
{
	static const unsigned short selectors[] = { 0x08, 0x10, 0x0b, 0x13, 0x18, 0x28, 0x40, 0x43,
		0x50, 0x78, 0x80, 0xe008, 0xe010, 0xe019, 0xe033, 0xfff8 };
	static struct { unsigned int offset; unsigned short selector; } target;
	static const unsigned char code[] = { 0xff, 0x2d, 0, 0, 0, 0 };

	for (size_t i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
		struct caught caught;
		long offset;
		int signo;

		/* ljmp *target(%rip); the page lies within 2 GiB of the program's data. */
		code_page = mmap((void *)0x10000000ul, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		CHECK(code_page != MAP_FAILED);
		memcpy(code_page, code, sizeof(code));
		target.offset = 0x10000000;
		target.selector = selectors[i];
		offset = (long)(uintptr_t)&target - (long)(uintptr_t)(code_page + 6);
		if (offset != (int)offset)
			gt_skip("data too far");
		memcpy(code_page + 2, &(int){ (int)offset }, 4);
		signo = gt_catch(run_code, NULL, &caught);
		if (signo != SIGSEGV && signo != SIGBUS)
			gt_fail(__FILE__, __LINE__, "selector %#x: signal %d", selectors[i], signo);
		CHECK_EQ(caught.regs[REG_RIP], (uintptr_t)code_page);
	}
}

static unsigned long seen[64];
static volatile unsigned int seen_count;

static void note_step(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	if (seen_count < 64)
		seen[seen_count++] = (unsigned long)((ucontext_t *)context)
			->uc_mcontext.gregs[REG_RIP];
}

static void start_notes(void)
{
	struct sigaction action = { .sa_sigaction = note_step, .sa_flags = SA_SIGINFO };

	SYS(sigaction(SIGTRAP, &action, NULL));
	seen_count = 0;
}

static bool saw(const char *label)
{
	for (unsigned int i = 0; i < seen_count; i++)
		if (seen[i] == (uintptr_t)label)
			return true;
	return false;
}

static void next_steps_are_free_of_traps(void)
{
	unsigned int before = seen_count;

	for (volatile int i = 0; i < 1000; i++)
		;
	getpid();
	CHECK_EQ(seen_count, before);
}

/* A program that sets TF itself sees each instruction, and the kernel sees none of it. */
static void step_over_syscall(void)
{
	for (int i = 0; i < 20; i++) {
		start_notes();
		steps_syscall();
		CHECK(saw(steps_syscall_2));
		CHECK(saw(steps_syscall_4));
		CHECK(!saw(steps_syscall_1));
		CHECK(seen_count >= 4 && seen_count <= 8);
		next_steps_are_free_of_traps();
	}
}

static void step_over_int80(void)
{
	for (int i = 0; i < 20; i++) {
		start_notes();
		steps_int80();
		CHECK(saw(steps_int80_2));
		CHECK(saw(steps_int80_4));
		CHECK(seen_count >= 4 && seen_count <= 8);
		next_steps_are_free_of_traps();
	}
}

/* The instruction that faults is seen once, after its fault has been dealt with. */
static void step_over_fault(void)
{
	char *area = gt_pages(16 * PAGE, PROT_READ | PROT_WRITE);

	for (int i = 0; i < 16; i++) {
		unsigned int times = 0;

		start_notes();
		steps_store(area + (unsigned long)i * PAGE);
		CHECK(saw(steps_store_2));
		CHECK(saw(steps_store_3));
		for (unsigned int k = 0; k < seen_count; k++)
			times += seen[k] == (uintptr_t)steps_store_3;
		CHECK_EQ(times, 1);
		CHECK_EQ(area[(unsigned long)i * PAGE], 1);
		next_steps_are_free_of_traps();
	}
}

static void step_over_cpuid(void)
{
	start_notes();
	steps_cpuid();
	CHECK(saw(steps_cpuid_2));
	CHECK(saw(steps_cpuid_3));
	CHECK(saw(steps_cpuid_4));
	next_steps_are_free_of_traps();
}

/* popf with TF again and again, a trap each time (sigtrap_loop of the kernel's own tests). */
static void step_flag_storm(void)
{
	for (unsigned int i = 0; i < gt_rounds(500); i++) {
		start_notes();
		__asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop\n\t"
				 "pushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq" : : : "memory", "cc");
		CHECK_EQ(seen_count, 4);
	}
}

/* Misaligned accesses with AC set: SIGBUS where the processor checks, and the kernel never does. */
static void alignment_flag(void)
{
	struct gprs in = { 0 }, out;
	char path[4] = "/";

	/* The kernel copies a string from a misaligned address while AC is set. */
	in.rax = SYS_chdir;
	in.rdi = (uintptr_t)path;
	in.flags = FLAGS_AC | FLAGS_IF;
	probe_syscall(&in, &out);
	CHECK_EQ(out.rax, 0);
	memcpy(path + 1, "/", 2);
	in.rdi++;
	probe_syscall(&in, &out);
	CHECK_EQ(out.rax, 0);
	CHECK_EQ(out.flags & FLAGS_AC, FLAGS_AC);
}

ROOM(traps,
	{ "privileged_instructions", privileged_instructions, 0 },
	{ "trapping_instructions", trapping_instructions, 0 },
	{ "allowed_instructions", allowed_instructions, 0 },
	{ "trap_details", trap_details, 0 },
	{ "far_calls", far_calls, 0 },
	{ "step_over_syscall", step_over_syscall, 0 },
	{ "step_over_int80", step_over_int80, 0 },
	{ "step_over_fault", step_over_fault, 0 },
	{ "step_over_cpuid", step_over_cpuid, 0 },
	{ "step_flag_storm", step_flag_storm, 0 },
	{ "alignment_flag", alignment_flag, 0 });
