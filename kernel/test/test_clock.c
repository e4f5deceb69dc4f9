// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_clock.c - finding the counter's rate and the time of day, on boards that QEMU has not: rates that are stated,
 * a busy host, timers that stand, a real-time clock in every form, counters that disagree.
 */
#include "board.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "arch.h"
#include "atomic.h"
#include "cpu.h"
#include "cpu_features.h"
#include "platform.h"

#define PIT_HZ 1193182
#define LAPIC_HZ 62500000ull
#define NS 1000000000ull

struct cpu_features cpu_features;

static u64 tsc_hz, lapic_hz; /* of this board */
static bool pit_stands, latched;
static u32 late_every; /* of so many looks at the 8254 one is late by a whole wrap of it; 0: none */
static u32 looks;
static u8 cmos[16], cmos_index;
static u32 updating; /* looks at the clock until it is not being advanced any more */
static u64 lapic_rate_set;

u32 lapic_timer_probe(void)
{
	return lapic_hz ? 0xffffffffu - (u32)((unsigned __int128)board_tsc * lapic_hz / tsc_hz) : 0;
}

void lapic_timer_set_rate(u64 hz)
{
	lapic_rate_set = hz;
}

void arch_ipi_send(u32 cpu, u8 vector)
{
	(void)cpu, (void)vector;
}

static u32 idles;

void arch_idle(void)
{
	atomic_fetch_add(&idles, 1u);
	sched_yield();
}

static bool in_board(u16 port, u32 width, u32 *v)
{
	static u16 pit;

	(void)width;
	board_tsc += tsc_hz / 1000000; /* what asking a port takes */
	if (port == 0x42) {
		if (!latched) {
			*v = pit >> 8;
			return true;
		}
		latched = false;
		if (late_every && !(++looks % late_every))
			board_tsc += tsc_hz * 65536 / PIT_HZ;
		pit = pit_stands ? 0x8000 : (u16)(0xffff - (u64)((unsigned __int128)board_tsc * PIT_HZ / tsc_hz));
		*v = pit & 0xff;
		return true;
	}
	if (port == 0x71) {
		*v = cmos_index == 10 && updating ? updating--, 0x80u : cmos[cmos_index & 15];
		return true;
	}
	*v = 0;
	return port == 0x61;
}

static void out_board(u16 port, u32 width, u32 v)
{
	(void)width;
	if (port == 0x43)
		latched = v == 0x80;
	if (port == 0x70)
		cmos_index = v & 0x7f;
}

static void set_cmos(u32 second, u32 minute, u32 hour, u32 day, u32 month, u32 year, u32 mode)
{
	cmos[0] = (u8)second;
	cmos[2] = (u8)minute;
	cmos[4] = (u8)hour;
	cmos[7] = (u8)day;
	cmos[8] = (u8)month;
	cmos[9] = (u8)year;
	cmos[11] = (u8)mode;
}

static int setup(void **state)
{
	(void)state;
	board_reset();
	board_on_in = in_board;
	board_on_out = out_board;
	memset(&cpu_features, 0, sizeof(cpu_features));
	memset(&clock_params, 0, sizeof(clock_params));
	pit_stands = latched = false;
	looks = late_every = updating = 0;
	tsc_hz = 3 * NS;
	lapic_hz = LAPIC_HZ;
	board_tsc_step = 700;
	set_cmos(0x30, 0x59, 0x23, 0x29, 0x02, 0x24, 2);
	return 0;
}

static u64 at(int year, int month, int day, int hour, int minute, int second)
{
	struct tm t = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day,
			.tm_hour = hour, .tm_min = minute, .tm_sec = second };

	return (u64)timegm(&t);
}

#define NEAR(value, want) assert_in_range(value, (want) - (want) / 1000, (want) + (want) / 1000)

