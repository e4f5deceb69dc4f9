// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_dmar.c - reading the DMAR table: QEMU's, one of a laptop's kind, and tables that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dmar.h"
#include "string.h"

#define HEADER 48

static u8 table[4096];
static u64 size;

static void put(u64 value, u32 bytes)
{
	memcpy(table + size, &value, bytes);
	size += bytes;
}

static int setup(void **state)
{
	(void)state;
	memset(table, 0, sizeof(table));
	size = HEADER;
	return 0;
}

static void unit(u8 flags, u16 segment, u64 base, u32 scopes)
{
	put(0, 2);
	put(16 + 8 * scopes, 2);
	put(flags, 1);
	put(0, 1);
	put(segment, 2);
	put(base, 8);
}

static void reserved_memory(u32 length)
{
	put(1, 2);
	put(length, 2);
	put(0, 4);
	put(0x7d000000, 8);
	put(0x7f7fffff, 8);
}

/* One step from bus 0, or two through a bridge. */
static void scope(u8 type, u8 id, u8 bus, u8 device, u8 function)
{
	put(type, 1);
	put(8, 1);
	put(0, 2);
	put(id, 1);
	put(bus, 1);
	put(device, 1);
	put(function, 1);
}

static void test_names_all(void **state)
{
	struct dmar d;
	(void)state;

	unit(0, 0, 0xfed90000, 3);
	scope(3, 0, 0xff, 0, 0);
	scope(1, 0, 0, 1, 0);
	scope(2, 0, 0, 4, 1);
	put(2, 2); /* ATSR: of no interest */
	put(8, 2);
	put(0, 4);
	assert_true(dmar_parse(table, size, &d));
	assert_int_equal(d.nr_units, 1);
	assert_int_equal(d.units[0], 0xfed90000);
	assert_false(d.covers_all);
	assert_int_equal(d.nr_ioapics, 1);
	assert_int_equal(d.ioapics[0].source, 0xff00);
	assert_int_equal(d.nr_scopes, 2);
	assert_false(d.scopes[0].bridge);
	assert_int_equal(d.scopes[0].step[0].device, 1);
	assert_true(d.scopes[1].bridge);
	assert_int_equal(d.scopes[1].step[0].device, 4);
	assert_int_equal(d.scopes[1].step[0].function, 1);
	assert_int_equal(d.nr_reserved, 0);
}

static void test_graphics_and_rest(void **state)
{
	struct dmar d;
	(void)state;

	unit(0, 0, 0xfed90000, 1);
	scope(1, 0, 0, 2, 0);
	unit(1, 0, 0x1fed91000, 2);
	scope(3, 2, 0xf0, 0x1f, 0);
	scope(4, 0, 0, 0x1f, 0); /* a timer */
	unit(1, 1, 0xfed92000, 0); /* another segment */
	reserved_memory(24 + 10);
	put(1, 1); /* behind a bridge */
	put(10, 1);
	put(0, 3);
	put(0, 1);
	put(0x1c | 3 << 8, 2);
	put(0 | 1 << 8, 2);
	assert_true(dmar_parse(table, size, &d));
	assert_int_equal(d.nr_units, 2);
	assert_int_equal(d.units[1], 0x1fed91000);
	assert_true(d.covers_all);
	assert_int_equal(d.ioapics[0].id, 2);
	assert_int_equal(d.ioapics[0].source, 0xf0f8);
	assert_int_equal(d.nr_scopes, 1);
	assert_int_equal(d.nr_reserved, 1);
	assert_int_equal(d.reserved[0].depth, 2);
	assert_int_equal(d.reserved[0].step[0].device, 0x1c);
	assert_int_equal(d.reserved[0].step[0].function, 3);
	assert_int_equal(d.reserved[0].step[1].device, 0);
	assert_int_equal(d.reserved[0].step[1].function, 1);
}

