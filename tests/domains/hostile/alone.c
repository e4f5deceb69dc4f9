// SPDX-License-Identifier: BSD-2-Clause
/*
 * alone.c - deeds one vCPU can do:
 *
 *	calls	hypercalls with random numbers and arguments
 *	wild	the same, those that replace its own tables, entries and memory among them
 *	tables	scribbles over its own page tables while it uses them
 *	vcs	scribbles over its hand-over page between calls and returns
 *	roots	loads pages of noise as page-table roots
 *	frames	returns to user mode with noise in the frame
 *	jump	jumps into the hypervisor's half
 *	privileged  executes instructions only ring 0 may
 *	overflow    its kernel entry runs into the end of its stack
 *	recurse     its kernel entry faults, and faults in that, until the stack ends
 */
#include "hostile.h"

static void fill_vcs(u64 bytes)
{
	struct pv_vcs *vcs = &this_actor()->vcs;
	u8 *p = (u8 *)vcs;

	for (u64 i = 0; i < bytes; i++)
		p[below(sizeof(*vcs))] = (u8)noise();
	/* A busy frame means death at the next event: not every time, or nothing else would be tried. */
	if (below(4096))
		vcs->busy = 0;
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
	if (suicidal(nr) && (careful || below(16)))
		return;
	(void)call(nr, first, below(3) ? argument() : PV_SELF, argument(), argument(), argument(),
		   argument());
}

static void one_wild_call(void)
{
	one_call(false);
}

void one_careful_call(void)
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
	if (below(4096) == 0) /* the ground it stands on */
		(void)call(PV_HC_AS_CTL, PV_AS_CTL_SET_KERNEL_ROOT, gpa, 0, 0, 0, 0);
	else
		(void)call(PV_HC_AS_LOAD_ROOT, gpa, below(4), 0, 0, 0, 0);
}

void one_frame(void)
{
	struct actor *a = this_actor();
	u64 *frame = (u64 *)&a->vcs.uframe;

	/* Right but for a few fields, so that some are taken: then there is a page fault of user mode. */
	a->vcs.uframe = (struct pv_frame){ .cs = PV_USER_CS, .ss = PV_USER_SS, .rflags = 0x202, .r11 = 0x202 };
	for (u64 n = below(4); n; n--)
		frame[below(sizeof(struct pv_frame) / 8)] = argument();
	if (user_run(&a->ctx) != LEFT_BY_EVENT)
		a->errors++;
	else
		a->ok++;
}

static void one_privileged(void)
{
	u64 value = argument();

	switch (below(10)) {
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
		__asm__ volatile("lgdt (%0)" : : "r"(&actors[0].vcs) : "memory");
		break;
	case 4: /* a timer that has fired ends the sleep */
		(void)HC1(TIMER_SET, 1);
		__asm__ volatile("cli\n\thlt" : : : "memory");
		break;
	case 5:
		__asm__ volatile("outl %%eax, %%dx" : : "a"(value), "d"(value) : "memory");
		break;
	case 6:
		__asm__ volatile("invlpg (%0)" : : "r"(value) : "memory");
		break;
	case 7:
		__asm__ volatile("xsetbv" : : "c"(0), "a"(value), "d"(0) : "memory");
		break;
	case 8: /* a frame of noise; nothing of it may be loaded but what ring 3 may load */
		__asm__ volatile("pushq %0\n\tpushq %0\n\tpushq %0\n\tpushq $0x33\n\tpushq %0\n\tiretq"
				 : : "r"(value) : "memory");
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

/* ---- the stack ends ---- */

/* An address nothing is mapped at. */
#define NOWHERE 0x700000000000ull

static void one_overflow(void)
{
	this_actor()->event_top = 0;
	/* The fault is delivered, its entry pushes to where nothing is: a second event while busy. */
	__asm__ volatile("mov %0, %%rsp\n\tpushq %%rax" : : "r"(NOWHERE + 4096) : "memory");
}

static u64 __attribute__((noinline)) deeper(volatile u64 *here)
{
	volatile u64 frame[64] = { (u64)here };

	/* No bottom, but the compiler need not know. */
	return frame[0] ? deeper(frame) + frame[1] : 0;
}

/* A stack between two pages that are not there, and a recursion without an end on it. */
static void one_recursion(void)
{
	u64 top = 0x600000010000ull;

	this_actor()->event_top = 0;
	for (u64 va = top - 0x4000; va < top; va += 4096)
		map(va, page_alloc(), PTE_P | PTE_W | PTE_A | PTE_D);
	__asm__ volatile("mov %0, %%rsp\n\tmov %0, %%rdi\n\tcall *%1"
			 : : "r"(top - 64), "r"(deeper) : "memory", "rdi");
}

const struct deed alone_deeds[] = {
	{ "calls", one_careful_call, NULL }, { "wild", one_wild_call, NULL },
	{ "tables", one_scribble, NULL }, { "vcs", one_vcs, NULL }, { "roots", one_root, NULL },
	{ "frames", one_frame, NULL }, { "privileged", one_privileged, NULL }, { "jump", one_jump, NULL },
	{ "overflow", one_overflow, NULL }, { "recurse", one_recursion, NULL }, { NULL, NULL, NULL },
};
