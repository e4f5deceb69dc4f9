/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl.c - init's end of the control channel (userland/lib/control/control.h).
 *
 * init never waits for the console: lines that find no room in the ring are queued here and sent
 * when the console has read; a full queue drops answers and notices, never attach or detach lines.
 */
#include "init.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <control.h>

#define QUEUE_SIZE 32768u
#define QUEUE_RESERVE 8192u /* room only attach, detach and flush lines may use */

static struct ctl_page page __attribute__((aligned(4096)));
static struct ctl_reader reader;
static char queue[QUEUE_SIZE];
static uint32_t queued;
static pv_handle_t page_grant, irq_cap;
static pv_port_t port;

/*
 * Where the service begins to show the kernel's log. The kernel itself writes it to the serial line until
 * the line is given away; a successor goes on where its predecessor died.
 */
static uint64_t log_from;

static void push(void)
{
	struct pv_ring ring = ctl_ring(&page.to_console);
	uint32_t n = (uint32_t)pv_ring_put(&ring, queue, queued);

	if (!n)
		return;
	memmove(queue, queue + n, queued - n);
	queued -= n;
	pv_port_send(port);
}

static void send(uint32_t reserve, const char *prefix, const char *format, va_list args)
{
	char line[CTL_LINE_MAX];
	size_t len;

	if (!port)
		return;
	snprintf(line, sizeof(line), "%s", prefix);
	len = strlen(line);
	vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	len = strlen(line);
	line[len++] = '\n';
	if (len > QUEUE_SIZE - reserve || queued > QUEUE_SIZE - reserve - len)
		return;
	memcpy(queue + queued, line, len);
	queued += (uint32_t)len;
	push();
}

static __attribute__((format(printf, 1, 2))) void send_order(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send(0, "", format, args);
	va_end(args);
}

void ctl_answer(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send(QUEUE_RESERVE, "= ", format, args);
	va_end(args);
}

void ctl_answer_end(void)
{
	send_order(".");
}

void ctl_notice(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send(QUEUE_RESERVE, "! ", format, args);
	va_end(args);
}

void ctl_attach(struct guest *guest, pv_handle_t grant, pv_port_t service_port)
{
	send_order("+ %u %llu %llu %s", guest->slot, (unsigned long long)grant,
		   (unsigned long long)service_port, (const char *)guest->spec->name);
	guest->attached = true;
}

bool ctl_detach(struct guest *guest)
{
	if (!port || !guest->attached)
		return false;
	send_order("- %u", guest->slot);
	return true;
}

bool ctl_flush(void)
{
	if (!port)
		return false;
	send_order("~flush");
	return true;
}

static void reply(const char *line)
{
	unsigned slot;

	if (!strcmp(line, "~flushed")) {
		machine_flushed();
		return;
	}
	if (sscanf(line, "~- %u", &slot) != 1)
		return;
	for (unsigned i = 0; i < init.count; i++)
		if (init.guests[i].slot == slot)
			guest_detached(&init.guests[i]);
}

static void on_port(pv_port_t which, void *arg)
{
	struct pv_ring ring = ctl_ring(&page.to_init);

	(void)which;
	(void)arg;
	while (ctl_read_line(&reader, &ring)) {
		if (reader.line[0] == '~')
			reply(reader.line);
		else
			shell_command(reader.line);
	}
	push();
}

static uint64_t log_end(void)
{
	static char text[PV_LOG_READ_MAX];
	uint64_t pos = 0;

	while (pv_host_log_read(init.host, &pos, text, sizeof(text)) > 0)
		;
	return pos;
}

/* The serial line and its interrupt; without a UART the console only writes to the kernel log. */
static uint32_t give_uart(struct guest *console)
{
	int64_t handle;

	if (!init.system.uart_port)
		return 0;
	if (pv_host_ioports(init.host, console->dom, init.system.uart_port, 8) < 0)
		return 0;
	if (!irq_cap) {
		handle = pv_host_irq_cap(init.host, init.system.uart_irq);
		if (handle < 0)
			return 0;
		irq_cap = (pv_handle_t)handle;
	}
	handle = pv_cap_copy(irq_cap, console->dom, PV_RIGHT_IRQ_BIND);
	return handle < 0 ? 0 : (uint32_t)handle;
}

bool ctl_prepare(struct guest *console, struct built *built)
{
	const uint32_t rights = PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE;
	int64_t shared, log, own, theirs;

	memset(&page, 0, sizeof(page));
	queued = 0;
	reader.len = 0;
	if (!page_grant) {
		shared = pv_grant_create(PV_SELF, (uint64_t)&page >> PV_PAGE_SHIFT, 1, rights);
		if (shared < 0)
			return false;
		page_grant = (pv_handle_t)shared;
	}
	shared = pv_cap_copy(page_grant, console->dom, rights);
	log = pv_cap_copy(init.host, console->dom, PV_RIGHT_HOST_LOG);
	own = pv_port_alloc(PV_SELF);
	theirs = pv_port_alloc(console->dom);
	if (shared < 0 || log < 0 || own < 0 || theirs < 0 ||
	    pv_port_connect(PV_SELF, (pv_port_t)own, console->dom, (pv_port_t)theirs) < 0 ||
	    pv_event_bind((pv_port_t)own, on_port, NULL) < 0)
		return false;
	port = (pv_port_t)own;
	built->info.host_handle = (uint32_t)log;
	built->info.handle_count = CTL_HANDLES;
	built->info.handles[CTL_HANDLE_PAGE] = (uint32_t)shared;
	built->info.handles[CTL_HANDLE_IRQ] = give_uart(console);
	if (!log_from)
		log_from = log_end();
	send_order("~log %llu", (unsigned long long)log_from);
	built->info.port_count = 1;
	built->info.ports[CTL_PORT] = (uint32_t)theirs;
	return true;
}

void ctl_lost(void)
{
	if (port) {
		pv_event_unbind(port);
		pv_port_close(port);
	}
	port = 0;
	log_from = log_end();
	for (unsigned i = 0; i < init.count; i++)
		init.guests[i].attached = false;
}
