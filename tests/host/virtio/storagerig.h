/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storagerig.h - a disk's driver with its disk, whichever they are, and requests to it: each with bytes of its own, in
 * segments that respect no boundary, that knows how often and how it was done.
 */
#ifndef VIRTIO_STORAGERIG_H
#define VIRTIO_STORAGERIG_H

#include <pci/cutter.h>

#define SLOT CUTTER_SLOT_BYTES
#define STORAGERIG_JOBS 12u

/* The test's. */
struct storagerig {
	struct storage *storage;
	struct cutter *cutter;
	uint8_t **medium;
	uint64_t sectors;
	/* The disk does at most `limit` commands, the newest first when `backwards`. */
	unsigned (*work)(unsigned limit, bool backwards);
};

extern const struct storagerig storagerig;

struct job {
	struct storage_request io;
	struct vr_seg segs[3];
	uint8_t *bytes;
	unsigned done;
	bool ok;
};

void job_init(struct job *job, enum storage_op op, uint64_t off, uint64_t len);
bool submit(struct job *job);
void storage_poll(void);

/* Both sides work until nothing is out. */
void run(void);

/* Each sector of the medium differs from its neighbours, and so do bytes of one. */
void fill_medium(void);

/* A request alone, from its start to its end. */
void complete(struct job *job, bool ok);
void whole(enum storage_op op, uint64_t off, uint64_t len, bool ok);

/* Reads and writes of all kinds of lengths; then the last sector, and the one behind it: one error. */
void reads_and_writes_of_lengths(void);

/* Takes as many of STORAGERIG_JOBS new jobs as there are slots for; how many. */
unsigned fill_slots(struct job *jobs);

/* The disk does some of those, the newest first, and then all, the ones that were not taken too. */
void empty_slots(struct job *jobs, unsigned taken);

#endif