static void test_measured(void **state)
{
	static const u64 rates[] = { 300000000, 1000000000, 1999999999, 3700000000, 5000000000 };

	(void)state;
	assert_int_equal(clock_now_ns(), 0); /* before it is known how fast it goes */
	for (u32 i = 0; i < ARRAY_SIZE(rates); i++) {
		u64 before;

		setup(NULL);
		tsc_hz = rates[i];
		board_tsc_step = tsc_hz / 4000000;
		clock_init();
		LOGGED("(measured)");
		NEAR(clock_params.tsc_hz, rates[i]);
		NEAR(lapic_rate_set, LAPIC_HZ);
		assert_true(clock_params.mul >> 31);
		before = clock_now_ns();
		board_tsc += rates[i];
		NEAR(clock_now_ns() - before, NS);
		assert_int_equal(clock_tsc_to_ns(clock_params.tsc_base - 1), 0);
		before = clock_now_ns();
		delay_us(500);
		assert_in_range(clock_now_ns() - before, 500000, 510000);
	}
}

/* Most intervals are too long to be told from short ones: the rest has to agree. */
static void test_busy_host(void **state)
{
	(void)state;
	late_every = 11000; /* a round is some 8500 looks */
	clock_init();
	NEAR(clock_params.tsc_hz, 3 * NS);
	assert_null(strstr(board_log, "no 3 of 60"));
}

static bool in_drifting(u16 port, u32 width, u32 *v)
{
	if (port == 0x61)
		tsc_hz += tsc_hz / 50;
	return in_board(port, width, v);
}

static void test_no_two_agree(void **state)
{
	(void)state;
	board_on_in = in_drifting;
	tsc_hz = 100000000;
	clock_init();
	LOGGED("no 3 of 60 measurements agree");
	assert_true(clock_params.tsc_hz >= 100000000 && clock_params.tsc_hz < 110000000);
}

static void test_timers_that_stand(void **state)
{
	(void)state;
	pit_stands = true;
	PANICS("the 8254 timer does not count", clock_init());
	pit_stands = false;
	lapic_hz = 0;
	PANICS("local APIC's timer does not count", clock_init());
}

static u64 stated(void)
{
	clock_init();
	if (strstr(board_log, "(stated)"))
		return clock_params.tsc_hz;
	NEAR(clock_params.tsc_hz, 3 * NS);
	return 0;
}

static void test_stated_by_cpuid(void **state)
{
	(void)state;
	board_cpuid_set(0, 0, 0x16, 0, 0, 0);
	board_cpuid_set(0x15, 0, 2, 200, 25000000, 0);
	assert_int_equal(stated(), 2500000000);
	for (u32 hole = 0; hole < 3; hole++) {
		setup(NULL);
		board_cpuid_set(0, 0, 0x15, 0, 0, 0);
		board_cpuid_set(0x15, 0, hole != 0, hole == 1 ? 0 : 200, hole == 2 ? 0 : 24000000, 0);
		assert_int_equal(stated(), 0);
	}
	setup(NULL);
	board_cpuid_set(0, 0, 0xd, 0, 0, 0);
	board_cpuid_set(0x15, 0, 2, 200, 25000000, 0);
	assert_int_equal(stated(), 0);
}

static void test_stated_by_kvm(void **state)
{
	(void)state;
	cpu_features.kvm = true;
	board_cpuid_set(0x40000000, 0, 0x40000010, 0, 0, 0);
	board_cpuid_set(0x40000010, 0, 2300000, 0, 0, 0);
	assert_int_equal(stated(), 2300000000);
	setup(NULL);
	cpu_features.kvm = true;
	board_cpuid_set(0x40000000, 0, 0x40000001, 0, 0, 0);
	assert_int_equal(stated(), 0);
}

/* Seconds since 1970 that the kernel read; 0: it did not believe the clock. */
static u64 wall(void)
{
	clock_init();
	board_tsc_step = 0;
	return (clock_wall_ns() - clock_now_ns()) / NS;
}

