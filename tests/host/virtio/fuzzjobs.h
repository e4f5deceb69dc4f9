/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzzjobs.h - requests to a disk's driver as a fuzzer's input says (fuzzfn.h). Each has memory of just its size, and
 * is done once: more often, or not by the end, is abort().
 */
#ifndef VIRTIO_FUZZJOBS_H
#define VIRTIO_FUZZJOBS_H

#include <blk/storage.h>

/* Fresh ones, none of them out. */
void fuzzjobs_begin(void);

/* Any of them, if it is not out and is something the disk can do. */
void fuzzjobs_submit(struct storage *storage);

/* The disk is gone: after a few looks at it none is out. */
void fuzzjobs_end(struct storage *storage);

void fuzzjobs_free(void);

#endif
