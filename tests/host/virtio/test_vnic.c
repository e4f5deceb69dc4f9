/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of a virtio network card on the PCI bus: frames both ways through an arena whose pages lie
 * apart, more of them than there are buffers, and cards that lie: a frame lost, or the card, never more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cardrig.h"
#include "fakenic.h"

static struct vpci vpci;
static struct vnic nic;

static uint8_t *room(void)
{
	return vnic_room(&nic);
}

static void send_frame(uint32_t len)
{
	vnic_send(&nic, len);
}

static void flush(void)
{
	vnic_flush(&nic);
}

static bool poll_frames(unsigned limit, cardrig_keep_fn keep, void *self)
{
	return vnic_poll(&nic, limit, keep, self);
}

const struct cardrig cardrig = {
	room, send_frame, flush, poll_frames, &nic.pair.counters.full, &nic.failed,
	fakenic_transmit, fakenic_receive, fakenic.sent, &fakenic.sent_len,
	&fakenic.arena.base, 0, FAKENIC_PAGES * VNIC_PAGE,
};

static const char *start(bool remapped)
{
	uint8_t *bars[PCI_BARS] = { [4] = fakenic.registers };

	vpci_init(&vpci, &fakenic.virtio, bars);
	assert_true(vpci_reset(&vpci));
	return vnic_init(&nic, &vpci, &fakenic.arena, 3, remapped);
}

static void begin(void)
{
	fakenic_init();
	assert_null(start(false));
	got_count = 0;
}

static void makes_it_ready(void **state)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

	(void)state;
	begin();
	assert_int_equal(fakenic_common()->device_status,
			 VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
	assert_memory_equal(nic.mac, mac, 6);
	/* no offloads, nothing that merges buffers, no control queue */
	assert_int_equal(fakenic.accepted, VIRTIO_BIT(5) | VIRTIO_BIT(VIRTIO_F_EVENT_IDX) |
						   VIRTIO_BIT(VIRTIO_F_VERSION_1));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(fakenic.queues[i].desc, fakenic.bus[3 * i]);
		assert_int_equal(fakenic.queues[i].avail, fakenic.bus[3 * i + 1]);
		assert_int_equal(fakenic.queues[i].used, fakenic.bus[3 * i + 2]);
		assert_int_equal(fakenic.queues[i].size, 256);
	}
	assert_int_equal(fakenic.queues[0].vector, 3);
	assert_int_equal(fakenic.queues[1].vector, VPCI_NO_VECTOR);
	assert_int_equal(fakenic.queues[0].kicks, 1);
	assert_int_equal(nic.pair.queues[PAIR_RX].ring.in_flight, FAKENIC_BUFFERS);
	assert_int_equal(nic.pair.free_count, FAKENIC_BUFFERS);
	fakenic_free();

	fakenic_init();
	fakenic.offered |= VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM);
	fakenic.offered &= ~(VIRTIO_BIT(5) | VIRTIO_BIT(VIRTIO_F_EVENT_IDX));
	fakenic.queue_max = 16; /* fewer entries than buffers */
	assert_null(start(true));
	assert_true(fakenic.accepted & VIRTIO_BIT(VIRTIO_F_ACCESS_PLATFORM));
	assert_int_equal(nic.mac[0] | nic.mac[5], 0);
	assert_int_equal(nic.pair.queues[PAIR_RX].ring.in_flight, 16);
	assert_int_equal(nic.pair.free_count, 16);
	fakenic_free();
}

/* What is wrong with a device is said, before anything of it is used. */
static void refuses(void **state)
{
	(void)state;
	fakenic_init();
	assert_string_equal(start(true),
			    "would go past the IOMMU: it does not offer ACCESS_PLATFORM");
	fakenic.offered &= ~VIRTIO_BIT(VIRTIO_F_VERSION_1);
	assert_string_equal(start(false), "is no device of virtio 1");
	fakenic.offered |= VIRTIO_BIT(VIRTIO_F_VERSION_1);
	fakenic.refuse_features = true;
	assert_string_equal(start(false), "refuses the features it offers");
	fakenic.refuse_features = false;
	fakenic.refuse_vector = true;
	assert_string_equal(start(false), "has no interrupt for its queue");
	fakenic.refuse_vector = false;
	fakenic.restless = true;
	assert_string_equal(start(false), "has a configuration that cannot be read");
	fakenic.restless = false;
	fakenic.virtio.device.len = 4;
	assert_string_equal(start(false), "has a configuration that cannot be read");
	fakenic.virtio.device.len = 0x1000;
	fakenic.registers[0x2000] |= 1;
	assert_string_equal(start(false), "has a MAC address that is not one station's");
	fakenic.registers[0x2000] &= 0xfe;
	fakenic.queue_max = 48;
	assert_string_equal(start(false), "has a queue of no use");
	fakenic.queue_max = 256;
	fakenic_common()->num_queues = 1; /* it cannot send */
	assert_string_equal(start(false), "has a queue of no use");
	fakenic_common()->num_queues = 2;
	fakenic.virtio.notify.len = 4;
	assert_string_equal(start(false), "has a doorbell outside its doorbell registers");
	fakenic.virtio.notify.len = 0x1000;
	fakenic.arena.pages = VNIC_ARENA_MIN - 1;
	assert_string_equal(start(false), "has too little memory for transfers");
	fakenic.arena.pages = VNIC_ARENA_MIN;
	assert_null(start(false));
	assert_int_equal(nic.pair.free_count, 8);
	fakenic_free();
}

