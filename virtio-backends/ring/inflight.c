/* SPDX-License-Identifier: BSD-2-Clause */
/* The in-flight log at the start of a queue and after a crash; see inflight.h. */
#include "inflight.h"

/* Counters start at 1; one this high was never counted to. */
#define COUNTER_MAX (UINT64_C(1) << 63)

void inflight_start(struct inflight_log *log, uint16_t size)
{
	vr_store32(&log->magic, 0);
	for (unsigned i = 0; i < size; i++)
		vr_store64(&log->counter[i], 0);
	vr_store16(&log->size, size);
	vr_store16(&log->used_idx, 0);
	vr_store32(&log->magic, INFLIGHT_MAGIC);
}

void inflight_forget(struct inflight_log *log)
{
	vr_store32(&log->magic, 0);
}

/* The predecessor may have died after moving used.idx and before noting it: the heads it returned last
 * may still be in the log. At most all of them at once. */
static bool repair(struct inflight_log *log, uint16_t size, const struct vr_used *used,
		   uint16_t used_idx)
{
	uint16_t noted = vr_load16(&log->used_idx);

	if ((uint16_t)(used_idx - noted) > size)
		return false;
	for (; noted != used_idx; noted++) {
		uint32_t head = vr_load32(&used->ring[noted & (size - 1)].id);

		if (head >= size)
			return false;
		vr_store64(&log->counter[head], 0);
	}
	vr_store16(&log->used_idx, used_idx);
	return true;
}

int inflight_recover(struct inflight_log *log, uint16_t size, const struct vr_used *used,
		     uint16_t used_idx, uint16_t *heads, uint64_t *counter)
{
	int found = 0;

	*counter = 0;
	if (vr_load16(&log->size) != size || !repair(log, size, used, used_idx))
		return -1;
	for (uint16_t head = 0; head < size; head++) {
		uint64_t count = vr_load64(&log->counter[head]);
		int at = found;

		if (count == 0)
			continue;
		if (count >= COUNTER_MAX)
			return -1;
		if (count > *counter)
			*counter = count;
		/* Insertion: a counter that changes under us changes the order, nothing else. */
		for (; at > 0 && vr_load64(&log->counter[heads[at - 1]]) > count; at--)
			heads[at] = heads[at - 1];
		heads[at] = head;
		found++;
	}
	return found;
}
