// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_frames.c - the frame allocator against what it promises: no frame twice, whole blocks come
 * back, nothing is lost.
 */
#include "guest.h"

#define RAM MIB(16)

static void test_every_frame_once(void **state)
{
	u64 total, n = 0;
	mfn_t *got;
	(void)state;

	host_machine_init(RAM, 1, NULL);
	total = frame_free_count();
	assert_int_equal(total, frame_total());
	got = calloc(total, sizeof(*got));
	for (mfn_t m; (m = frame_alloc()); n++) {
		assert_true(n < total);
		assert_int_equal(frame_of(m)->state, FRAME_TAKEN);
		got[n] = m;
	}
	assert_int_equal(n, total);
	assert_int_equal(frame_alloc_large(), 0);
	for (u64 i = 0; i < n; i++)
		frame_free(got[i]);
	assert_int_equal(frame_free_count(), total);
	free(got);
}

static void test_blocks_merge(void **state)
{
	mfn_t large[8], small;
	u32 n = 0;
	(void)state;

	host_machine_init(RAM, 1, NULL);
	while (n < 8 && (large[n] = frame_alloc_large())) {
		assert_int_equal(large[n] % 512, 0);
		n++;
	}
	assert_true(n >= 6);
	frame_free_run(large[0], 512);
	small = frame_alloc(); /* from a broken block if there is one */
	assert_true(small != 0);
	frame_free(small);
	for (u32 i = 1; i < n; i++)
		for (u32 k = 0; k < 512; k++)
			frame_free(large[i] + (k * 37 & 511));
	for (u32 i = 0; i < n; i++)
		assert_true(frame_alloc_large() != 0);
}

static void test_random(void **state)
{
	mfn_t held[600];
	u32 n = 0;
	u64 total;
	(void)state;

	host_machine_init(RAM, 1, NULL);
	total = frame_free_count();
	srandom(7);
	for (u32 i = 0; i < 100000; i++) {
		u32 r = (u32)random();

		if (n < 600 && (r & 1)) {
			held[n] = frame_alloc();
			assert_true(held[n] != 0);
			*(u64 *)mfn_ptr(held[n]) = held[n];
			n++;
		} else if (n) {
			u32 k = (r >> 8) % n;

			assert_int_equal(*(u64 *)mfn_ptr(held[k]), held[k]);
			frame_free(held[k]);
			held[k] = held[--n];
		}
		assert_int_equal(frame_free_count(), total - n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_frame_once),
		cmocka_unit_test(test_blocks_merge),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
