// SPDX-License-Identifier: BSD-2-Clause
/*
 * hostile.c - a guest kernel that means harm. It has the toy guest's doors and page tables; what it
 * does with them is the `do=` of its command line:
 *
 *	loop	an endless loop with events off, before anything was set up
 *	calls	hypercalls with random numbers and arguments
 *	wild	the same, those that replace its own tables, entries and memory among them
 *	tables	scribbles over its own page tables while it uses them
 *	vcs	scribbles over its hand-over page between calls and returns
 *	roots	loads pages of noise as page-table roots
 *	frames	returns to user mode with noise in the frame
 *	jump	jumps into the hypervisor's half
 *	privileged  executes instructions only ring 0 may
 *	panic	reports a panic with code 7
 *	halt	stops its only vCPU
 *
 * `seed=` chooses the noise. None of them may matter to anybody else; those that end are reported.
 */
#include "../toy/toy.h"

#define KERNEL_VA 0xffffffff80000000ull
#define DIRECT_VA 0xffff888000000000ull
#define ROUNDS 200000u

struct pv_vcs vcs __attribute__((aligned(4096)));
struct percpu percpu;
const struct pv_start_info *start_info;
struct kernel_seen seen;
u64 kernel_fixup;

static u64 state;
static bool carry_on; /* after an event from kernel mode: at `resume`, with its stack */
static u64 resume_buf[5];

static u64 noise(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

static u64 below(u64 n)
{
	return (noise() >> 32) % n;
}

/* Small numbers, limits, addresses of both halves, anything. */
static u64 argument(void)
{
	static const u64 special[] = { 0, 1, 511, 512, 0xfff, 0x1000, PV_MAX_GFN, PV_MAX_GFN + 1ull,
		0x7fffffffffffull, 0x800000000000ull, PV_HOLE_START, PV_HOLE_END, KERNEL_VA,
		DIRECT_VA, 1ull << 63, ~0ull, 0x10001, 1ull << 32, 0xffffffffull };

	switch (below(4)) {
	case 0:
		return special[below(sizeof(special) / sizeof(special[0]))];
	case 1:
		return below(16);
	case 2:
		return below(0x4000);
	default:
		return noise();
	}
}

static void shutdown(u64 reason, u64 code)
{
	(void)HC3(DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF, reason << 32 | code);
}

/* The driver's helpers that toy/mem.c calls. */
void check_eq(u64 got, u64 want, const char *what)
{
	(void)what;
	if (got != want)
		shutdown(PV_REASON_PANIC, 9);
}

/* Goes back to the loop that runs the deed, whatever the event was. */
void kernel_event(struct kernel_regs *regs)
{
	seen.count++;
	if (carry_on && regs->vector != PV_VEC_IRQ)
		__builtin_longjmp((void **)resume_buf, 1);
}

void ap_main(u64 index)
{
	(void)index;
	for (;;)
		;
}

static void fill_vcs(u64 bytes)
{
	u8 *p = (u8 *)&vcs;

	for (u64 i = 0; i < bytes; i++)
		p[below(sizeof(vcs))] = (u8)noise();
}

/* Calls that take the program's own ground away come from the other deeds, to keep this one going. */
static bool suicidal(u64 nr)
{
	return nr == PV_HC_VCPU_SETUP || nr == PV_HC_AS_CTL || nr == PV_HC_AS_LOAD_ROOT ||
	       nr == PV_HC_MEM_CTL;
}

static void one_call(bool careful)
{
	u64 nr = below(PV_HC_COUNT + 2), first = below(2) ? below(8) : argument();

	/* Output and the domain's own end would only hide what is looked for. */
	if (nr == PV_HC_CONSOLE_WRITE || nr == PV_HC_WAIT ||
	    (nr == PV_HC_DOM_CTL && first == PV_DOM_CTL_SHUTDOWN) ||
	    (nr == PV_HC_VCPU_CTL && first == PV_VCPU_CTL_STOP))
		return;
	if (careful && suicidal(nr))
		return;
	(void)hypercall(nr, first, argument(), argument(), argument(), argument(), argument());
}

static void one_wild_call(void)
{
	one_call(false);
}

static void one_careful_call(void)
{
	one_call(true);
}

static void one_scribble(void)
{
	u64 *page = gpa_ptr((4ull << 20) + below(16) * 4096);
	volatile u64 *where = (u64 *)(below(2) ? DIRECT_VA + below(64ull << 20) : argument());

	page[below(512)] = below(2) ? noise() : (below(0x4000) << 12) | (noise() & 0xfff);
	if (below(8) == 0)
		(void)flush(argument(), argument());
	if (below(2))
		(void)*where;
	else
		*where = noise();
}

static void one_root(void)
{
	u64 gpa = below(0x4000) << 12;

	if (below(2))
		*(u64 *)gpa_ptr((8ull << 20) + below(64) * 4096 + below(512) * 8) = noise();
	if (below(4) == 0)
		(void)HC2(AS_CTL, PV_AS_CTL_SET_KERNEL_ROOT, gpa);
	else
		(void)HC2(AS_LOAD_ROOT, gpa, below(4));
}

static void one_frame(void)
{
	static struct user_ctx ctx;
	u64 *frame = (u64 *)((u8 *)&vcs + PV_VCS_UFRAME);

	for (u32 i = 0; i < sizeof(struct pv_frame) / 8; i++)
		frame[i] = below(2) ? argument() : frame[i];
	(void)user_run(&ctx);
}

static void one_privileged(void)
{
	u64 value = argument();

	switch (below(8)) {
	case 0:
		__asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
		break;
	case 1:
		__asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
		break;
	case 2:
		__asm__ volatile("wrmsr" : : "c"(value), "a"(value), "d"(0) : "memory");
		break;
	case 3:
		__asm__ volatile("lgdt (%0)" : : "r"(&vcs) : "memory");
		break;
	case 4:
		__asm__ volatile("cli\n\thlt" : : : "memory");
		break;
	case 5:
		__asm__ volatile("outl %%eax, %%dx" : : "a"(value), "d"(value) : "memory");
		break;
	case 6:
		__asm__ volatile("invlpg (%0)" : : "r"(value) : "memory");
		break;
	default:
		__asm__ volatile("swapgs" : : : "memory");
	}
}

static void one_vcs(void)
{
	fill_vcs(1 + below(64));
	if (below(4) == 0)
		one_frame();
	else
		one_call(false);
}

static void one_jump(void)
{
	((void (*)(void))(PV_HOLE_START + below(1ull << 40)))();
}

static void set_up(void)
{
	struct pv_entry *e = (struct pv_entry *)vcs.batch;

	percpu.vcs = &vcs;
	percpu.self = &percpu;
	(void)HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_KERNEL_GS, &percpu);
	(void)HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, ((u64)&vcs - KERNEL_VA) >> 12);
	*e = (struct pv_entry){
		.user_entry = (u64)toy_user_entry,
		.kernel_entry = (u64)toy_kernel_entry,
		.syscall_entry = (u64)toy_syscall_entry,
		.eretu = (u64)toy_eretu,
		.erets = (u64)toy_erets,
	};
	(void)HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_ENTRY, 0);
	mem_init();
}

