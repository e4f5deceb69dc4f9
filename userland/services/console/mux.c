/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mux.c - see mux.h. Output first, then views, then input.
 */
#include "mux.h"

#include <stdio.h>
#include <string.h>

/* One byte in may end a line: prefix, text held back, newline. */
#define MERGED_COST (MUX_NAME + 8)
#define QUEUE_RESERVE 2048u /* kept for the service's own text */

void mux_init(struct mux *mux, const struct mux_ops *ops, void *ctx, bool plain)
{
	memset(mux, 0, sizeof(*mux));
	mux->ops = ops;
	mux->ctx = ctx;
	mux->view = VIEW_MERGED;
	mux->plain = plain;
}

/* ---- the queue ---- */

static uint32_t room(const struct mux *mux)
{
	return MUX_QUEUE - (mux->head - mux->tail);
}

static void put(struct mux *mux, uint8_t byte)
{
	if (room(mux))
		mux->queue[mux->head++ % MUX_QUEUE] = byte;
}

static void put_bytes(struct mux *mux, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put(mux, data[i]);
}

static void put_newline(struct mux *mux)
{
	if (!mux->plain)
		put(mux, '\r');
	put(mux, '\n');
}

size_t mux_take(struct mux *mux, uint8_t *data, size_t len)
{
	size_t n = 0;

	while (n < len && mux->tail != mux->head)
		data[n++] = mux->queue[mux->tail++ % MUX_QUEUE];
	return n;
}

bool mux_empty(const struct mux *mux)
{
	return mux->head == mux->tail;
}

void mux_print(struct mux *mux, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			put_newline(mux);
		else
			put(mux, (uint8_t)*text);
	}
}

/* What stood in the shell's line before something else was shown. */
static void show_command_line(struct mux *mux)
{
	if (mux->view != VIEW_SHELL || mux->answering)
		return;
	mux_prompt(mux);
	put_bytes(mux, (const uint8_t *)mux->command, mux->command_len);
}

void mux_notice(struct mux *mux, const char *text)
{
	if (mux->view == VIEW_MERGED)
		return; /* the same is in the log, which is shown */
	mux_print(mux, "\n[");
	mux_print(mux, text);
	mux_print(mux, "]\n");
	show_command_line(mux);
}

/* ---- lines of the merged view ---- */

static void show_line(struct mux *mux, struct mux_line *line, const char *name)
{
	if (name) {
		put_bytes(mux, (const uint8_t *)name, strlen(name));
		put(mux, '|');
		put(mux, ' ');
	}
	put_bytes(mux, line->text, line->len);
	put_newline(mux);
	line->len = 0;
}

static void line_byte(struct mux *mux, struct mux_line *line, const char *name, uint8_t byte)
{
	uint8_t out[FILTER_OUT_MAX];
	size_t n = filter_byte(&line->filter, byte, out);

	if (!n)
		return;
	if (out[0] == '\n') {
		show_line(mux, line, name);
		return;
	}
	if (line->len + n > MUX_LINE)
		show_line(mux, line, name);
	memcpy(line->text + line->len, out, n);
	line->len += (uint32_t)n;
}

bool mux_has_unfinished(const struct mux *mux)
{
	if (mux->view != VIEW_MERGED)
		return false;
	for (unsigned slot = 1; slot < MUX_SLOTS; slot++)
		if (mux->consoles[slot].line.len)
			return true;
	return false;
}

void mux_flush_lines(struct mux *mux)
{
	for (unsigned slot = 1; slot < MUX_SLOTS; slot++) {
		struct mux_console *c = &mux->consoles[slot];

		if (c->line.len && mux->view == VIEW_MERGED && room(mux) > MUX_LINE + MERGED_COST)
			show_line(mux, &c->line, c->name);
	}
}

/* A line held back may come out with the first byte, hence the second term. */
static size_t merged_budget(const struct mux *mux)
{
	uint32_t free = room(mux);

	if (free < QUEUE_RESERVE + MUX_LINE + MERGED_COST)
		return 0;
	return (free - QUEUE_RESERVE - MUX_LINE) / MERGED_COST;
}

size_t mux_log_budget(const struct mux *mux)
{
	return mux->view == VIEW_MERGED ? merged_budget(mux) : SIZE_MAX;
}

