/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * consoles.c - the console ring of a domain and its port, joined with the console service.
 *
 * The ring and the domain's own port last as long as the domain. The service gets the page and a port
 * of its own when both run: when the domain is built, or later, when the service has been started
 * anew. What was written meanwhile is in the ring, as far as it has room.
 */
#include "init.h"

#include <stdio.h>

const char *console_prepare(struct guest *guest, struct built *built)
{
	int64_t port;

	guest->console_gfn = 0;
	if (!guest->slot || !init.console || init.console == guest) {
		built->info.console_gfn = 0;
		return NULL;
	}
	port = pv_port_alloc(guest->dom);
	if (port < 0)
		return "it can have no port for its console";
	guest->console_gfn = built->info.console_gfn;
	guest->console_port = (pv_port_t)port;
	built->info.console_port = (uint32_t)port;
	return NULL;
}

static int64_t lend_ring(const struct guest *guest, pv_handle_t service)
{
	const uint32_t rights = PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE;
	int64_t own = pv_grant_create(guest->dom, guest->console_gfn, 1, rights);
	int64_t lent;

	if (own < 0)
		return own;
	lent = pv_cap_copy((pv_handle_t)own, service, rights);
	pv_cap_drop((pv_handle_t)own);
	return lent;
}

const char *console_attach(struct guest *guest)
{
	pv_handle_t service;
	int64_t grant, port;

	if (!guest->console_gfn || init.console->state != GUEST_RUNNING)
		return NULL;
	service = init.console->dom;
	grant = lend_ring(guest, service);
	if (grant < 0)
		return "its console ring cannot be lent to the console service";
	port = pv_port_alloc(service);
	if (port < 0 || pv_port_connect(guest->dom, guest->console_port, service, (pv_port_t)port) < 0)
		return "its console port cannot be connected";
	ctl_attach(guest, (pv_handle_t)grant, (pv_port_t)port);
	return NULL;
}

void consoles_attach(void)
{
	for (unsigned i = 0; i < init.count; i++) {
		struct guest *guest = &init.guests[i];
		const char *why = guest->state == GUEST_RUNNING ? console_attach(guest) : NULL;

		if (why)
			printf("%s: %s; it goes on without\n", (const char *)guest->spec->name, why);
	}
}
