/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blk.h - a virtio block device (virtio 1.x, 5.2) on a range of a storage. Several of them, one per
 * client, share one storage; blk_init refuses a range that meets another's.
 *
 * Acknowledged means done by the storage: nothing is cached here. A driver that did not negotiate
 * FLUSH gets each write flushed before it is acknowledged. Requests a predecessor left in the log are
 * done again, which changes nothing: all of them are idempotent.
 */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include "../ring/vdev.h"
#include "../ring/bucket.h"
#include "storage.h"

#define BLK_F_SEG_MAX 2
#define BLK_F_RO 5
#define BLK_F_BLK_SIZE 6
#define BLK_F_FLUSH 9
#define BLK_F_MQ 12
#define BLK_F_DISCARD 13
#define BLK_F_WRITE_ZEROES 14

#define BLK_T_IN 0u
#define BLK_T_OUT 1u
#define BLK_T_FLUSH 4u
#define BLK_T_GET_ID 8u
#define BLK_T_DISCARD 11u
#define BLK_T_WRITE_ZEROES 13u

#define BLK_S_OK 0u
#define BLK_S_IOERR 1u
#define BLK_S_UNSUPP 2u

#define BLK_ID_BYTES 20u
#define BLK_SEG_MAX 126u /* data segments of a request */
#define BLK_RANGES_MAX 8u  /* ranges of one discard or write-zeroes */
#define BLK_RANGE_SECTORS (UINT32_C(1) << 22)
#define BLK_QUEUES_MAX 4u
#define BLK_QUEUE_SIZE 256u

struct blk_config {
	uint64_t capacity;
	uint32_t size_max, seg_max;
	uint16_t cylinders;
	uint8_t heads, geometry_sectors;
	uint32_t blk_size;
	uint8_t physical_block_exp, alignment_offset;
	uint16_t min_io_size;
	uint32_t opt_io_size;
	uint8_t writeback, unused0;
	uint16_t num_queues;
	uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
	uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap, unused1[3];
};

_Static_assert(offsetof(struct blk_config, write_zeroes_may_unmap) == 56, "part of the protocol");

struct blk;

struct blk_range {
	uint64_t sector;
	uint32_t sectors;
	uint32_t flags;
};

_Static_assert(sizeof(struct blk_range) == 16, "part of the protocol");

/* A request in flight; the caller gives an array of them, as many as may be. */
struct blk_request {
	struct storage_request io;
	struct blk *blk;
	struct blk_request *next; /* in one list of blk: free, waiting or done */
	uint16_t head;
	uint8_t queue;
	bool ok;	     /* what the storage said */
	bool flush_after;    /* nobody will ask for a flush: do it before the answer */
	uint32_t written;    /* bytes of the answer, if all goes well */
	unsigned range, ranges; /* of list: which is being done */
	struct blk_range list[BLK_RANGES_MAX];
	struct vr_seg status;
	struct vr_seg segs[BLK_SEG_MAX + 2];
};

struct blk_list {
	struct blk_request *first, *last;
};

struct blk_options {
	struct storage *storage;
	uint64_t first, sectors; /* the client's range; 0 sectors: to the end */
	bool read_only;
	uint8_t queues;		 /* 0: one */
	char id[BLK_ID_BYTES];
	uint64_t bytes_per_second, burst_bytes; /* 0: no limit */
	uint64_t ops_per_second, burst_ops;
};

struct blk_counters {
	uint64_t requests, bytes, errors, throttled, replayed;
};

struct blk {
	struct vdev dev; /* first: the class finds its blk by it */
	struct blk *next; /* clients of the same storage */
	struct blk_options options;
	struct bucket bytes, ops;
	struct blk_list free;
	struct blk_list waiting; /* the storage had no room */
	struct blk_list done;	 /* the storage is through with them */
	unsigned in_flight;	 /* not free */
	unsigned turn; /* queue to look at first */
	struct blk_counters counters;
};

/* `others` is the list of clients this storage already has, or NULL; NULL is returned when it went
 * well, else what is wrong with the options. */
const char *blk_init(struct blk *blk, const struct blk_options *options, const struct port *port,
		     const struct vr_window *window, struct blk *others,
		     struct blk_request *requests, unsigned count)
	__attribute__((warn_unused_result));

/* The window is about to go away. Takes and answers nothing more; true when the storage is through with
 * all it was given, so that the window may go. Ask again when it has finished something; blk_init is
 * next. */
bool blk_drain(struct blk *blk) __attribute__((warn_unused_result));

#endif
