/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk on the PCI bus as a storage; see vdisk.h. */
#include "vdisk.h"

#include "../blk/blk.h"

#define HEADER_BYTES 16u
#define STATUS_AT 16u  /* behind the header */
#define RANGE_AT 32u   /* of DISCARD and WRITE_ZEROES: their data */
#define COMMAND_BYTES 64u
#define STATUS_NONE 0xffu

#define F_SIZE_MAX 1
#define CONFIG_CAPACITY 0u
#define CONFIG_SIZE_MAX 8u
#define CONFIG_SEG_MAX 12u
#define CONFIG_BLK_SIZE 20u
#define CONFIG_DISCARD 36u
#define CONFIG_ZEROES 48u

struct header {
	uint32_t type, reserved;
	uint64_t sector;
};

_Static_assert(sizeof(struct header) == HEADER_BYTES, "part of the protocol");
_Static_assert(CUTTER_SLOTS_MAX * COMMAND_BYTES <= CUTTER_PAGE, "headers fit a page");

/* ---- the arena ---- */

static uint64_t command_off(const struct vdisk *disk, const struct cutter_slot *slot)
{
	return 3 * CUTTER_PAGE + cutter_index(&disk->cutter, slot) * COMMAND_BYTES;
}

static uint64_t data_off(const struct vdisk *disk, const struct cutter_slot *slot)
{
	return (uint64_t)VDISK_CONTROL_PAGES * CUTTER_PAGE +
	       (uint64_t)cutter_index(&disk->cutter, slot) * CUTTER_SLOT_BYTES;
}

static uint64_t bus_at(const struct vdisk *disk, uint64_t off)
{
	return disk->arena.bus[off / CUTTER_PAGE] + off % CUTTER_PAGE;
}

/* ---- the end ---- */

/* The device is not to be trusted with anything any more. What it was asked for fails. */
static void fail(struct vdisk *disk, const char *why)
{
	if (disk->failed)
		return;
	disk->failed = why;
	vpci_reset(disk->vpci); /* asking is enough: the arena is not used again */
	cutter_fail(&disk->cutter);
}

/* ---- commands ---- */

static uint32_t command_type(enum storage_op op)
{
	switch (op) {
	case STORAGE_READ:
		return BLK_T_IN;
	case STORAGE_WRITE:
		return BLK_T_OUT;
	case STORAGE_DISCARD:
		return BLK_T_DISCARD;
	case STORAGE_ZERO:
		return BLK_T_WRITE_ZEROES;
	default:
		return BLK_T_FLUSH;
	}
}

static uint64_t most_bytes(void *self, enum storage_op op)
{
	const struct vdisk *disk = self;

	switch (op) {
	case STORAGE_DISCARD:
		return (uint64_t)disk->discard_sectors * STORAGE_SECTOR;
	case STORAGE_ZERO:
		return (uint64_t)disk->zero_sectors * STORAGE_SECTOR;
	default:
		return disk->slot_bytes;
	}
}

/* The data of a command as buffers of a page each; data on the write's way is copied here. */
static unsigned list_data(struct vdisk *disk, const struct cutter_slot *slot,
			  struct drvq_buf *bufs)
{
	const struct storage_request *request = slot->request;
	uint64_t off = data_off(disk, slot);
	unsigned count = 0;

	if (request->op == STORAGE_WRITE)
		(void)vr_gather(disk->arena.base + off, request->segs, request->count, slot->at,
				slot->len);
	for (uint32_t done = 0; done < slot->len; done += bufs[count++].len) {
		uint32_t left = slot->len - done;

		bufs[count].off = bus_at(disk, off + done);
		bufs[count].len = left < CUTTER_PAGE ? left : CUTTER_PAGE;
	}
	return count;
}

static unsigned list_range(struct vdisk *disk, const struct cutter_slot *slot, struct drvq_buf *buf)
{
	uint64_t off = command_off(disk, slot) + RANGE_AT;
	struct blk_range range = {
		.sector = (slot->request->off + slot->at) / STORAGE_SECTOR,
		.sectors = (uint32_t)(slot->len / STORAGE_SECTOR),
	};

	vr_copy(disk->arena.base + off, &range, sizeof(range));
	*buf = (struct drvq_buf){ bus_at(disk, off), sizeof(range) };
	return 1;
}

