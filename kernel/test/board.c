// SPDX-License-Identifier: BSD-2-Clause
/*
 * board.c - the machine of board.h, and what every part of the kernel needs of the rest: log, panic, CPUs.
 */
#include "board.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch.h"
#include "bits.h"
#include "cpu.h"
#include "log.h"
#include "paging.h"
#include "panic.h"
#include "spinlock.h"

#define PAGES 64
#define VALUES 128

u64 board_cr0, board_cr2, board_cr3, board_cr4, board_xcr0, board_flushed, board_tsc, board_tsc_step;
__thread i64 board_tsc_offset;
bool (*board_on_in)(u16 port, u32 width, u32 *v);
void (*board_on_out)(u16 port, u32 width, u32 v);
struct board_write board_outs[BOARD_OUTS];
u32 board_nr_outs;
void (*board_relax)(void);
char board_log[8192], board_panic[512];
sigjmp_buf board_end;
bool board_ends;

struct cpu cpus[MAX_CPUS];
u32 nr_cpus = 1, panic_owner;
__thread struct cpu *host_cpu = &cpus[0];
char *host_ram;

static struct {
	u32 msr;
	u64 value;
} msrs[VALUES];
static u32 nr_msrs;
static struct {
	u32 leaf, sub;
	struct cpuid_regs r;
} leaves[VALUES];
static u32 nr_leaves;
static struct {
	u64 pa;
	void *page;
} pages[PAGES];
static u32 nr_pages;

u32 board_in(u16 port, u32 width)
{
	u32 v;

	if (!board_on_in || !board_on_in(port, width, &v))
		v = width == 4 ? ~0u : (1u << 8 * width) - 1;
	return v;
}

void board_out(u16 port, u32 width, u32 v)
{
	board_outs[board_nr_outs++ % BOARD_OUTS] = (struct board_write){ port, width, v };
	if (board_on_out)
		board_on_out(port, width, v);
}

u64 board_rdmsr(u32 msr)
{
	for (u32 i = 0; i < nr_msrs; i++)
		if (msrs[i].msr == msr)
			return msrs[i].value;
	return 0;
}

void board_wrmsr(u32 msr, u64 v)
{
	u32 i = 0;

	while (i < nr_msrs && msrs[i].msr != msr)
		i++;
	assert_true(i < VALUES);
	nr_msrs += i == nr_msrs;
	msrs[i].msr = msr;
	msrs[i].value = v;
}

void board_msr_set(u32 msr, u64 v)
{
	board_wrmsr(msr, v);
}

void board_cpuid_set(u32 leaf, u32 sub, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	u32 i = 0;

	while (i < nr_leaves && (leaves[i].leaf != leaf || leaves[i].sub != sub))
		i++;
	assert_true(i < VALUES);
	nr_leaves += i == nr_leaves;
	leaves[i].leaf = leaf;
	leaves[i].sub = sub;
	leaves[i].r = (struct cpuid_regs){ eax, ebx, ecx, edx };
}

struct cpuid_regs board_cpuid(u32 leaf, u32 sub)
{
	for (u32 i = 0; i < nr_leaves; i++)
		if (leaves[i].leaf == leaf && leaves[i].sub == sub)
			return leaves[i].r;
	return (struct cpuid_regs){ 0, 0, 0, 0 };
}

u64 board_rdtsc(void)
{
	return __atomic_add_fetch(&board_tsc, board_tsc_step, __ATOMIC_SEQ_CST) + (u64)board_tsc_offset;
}

void *board_page(u64 pa)
{
	u32 i = 0;

	while (i < nr_pages && pages[i].pa != pa)
		i++;
	assert_true(i < PAGES);
	if (i == nr_pages) {
		nr_pages++;
		pages[i].pa = pa;
		pages[i].page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
		memset(pages[i].page, 0, PAGE_SIZE);
	}
	return pages[i].page;
}

static void on_signal(int number)
{
	if (board_ends)
		siglongjmp(board_end, 2);
	signal(number, SIG_DFL); /* it comes again and is the test's death */
}

void board_reset(void)
{
	while (nr_pages)
		free(pages[--nr_pages].page);
	nr_msrs = nr_leaves = board_nr_outs = 0;
	board_on_in = NULL;
	board_on_out = NULL;
	board_relax = NULL;
	board_tsc = board_tsc_step = board_cr0 = board_cr2 = board_cr3 = board_cr4 = board_xcr0 = board_flushed = 0;
	board_log[0] = board_panic[0] = '\0';
	memset(board_outs, 0, sizeof(board_outs));
	memset(cpus, 0, sizeof(cpus));
	nr_cpus = 1;
	panic_owner = 0;
}

void board_arm(void)
{
	signal(SIGSEGV, on_signal); /* cmocka puts its own ahead of each test */
	signal(SIGILL, on_signal);
	board_ends = true;
}

void board_alone(void (*story)(void))
{
	pid_t child = fork();
	int status;

	if (!child) {
		story();
		exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* ---- of the rest of the kernel ---- */

static void __noreturn ends(const char *fmt, va_list ap)
{
	vsnprintf(board_panic, sizeof(board_panic), fmt, ap);
	if (!board_ends) {
		fprintf(stderr, "panic: %s\n", board_panic);
		abort();
	}
	siglongjmp(board_end, 1);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ends(fmt, ap);
}

void panic_regs(const struct cpu_regs *regs, const char *fmt, ...)
{
	va_list ap;

	(void)regs;
	va_start(ap, fmt);
	ends(fmt, ap);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	size_t n = strlen(board_log);
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(board_log + n, sizeof(board_log) - n, fmt, ap);
	va_end(ap);
}

void log_raw(const char *fmt, ...)
{
	size_t n = strlen(board_log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(board_log + n, sizeof(board_log) - n, fmt, ap);
	va_end(ap);
}

void cpu_relax(void)
{
	if (board_relax)
		board_relax();
}

void flush_serve_mailbox(void)
{
}

void *paging_map_mmio(paddr_t pa, u64 size)
{
	assert_true(pa % PAGE_SIZE + size <= PAGE_SIZE);
	return (char *)board_page(ALIGN_DOWN(pa, PAGE_SIZE)) + pa % PAGE_SIZE;
}
