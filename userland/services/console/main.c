/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the console service: connects the multiplexer to the serial line, to the guests' rings, to
 * the kernel log and to init. Everything happens in one event loop; after each event pump() moves
 * what can be moved.
 *
 * Without a serial line every finished line goes to the kernel log instead, and the log is not read.
 *
 * Options: headless (plain log), view=NAME (console shown first), rows=N cols=N (terminal size).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <control.h>
#include <pv/libpv.h>
#include <pv/ring.h>

#include "mux.h"
#include "uart.h"

#define QUIET_NS (100 * PV_NSEC_PER_MSEC) /* an unfinished line is shown after this */
#define RETRY_NS (5 * PV_NSEC_PER_MSEC)
#define CHUNK 512
#define PUMP_ROUNDS 16

struct source {
	struct pv_console_ring *page; /* NULL = nothing attached */
	pv_handle_t grant;
	pv_port_t port;
	bool draining;
};

static struct {
	struct mux mux;
	struct source sources[MUX_SLOTS];
	unsigned next; /* whose turn it is: nobody starves when the line is slow */
	struct ctl_page *ctl;
	struct ctl_reader ctl_reader;
	pv_port_t ctl_port;
	pv_handle_t host;
	uint64_t log_pos;
	bool uart;
	pv_port_t irq_port;
	bool flush_wanted;
	pv_ns_t quiet_at; /* when unfinished lines are shown, 0 = there are none */
	char first_view[MUX_NAME];
	uint32_t rows, cols;
} con;

static struct pv_ring out_ring(struct pv_console_ring *page)
{
	return (struct pv_ring){ &page->out_prod, &page->out_cons, page->out, sizeof(page->out) };
}

static struct pv_ring in_ring(struct pv_console_ring *page)
{
	return (struct pv_ring){ &page->in_prod, &page->in_cons, page->in, sizeof(page->in) };
}

static void pump(void);

/* ---- init ---- */

static void tell_init(const char *line)
{
	struct pv_ring ring = ctl_ring(&con.ctl->to_init);

	if (pv_ring_room(&ring) <= strlen(line))
		return;
	pv_ring_put(&ring, line, strlen(line));
	pv_ring_put(&ring, "\n", 1);
	pv_port_send(con.ctl_port);
}

static void on_guest(pv_port_t port, void *arg)
{
	(void)port;
	(void)arg;
	pump();
}

static void attach(unsigned slot, pv_handle_t grant, pv_port_t port, const char *name)
{
	struct source *source = &con.sources[slot];
	void *page;

	if (source->page || pv_grant_attach(grant, 1, 1, &page) < 0)
		return;
	*source = (struct source){ page, grant, port, false };
	source->page->rows = con.rows;
	source->page->cols = con.cols;
	pv_event_bind(port, on_guest, NULL);
	mux_attach(&con.mux, slot, name);
	if (!strcmp(name, con.first_view)) {
		con.first_view[0] = 0;
		mux_select(&con.mux, slot);
	}
}

static void detach(unsigned slot)
{
	struct source *source = &con.sources[slot];
	char line[32];

	if (source->page) {
		mux_detach(&con.mux, slot);
		pv_event_unbind(source->port);
		pv_port_close(source->port);
		pv_grant_detach(source->page, 1);
		pv_cap_drop(source->grant);
		*source = (struct source){ 0 };
	}
	snprintf(line, sizeof(line), "~- %u", slot);
	tell_init(line);
}

static void from_init(const char *line)
{
	unsigned slot;
	unsigned long long grant, port;
	char name[MUX_NAME];

	switch (line[0]) {
	case '+':
		if (sscanf(line, "+ %u %llu %llu %31s", &slot, &grant, &port, name) == 4 && slot &&
		    slot < MUX_SLOTS)
			attach(slot, grant, port, name);
		break;
	case '-':
		if (sscanf(line, "- %u", &slot) != 1 || slot >= MUX_SLOTS)
			break;
		if (con.sources[slot].page)
			con.sources[slot].draining = true;
		else
			detach(slot);
		break;
	case '=':
		mux_print(&con.mux, line + 1 + (line[1] == ' '));
		mux_print(&con.mux, "\n");
		break;
	case '.':
		mux_prompt(&con.mux);
		break;
	case '!':
		mux_notice(&con.mux, line + 1 + (line[1] == ' '));
		break;
	case '~':
		con.flush_wanted |= !strcmp(line, "~flush");
		sscanf(line, "~log %llu", (unsigned long long *)&con.log_pos);
		break;
	default:
		break;
	}
}