static void frames_both_ways(void **state)
{
	(void)state;
	begin();
	frames_of_lengths(1000);
	assert_int_equal(nic.pair.counters.sent, 1000);
	assert_int_equal(nic.pair.counters.received, 1000);
	assert_int_equal(nic.pair.counters.full + nic.pair.counters.malformed, 0);
	assert_int_equal(nic.pair.queues[PAIR_RX].ring.in_flight, FAKENIC_BUFFERS);
	assert_null(nic.failed);
	fakenic_free();
}

static void sends_frames_only(void **state)
{
	(void)state;
	begin();
	send_no_frames();
	assert_int_equal(nic.pair.free_count, FAKENIC_BUFFERS);
	fakenic_free();
}

static void more_than_there_is_room_for(void **state)
{
	(void)state;
	begin();
	send_more_than(FAKENIC_BUFFERS);
	fakenic_free();
}

/* A burst is taken in fair shares, the rest is not forgotten; a full card loses frames on the wire. */
static void bursts(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < FAKENIC_BUFFERS; i++)
		arrive(60 + i, i);
	assert_false(fakenic_receive(got, 60));
	assert_true(card_poll(10));
	assert_int_equal(got_count, 10);
	assert_true(card_poll(10));
	assert_false(card_poll(10));
	assert_int_equal(got_count, FAKENIC_BUFFERS);
	assert_int_equal(got_len, 60 + FAKENIC_BUFFERS - 1);
	fakenic_free();
}

/* One interrupt for what comes while nobody looks; none for what is sent. */
static void interrupts(void **state)
{
	(void)state;
	begin();
	arrive(60, 0);
	arrive(60, 0);
	arrive(60, 0);
	assert_int_equal(fakenic.interrupts, 1);
	assert_false(card_poll(10));
	arrive(60, 0);
	assert_int_equal(fakenic.interrupts, 2);
	for (unsigned i = 0; i < 10; i++)
		assert_true(card_send(60, i));
	assert_int_equal(fakenic_transmit(10), 10);
	assert_int_equal(fakenic.interrupts, 2);
	fakenic_free();
}

/* Lengths that cannot be: the frame is lost, the card is used on and so is the buffer. */
static void impossible_lengths(void **state)
{
	static const enum fakenic_lie lies[] = { NIC_SHORT, NIC_EMPTY, NIC_LONG, NIC_OVERSIZE };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		begin();
		fakenic.lie = lies[i];
		for (unsigned j = 0; j < 3 * FAKENIC_BUFFERS; j++) {
			arrive(60, j);
			assert_false(card_poll(10));
		}
		assert_int_equal(got_count, 0);
		assert_int_equal(nic.pair.counters.malformed, 3 * FAKENIC_BUFFERS);
		fakenic.lie = NIC_HONEST;
		arrive(60, 1);
		assert_false(card_poll(10));
		assert_int_equal(got_count, 1);
		assert_null(nic.failed);
		fakenic_free();
	}
}

static void expect_off(const char *why)
{
	assert_int_equal(fakenic.resets, 2);
	expect_dead(why);
	assert_int_equal(fakenic.resets, 2);
}

/* A broken rule, on the way in and on the way out. A buffer that is offered again at once may come back at
 * once: that is one more frame. */
static void breaks_rules(void **state)
{
	static const enum fakenic_lie lies[] = { NIC_ID, NIC_TWICE, NIC_INDEX };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		begin();
		fakenic.lie = lies[i];
		arrive(60, 0);
		assert_false(card_poll(10));
		if (lies[i] == NIC_TWICE)
			assert_true(got_count == 2 && !nic.failed);
		else
			expect_off("breaks the rules of its queue");
		fakenic_free();

		begin();
		for (unsigned j = 0; j < FAKENIC_BUFFERS; j++)
			assert_true(card_send(60, j));
		fakenic.lie = lies[i];
		assert_int_equal(fakenic_transmit(1), 1);
		(void)vnic_room(&nic); /* looks for what was sent */
		expect_off("breaks the rules of its queue");
		fakenic_free();
	}
	begin();
	fakenic_common()->device_status |= VIRTIO_NEEDS_RESET;
	assert_false(card_poll(10));
	expect_off("asks for a reset");
	fakenic_free();
	begin(); /* gone from the bus: everything reads as ones */
	memset(fakenic.registers, 0xff, sizeof(fakenic.registers));
	assert_false(card_poll(10));
	assert_string_equal(nic.failed, "asks for a reset");
	fakenic_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_it_ready),
		cmocka_unit_test(refuses),
		cmocka_unit_test(frames_both_ways),
		cmocka_unit_test(sends_frames_only),
		cmocka_unit_test(more_than_there_is_room_for),
		cmocka_unit_test(bursts),
		cmocka_unit_test(interrupts),
		cmocka_unit_test(impossible_lengths),
		cmocka_unit_test(breaks_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