static void test_refused(void **state)
{
	struct dmar d;
	(void)state;

	assert_false(dmar_parse(table, HEADER, &d)); /* no unit */
	assert_false(dmar_parse(table, HEADER - 1, &d));
	unit(1, 0, 0xfed90000, 1);
	scope(1, 0, 0, 1, 0);
	assert_true(dmar_parse(table, size, &d));
	for (u64 cut = HEADER + 1; cut < size; cut++)
		assert_false(dmar_parse(table, cut, &d));
	table[HEADER + 16 + 1] = 5; /* a scope too short for a path */
	assert_false(dmar_parse(table, size, &d));
	table[HEADER + 16 + 1] = 7; /* half a step */
	assert_false(dmar_parse(table, size, &d));
	table[HEADER + 16 + 1] = 0;
	assert_false(dmar_parse(table, size, &d));
	table[HEADER + 16 + 1] = 8;
	table[HEADER + 2] = 3; /* an entry shorter than its head */
	assert_false(dmar_parse(table, size, &d));
	table[HEADER + 2] = 24;
	table[HEADER + 8] = 1; /* registers not on a page */
	assert_false(dmar_parse(table, size, &d));
	memset(table + HEADER + 8, 0, 8);
	assert_false(dmar_parse(table, size, &d));
}

static void test_too_much(void **state)
{
	struct dmar d;
	(void)state;

	for (u32 i = 0; i < DMAR_UNITS; i++)
		unit(1, 0, 0xfed90000 + i * PAGE_SIZE, 0);
	assert_true(dmar_parse(table, size, &d));
	unit(1, 0, 0xfeda0000, 0);
	assert_false(dmar_parse(table, size, &d));
	setup(NULL);
	unit(0, 0, 0xfed90000, DMAR_SCOPES);
	for (u32 i = 0; i < DMAR_SCOPES; i++)
		scope(1, 0, 0, 1, 0);
	assert_true(dmar_parse(table, size, &d));
	setup(NULL);
	unit(0, 0, 0xfed90000, DMAR_SCOPES + 1);
	for (u32 i = 0; i < DMAR_SCOPES + 1; i++)
		scope(1, 0, 0, 1, 0);
	assert_false(dmar_parse(table, size, &d));
	for (u32 n = DMAR_IOAPICS; n <= DMAR_IOAPICS + 1; n++) {
		setup(NULL);
		unit(1, 0, 0xfed90000, n);
		for (u32 i = 0; i < n; i++)
			scope(3, (u8)i, 0xff, (u8)i, 0);
		assert_int_equal(dmar_parse(table, size, &d), n == DMAR_IOAPICS);
	}
	setup(NULL);
	unit(1, 0, 0xfed90000, 1);
	scope(3, 0, 0, 1, 0); /* an I/O APIC behind a bridge: whose number would it sign with? */
	put(0, 2);
	table[HEADER + 2] += 2;
	table[HEADER + 16 + 1] += 2;
	assert_false(dmar_parse(table, size, &d));
}

/* Under the sanitizers: no table makes it read beyond its end or write beyond what it fills. */
static void test_noise(void **state)
{
	u64 seed = 88172645463325252ull;
	struct dmar d;
	(void)state;

	for (u32 round = 0; round < 200000; round++) {
		u8 *copy;

		setup(NULL);
		unit(1, 0, 0xfed90000, 2);
		scope(3, 0, 0xff, 0, 0);
		scope(2, 0, 0, 1, 0);
		reserved_memory(32);
		scope(1, 0, 0, 2, 0);
		for (u32 i = 0; i < 3; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			table[HEADER + seed % (size - HEADER)] = (u8)(seed >> 32);
		}
		size -= seed >> 60;
		copy = malloc(size);
		memcpy(copy, table, size);
		if (dmar_parse(copy, size, &d))
			assert_true(d.nr_units && d.nr_scopes <= DMAR_SCOPES && d.nr_reserved <= DMAR_RESERVED);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names_all, setup),
		cmocka_unit_test_setup(test_graphics_and_rest, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_too_much, setup),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
