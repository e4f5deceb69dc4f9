/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evilback - a back end of a block link that means harm: it serves a RAM disk as blkd does, and after a while it
 * does what `deed` says, by the numbers of docs/virtio-backends.md:
 *
 *   D1  used entries for heads that do not exist, are not out, or were returned
 *   D2  more bytes written than were offered		D3  used.idx moved back, or far ahead
 *   D4  notifications from the start and without end	D5  a configuration that is nonsense and never holds still
 *   D6  features and status that change, nothing acknowledged
 *   D7  a store to what the driver alone may write	D8  everything it may write is scribbled over
 *   D10 deaf to the end of its link, it goes on writing to the window and ringing
 *   scan  looks for a secret of the VM in all it can reach (scan.c)
 *
 * after=N: so many notifications are honest (40).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <blk/blk.h>
#include <blk/ramdisk.h>
#include <port/newlib/service.h>

#include "scan.h"

#define REQUESTS 64u
#define TICK (200 * 1000ull)
#define FLOOD 100u
#define LONG_ENOUGH 25000u /* ticks; the front end watches for two seconds */

struct client {
	struct service_client base; /* first */
	struct ramdisk ramdisk;
	struct blk blk;
	struct blk_request requests[REQUESTS];
};

static struct client *victim;
static char deed[8];
static unsigned after = 40, notified;
static uint64_t state = 1, deeds_done;

static uint64_t number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull >> 16;
}

static bool is(const char *name)
{
	return !strcmp(deed, name);
}

static struct vr_used *used_ring(uint16_t *size)
{
	const struct end *end = &victim->base.end;
	struct link_queue queue = end->driver->queues[0];

	*size = queue.size;
	if (!vr_size_valid(queue.size))
		return NULL;
	return vr_at(&end->window.device, queue.used, VR_USED_BYTES(queue.size));
}

static void add_used(struct vr_used *used, uint16_t size, uint32_t id)
{
	used->ring[used->idx % size] = (struct vr_used_elem){ id, 512 };
	__atomic_store_n(&used->idx, used->idx + 1, __ATOMIC_RELEASE);
}

static void scribble(void)
{
	const struct vr_area *area = &victim->base.end.window.device;

	for (unsigned i = 0; i < 64; i++)
		((uint64_t *)area->base)[number() % (area->len / 8)] = number();
}

/* What the driver is about to be told of is not what was done. */
static void lie(void)
{
	uint16_t size;
	struct vr_used *used = used_ring(&size);

	if (is("D8"))
		scribble();
	if (!used)
		return;
	if (is("D1"))
		add_used(used, size, (uint32_t)(deeds_done % 3 == 0 ? size + number() % 100000 :
						deeds_done % 3 == 1 ? number() % size :
								      used->ring[(used->idx - 1) % size].id));
	for (unsigned i = 0; is("D2") && i < size; i++)
		used->ring[i].len = (uint32_t)number() | 1u << 31;
	if (is("D3"))
		__atomic_store_n(&used->idx, used->idx + (number() % 2 ? 1000 : -3), __ATOMIC_RELEASE);
	deeds_done++;
}

static void (*notify)(void *self, uint32_t queue);

static void on_notify(void *self, uint32_t queue)
{
	if (queue != PORT_CONFIG && ++notified > after)
		lie();
	notify(self, queue);
}

static void nonsense(struct link_device_page *device)
{
	struct blk_config *config = (struct blk_config *)device->config;

	config->capacity = number();
	config->seg_max = (uint32_t)number() % 3;
	config->blk_size = (uint32_t)number() % 5;
	config->num_queues = (uint16_t)number();
	device->config_gen = (uint32_t)number() | 1;
	device->max_queues = (uint32_t)number();
}

/* The rest is done at any time. */
static void on_tick(pv_port_t port, void *arg)
{
	struct end *end = &victim->base.end;
	struct link_device_page *device = (struct link_device_page *)end->device;

	(void)port;
	(void)arg;
	if (is("D4") && end->doorbell)
		for (unsigned i = 0; i < FLOOD; i++)
			pv_port_send(end->doorbell);
	if (is("D5"))
		nonsense(device);
	if (is("D6")) {
		device->features[0] = number() << 16;
		device->status = (uint32_t)number();
		device->ack_seq = number();
		if (end->doorbell)
			pv_port_send(end->doorbell);
	}
	if (is("D7") && notified > after)
		((struct link_driver_page *)end->base)->status = 0;
	if (is("D10") && end->base && end->page->state != PV_LINK_UP) {
		scribble();
		pv_port_send(end->doorbell);
		if (++deeds_done == 1000)
			printf("wrote 64000 words to a window that is not its own any more\n");
		if (deeds_done == LONG_ENOUGH)
			exit(0);
	}
	if (is("scan") && end->base)
		scan(end);
	pv_event_timer(pv_clock_ns() + (is("scan") ? SCAN_EVERY : TICK), on_tick, NULL);
}

static const char *client_open(struct service_client *base)
{
	struct client *client = (struct client *)base;
	void *bytes;
	int64_t r = end_map_disk(&client->base.end, &bytes);

	if (r < 0)
		return pv_strerror(r);
	ramdisk_init(&client->ramdisk, bytes, (uint64_t)base->end.page->disk_pages << PV_PAGE_SHIFT);
	return NULL;
}

static struct vdev *client_start(struct service_client *base, const char **why)
{
	struct client *client = (struct client *)base;
	struct end *end = &base->end;
	struct blk_options options = { .storage = &client->ramdisk.storage, .queues = 1 };

	victim = client;
	*why = blk_init(&client->blk, &options, &end->port, &end->window, NULL, client->requests,
			REQUESTS);
	if (!notify)
		notify = end->port.notify;
	end->port.notify = on_notify;
	if (is("D10"))
		pv_event_unbind(end->changed);
	if (is("D5"))
		client->blk.dev.queue_max[0] = (uint16_t)(after ? 256 : 0);
	pv_event_timer(pv_clock_ns(), on_tick, NULL);
	return *why ? NULL : &client->blk.dev;
}

int main(void)
{
	static const struct service service = {
		.kind = PV_LINK_BLK,
		.client_size = sizeof(struct client),
		.open = client_open,
		.start = client_start,
	};
	char value[12];

	if (!pv_cmdline_get("deed", deed, sizeof(deed)))
		printf("no deed\n");
	if (pv_cmdline_get("after", value, sizeof(value)))
		after = (unsigned)strtoul(value, NULL, 10);
	return service_run(&service);
}
