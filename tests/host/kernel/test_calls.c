// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_calls.c - checks and answers of calls that the model leaves out or passes by.
 */
#include "calls.h"

#include "host.h"
#include "log.h"

/* The calls that stand for privileged instructions, whose meaning has no processor here. */
static void of_the_processor(void **state)
{
	struct vcpu *v = root->vcpus[0], *c;
	struct domain *child;
	u64 handle = child_make(&child);

	(void)state;
	c = child->vcpus[0];
	assert_int_equal(CALL(v, DOM_CTL, PV_DOM_CTL_UNPAUSE, handle), 0);
	assert_int_equal(CALL(v, SEG_CTL, PV_SEG_CTL_LOAD_GS, 0x23, 1), -PV_EINVAL);
	assert_int_equal(CALL(v, SEG_CTL, PV_SEG_CTL_LOAD_GS, 0x23, 0, 1), -PV_EINVAL);
	assert_int_equal(CALL(v, SEG_CTL, PV_SEG_CTL_LOAD_GS, 0x23), -PV_ENOSYS);
	assert_int_equal(CALL(v, DEBUG_REG, PV_DEBUG_REG_READ, 0, 1), -PV_EINVAL);
	for (u64 n = 0; n < 12; n++)
		assert_int_equal(CALL(v, DEBUG_REG, PV_DEBUG_REG_READ, n),
				 n < 4 || n == 6 || n == 7 ? -PV_ENOSYS : -PV_ERANGE);
	assert_int_equal(CALL(v, MSR, PV_MSR_READ, 0x10, 1), -PV_EINVAL);
	assert_int_equal(CALL(v, MSR, PV_MSR_READ, 1ull << 32), -PV_ENOENT);
	assert_int_equal(CALL(v, MSR, PV_MSR_READ, 0x10), -PV_ENOSYS);
	assert_int_equal(CALL(c, MSR, PV_MSR_READ, 0x10), -PV_ESTATE);
	assert_int_equal(CALL(c, MSR, PV_MSR_WRITE, 0x10, 5), -PV_ENOSYS); /* needs no place for an answer */
	assert_int_equal(CALL(v, CPUID, 1ull << 32, 0), -PV_ERANGE);
	assert_int_equal(CALL(v, CPUID, 0, 1ull << 32), -PV_ERANGE);
	assert_int_equal(CALL(c, CPUID, 0, 0), -PV_ESTATE);
	memset(v->vcs->batch, 0xaa, sizeof(struct pv_cpuid));
	assert_int_equal(CALL(v, CPUID, 0, 0), 0);
	assert_int_equal(v->vcs->batch[0], 0);
	end(handle);
}

/* Whoever has no VCS has no place for arguments and answers. */
static void without_a_place(void **state)
{
	struct vcpu *v = root->vcpus[0], *c;
	struct domain *child;
	u64 handle = child_make(&child);
	i64 host;

	(void)state;
	c = child->vcpus[0];
	assert_int_equal(CALL(v, DOM_CTL, PV_DOM_CTL_UNPAUSE, handle), 0);
	host = CALL(v, CAP_CTL, PV_CAP_CTL_COPY, whole_host_handle, handle, PV_RIGHT_HOST_ALL);
	assert_true(host > 0);
	assert_int_equal(CALL(c, DOM_CREATE, (u64)host), -PV_ESTATE);
	assert_int_equal(CALL(c, HOST_CTL, PV_HOST_CTL_LOG_READ, (u64)host, 0, 16), -PV_ESTATE);
	assert_int_equal(CALL(c, HOST_CTL, PV_HOST_CTL_LOG_WRITE, (u64)host, 16), -PV_ESTATE);
	assert_int_equal(CALL(c, HOST_CTL, PV_HOST_CTL_TRACE_READ, (u64)host, 0), -PV_ESTATE);
	assert_int_equal(CALL(c, INFO, PV_INFO_COUNTERS, (u64)host), -PV_ESTATE);
	assert_int_equal(CALL(c, INFO, PV_INFO_SYSTEM), -PV_ESTATE);
	assert_int_equal(CALL(c, VCPU_SETUP, PV_VCPU_SETUP_SET_ENTRY), -PV_ESTATE);
	assert_int_equal(CALL(c, CONSOLE_WRITE, 1), -PV_ESTATE);
	assert_int_equal(CALL(c, WAIT, 0, 0), -PV_ESTATE);
	end(handle);
}

