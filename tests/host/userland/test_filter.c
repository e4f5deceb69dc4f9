/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest may do to the merged view: write text, nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "filter.h"

static const char *filtered(const char *in, size_t len)
{
	static char out[1024];
	struct filter f = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += filter_byte(&f, (uint8_t)in[i], (uint8_t *)out + n);
	out[n] = 0;
	return out;
}

#define check(in, want) assert_string_equal(filtered(in, sizeof(in) - 1), want)

static void text_passes(void **state)
{
	(void)state;
	check("hello, world\t!\n", "hello, world\t!\n");
	check("a\r\nb", "a\nb");
	check("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7");
}

static void sequences_vanish(void **state)
{
	(void)state;
	check("\033[31mred\033[0m", "red");
	check("\033[?25;1$pA", "A");
	check("\033]0;title\007B", "B");
	check("\033]0;title\033\\C", "C");
	check("\033Pq...\033\\D", "D");
	check("\033(BE\033cF\0337G", "EFG");
	check("a\007\010\013\014\016b\x7f", "ab");
}

static void broken_sequences_end(void **state)
{
	(void)state;
	check("\033[12\nnext", "\nnext");
	check("\033]never ended\nnext", "\nnext");
	check("\033[1\x18x", "x");
	check("\033[1\033[2mx", "x");
	check("\033]a\033[31mx", "x");
	check("\033\033[31mx", "x");
}

static void bad_utf8_vanishes(void **state)
{
	(void)state;
	check("a\x9b" "31mb", "a31mb"); /* C1 control as a byte */
	check("a\xc2\x9b" "31mb", "a31mb"); /* and encoded */
	check("a\xc0\xafz", "az");
	check("a\xed\xa0\x80z", "az");
	check("a\xf4\x90\x80\x80z", "az");
	check("a\xe2\x82z", "az");
	check("a\xe2\x82\nz", "a\nz");
	check("a\xff\xfe\x80z", "az");
}

/* Whatever comes in, only text goes out. */
static void random_bytes(void **state)
{
	struct filter f = { 0 };
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 1000000; i++) {
		uint8_t out[FILTER_OUT_MAX];
		size_t n;

		seed = seed * 1664525u + 1013904223u;
		n = filter_byte(&f, (uint8_t)(seed >> 24), out);
		assert_true(n <= FILTER_OUT_MAX);
		for (size_t j = 0; j < n; j++)
			assert_true(out[j] >= 0x20 || out[j] == '\n' || out[j] == '\t');
		assert_true(n != 1 || out[0] < 0x7f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_passes),	      cmocka_unit_test(sequences_vanish),
		cmocka_unit_test(broken_sequences_end), cmocka_unit_test(bad_utf8_vanishes),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
