// SPDX-License-Identifier: BSD-2-Clause
/*
 * boottest.c - breaks the kernel on purpose, debug builds only: boottest=NAME on the command line.
 *
 * The system tests use it to see that each kind of failure is caught and told with its cause, and
 * that time and timer agree.
 */
#include "boottest.h"

#include "arch.h"
#include "boot_info.h"
#include "compiler.h"
#include "cpu.h"
#include "init.h"
#include "log.h"
#include "panic.h"
#include "string.h"
#include "trace.h"

#define TIMER_STEP_NS 5000000ull

static volatile u32 ticks;

static void test_fault(void)
{
	*(volatile u32 *)PAGE_SIZE = 1; /* the low half belongs to guests */
}

static void test_text_write(void)
{
	*(volatile u8 *)(u64)&test_fault = 0;
}

static void test_text_alias_write(void)
{
	*(volatile u8 *)paddr_to_ptr(image_to_paddr((const void *)(u64)&test_fault)) = 0;
}

static void test_exec_data(void)
{
	static u8 code[1] = { 0xc3 };

	((void (*)(void))(u64)code)();
}

static u32 __noinline deeper(volatile u32 *p)
{
	volatile u32 frame[64];

	frame[0] = *p + 1;
	return frame[0] ? deeper(frame) + frame[0] : 0;
}

static void test_stack(void)
{
	volatile u32 start = 0;

	start = deeper(&start);
}

static void test_assert(void)
{
	ASSERT(ticks == 1);
}

/* A chain of frames that leads out of the kernel's text and then out of what is mapped: a panic follows neither. */
static void test_frames(void)
{
	u64 frame[2] = { this_cpu()->stack_top + 8, PAGE_SIZE }; /* the guard page; the low half, which is guests' */

	trace(TRACE_IRQ, 0x123, 0x456); /* which the panic tells as well */
	__asm__ volatile("mov %0, %%rbp; ud2" ::"r"(frame) : "memory");
}

/* Far enough: the boot tests look at the way up to here. */
static void test_up(void)
{
	arch_debug_exit(0);
}

static void on_timer(u8 vector)
{
	(void)vector;
	ticks++;
}

static void test_timer(void)
{
	u64 start = clock_now_ns(), late = 0;

	arch_vector_set(VEC_TIMER, on_timer);
	for (u32 i = 1; i <= 20; i++) {
		u64 due = start + i * TIMER_STEP_NS, now;

		arch_timer_arm(due);
		while (ticks < i)
			arch_idle();
		now = clock_now_ns();
		ASSERT(now >= due);
		late = now - due > late ? now - due : late;
	}
	arch_vector_set(VEC_TIMER, NULL);
	log_info("boottest: timer: 20 of 20, latest by %lu us\n", late / 1000);
	test_up();
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "up", test_up },
	{ "fault", test_fault },
	{ "text", test_text_write },
	{ "alias", test_text_alias_write },
	{ "exec", test_exec_data },
	{ "stack", test_stack },
	{ "assert", test_assert },
	{ "frames", test_frames },
	{ "timer", test_timer },
	{ "doors", boot_test_doors },
	{ "poweroff", arch_poweroff },
	{ "reboot", arch_reboot },
};

void boot_test(void)
{
	char name[16];

	if (!cmdline_get("boottest", name, sizeof(name)))
		return;
	for (u32 i = 0; i < ARRAY_SIZE(tests); i++)
		if (!strcmp(name, tests[i].name))
			tests[i].run();
	panic("boottest: '%s' is no test, or one that came back", name);
}
