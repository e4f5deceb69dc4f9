/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests cut into commands; see cutter.h. A request's way:
 *
 *	submit -> current -> command, command ... (a slot each) -> all returned -> done
 *
 * private[PROGRESS] of a request is how far commands have been made for it, private[OUT] how many of
 * them are out, with OUT_FAILED when one of them or the disk failed.
 */
#include "cutter.h"

#define PROGRESS 0
#define OUT 1
#define OUT_FAILED (UINT64_C(1) << 32)

unsigned cutter_index(const struct cutter *cutter, const struct cutter_slot *slot)
{
	return (unsigned)(slot - cutter->slots);
}

static void finish_if_done(struct storage_request *request)
{
	bool ok = !(request->private[OUT] & OUT_FAILED);

	/* what failed makes no more commands */
	if (request->private[PROGRESS] < request->len && ok)
		return;
	if ((uint32_t)request->private[OUT] == 0)
		request->done(request, ok);
}

void cutter_fail(struct cutter *cutter)
{
	for (unsigned i = 0; i < cutter->count; i++) {
		struct storage_request *request = cutter->slots[i].request;

		if (!request)
			continue;
		cutter->slots[i].request = NULL;
		request->private[OUT]--;
		request->private[OUT] |= OUT_FAILED;
		if (request != cutter->current)
			finish_if_done(request);
	}
	if (cutter->current) {
		cutter->current->private[OUT] |= OUT_FAILED;
		finish_if_done(cutter->current);
	}
	cutter->current = NULL;
}

static struct cutter_slot *free_slot(struct cutter *cutter)
{
	for (unsigned i = 0; i < cutter->count; i++)
		if (!cutter->slots[i].request)
			return &cutter->slots[i];
	return NULL;
}

/* One more command for a request. False: no room at the moment. */
static bool issue(struct cutter *cutter, struct storage_request *request)
{
	uint64_t at = request->private[PROGRESS], left = request->len - at;
	uint64_t most = cutter->most(cutter->self, request->op);
	struct cutter_slot *slot = free_slot(cutter);

	if (!slot)
		return false;
	*slot = (struct cutter_slot){ request, at, (uint32_t)(left < most ? left : most) };
	if (!cutter->offer(cutter->self, slot)) {
		slot->request = NULL;
		return false;
	}
	cutter->commands++;
	request->private[OUT]++;
	request->private[PROGRESS] = at + slot->len;
	return true;
}

void cutter_more(struct cutter *cutter)
{
	struct storage_request *request = cutter->current;
	bool room = true;

	while (request && room && !(request->private[OUT] & OUT_FAILED) &&
	       request->private[PROGRESS] < request->len)
		room = issue(cutter, request);
	if (request && room) {
		cutter->current = NULL;
		finish_if_done(request);
	}
}

void cutter_returned(struct cutter *cutter, struct cutter_slot *slot, bool ok)
{
	struct storage_request *request = slot->request;

	request->private[OUT]--;
	if (!ok) {
		cutter->errors++;
		request->private[OUT] |= OUT_FAILED;
	}
	slot->request = NULL;
	if (request != cutter->current)
		finish_if_done(request);
}

bool cutter_submit(struct cutter *cutter, struct storage_request *request)
{
	request->private[PROGRESS] = request->private[OUT] = 0;
	if (request->op == STORAGE_FLUSH)
		request->len = 1; /* one command without data */
	if (cutter->current || !issue(cutter, request))
		return false;
	cutter->current = request;
	cutter_more(cutter);
	return true;
}
