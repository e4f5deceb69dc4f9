/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.h - a storage in a file or block device of a Linux process. Requests are done when submit()
 * returns; FLUSH is fdatasync. Discarding punches a hole, so what comes back are zeros.
 */
#ifndef VIRTIO_FILE_H
#define VIRTIO_FILE_H

#include "../../blk/storage.h"

struct file_storage {
	struct storage storage; /* first */
	int fd;
};

/* 0, or an errno. */
int file_storage_open(struct file_storage *file, const char *path, bool read_only);
void file_storage_close(struct file_storage *file);

#endif
