// SPDX-License-Identifier: BSD-2-Clause
/*
 * main.c - starts, counts and tells. The command line says `do=DEED seed=N rounds=N`; every vCPU of the
 * domain takes part. Progress is told on the console at each power of four, so that a deed that dies at
 * its first step shows, and at the end:
 *
 *	progress DEED rounds N ok N errors N events N
 *
 * ok and errors are answers of hypercalls, events what arrived in kernel mode; all actors summed.
 */
#include "hostile.h"

#define ROUNDS 200000u

_Static_assert(offsetof(struct actor, event_top) - offsetof(struct actor, percpu) == ACTOR_EVENT_STACK,
	       "hostile.h");

struct actor actors[MAX_ACTORS];
u32 actor_count = 1;
const struct pv_start_info *start_info;

static const struct deed *deed;
static u64 round_limit = ROUNDS, seed;

struct actor *this_actor(void)
{
	return (struct actor *)((u8 *)me() - offsetof(struct actor, percpu));
}

u64 noise(void)
{
	u64 *state = &this_actor()->noise;

	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

u64 below(u64 n)
{
	return (noise() >> 32) % n;
}

u64 argument(void)
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
		return below(MEMORY >> 12);
	default:
		return noise();
	}
}

i64 call(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
	i64 answer = hypercall(nr, a0, a1, a2, a3, a4, a5);

	if (answer < 0)
		this_actor()->errors++;
	else
		this_actor()->ok++;
	return answer;
}

void shutdown(u64 reason, u64 code)
{
	(void)HC3(DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF, reason << 32 | code);
}

/* ---- the console ---- */

static char line[256];
static u64 line_length;

static void put_text(const char *text)
{
	while (*text && *text != ' ' && line_length < sizeof(line) - 2)
		line[line_length++] = *text++;
	line[line_length++] = ' ';
}

static void put_number(const char *what, u64 n)
{
	char digits[24];
	u32 at = sizeof(digits) - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	put_text(what);
	put_text(digits + at);
}

static void tell_progress(void)
{
	struct pv_vcs *vcs = &actors[0].vcs;
	u64 rounds = 0, ok = 0, errors = 0, events = 0;

	for (u32 i = 0; i < actor_count; i++) {
		rounds += actors[i].rounds;
		ok += actors[i].ok;
		errors += actors[i].errors;
		events += actors[i].events;
	}
	enter_doors(&actors[0]); /* the deed may have registered another page */
	line_length = 0;
	put_text("progress");
	put_text(deed->name);
	put_number("rounds", rounds);
	put_number("ok", ok);
	put_number("errors", errors);
	put_number("events", events);
	line[line_length - 1] = '\n';
	for (u32 tries = 0; tries < 1000; tries++) {
		*(volatile u64 *)&vcs->flags &= ~(u64)PV_VCS_IF;
		for (u64 i = 0; i < line_length; i++)
			vcs->batch[i] = (u8)line[i];
		if (HC1(CONSOLE_WRITE, line_length) >= 0)
			return;
	}
}

/* ---- vCPUs ---- */

void enter_doors(struct actor *a)
{
	struct pv_entry *e = (struct pv_entry *)a->vcs.batch;

	(void)HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_KERNEL_GS, &a->percpu);
	(void)HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, ((u64)&a->vcs - KERNEL_VA) >> 12);
	*(volatile u64 *)&a->vcs.flags &= ~(u64)PV_VCS_IF;
	*e = (struct pv_entry){
		.user_entry = (u64)toy_user_entry,
		.kernel_entry = (u64)hostile_kernel_entry,
		.syscall_entry = (u64)toy_syscall_entry,
		.eretu = (u64)toy_eretu,
		.erets = (u64)toy_erets,
	};
	(void)HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_ENTRY, 0);
}