static void on_init(pv_port_t port, void *arg)
{
	struct pv_ring ring = ctl_ring(&con.ctl->to_console);

	(void)arg;
	while (ctl_read_line(&con.ctl_reader, &ring))
		from_init(con.ctl_reader.line);
	pv_port_send(port); /* there is room again */
	pump();
}

/* ---- the multiplexer's requests ---- */

static void guest_input(void *ctx, unsigned slot, uint8_t byte)
{
	struct source *source = &con.sources[slot];
	struct pv_ring ring;

	(void)ctx;
	if (!source->page)
		return;
	ring = in_ring(source->page);
	pv_ring_put(&ring, &byte, 1);
	pv_port_send(source->port);
}

/* The whole log, as much as the queue can take; pump() need not run in between. */
static void show_log(void)
{
	uint64_t pos = 0;
	char text[CHUNK + 1];
	int64_t n;

	while ((n = pv_host_log_read(con.host, &pos, text, CHUNK)) > 0) {
		text[n] = 0;
		mux_print(&con.mux, text);
		pump();
	}
}

static void command(void *ctx, const char *line)
{
	(void)ctx;
	if (strcmp(line, "log")) {
		tell_init(line);
		return;
	}
	show_log();
	mux_prompt(&con.mux);
}

static void quit(void *ctx)
{
	(void)ctx;
	mux_print(&con.mux, "\n[power off]\n");
	tell_init("poweroff");
}

static const struct mux_ops mux_ops = { guest_input, command, quit };

/* ---- moving bytes ---- */

/* Bytes typed faster than the guest reads stay in the UART, which stops the sender. */
static bool input_blocked(void)
{
	unsigned slot = mux_input_target(&con.mux);
	struct pv_ring ring;

	if (!slot || !con.sources[slot].page)
		return false;
	ring = in_ring(con.sources[slot].page);
	return pv_ring_room(&ring) == 0;
}

static void receive(void)
{
	while (!input_blocked() && uart_ready())
		mux_input(&con.mux, uart_get());
}

static void transmit(void)
{
	uint8_t bytes[16];
	size_t n;

	while (!mux_empty(&con.mux) && (n = uart_room())) {
		n = mux_take(&con.mux, bytes, n < sizeof(bytes) ? n : sizeof(bytes));
		uart_put(bytes, n);
	}
	uart_want(!input_blocked(), !mux_empty(&con.mux));
}

/* Whole lines only: others write to the log as well. */
static void transmit_to_log(void)
{
	static uint8_t line[PV_CONSOLE_MAX];
	static size_t len;

	while (mux_take(&con.mux, line + len, 1)) {
		if (line[len++] != '\n' && len < sizeof(line))
			continue;
		pv_host_log_write(con.host, line, len);
		len = 0;
	}
}

/* Returns whether anything moved. */
static bool pump_guest(unsigned slot)
{
	struct source *source = &con.sources[slot];
	size_t budget = mux_budget(&con.mux, slot);
	uint8_t bytes[CHUNK];
	struct pv_ring ring = out_ring(source->page);
	uint32_t used = pv_ring_used(&ring);
	size_t n = pv_ring_get(&ring, bytes, budget < CHUNK ? budget : CHUNK);

	if (n) {
		mux_guest_output(&con.mux, slot, bytes, n);
		/* the guest waits only when its ring is full: do not wake it for every line */
		if (used > ring.size / 2)
			pv_port_send(source->port);
	}
	if (source->draining && !pv_ring_used(&ring)) {
		detach(slot);
		return true;
	}
	return n != 0;
}

static bool pump_log(void)
{
	size_t budget = mux_log_budget(&con.mux);
	uint8_t bytes[CHUNK];
	int64_t n;

	if (!con.uart || !budget)
		return false;
	n = pv_host_log_read(con.host, &con.log_pos, bytes, budget < CHUNK ? budget : CHUNK);
	if (n > 0)
		mux_log(&con.mux, bytes, (size_t)n);
	return n > 0;
}

