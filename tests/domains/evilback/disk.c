/* SPDX-License-Identifier: BSD-2-Clause */
/* The disk of a hostile back end: one in memory, as blkd's. */
#include <blk/blk.h>
#include <blk/ramdisk.h>

#include "evilback.h"

#define REQUESTS 64u

struct client {
	struct service_client base; /* first */
	struct ramdisk ramdisk;
	struct blk blk;
	struct blk_request requests[REQUESTS];
};

static const char *disk_open(struct service_client *base)
{
	struct client *client = (struct client *)base;
	void *bytes;
	int64_t r = end_map_disk(&base->end, &bytes);

	if (r < 0)
		return pv_strerror(r);
	ramdisk_init(&client->ramdisk, bytes, (uint64_t)base->end.page->disk_pages << PV_PAGE_SHIFT);
	return NULL;
}

static struct vdev *disk_start(struct service_client *base, const char **why)
{
	struct client *client = (struct client *)base;
	struct blk_options options = { .storage = &client->ramdisk.storage, .queues = 1 };

	*why = blk_init(&client->blk, &options, &base->end.port, &base->end.window, NULL, client->requests,
			REQUESTS);
	return *why ? NULL : &client->blk.dev;
}

static void disk_nonsense(void *bytes)
{
	struct blk_config *config = bytes;

	config->capacity = number();
	config->seg_max = (uint32_t)number() % 3;
	config->blk_size = (uint32_t)number() % 5;
	config->num_queues = (uint16_t)number();
}

const struct evil_kind evil_disk = {
	.kind = PV_LINK_BLK,
	.client_size = sizeof(struct client),
	.open = disk_open,
	.start = disk_start,
	.nonsense = disk_nonsense,
};
