/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console.c - the guest's end of the console ring. Indices run freely; each is written by one side
 * only: data before index (release), index before data (acquire). The service may be hostile or
 * confused, so a distance larger than the ring counts as full or empty, never as an offset.
 */
#include <pv/libpv.h>
#include <string.h>

static struct pv_console_ring *ring(void)
{
	return (struct pv_console_ring *)(pv_start_info->console_gfn << PV_PAGE_SHIFT);
}

pv_port_t pv_console_port(void)
{
	return pv_start_info->console_gfn ? pv_start_info->console_port : 0;
}

static size_t ring_put(struct pv_console_ring *r, const uint8_t *data, size_t len)
{
	uint32_t prod = r->out_prod;
	uint32_t used = prod - __atomic_load_n(&r->out_cons, __ATOMIC_ACQUIRE);
	size_t n = used < sizeof(r->out) ? sizeof(r->out) - used : 0;

	if (n > len)
		n = len;
	for (size_t i = 0; i < n; i++)
		r->out[(prod + i) % sizeof(r->out)] = data[i];
	__atomic_store_n(&r->out_prod, prod + (uint32_t)n, __ATOMIC_RELEASE);
	return n;
}

static void put_to_ring(const uint8_t *data, size_t len)
{
	struct pv_console_ring *r = ring();
	pv_port_t port = pv_start_info->console_port;

	while (len) {
		size_t n = ring_put(r, data, len);

		data += n;
		len -= n;
		if (n && pv_port_send(port) == -PV_EDEAD)
			return; /* nobody will ever read it */
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
		data += n;
		len -= n;
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
	struct pv_console_ring *r = ring();
	uint32_t n;

	if (!pv_start_info->console_gfn)
		return 0;
	n = __atomic_load_n(&r->in_prod, __ATOMIC_ACQUIRE) - r->in_cons;
	return n <= sizeof(r->in) ? n : 0;
}

size_t pv_console_get(void *data, size_t len)
{
	struct pv_console_ring *r = ring();
	uint8_t *bytes = data;
	size_t n;
	uint32_t cons;

	if (!pv_start_info->console_gfn || !len)
		return 0;
	while (!(n = pv_console_available()))
		pv_event_wait_port(pv_start_info->console_port, PV_FOREVER);
	if (n > len)
		n = len;
	cons = r->in_cons;
	for (size_t i = 0; i < n; i++)
		bytes[i] = r->in[(cons + i) % sizeof(r->in)];
	__atomic_store_n(&r->in_cons, cons + (uint32_t)n, __ATOMIC_RELEASE);
	return n;
}