static bool same(const char *at, const char *word)
{
	while (*word && *at == *word) {
		at++;
		word++;
	}
	return !*word && (*at == ' ' || !*at);
}

/* What follows `key` on the command line. */
static const char *option(const char *key)
{
	const char *at = (const char *)(start_info->cmdline_addr + KERNEL_VA);

	for (; start_info->cmdline_addr && *at; at++) {
		u32 i = 0;

		while (key[i] && at[i] == key[i])
			i++;
		if (!key[i])
			return at + i;
	}
	return "";
}

static const struct {
	const char *name;
	void (*once)(void);
} deeds[] = {
	{ "calls", one_careful_call }, { "wild", one_wild_call }, { "tables", one_scribble }, { "vcs", one_vcs }, { "roots", one_root },
	{ "frames", one_frame }, { "privileged", one_privileged }, { "jump", one_jump },
};

/* Does it again and again; an event in between begins anew. */
static void __attribute__((noinline)) persist(void (*once)(void))
{
	static volatile u32 round;

	(void)__builtin_setjmp((void **)resume_buf);
	carry_on = true;
	while (round++ < ROUNDS)
		once();
	shutdown(PV_REASON_PANIC, 8);
}

void toy_main(u64 start_info_gpa)
{
	const char *deed;

	start_info = (const struct pv_start_info *)(start_info_gpa + KERNEL_VA);
	deed = option("do=");
	for (const char *digit = option("seed="); *digit >= '0' && *digit <= '9'; digit++)
		state = state * 10 + (u64)(*digit - '0');
	state = state * 0x9e3779b97f4a7c15ull + 1;
	if (same(deed, "panic"))
		shutdown(PV_REASON_PANIC, 7);
	if (same(deed, "halt"))
		shutdown(PV_REASON_HALT, 0);
	if (same(deed, "loop"))
		for (;;)
			;
	set_up();
	for (u32 i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		if (same(deed, deeds[i].name))
			persist(deeds[i].once);
	for (;;)
		shutdown(PV_REASON_PANIC, 6);
}
