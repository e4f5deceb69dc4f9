/* SPDX-License-Identifier: BSD-2-Clause */
#include "lazy.h"

static bool lazy_submit(struct storage *storage, struct storage_request *request)
{
	struct lazy *lazy = (struct lazy *)storage;

	if (lazy->count == lazy->limit) {
		lazy->refused++;
		return false;
	}
	lazy->queue[lazy->count++] = request;
	return true;
}

static struct storage_request *pick(struct lazy *lazy)
{
	struct storage_request *request = lazy->queue[lazy->newest_first ? lazy->count - 1 : 0];

	lazy->count--;
	if (!lazy->newest_first)
		for (unsigned i = 0; i < lazy->count; i++)
			lazy->queue[i] = lazy->queue[i + 1];
	lazy->executed++;
	lazy->flushes += request->op == STORAGE_FLUSH;
	return request;
}

static void lazy_poll(struct storage *storage)
{
	struct lazy *lazy = (struct lazy *)storage;

	for (unsigned i = 0; i < lazy->per_poll && lazy->count; i++) {
		struct storage_request *request = pick(lazy);

		if (lazy->fail)
			request->done(request, false);
		else
			(void)lazy->disk.storage.submit(&lazy->disk.storage, request);
	}
}

void lazy_init(struct lazy *lazy, void *bytes, uint64_t size)
{
	*lazy = (struct lazy){ .limit = LAZY_MAX, .per_poll = 1 };
	ramdisk_init(&lazy->disk, bytes, size);
	lazy->storage = lazy->disk.storage;
	lazy->storage.submit = lazy_submit;
	lazy->storage.poll = lazy_poll;
}

static void tell_nobody(struct storage_request *request, bool ok)
{
	(void)request;
	(void)ok;
}

void lazy_back_end_died(struct lazy *lazy, bool executed)
{
	while (lazy->count) {
		struct storage_request *request = pick(lazy);

		request->done = tell_nobody;
		if (executed)
			(void)lazy->disk.storage.submit(&lazy->disk.storage, request);
	}
}
