// SPDX-License-Identifier: BSD-2-Clause
/*
 * attack.c - interprets a stream of bytes, which a seed makes, as deeds of a guest that means harm: most of them
 * hypercalls with arguments of the kind the grammar wants, some of them not; the others are in mischief.c.
 *
 * Two vCPUs do so at once, each with a stream of its own. A trap goes back to the loop, so does whatever happens
 * in user mode. What takes its own ground away is done too, but seldom: nothing would come after it.
 */
#include <setjmp.h>
#include <string.h>

#include "evil.h"

enum kind {
	K_ZERO, K_OP, K_CAP, K_DOM, K_RIGHTS, K_VCPU, K_MASK, K_VECTOR, K_GFN, K_COUNT, K_VA, K_PAGE, K_GPA, K_PORT,
	K_TIME, K_SMALL, K_PROT, K_BOOL, K_DESCRIPTOR, K_ANY,
};

static const struct rule {
	u8 nr, op;
	bool has_op;
	u8 kinds[5];
} grammar[] = {
#include "grammar.h"
};

#define RULES (sizeof(grammar) / sizeof(grammar[0]))
_Static_assert(RULES < ROWS, "a row for each");
#define HANDLES 16u

/* How the stream counts for who watches from outside: a long NOP a step, see tests/plugin/count.c. */
#define TELL_STEP(vcpu) __asm__ volatile("nopl 0x52480000+" #vcpu "(%%rax)" ::: "memory")

static struct attack_log *notes;
static u64 handles[HANDLES];
static jmp_buf again[2];
static u8 resume_stack[2][2048] __attribute__((aligned(16))), event_stack[2][2048] __attribute__((aligned(16)));
static struct pv_vcs *own_page[2];
static struct pv_clock first_clock;

/* ---- arguments ---- */

static bool once_in(struct random *r, u64 n)
{
	return random_below(r, n) == 0;
}

/* The clock in the hand-over page is scribbled on, too: clock_ns() would wait until it makes sense again. */
u64 clock_kept(void)
{
	u64 ticks = __builtin_ia32_rdtsc() - first_clock.tsc0;

	ticks = first_clock.shift >= 0 ? ticks << first_clock.shift : ticks >> -first_clock.shift;
	return first_clock.ns0 + (u64)((unsigned __int128)ticks * first_clock.mul >> 32);
}

/* Without the last bytes, where QEMU 7.2 ends in an assertion if it comes to translate them. */
u64 some_number(struct random *r)
{
	static const u64 special[] = {
		0, 1, 2, 3, 63, 64, 255, 511, 512, 513, 0xfff, 0x1000, 0x1001, 0x10000, WINDOW_VA,
		PV_MAX_GFN, PV_MAX_GFN + 1ull, 0x7fffffffffff, 0x7ffffffff000, 0x800000000000, PV_HOLE_START,
		PV_HOLE_END, 0xffffffff80000000, 1ull << 63, ~0ull - 0xfff, 0x10001, 1ull << 32, 0xffffffff,
	};

	return once_in(r, 4) ? random_next(r) : special[random_below(r, sizeof(special) / sizeof(u64))];
}

static u64 wrong_argument(struct random *r)
{
	return once_in(r, 8) ? ~0ull : some_number(r);
}

static u64 some_gfn(struct random *r)
{
	if (once_in(r, 200)) /* its own ground */
		return (PV_EXPLICIT_BASE >> PV_PAGE_SHIFT) + random_below(r, 300);
	return free_gfn() + random_below(r, PLAYGROUND);
}

static u64 some_handle(struct random *r)
{
	return once_in(r, 3) ? PV_SELF : handles[random_below(r, HANDLES)];
}