static void entries(void **state)
{
	struct domain *child;
	static const u64 bads[] = { PV_HOLE_START, PV_HOLE_END - 1, 0x800000000000, PV_HOLE_START - 1 };
	u64 handle = child_run(&child, 0);
	struct vcpu *c = child->vcpus[0];
	struct pv_entry entry;

	(void)state;
	for (u32 n = 0; n < 5 * 4 + 1; n++) {
		u64 bad = bads[n % 4];
		u32 i = n / 4;

		entry = (struct pv_entry){ .user_entry = i == 0 ? bad : 0x1000, .kernel_entry = i == 1 ? bad : 0x2000,
					   .syscall_entry = i == 2 ? bad : 0x3000, .eretu = i == 3 ? bad : 0,
					   .erets = i == 4 ? bad : 0 };
		assert_true(whole_run(c));
		memcpy(c->vcs->batch, &entry, sizeof(entry));
		assert_int_equal(CALL(c, VCPU_SETUP, PV_VCPU_SETUP_SET_ENTRY), i < 5 ? -PV_EINVAL : 0);
		assert_int_equal(c->kernel_entry, i < 5 ? 0 : 0x2000);
	}
	entry = (struct pv_entry){ PV_HOLE_END, PV_HOLE_END, PV_HOLE_END, PV_HOLE_END, PV_HOLE_END };
	assert_true(whole_run(c));
	memcpy(c->vcs->batch, &entry, sizeof(entry));
	assert_int_equal(CALL(c, VCPU_SETUP, PV_VCPU_SETUP_SET_ENTRY), 0);
	end(handle);
}

static void registers(void **state)
{
	struct vcpu *v = root->vcpus[0];
	struct domain *child;
	u64 handle = child_make(&child);
	struct pv_vcpu_gpr gpr = { .rip = 0x1234, .rbx = 77, .rsp = 0x5000, .root = PV_FOREVER }, got;

	(void)state;
	assert_true(whole_run(v));
	memcpy(v->vcs->batch, &gpr, sizeof(gpr));
	assert_int_equal(CALL(v, VCPU_REGS, PV_VCPU_REGS_SET, handle, 0), 0);
	memset(v->vcs->batch, 0, sizeof(gpr));
	assert_int_equal(CALL(v, VCPU_REGS, PV_VCPU_REGS_GET, handle, 0), 0);
	memcpy(&got, v->vcs->batch, sizeof(got));
	assert_int_equal(got.rip, 0x1234);
	assert_int_equal(got.rbx, 77);
	assert_int_equal(got.rsp, 0x5000);
	gpr.root = (PV_MAX_GFN + 1ull) << PAGE_SHIFT;
	memcpy(v->vcs->batch, &gpr, sizeof(gpr));
	assert_int_equal(CALL(v, VCPU_REGS, PV_VCPU_REGS_SET, handle, 0), -PV_ERANGE);
	for (u64 root_gpa = 0x1000; root_gpa <= 0x1001; root_gpa++) { /* there is none in an explicit space */
		gpr.root = root_gpa;
		memcpy(v->vcs->batch, &gpr, sizeof(gpr));
		assert_int_equal(CALL(v, VCPU_REGS, PV_VCPU_REGS_SET, handle, 0), -PV_EINVAL);
	}
	end(handle);
}

