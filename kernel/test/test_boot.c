// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_boot.c - the parts of start-up that are plain arithmetic, on the build machine: the memory
 * map and its reservations, the command line, the log's formats, and the CPU predicates for
 * processors this project cannot run on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arch_layout.h"
#include "boot_info.h"
#include "cpu_features.h"
#include "log.h"
#include "panic.h"
#include "string.h"

static jmp_buf on_panic;

void panic(const char *fmt, ...)
{
	(void)fmt;
	longjmp(on_panic, 1);
}

static void str_set(char *dst, size_t size, const char *src)
{
	assert_true(strlen(src) < size);
	memcpy(dst, src, strlen(src) + 1);
}

static int setup(void **state)
{
	(void)state;
	memset(&boot_info, 0, sizeof(boot_info));
	return 0;
}

static void test_ranges_sorted_and_merged(void **state)
{
	(void)state;
	boot_add_range(0x200000, 0x100000, BOOT_MEM_USABLE);
	boot_add_range(0x100000, 0x80000, BOOT_MEM_USABLE);
	boot_add_range(0x180000, 0x80000, BOOT_MEM_USABLE);
	boot_add_range(0x300800, 0x1000, BOOT_MEM_USABLE); /* no whole page inside */
	boot_add_range(0x400000, 0, BOOT_MEM_USABLE);
	boot_add_range(0x500000, 0x1000, 99);
	assert_int_equal(boot_info.nr_ranges, 3);
	assert_int_equal(boot_info.ranges[0].start, 0x100000);
	assert_int_equal(boot_info.ranges[0].size, 0x100000);
	assert_int_equal(boot_info.ranges[2].type, BOOT_MEM_RESERVED);
	assert_int_equal(boot_mem_usable_total(), 0x200000);
	assert_int_equal(boot_mem_top(), 0x300000);
}

static void test_ranges_absurd(void **state)
{
	(void)state;
	boot_add_range(DIRECTMAP_SIZE, 0x1000, BOOT_MEM_USABLE); /* out of reach: dropped */
	boot_add_range(DIRECTMAP_SIZE + 0x1000, 0x1000, BOOT_MEM_RESERVED);
	boot_add_range(0x1000, 0, BOOT_MEM_RESERVED);
	boot_mem_reserve(0x5000, 0);
	assert_int_equal(boot_info.nr_ranges, 0);
	assert_int_equal(boot_info.nr_reserved, 0);
	if (!setjmp(on_panic)) {
		boot_add_range(~0ull - 0x1000, 0x2000, BOOT_MEM_USABLE);
		fail_msg("a wrapping range was accepted");
	}
	if (!setjmp(on_panic)) {
		for (u64 i = 0; i <= BOOT_MAX_RANGES; i++)
			boot_add_range(i * 0x2000, 0x1000, BOOT_MEM_USABLE);
		fail_msg("too many ranges were accepted");
	}
	if (!setjmp(on_panic)) {
		boot_add_module(~0ull - 10, 100, "x", 2);
		fail_msg("a wrapping module was accepted");
	}
}

static void test_reservations(void **state)
{
	paddr_t at = 0;
	u64 size;

	(void)state;
	boot_add_range(0x100000, 0x100000, BOOT_MEM_USABLE);
	boot_mem_reserve(0x110000, 0x1000);
	boot_mem_reserve(0x130000, 0x1000);
	boot_mem_reserve(0x100000, 1);
	boot_mem_reserve(0x111000, 0x1f000); /* joins its two neighbours */
	assert_int_equal(boot_info.nr_reserved, 2);
	assert_true(boot_mem_next_free(&at, &size));
	assert_int_equal(at, 0x101000);
	assert_int_equal(size, 0xf000);
	at += size;
	assert_true(boot_mem_next_free(&at, &size));
	assert_int_equal(at, 0x131000);
	assert_int_equal(size, 0xcf000);
	at += size;
	assert_false(boot_mem_next_free(&at, &size));
}

/* Against a bitmap of pages, with random requests. */
static void test_reservations_random(void **state)
{
	(void)state;
	srand(1);
	for (u32 round = 0; round < 200; round++) {
		bool taken[64] = { false };
		paddr_t at = 0;
		u64 size, page = 0;

		memset(&boot_info, 0, sizeof(boot_info));
		boot_add_range(0, 64 * PAGE_SIZE, BOOT_MEM_USABLE);
		for (u32 i = 0; i < 12; i++) {
			u64 first = (u64)rand() % 60, n = (u64)rand() % 5;

			boot_mem_reserve(first * PAGE_SIZE, n * PAGE_SIZE);
			for (u64 p = first; p < first + n; p++)
				taken[p] = true;
		}
		for (; boot_mem_next_free(&at, &size); at += size) {
			for (; page < at / PAGE_SIZE; page++)
				assert_true(taken[page]);
			for (; page < (at + size) / PAGE_SIZE; page++)
				assert_false(taken[page]);
		}
		for (; page < 64; page++)
			assert_true(taken[page]);
	}
}

