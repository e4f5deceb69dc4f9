// SPDX-License-Identifier: BSD-2-Clause
/*
 * mischief.c - what a guest can do to the kernel without asking: its hand-over pages, its page tables, the frames
 * it returns through, and the instructions that enter and leave a ring.
 */
#include <string.h>

#include "../../abi/lib/pagetable.h"
#include "evil.h"

#define USER_CODE(who) (0x10000000000ull + (who) * PAGE_BYTES)
#define USER_STACK 0x10000010000ull
#define SPARE_TABLES 8u

static u64 *root, *tables[SPARE_TABLES];
static u8 *code[2]; /* of each vCPU: one would run what the other is still writing */

/* A walked attacker builds a space with user code in it and some tables to scribble on. */
void mischief_begin(void)
{
	for (u32 i = 0; i < 2; i++)
		code[i] = pages_alloc(1);
	if (this_case->kind != PV_KIND_WALKED)
		return;
	root = pt_new_root();
	for (u32 i = 0; i < SPARE_TABLES; i++)
		tables[i] = pages_alloc(1);
	for (u32 i = 0; i < PLAYGROUND; i++)
		pt_map(root, WINDOW_VA + i * PAGE_BYTES, free_gfn() + i, PT_W | PT_U);
	for (u32 i = 0; i < 2; i++)
		pt_map(root, USER_CODE(i), gfn_of(code[i]), PT_U | PT_W);
	pt_map(root, USER_STACK, gfn_of(pages_alloc(1)), PT_U | PT_W);
	mischief_enter();
}

/* Out of linear translation, in which every address is absent memory at least, the last one too. */
void mischief_enter(void)
{
	if (root)
		(void)HC(AS_LOAD_ROOT, root_gpa(root), PV_ROOT_KEEP);
}

/* ---- hand-over pages, the sibling's too ---- */

/* The stack a kernel returns to stays: in absent memory it holds ones, and RET goes where QEMU cannot follow. */
void scribble_on_page(struct random *r)
{
	struct pv_vcs *sibling = abi_cpus[1].vcs, *vcs = sibling && random_below(r, 2) ? sibling : abi_cpus[0].vcs;
	u64 stack;
	volatile u64 *words = (volatile u64 *)vcs;
	volatile u64 *frame = (volatile u64 *)(random_below(r, 2) ? &vcs->uframe : &vcs->kframe);

	stack = vcs->kframe.rsp;
	switch (random_below(r, 8)) {
	case 0:
		words[0] = random_below(r, 4) << 8; /* flags */
		break;
	case 1:
		if (random_below(r, 512) == 0) /* deadly at the next trap */
			vcs->busy = random_next(r);
		break;
	case 2:
		vcs->hint_va = some_number(r);
		vcs->hint_count = some_number(r);
		break;
	case 3:
		vcs->user_gs_base = some_number(r);
		break;
	case 4:
		frame[random_below(r, sizeof(*frame) / 8 + 9)] = some_number(r);
		break;
	case 5:
		((volatile u64 *)vcs->batch)[random_below(r, 256)] = some_number(r);
		break;
	case 6:
		__atomic_fetch_xor(&vcs->pend[random_below(r, 4)], 1ull << random_below(r, 64), __ATOMIC_RELAXED);
		break;
	default:
		words[random_below(r, 256)] = some_number(r);
		vcs->busy = 0;
	}
	vcs->kframe.rsp = stack;
}

/* ---- page tables and what they lead to ---- */

void scribble_on_tables(struct random *r)
{
	u64 entry = (free_gfn() + random_below(r, 64)) << 12 | (random_next(r) & 0xfff) | PT_P;

	if (!root)
		return;
	if (random_below(r, 4) == 0)
		entry = random_next(r);
	if (random_below(r, 3) == 0)
		entry = root_gpa(tables[random_below(r, SPARE_TABLES)]) | PT_P | PT_W | PT_U;
	if (random_below(r, 2))
		tables[random_below(r, SPARE_TABLES)][random_below(r, 512)] = entry;
	else /* above what the program stands on; without the last bytes of all, see some_number() */
		root[3 + random_below(r, 508)] = entry;
	if (random_below(r, 2))
		(void)HC(AS_FLUSH, PV_FOREVER, 0, 0, random_below(r, 2));
}