/* Offers the command of a filled slot. False: the queue has no room. */
static bool offer(void *self, struct cutter_slot *slot)
{
	struct vdisk *disk = self;
	struct drvq_buf bufs[2 + CUTTER_SLOT_PAGES];
	const struct storage_request *request = slot->request;
	uint64_t off = command_off(disk, slot);
	unsigned data = 0, readable = 1, writable = 1;
	struct header header = { .type = command_type(request->op) };
	bool transfer = request->op == STORAGE_READ || request->op == STORAGE_WRITE;

	if (transfer) {
		header.sector = (request->off + slot->at) / STORAGE_SECTOR;
		data = list_data(disk, slot, &bufs[1]);
	} else if (request->op != STORAGE_FLUSH) {
		data = list_range(disk, slot, &bufs[1]);
	}
	vr_copy(disk->arena.base + off, &header, sizeof(header));
	disk->arena.base[off + STATUS_AT] = STATUS_NONE;
	bufs[0] = (struct drvq_buf){ bus_at(disk, off), HEADER_BYTES };
	bufs[1 + data] = (struct drvq_buf){ bus_at(disk, off + STATUS_AT), 1 };
	*(request->op == STORAGE_READ ? &writable : &readable) += data;
	return drvq_add(&disk->queue, bufs, readable, writable, slot);
}

static void issue_more(struct vdisk *disk)
{
	cutter_more(&disk->cutter);
	if (drvq_should_kick(&disk->queue))
		vpci_kick(disk->doorbell, 0);
}

static bool succeeded(const struct vdisk *disk, const struct cutter_slot *slot, uint32_t written)
{
	uint32_t due = slot->request->op == STORAGE_READ ? slot->len + 1 : 1;

	return disk->arena.base[command_off(disk, slot) + STATUS_AT] == BLK_S_OK && written >= due;
}

static void returned(struct vdisk *disk, struct cutter_slot *slot, uint32_t written)
{
	const struct storage_request *request = slot->request;
	bool ok = succeeded(disk, slot, written);

	if (ok && request->op == STORAGE_READ)
		(void)vr_scatter(request->segs, request->count, slot->at,
				 disk->arena.base + data_off(disk, slot), slot->len);
	cutter_returned(&disk->cutter, slot, ok);
}

/* ---- the storage ---- */

static bool vdisk_submit(struct storage *storage, struct storage_request *request)
{
	struct vdisk *disk = (struct vdisk *)storage;

	if (disk->failed) {
		request->done(request, false);
		return true;
	}
	if (request->op == STORAGE_FLUSH && !disk->has_flush) { /* without it the device writes through */
		request->done(request, true);
		return true;
	}
	if (!cutter_submit(&disk->cutter, request))
		return false;
	if (drvq_should_kick(&disk->queue))
		vpci_kick(disk->doorbell, 0);
	return true;
}

static void vdisk_poll(struct storage *storage)
{
	struct vdisk *disk = (struct vdisk *)storage;
	bool idle = true;
	uint32_t written;
	void *slot;

	if (disk->failed)
		return;
	do {
		while (drvq_get(&disk->queue, &slot, &written)) {
			returned(disk, slot, written);
			idle = false;
		}
		issue_more(disk);
	} while (drvq_want_notify(&disk->queue));
	if (drvq_broken(&disk->queue))
		fail(disk, "breaks the rules of its queue");
	else if (idle && disk->queue.in_flight && vpci_broken(disk->vpci))
		fail(disk, "asks for a reset");
}

/* ---- making it ready ---- */

static bool has(const struct vdisk *disk, unsigned feature)
{
	return disk->vpci->features & VIRTIO_BIT(feature);
}

static const char *read_limits(struct vdisk *disk)
{
	uint32_t capacity[2], size = STORAGE_SECTOR, segs = CUTTER_SLOT_PAGES, most = CUTTER_PAGE;

	if (!vpci_config(disk->vpci, CONFIG_CAPACITY, capacity, 2) ||
	    (has(disk, F_SIZE_MAX) && !vpci_config(disk->vpci, CONFIG_SIZE_MAX, &most, 1)) ||
	    (has(disk, BLK_F_SEG_MAX) && !vpci_config(disk->vpci, CONFIG_SEG_MAX, &segs, 1)) ||
	    (has(disk, BLK_F_BLK_SIZE) && !vpci_config(disk->vpci, CONFIG_BLK_SIZE, &size, 1)))
		return "has a configuration that cannot be read";
	disk->storage.sectors = capacity[0] | (uint64_t)capacity[1] << 32;
	if (!disk->storage.sectors)
		return "is empty: its size is 0";
	if (disk->storage.sectors > UINT64_MAX / STORAGE_SECTOR)
		return "has an impossible size";
	if (size != STORAGE_SECTOR)
		return "has blocks of another size than 512 bytes";
	if (most < CUTTER_PAGE || segs == 0)
		return "takes no buffers of a page";
	disk->slot_bytes = (segs < CUTTER_SLOT_PAGES ? segs : CUTTER_SLOT_PAGES) * CUTTER_PAGE;
	return NULL;
}

