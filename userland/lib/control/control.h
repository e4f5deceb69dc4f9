/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - what init and the console service say to each other: one shared page, two byte rings of
 * text lines, one event port. Text, because it is easy to read, to bound and to extend.
 *
 * console -> init
 *   <command>\n            a line typed at the shell: list, pause NAME, ...
 *   ~- SLOT\n              the console of SLOT is drained and detached
 *   ~flushed\n             everything received so far is on the serial line
 * init -> console
 *   + SLOT GRANT PORT NAME\n   attach a domain: grant handle and port in the console's own tables
 *   - SLOT\n               drain and detach it, then answer ~- SLOT
 *   = TEXT\n               a line of the answer to the last command
 *   .\n                    end of that answer
 *   ! TEXT\n               a notice for whoever is watching
 *   ~log POS\n             the serial line shows the kernel log up to this position
 *   ~flush\n               write everything out, then answer ~flushed
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <pv/ring.h>
#include <stdint.h>

#define CTL_LINE_MAX 256u /* bytes of a line, newline included */

/* start_info of the console service: handles[] and ports[] */
#define CTL_HANDLE_PAGE 0 /* grant of the control page */
#define CTL_HANDLE_IRQ 1  /* interrupt of the serial line, 0 = there is none */
#define CTL_HANDLES 2
#define CTL_PORT 0

struct ctl_half {
	uint32_t prod;
	uint32_t cons;
	uint8_t reserved[1016];
	uint8_t data[1024];
};

struct ctl_page {
	struct ctl_half to_init;
	struct ctl_half to_console;
};

_Static_assert(sizeof(struct ctl_page) == 4096, "the control page is one page");

static inline struct pv_ring ctl_ring(struct ctl_half *half)
{
	return (struct pv_ring){ &half->prod, &half->cons, half->data, sizeof(half->data) };
}

/* Collects lines from a ring. A longer line than CTL_LINE_MAX is cut. */
struct ctl_reader {
	char line[CTL_LINE_MAX];
	uint32_t len;
};

/* 1 and the line in reader->line without its newline, or 0: no whole line there yet. */
static inline int ctl_read_line(struct ctl_reader *reader, const struct pv_ring *ring)
{
	char c;

	while (pv_ring_get(ring, &c, 1)) {
		if (c == '\n') {
			reader->line[reader->len] = 0;
			reader->len = 0;
			return 1;
		}
		if (reader->len < CTL_LINE_MAX - 1)
			reader->line[reader->len++] = c;
	}
	return 0;
}

#endif
