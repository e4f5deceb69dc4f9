/* SPDX-License-Identifier: BSD-2-Clause */
/* The deeds of evilblk, by the numbers of docs/virtio-backends.md. */
#include <string.h>

#include <pv/libpv.h>

#include <blk/blk.h>

#include "evilblk.h"

#define PAGE EVIL_PAGE

static bool ends(enum evil_end want)
{
	evil_offer(0);
	evil_kick();
	return evil_end(1) == want;
}

/* An honest request of which one thing is not. */
static void read_block(void)
{
	evil_request(BLK_T_IN, 0, 16, PAGE);
}

static bool loop(void)
{
	read_block();
	evil_desc(1, evil_buffer(1), PAGE, VR_DESC_NEXT | VR_DESC_WRITE, (uint16_t)evil_below(2));
	return ends(EVIL_BROKEN);
}

/* As many descriptors as the table has, more than a request may have. */
static bool too_long(void)
{
	read_block();
	for (unsigned i = 1; i < EVIL_SIZE; i++)
		evil_desc(i, evil_buffer(1), 512, VR_DESC_NEXT | VR_DESC_WRITE, (uint16_t)((i + 1) % EVIL_SIZE));
	return ends(EVIL_BROKEN);
}

static bool next_outside(void)
{
	read_block();
	evil_desc(0, evil_buffer(0), 16, VR_DESC_NEXT, (uint16_t)(EVIL_SIZE + evil_below(65536 - EVIL_SIZE)));
	return ends(EVIL_BROKEN);
}

static bool buffer_outside(void)
{
	static const uint64_t nowhere[] = { 0, 4096, UINT64_MAX, UINT64_MAX - 4095, 1ull << 63, 1ull << 32 };
	uint64_t at = evil_below(2) ? nowhere[evil_below(6)] : evil.window - evil_below(PAGE);

	read_block();
	evil_desc(1, at, PAGE, VR_DESC_NEXT | VR_DESC_WRITE, 2);
	return ends(EVIL_BROKEN);
}

static bool buffer_size(void)
{
	read_block();
	evil_desc(1, evil_buffer(1), evil_below(2) ? 0 : UINT32_MAX - (uint32_t)evil_below(PAGE),
		  VR_DESC_NEXT | VR_DESC_WRITE, 2);
	return ends(EVIL_BROKEN);
}

static bool index_jumps(void)
{
	read_block();
	evil_offer(0);
	evil_set_avail((uint16_t)(evil_below(2) ? EVIL_SIZE + 1 + evil_below(1000) : 65535 - evil_below(1000)));
	evil_kick();
	return evil_end(1) == EVIL_BROKEN;
}

static bool head_outside(void)
{
	evil_offer((uint16_t)(EVIL_SIZE + evil_below(65536 - EVIL_SIZE)));
	evil_kick();
	return evil_end(1) == EVIL_BROKEN;
}

/* The device may have done with the first before it sees the second: then both are served. */
static bool head_twice(void)
{
	enum evil_end end;

	read_block();
	evil_offer(0);
	evil_offer(0);
	evil_kick();
	end = evil_end(2);
	return end == EVIL_BROKEN || end == EVIL_SERVED;
}

static bool flags(void)
{
	read_block();
	evil_desc(1, evil_buffer(1), PAGE,
		  VR_DESC_NEXT | VR_DESC_WRITE | (uint16_t)(VR_DESC_INDIRECT << evil_below(14)), 2);
	return ends(EVIL_BROKEN);
}

static bool order(void)
{
	read_block();
	evil_desc(0, evil_buffer(0), 16, VR_DESC_NEXT | VR_DESC_WRITE, 1);
	evil_desc(1, evil_buffer(1), PAGE, VR_DESC_NEXT, 2);
	return ends(EVIL_BROKEN);
}

static bool no_status(void)
{
	read_block();
	evil_desc(0, evil_buffer(0), 16, evil_below(2) ? VR_DESC_NEXT : 0, 2);
	evil_desc(2, evil_buffer(2), 1, 0, 0);
	return ends(EVIL_BROKEN);
}

static bool header_short(void)
{
	evil_request(BLK_T_IN, 0, 1 + (uint32_t)evil_below(15), 0);
	return ends(EVIL_FAILED);
}

/* Everything changes while the device reads it: any end will do, but one must come. */
static bool changes(void)
{
	pv_ns_t end = pv_clock_ns() + PV_NSEC_PER_MSEC;

	read_block();
	evil_offer(0);
	evil_kick();
	while (pv_clock_ns() < end) {
		unsigned i = (unsigned)evil_below(3);

		evil_desc(i, evil_buffer(3) * evil_below(3), (uint32_t)evil_number(), (uint16_t)evil_below(8),
			  (uint16_t)evil_below(EVIL_SIZE + 2));
		evil_at(evil_buffer(0))[evil_below(16)] = (uint8_t)evil_number();
	}
	return evil_end(1) != EVIL_NOTHING;
}

