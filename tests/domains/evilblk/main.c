/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evilblk - a hostile front end of a block link: H1 to H13 of docs/virtio-backends.md, each deed many times
 * with numbers of a seed. After each the device must be in the end that table names, and after a reset
 * it must serve an honest request: the back end lives, whatever was done to it.
 *
 * Options: seed=N (1), rounds=N (40). One line per deed; exit code 0 if each ended as it must each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/libpv.h>

#include <blk/blk.h>
#include <ring/front.h>

#include "evilblk.h"

const char evil_name[] = "evilblk";

static uint16_t avail_idx, used_idx;

/* ---- the device ---- */

uint64_t evil_buffer(unsigned i)
{
	return evil.control + (8 + i) * EVIL_PAGE;
}

uint8_t *evil_at(uint64_t off)
{
	return evil.base + off;
}

struct vr_place evil_place(void)
{
	return (struct vr_place){ EVIL_SIZE, EVIL_PAGE, 2 * EVIL_PAGE, evil.control, evil.control + EVIL_PAGE };
}

void evil_reset(void)
{
	front_init(&evil.front, evil.front.driver, evil.front.device); /* the number the page has now */
	front_reset(&evil.front);
	evil_wait_ack();
	memset(evil.base + EVIL_PAGE, 0, 2 * EVIL_PAGE);
	memset(evil.base + evil.control, 0, 2 * EVIL_PAGE);
	memset(evil.front.driver->queues, 0, sizeof(evil.front.driver->queues));
	avail_idx = used_idx = 0;
}

bool evil_start(const struct vr_place *place)
{
	front_set_features(&evil.front, front_features(&evil.front) & ~VIRTIO_BIT(VIRTIO_F_EVENT_IDX));
	evil_wait_ack();
	front_set_queue(&evil.front, 0, place);
	front_driver_ok(&evil.front);
	evil_wait_ack();
	return (front_status(&evil.front) & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}

void evil_desc(unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	((struct vr_desc *)(evil.base + evil_place().desc))[i] = (struct vr_desc){ addr, len, flags, next };
}

void evil_offer(uint16_t head)
{
	struct vr_avail *avail = (struct vr_avail *)(evil.base + evil_place().avail);

	avail->ring[avail_idx++ % EVIL_SIZE] = head;
	__atomic_store_n(&avail->idx, avail_idx, __ATOMIC_RELEASE);
}

void evil_set_avail(uint16_t idx)
{
	struct vr_avail *avail = (struct vr_avail *)(evil.base + evil_place().avail);

	__atomic_store_n(&avail->idx, idx, __ATOMIC_RELEASE);
}

void evil_kick(void)
{
	front_count_avail(&evil.front, 0);
	evil_ring();
}

enum evil_end evil_end(unsigned requests)
{
	const struct vr_used *used = (const struct vr_used *)(evil.base + evil_place().used);
	pv_ns_t end = pv_clock_ns() + EVIL_PATIENCE;

	for (;; pv_event_run_once(pv_clock_ns() + PV_NSEC_PER_MSEC)) {
		if (front_status(&evil.front) & VIRTIO_NEEDS_RESET)
			return EVIL_BROKEN;
		if ((uint16_t)(__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) - used_idx) >= requests)
			break;
		if (pv_clock_ns() > end)
			return EVIL_NOTHING;
	}
	used_idx += requests;
	return *evil_at(evil_buffer(2)) == BLK_S_OK ? EVIL_SERVED : EVIL_FAILED;
}

void evil_request(uint32_t type, uint64_t sector, uint32_t header, uint32_t len)
{
	uint32_t words[4] = { type, 0, (uint32_t)sector, (uint32_t)(sector >> 32) };
	uint16_t write = type == BLK_T_IN || type == BLK_T_GET_ID ? VR_DESC_WRITE : 0;

	memcpy(evil_at(evil_buffer(0)), words, sizeof(words));
	*evil_at(evil_buffer(2)) = 0xff;
	evil_desc(0, evil_buffer(0), header, VR_DESC_NEXT, len ? 1 : 2);
	evil_desc(1, evil_buffer(1), len, VR_DESC_NEXT | write, 2);
	evil_desc(2, evil_buffer(2), 1, VR_DESC_WRITE, 0);
}

/* A block written and read again as everybody does. */
static bool honest(void)
{
	uint64_t *data = (uint64_t *)evil_at(evil_buffer(1)), stamp = evil_number() | 1;
	struct vr_place place = evil_place();

	evil_reset();
	if (!evil_start(&place))
		return false;
	for (unsigned reading = 0; reading < 2; reading++) {
		*data = reading ? 0 : stamp;
		evil_request(reading ? BLK_T_IN : BLK_T_OUT, 8, 16, EVIL_PAGE);
		evil_offer(0);
		evil_kick();
		if (evil_end(1) != EVIL_SERVED)
			return false;
	}
	return *data == stamp;
}

int main(void)
{
	unsigned rounds = (unsigned)evil_option("rounds", 40), bad = 0;
	struct vr_place place;

	evil_seed(0x9e3779b97f4a7c15ull * evil_option("seed", 1));
	setvbuf(stdout, NULL, _IOLBF, 256);
	evil_open_link(PV_LINK_BLK, 2);
	place = evil_place();
	for (const struct evil_deed *deed = evil_deeds; deed->name; deed++) {
		unsigned as_it_must = 0;

		for (unsigned i = 0; i < rounds; i++) {
			evil_reset();
			if (deed->live && !evil_start(&place))
				evil_die("an honest start is refused");
			as_it_must += deed->act() && honest();
		}
		printf("%s: %u of %u ended as they must\n", deed->name, as_it_must, rounds);
		bad += rounds - as_it_must;
	}
	fflush(stdout);
	return bad != 0;
}
