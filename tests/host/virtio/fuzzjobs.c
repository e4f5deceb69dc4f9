/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests as a fuzzer's input says; see fuzzjobs.h. */
#include "fuzzjobs.h"

#include <stdlib.h>

#include <pci/cutter.h>

#include "fuzzfn.h"

#define JOBS 6u
#define JOB_BYTES (3u * CUTTER_SLOT_BYTES)

struct job {
	struct storage_request io;
	struct vr_seg seg;
	uint8_t *bytes;
	bool out;
};

static struct job jobs[JOBS];

static void job_done(struct storage_request *request, bool ok)
{
	struct job *job = request->owner;

	(void)ok;
	if (!job->out)
		abort(); /* done twice, or never taken */
	job->out = false;
}

void fuzzjobs_begin(void)
{
	for (unsigned i = 0; i < JOBS; i++)
		jobs[i] = (struct job){ .bytes = malloc(JOB_BYTES) };
}

void fuzzjobs_submit(struct storage *storage)
{
	static const enum storage_op ops[] = { STORAGE_READ, STORAGE_WRITE, STORAGE_FLUSH,
					       STORAGE_DISCARD, STORAGE_ZERO };
	struct job *job = &jobs[next() % JOBS];
	enum storage_op op = ops[next() % 5];
	uint64_t sectors = 1 + (next() << 8 | next()) % (JOB_BYTES / STORAGE_SECTOR);

	if (job->out || (op == STORAGE_DISCARD && !storage->can_discard) ||
	    (op == STORAGE_ZERO && !storage->can_zero))
		return;
	job->seg = (struct vr_seg){ job->bytes, 0, (uint32_t)(sectors * STORAGE_SECTOR) };
	job->io = (struct storage_request){
		.op = op, .off = next() * 512u, .len = op == STORAGE_FLUSH ? 0 : job->seg.len,
		.segs = &job->seg, .count = 1, .done = job_done, .owner = job,
	};
	job->out = true;
	if (!storage->submit(storage, &job->io))
		job->out = false;
}

void fuzzjobs_end(struct storage *storage)
{
	for (unsigned i = 0; i < 3; i++)
		storage->poll(storage);
	for (unsigned i = 0; i < JOBS; i++)
		if (jobs[i].out)
			abort();
}

void fuzzjobs_free(void)
{
	for (unsigned i = 0; i < JOBS; i++)
		free(jobs[i].bytes);
}
