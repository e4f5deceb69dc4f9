// SPDX-License-Identifier: BSD-2-Clause
/*
 * clock.c - time since boot from the time-stamp counter, its rate, and whether guests may use it.
 *
 * The rate comes from CPUID where that says, else from the 8254 timer: both counters are read back
 * to back at the start and the end of an interval and the pair with the smallest gap counts, so a
 * host that deschedules us in between costs precision only when it hits every attempt. Intervals are
 * measured until some agree.
 */
#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "cpu.h"
#include "cpu_features.h"
#include "log.h"
#include "panic.h"
#include "platform.h"
#include "x86.h"

#define PIT_HZ 1193182
#define PIT_INTERVAL 20000 /* counts, about 17 ms; the counter wraps after 55 ms */
#define SAMPLES 8
#define ROUNDS 5
#define ROUNDS_MAX 60
#define AGREEING 3 /* rounds within a thousandth of each other that make a rate */
#define WARP_ROUNDS 64
#define WARP_NS 3000000

struct clock_params clock_params;
static u64 wall_base_ns; /* 1970 to boot */

struct sample {
	u64 tsc, gap;
	u32 lapic;
	u16 pit;
};

static u16 pit_read(void)
{
	u8 low;

	outb(0x43, 0x80); /* latch channel 2 */
	low = inb(0x42);
	return (u16)(inb(0x42) << 8 | low);
}

static struct sample sample_counters(void)
{
	struct sample best = { .gap = UINT64_MAX };

	for (u32 i = 0; i < SAMPLES; i++) {
		struct sample s;
		u64 before = rdtsc();

		s.pit = pit_read();
		s.lapic = lapic_timer_probe();
		s.tsc = rdtsc();
		s.gap = s.tsc - before;
		s.tsc = before + s.gap / 2;
		if (s.gap < best.gap)
			best = s;
	}
	return best;
}

/* Counts of both in one interval, as rates in Hz; false if the 8254 does not count. */
static bool measure_once(u64 *tsc_hz, u64 *lapic_hz)
{
	struct sample a, b;
	u64 spins = 0, pit;

	outb(0x61, (u8)((inb(0x61) & ~2) | 1)); /* gate on, speaker off */
	outb(0x43, 0xb4);			/* channel 2, mode 2, low then high byte */
	outb(0x42, 0xff);
	outb(0x42, 0xff);
	a = sample_counters();
	while ((u16)(a.pit - pit_read()) < PIT_INTERVAL)
		if (++spins > 2000000)
			return false;
	b = sample_counters();
	pit = (u16)(a.pit - b.pit);
	*tsc_hz = (b.tsc - a.tsc) * PIT_HZ / pit;
	*lapic_hz = (u64)(a.lapic - b.lapic) * PIT_HZ / pit;
	return true;
}

static void sort(u64 *v, u32 n)
{
	for (u32 i = 1; i < n; i++)
		for (u32 j = i; j && v[j - 1] > v[j]; j--) {
			u64 t = v[j];

			v[j] = v[j - 1];
			v[j - 1] = t;
		}
}

/*
 * A host that does not run us for longer than the 8254 takes to wrap makes an interval look too short and
 * the rate too high, never too low; on a busy host most rounds may be like that. So the smallest ones
 * count, and their middle. 0: too few agree.
 */
static u64 agreed_rate(u64 *rates, u32 n)
{
	u32 agree = 0;

	sort(rates, n);
	while (agree < n && rates[agree] - rates[0] <= rates[0] / 1000)
		agree++;
	return agree >= AGREEING ? rates[agree / 2] : 0;
}

static void measure(u64 *tsc_hz, u64 *lapic_hz)
{
	u64 tsc[ROUNDS_MAX], lapic[ROUNDS_MAX];

	*tsc_hz = *lapic_hz = 0;
	for (u32 n = 0; n < ROUNDS_MAX && !(*tsc_hz && *lapic_hz);) {
		if (!measure_once(&tsc[n], &lapic[n]))
			panic("the 8254 timer does not count: no way to find the TSC's rate");
		if (++n < ROUNDS)
			continue;
		*tsc_hz = agreed_rate(tsc, n);
		*lapic_hz = agreed_rate(lapic, n);
	}
	if (*tsc_hz && *lapic_hz)
		return;
	log_warn("clock: no %u of %u measurements agree; the clock may be wrong\n", AGREEING, ROUNDS_MAX);
	*tsc_hz = tsc[0];
	*lapic_hz = lapic[0];
}

/* Rates the CPU or the hypervisor states, 0 if neither does. */
static u64 stated_tsc_hz(void)
{
	struct cpuid_regs r;

	if (cpu_features.kvm && cpuid(0x40000000, 0).eax >= 0x40000010)
		return (u64)cpuid(0x40000010, 0).eax * 1000;
	if (cpuid(0, 0).eax < 0x15)
		return 0;
	r = cpuid(0x15, 0);
	return r.eax && r.ebx && r.ecx ? (u64)r.ecx * r.ebx / r.eax : 0;
}

static void set_rate(u64 hz)
{
	u64 scaled = hz;
	i8 shift = 0;

	/* keep mul = 10^9 * 2^32 / (hz * 2^shift) in 32 bits with its top bit set */
	while (scaled > 2000000000ull) {
		scaled >>= 1;
		shift--;
	}
	while (scaled <= 1000000000ull) {
		scaled <<= 1;
		shift++;
	}
	clock_params.shift = shift;
	clock_params.mul = (u32)((1000000000ull << 32) / scaled);
	clock_params.tsc_hz = hz;
}

