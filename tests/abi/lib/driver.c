/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * driver.c - the main program of the driver: which cases run, their verdicts as KTAP on the kernel
 * log, and the leak check: the kernel's level counters after a case equal those before it.
 *
 * select.c says which cases; abi.seed=N changes the noise of the hostile ones. Before the result of each
 * case stands a line "# stat" with what it has shown, at the end "# seen" lines with all errors that were
 * expected and came. Ends by powering the machine off with 0 (all passed) or 1.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "flaws.h"
#include "select.h"

#define MAX_CASES 4096
#define LEVELS 12 /* leading fields of pv_counters that return to their start */

static const char *const level_names[LEVELS] = {
	"frames_total", "frames_free", "frames_limbo", "domains", "vcpus", "aspaces",
	"tables", "ports", "grants", "grant_maps", "caps", "kmem_pages",
};

void report_line(const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text) - 1, fmt, ap);

	va_end(ap);
	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	text[n++] = '\n';
	batch_put(text, (u64)n);
	OP(HOST_CTL, LOG_WRITE, host, (u64)n);
}

void abi_note(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (share) {
		u64 n = strlen(text);

		for (u64 done = 0; done < n;) {
			batch_put(text + done, n - done);
			i64 taken = HC(CONSOLE_WRITE, n - done);

			if (taken <= 0)
				return;
			done += (u64)taken;
		}
		return;
	}
	report_line("# %s", text);
}

void counters_read(struct pv_counters *out)
{
	CHECK_OK(OP(INFO, COUNTERS, host));
	batch_get(out, sizeof(*out));
}

/*
 * Hardware tables are a cache, the driver's own too: what it happens to hold depends on what the
 * driver touched. Releasing a frame drops the cache; the levels are read right after, when nothing
 * waits for its epoch any more.
 */
void counters_settled(struct pv_counters *out)
{
	for (u32 i = 0; i < 1000; i++) {
		populate(PV_SELF, DRIVER_WINDOW_GFN + 500, 1);
		release(PV_SELF, DRIVER_WINDOW_GFN + 500, 1);
		counters_read(out);
		if (out->frames_limbo == 0)
			return;
	}
}

u64 abi_seed(void)
{
	char text[24];

	return parameter("abi.seed", text, sizeof(text)) ? strtoull(text, NULL, 0) : 0;
}

static void run_child_case(const struct abi_case *c)
{
	struct child *child = child_make(0);
	struct pv_dom_status status;

	child_start(child);
	if (c->reason == PV_REASON_NONE) {
		child_expect_pass(child);
		return;
	}
	if (!child_wait(child, c->budget_ms ? c->budget_ms : 2000, &status))
		abi_fail(__LINE__, "child still runs after its budget, state", status.state, 0);
	if (child->share->verdict == VERDICT_FAIL || child->share->verdict == VERDICT_SKIP)
		child_expect_pass(child);
	CHECK_EQ(status.reason, c->reason);
	CHECK_EQ(status.code, c->code);
}

static void run_body(const struct abi_case *c)
{
	driver_verdict.verdict = VERDICT_PASS;
	driver_verdict.line = 0;
	driver_verdict.text[0] = '\0';
	if (setjmp(driver_loop))
		return;
	struct pv_info_system system;

	CHECK_OK(OP(INFO, SYSTEM, 0));
	batch_get(&system, sizeof(system));
	if (system.cpus < c->cpus)
		abi_skip("needs more CPUs");
	if (c->child)
		run_child_case(c);
	else
		c->driver();
}

static void clean_up(void)
{
	struct verdict_text saved = driver_verdict;

	if (setjmp(driver_loop)) {
		saved.verdict = VERDICT_FAIL;
		saved.line = driver_verdict.line;
		snprintf(saved.text, sizeof(saved.text), "clean-up: %.480s", driver_verdict.text);
	} else {
		stage_clear();
		children_destroy_all();
	}
	driver_verdict = saved;
}

static void leak_check(const u64 *before, const u64 *after)
{
	for (u32 i = 0; i < LEVELS; i++) {
		if (before[i] == after[i] || driver_verdict.verdict == VERDICT_FAIL)
			continue;
		driver_verdict.verdict = VERDICT_FAIL;
		snprintf(driver_verdict.text, sizeof(driver_verdict.text),
			 "leak: %s was %llu, is %llu", level_names[i], (unsigned long long)before[i],
			 (unsigned long long)after[i]);
	}
}

