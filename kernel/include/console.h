/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console.h - domains' text in the kernel log, and telling log readers that there is more.
 */
#ifndef RF_CONSOLE_H
#define RF_CONSOLE_H

#include "domain.h"
#include "types.h"

/* Bytes a domain may write at once, and per second: more than a serial line carries, and less than the
 * sinks take on a busy emulator (measured: 40 KiB/s), so that a domain is held back before it holds back the log. */
#define CONSOLE_BURST (64u * 1024)
#define CONSOLE_RATE (16u * 1024)

/* How much of a text one call takes: what it costs to put it into the log is bounded. */
#define CONSOLE_PORTION 192u
size_t console_portion(const char *text, size_t len);
/* Takes len bytes of the rate limit; false if the domain must wait. */
bool console_take_tokens(struct domain *dom, u64 len, u64 now_ns);
/* Text of a domain: whole lines go out under its name, control characters made harmless. */
void console_write(struct domain *dom, const char *text, size_t len);
/* A last unfinished line. */
void console_flush(struct domain *dom);

/* Who wants VIRQ_LOG. */
void console_listen(const struct domain *dom, bool on);
/* The log grew: raises VIRQ_LOG. Call with no lock held. */
void console_notify(void);

#endif