static void test_time_of_day(void **state)
{
	static const struct {
		u32 second, minute, hour, day, month, year, mode;
		u32 want[6];
	} times[] = {
		{ 0x30, 0x59, 0x23, 0x29, 0x02, 0x24, 2, { 2024, 2, 29, 23, 59, 30 } },
		{ 59, 58, 13, 1, 3, 25, 6, { 2025, 3, 1, 13, 58, 59 } },
		{ 0x00, 0x30, 0x92, 0x31, 0x12, 0x26, 0, { 2026, 12, 31, 12, 30, 0 } },  /* noon */
		{ 0x00, 0x30, 0x12, 0x31, 0x12, 0x26, 0, { 2026, 12, 31, 0, 30, 0 } },	 /* midnight */
		{ 0x00, 0x30, 0x91, 0x01, 0x01, 0x27, 0, { 2027, 1, 1, 23, 30, 0 } },
		{ 1, 2, 0x83, 4, 5, 28, 4, { 2028, 5, 4, 15, 2, 1 } },
		{ 1, 2, 3, 4, 5, 28, 4, { 2028, 5, 4, 3, 2, 1 } },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(times); i++) {
		const u32 *w = times[i].want;

		setup(NULL);
		set_cmos(times[i].second, times[i].minute, times[i].hour, times[i].day, times[i].month,
			 times[i].year, times[i].mode);
		assert_int_equal(wall(), at((int)w[0], (int)w[1], (int)w[2], (int)w[3], (int)w[4], (int)w[5]));
	}
}

static void test_clock_that_is_wrong(void **state)
{
	static const u8 wrong[][2] = { { 0x00, 0x10 }, { 0x13, 0x10 }, { 0x12, 0x24 } }; /* month, hour */

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		setup(NULL);
		set_cmos(0, 0, wrong[i][1], 1, wrong[i][0], 0x24, 2);
		assert_int_equal(wall(), 0);
	}
	setup(NULL);
	updating = 5;
	assert_int_equal(wall(), at(2024, 2, 29, 23, 59, 30));
	assert_int_equal(updating, 0);
	updating = 200000; /* for ever: it is read all the same */
	assert_int_equal(wall(), at(2024, 2, 29, 23, 59, 30));
	assert_int_equal(updating, 100000);
}

/* ---- two counters ---- */

static void *play_slave(void *arg)
{
	host_cpu = &cpus[1];
	board_tsc_offset = *(i64 *)arg;
	clock_check_slave(&cpus[1]);
	return NULL;
}

static void give_way(void)
{
	sched_yield();
}

static i64 warp_against(i64 apart, u64 step)
{
	pthread_t slave;

	clock_params.mul = 1u << 31;
	clock_params.shift = 0;
	clock_params.tsc_base = 0;
	board_relax = give_way;
	board_tsc = 1000000000;
	board_tsc_step = step;
	cpus[1].id = 1;
	cpus[1].tsc_check = 0;
	cpus[1].tsc_warp = 1;
	idles = 0;
	pthread_create(&slave, NULL, play_slave, &apart);
	while (!atomic_load_acquire(&idles)) /* it is there before it is asked */
		sched_yield();
	clock_check_master(&cpus[1]);
	pthread_join(slave, NULL);
	return cpus[1].tsc_warp;
}

static void test_counters_compared(void **state)
{
	(void)state;
	assert_int_equal(warp_against(0, 10), 0);
	assert_in_range(-warp_against(-100000, 10), 90000, 100000);
	assert_in_range(-warp_against(100000, 10), 90000, 100000);
	assert_int_equal(warp_against(0, 10000000), 0); /* a host so busy that two looks are all there is time for */
}

static void test_decide(void **state)
{
	(void)state;
	clock_decide(0);
	assert_false(clock_params.stable);
	LOGGED("TSC is not stable");
	cpu_features.tsc_invariant = true;
	clock_decide(0);
	assert_true(clock_params.stable);
	clock_decide(-1);
	assert_false(clock_params.stable);
	cpu_features.tsc_invariant = false;
	cpu_features.kvm = true;
	clock_decide(0);
	assert_true(clock_params.stable);
	cpu_features.kvm = false;
	cpu_features.tcg = true;
	clock_decide(0);
	assert_true(clock_params.stable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_measured, setup),
		cmocka_unit_test_setup(test_busy_host, setup),
		cmocka_unit_test_setup(test_no_two_agree, setup),
		cmocka_unit_test_setup(test_timers_that_stand, setup),
		cmocka_unit_test_setup(test_stated_by_cpuid, setup),
		cmocka_unit_test_setup(test_stated_by_kvm, setup),
		cmocka_unit_test_setup(test_time_of_day, setup),
		cmocka_unit_test_setup(test_clock_that_is_wrong, setup),
		cmocka_unit_test_setup(test_counters_compared, setup),
		cmocka_unit_test_setup(test_decide, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
