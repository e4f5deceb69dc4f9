/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verdict.c - how a case ends, in whichever domain it runs, and the child's own main program.
 *
 * A child writes its verdict into the page it shares with the driver and shuts its domain down;
 * the exit code repeats it, so that a verdict arrives even when sharing is what is broken.
 * In the driver a verdict goes back to the main loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <pv/start.h>

#include "driver.h"

struct share *share;
const struct pv_start_info *start;
const struct abi_case *this_case;
jmp_buf driver_loop;
struct verdict_text driver_verdict;

void abi_verdict(enum verdict verdict, int line, const char *text)
{
	if (!share) {
		driver_verdict.verdict = verdict;
		driver_verdict.line = line;
		snprintf(driver_verdict.text, sizeof(driver_verdict.text), "%s", text);
		longjmp(driver_loop, 1);
	}
	if (share->verdict == VERDICT_NONE) {
		share->line = (u32)line;
		strncpy(share->text, text, sizeof(share->text) - 1);
		__atomic_store_n(&share->verdict, verdict, __ATOMIC_RELEASE);
	}
	u64 code = verdict == VERDICT_PASS ? 0 : (u64)verdict << 24 | (u64)line;

	for (;;)
		OP(DOM_CTL, SHUTDOWN, PV_SELF, (u64)PV_REASON_POWEROFF << 32 | code);
}

/* A number as a reader looks for it: results by the name of their error. */
static const char *number(char *out, size_t size, u64 value)
{
#define NAME(error) [PV_##error] = #error
	static const char *const errors[] = {
		NAME(ENOSYS), NAME(EINVAL), NAME(ERANGE), NAME(ECAP), NAME(EPERM), NAME(EDEAD), NAME(ESTATE),
		NAME(EFAULT), NAME(ENOENT), NAME(EEXIST), NAME(EBUSY), NAME(ENOSPC), NAME(ENOMEM), NAME(EAGAIN),
	};
	u64 error = -value;

	if (error > 0 && error < sizeof(errors) / sizeof(errors[0]))
		snprintf(out, size, "-PV_%s", errors[error]);
	else
		snprintf(out, size, "%lld (%#llx)", (long long)value, (unsigned long long)value);
	return out;
}

void abi_fail_at(const char *file, int line, const char *what, u64 got, u64 want)
{
	static char text[400], a[48], b[48];

	snprintf(text, sizeof(text), "%s:%d: %.200s: got %s, want %s", file, line, what, number(a, sizeof(a), got),
		 number(b, sizeof(b), want));
	abi_verdict(VERDICT_FAIL, line, text);
}

void abi_skip(const char *why)
{
	abi_verdict(VERDICT_SKIP, 0, why);
}

void abi_pass(void)
{
	abi_verdict(VERDICT_PASS, 0, "");
}

u64 abi_case_count(void)
{
	return (u64)(__stop_abi_cases - __start_abi_cases);
}

/* Runs in a child: the part of the case the driver named in the share page. */
static void child_main(void)
{
	share = (struct share *)start->initrd_addr;
	abi_record = &share->record;
	CHECK(share->case_index < abi_case_count());
	this_case = __start_abi_cases[share->case_index];
	void (*part)(void) = this_case->child ? this_case->child : this_case->parts[share->part];

	CHECK(part != NULL);
	part();
	abi_pass();
}

int main(void)
{
	start = pv_start_info;
	vcs0 = (struct pv_vcs *)start->vcs_addr;
	port_page = (struct pv_port_page *)start->port_page_addr;
	if (start->host_handle == 0)
		child_main();
	driver_main();
	return 0;
}