static u64 right_argument(struct random *r, enum kind kind)
{
	switch (kind) {
	case K_CAP:
	case K_DOM:
		return some_handle(r);
	case K_RIGHTS:
		return 1 + random_below(r, 63);
	case K_VCPU:
		return random_below(r, 3);
	case K_MASK:
		return 1 + random_below(r, 3);
	case K_VECTOR:
		return PV_VEC_IPI_MIN + random_below(r, 200);
	case K_GFN:
		return some_gfn(r);
	case K_COUNT:
		return 1 + random_below(r, once_in(r, 8) ? 40 : 4);
	case K_VA:
	case K_PAGE:
		return WINDOW_VA + random_below(r, 64) * PAGE_BYTES;
	case K_GPA:
		return once_in(r, 4) ? PV_FOREVER : some_gfn(r) << PV_PAGE_SHIFT;
	case K_PORT:
		return 1 + random_below(r, 12);
	case K_TIME:
		return once_in(r, 8) ? 0 : clock_kept() + random_below(r, 20000);
	case K_SMALL:
	case K_OP:
		return random_below(r, 6);
	case K_PROT: /* of a mapping and of a grant */
		return 1 + 2 * random_below(r, 3);
	case K_BOOL:
		return random_below(r, 2);
	case K_DESCRIPTOR: /* present, DPL 3, data or code, more or less */
		return 0x00c0f2000000ffffull ^ (once_in(r, 2) ? 0 : 1ull << random_below(r, 64));
	case K_ZERO:
		return 0;
	case K_ANY:
		break;
	}
	return some_number(r);
}

/* ---- hypercalls ---- */

/* Calls after which this vCPU does nothing more, or what it did cannot be read in a log. */
static bool is_the_end(u64 nr, const u64 *a)
{
	return nr == PV_HC_CONSOLE_WRITE || (nr == PV_HC_DOM_CTL && a[0] == PV_DOM_CTL_SHUTDOWN) ||
	       (nr == PV_HC_VCPU_CTL && (a[0] == PV_VCPU_CTL_STOP || (a[0] == PV_VCPU_CTL_START && a[2] > 1))) ||
	       (nr == PV_HC_WAIT && a[1] > clock_kept() + MS) ||
	       (nr == PV_HC_VCPU_SETUP && a[0] != PV_VCPU_SETUP_SET_PORT_PAGE) || nr == PV_HC_AS_LOAD_ROOT ||
	       (nr == PV_HC_AS_CTL && a[0] == PV_AS_CTL_SET_KERNEL_ROOT);
}

static void look_for_secrets(const volatile u64 *words, u32 n)
{
	static volatile u64 kept = ~SECRET_TAG & 0xffffffff; /* the tag itself is nowhere in this domain */
	u64 inverse = kept;

	for (u32 i = 0; i < n; i++) {
		u64 word = words[i];

		if ((~word >> 32) == inverse) {
			notes->leaked = word;
			notes->leaked_at = (u64)&words[i];
			notes->leaks++;
		}
	}
}

static void remember(struct random *r, u64 nr, const u64 *a, i64 result)
{
	if (result > 0xffff && (nr == PV_HC_CAP_CTL || nr == PV_HC_DOM_CREATE || nr == PV_HC_GRANT_CTL) &&
	    a[0] != PV_CAP_CTL_INSPECT)
		handles[4 + random_below(r, HANDLES - 4)] = (u64)result;
}

static void one_call(struct random *r)
{
	const struct rule *rule = &grammar[random_below(r, RULES)];
	u64 nr = once_in(r, 128) ? wrong_argument(r) : rule->nr, a[6] = { 0 };
	u32 at = 0;
	bool as_ruled;
	i64 result;

	if (rule->has_op)
		a[at++] = once_in(r, 64) ? wrong_argument(r) : rule->op;
	for (u32 i = 0; i < 5 && at < 6; i++, at++)
		a[at] = once_in(r, 16) ? wrong_argument(r) : right_argument(r, (enum kind)rule->kinds[i]);
	if (is_the_end(nr, a) && random_below(r, 512))
		return;
	as_ruled = nr == rule->nr && (!rule->has_op || a[0] == rule->op);
	if (once_in(r, 8)) /* structures: registers, entries, parameters of domains */
		((volatile u64 *)this_abi_cpu()->vcs->batch)[random_below(r, 24)] = some_number(r);
	result = hc_call(nr, a);
	remember(r, nr, a, result);
	notes->calls[as_ruled ? rule - grammar : ROWS - 1][result < 0 && result > -ERRORS ? -result : 0]++;
	look_for_secrets((volatile u64 *)this_abi_cpu()->vcs->batch, 16);
}