/* What the case has shown, its children included. */
static void report_case(const struct abi_case *c)
{
	static struct record before;
	struct record *r = abi_record;

	report_line("# stat %s checks=%llu good=%llu bad=%llu vcpus=%u edge=%u", c->name,
		    (unsigned long long)(r->checks - before.checks),
		    (unsigned long long)(r->good - before.good),
		    (unsigned long long)(r->bad - before.bad), c->vcpus, c->edge);
	before = *r;
}

static void report_seen(void)
{
	const struct record *r = abi_record;

	for (u32 nr = 0; nr < PV_HC_COUNT; nr++)
		for (u32 op = 0; op < RECORD_OPS; op++)
			if (r->seen[nr][op])
				report_line("# seen %u %u %#x", nr, op, r->seen[nr][op]);
	report_line("# checks %llu", (unsigned long long)r->checks);
}

void levels_compare(const struct pv_counters *before, const struct pv_counters *after)
{
	leak_check((const u64 *)before, (const u64 *)after);
	if (driver_verdict.verdict == VERDICT_FAIL)
		longjmp(driver_loop, 1);
}

static bool run_case(u32 index, u32 number)
{
	const struct abi_case *c = __start_abi_cases[index];
	struct pv_counters before, after;

	current_index = index;
	this_case = c;
	counters_settled(&before);
	run_body(c);
	clean_up();
	counters_settled(&after);
	leak_check((const u64 *)&before, (const u64 *)&after);
	if (after.audit_findings && driver_verdict.verdict != VERDICT_FAIL) {
		driver_verdict.verdict = VERDICT_FAIL;
		snprintf(driver_verdict.text, sizeof(driver_verdict.text), "the audit found %llu stale leaves",
			 (unsigned long long)after.audit_findings);
	}
	report_case(c);
	switch (driver_verdict.verdict) {
	case VERDICT_PASS:
		report_line("ok %u %s # %s", number, c->name, c->clause);
		return true;
	case VERDICT_SKIP:
		report_line("ok %u %s # SKIP %s", number, c->name, driver_verdict.text);
		return true;
	default:
		report_line("# %s", driver_verdict.text);
		report_line("not ok %u %s # %s", number, c->name, c->clause);
		return false;
	}
}

/* Everything is done once before anything is counted: the driver's own tables stay. */
static void warm_up(void)
{
	static const struct abi_case plain = { "warm_up", "", .child = driver_main };
	static u64 handles[960];
	u64 n;

	this_case = &plain;
	current_index = 0;
	if (setjmp(driver_loop)) {
		report_line("# warm-up: %s", driver_verdict.text);
		return;
	}
	for (u64 va = start->heap_start; va < start->heap_end; va += PAGE_BYTES)
		(void)*(volatile u8 *)va;
	child_make(0);
	children_destroy_all();
	n = TRY(OP(GRANT_CTL, CREATE, PV_SELF, start->heap_start >> PV_PAGE_SHIFT, 1, GRANT_RO));
	CHECK_OK(revoke(n));
	n = TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
	CHECK_OK(OP(PORT_CTL, CLOSE, n));
	for (n = 0; n < 960; n++)
		handles[n] = TRY(OP(CAP_CTL, COPY, PV_SELF, PV_SELF, PV_RIGHT_DOM_STATUS));
	while (n)
		CHECK_OK(OP(CAP_CTL, DROP, handles[--n]));
}

void driver_main(void)
{
	u32 count = (u32)abi_case_count();
	u32 wanted = 0, number = 0;
	static bool chosen[MAX_CASES];
	bool good = true;

	host = start->host_handle;
	for (u32 i = 0; i < count && i < MAX_CASES; i++) {
		chosen[i] = selected(__start_abi_cases[i]);
		wanted += chosen[i];
	}
	report_line("KTAP version 1");
	report_line("1..%u", wanted);
	if (setjmp(driver_loop)) {
		report_line("Bail out! %s", driver_verdict.text);
		good = false;
	} else {
		loader_init();
		warm_up();
		for (u32 i = 0; i < count; i++)
			if (chosen[i])
				good &= run_case(i, ++number);
		report_seen();
	}
	for (;;)
		OP(HOST_CTL, POWEROFF, host, PV_EXIT_BASE + (good && wanted ? 0 : 1));
}
