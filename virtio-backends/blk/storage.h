/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storage.h - what a block device stands on: bytes in units of 512, asynchronous. Implemented by a RAM
 * disk, a file, or the driver of a disk.
 *
 * done() is called once for every request submit() took, possibly before submit() returns. It means
 * that the medium has the data as far as it promises before a flush: an implementation keeps no
 * written data of its own. Requests in flight may finish in any order.
 */
#ifndef VIRTIO_STORAGE_H
#define VIRTIO_STORAGE_H

#include "../ring/ring.h"

#define STORAGE_SECTOR 512u

enum storage_op {
	STORAGE_READ,
	STORAGE_WRITE,
	STORAGE_FLUSH,	 /* everything done before is on stable storage */
	STORAGE_DISCARD, /* content becomes unknown, but never another client's */
	STORAGE_ZERO,	 /* content becomes zero */
};

struct storage_request {
	enum storage_op op;
	uint64_t off; /* bytes, in whole sectors, inside the storage: the caller has checked */
	uint64_t len; /* bytes, in whole sectors, 1 or more but for FLUSH */
	const struct vr_seg *segs; /* READ, WRITE: len bytes in all; segs of any length */
	unsigned count;
	void (*done)(struct storage_request *request, bool ok);
	void *owner;

	/* For the implementation while it has the request. */
	struct storage_request *next;
	uint64_t private[2];
};

struct storage {
	uint64_t sectors;
	bool read_only;
	bool can_discard, can_zero;

	/* False: no room at the moment; the caller asks again after poll or done. */
	bool (*submit)(struct storage *storage, struct storage_request *request);
	/* Calls done() for what has finished; NULL where done() comes from elsewhere. */
	void (*poll)(struct storage *storage);
};

#endif
