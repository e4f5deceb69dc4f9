/* SPDX-License-Identifier: BSD-2-Clause */
#include "storagerig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void job_done(struct storage_request *request, bool ok)
{
	struct job *job = request->owner;

	job->done++;
	job->ok = ok;
}

void job_init(struct job *job, enum storage_op op, uint64_t off, uint64_t len)
{
	uint32_t first = (uint32_t)len / 3, second = (uint32_t)len / 2;

	*job = (struct job){ .bytes = malloc(len + 1) };
	memset(job->bytes, 0xcc, len);
	job->segs[0] = (struct vr_seg){ job->bytes, 0, first };
	job->segs[1] = (struct vr_seg){ job->bytes + first, 0, second };
	job->segs[2] = (struct vr_seg){ job->bytes + first + second, 0, (uint32_t)len - first - second };
	job->io = (struct storage_request){
		.op = op, .off = off, .len = len, .segs = job->segs, .count = 3,
		.done = job_done, .owner = job,
	};
	if (op == STORAGE_FLUSH)
		job->io.len = job->io.count = 0;
}

bool submit(struct job *job)
{
	return storagerig.storage->submit(storagerig.storage, &job->io);
}

void storage_poll(void)
{
	storagerig.storage->poll(storagerig.storage);
}

void run(void)
{
	do
		storage_poll();
	while (storagerig.work(3, false) || storagerig.cutter->current);
	storage_poll();
}

void fill_medium(void)
{
	for (unsigned i = 0; i < storagerig.sectors * 512; i++)
		(*storagerig.medium)[i] = (uint8_t)(i / 512 * 7 + i % 512);
}

void complete(struct job *job, bool ok)
{
	assert_true(submit(job));
	run();
	assert_int_equal(job->done, 1);
	assert_int_equal(job->ok, ok);
}

void whole(enum storage_op op, uint64_t off, uint64_t len, bool ok)
{
	struct job job;

	job_init(&job, op, off, len);
	complete(&job, ok);
	if ((op == STORAGE_READ || op == STORAGE_WRITE) && ok)
		assert_memory_equal(job.bytes, *storagerig.medium + off, len);
	free(job.bytes);
}

void reads_and_writes_of_lengths(void)
{
	static const uint64_t lens[] = { 512, 1024, 4096, 4608, 8192, 8704, SLOT - 512, SLOT, SLOT + 512,
					 3 * SLOT, 20 * SLOT + 1024 };

	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (unsigned from = 0; from < 3; from++) {
			whole(STORAGE_READ, from * 512, lens[i], true);
			whole(STORAGE_WRITE, from * 512, lens[i], true);
			whole(STORAGE_READ, from * 512, lens[i], true);
		}
	whole(STORAGE_READ, storagerig.sectors * 512 - 512, 512, true);
	whole(STORAGE_READ, storagerig.sectors * 512 - 512, 1024, false);
	assert_int_equal(storagerig.cutter->errors, 1);
}

unsigned fill_slots(struct job *jobs)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < STORAGERIG_JOBS; i++) {
		job_init(&jobs[i], i % 2 ? STORAGE_WRITE : STORAGE_READ, i * 8 * 512, 4096);
		memset(jobs[i].bytes, (int)i, 4096);
	}
	while (submit(&jobs[taken]))
		taken++;
	assert_int_equal(taken, storagerig.cutter->count);
	return taken;
}

void empty_slots(struct job *jobs, unsigned taken)
{
	assert_int_equal(storagerig.work(4, true), 4);
	storage_poll();
	for (unsigned i = 0; i < STORAGERIG_JOBS; i++)
		assert_int_equal(jobs[i].done, i < 4);
	assert_true(submit(&jobs[taken++]));
	run();
	while (taken < STORAGERIG_JOBS)
		assert_true(submit(&jobs[taken++]) || (taken-- && (run(), true)));
	run();
	for (unsigned i = 0; i < STORAGERIG_JOBS; i++) {
		assert_true(jobs[i].done == 1 && jobs[i].ok);
		assert_memory_equal(jobs[i].bytes, *storagerig.medium + i * 4096, 4096);
		free(jobs[i].bytes);
	}
}
