/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop of a domain that serves virtio devices; see service.h. */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>

static struct service_client *clients[PV_MAX_LINKS];
static unsigned client_count;

static void say(const struct service_client *client, const char *what)
{
	printf("%s: %s\n", (const char *)client->end.page->name, what);
}

static void start(struct service_client *client)
{
	struct end *end = &client->end;
	const char *why = NULL;
	struct vdev *dev = client->service->start(client, &why);

	if (!dev) {
		say(client, why);
		return;
	}
	client->serving = true;
	if (!link_attach(&end->link, end->driver, (struct link_device_page *)end->device, dev))
		say(client, "the driver's state does not fit this device");
	printf("%s: serves %s, epoch %u\n", (const char *)end->page->name,
	       (const char *)end->page->front_name, end->epoch);
}

static void stop(struct service_client *client)
{
	if (client->serving && client->service->stop)
		client->service->stop(client);
	client->serving = false;
	client->wake = VDEV_IDLE;
}

static void update(struct service_client *client);

/* Before the window is looked at: is it still this driver's? */
static void run(struct service_client *client)
{
	if (client->draining) {
		update(client);
		return;
	}
	client->wake = VDEV_IDLE; /* until the link page's port is pending */
	if (client->serving && !end_stale(&client->end))
		client->wake = link_run(&client->end.link, pv_clock_ns());
}

static void on_doorbell(pv_port_t port, void *arg)
{
	(void)port;
	run(arg);
}

/* What somebody else was given may end in the window, dead as it is, until he is through with it. */
static bool drained(struct service_client *client)
{
	return !client->serving || !client->service->drain || !end_stale(&client->end) ||
	       client->service->drain(client);
}

static void update(struct service_client *client)
{
	enum end_news news;

	client->draining = !drained(client);
	if (client->draining) {
		client->wake = VDEV_IDLE;
		return;
	}
	news = end_update(&client->end);
	if (news != END_SAME)
		stop(client);
	if (news == END_NEW) {
		pv_event_bind(client->end.doorbell, on_doorbell, client);
		start(client);
	}
	run(client);
}

static void on_change(pv_port_t port, void *arg)
{
	(void)port;
	update(arg);
}

static bool open_client(const struct service *service, const struct pv_start_link *link)
{
	struct service_client *client = calloc(1, service->client_size);
	const char *why;
	int64_t r;

	if (!client) {
		printf("a link cannot be opened: no memory\n");
		return false;
	}
	client->service = service;
	client->wake = VDEV_IDLE;
	r = end_open(&client->end, link);
	if (r < 0) {
		printf("a link cannot be opened: %s\n", pv_strerror(r));
		return false;
	}
	why = service->open ? service->open(client) : NULL;
	if (why) {
		say(client, why);
		return false;
	}
	clients[client_count++] = client;
	return pv_event_bind(client->end.changed, on_change, client) == 0;
}

static bool open_all(const struct service *service)
{
	for (unsigned i = 0; i < pv_start_info->link_count; i++) {
		const struct pv_start_link *link = &pv_start_info->links[i];

		if (link->role == PV_LINK_BACK && link->kind == service->kind &&
		    !open_client(service, link))
			return false;
	}
	if (!client_count)
		printf("no link names this domain as its back end\n");
	return client_count != 0;
}

/* Most have nothing to wait for but their doorbells: the clock is read for the others. */
static uint64_t run_due(void)
{
	uint64_t now = 0, wake = VDEV_IDLE;

	for (unsigned i = 0; i < client_count; i++) {
		if (clients[i]->wake != VDEV_IDLE && !now)
			now = pv_clock_ns();
		if (clients[i]->wake <= now)
			run(clients[i]);
		if (clients[i]->wake < wake)
			wake = clients[i]->wake;
	}
	return wake;
}

void service_wake(void)
{
	for (unsigned i = 0; i < client_count; i++)
		run(clients[i]);
}

int service_run(const struct service *service)
{
	setvbuf(stdout, NULL, _IOLBF, 256);
	if ((service->setup && !service->setup()) || !open_all(service))
		return 1;
	for (unsigned i = 0; i < client_count; i++)
		update(clients[i]);
	for (;;) {
		uint64_t wake = run_due();

		/* 0 polls: other clients and link changes have their turn between fair shares */
		pv_event_run_once(wake == VDEV_IDLE ? PV_FOREVER : wake <= pv_clock_ns() ? 0 : wake);
	}
}