i64 start_actor(u32 i)
{
	struct pv_vcpu_gpr *r = (struct pv_vcpu_gpr *)this_actor()->vcs.batch;
	struct actor *a = &actors[i];

	*(volatile u64 *)&this_actor()->vcs.flags &= ~(u64)PV_VCS_IF;
	*r = (struct pv_vcpu_gpr){
		.rip = (u64)toy_ap_start,
		.rsp = (u64)a->stack + sizeof(a->stack),
		.rdi = i,
		.rflags = 0x202,
		.kernel_gs_base = (u64)&a->percpu,
		.root = root_gpa,
	};
	(void)HC3(VCPU_REGS, PV_VCPU_REGS_SET, PV_SELF, i);
	return HC3(VCPU_CTL, PV_VCPU_CTL_START, PV_SELF, i);
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
	struct actor *a = this_actor();

	a->events++;
	if (a->carry_on && regs->vector != PV_VEC_IRQ)
		__builtin_longjmp((void **)a->resume, 1);
	for (u32 i = 0; i < 4; i++)
		__atomic_store_n(&a->vcs.pend[i], 0, __ATOMIC_RELAXED);
}

/* vCPU 0 ends it all after its rounds; the others go on until then. */
static void __attribute__((noinline)) persist(struct actor *a)
{
	(void)__builtin_setjmp((void **)a->resume);
	a = this_actor();
	a->carry_on = true;
	while (a->index || a->rounds < round_limit) {
		a->rounds++;
		/* 1, 4, 16, ... */
		if (!a->index && !(a->rounds & (a->rounds - 1)) && (a->rounds & 0x5555555555555555ull))
			tell_progress();
		deed->once();
	}
	tell_progress();
	shutdown(PV_REASON_PANIC, 8);
}

void ap_main(u64 index)
{
	struct actor *a = &actors[index];

	enter_doors(a);
	persist(a);
	for (;;)
		;
}

/* ---- the command line ---- */

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

static u64 number(const char *key, u64 otherwise)
{
	const char *at = option(key);
	u64 n = 0;

	if (*at < '0' || *at > '9')
		return otherwise;
	for (; *at >= '0' && *at <= '9'; at++)
		n = n * 10 + (u64)(*at - '0');
	return n;
}

static const struct deed *find_deed(const char *name)
{
	static const struct deed *const lists[] = { alone_deeds, gang_deeds, memory_deeds };

	for (u32 i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct deed *d = lists[i]; d->name; d++)
			if (same(name, d->name))
				return d;
	return NULL;
}

void toy_main(u64 start_info_gpa)
{
	const char *name;

	start_info = (const struct pv_start_info *)(start_info_gpa + KERNEL_VA);
	name = option("do=");
	seed = number("seed=", 0);
	round_limit = number("rounds=", ROUNDS);
	if (same(name, "panic"))
		shutdown(PV_REASON_PANIC, 7);
	if (same(name, "halt"))
		shutdown(PV_REASON_HALT, 0);
	if (same(name, "loop"))
		for (;;)
			;
	deed = find_deed(name);
	if (!deed)
		for (;;)
			shutdown(PV_REASON_PANIC, 6);
	for (u32 i = 0; i < MAX_ACTORS; i++) {
		actors[i].index = i;
		actors[i].noise = (seed * MAX_ACTORS + i) * 0x9e3779b97f4a7c15ull + 1;
		actors[i].percpu.vcs = &actors[i].vcs;
		actors[i].percpu.self = &actors[i].percpu;
		actors[i].event_top = (u64)actors[i].event_stack + sizeof(actors[i].event_stack);
	}
	enter_doors(&actors[0]);
	mem_init();
	actor_count = start_info->vcpus < MAX_ACTORS ? start_info->vcpus : MAX_ACTORS;
	if (deed->prepare)
		deed->prepare();
	for (u32 i = 1; i < actor_count; i++) {
		i64 result;

		(void)HC3(VCPU_CTL, PV_VCPU_CTL_CREATE, PV_SELF, i);
		result = start_actor(i);
		/* A sibling that was started before may have been faster. */
		check_eq((u64)(result == -PV_ESTATE ? 0 : result), 0, "another vCPU starts");
	}
	persist(&actors[0]);
	for (;;)
		;
}
