/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio block device; see blk.h. A request's way:
 *
 *	free -> popped, decoded -> storage -> done -> next range or flush -> storage ... -> answered -> free
 *
 * Decoding checks everything against private copies; what follows works on those alone. The storage
 * says done() at any time; what follows from it is done in blk_run, so nothing calls itself.
 */
#include "blk.h"

#define HEADER_BYTES 16u
#define RUN_MAX 64u /* looks at a queue in one run, so that other links get their turn */

#define RANGE_UNMAP 1u

struct header {
	uint32_t type, priority;
	uint64_t sector;
};

_Static_assert(sizeof(struct header) == HEADER_BYTES, "part of the protocol");

static void list_add(struct blk_list *list, struct blk_request *request)
{
	request->next = NULL;
	if (list->first)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
}

static struct blk_request *list_take(struct blk_list *list)
{
	struct blk_request *request = list->first;

	if (request)
		list->first = request->next;
	return request;
}

static void release(struct blk_request *request)
{
	request->blk->in_flight--;
	list_add(&request->blk->free, request);
}

/* The answer: status byte, used entry. */
static void finish(struct blk_request *request, uint8_t status)
{
	struct blk *blk = request->blk;

	if (status != BLK_S_OK) {
		blk->counters.errors++;
		/* Nothing is promised about the data; the status lies behind it. */
		request->written = request->written == 1 ? 1 : 0;
	}
	(void)vr_scatter(&request->status, 1, 0, &status, 1);
	vdev_push(&blk->dev, request->queue, request->head, request->written);
	release(request);
}

static void storage_done(struct storage_request *io, bool ok)
{
	struct blk_request *request = io->owner;

	request->ok = ok;
	list_add(&request->blk->done, request);
}

static void submit(struct blk_request *request)
{
	struct blk *blk = request->blk;

	if (blk->options.storage->submit(blk->options.storage, &request->io))
		vr_test_step(VR_STEP_SUBMITTED);
	else
		list_add(&blk->waiting, request);
}

static void submit_range(struct blk_request *request)
{
	const struct blk_range *range = &request->list[request->range];

	request->io.off = (request->blk->options.first + range->sector) * STORAGE_SECTOR;
	request->io.len = (uint64_t)range->sectors * STORAGE_SECTOR;
	submit(request);
}

/* The storage is through with one step of a request. */
static void step(struct blk_request *request)
{
	if (!request->ok) {
		finish(request, BLK_S_IOERR);
	} else if (++request->range < request->ranges) {
		submit_range(request);
	} else if (request->flush_after) {
		request->flush_after = false;
		request->io.op = STORAGE_FLUSH;
		request->io.count = 0;
		request->io.len = 0;
		submit(request);
	} else {
		finish(request, BLK_S_OK);
	}
}

static bool in_capacity(const struct blk *blk, uint64_t sector, uint64_t sectors)
{
	return sectors <= blk->options.sectors && sector <= blk->options.sectors - sectors;
}

/* Each decoder returns the status that ends the request at once, or BLK_S_OK: the request is ready
 * for the storage. */
static uint8_t decode_transfer(struct blk_request *request, const struct header *header,
			       unsigned count, uint64_t len)
{
	const struct blk *blk = request->blk;

	if (len == 0 || len % STORAGE_SECTOR ||
	    !in_capacity(blk, header->sector, len / STORAGE_SECTOR))
		return BLK_S_IOERR;
	request->io.op = header->type == BLK_T_IN ? STORAGE_READ : STORAGE_WRITE;
	request->io.count = count;
	request->list[0] = (struct blk_range){ header->sector, (uint32_t)(len / STORAGE_SECTOR), 0 };
	request->ranges = 1;
	return BLK_S_OK;
}