static bool rings_misplaced(void)
{
	static const uint16_t sizes[] = { 0, 3, 65535, 2048 };
	struct vr_place place = evil_place();

	switch (evil_below(6)) {
	case 0:
		place.size = sizes[1 + evil_below(3)];
		break;
	case 1:
		place.desc += 1 + evil_below(15);
		break;
	case 2:
		place.used = place.log;
		break;
	case 3:
		place.avail = evil.window - 8;
		break;
	case 4:
		place.used = PAGE; /* among what the device may only read */
		break;
	default:
		place.desc = evil_buffer(1); /* among what both may write */
	}
	return !evil_start(&place) && (front_status(&evil.front) & VIRTIO_NEEDS_RESET);
}

static bool features_not_offered(void)
{
	struct front *front = &evil.front;
	uint64_t offered = front_features(front), more;

	do
		more = VIRTIO_BIT(evil_below(64));
	while (offered & more);
	front_set_features(front, offered | more);
	evil_wait_ack();
	return !(front_status(front) & VIRTIO_FEATURES_OK);
}

static bool ok_without_features(void)
{
	struct vr_place place = evil_place();
	struct front *front = &evil.front;

	front_set_queue(front, 0, &place);
	front_driver_ok(front);
	front->driver->features[0] = 0; /* VERSION_1 among them */
	evil_wait_ack();
	return !(front_status(front) & VIRTIO_DRIVER_OK) || (front_status(front) & VIRTIO_NEEDS_RESET);
}

static bool moves_while_live(void)
{
	struct vr_place place = evil_place();
	struct front *front = &evil.front;

	if (evil_below(2))
		place.desc += 16;
	else
		place.size /= 2;
	front_set_queue(front, 0, &place);
	front_driver_ok(front);
	evil_wait_ack();
	return front_status(front) & VIRTIO_NEEDS_RESET;
}

static bool reset_storm(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct vr_place place = evil_place();

		read_block();
		for (unsigned head = 0; head < 4; head++)
			evil_offer(0);
		evil_kick();
		evil_reset(); /* and waits for the answer */
		if (!evil_start(&place))
			return false;
	}
	return true;
}

static bool doorbells(void)
{
	for (unsigned i = 0; i < 500; i++)
		evil_kick();
	for (unsigned i = 0; i < EVIL_SIZE; i++) { /* nobody looks at what comes back */
		read_block();
		evil_offer(0);
		evil_kick();
		if (evil_end(1) == EVIL_NOTHING)
			return false;
	}
	return true;
}

static bool request_lies(void)
{
	switch (evil_below(6)) {
	case 0:
		evil_request(BLK_T_OUT, UINT64_MAX - evil_below(8), 16, PAGE);
		break;
	case 1:
		evil_request(BLK_T_IN, (1ull << 55) + evil_below(1000), 16, PAGE);
		break;
	case 2:
		evil_request(BLK_T_IN, 0, 16, 512 + 1 + (uint32_t)evil_below(511));
		break;
	case 3:
		evil_request(BLK_T_OUT, 0, 16, 0);
		break;
	case 4:
		evil_request(100 + (uint32_t)evil_number() % 1000000, 0, 16, 512);
		break;
	default:
		memset(evil_at(evil_buffer(1)), 0xff, PAGE);
		evil_request(evil_below(2) ? BLK_T_DISCARD : BLK_T_WRITE_ZEROES, 0, 16,
			     16 * (uint32_t)(1 + evil_below(200)));
	}
	return ends(EVIL_FAILED);
}

/* The page is anything, also while it is read; only a reset must bring the device back. */
static bool page_torn(void)
{
	struct front *front = &evil.front;
	uint64_t *words = (uint64_t *)front->driver;

	for (unsigned i = 0; i < 64; i++) {
		unsigned at = 8 + (unsigned)evil_below(504); /* not magic, sequence numbers, what init reads */

		words[at] = evil_below(2) ? evil_number() << 16 : evil_below(256);
		__atomic_store_n(&front->driver->req_seq, evil_number(), __ATOMIC_RELEASE);
		evil_ring();
		if (evil_below(4) == 0)
			pv_event_run_once(pv_clock_ns() + 100000);
	}
	return true;
}

const struct evil_deed evil_deeds[] = {
	{ "H1 loop", loop, true },
	{ "H1 too long", too_long, true },
	{ "H2 next outside", next_outside, true },
	{ "H3 buffer outside", buffer_outside, true },
	{ "H3 buffer empty or huge", buffer_size, true },
	{ "H4 index jumps", index_jumps, true },
	{ "H5 head outside", head_outside, true },
	{ "H5 head twice", head_twice, true },
	{ "H6 flags", flags, true },
	{ "H7 readable behind writable", order, true },
	{ "H7 no status", no_status, true },
	{ "H7 header short", header_short, true },
	{ "H8 changes under it", changes, true },
	{ "H9 rings misplaced", rings_misplaced, false },
	{ "H10 features not offered", features_not_offered, false },
	{ "H10 live without features", ok_without_features, false },
	{ "H10 moves while live", moves_while_live, true },
	{ "H10 resets in flight", reset_storm, true },
	{ "H11 doorbells", doorbells, true },
	{ "H12 requests that lie", request_lies, true },
	{ "H13 page torn", page_torn, true },
	{ NULL, NULL, false },
};
