/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blkd - the block driver domain: a virtio block device for each of its links, on the RAM disk or on the
 * part of a PCI disk its link names. It keeps nothing of its own: killed at any instruction and started
 * again, it finds what the drivers want in their windows and goes on.
 */
#include <stdlib.h>
#include <string.h>

#include <blk/blk.h>
#include <blk/ramdisk.h>
#include <port/newlib/service.h>

#include "../crash.h"
#include "drive.h"

#define REQUESTS 64u /* in flight of one client */

struct client {
	struct service_client base; /* first */
	struct ramdisk ramdisk;
	struct storage *storage;
	struct blk blk;
	struct blk_request *requests;
};

static struct drive *drives[PV_MAX_DEVICES];
static unsigned drive_count;

/* A disk has finished something, for any of the clients. */
static void on_done(pv_port_t port, void *arg)
{
	(void)port;
	service_wake();
	drive_served(arg);
}

static bool drives_open(void)
{
	unsigned count = crash_one_drive() ? 1 : pv_start_info->device_count;

	for (; drive_count < count; drive_count++)
		if (!(drives[drive_count] = drive_open(crash_way(drive_count), on_done)))
			return false;
	return true;
}

/* The storage behind a link: NULL or why there is none. */
static const char *find_storage(struct client *client)
{
	const struct pv_link *page = client->base.end.page;
	void *bytes;
	int64_t r;

	if (page->device > drive_count)
		return "this domain has no such disk";
	if (page->device) {
		client->storage = drive_storage(drives[page->device - 1]);
		return NULL;
	}
	r = end_map_disk(&client->base.end, &bytes);
	if (r < 0)
		return pv_strerror(r);
	ramdisk_init(&client->ramdisk, bytes, (uint64_t)page->disk_pages << PV_PAGE_SHIFT);
	client->storage = &client->ramdisk.storage;
	return NULL;
}

static const char *client_open(struct service_client *base)
{
	struct client *client = (struct client *)base;

	client->requests = calloc(REQUESTS, sizeof(*client->requests));
	return client->requests ? find_storage(client) : "no memory for requests";
}

static struct vdev *client_start(struct service_client *base, const char **why)
{
	struct client *client = (struct client *)base;
	const struct end *end = &base->end;
	struct blk_options options = {
		.storage = client->storage,
		.first = end->page->first,
		.sectors = end->page->sectors,
		.read_only = end->page->flags & PV_LINK_READ_ONLY,
		.queues = 1,
	};

	memcpy(options.id, end->page->name, sizeof(options.id));
	*why = blk_init(&client->blk, &options, &end->port, &end->window, NULL, client->requests,
			REQUESTS);
	crash_epoch(end->epoch);
	return *why ? NULL : &client->blk.dev;
}

static bool client_drain(struct service_client *base)
{
	return blk_drain(&((struct client *)base)->blk);
}

int main(void)
{
	static const struct service blkd = {
		.kind = PV_LINK_BLK,
		.client_size = sizeof(struct client),
		.setup = drives_open,
		.open = client_open,
		.start = client_start,
		.drain = client_drain,
	};

	crash_setup();
	return service_run(&blkd);
}