void mux_log(struct mux *mux, const uint8_t *data, size_t len)
{
	if (mux->view != VIEW_MERGED)
		return;
	for (size_t i = 0; i < len; i++)
		line_byte(mux, &mux->log, NULL, data[i]);
}

/* ---- guests ---- */

size_t mux_budget(const struct mux *mux, unsigned slot)
{
	uint32_t free = room(mux);

	if (mux->view == VIEW_MERGED)
		return merged_budget(mux);
	if (mux->view == VIEW_DOMAIN && mux->selected == slot)
		return free > QUEUE_RESERVE ? (free - QUEUE_RESERVE) / 2 : 0;
	return SIZE_MAX;
}

/* Raw, but a bare newline gets its carriage return. */
static void show_raw(struct mux *mux, uint8_t byte)
{
	if (byte == '\n' && !mux->cr)
		put(mux, '\r');
	mux->cr = byte == '\r';
	put(mux, byte);
}

void mux_guest_output(struct mux *mux, unsigned slot, const uint8_t *data, size_t len)
{
	struct mux_console *c = &mux->consoles[slot];

	for (size_t i = 0; i < len; i++) {
		c->history[c->written++ % MUX_HISTORY] = data[i];
		if (mux->view == VIEW_MERGED)
			line_byte(mux, &c->line, c->name, data[i]);
		else if (mux->view == VIEW_DOMAIN && mux->selected == slot)
			show_raw(mux, data[i]);
	}
}

void mux_attach(struct mux *mux, unsigned slot, const char *name)
{
	static const char again[] = "\n--- started again ---\n";
	struct mux_console *c = &mux->consoles[slot];

	c->known = true;
	c->live = true;
	memset(&c->line, 0, sizeof(c->line));
	if (c->written)
		mux_guest_output(mux, slot, (const uint8_t *)again, sizeof(again) - 1);
	snprintf(c->name, sizeof(c->name), "%s", name);
	if (!mux->selected)
		mux->selected = slot;
}

void mux_detach(struct mux *mux, unsigned slot)
{
	struct mux_console *c = &mux->consoles[slot];

	if (c->line.len && mux->view == VIEW_MERGED)
		show_line(mux, &c->line, c->name);
	c->line.len = 0;
	c->live = false;
}

/* ---- views ---- */

static void title(struct mux *mux, const char *name, const char *extra)
{
	if (mux->plain)
		return;
	mux_print(mux, "\033[0m\n--- ");
	mux_print(mux, name);
	mux_print(mux, extra);
	mux_print(mux, " --- (Ctrl-] ? for help)\n");
}

/*
 * The newest history, from the start of a line if there is one near. Escapes are left out: a query
 * asked again would make the terminal type its answer into the guest.
 */
static void replay(struct mux *mux, struct mux_console *c)
{
	uint32_t n = c->written < MUX_HISTORY ? c->written : MUX_HISTORY;
	uint32_t at = c->written - n;
	uint8_t out[FILTER_OUT_MAX];
	struct filter filter = { 0 };

	if (n == MUX_HISTORY)
		for (uint32_t i = at; i < at + 256; i++)
			if (c->history[i % MUX_HISTORY] == '\n') {
				at = i + 1;
				break;
			}
	for (; at != c->written; at++) {
		n = (uint32_t)filter_byte(&filter, c->history[at % MUX_HISTORY], out);
		for (uint32_t i = 0; i < n; i++)
			show_raw(mux, out[i]);
	}
}

/* The lines a view began must not reappear in it later. */
static void leave_merged(struct mux *mux)
{
	for (unsigned slot = 1; slot < MUX_SLOTS; slot++)
		mux->consoles[slot].line.len = 0;
	mux->log.len = 0;
}

void mux_select(struct mux *mux, unsigned slot)
{
	struct mux_console *c = &mux->consoles[slot];

	if (slot >= MUX_SLOTS || !slot || !c->known) {
		if (!mux->plain)
			mux_print(mux, "\n[no such console]\n");
		return;
	}
	mux->selected = slot;
	if (mux->plain) /* a log stays a log: only the input moves */
		return;
	leave_merged(mux);
	mux->view = VIEW_DOMAIN;
	title(mux, c->name, c->live ? "" : " (not running)");
	replay(mux, c);
}