static uint8_t decode_ranges(struct blk_request *request, uint32_t type, unsigned count,
			     uint64_t len)
{
	const struct blk *blk = request->blk;
	uint32_t flags = type == BLK_T_WRITE_ZEROES ? RANGE_UNMAP : 0;

	if (len == 0 || len % sizeof(struct blk_range) || len > sizeof(request->list))
		return BLK_S_IOERR;
	(void)vr_gather(request->list, request->segs, count, 0, len);
	request->ranges = (unsigned)(len / sizeof(struct blk_range));
	for (unsigned i = 0; i < request->ranges; i++) {
		const struct blk_range *range = &request->list[i];

		if (range->flags & ~flags)
			return BLK_S_UNSUPP;
		if (range->sectors == 0 || range->sectors > BLK_RANGE_SECTORS ||
		    !in_capacity(blk, range->sector, range->sectors))
			return BLK_S_IOERR;
	}
	request->io.op = type == BLK_T_DISCARD ? STORAGE_DISCARD : STORAGE_ZERO;
	return BLK_S_OK;
}

static bool is_writing(uint32_t type)
{
	return type == BLK_T_OUT || type == BLK_T_DISCARD || type == BLK_T_WRITE_ZEROES;
}

/* A request of type `type` may have data to read (out) or room to write (in), not both. */
static bool data_fits(uint32_t type, uint64_t out, uint64_t in)
{
	switch (type) {
	case BLK_T_IN:
	case BLK_T_GET_ID:
		return out == 0;
	case BLK_T_FLUSH:
		return out == 0 && in == 0;
	default:
		return in == 0;
	}
}

static bool is_known(const struct blk *blk, uint32_t type)
{
	switch (type) {
	case BLK_T_IN:
	case BLK_T_OUT:
	case BLK_T_GET_ID:
		return true;
	case BLK_T_FLUSH:
		return vdev_has(&blk->dev, BLK_F_FLUSH);
	case BLK_T_DISCARD:
		return vdev_has(&blk->dev, BLK_F_DISCARD);
	case BLK_T_WRITE_ZEROES:
		return vdev_has(&blk->dev, BLK_F_WRITE_ZEROES);
	default:
		return false;
	}
}

static void send_id(struct blk_request *request, unsigned count, uint64_t room)
{
	uint64_t len = room < BLK_ID_BYTES ? room : BLK_ID_BYTES;

	(void)vr_scatter(request->segs, count, 0, request->blk->options.id, (size_t)len);
	request->written = (uint32_t)(room == len ? len + 1 : len);
	finish(request, BLK_S_OK);
}

/* What a request costs is known when it is decoded; the bucket may go below zero for it. */
static void charge(struct blk *blk, const struct blk_request *request)
{
	uint64_t bytes = 0;

	if (request->io.op != STORAGE_FLUSH && request->io.op != STORAGE_DISCARD)
		for (unsigned i = 0; i < request->ranges; i++)
			bytes += (uint64_t)request->list[i].sectors * STORAGE_SECTOR;
	blk->counters.bytes += bytes;
	bucket_take(&blk->bytes, bytes);
}

/* Header and data of a chain whose last writable byte is the status. */
static void start(struct blk_request *request, const struct devq_chain *chain, uint64_t out,
		  uint64_t in)
{
	struct blk *blk = request->blk;
	struct header header;
	unsigned count;
	uint8_t status;

	request->written = (uint32_t)in + 1;
	if (out < HEADER_BYTES)
		return finish(request, BLK_S_IOERR);
	(void)vr_gather(&header, request->segs, chain->readable, 0, sizeof(header));
	out -= HEADER_BYTES;
	if (!is_known(blk, header.type))
		return finish(request, BLK_S_UNSUPP);
	if (!data_fits(header.type, out, in) || (is_writing(header.type) && blk->options.read_only))
		return finish(request, BLK_S_IOERR);

	if (in)
		count = vr_slice(request->segs, request->segs + chain->readable, chain->writable, 0,
				 in);
	else
		count = vr_slice(request->segs, request->segs, chain->readable, HEADER_BYTES, out);
	request->range = request->ranges = 0;
	request->flush_after = is_writing(header.type) && !vdev_has(&blk->dev, BLK_F_FLUSH);
	request->io.count = 0;
	if (header.type == BLK_T_GET_ID)
		return send_id(request, count, in);
	if (header.type == BLK_T_FLUSH) {
		request->io.op = STORAGE_FLUSH;
		request->io.len = 0;
		return submit(request);
	}
	if (header.type == BLK_T_IN || header.type == BLK_T_OUT)
		status = decode_transfer(request, &header, count, in + out);
	else
		status = decode_ranges(request, header.type, count, out);
	if (status != BLK_S_OK)
		return finish(request, status);
	charge(blk, request);
	submit_range(request);
}

