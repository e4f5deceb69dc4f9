/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blkd - the block driver domain: a virtio block device for each of its links, on the RAM disk or on the
 * part of a PCI disk its link names. It keeps nothing of its own: killed at any instruction and started
 * again, it finds what the drivers want in their windows and goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <blk/blk.h>
#include <blk/ramdisk.h>
#include <port/newlib/end.h>

#include "crash.h"
#include "drive.h"

#define REQUESTS 64u /* in flight of one client */

struct client {
	struct end end;
	struct ramdisk ramdisk;
	struct storage *storage;
	struct blk blk;
	struct blk_request *requests;
	bool draining; /* its window is gone, a disk is not through with it */
	uint64_t wake; /* VDEV_IDLE: at the next event */
};

static struct client clients[PV_MAX_LINKS];
static unsigned client_count;
static struct drive drives[PV_MAX_DEVICES];
static unsigned drive_count;

static void say(const struct client *client, const char *what)
{
	printf("%s: %s\n", (const char *)client->end.page->name, what);
}

static bool serve(struct client *client)
{
	struct end *end = &client->end;
	struct blk_options options = {
		.storage = client->storage,
		.first = end->page->first,
		.sectors = end->page->sectors,
		.read_only = end->page->flags & PV_LINK_READ_ONLY,
		.queues = 1,
	};
	const char *why;

	memcpy(options.id, end->page->name, sizeof(options.id));
	why = blk_init(&client->blk, &options, &end->port, &end->window, NULL, client->requests,
		       REQUESTS);
	if (why) {
		say(client, why);
		return false;
	}
	crash_epoch(end->epoch);
	if (!link_attach(&end->link, end->driver, (struct link_device_page *)end->device,
			 &client->blk.dev))
		say(client, "the driver's state does not fit this device");
	printf("%s: serves %s, epoch %u\n", (const char *)end->page->name,
	       (const char *)end->page->front_name, end->epoch);
	return true;
}

static void update(struct client *client);

/* Before the window is looked at: is it still this driver's? */
static void run(struct client *client)
{
	if (client->draining)
		update(client);
	else if (client->end.epoch && !end_stale(&client->end))
		client->wake = link_run(&client->end.link, pv_clock_ns());
	else
		client->wake = VDEV_IDLE; /* until the link page's port is pending */
}

static void on_doorbell(pv_port_t port, void *arg)
{
	(void)port;
	run(arg);
}

static void update(struct client *client)
{
	/* What a disk was given may end in the window, dead as it is, until the disk is through with it. */
	client->draining = client->end.epoch && end_stale(&client->end) && !blk_drain(&client->blk);
	if (client->draining) {
		client->wake = VDEV_IDLE;
		return;
	}
	if (end_update(&client->end) != END_NEW || !serve(client)) {
		client->wake = VDEV_IDLE;
		return;
	}
	pv_event_bind(client->end.doorbell, on_doorbell, client);
	run(client);
}

static void on_change(pv_port_t port, void *arg)
{
	(void)port;
	update(arg);
}

/* The storage behind a link; NULL: there is none, and the log says why. */
static struct storage *find_storage(struct client *client)
{
	const struct pv_link *page = client->end.page;
	void *bytes;
	int64_t r;

	if (page->device) {
		struct drive *drive = &drives[page->device - 1];

		if (page->device > drive_count) {
			say(client, "this domain has no such disk");
			return NULL;
		}
		return &drive->disk.storage;
	}
	r = end_map_disk(&client->end, &bytes);
	if (r < 0) {
		say(client, pv_strerror(r));
		return NULL;
	}
	ramdisk_init(&client->ramdisk, bytes, (uint64_t)page->disk_pages << PV_PAGE_SHIFT);
	return &client->ramdisk.storage;
}

static bool client_open(struct client *client, const struct pv_start_link *start)
{
	int64_t r = end_open(&client->end, start);

	client->requests = calloc(REQUESTS, sizeof(*client->requests));
	client->wake = VDEV_IDLE;
	if (r < 0 || !client->requests) {
		printf("a link cannot be opened: %s\n", r < 0 ? pv_strerror(r) : "no memory");
		return false;
	}
	client->storage = find_storage(client);
	if (!client->storage)
		return false;
	return pv_event_bind(client->end.changed, on_change, client) == 0;
}

/* A disk has finished something, for any of the clients. */
static void on_irq(pv_port_t port, void *arg)
{
	(void)port;
	for (unsigned i = 0; i < client_count; i++)
		if (clients[i].storage->poll)
			run(&clients[i]);
	drive_served(arg);
}

static uint64_t run_due(void)
{
	uint64_t now = pv_clock_ns(), wake = VDEV_IDLE;

	for (unsigned i = 0; i < client_count; i++) {
		if (clients[i].wake <= now)
			run(&clients[i]);
		if (clients[i].wake < wake)
			wake = clients[i].wake;
	}
	return wake;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 256);
	crash_setup();
	for (; drive_count < pv_start_info->device_count; drive_count++)
		if (!drive_open(&drives[drive_count], drive_count, on_irq, &drives[drive_count]))
			return 1;
	for (unsigned i = 0; i < pv_start_info->link_count; i++) {
		const struct pv_start_link *start = &pv_start_info->links[i];

		if (start->role != PV_LINK_BACK || start->kind != PV_LINK_BLK)
			continue;
		if (!client_open(&clients[client_count++], start))
			return 1;
	}
	if (!client_count) {
		printf("no link names this domain as its back end\n");
		return 1;
	}
	for (unsigned i = 0; i < client_count; i++)
		update(&clients[i]);
	for (;;) {
		uint64_t wake = run_due();

		/* 0 polls: other clients and link changes have their turn between fair shares */
		pv_event_run_once(wake == VDEV_IDLE ? PV_FOREVER : wake <= pv_clock_ns() ? 0 : wake);
	}
}
