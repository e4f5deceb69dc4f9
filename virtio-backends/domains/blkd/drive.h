/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drive.h - a disk among the PCI functions of this domain, from the function to a storage. In a newlib domain
 * (drive.c) a virtio or NVMe disk and the driver that comes with it; in a Linux driver VM (drive_linux.c) whatever
 * Linux has made a block device of.
 */
#ifndef BLKD_DRIVE_H
#define BLKD_DRIVE_H

#include <blk/storage.h>
#include <pv/libpv.h>

struct drive;

/* The disk that is function number index. on_done(port, drive) is called when one has finished something, and ends
 * with drive_served(). NULL: the reason is in the log. */
struct drive *drive_open(unsigned index, pv_event_fn on_done);

struct storage *drive_storage(struct drive *drive);

/* on_done() may be called again; says once when the disk has failed, and each time it was reset. */
void drive_served(struct drive *drive);

#endif
