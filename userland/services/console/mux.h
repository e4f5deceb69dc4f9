/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mux.h - one terminal, many consoles: which bytes of whom are shown, where typed bytes go.
 * Pure logic: it writes into its own output queue and calls back for everything else, so it runs
 * under the host's sanitizers.
 *
 * Views: one domain's console (raw, its escapes untouched), all of them line by line (`merged`, with
 * name prefixes and escapes filtered; `plain` is merged without colour or banners, for logs), and
 * the shell. What a domain writes while it is not shown goes into its history, of which the newest
 * part is shown when one switches to it. What is shown is never dropped: when the queue is full
 * mux_budget() is 0 and the bytes stay in the guest's ring.
 */
#ifndef MUX_H
#define MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter.h"

#define MUX_SLOTS 65 /* 1..64; 0 is the shell */
#define MUX_NAME 32
#define MUX_QUEUE 16384u
#define MUX_HISTORY 4096u
#define MUX_LINE 256u
#define MUX_COMMAND 200u
#define MUX_ESCAPE 0x1d /* Ctrl-] */

enum mux_view { VIEW_DOMAIN, VIEW_MERGED, VIEW_SHELL };

struct mux_line {
	struct filter filter;
	uint32_t len;
	uint8_t text[MUX_LINE];
};

struct mux_console {
	bool known;
	bool live;
	char name[MUX_NAME];
	struct mux_line line; /* for the merged view */
	uint32_t written;     /* into history, runs freely */
	uint8_t history[MUX_HISTORY];
};

struct mux_ops {
	/* A byte typed for the guest of this slot; dropped if there is no room. */
	void (*guest_input)(void *ctx, unsigned slot, uint8_t byte);
	/* A command line of the shell, not empty; mux_prompt() when it is done. */
	void (*command)(void *ctx, const char *line);
	void (*quit)(void *ctx);
};

struct mux {
	const struct mux_ops *ops;
	void *ctx;
	enum mux_view view;
	unsigned selected; /* slot that gets the input in the domain and merged views */
	bool plain;
	bool answering; /* a command's answer is not finished: the prompt comes after it */
	bool escape; /* Ctrl-] was typed, its command is next */
	bool cr;     /* last raw byte shown was a carriage return */
	struct mux_console consoles[MUX_SLOTS];
	struct mux_line log;
	char command[MUX_COMMAND];
	uint32_t command_len;
	uint32_t head, tail; /* of the queue, run freely */
	uint8_t queue[MUX_QUEUE];
};

void mux_init(struct mux *mux, const struct mux_ops *ops, void *ctx, bool plain);

void mux_attach(struct mux *mux, unsigned slot, const char *name);
void mux_detach(struct mux *mux, unsigned slot); /* its history stays */
void mux_select(struct mux *mux, unsigned slot); /* shows that console */

/* How many bytes of this guest's ring may be given to mux_guest_output() now. */
size_t mux_budget(const struct mux *mux, unsigned slot);
void mux_guest_output(struct mux *mux, unsigned slot, const uint8_t *data, size_t len);

/* The kernel log, shown in the merged view; likewise. */
size_t mux_log_budget(const struct mux *mux);
void mux_log(struct mux *mux, const uint8_t *data, size_t len);

/* Shows unfinished lines of the merged view: prompts. Call when output has been quiet. */
void mux_flush_lines(struct mux *mux);
bool mux_has_unfinished(const struct mux *mux);

/* A typed byte. */
void mux_input(struct mux *mux, uint8_t byte);
/* The slot the next plain byte would go to, 0 = not to a guest. */
unsigned mux_input_target(const struct mux *mux);

/* Text of the service itself; newlines become what the terminal needs. Cut when the queue is full. */
void mux_print(struct mux *mux, const char *text);
void mux_notice(struct mux *mux, const char *text);
void mux_prompt(struct mux *mux);

/* Takes up to len bytes for the serial line. */
size_t mux_take(struct mux *mux, uint8_t *data, size_t len);
bool mux_empty(const struct mux *mux);

#endif