/* Takes one request of a queue. False: there is none. */
static bool take(struct blk *blk, unsigned queue)
{
	struct blk_request *request = blk->free.first;
	struct devq_chain chain = { .segs = request->segs, .max = BLK_SEG_MAX + 2 };
	const struct vr_seg *writable;
	uint64_t out, in;

	if (!vdev_pop(&blk->dev, queue, &chain))
		return false;
	(void)list_take(&blk->free);
	blk->in_flight++;
	blk->counters.requests++;
	blk->counters.replayed += chain.replayed;
	bucket_take(&blk->ops, 1);
	request->queue = (uint8_t)queue;
	request->head = chain.head;
	writable = request->segs + chain.readable;
	out = vr_total(request->segs, chain.readable);
	in = vr_total(writable, chain.writable);
	if (in == 0) {
		release(request);
		devq_break(&blk->dev.queues[queue], DEVQ_REQUEST);
		vdev_break(&blk->dev, devq_fault_name(DEVQ_REQUEST));
		return false;
	}
	(void)vr_slice(&request->status, writable, chain.writable, in - 1, 1);
	start(request, &chain, out, in - 1);
	return true;
}

/* Goes on with everything the storage has finished or had no room for. */
static void advance(struct blk *blk)
{
	struct blk_request *request;

	while ((request = list_take(&blk->done))) {
		if (blk->dev.state == VDEV_LIVE)
			step(request);
		else
			release(request);
	}
	/* One try each: who is refused again goes back to the end, then the rest waits as it is. */
	request = blk->waiting.first;
	if (request) {
		struct blk_request *last = blk->waiting.last;

		do {
			request = list_take(&blk->waiting);
			submit(request);
		} while (request != last);
	}
}

static uint64_t ready_at(struct blk *blk, uint64_t now)
{
	uint64_t bytes = bucket_ready(&blk->bytes, now);
	uint64_t ops = bucket_ready(&blk->ops, now);

	return bytes > ops ? bytes : ops;
}

/* Takes what may be taken now, a queue after the other, in a bounded number of turns: a driver that
 * keeps changing its mind about what it offers uses them up too. Returns when there is more to do. */
static uint64_t take_all(struct blk *blk, uint64_t now)
{
	unsigned queues = blk->options.queues, empty = 0;

	for (unsigned turn = 0; turn < RUN_MAX; turn++) {
		uint64_t ready = ready_at(blk, now);
		unsigned queue = blk->turn;

		if (empty == queues || blk->dev.state != VDEV_LIVE)
			return VDEV_IDLE;
		if (ready > now) {
			blk->counters.throttled++;
			return ready;
		}
		if (!blk->free.first)
			return VDEV_IDLE; /* the storage will call */
		blk->turn = (queue + 1) % queues;
		if (take(blk, queue)) {
			empty = 0;
			advance(blk);
		} else if (!vdev_sleep(&blk->dev, queue)) {
			empty++;
		}
	}
	return now;
}

static uint64_t blk_run(struct vdev *dev, uint64_t now)
{
	struct blk *blk = (struct blk *)dev;
	uint64_t wake;

	if (blk->options.storage->poll)
		blk->options.storage->poll(blk->options.storage);
	advance(blk);
	for (unsigned i = 0; i < blk->options.queues; i++)
		if (vdev_queue_live(dev, i))
			devq_no_kick(&dev->queues[i]);
	wake = take_all(blk, now);
	for (unsigned i = 0; i < blk->options.queues; i++)
		vdev_flush(dev, i);
	return blk->done.first ? now : wake;
}

static void blk_stop(struct vdev *dev)
{
	struct blk *blk = (struct blk *)dev;
	struct blk_request *request;

	while ((request = list_take(&blk->waiting)))
		release(request);
	while ((request = list_take(&blk->done)))
		release(request);
}

