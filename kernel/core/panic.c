// SPDX-License-Identifier: BSD-2-Clause
/*
 * panic.c - the end of the line, in the order that loses least: stop the others, take the sinks,
 * say why, then registers, stack, last events. A panic inside a panic stops printing and halts.
 */
#include "panic.h"

#include <pv/abi.h>

#include "arch.h"
#include "atomic.h"
#include "boot_info.h"
#include "cpu.h"
#include "log.h"
#include "string.h"

u32 panic_owner;

__weak void trace_dump_last(void)
{
}

static void __noreturn finish(void)
{
	char how[16];

	if (cmdline_get("panic", how, sizeof(how)) && !strcmp(how, "exit"))
		arch_debug_exit(PV_EXIT_PANIC);
	arch_halt();
}

static void panic_enter(void)
{
	struct cpu *cpu = this_cpu();
	u32 nobody = 0;

	if (cpu->in_panic)
		finish();
	cpu->in_panic = true;
	if (!atomic_cmpxchg(&panic_owner, &nobody, cpu->id + 1))
		arch_halt();
	arch_stop_other_cpus();
	log_enter_panic();
	log_raw("\n");
}

static void __noreturn panic_tail(const struct cpu_regs *regs)
{
	arch_print_backtrace(regs);
	trace_dump_last();
	log_raw("---- end of panic ----\n");
	finish();
}

static void panic_reason(const char *fmt, va_list ap)
{
	char text[200];

	str_vformat(text, sizeof(text), fmt, ap);
	log_raw("PANIC on CPU %u: %s\n", this_cpu()->id, text);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	panic_enter();
	va_start(ap, fmt);
	panic_reason(fmt, ap);
	va_end(ap);
	panic_tail(NULL);
}

void panic_regs(const struct cpu_regs *regs, const char *fmt, ...)
{
	va_list ap;

	panic_enter();
	va_start(ap, fmt);
	panic_reason(fmt, ap);
	va_end(ap);
	arch_print_regs(regs);
	panic_tail(regs);
}