static void select_next(struct mux *mux)
{
	unsigned slot = mux->selected;

	for (unsigned i = 0; i < MUX_SLOTS; i++) {
		slot = slot % (MUX_SLOTS - 1) + 1;
		if (mux->consoles[slot].known) {
			mux_select(mux, slot);
			return;
		}
	}
}

static void show_help(struct mux *mux)
{
	char line[80];

	mux_print(mux, "\nCtrl-] then\n");
	for (unsigned slot = 1; slot < 10; slot++) {
		const struct mux_console *c = &mux->consoles[slot];

		if (!c->known)
			continue;
		snprintf(line, sizeof(line), "  %u       %s%s\n", slot, c->name,
			 c->live ? "" : " (not running)");
		mux_print(mux, line);
	}
	mux_print(mux, "  n       next console\n"
		       "  m       all consoles, line by line\n"
		       "  s or 0  shell: list, pause, destroy, create, stats, log ...\n"
		       "  q       quit: power the machine off\n"
		       "  Ctrl-]  send Ctrl-] itself\n"
		       "  ?       this help\n");
}

void mux_prompt(struct mux *mux)
{
	mux->answering = false;
	if (mux->view == VIEW_SHELL)
		mux_print(mux, "ringfence> ");
}

static void show_shell(struct mux *mux)
{
	leave_merged(mux);
	mux->view = VIEW_SHELL;
	mux->command_len = 0;
	title(mux, "shell", "");
	mux_prompt(mux);
}

/* ---- input ---- */

unsigned mux_input_target(const struct mux *mux)
{
	if (mux->escape || mux->view == VIEW_SHELL || !mux->consoles[mux->selected].live)
		return 0;
	return mux->selected;
}

static void run_line(struct mux *mux)
{
	mux_print(mux, "\n");
	mux->command[mux->command_len] = 0;
	mux->answering = true;
	if (mux->command_len)
		mux->ops->command(mux->ctx, mux->command);
	else
		mux_prompt(mux);
	mux->command_len = 0;
}

static void erase(struct mux *mux, uint32_t count)
{
	while (count-- && mux->command_len) {
		mux->command_len--;
		mux_print(mux, "\b \b");
	}
}

static void shell_byte(struct mux *mux, uint8_t byte)
{
	switch (byte) {
	case '\r':
	case '\n':
		run_line(mux);
		return;
	case 0x7f:
	case '\b':
		erase(mux, 1);
		return;
	case 0x15: /* Ctrl-U */
		erase(mux, MUX_COMMAND);
		return;
	case 0x03: /* Ctrl-C */
		mux->command_len = 0;
		mux_print(mux, "^C\n");
		mux_prompt(mux);
		return;
	default:
		if (byte < 0x20 || byte > 0x7e || mux->command_len == MUX_COMMAND - 1)
			return;
		mux->command[mux->command_len++] = (char)byte;
		put(mux, byte);
	}
}

static void to_guest(struct mux *mux, uint8_t byte)
{
	if (mux->consoles[mux->selected].live)
		mux->ops->guest_input(mux->ctx, mux->selected, byte);
}

static void escape_command(struct mux *mux, uint8_t byte)
{
	switch (byte) {
	case '1' ... '9':
		mux_select(mux, byte - '0');
		break;
	case '0':
	case 's':
		show_shell(mux);
		break;
	case 'm':
		mux->view = VIEW_MERGED;
		title(mux, "all consoles", "");
		break;
	case 'n':
		select_next(mux);
		break;
	case 'q':
		mux->ops->quit(mux->ctx);
		break;
	case MUX_ESCAPE:
		if (mux->view != VIEW_SHELL)
			to_guest(mux, byte);
		break;
	default:
		show_help(mux);
		show_command_line(mux);
	}
}

void mux_input(struct mux *mux, uint8_t byte)
{
	if (mux->escape) {
		mux->escape = false;
		escape_command(mux, byte);
	} else if (byte == MUX_ESCAPE) {
		mux->escape = true;
	} else if (mux->view == VIEW_SHELL) {
		shell_byte(mux, byte);
	} else {
		to_guest(mux, byte);
	}
}
