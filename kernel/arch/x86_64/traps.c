// SPDX-License-Identifier: BSD-2-Clause
/*
 * traps.c - the IDT, and what happens on exceptions and interrupts taken inside the kernel.
 *
 * The kernel runs with interrupts off, so an interrupt can only arrive in the idle loop; an
 * exception is either an instruction listed in the exception table or a bug.
 */
#include <pv/abi.h>

#include "arch.h"
#include "atomic.h"
#include "compiler.h"
#include "cpu.h"
#include "extable.h"
#include "log.h"
#include "paging.h"
#include "panic.h"
#include "platform.h"
#include "regs.h"
#include "x86.h"

#define DOOR_SIZE 16
#define GATE_INTERRUPT 0x8e
#define GATE_DPL3 0x60
#define VEC_IRQ_FIRST 0x20
#define BACKTRACE_MAX 24

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
};

extern const char trap_doors[];
extern const struct ex_entry extable_start[], extable_end[];

static struct gate idt[256] __aligned(16);
static vector_handler_t handlers[256 - VEC_IRQ_FIRST];

void traps_init(void)
{
	for (u32 i = 0; i < 256; i++) {
		u64 door = (u64)trap_doors + i * DOOR_SIZE;

		idt[i] = (struct gate){
			.offset_low = (u16)door,
			.selector = SEL_KCODE,
			.type = GATE_INTERRUPT,
			.offset_mid = (u16)(door >> 16),
			.offset_high = (u32)(door >> 32),
		};
	}
	idt[EXC_BP].type |= GATE_DPL3;
	idt[4].type |= GATE_DPL3; /* INTO exists for 32-bit programs */
	idt[PV_VEC_INT80].type |= GATE_DPL3;
}

void traps_load(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed ptr = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lidt %0" ::"m"(ptr));
}

void traps_use_ist(void)
{
	idt[EXC_NMI].ist = IST_NMI;
	idt[EXC_DF].ist = IST_DF;
	idt[EXC_MC].ist = IST_MC;
	idt[EXC_DB].ist = IST_DB;
}

vaddr_t extable_fixup(vaddr_t rip)
{
	for (const struct ex_entry *e = extable_start; e < extable_end; e++)
		if ((vaddr_t)&e->fault + (u64)(i64)e->fault == rip)
			return (vaddr_t)&e->fixup + (u64)(i64)e->fixup;
	return 0;
}

void arch_vector_set(u8 vector, vector_handler_t fn)
{
	ASSERT(vector >= VEC_IRQ_FIRST);
	handlers[vector - VEC_IRQ_FIRST] = fn;
}

void arch_irq_dispatch(u8 vector)
{
	vector_handler_t fn = vector >= VEC_IRQ_FIRST ? handlers[vector - VEC_IRQ_FIRST] : NULL;

	if (vector == VEC_SPURIOUS)
		return;
	if (vector == VEC_HALT)
		arch_stop_this_cpu();
	if (vector >= VEC_TIMER) {
		lapic_eoi();
		if (vector == VEC_TIMER && !lapic_timer_expired())
			return;
		if (fn)
			fn(vector);
		return;
	}
	/* A device's handler masks a level line before the EOI lets it fire again. */
	if (fn)
		fn(vector);
	lapic_eoi();
}

static const char *const names[] = {
	"divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode",
	"no FPU", "double fault", "9", "invalid TSS", "segment not present", "stack fault",
	"general protection", "page fault", "15", "x87", "alignment", "machine check", "SIMD",
};

static void __noreturn unexpected(const struct cpu_regs *regs)
{
	const char *name = regs->vector < ARRAY_SIZE(names) ? names[regs->vector] : "exception";

	if (regs->vector == EXC_PF)
		panic_regs(regs, "page fault in the kernel at %lx, error %lx", read_cr2(),
			   regs->error);
	if (regs->vector == EXC_DF)
		panic_regs(regs, "double fault in the kernel (stack overflow?), rsp %lx",
			   regs->rsp);
	panic_regs(regs, "%s (vector %lu) in the kernel, error %lx", name, regs->vector,
		   regs->error);
}

void trap_kernel(struct cpu_regs *regs)
{
	vaddr_t fixup;

	if (regs->vector >= VEC_IRQ_FIRST) {
		arch_irq_dispatch((u8)regs->vector);
		return;
	}
	fixup = extable_fixup(regs->rip);
	if (!fixup)
		unexpected(regs);
	regs->rip = fixup;
}

void trap_ist(struct cpu_regs *regs)
{
	if (regs->vector == EXC_NMI) {
		if (atomic_load_acquire(&panic_owner)) /* pairs with panic_enter() */
			arch_stop_this_cpu();
		return;
	}
	/*
	 * A guest that has a data breakpoint on the operand of MOV SS gets its #DB one instruction
	 * late: inside the kernel if that instruction was a SYSCALL or INT. It loses the event.
	 */
	if (regs->vector == EXC_DB) {
		__asm__ volatile("movq %0, %%dr6" ::"r"(0xffff0ff0ull));
		regs->rflags &= ~(u64)RFLAGS_TF;
		return;
	}
	unexpected(regs);
}

void arch_print_regs(const struct cpu_regs *r)
{
	u64 offset;
	const char *name = symbol_lookup(r->rip, &offset);

	log_raw("rip %016lx %s+0x%lx cs %lx rflags %lx\n", r->rip, name ? name : "?", offset, r->cs,
		r->rflags);
	log_raw("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
	log_raw("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", r->rsi, r->rdi, r->rbp, r->rsp);
	log_raw("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", r->r8, r->r9, r->r10, r->r11);
	log_raw("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", r->r12, r->r13, r->r14, r->r15);
	log_raw("cr2 %016lx cr3 %016lx cr4 %016lx ss %lx\n", read_cr2(), read_cr3(), read_cr4(),
		r->ss);
}

static void print_frame(u64 rip)
{
	u64 offset;
	const char *name = symbol_lookup(rip, &offset);

	log_raw("  %016lx %s+0x%lx\n", rip, name ? name : "?", offset);
}

/* On this CPU's stack or on the one that is used now. The last frame holds an rbp that may be a guest's: nothing it
 * points to is shown. */
static bool is_frame(u64 rbp)
{
	u64 top = this_cpu()->stack_top, here = (u64)__builtin_frame_address(0);

	if (rbp % 8 || !((rbp < top && top - rbp <= STACK_SIZE) || (rbp >= here && rbp - here < STACK_SIZE)))
		return false;
	return paging_is_mapped(rbp) && paging_is_mapped(rbp + 8);
}

void arch_print_backtrace(const struct cpu_regs *regs)
{
	u64 rbp = regs ? regs->rbp : (u64)__builtin_frame_address(0);

	log_raw("stack:\n");
	if (regs)
		print_frame(regs->rip);
	for (u32 depth = 0; depth < BACKTRACE_MAX; depth++) {
		const u64 *frame = (const u64 *)rbp;

		if (!is_frame(rbp) || !frame[1])
			break;
		print_frame(frame[1] - 1); /* inside the call, not behind it */
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
}