static u64 some_address(struct random *r)
{
	switch (random_below(r, 4)) {
	case 0:
		return some_number(r);
	case 1:
		return PV_HOLE_START + random_below(r, 1ull << 43);
	case 2:
		return (3 + random_below(r, 253)) << 39 | (random_next(r) & 0x7fffffffff);
	default:
		return WINDOW_VA + random_below(r, 64) * PAGE_BYTES + random_below(r, 512) * 8;
	}
}

/* Loads and stores; a trap leaves the function for good. */
void touch_memory(struct random *r, struct attack_log *notes)
{
	volatile u64 *at = (volatile u64 *)some_address(r);

	if (random_below(r, 2)) {
		*at = random_next(r);
	} else if (*at >> 32 == SECRET_TAG) {
		notes->leaked = *at;
		notes->leaked_at = (u64)at;
		notes->leaks++;
	}
}

/* ---- rings ---- */

/* Programs of user mode and of kernel mode alike; bytes of noise go where the zeros are. */
static const struct snippet {
	u8 bytes, text[14];
} snippets[] = {
	{ 2, { 0x48, 0xcf } },				     /* iretq from the stack it has */
	{ 2, { 0x48, 0xcb } },				     /* lretq */
	{ 2, { 0x0f, 0x05 } },				     /* syscall */
	{ 2, { 0x0f, 0x34 } },				     /* sysenter */
	{ 2, { 0x0f, 0x35 } },				     /* sysexit */
	{ 3, { 0x48, 0x0f, 0x07 } },			     /* sysretq */
	{ 2, { 0xcd, 0x00 } },				     /* int n */
	{ 5, { 0x66, 0xb8, 0x00, 0x00, 0x90 } },	     /* mov $n, %ax, for the next ones */
	{ 6, { 0x66, 0xb8, 0x00, 0x00, 0x8e, 0xd8 } },	     /* mov %ax, %ds */
	{ 6, { 0x66, 0xb8, 0x00, 0x00, 0x8e, 0xd0 } },	     /* mov %ax, %ss */
	{ 6, { 0x66, 0xb8, 0x00, 0x00, 0x8e, 0xe8 } },	     /* mov %ax, %gs */
	{ 6, { 0x66, 0xb8, 0x00, 0x00, 0x8e, 0xe0 } },	     /* mov %ax, %fs */
	{ 7, { 0x66, 0xb8, 0x00, 0x00, 0x0f, 0x00, 0xd0 } }, /* lldt */
	{ 3, { 0x0f, 0x01, 0xf8 } },			     /* swapgs */
	{ 1, { 0xfa } },				     /* cli */
	{ 1, { 0xf4 } },				     /* hlt */
	{ 3, { 0x0f, 0x22, 0xd8 } },			     /* mov %rax, %cr3 */
	{ 3, { 0x0f, 0x20, 0xc0 } },			     /* mov %cr0, %rax */
	{ 2, { 0x0f, 0x30 } },				     /* wrmsr */
	{ 3, { 0x0f, 0x23, 0xf8 } },			     /* mov %rax, %dr7 */
	{ 1, { 0x9d } },				     /* popf */
	{ 4, { 0x9c, 0x58, 0x50, 0x9d } },		     /* pushf; pop %rax; push %rax; popf */
	{ 1, { 0xef } },				     /* out %eax, %dx */
	{ 3, { 0x0f, 0x01, 0xd1 } },			     /* xsetbv */
	{ 3, { 0x0f, 0xae, 0x28 } },			     /* xrstor (%rax) */
	{ 14, { 0 } },					     /* noise */
};

#define IRET 0xcf

/*
 * IRETQ stands first or nowhere, and only in 64-bit code: without its prefix QEMU 7.2 takes the VM flag from an
 * unprivileged program and leaves long mode half-way, which no processor does and no kernel survives.
 */