/* Code of a guest lies where a guest may have it. */
static void where_code_may_be(void **state)
{
	static const struct {
		u64 rip;
		bool good;
	} places[] = {
		{ 0, true }, { 0x7fffffffffff, true }, { 0x800000000000, false }, { PV_HOLE_START - 1, false },
		{ PV_HOLE_START, false }, { PV_HOLE_END - 1, false }, { PV_HOLE_END, true }, { ~0ull, true },
	};
	struct vcpu *v = root->vcpus[0];
	struct domain *child;
	u64 handle = child_make(&child);

	(void)state;
	for (u32 i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct pv_vcpu_gpr gpr = { .rip = places[i].rip, .root = PV_FOREVER };

		assert_true(whole_run(v));
		memcpy(v->vcs->batch, &gpr, sizeof(gpr));
		assert_int_equal(CALL(v, VCPU_REGS, PV_VCPU_REGS_SET, handle, 0), places[i].good ? 0 : -PV_EINVAL);
	}
	end(handle);
}

/* A root is a whole page. */
static void where_a_root_may_be(void **state)
{
	struct pv_dom_create args = { .name = "walked", .kind = PV_KIND_WALKED, .mem_pages = 64, .kmem_pages = 128,
				      .max_vcpus = 1, .vtlb_tables = PV_VTLB_MAX, .weight = 256 };
	struct pv_vcpu_gpr gpr = { .rip = 0x1000 };
	struct vcpu *v = root->vcpus[0];
	u64 handle;

	(void)state;
	assert_true(whole_run(v));
	memcpy(v->vcs->batch, &args, sizeof(args));
	handle = (u64)CALL(v, DOM_CREATE, whole_host_handle);
	assert_int_equal(CALL(v, VCPU_CTL, PV_VCPU_CTL_CREATE, handle, 0), 0);
	assert_int_equal(CALL(v, MEM_CTL, PV_MEM_CTL_POPULATE, handle, 0, 4), 4);
	for (u64 root_gpa = 0x2000; root_gpa < 0x3000; root_gpa += 0x7ff) {
		gpr.root = root_gpa;
		memcpy(v->vcs->batch, &gpr, sizeof(gpr));
		assert_int_equal(CALL(v, VCPU_REGS, PV_VCPU_REGS_SET, handle, 0), root_gpa % 0x1000 ? -PV_EINVAL : 0);
	}
	end(handle);
}

/* A copy that found no room is not counted as one. */
static void copy_of_a_line(void **state)
{
	struct vcpu *v = root->vcpus[0];
	i64 line = CALL(v, HOST_CTL, PV_HOST_CTL_IRQ_CAP, whole_host_handle, 7), copy;

	(void)state;
	assert_true(line > 0);
	assert_true(whole_run(v));
	host_fail_arm(1);
	assert_int_equal(CALL(v, CAP_CTL, PV_CAP_CTL_COPY, (u64)line, PV_SELF, PV_RIGHT_IRQ_BIND), -PV_ENOSPC);
	(void)host_fail_disarm();
	copy = CALL(v, CAP_CTL, PV_CAP_CTL_COPY, (u64)line, PV_SELF, PV_RIGHT_IRQ_BIND);
	assert_true(copy > 0);
	assert_int_equal(CALL(v, CAP_CTL, PV_CAP_CTL_DROP, (u64)line), 0);
	assert_int_equal(CALL(v, HOST_CTL, PV_HOST_CTL_IRQ_CAP, whole_host_handle, 7), -PV_EBUSY);
	assert_int_equal(CALL(v, CAP_CTL, PV_CAP_CTL_DROP, (u64)copy), 0);
	host_fail_arm(1);
	assert_int_equal(CALL(v, HOST_CTL, PV_HOST_CTL_IRQ_CAP, whole_host_handle, 7), -PV_ENOSPC);
	(void)host_fail_disarm();
	line = CALL(v, HOST_CTL, PV_HOST_CTL_IRQ_CAP, whole_host_handle, 7);
	assert_true(line > 0);
	assert_int_equal(CALL(v, CAP_CTL, PV_CAP_CTL_DROP, (u64)line), 0);
}

