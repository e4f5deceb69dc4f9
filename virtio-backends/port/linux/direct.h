/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * direct.h - a storage in a block device of this Linux, past its page cache: done means that the device has
 * done it, so nothing is lost when this machine dies. Asynchronous, up to DIRECT_SLOTS commands at a time.
 */
#ifndef VIRTIO_PORT_LINUX_DIRECT_H
#define VIRTIO_PORT_LINUX_DIRECT_H

#include <linux/aio_abi.h>

#include "../../blk/storage.h"

#define DIRECT_SLOTS 32u
#define DIRECT_SLOT_BYTES 65536u

struct direct_slot {
	struct iocb iocb;
	struct storage_request *request; /* NULL: free */
	uint64_t at;			 /* how far into the request */
	uint32_t len;
};

struct direct {
	struct storage storage; /* first */
	int fd, bell;		/* bell: an eventfd that counts commands that are through */
	aio_context_t context;
	uint8_t *arena; /* a piece for each slot */
	struct direct_slot slots[DIRECT_SLOTS];
	struct storage_request *current; /* not all of its commands are made yet */
};

/* NULL, or why not. bell: of all disks alike. */
const char *direct_open(struct direct *disk, const char *path, int bell);

/* Whatever is through. Calls done(). */
void direct_poll(struct direct *disk);

#endif
