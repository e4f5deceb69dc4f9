/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * info.c - INFO and CONSOLE_WRITE.
 */
#include <string.h>

#include "../lib/abitest.h"

PV_TEST(info_version, "PVABI-INF-001.1 PVABI-INF-007.1")
{
	CHECK_EQ(OP(INFO, VERSION, 0), PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
}

PV_TEST(info_features, "PVABI-INF-002.1 PVABI-INF-007.1")
{
	u64 features = TRY(OP(INFO, FEATURES, 0));

	CHECK_EQ(features & ~(u64)(PV_FEAT_SMP_GUEST | PV_FEAT_AUDIT | PV_FEAT_STABLE_TSC | PV_FEAT_FUSED), 0);
}

PV_TEST(info_handle_must_be_zero, "PVABI-INF-003.1")
{
	CHECK_ERR(OP(INFO, VERSION, 1), EINVAL);
	CHECK_ERR(OP(INFO, FEATURES, 1), EINVAL);
	CHECK_ERR(OP(INFO, SYSTEM, 0x10001), EINVAL);
	CHECK_ERR(OP(INFO, SYSTEM, ~0ull), EINVAL);
}

PV_TEST(info_system, "PVABI-INF-004.1 PVABI-INF-007.1")
{
	struct pv_info_system s;

	memset(vcs0->batch, 0xaa, sizeof(vcs0->batch));
	CHECK_OK(OP(INFO, SYSTEM, 0));
	batch_get(&s, sizeof(s));
	CHECK_EQ(s.abi_major, PV_ABI_MAJOR);
	CHECK_EQ(s.abi_minor, PV_ABI_MINOR);
	CHECK_EQ(s.features, TRY(OP(INFO, FEATURES, 0)));
	CHECK(s.cpus >= 1 && s.cpus <= 64);
	CHECK(s.tsc_hz > 1000000);
	CHECK(s.frames_total > 1000);
	CHECK_EQ(s.reserved, 0);
	CHECK(memchr(s.version, 0, sizeof(s.version)) != NULL);
	CHECK(s.version[0] != 0);
	CHECK_EQ(s.xcr0 & 3, 3);
	CHECK_EQ(vcs0->batch[sizeof(s)], 0xaa);
}

PV_TEST(info_id_is_status_id, "PVABI-INF-004.1")
{
	struct pv_info_system s;
	struct pv_dom_status d;

	CHECK_OK(OP(INFO, SYSTEM, 0));
	batch_get(&s, sizeof(s));
	dom_status(PV_SELF, &d);
	CHECK_EQ(s.domain_id, d.id);
	CHECK(d.id != 0);
}

PV_DRIVER_TEST(info_counters, "PVABI-INF-005.1")
{
	struct pv_counters c;

	memset(vcs0->batch, 0xaa, sizeof(c));
	counters_read(&c);
	CHECK(c.frames_free < c.frames_total);
	CHECK(c.domains >= 1);
	CHECK(c.vcpus >= 1);
	CHECK(c.kmem_pages >= 1);
	CHECK_EQ(c.audit_findings, 0);
	for (u32 i = 0; i < 4; i++)
		CHECK_EQ(c.reserved[i], 0);
}

PV_DRIVER_TEST(info_counters_grow, "PVABI-INF-006.1")
{
	struct pv_counters a, b;

	counters_read(&a);
	for (u32 i = 0; i < 100; i++)
		OP(INFO, VERSION, 0);
	counters_read(&b);
	CHECK(b.hypercalls - a.hypercalls >= 101);
	CHECK(b.hypercalls - a.hypercalls < 1000);
}

PV_TEST(info_counters_denied, "PVABI-INF-005.1")
{
	CHECK_ERR(OP(INFO, COUNTERS, PV_SELF), ECAP);
	CHECK_ERR(OP(INFO, COUNTERS, 0x10001), ECAP);
}

PV_TEST(console_bad_length, "PVABI-CON-001.1")
{
	CHECK_ERR(HC(CONSOLE_WRITE, 0), EINVAL);
	CHECK_ERR(HC(CONSOLE_WRITE, PV_CONSOLE_MAX + 1), EINVAL);
	CHECK_ERR(HC(CONSOLE_WRITE, ~0ull), EINVAL);
	CHECK_ERR(HC(CONSOLE_WRITE, 0x100000001), EINVAL);
}

/* All of a text of one character, in as many calls as it takes. */
static void write_piecewise(char c)
{
	for (u64 left = PV_CONSOLE_MAX, n; left; left -= n) {
		memset(vcs0->batch, c, left);
		n = TRY(HC(CONSOLE_WRITE, left));
		CHECK(n >= 1 && n <= left);
	}
}

PV_TEST(console_length_returned, "PVABI-CON-002.2")
{
	memset(vcs0->batch, '.', 128);
	vcs0->batch[127] = '\n';
	CHECK_EQ(HC(CONSOLE_WRITE, 128), 128);
	vcs0->batch[0] = '\n';
	CHECK_EQ(HC(CONSOLE_WRITE, 1), 1);
	CHECK_EQ(HC(CONSOLE_WRITE, 127), 127);
	write_piecewise('.');
	write_piecewise('\n');
	write_piecewise('\xff');
}

/* Looks for a text in what the kernel log holds; reads it all. */
static bool log_has(const char *text)
{
	static char line[8192];
	static char window[2041];
	u64 position = 0, used = 0;

	for (u32 i = 0; i < 1000; i++) {
		u64 n = TRY(OP(HOST_CTL, LOG_READ, host, position, 2040));

		if (n == 0)
			return false;
		memcpy(&position, vcs0->batch, 8);
		memcpy(window, vcs0->batch + 8, n);
		if (used + n > sizeof(line) - 1) {
			memmove(line, line + used - 200, 200);
			used = 200;
		}
		memcpy(line + used, window, n);
		used += n;
		line[used] = '\0';
		if (strstr(line, text))
			return true;
	}
	return false;
}

static void console_speaker(void)
{
	abi_note("the quick brown fox %d\n", 4711);
}

PV_DRIVER_TEST(console_under_its_name, "PVABI-CON-003.1", PARTS(console_speaker))
{
	struct child *c = child_make(0);

	child_start(c);
	child_expect_pass(c);
	CHECK(log_has("child"));
	CHECK(log_has("the quick brown fox 4711"));
}

PV_TEST(console_rate, "PVABI-CON-004.1", .budget_ms = 8000)
{
	i64 result = 0;

	memset(vcs0->batch, 'x', PV_CONSOLE_MAX);
	vcs0->batch[PV_CONSOLE_MAX - 1] = '\n';
	u64 end = clock_ns() + 2000 * MS;

	while (result >= 0 && clock_ns() < end)
		result = HC(CONSOLE_WRITE, PV_CONSOLE_MAX);
	if (result >= 0)
		abi_skip("this log is slower than the rate limit");
	CHECK_EQ(result, -(i64)PV_EAGAIN);
	for (u32 i = 0; i < 50 && result < 0; i++) {
		sleep_ms(100);
		vcs0->batch[0] = '\n';
		result = HC(CONSOLE_WRITE, 1);
	}
	CHECK_EQ(result, 1);
}