/* Where frame i of the playground is seen; a walked attacker's tables say so from the beginning. */
static bool look_at(u64 i, u64 prot)
{
	u64 va = WINDOW_VA + i * PAGE_BYTES;

	if (this_case->kind == PV_KIND_WALKED)
		return true;
	(void)OP(AS_MAP, UNMAP, PV_SELF, va, 0, 1);
	return OP(AS_MAP, MAP, PV_SELF, va, free_gfn() + i, 1, prot) == 1;
}

/* What the victim shows, if it can be mapped somewhere. */
static void look_at_grant(struct random *r)
{
	u64 i = random_below(r, PLAYGROUND);

	if (OP(GRANT_CTL, MAP, handles[3], free_gfn() + i, 1, 0) == 1 && look_at(i, PV_PROT_READ))
		look_for_secrets((volatile u64 *)(WINDOW_VA + i * PAGE_BYTES), 64);
}

/* Fresh frames hold nothing of anybody. */
static void take_frames(struct random *r)
{
	u64 at = random_below(r, PLAYGROUND), va = WINDOW_VA + at * PAGE_BYTES;

	if (OP(MEM_CTL, POPULATE, PV_SELF, free_gfn() + at, 1) != 1 || !look_at(at, RW))
		return;
	look_for_secrets((volatile u64 *)va, 512);
	*(volatile u64 *)va = random_next(r);
}

/* ---- the loop ---- */

static void one_step(struct random *r)
{
	u64 byte = random_below(r, 256);

	if (byte < 196)
		one_call(r);
	else if (byte < 202)
		take_frames(r);
	else if (byte < 204)
		look_at_grant(r);
	else if (byte < 216)
		scribble_on_page(r);
	else if (byte < 228)
		touch_memory(r, notes);
	else if (byte < 238)
		scribble_on_tables(r);
	else if (byte < 248)
		go_to_user_mode(r);
	else
		do_in_kernel_mode(r);
}

/* Where a trap continues: on a stack of its own, since there may be no other any more. */
static void resume(void)
{
	longjmp(again[this_abi_cpu() - abi_cpus], 1);
}

static void interpret(u32 who)
{
	static struct random streams[2];
	struct random *r = &streams[who];

	own_page[who] = this_abi_cpu()->vcs;
	events_on_stack((u64)&event_stack[who][sizeof(event_stack[who])]);
	random_seed(r, share->word[A_SEED] * 2 + who);
	(void)setjmp(again[who]);
	while (notes->step[who] < share->word[A_STEPS]) {
		struct abi_cpu *cpu = &abi_cpus[who];

		notes->step[who]++;
		if (who)
			TELL_STEP(1);
		else
			TELL_STEP(0);
		cpu->fixup_rip = (u64)resume;
		cpu->fixup_rsp = (u64)&resume_stack[who][sizeof(resume_stack[who]) - 8];
		own_page[who]->flags &= ~(u64)PV_VCS_IF;
		for (u32 i = 0; i < 4; i++) /* else user mode would end before it began */
			__atomic_store_n(&own_page[who]->pend[i], 0, __ATOMIC_RELAXED);
		one_step(r);
	}
}

static void second_attacker(void)
{
	mischief_enter();
	interpret(1);
}

void attack(void)
{
	static struct abi_case mine;

	mine = *this_case; /* which is all attackers' */
	mine.kind = share->word[A_KIND];
	this_case = &mine;
	first_clock = vcs0->clock;
	notes = pages_alloc(1);
	handles[1] = share->word[A_SIBLING];
	handles[2] = share->word[A_SCRATCH];
	handles[3] = share->word[A_SHOWN];
	if (share->word[A_VM86])
		set_vm_flag();
	events_on(0);
	mischief_begin();
	vcpu_launch(1, second_attacker);
	interpret(0);
}
