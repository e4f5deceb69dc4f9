// SPDX-License-Identifier: BSD-2-Clause
/*
 * main.c - start of the toy guest, its report, and the order of its tests.
 */
#include "toy.h"

#include <stdarg.h>

#define KERNEL_VA 0xffffffff80000000ull
#define SECOND 1000000000ull

struct pv_vcs vcs __attribute__((aligned(4096)));
struct percpu percpu;
const struct pv_start_info *start_info;
static u64 number, failed;

static char line[PV_CONSOLE_MAX];
static u32 line_len;

static void line_flush(void)
{
	u64 flags = vcs.flags;
	u32 done = 0;

	irq_off();
	while (done < line_len) {
		i64 r;

		for (u32 i = done; i < line_len; i++)
			vcs.batch[i - done] = (u8)line[i];
		r = HC1(CONSOLE_WRITE, line_len - done);
		if (r == -PV_EAGAIN)
			(void)HC2(WAIT, 0, SECOND);
		else if (r < 0)
			break;
		else
			done += (u32)r;
	}
	if (flags & PV_VCS_IF)
		irq_on();
	line_len = 0;
}

static void put(char c)
{
	line[line_len++] = c;
	if (c == '\n' || line_len == sizeof(line))
		line_flush();
}

static void put_number(u64 n, u32 base)
{
	char buf[24];
	u32 i = 0;

	do
		buf[i++] = "0123456789abcdef"[n % base];
	while (n /= base);
	while (i)
		put(buf[--i]);
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			for (const char *s = va_arg(ap, const char *); *s; s++)
				put(*s);
			break;
		case 'd':
			put_number(va_arg(ap, u64), 10);
			break;
		case 'x':
			put_number(va_arg(ap, u64), 16);
			break;
		}
	}
	va_end(ap);
}

void check(bool ok, const char *what)
{
	number++;
	if (!ok)
		failed++;
	print("%s %d %s\n", ok ? "ok" : "not ok", number, what);
}

void check_eq(u64 got, u64 want, const char *what)
{
	if (got != want)
		print("# got 0x%x, want 0x%x\n", got, want);
	check(got == want, what);
}

static void set_up(void)
{
	struct pv_entry *e = (struct pv_entry *)vcs.batch;

	percpu.vcs = &vcs;
	percpu.self = &percpu;
	(void)HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_KERNEL_GS, &percpu);
	if (HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, ((u64)&vcs - KERNEL_VA) >> 12))
		(void)HC3(DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF, (u64)PV_REASON_PANIC << 32 | 1);
	*e = (struct pv_entry){
		.user_entry = (u64)toy_user_entry,
		.kernel_entry = (u64)toy_kernel_entry,
		.syscall_entry = (u64)toy_syscall_entry,
		.eretu = (u64)toy_eretu,
		.erets = (u64)toy_erets,
	};
	check_eq((u64)HC2(VCPU_SETUP, PV_VCPU_SETUP_SET_ENTRY, 0), 0, "SET_ENTRY");
}

static bool command_line_has(const char *word)
{
	const char *at = (const char *)(start_info->cmdline_addr + KERNEL_VA);

	if (!start_info->cmdline_addr)
		return false;
	for (; *at; at++) {
		u32 i = 0;

		while (word[i] && at[i] == word[i])
			i++;
		if (!word[i])
			return true;
	}
	return false;
}

void toy_main(u64 start_info_gpa)
{
	start_info = (const struct pv_start_info *)(start_info_gpa + KERNEL_VA);
	set_up();
	print("KTAP version 1\n");
	check(start_info->magic == PV_START_MAGIC, "start_info");
	mem_init();
	test_calls();
	test_user();
	test_faults();
	test_frames();
	test_irqs();
	test_emulator();
	test_vtlb();
	test_state();
	test_smp();
	if (command_line_has("bench"))
		bench();
	print("1..%d\n", number);
	print("# toy: %d of %d failed\n", failed, number);
	for (;;)
		(void)HC3(DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF,
			  (u64)PV_REASON_POWEROFF << 32 | (failed ? 1 : 0));
}