static void on_timer(pv_port_t port, void *arg)
{
	(void)port;
	(void)arg;
	if (con.quiet_at && pv_clock_ns() >= con.quiet_at) {
		con.quiet_at = 0;
		mux_flush_lines(&con.mux);
	}
	if (con.uart)
		receive();
	pump();
}

/* When to look again without being told: at once if bytes remain, soon for what nobody announces. */
static void schedule(bool more)
{
	pv_ns_t now = pv_clock_ns();
	pv_ns_t next = PV_FOREVER;

	if (!con.quiet_at && mux_has_unfinished(&con.mux))
		con.quiet_at = now + QUIET_NS;
	if (con.quiet_at)
		next = con.quiet_at;
	if (more)
		next = now;
	else if ((con.flush_wanted || (con.uart && input_blocked())) && next > now + RETRY_NS)
		next = now + RETRY_NS;
	pv_event_timer(next, on_timer, NULL);
}

static void finish_flush(void)
{
	if (!con.flush_wanted || !mux_empty(&con.mux) || (con.uart && !uart_idle()))
		return;
	con.flush_wanted = false;
	tell_init("~flushed");
}

/* A guest may write for ever: after some rounds the loop looks at other events, then goes on. */
static void pump(void)
{
	unsigned rounds = 0;
	bool moved;

	do {
		moved = pump_log();
		for (unsigned i = 0; i < MUX_SLOTS; i++) {
			unsigned slot = (con.next + i) % MUX_SLOTS;

			if (con.sources[slot].page)
				moved |= pump_guest(slot);
		}
		con.next = (con.next + 1) % MUX_SLOTS;
		if (con.uart)
			transmit();
		else
			transmit_to_log();
	} while (moved && ++rounds < PUMP_ROUNDS);
	finish_flush();
	schedule(moved);
}

/* ---- start ---- */

/* An edge that comes while the line is masked until EOI would be lost, so look again after it. */
static void on_irq(pv_port_t port, void *arg)
{
	(void)arg;
	do {
		receive();
		transmit();
		pv_port_eoi(port);
	} while (uart_pending() && uart_ready() && !input_blocked());
	pump();
}

static bool start_uart(void)
{
	const struct pv_start_info *info = pv_start_info;
	struct pv_info_system system;
	int64_t port;

	if (!info->handles[CTL_HANDLE_IRQ] || pv_info_system(&system) < 0)
		return false;
	port = pv_port_alloc(PV_SELF);
	if (port < 0 ||
	    pv_port_bind_irq((pv_port_t)port, info->handles[CTL_HANDLE_IRQ]) < 0)
		return false;
	con.irq_port = (pv_port_t)port;
	pv_event_bind(con.irq_port, on_irq, NULL);
	uart_init((uint16_t)system.uart_port);
	return true;
}

static void watch_log(void)
{
	int64_t port = pv_port_alloc(PV_SELF);

	if (port >= 0 && pv_port_bind_virq((pv_port_t)port, PV_VIRQ_LOG, con.host) == 0)
		pv_event_bind((pv_port_t)port, on_guest, NULL);
}

static uint32_t number_option(const char *key)
{
	char text[16];

	return pv_cmdline_get(key, text, sizeof(text)) ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

int main(void)
{
	const struct pv_start_info *info = pv_start_info;
	void *page;

	if (info->handle_count < CTL_HANDLES || !info->port_count ||
	    pv_grant_attach(info->handles[CTL_HANDLE_PAGE], 1, 1, &page) < 0) {
		printf("no control channel\n");
		return 1;
	}
	con.ctl = page;
	con.ctl_port = info->ports[CTL_PORT];
	con.host = info->host_handle;
	con.rows = number_option("rows");
	con.cols = number_option("cols");
	pv_cmdline_get("view", con.first_view, sizeof(con.first_view));
	con.uart = start_uart();
	mux_init(&con.mux, &mux_ops, NULL, !con.uart || pv_cmdline_has("headless"));
	pv_event_bind(con.ctl_port, on_init, NULL);
	if (con.uart)
		watch_log();
	if (!con.mux.plain)
		mux_print(&con.mux, "--- Ctrl-] ? for help, Ctrl-] q to quit ---\n");
	on_init(con.ctl_port, NULL);
	pv_event_loop();
	return 0;
}
