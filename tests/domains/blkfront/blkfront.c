/* SPDX-License-Identifier: BSD-2-Clause */
#include "blkfront.h"

#include <stdio.h>
#include <stdlib.h>

#include <blk/blk.h>
#include <ring/drvq.h>
#include <ring/front.h>

#define PAGE BLKFRONT_PAGE
#define QUEUE_SIZE 256u
#define ROOM_FOR_QUEUES 8u /* pages behind the control pages: used rings and logs */
#define STATUS_AT 64u
#define PATIENCE 20u /* seconds; patience=SECONDS for a back end that takes long to start */

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

static const struct pv_link *page;
static uint8_t *base;
static struct front front;
static struct drvq queue;
static struct drvq_slot drvq_slots[QUEUE_SIZE];
static struct blkfront_request requests[BLKFRONT_SLOTS];
static pv_port_t doorbell;
static uint32_t epoch;

void blkfront_die(const char *what)
{
	printf("%s: %s\n", (const char *)pv_start_info->name, what);
	exit(1);
}

static void nothing(pv_port_t port, void *arg)
{
	(void)port;
	(void)arg;
}

static void ring(void)
{
	if (doorbell)
		pv_port_send(doorbell);
}

/* ---- the link ---- */

static void take_doorbell(pv_port_t port)
{
	if (doorbell) {
		pv_event_unbind(doorbell);
		pv_port_close(doorbell);
	}
	doorbell = port;
	if (!doorbell)
		return;
	pv_event_bind(doorbell, nothing, NULL);
	front_count_avail(&front, 0);
	ring();
}

static void on_change(pv_port_t port, void *arg)
{
	uint32_t seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);
	uint32_t state = page->state, now = page->epoch, new_port = page->front_port;

	(void)port;
	(void)arg;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if ((seq & 1) || seq != __atomic_load_n(&page->seq, __ATOMIC_RELAXED))
		return; /* init says so again when it is done */
	if (state != PV_LINK_UP) {
		take_doorbell(0);
	} else if (now != epoch) {
		epoch = now;
		take_doorbell(new_port);
	}
	__atomic_store_n(&front.driver->page_seen, seq, __ATOMIC_RELEASE);
	pv_port_send(pv_start_info->links[0].port);
}

static void wait_for_event(void)
{
	static pv_ns_t patience;

	if (!patience)
		patience = blkfront_number("patience", PATIENCE) * PV_NSEC_PER_SEC;
	if (!pv_event_run_once(pv_clock_ns() + patience))
		blkfront_die("nothing happens any more");
}

static void wait_ack(void)
{
	ring();
	while (!front_acked(&front))
		wait_for_event();
}

static void open_link(void)
{
	const struct pv_start_link *start = &pv_start_info->links[0];
	void *addr, *device;

	if (!pv_start_info->link_count || start->role != PV_LINK_FRONT)
		blkfront_die("no link to drive");
	if (pv_grant_attach(start->handle, 1, 0, &addr) < 0)
		blkfront_die("the link page cannot be mapped");
	page = addr;
	if (pv_grant_attach(page->front_dev, 1, 1, &device) != -PV_EPERM)
		blkfront_die("the DEV page can be mapped for writing");
	if (pv_grant_attach(page->front_dev, 1, 0, &device) < 0)
		blkfront_die("the DEV page cannot be mapped");
	base = (uint8_t *)(start->window_gfn << PV_PAGE_SHIFT);
	front_init(&front, (struct link_driver_page *)base, device);
	pv_event_bind(start->port, on_change, NULL);
	on_change(0, NULL);
}