u64 clock_tsc_to_ns(u64 tsc)
{
	i64 delta = (i64)(tsc - clock_params.tsc_base);
	u64 v = delta > 0 ? (u64)delta : 0; /* another CPU's counter may be a little behind */

	v = clock_params.shift < 0 ? v >> -clock_params.shift : v << clock_params.shift;
	return mul_shift_u64(v, clock_params.mul, 32);
}

u64 clock_now_ns(void)
{
	return clock_params.mul ? clock_tsc_to_ns(rdtsc()) : 0;
}

u64 clock_wall_ns(void)
{
	return wall_base_ns + clock_now_ns();
}

void delay_us(u64 us)
{
	u64 end = clock_now_ns() + us * 1000;

	while (clock_now_ns() < end)
		cpu_relax();
}

/* ---- real-time clock ---- */

static u8 cmos(u8 reg)
{
	outb(0x70, reg | 0x80);
	return inb(0x71);
}

static u32 cmos_number(u8 reg, bool binary)
{
	u8 v = cmos(reg);

	return binary ? v : (v & 15u) + (v >> 4) * 10u;
}

static u64 days_since_1970(u64 y, u32 m, u32 d)
{
	/* years that start in March make the leap day the last one */
	y -= m <= 2;
	m = m <= 2 ? m + 9 : m - 3;
	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d - 1 - 719468;
}

static u64 read_rtc(void)
{
	u8 mode = cmos(0x0b);
	bool binary = mode & 4;
	u32 second, hour, month, year;
	u64 days;

	for (u32 i = 0; i < 100000 && (cmos(0x0a) & 0x80); i++)
		cpu_relax();
	second = cmos_number(0, binary) + 60 * cmos_number(2, binary);
	hour = cmos_number(4, binary);
	if (!(mode & 2)) { /* 12-hour form: bit 7 says afternoon */
		u8 raw = cmos(4), h = raw & 0x7f;

		hour = (binary ? h : (h & 15u) + (h >> 4) * 10u) % 12 + (raw & 0x80 ? 12 : 0);
	}
	month = cmos_number(8, binary);
	year = cmos_number(9, binary) + 2000;
	if (month < 1 || month > 12 || hour > 23)
		return 0;
	days = days_since_1970(year, month, cmos_number(7, binary));
	return (days * 86400 + hour * 3600 + second) * 1000000000ull;
}

void clock_init(void)
{
	u64 tsc_hz, lapic_hz, stated = stated_tsc_hz();

	measure(&tsc_hz, &lapic_hz);
	if (!lapic_hz)
		panic("the local APIC's timer does not count");
	lapic_timer_set_rate(lapic_hz);
	set_rate(stated ? stated : tsc_hz);
	clock_params.tsc_base = rdtsc();
	wall_base_ns = read_rtc();
	log_info("clock: TSC %lu kHz (%s), APIC timer %lu kHz, wall clock %lu s\n",
		 clock_params.tsc_hz / 1000, stated ? "stated" : "measured", lapic_hz / 1000,
		 wall_base_ns / 1000000000);
}

/* ---- do two CPUs' counters agree? ---- */

/*
 * CPU 0 and one other alternate: each reads its counter after it saw the other's value. A value
 * smaller than the one seen means the counters are apart by at least the difference. On a busy
 * host every hand-over may cost a time slice, so time bounds the rounds too.
 */
static struct {
	u32 turn; /* even: the master's; odd: a slave's; never repeats, so a slow slave is harmless */
	u64 last;
	i64 worst;
} warp;

static void warp_step(u32 turn)
{
	u64 now = rdtsc();
	i64 step = (i64)(now - warp.last);

	if (step < warp.worst)
		warp.worst = step;
	warp.last = now;
	atomic_store_release(&warp.turn, turn + 1);
}

void clock_check_master(struct cpu *other)
{
	u64 end = clock_now_ns() + WARP_NS;
	u32 turn = warp.turn;

	warp.worst = 0;
	warp.last = 0;
	atomic_store_release(&other->tsc_check, turn + 1); /* pairs with clock_check_slave() */
	arch_ipi_send(other->id, VEC_KICK);
	for (u32 i = 0; i < WARP_ROUNDS && clock_now_ns() < end; i++) {
		warp_step(turn);
		turn += 2;
		while (atomic_load_acquire(&warp.turn) != turn)
			cpu_relax();
	}
	other->tsc_warp = warp.worst;
	atomic_store_release(&warp.turn, turn + 2); /* past the slave's next turn: it leaves */
}

void clock_check_slave(struct cpu *self)
{
	u32 turn, now;

	while (!(turn = atomic_load_acquire(&self->tsc_check)))
		arch_idle();
	while ((now = atomic_load_acquire(&warp.turn)) <= turn) {
		if (now != turn) {
			cpu_relax();
			continue;
		}
		warp_step(turn);
		turn += 2;
	}
}

void clock_decide(i64 worst_warp)
{
	bool emulated = cpu_features.tcg || cpu_features.kvm;

	clock_params.stable = !worst_warp && (cpu_features.tsc_invariant || emulated);
	if (!clock_params.stable)
		log_warn("TSC is not stable (backward step %ld cycles): guests use the clock page\n",
			 worst_warp);
}
