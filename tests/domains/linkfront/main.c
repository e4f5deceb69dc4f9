/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linkfront - the smallest front end of a block link: writes every block of the disk with its number
 * and a round, several requests at a time, reads all back, and compares. Like any driver it looks at
 * the link page only for its doorbell: it does not know whether its back end died meanwhile.
 *
 * Options: rounds=N (2), limit=BLOCKS of the disk to use, stay: goes on following the link when it is done,
 * deaf: with stay, does not follow it. Exit code 0: every block held what was acknowledged last.
 */
#include <stdio.h>
#include <stdlib.h>

#include <pv/libpv.h>

#include <blk/blk.h>
#include <ring/drvq.h>
#include <ring/front.h>

#define PAGE 4096u
#define SLOTS 16u
#define WORDS (PAGE / sizeof(uint64_t))
#define QUEUE_SIZE 256u
#define ROOM_FOR_QUEUES 8u /* pages behind the control pages: used rings and logs */
#define PATIENCE (20 * PV_NSEC_PER_SEC)

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

struct slot {
	bool busy;
	uint64_t block;
	uint64_t off; /* in the window: header, status at 64, data a page further */
};

static const struct pv_link *page;
static uint8_t *base;
static struct front front;
static struct drvq queue;
static struct drvq_slot drvq_slots[QUEUE_SIZE];
static struct slot slots[SLOTS];
static pv_port_t doorbell;
static uint32_t epoch;
static uint64_t done, bad, round_now;

static void die(const char *what)
{
	printf("linkfront: %s\n", what);
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
	if (!pv_event_run_once(pv_clock_ns() + PATIENCE))
		die("nothing happens any more");
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
		die("no link to drive");
	if (pv_grant_attach(start->handle, 1, 0, &addr) < 0)
		die("the link page cannot be mapped");
	page = addr;
	if (pv_grant_attach(page->front_dev, 1, 1, &device) != -PV_EPERM)
		die("the DEV page can be mapped for writing");
	if (pv_grant_attach(page->front_dev, 1, 0, &device) < 0)
		die("the DEV page cannot be mapped");
	base = (uint8_t *)(start->window_gfn << PV_PAGE_SHIFT);
	front_init(&front, (struct link_driver_page *)base, device);
	pv_event_bind(start->port, on_change, NULL);
	on_change(0, NULL);
}

static void start_device(void)
{
	const uint64_t wanted = VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM) |
				VIRTIO_BIT(VIRTIO_F_EVENT_IDX) | VIRTIO_BIT(BLK_F_FLUSH);
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
		die("the device refuses our features");
	if (!drvq_start(&queue, &window, &place, drvq_slots, true))
		die("the queue does not fit");
	front_set_queue(&front, 0, &place);
	front_driver_ok(&front);
	wait_ack();
	for (unsigned i = 0; i < SLOTS; i++)
		slots[i].off = control + (ROOM_FOR_QUEUES + 2 * i) * PAGE;
}

/* ---- requests ---- */

static uint64_t *data_of(const struct slot *slot)
{
	return (uint64_t *)(base + slot->off + PAGE);
}

static uint64_t word_for(uint64_t block, uint64_t round, unsigned i)
{
	return (block << 32 ^ round << 16 ^ i) * 0x9e3779b97f4a7c15ull;
}

static void harvest(bool reading)
{
	uint32_t written;
	void *token;

	while (drvq_get(&queue, &token, &written)) {
		struct slot *slot = token;

		if (base[slot->off + 64] != BLK_S_OK)
			bad++;
		for (unsigned i = 0; reading && i < WORDS; i++) {
			if (data_of(slot)[i] == word_for(slot->block, round_now, i))
				continue;
			printf("block %llu differs at word %u\n", (unsigned long long)slot->block, i);
			bad++;
			break;
		}
		slot->busy = false;
		done++;
	}
	if (drvq_broken(&queue))
		die("the device broke the rules of the queue");
}

static struct slot *slot_free(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (!slots[i].busy)
			return &slots[i];
	return NULL;
}

static void submit(struct slot *slot, uint64_t block, bool reading)
{
	struct drvq_buf bufs[3] = { { slot->off, sizeof(struct header) }, { slot->off + PAGE, PAGE },
				    { slot->off + 64, 1 } };

	*(struct header *)(base + slot->off) =
		(struct header){ reading ? BLK_T_IN : BLK_T_OUT, 0, block * (PAGE / STORAGE_SECTOR) };
	base[slot->off + 64] = 0xff;
	for (unsigned i = 0; i < WORDS; i++)
		data_of(slot)[i] = reading ? 0 : word_for(block, round_now, i);
	slot->busy = true;
	slot->block = block;
	if (!drvq_add(&queue, bufs, reading ? 1 : 2, reading ? 2 : 1, slot))
		die("no room in the queue");
	if (drvq_should_kick(&queue)) {
		front_count_avail(&front, 0);
		ring();
	}
}

static void whole_disk(uint64_t blocks, bool reading)
{
	uint64_t next = 0;

	done = 0;
	while (done < blocks) {
		struct slot *slot = next < blocks ? slot_free() : NULL;

		if (slot)
			submit(slot, next++, reading);
		else if (!drvq_want_notify(&queue))
			wait_for_event();
		harvest(reading);
	}
}

static uint64_t number(const char *key, uint64_t otherwise)
{
	char value[24];

	return pv_cmdline_get(key, value, sizeof(value)) ? strtoull(value, NULL, 10) : otherwise;
}

int main(void)
{
	uint64_t rounds = number("rounds", 2), sectors, blocks;

	open_link();
	start_device();
	if (!front_config(&front, 0, &sectors, sizeof(sectors)))
		die("no configuration");
	blocks = sectors / (PAGE / STORAGE_SECTOR);
	if (number("limit", blocks) < blocks)
		blocks = number("limit", blocks);
	for (round_now = 1; round_now <= rounds; round_now++) {
		whole_disk(blocks, false);
		whole_disk(blocks, true);
	}
	printf("%llu rounds of %llu blocks, %llu bad, epoch %u\n", (unsigned long long)rounds,
	       (unsigned long long)blocks, (unsigned long long)bad, epoch);
	fflush(stdout);
	if (pv_cmdline_has("deaf"))
		pv_event_unbind(pv_start_info->links[0].port);
	while (pv_cmdline_has("stay"))
		pv_event_run_once(PV_FOREVER);
	return bad != 0;
}
