/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cutter.h - requests cut into commands as a disk takes them: each command has a slot, with memory of its own for
 * data, and does at most so many bytes. Those of a request are out together, and it is done when all of them
 * are. One request at a time waits for slots; the next is taken when all commands of that one are out.
 */
#ifndef VIRTIO_CUTTER_H
#define VIRTIO_CUTTER_H

#include "../blk/storage.h"

#define CUTTER_PAGE 4096u
#define CUTTER_SLOTS_MAX 64u
#define CUTTER_SLOT_PAGES 16u
#define CUTTER_SLOT_BYTES (CUTTER_SLOT_PAGES * CUTTER_PAGE)

struct cutter_slot {
	struct storage_request *request; /* NULL: free */
	uint64_t at;			 /* of the request's bytes: which this command is for */
	uint32_t len;
};

struct cutter {
	struct cutter_slot slots[CUTTER_SLOTS_MAX];
	unsigned count;
	struct storage_request *current; /* taken, not all of its commands are out yet; or NULL */
	uint64_t commands, errors;

	/* The disk's: most bytes of a command, which is not 0 for what it can; offering it, false: no room. */
	void *self;
	uint64_t (*most)(void *self, enum storage_op op);
	bool (*offer)(void *self, struct cutter_slot *slot);
};

unsigned cutter_index(const struct cutter *cutter, const struct cutter_slot *slot);

/* Takes a request, FLUSH as one command of one byte. False: no room. */
bool cutter_submit(struct cutter *cutter, struct storage_request *request);

/* More commands for the request that waits, as many as there is room for; none when one has failed. */
void cutter_more(struct cutter *cutter);

/* The command of a slot is through. */
void cutter_returned(struct cutter *cutter, struct cutter_slot *slot, bool ok);

/* Everything taken fails, each request once. The disk takes nothing more by then: done() may submit. */
void cutter_fail(struct cutter *cutter);

#endif
