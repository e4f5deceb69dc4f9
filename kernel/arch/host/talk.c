// SPDX-License-Identifier: BSD-2-Clause
/*
 * talk.c - a log for tests that leave the kernel's own out: warnings go to stderr.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > LOG_WARN && !getenv("HOST_LOG"))
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}
