/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console.c - the guest's end of the console ring, or the kernel log when there is no ring.
 */
#include <pv/libpv.h>
#include <pv/ring.h>

static struct pv_console_ring *page(void)
{
	return (struct pv_console_ring *)(pv_start_info->console_gfn << PV_PAGE_SHIFT);
}

static struct pv_ring out_ring(void)
{
	struct pv_console_ring *r = page();

	return (struct pv_ring){ &r->out_prod, &r->out_cons, r->out, sizeof(r->out) };
}

static struct pv_ring in_ring(void)
{
	struct pv_console_ring *r = page();

	return (struct pv_ring){ &r->in_prod, &r->in_cons, r->in, sizeof(r->in) };
}

pv_port_t pv_console_port(void)
{
	return pv_start_info->console_gfn ? pv_start_info->console_port : 0;
}

static void put_to_ring(const uint8_t *data, size_t len)
{
	struct pv_ring ring = out_ring();
	pv_port_t port = pv_start_info->console_port;

	while (len) {
		size_t n = pv_ring_put(&ring, data, len);

		data += n;
		len -= n;
		if (pv_port_send(port) < 0 && !n)
			return; /* full, and nobody there to read: a service that comes shows the oldest */
		if (len && !n)
			pv_event_wait_port(port, PV_FOREVER);
	}
}

static void put_to_log(const uint8_t *data, size_t len)
{
	while (len) {
		size_t n = len < PV_CONSOLE_MAX ? len : PV_CONSOLE_MAX;
		int64_t r = pv_console_write(data, n);

		if (r == -PV_EAGAIN) {
			pv_sleep_until(pv_clock_ns() + PV_NSEC_PER_MSEC);
			continue;
		}
		if (r < 0)
			return;
		data += r;
		len -= (size_t)r;
	}
}

void pv_console_put(const void *data, size_t len)
{
	if (pv_start_info->console_gfn)
		put_to_ring(data, len);
	else
		put_to_log(data, len);
}

size_t pv_console_available(void)
{
	struct pv_ring ring;

	if (!pv_start_info->console_gfn)
		return 0;
	ring = in_ring();
	return pv_ring_used(&ring);
}

size_t pv_console_get(void *data, size_t len)
{
	struct pv_ring ring;
	size_t n;

	if (!pv_start_info->console_gfn || !len)
		return 0;
	ring = in_ring();
	while (!(n = pv_ring_get(&ring, data, len)))
		pv_event_wait_port(pv_start_info->console_port, PV_FOREVER);
	return n;
}