static void test_modules(void **state)
{
	(void)state;
	boot_add_module(0x200000, 100, "first", 6);
	boot_add_module(0x300000, 200, "second, cut", 6);
	assert_int_equal(boot_info.nr_modules, 2);
	assert_int_equal(boot_info.modules[0].start, 0x200000);
	assert_string_equal(boot_info.modules[0].cmdline, "first");
	assert_int_equal(boot_info.modules[1].size, 200);
	assert_string_equal(boot_info.modules[1].cmdline, "second");
	if (!setjmp(on_panic)) {
		boot_add_module(0, 100, "x", 1);
		fail_msg("a module at 0 was accepted");
	}
	if (!setjmp(on_panic)) {
		for (u32 i = 0; i <= BOOT_MAX_MODULES; i++)
			boot_add_module(0x200000, 100, "x", 1);
		fail_msg("too many modules were accepted");
	}
}

static void test_cmdline(void **state)
{
	char buf[6];

	(void)state;
	str_set(boot_info.cmdline, sizeof(boot_info.cmdline), "  nosmpx panic=exit smap= boottest=verylong nosmp");
	assert_true(cmdline_has("nosmp"));
	assert_false(cmdline_has("panic"));
	assert_true(cmdline_get("panic", buf, sizeof(buf)));
	assert_string_equal(buf, "exit");
	assert_true(cmdline_get("smap", buf, sizeof(buf)));
	assert_string_equal(buf, "");
	assert_true(cmdline_get("boottest", buf, sizeof(buf)));
	assert_string_equal(buf, "veryl");
	assert_false(cmdline_get("boot", buf, sizeof(buf)));
}

#define FORMAT(want, ...)                                                                          \
	do {                                                                                       \
		char buf_[64];                                                                     \
		size_t n_ = str_format(buf_, sizeof(buf_), __VA_ARGS__);                           \
		assert_string_equal(buf_, want);                                                   \
		assert_int_equal(n_, strlen(want));                                                \
	} while (0)

static void test_format(void **state)
{
	const char *volatile odd = "%s|%03s|%03s|%k|%"; /* what a compiler objects to */
	char small[5];

	(void)state;
	FORMAT("a 7%", "%s %d%%", "a", 7);
	FORMAT("-5 -0005    -5 -5   |", "%d %05d %5d %-5d|", -5, -5, -5, -5);
	FORMAT("ff 00ff ffffffffffffffff", "%x %04x %lx", 255u, 255u, ~0ul);
	FORMAT("-9223372036854775808", "%ld", INT64_MIN);
	FORMAT("0 9 a f 10 fedcba9876543210", "%lx %lx %lx %lx %lx %lx", 0ul, 9ul, 10ul, 15ul, 16ul, 0xfedcba9876543210ul);
	FORMAT("100000000 90 a0000000|   1f|00c", "%lx %lx %lx|%5lx|%03lx", 1ul << 32, 0x90ul, 0xa0000000ul, 0x1ful, 12ul);
	FORMAT("ab   |  abc|ab", "%-5s|%5s|%.2s", "ab", "abc", "abc");
	FORMAT("(null)|-00|000|%k|%", odd, NULL, "-", "");
	FORMAT("-05 -5   |", "%03d %-5d|", -5, -5);
	odd = "%-05d|%-05d|%04d|%04s";
	FORMAT("-5   |5    |0005|0000", odd, -5, 5, 5, "");
	FORMAT("1 2 3 4 5 6 7 8 a", "%d %u %lu %ld %d %u %ld %lu %x", 1, 2u, 3ul, 4l, 5, 6u, 7l, 8ul, 10u);
	assert_int_equal(str_format(NULL, 0, "%d", 5), 0);
	assert_int_equal(str_format(small, sizeof(small), "%s", "too long"), 4);
	assert_string_equal(small, "too ");
}

/* What does not fit is cut, wherever it would have come from, and nothing behind the buffer is touched. */
static void test_format_cut(void **state)
{
	char text[24], whole[24];

	(void)state;
	(void)str_format(whole, sizeof(whole), "ab%s%3s|%lx%d", "cd", "e", 0x1ful, -7);
	assert_string_equal(whole, "abcd  e|1f-7");
	for (size_t n = 0; n <= sizeof(text); n++) {
		size_t want = n > strlen(whole) ? strlen(whole) : n ? n - 1 : 0;

		memset(text, 'z', sizeof(text));
		assert_int_equal(str_format(text, n, "ab%s%3s|%lx%d", "cd", "e", 0x1ful, -7), want);
		assert_memory_equal(text, whole, want);
		for (size_t i = n; i < sizeof(text); i++)
			assert_int_equal(text[i], 'z');
		if (n)
			assert_int_equal(text[want], '\0');
	}
}

