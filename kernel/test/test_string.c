// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_string.c - the kernel's own string functions against the C library's, whose names they have: CMakeLists.txt
 * gives them others here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int own_memcmp(const void *a, const void *b, size_t n);
size_t own_strlen(const char *s);
size_t own_strnlen(const char *s, size_t n);
int own_strcmp(const char *a, const char *b);
int own_strncmp(const char *a, const char *b, size_t n);
char *own_strchr(const char *s, int c);

static const char *const texts[] = { "", "a", "b", "ab", "abc", "abd", "a\xff", "\x7f", "\x80", "abcdefghij" };
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_compare(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEXTS; i++)
		for (size_t j = 0; j < TEXTS; j++) {
			size_t both = strlen(texts[i]) < strlen(texts[j]) ? strlen(texts[i]) : strlen(texts[j]);

			assert_int_equal(sign(own_strcmp(texts[i], texts[j])), sign(strcmp(texts[i], texts[j])));
			for (size_t n = 0; n < 12; n++)
				assert_int_equal(sign(own_strncmp(texts[i], texts[j], n)),
						 sign(strncmp(texts[i], texts[j], n)));
			for (size_t n = 0; n <= both + 1; n++)
				assert_int_equal(sign(own_memcmp(texts[i], texts[j], n)),
						 sign(memcmp(texts[i], texts[j], n)));
		}
}

static void test_measure_and_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < TEXTS; i++) {
		assert_int_equal(own_strlen(texts[i]), strlen(texts[i]));
		for (size_t n = 0; n < 12; n++)
			assert_int_equal(own_strnlen(texts[i], n), strnlen(texts[i], n));
		for (int c = 0; c < 256; c++)
			assert_ptr_equal(own_strchr(texts[i], c), strchr(texts[i], c));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_measure_and_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