static void the_log(void **state)
{
	struct vcpu *v = root->vcpus[0];
	static const char said[] = "all is well\n";
	u64 pos = 0;
	i64 n, last = 0;
	char text[256] = "";

	(void)state;
	memcpy(v->vcs->batch, said, sizeof(said) - 1);
	assert_int_equal(CALL(v, HOST_CTL, PV_HOST_CTL_LOG_WRITE, whole_host_handle, sizeof(said) - 1), sizeof(said) - 1);
	while ((n = CALL(v, HOST_CTL, PV_HOST_CTL_LOG_READ, whole_host_handle, pos, 200)) > 0) {
		memcpy(&pos, v->vcs->batch, sizeof(pos));
		memcpy(text, (const char *)v->vcs->batch + sizeof(pos), (size_t)n);
		last = n;
	}
	assert_int_equal(n, 0);
	assert_true(last >= (i64)sizeof(said) - 1);
	assert_memory_equal(text + last - (sizeof(said) - 1), said, sizeof(said) - 1);
	/* A reader who is too late goes on with the oldest line there is; one from the future with the next. */
	for (u32 i = 0; i <= LOG_RING_SIZE / 1000; i++) {
		memset(v->vcs->batch, 'x', 1000);
		assert_int_equal(CALL(v, HOST_CTL, PV_HOST_CTL_LOG_WRITE, whole_host_handle, 1000), 1000);
	}
	assert_int_equal(CALL(v, HOST_CTL, PV_HOST_CTL_LOG_READ, whole_host_handle, 1, 100), 100);
	memcpy(&pos, v->vcs->batch, sizeof(pos));
	assert_true(pos > 101);
	assert_int_equal(CALL(v, HOST_CTL, PV_HOST_CTL_LOG_READ, whole_host_handle, ~0ull, 100), 0);
}

/* While guests run the sinks get a text by and by, in interrupts; when the machine stops they have all of it. */
static void said_by_and_by(void **state)
{
	char text[1000];
	u64 before;

	(void)state;
	assert_true(whole_run(root->vcpus[0]));
	memset(text, '.', sizeof(text));
	log_queue(true);
	host_shown_at_once = 7; /* a slow line */
	before = host_shown;
	log_write(text, sizeof(text));
	assert_int_equal(host_shown, before);
	whole_settle();
	assert_int_equal(host_shown, before + sizeof(text));
	log_write(text, sizeof(text));
	log_queue(false);
	assert_int_equal(host_shown, before + 2 * sizeof(text));
	host_shown_at_once = SIZE_MAX;
	log_write(text, 1);
	assert_int_equal(host_shown, before + 2 * sizeof(text) + 1);
	whole_settle();
	assert_int_equal(host_shown, before + 2 * sizeof(text) + 1);
}

static void too_much_said(void **state)
{
	struct domain *child;
	u64 handle = child_run(&child, 0), said = 0;
	struct vcpu *c = child->vcpus[0];
	i64 r;

	(void)state;
	while ((r = CALL(c, CONSOLE_WRITE, PV_CONSOLE_MAX)) > 0 && said < MIB(1))
		said += (u64)r;
	assert_int_equal(r, -PV_EAGAIN);
	assert_true(said >= PV_CONSOLE_MAX);
	whole_time(1000000000);
	assert_int_equal(CALL(c, CONSOLE_WRITE, 1), 1);
	end(handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_the_processor),
		cmocka_unit_test(without_a_place),
		cmocka_unit_test(entries),
		cmocka_unit_test(registers),
		cmocka_unit_test(where_code_may_be),
		cmocka_unit_test(where_a_root_may_be),
		cmocka_unit_test(copy_of_a_line),
		cmocka_unit_test(the_log),
		cmocka_unit_test(said_by_and_by),
		cmocka_unit_test(too_much_said),
	};

	return cmocka_run_group_tests(tests, calls_start, NULL);
}
