/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lazy.h - a disk for tests: it keeps requests until it is polled, finishes them in either order, has
 * no room when the test says so, and outlives the back end that fed it.
 */
#ifndef VIRTIO_LAZY_H
#define VIRTIO_LAZY_H

#include <blk/ramdisk.h>

#define LAZY_MAX 64u

struct lazy {
	struct storage storage; /* first */
	struct ramdisk disk;
	struct storage_request *queue[LAZY_MAX];
	unsigned count, limit, per_poll, refused;
	unsigned executed, flushes;
	bool newest_first, fail;
};

void lazy_init(struct lazy *lazy, void *bytes, uint64_t size);

/* The back end is dead. What it had queued is on the medium or it is lost; nobody is told. */
void lazy_back_end_died(struct lazy *lazy, bool executed);

#endif