static bool blk_idle(const struct vdev *dev)
{
	return ((const struct blk *)dev)->in_flight == 0;
}

bool blk_drain(struct blk *blk)
{
	struct storage *storage = blk->options.storage;

	blk->dev.state = VDEV_DOWN;
	if (storage->poll)
		storage->poll(storage);
	blk_stop(&blk->dev);
	return blk->in_flight == 0;
}

static const struct vdev_class blk_class = {
	.name = "blk",
	.device_id = 2,
	.queues = BLK_QUEUES_MAX,
	.run = blk_run,
	.stop = blk_stop,
	.idle = blk_idle,
};

static void fill_config(struct blk *blk)
{
	struct blk_config config = {
		.capacity = blk->options.sectors,
		.seg_max = BLK_SEG_MAX,
		.blk_size = STORAGE_SECTOR,
		.num_queues = blk->options.queues,
		.max_discard_sectors = BLK_RANGE_SECTORS,
		.max_discard_seg = BLK_RANGES_MAX,
		.discard_sector_alignment = 1,
		.max_write_zeroes_sectors = BLK_RANGE_SECTORS,
		.max_write_zeroes_seg = BLK_RANGES_MAX,
		.write_zeroes_may_unmap = 1,
	};

	vdev_config_set(&blk->dev, 0, &config, 60);
}

static uint64_t features(const struct blk_options *options)
{
	uint64_t set = VIRTIO_BIT(BLK_F_SEG_MAX) | VIRTIO_BIT(BLK_F_BLK_SIZE) |
		       VIRTIO_BIT(BLK_F_FLUSH);

	if (options->queues > 1)
		set |= VIRTIO_BIT(BLK_F_MQ);
	if (options->read_only)
		return set | VIRTIO_BIT(BLK_F_RO);
	if (options->storage->can_discard)
		set |= VIRTIO_BIT(BLK_F_DISCARD);
	if (options->storage->can_zero)
		set |= VIRTIO_BIT(BLK_F_WRITE_ZEROES);
	return set;
}

static const char *check(struct blk_options *options, const struct blk *others)
{
	const struct storage *storage = options->storage;

	options->read_only = options->read_only || storage->read_only;
	if (options->queues == 0)
		options->queues = 1;
	if (options->queues > BLK_QUEUES_MAX)
		return "more queues than a block device has";
	if (storage->sectors > UINT64_MAX / STORAGE_SECTOR || options->first > storage->sectors)
		return "the range begins behind the storage";
	if (options->sectors == 0)
		options->sectors = storage->sectors - options->first;
	if (options->sectors == 0 || options->sectors > storage->sectors - options->first)
		return "the range is empty or ends behind the storage";
	for (; others; others = others->next) {
		const struct blk_options *other = &others->options;

		if (options->first < other->first + other->sectors &&
		    other->first < options->first + options->sectors &&
		    !(options->read_only && other->read_only))
			return "the range meets another client's";
	}
	return NULL;
}

const char *blk_init(struct blk *blk, const struct blk_options *options, const struct port *port,
		     const struct vr_window *window, struct blk *others,
		     struct blk_request *requests, unsigned count)
{
	struct blk_options checked = *options;
	const char *wrong = check(&checked, others);
	uint64_t now = port->now(port->self);

	if (wrong)
		return wrong;
	if (count == 0)
		return "no room for requests";
	*blk = (struct blk){ .options = checked, .next = others };
	vdev_init(&blk->dev, &blk_class, port, window, features(&checked), BLK_QUEUE_SIZE);
	for (unsigned i = checked.queues; i < BLK_QUEUES_MAX; i++)
		blk->dev.queue_max[i] = 0;
	fill_config(blk);
	bucket_init(&blk->bytes, checked.bytes_per_second, checked.burst_bytes, now);
	bucket_init(&blk->ops, checked.ops_per_second, checked.burst_ops, now);
	for (unsigned i = 0; i < count; i++) {
		requests[i] = (struct blk_request){ .blk = blk };
		requests[i].io.owner = &requests[i];
		requests[i].io.done = storage_done;
		requests[i].io.segs = requests[i].segs;
		list_add(&blk->free, &requests[i]);
	}
	return NULL;
}
