/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evilback - a back end of a block or network link that means harm: it serves a RAM disk as blkd does (disk.c), or a
 * card at whose other end everybody answers (card.c), and after a while it does what `deed` says, by the numbers of
 * docs/virtio-backends.md:
 *
 *   D1  used entries for heads that do not exist, are not out, or were returned
 *   D2  more bytes written than were offered		D3  used.idx moved back, or far ahead
 *   D4  notifications from the start and without end	D5  a configuration that is nonsense and never holds still
 *   D6  features and status that change, nothing acknowledged
 *   D7  a store to what the driver alone may write	D8  everything it may write is scribbled over
 *   D10 deaf to the end of its link, it goes on writing to the window and ringing
 *   scan  looks for a secret of the VM in all it can reach (scan.c)
 *
 * after=N: so many notifications are honest (40). net: the link is a network card's.
 */
#include "evilback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

#define TICK (200 * 1000ull)
#define FLOOD 100u
#define LONG_ENOUGH 25000u /* ticks; the front end watches for two seconds */

static const struct evil_kind *kind;
static struct service_client *victim;
static char deed[8];
static unsigned after = 40, notified;
static uint64_t state = 1, deeds_done;

uint64_t number(void)
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

/* Its watcher wants to know that there was something to survive. */
static void did(void)
{
	static bool told;

	if (!told)
		printf("%s is done\n", deed);
	told = true;
}

static struct vr_used *used_ring(uint32_t index, uint16_t *size)
{
	const struct end *end = &victim->end;
	struct link_queue queue = end->driver->queues[index];

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
	const struct vr_area *area = &victim->end.window.device;

	for (unsigned i = 0; i < 64; i++)
		((uint64_t *)area->base)[number() % (area->len / 8)] = number();
}

/* What the driver is about to be told of is not what was done. */
static void lie(uint32_t index)
{
	uint16_t size;
	struct vr_used *used = used_ring(index, &size);

	if (is("D8"))
		scribble();
	if (!used)
		return;
	if (is("D1"))
		add_used(used, size, (uint32_t)(deeds_done % 3 == 0 ? size + number() % 100000 :
						deeds_done % 3 == 1 ? number() % size :
								      used->ring[(used->idx - 1) % size].id));
	/* a little more than a buffer holds, or more than there is */
	for (unsigned i = 0; is("D2") && i < size; i++)
		used->ring[i].len += number() % 2 ? (uint32_t)number() % 4096 : (uint32_t)number() | 1u << 31;
	if (is("D3"))
		__atomic_store_n(&used->idx, used->idx + (number() % 2 ? 1000 : -3), __ATOMIC_RELEASE);
	deeds_done++;
	did();
}

static void (*notify)(void *self, uint32_t queue);

static void on_notify(void *self, uint32_t queue)
{
	if (queue != PORT_CONFIG && ++notified > after)
		lie(queue);
	notify(self, queue);
}

static void nonsense(struct link_device_page *page)
{
	kind->nonsense(page->config);
	page->config_gen = (uint32_t)number() | 1;
	page->max_queues = (uint32_t)number();
}

/* The rest is done at any time. */
static void on_tick(pv_port_t port, void *arg)
{
	struct end *end = &victim->end;
	struct link_device_page *page = (struct link_device_page *)end->device;

	(void)port;
	(void)arg;
	if (is("D4") && end->doorbell) {
		for (unsigned i = 0; i < FLOOD; i++)
			pv_port_send(end->doorbell);
		did();
	}
	if (is("D5")) {
		nonsense(page);
		did();
	}
	if (is("D6")) {
		page->features[0] = number() << 16;
		page->status = (uint32_t)number();
		page->ack_seq = number();
		if (end->doorbell)
			pv_port_send(end->doorbell);
		did();
	}
	if (is("D7") && notified > after) {
		did();
		fflush(stdout);
		((struct link_driver_page *)end->base)->status = 0;
	}
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

static struct vdev *client_start(struct service_client *client, const char **why)
{
	struct end *end = &client->end;
	struct vdev *device = kind->start(client, why);

	victim = client;
	if (!notify)
		notify = end->port.notify;
	end->port.notify = on_notify;
	if (is("D10"))
		pv_event_unbind(end->changed);
	for (unsigned i = 0; device && is("D5") && !after && i < device->class->queues; i++)
		device->queue_max[i] = 0;
	pv_event_timer(pv_clock_ns(), on_tick, NULL);
	return device;
}

int main(void)
{
	static struct service service = { .start = client_start };
	char value[12];

	kind = pv_cmdline_get("net", value, sizeof(value)) ? &evil_card : &evil_disk;
	service.kind = kind->kind;
	service.client_size = kind->client_size;
	service.open = kind->open;
	if (!pv_cmdline_get("deed", deed, sizeof(deed)))
		printf("no deed\n");
	if (pv_cmdline_get("after", value, sizeof(value)))
		after = (unsigned)strtoul(value, NULL, 10);
	return service_run(&service);
}
