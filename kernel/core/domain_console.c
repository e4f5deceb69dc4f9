// SPDX-License-Identifier: BSD-2-Clause
/*
 * domain_console.c - what domains say, in the kernel log under their name.
 *
 * Text is kept until its newline, so that lines of several domains never mix, and control
 * characters are replaced: no domain can move the reader's cursor or forge another's line.
 */
#include "console.h"

#include "atomic.h"
#include "bits.h"
#include "log.h"
#include "port.h"
#include "string.h"

#define NS_PER_BYTE (1000000000u / CONSOLE_RATE)
#define PORTION_LINES 8u

static u64 listeners[BITMAP_WORDS(MAX_DOMAINS)]; /* slots with VIRQ_LOG bound */

bool console_take_tokens(struct domain *dom, u64 len, u64 now_ns)
{
	bool enough;
	u64 earned;

	spin_lock(&dom->lock);
	earned = (now_ns - dom->console_refill_ns) / NS_PER_BYTE;
	dom->console_refill_ns += earned * NS_PER_BYTE;
	dom->console_tokens = MIN(dom->console_tokens + earned, (u64)CONSOLE_BURST);
	enough = dom->console_tokens >= len;
	if (enough)
		dom->console_tokens -= len;
	spin_unlock(&dom->lock);
	return enough;
}

size_t console_portion(const char *text, size_t len)
{
	u32 lines = 0;
	size_t n;

	for (n = 0; n < len && lines < PORTION_LINES; n++)
		lines += text[n] == '\n';
	return n;
}

/* The buffer ends with room for the newline. */
static void put_line_locked(struct domain *dom)
{
	dom->console_line[dom->console_len++] = '\n';
	log_write(dom->console_line, dom->console_len);
	dom->console_len = 0;
}

static void begin_line_locked(struct domain *dom)
{
	dom->console_len = (u32)str_copy(dom->console_line, dom->name, sizeof(dom->name));
	dom->console_line[dom->console_len++] = ':';
	dom->console_line[dom->console_len++] = ' ';
}

static inline char harmless(char c)
{
	if ((u8)c >= 0x7f)
		return '?';
	return (u8)c >= ' ' || c == '\t' ? c : '.';
}

void console_write(struct domain *dom, const char *text, size_t len)
{
	spin_lock(&dom->lock);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\r')
			continue;
		if (!dom->console_len)
			begin_line_locked(dom);
		if (text[i] != '\n')
			dom->console_line[dom->console_len++] = harmless(text[i]);
		if (text[i] == '\n' || dom->console_len == sizeof(dom->console_line) - 1)
			put_line_locked(dom);
	}
	spin_unlock(&dom->lock);
}

void console_flush(struct domain *dom)
{
	spin_lock(&dom->lock);
	if (dom->console_len)
		put_line_locked(dom);
	spin_unlock(&dom->lock);
}

void console_listen(const struct domain *dom, bool on)
{
	u64 *word = &listeners[dom->self.slot / 64];
	u64 bit = BIT(dom->self.slot % 64);

	if (on)
		(void)atomic_fetch_or(word, bit);
	else
		(void)atomic_fetch_and(word, ~bit);
}

void console_notify(void)
{
	for (u32 w = 0; w < ARRAY_SIZE(listeners); w++) {
		u64 bits = atomic_load_relaxed(&listeners[w]);

		for (; bits; bits &= bits - 1) {
			struct domain *dom =
				atomic_load_acquire(&domains[w * 64 + bit_lowest(bits)]);

			if (dom && !domain_is_dying(dom))
				port_virq(dom, PV_VIRQ_LOG);
		}
	}
}
