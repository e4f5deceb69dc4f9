/* SPDX-License-Identifier: BSD-2-Clause */
/* Byte rings in hostile shared memory, and the line reader of the control channel on top. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <control.h>

static void wraps(void **state)
{
	struct ctl_half half = { .prod = 0xfffffff0u, .cons = 0xfffffff0u };
	struct pv_ring ring = ctl_ring(&half);
	char out[2000], in[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)i;
	assert_int_equal(pv_ring_put(&ring, in, sizeof(in)), sizeof(half.data));
	assert_int_equal(pv_ring_room(&ring), 0);
	assert_int_equal(pv_ring_put(&ring, in, 1), 0);
	assert_int_equal(pv_ring_get(&ring, out, 1000), 1000);
	assert_int_equal(pv_ring_put(&ring, in + 1024, 976), 976);
	assert_int_equal(pv_ring_get(&ring, out + 1000, 1000), 1000);
	assert_memory_equal(in, out, 2000);
	assert_int_equal(pv_ring_used(&ring), 0);
}

/* A peer that writes nonsense into its index gets nothing and gives nothing. */
static void nonsense_index(void **state)
{
	struct ctl_half half = { 0 };
	struct pv_ring ring = ctl_ring(&half);
	char out[16];

	(void)state;
	half.prod = 5000;
	assert_int_equal(pv_ring_used(&ring), 0);
	assert_int_equal(pv_ring_room(&ring), 0);
	assert_int_equal(pv_ring_get(&ring, out, sizeof(out)), 0);
	assert_int_equal(pv_ring_put(&ring, out, sizeof(out)), 0);
	half.prod = 0;
	half.cons = 1;
	assert_int_equal(pv_ring_get(&ring, out, sizeof(out)), 0);
}

static void lines(void **state)
{
	struct ctl_half half = { 0 };
	struct pv_ring ring = ctl_ring(&half);
	struct ctl_reader reader = { .len = 0 };
	char longer[400];

	(void)state;
	pv_ring_put(&ring, "ab", 2);
	assert_int_equal(ctl_read_line(&reader, &ring), 0);
	pv_ring_put(&ring, "c\n\nd\n", 5);
	assert_int_equal(ctl_read_line(&reader, &ring), 1);
	assert_string_equal(reader.line, "abc");
	assert_int_equal(ctl_read_line(&reader, &ring), 1);
	assert_string_equal(reader.line, "");
	assert_int_equal(ctl_read_line(&reader, &ring), 1);
	assert_string_equal(reader.line, "d");
	memset(longer, 'x', sizeof(longer));
	longer[399] = '\n';
	pv_ring_put(&ring, longer, sizeof(longer));
	assert_int_equal(ctl_read_line(&reader, &ring), 1);
	assert_int_equal(strlen(reader.line), CTL_LINE_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wraps),
		cmocka_unit_test(nonsense_index),
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
