// SPDX-License-Identifier: BSD-2-Clause
/*
 * log.c - one ring that keeps the last 64 KiB of what the kernel said, and the sinks that show it.
 *
 * A line is formatted on the caller's stack and then put into ring and sinks under one lock, so
 * lines of several CPUs never mix. Each line carries the time since boot once the clock runs.
 */
#include "log.h"

#include "arch.h"
#include "bits.h"
#include "spinlock.h"
#include "string.h"

#define LINE_MAX 256

static struct {
	struct spinlock lock;
	u64 head; /* bytes ever written; the ring holds the last LOG_RING_SIZE of them */
	bool panicking;
	char ring[LOG_RING_SIZE];
} log;

static const char level_tags[][4] = { "ERR", "WRN", "   ", "dbg" };

BUILD_ASSERT((LOG_RING_SIZE & (LOG_RING_SIZE - 1)) == 0);

static void emit(const char *s, size_t n)
{
	if (!log.panicking)
		spin_lock(&log.lock);
	for (size_t i = 0; i < n; i++)
		log.ring[(log.head + i) % LOG_RING_SIZE] = s[i];
	log.head += n;
	arch_console_write(s, n);
	if (!log.panicking)
		spin_unlock(&log.lock);
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
	size_t i;

	spin_lock(&log.lock);
	if (log.head > LOG_RING_SIZE && *pos < log.head - LOG_RING_SIZE)
		*pos = log.head - LOG_RING_SIZE;
	if (*pos > log.head)
		*pos = log.head;
	n = MIN(n, log.head - *pos);
	for (i = 0; i < n; i++)
		buf[i] = log.ring[(*pos + i) % LOG_RING_SIZE];
	*pos += n;
	spin_unlock(&log.lock);
	return n;
}

void log_uart_release(void)
{
	arch_console_uart(false);
}

void log_uart_retake(void)
{
	arch_console_uart(true);
}

void log_enter_panic(void)
{
	log.panicking = true;
	log_uart_retake();
}