/* Of a kind of requests without data: most sectors in one. 0: not to be used. */
static uint32_t range_limit(struct vdisk *disk, unsigned feature, uint32_t off)
{
	uint32_t limits[2];

	if (!has(disk, feature) || !vpci_config(disk->vpci, off, limits, 2) || limits[1] == 0)
		return 0;
	/* so many that the bytes of a command fit 32 bits */
	return limits[0] < BLK_RANGE_SECTORS ? limits[0] : BLK_RANGE_SECTORS;
}

static const char *start_queue(struct vdisk *disk, uint16_t vector)
{
	const struct vr_window window = {
		.driver = { disk->arena.base, 0, 2 * CUTTER_PAGE },
		.device = { disk->arena.base + 2 * CUTTER_PAGE, 2 * CUTTER_PAGE, CUTTER_PAGE },
	};
	uint16_t size = vpci_queue_max(disk->vpci, 0);
	struct vr_place place = { .desc = 0, .avail = CUTTER_PAGE, .used = 2 * CUTTER_PAGE };
	struct vpci_place bus = {
		.desc = bus_at(disk, place.desc),
		.avail = bus_at(disk, place.avail),
		.used = bus_at(disk, place.used),
		.vector = vector,
	};

	place.size = bus.size = size < VDISK_QUEUE ? size : VDISK_QUEUE;
	if (!vr_size_valid(place.size) || place.size < 2 + CUTTER_SLOT_PAGES)
		return "has a queue of no use";
	if (!drvq_start(&disk->queue, &window, &place, disk->queue_slots,
			has(disk, VIRTIO_F_EVENT_IDX)))
		return "has an arena that does not fit";
	return vpci_queue(disk->vpci, 0, &bus, &disk->doorbell);
}

const char *vdisk_init(struct vdisk *disk, struct vpci *vpci, const struct pci_arena *arena,
		       uint16_t vector, bool remapped)
{
	const uint64_t wanted = VIRTIO_BIT(F_SIZE_MAX) | VIRTIO_BIT(BLK_F_SEG_MAX) |
				VIRTIO_BIT(BLK_F_RO) | VIRTIO_BIT(BLK_F_BLK_SIZE) |
				VIRTIO_BIT(BLK_F_FLUSH) | VIRTIO_BIT(BLK_F_DISCARD) |
				VIRTIO_BIT(BLK_F_WRITE_ZEROES) | VIRTIO_BIT(VIRTIO_F_EVENT_IDX);
	const char *why;

	*disk = (struct vdisk){
		.vpci = vpci,
		.arena = *arena,
		.cutter = { .self = disk, .most = most_bytes, .offer = offer },
	};
	if (arena->pages < VDISK_ARENA_MIN)
		return "has too little memory for transfers";
	disk->cutter.count = (arena->pages - VDISK_CONTROL_PAGES) / CUTTER_SLOT_PAGES;
	if (disk->cutter.count > CUTTER_SLOTS_MAX)
		disk->cutter.count = CUTTER_SLOTS_MAX;
	why = vpci_negotiate(vpci, wanted, remapped);
	if (!why)
		why = read_limits(disk);
	if (!why)
		why = start_queue(disk, vector);
	if (why)
		return why;
	disk->has_flush = has(disk, BLK_F_FLUSH);
	disk->discard_sectors = range_limit(disk, BLK_F_DISCARD, CONFIG_DISCARD);
	disk->zero_sectors = range_limit(disk, BLK_F_WRITE_ZEROES, CONFIG_ZEROES);
	disk->storage.read_only = has(disk, BLK_F_RO);
	disk->storage.can_discard = disk->discard_sectors != 0;
	disk->storage.can_zero = disk->zero_sectors != 0;
	disk->storage.submit = vdisk_submit;
	disk->storage.poll = vdisk_poll;
	vpci_driver_ok(vpci);
	return NULL;
}
