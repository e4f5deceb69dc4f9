/* SPDX-License-Identifier: BSD-2-Clause */
/* A storage in memory; see ramdisk.h. */
#include "ramdisk.h"

static bool ramdisk_submit(struct storage *storage, struct storage_request *request)
{
	struct ramdisk *disk = (struct ramdisk *)storage;
	uint8_t *at = disk->bytes + request->off;

	switch (request->op) {
	case STORAGE_READ:
		(void)vr_scatter(request->segs, request->count, 0, at, request->len);
		break;
	case STORAGE_WRITE:
		(void)vr_gather(at, request->segs, request->count, 0, request->len);
		break;
	case STORAGE_DISCARD:
	case STORAGE_ZERO:
		vr_zero(at, request->len);
		break;
	case STORAGE_FLUSH:
		break;
	}
	request->done(request, true);
	return true;
}

void ramdisk_init(struct ramdisk *disk, void *bytes, uint64_t size)
{
	*disk = (struct ramdisk){
		.storage = {
			.sectors = size / STORAGE_SECTOR,
			.can_discard = true,
			.can_zero = true,
			.submit = ramdisk_submit,
		},
		.bytes = bytes,
	};
}