static void start_device(void)
{
	const uint64_t wanted = VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM) |
				VIRTIO_BIT(VIRTIO_F_EVENT_IDX) | VIRTIO_BIT(BLK_F_FLUSH) |
				VIRTIO_BIT(BLK_F_WRITE_ZEROES);
	uint64_t control = (uint64_t)page->control_pages * PAGE;
	uint64_t rest = (uint64_t)page->window_pages * PAGE - control;
	struct vr_window window = { { base, 0, control },
				    { base + control, control, rest },
				    { base + control, control, rest } };
	struct vr_place place = { QUEUE_SIZE, PAGE, 2 * PAGE, control, control + PAGE };

	while (!front_probe(&front, 2))
		wait_for_event();
	front_reset(&front);
	wait_ack();
	front_set_features(&front, front_features(&front) & wanted);
	wait_ack();
	if (!(front_status(&front) & VIRTIO_FEATURES_OK))
		blkfront_die("the device refuses our features");
	if (!drvq_start(&queue, &window, &place, drvq_slots, true))
		blkfront_die("the queue does not fit");
	front_set_queue(&front, 0, &place);
	front_driver_ok(&front);
	wait_ack();
	for (unsigned i = 0; i < BLKFRONT_SLOTS; i++)
		requests[i].off = control + (ROOM_FOR_QUEUES + 2 * i) * PAGE;
}

uint64_t blkfront_open(void)
{
	uint64_t sectors;

	open_link();
	start_device();
	if (!front_config(&front, 0, &sectors, sizeof(sectors)))
		blkfront_die("no configuration");
	return sectors / (PAGE / STORAGE_SECTOR);
}

uint32_t blkfront_epoch(void)
{
	return epoch;
}

void blkfront_go_deaf(void)
{
	pv_event_unbind(pv_start_info->links[0].port);
}

/* ---- requests ---- */

uint64_t *blkfront_data(const struct blkfront_request *request)
{
	return (uint64_t *)(base + request->off + PAGE);
}

struct blkfront_request *blkfront_free(void)
{
	for (unsigned i = 0; i < BLKFRONT_SLOTS; i++)
		if (!requests[i].busy)
			return &requests[i];
	return NULL;
}

/* What goes before the data: where, or that the data say where. */
static struct header header_of(const struct blkfront_request *request)
{
	if (request->zeroes)
		return (struct header){ .type = BLK_T_WRITE_ZEROES };
	return (struct header){ request->reading ? BLK_T_IN : BLK_T_OUT, 0, request->block * (PAGE / STORAGE_SECTOR) };
}

void blkfront_submit(struct blkfront_request *request)
{
	struct drvq_buf bufs[3] = { { request->off, sizeof(struct header) },
				    { request->off + PAGE, request->zeroes ? sizeof(struct blk_range) : PAGE },
				    { request->off + STATUS_AT, 1 } };

	*(struct header *)(base + request->off) = header_of(request);
	if (request->zeroes)
		*(struct blk_range *)blkfront_data(request) = (struct blk_range){
			.sector = request->block * (PAGE / STORAGE_SECTOR),
			.sectors = request->zeroes * (PAGE / STORAGE_SECTOR),
		};
	base[request->off + STATUS_AT] = 0xff;
	for (unsigned i = 0; request->reading && i < BLKFRONT_WORDS; i++)
		blkfront_data(request)[i] = 0;
	request->busy = true;
	if (!drvq_add(&queue, bufs, request->reading ? 1 : 2, request->reading ? 2 : 1, request))
		blkfront_die("no room in the queue");
	if (drvq_should_kick(&queue)) {
		front_count_avail(&front, 0);
		ring();
	}
}

void blkfront_harvest(void (*done)(struct blkfront_request *request, bool good))
{
	uint32_t written;
	void *token;

	while (drvq_get(&queue, &token, &written)) {
		struct blkfront_request *request = token;

		done(request, base[request->off + STATUS_AT] == BLK_S_OK);
		request->busy = false;
	}
	if (drvq_broken(&queue))
		blkfront_die("the device broke the rules of the queue");
}

void blkfront_wait(void)
{
	if (!drvq_want_notify(&queue))
		wait_for_event();
}

uint64_t blkfront_number(const char *key, uint64_t otherwise)
{
	char value[24];

	return pv_cmdline_get(key, value, sizeof(value)) ? strtoull(value, NULL, 10) : otherwise;
}
