/* SPDX-License-Identifier: BSD-2-Clause */
/* The link of a hostile front end; see evilfront.h. */
#include <stdio.h>
#include <stdlib.h>

#include "evilfront.h"

struct evilfront evil;

static pv_port_t doorbell;
static uint64_t state;

void evil_die(const char *what)
{
	printf("%s: %s\n", evil_name, what);
	exit(1);
}

void evil_seed(uint64_t seed)
{
	state = seed;
}

uint64_t evil_number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull >> 16;
}

uint64_t evil_option(const char *key, uint64_t otherwise)
{
	char value[24];

	return pv_cmdline_get(key, value, sizeof(value)) ? strtoull(value, NULL, 10) : otherwise;
}

static void nothing(pv_port_t port, void *arg)
{
	(void)port;
	(void)arg;
}

/* A new doorbell whenever the link page says so. */
static void follow(pv_port_t port, void *arg)
{
	uint32_t seq = __atomic_load_n(&evil.page->seq, __ATOMIC_ACQUIRE);
	pv_port_t now = evil.page->state == PV_LINK_UP ? evil.page->front_port : 0;

	(void)port;
	(void)arg;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if ((seq & 1) || seq != __atomic_load_n(&evil.page->seq, __ATOMIC_RELAXED))
		return;
	if (doorbell && doorbell != now) {
		pv_event_unbind(doorbell);
		pv_port_close(doorbell);
	}
	if (now && doorbell != now)
		pv_event_bind(now, nothing, NULL);
	doorbell = now;
	__atomic_store_n(&evil.front.driver->page_seen, seq, __ATOMIC_RELEASE);
	pv_port_send(pv_start_info->links[0].port);
}

void evil_ring(void)
{
	if (doorbell)
		pv_port_send(doorbell);
}

void evil_wait_ack(void)
{
	pv_ns_t end = pv_clock_ns() + EVIL_PATIENCE;

	for (evil_ring(); !front_acked(&evil.front); pv_event_run_once(pv_clock_ns() + PV_NSEC_PER_MSEC))
		if (pv_clock_ns() > end)
			evil_die("a reset or a step of an honest handshake is not acknowledged");
}

void evil_open_link(uint32_t kind, uint32_t device_id)
{
	const struct pv_start_link *start = &pv_start_info->links[0];
	void *addr, *device;

	if (!pv_start_info->link_count || start->kind != kind)
		evil_die("no link of the kind to drive");
	if (pv_grant_attach(start->handle, 1, 0, &addr) < 0)
		evil_die("the link page cannot be mapped");
	evil.page = addr;
	if (pv_grant_attach(evil.page->front_dev, 1, 0, &device) < 0)
		evil_die("the DEV page cannot be mapped");
	evil.base = (uint8_t *)(start->window_gfn << PV_PAGE_SHIFT);
	evil.control = (uint64_t)evil.page->control_pages * EVIL_PAGE;
	evil.window = (uint64_t)evil.page->window_pages * EVIL_PAGE;
	front_init(&evil.front, (struct link_driver_page *)evil.base, device);
	pv_event_bind(start->port, follow, NULL);
	follow(0, NULL);
	while (!front_probe(&evil.front, device_id))
		pv_event_run_once(pv_clock_ns() + PV_NSEC_PER_MSEC);
}
