// SPDX-License-Identifier: BSD-2-Clause
/*
 * log.c - one ring that keeps the last 64 KiB of what was said, and the sinks that show it.
 *
 * A line is formatted on the caller's stack and then put into the ring under a lock, so lines of several
 * CPUs never mix. Each line carries the time since boot once the clock runs.
 *
 * The sinks take a hundred instructions for a character, and interrupts wait meanwhile. So a line goes to them at
 * once only while the machine starts and when it stops. In between the CPU that has put it into the ring
 * interrupts itself, shows a piece, lets in who else wants to interrupt, and goes on until what it has said is
 * shown. Its guest waits for that: nobody can say more than the sinks take.
 */
#include "log.h"

#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "cpu.h"
#include "spinlock.h"
#include "string.h"

#define LINE_MAX 256
#define PIECE 32u

static struct {
	struct spinlock lock;
	u64 head;  /* bytes ever written; the ring holds the last LOG_RING_SIZE of them */
	u64 shown; /* bytes that the sinks have had */
	u32 showing; /* a CPU is at the sinks */
	bool queueing;
	bool panicking;
	char ring[LOG_RING_SIZE];
} log;

static u64 said[MAX_CPUS]; /* head after what each CPU put there last; own CPU only */

static const char level_tags[][4] = { "ERR", "WRN", "   ", "dbg" };

BUILD_ASSERT((LOG_RING_SIZE & (LOG_RING_SIZE - 1)) == 0);

/* ---- the ring ---- */

static void lock(void)
{
	if (!log.panicking)
		spin_lock(&log.lock);
}

static void unlock(void)
{
	if (!log.panicking)
		spin_unlock(&log.lock);
}

/* n is far less than the ring. */
static void ring_put_locked(const char *s, size_t n)
{
	size_t at = log.head % LOG_RING_SIZE, first = MIN(n, LOG_RING_SIZE - at);

	memcpy(log.ring + at, s, first);
	memcpy(log.ring, s + first, n - first);
	log.head += n;
}

/* Up to n bytes from *pos on, or from the oldest that is kept, which *pos is then. */
static size_t ring_get_locked(u64 *pos, char *buf, size_t n)
{
	size_t at, first;

	if (log.head > LOG_RING_SIZE && *pos < log.head - LOG_RING_SIZE)
		*pos = log.head - LOG_RING_SIZE;
	if (*pos > log.head)
		*pos = log.head;
	n = MIN(n, log.head - *pos);
	at = *pos % LOG_RING_SIZE;
	first = MIN(n, LOG_RING_SIZE - at);
	memcpy(buf, log.ring + at, first);
	memcpy(buf + first, log.ring, n - first);
	return n;
}

/* ---- the sinks ---- */

/* Who shows must be alone. False: everything has been shown. */
static bool show_piece(void)
{
	char piece[PIECE];
	size_t n;

	lock();
	n = ring_get_locked(&log.shown, piece, sizeof(piece));
	unlock();
	atomic_store_relaxed(&log.shown, log.shown + arch_console_write(piece, n));
	return n;
}

static bool begin_showing(void)
{
	return !atomic_xchg(&log.showing, 1u) || log.panicking;
}

static void end_showing(void)
{
	atomic_store_release(&log.showing, 0u);
}

static void show_all(void)
{
	while (!begin_showing())
		cpu_relax();
	while (show_piece())
		;
	end_showing();
}

static void ask_for_interrupt(void)
{
	arch_ipi_send(this_cpu()->id, VEC_LOG);
}

void log_interrupt(u8 vector)
{
	(void)vector;
	if (begin_showing()) {
		(void)show_piece();
		end_showing();
	} else {
		cpu_relax(); /* another CPU is at it */
	}
	if (atomic_load_relaxed(&log.shown) < said[this_cpu()->id])
		ask_for_interrupt();
}

void log_queue(bool on)
{
	atomic_store_relaxed(&log.queueing, on);
	if (!on)
		show_all();
}

/* ---- saying something ---- */

static void emit(const char *s, size_t n)
{
	lock();
	ring_put_locked(s, n);
	said[this_cpu()->id] = log.head;
	unlock();
	if (atomic_load_relaxed(&log.queueing))
		ask_for_interrupt();
	else
		show_all();
}

void log_vprintf(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX];
	u64 us = clock_now_ns() / 1000;
	size_t n;

	n = str_format(line, sizeof(line), "[%4lu.%06lu] %s ", us / 1000000, us % 1000000,
		       level_tags[level]);
	n += str_vformat(line + n, sizeof(line) - n, fmt, ap);
	if (n == sizeof(line) - 1)
		line[n - 1] = '\n'; /* a line cut short still ends */
	emit(line, n);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprintf(level, fmt, ap);
	va_end(ap);
}

void log_raw(const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	emit(line, str_vformat(line, sizeof(line), fmt, ap));
	va_end(ap);
}

void log_write(const char *s, size_t n)
{
	emit(s, n);
}

size_t log_read(u64 *pos, char *buf, size_t n)
{
	spin_lock(&log.lock);
	n = ring_get_locked(pos, buf, n);
	*pos += n;
	spin_unlock(&log.lock);
	return n;
}

void log_uart_release(void)
{
	while (!begin_showing())
		cpu_relax();
	while (log.shown < said[this_cpu()->id] && show_piece())
		; /* a line, seldom more: who said it tells who has the UART now */
	arch_console_uart(false);
	end_showing();
}

void log_enter_panic(void)
{
	log.panicking = true;
	arch_console_uart(true);
	log_queue(false);
}
