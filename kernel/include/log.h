/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - the kernel's log: a 64 KiB ring plus the sinks the machine has (port 0xE9, serial, VGA).
 *
 * The kernel owns the UART until a domain takes it; only a panic takes it back. Any context may
 * log, also with interrupts off; never while holding a lock that the log itself could need.
 */
#ifndef RF_LOG_H
#define RF_LOG_H

#include <stdarg.h>

#include "compiler.h"
#include "types.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

#define LOG_RING_SIZE 65536u

/* One call is one line (or several); the level tag is put in front, a newline is expected. */
void log_printf(enum log_level level, const char *fmt, ...) __printf_format(2, 3);
void log_vprintf(enum log_level level, const char *fmt, va_list ap);

/* Continues a line: no tag. */
void log_raw(const char *fmt, ...) __printf_format(1, 2);

/* Text that is ready: no tag, no format, no limit. */
void log_write(const char *s, size_t n);

/* snprintf with the log's formats: %s %d %u %x with l/ll, width, '-', zero pad and '.n' of %s. */
size_t str_format(char *buf, size_t n, const char *fmt, ...) __printf_format(3, 4);
size_t str_vformat(char *buf, size_t n, const char *fmt, va_list ap);

#define log_error(...) log_printf(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_printf(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_printf(LOG_INFO, __VA_ARGS__)
#ifdef CONFIG_DEBUG
#define log_debug(...) log_printf(LOG_DEBUG, __VA_ARGS__)
#else
#define log_debug(...) ((void)0)
#endif

/*
 * Copies up to n bytes of the log from position *pos (0 = oldest kept) and advances it. If the
 * ring has overwritten *pos the copy starts at the oldest byte kept. Returns the bytes copied.
 */
size_t log_read(u64 *pos, char *buf, size_t n);

void log_uart_release(void); /* a domain owns the UART now */

/*
 * On: from here on interrupts are let in while the sinks take what was said, which is then soon after the caller has
 * returned. Off: the sinks have had everything, and have each line when log_printf() returns.
 */
void log_queue(bool on);
void log_interrupt(u8 vector); /* VEC_LOG */

/* Panic only: no lock is waited for from here on, the log may be torn but it comes out. */
void log_enter_panic(void);

#endif
