/* SPDX-License-Identifier: BSD-2-Clause */
/* ramdisk.h - a storage in memory. Requests are done when submit() returns. */
#ifndef VIRTIO_RAMDISK_H
#define VIRTIO_RAMDISK_H

#include "storage.h"

struct ramdisk {
	struct storage storage; /* first */
	uint8_t *bytes;
};

void ramdisk_init(struct ramdisk *disk, void *bytes, uint64_t size);

#endif