/* A recent processor with everything; the tests take things away. */
static struct cpuid_values modern(const char *vendor)
{
	struct cpuid_values v = { .max_basic = 0x16, .max_ext = 0x80000008 };

	str_set(v.vendor, sizeof(v.vendor), vendor);
	v.lext1.edx = 1u << 20 | 1u << 11 | 1u << 26;
	v.l7.ebx = 1u << 0 | 1u << 7 | 1u << 10 | 1u << 20;
	v.l7.ecx = 1u << 2;
	v.l1.ecx = 1u << 26 | 1u << 28 | 1u << 17 | 1u << 21 | 1u << 24;
	v.xs0.eax = 7;
	v.lext7.edx = 1u << 8;
	v.lext8.eax = 46;
	return v;
}

static void test_cpu_features(void **state)
{
	struct cpuid_values v = modern("GenuineIntel");
	struct cpu_features f;

	(void)state;
	cpu_features_decide(&f, &v);
	assert_null(cpu_features_missing(&f));
	assert_true(f.pcid && f.invpcid && f.x2apic && f.tsc_deadline && f.tsc_invariant);
	assert_true(f.meltdown && f.mds);
	assert_false(f.sysret_ss_attrs || f.x87_pointers_stay);
	assert_int_equal(f.xcr0, 7);
	assert_int_equal(f.xsave_size, 832);
	v.arch_capabilities = 1 | 1 << 5; /* RDCL_NO, MDS_NO */
	cpu_features_decide(&f, &v);
	assert_false(f.meltdown || f.mds);

	v = modern("AuthenticAMD");
	v.xs0.eax = 3; /* AVX in CPUID but not in XCR0 */
	cpu_features_decide(&f, &v);
	assert_false(f.meltdown);
	assert_true(f.sysret_ss_attrs && f.x87_pointers_stay);
	assert_int_equal(f.xcr0, 3);
	assert_int_equal(f.xsave_size, 576);
	v.lext8.ebx |= 1u << 2; /* XSAVEERPTR */
	cpu_features_decide(&f, &v);
	assert_false(f.x87_pointers_stay);

	v = modern("GenuineIntel");
	v.l1.ecx &= ~(1u << 28); /* the operating system may save AVX, which is not there */
	v.l7.ecx |= 1u << 22;	 /* RDPID without RDTSCP */
	cpu_features_decide(&f, &v);
	assert_true(f.xsave && !f.avx && f.tsc_aux);
	assert_int_equal(f.xcr0, 3);
	assert_int_equal(f.xsave_size, 576);

	v = modern("AuthenticAMD");
	str_set(v.hypervisor, sizeof(v.hypervisor), "TCGTCGTCGTCG");
	cpu_features_decide(&f, &v);
	assert_true(f.tcg && !f.kvm);
}

/* What AMD64 and Intel 64 began with is enough; less is not. */
static void test_cpu_features_oldest(void **state)
{
	struct cpuid_values v = { .max_basic = 1, .max_ext = 0x80000008, .vendor = "AuthenticAMD" };
	struct cpu_features f;

	(void)state;
	v.lext1.edx = 1u << 20 | 1u << 11;
	v.xs0.eax = 7; /* without XSAVE this says nothing */
	v.l1.ecx = 1u << 28;
	cpu_features_decide(&f, &v);
	assert_null(cpu_features_missing(&f));
	assert_false(f.fsgsbase || f.xsave || f.avx || f.tsc_aux || f.gib_pages || f.smep || f.rdrand);
	assert_int_equal(f.xcr0, 3);
	assert_int_equal(f.xsave_size, 512);
	assert_int_equal(f.phys_bits, 36);
	v.lext1.edx |= 1u << 27; /* RDTSCP */
	cpu_features_decide(&f, &v);
	assert_true(f.tsc_aux);

	v.lext1.edx = 1u << 20;
	cpu_features_decide(&f, &v);
	assert_string_equal(cpu_features_missing(&f), "SYSCALL/SYSRET");
	v.lext1.edx = 1u << 11;
	cpu_features_decide(&f, &v);
	assert_string_equal(cpu_features_missing(&f), "no-execute pages (NX)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ranges_sorted_and_merged, setup),
		cmocka_unit_test_setup(test_ranges_absurd, setup),
		cmocka_unit_test_setup(test_reservations, setup),
		cmocka_unit_test_setup(test_reservations_random, setup),
		cmocka_unit_test_setup(test_modules, setup),
		cmocka_unit_test_setup(test_cmdline, setup),
		cmocka_unit_test_setup(test_format, setup),
		cmocka_unit_test_setup(test_format_cut, setup),
		cmocka_unit_test_setup(test_cpu_features, setup),
		cmocka_unit_test_setup(test_cpu_features_oldest, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