static void write_program(struct random *r, u8 *begin, bool is_64bit)
{
	u8 *at = begin;

	for (u32 n = 1 + random_below(r, 4); n; n--) {
		const struct snippet *s = &snippets[random_below(r, sizeof(snippets) / sizeof(snippets[0]))];

		for (u32 i = 0; i < s->bytes; i++)
			*at++ = s->text[i] || random_below(r, 8) == 0 ? s->text[i] : (u8)random_next(r);
	}
	for (u8 *p = begin; p < at; p++)
		if (*p == IRET && !(is_64bit && p == begin + 1 && begin[0] == 0x48))
			*p = 0xcb; /* lret */
	at[0] = 0x0f; /* syscall, and again */
	at[1] = 0x05;
	at[2] = 0xeb;
	at[3] = 0xfc;
}

static u64 some_selector(struct random *r, u64 right)
{
	static const u64 selectors[] = { 0, 3, PV_KERNEL_CS, PV_KERNEL_SS, PV_USER32_CS, PV_USER_SS, PV_USER_CS, 0x08,
					 0x40, 0x43, 0x63, 0x6b, 0x73, 0x7b, 0xfff3, 0x10033 };

	return random_below(r, 8) ? right : selectors[random_below(r, sizeof(selectors) / sizeof(u64))];
}

/* A frame that is right but for a field now and then; the timer ends a program that goes on. */
void go_to_user_mode(struct random *r)
{
	u64 who = (u64)(this_abi_cpu() - abi_cpus);
	u64 stack = USER_STACK + 0x800, flags = 0x202, cs = some_selector(r, PV_USER_CS);

	if (!root) {
		do_in_kernel_mode(r);
		return;
	}
	write_program(r, code[who], cs == PV_USER_CS);
	for (u32 i = 0; i < 5; i++) /* what IRETQ and LRETQ would take */
		((volatile u64 *)this_abi_cpu()->vcs->batch)[i] = some_number(r);
	if (random_below(r, 8) == 0)
		flags ^= 1ull << random_below(r, 22);
	if (random_below(r, 16) == 0) /* not in absent memory: see scribble_on_page() */
		stack = random_below(r, 2) ? PV_HOLE_START + random_below(r, 1ull << 43) : 1ull << 63;
	(void)HC(TIMER_SET, clock_kept() + 20000);
	(void)run_user_with(random_below(r, 16) ? USER_CODE(who) : some_number(r), stack, cs,
			    some_selector(r, PV_USER_SS), flags);
}

/* The same programs with the rights of a guest kernel, which are none; or a return to where nothing is. */
void do_in_kernel_mode(struct random *r)
{
	u64 value = some_number(r);

	switch (random_below(r, 6)) {
	case 0: /* what the frame says of code and stack is loaded only if ring 3 may */
		__asm__ volatile("mov %%rsp, %%rcx\n\tpushq %2\n\tpushq %%rcx\n\tpushq $0x202\n\tpushq %1\n\tpushq %0\n\t"
				 "iretq" : : "r"(value), "r"(some_selector(r, PV_USER_CS)), "r"(some_selector(r, PV_USER_SS))
				 : "rcx", "memory");
		break;
	case 1:
		__asm__ volatile("pushq %1\n\tpushq %0\n\tlretq"
				 : : "r"(value), "r"(some_selector(r, PV_USER_CS)) : "memory");
		break;
	case 2:
		((void (*)(void))value)();
		break;
	case 3: {
		struct abi_cpu *cpu = this_abi_cpu();

		__asm__ volatile("mov %w0, %%gs" : : "r"(some_selector(r, 0)) : "memory");
		(void)OP(VCPU_SETUP, SET_KERNEL_GS, (u64)cpu); /* what it stands on went with the selector */
		break;
	}
	case 4:
		__asm__ volatile("sysenter" : : "a"(value), "c"(value), "d"(value) : "memory");
		break;
	default:
		__asm__ volatile("int $0x20\n\tint $0x80\n\tint3" : : "a"(value) : "memory");
	}
}

/* The IRETD that write_program() avoids, for who must notice it. */
void set_vm_flag(void)
{
	u32 frame[9] = { 0, 0, 0x20202, 0x100 }; /* eip, cs, eflags with VM, esp, segments */

	__asm__ volatile("mov %0, %%rsp\n\tiretl" : : "r"(frame) : "memory");
	__builtin_unreachable();
}
