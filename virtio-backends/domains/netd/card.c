/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The card; see card.h. Its interrupt hands what it has received to the switch in fair shares: between
 * two of them the links have their turn.
 */
#include "card.h"

#include <stdio.h>

#include <pci/vnic.h>
#include <port/newlib/function.h>

#define SHARE 64u /* frames taken before others have their turn */

static struct {
	struct function fn;
	struct vnic nic;
	uint64_t bus[VNIC_ARENA_MAX];
	struct net_switch *sw;
	bool failure_said;
} card;

static uint8_t *room(void *self)
{
	(void)self;
	return vnic_room(&card.nic);
}

static void send(void *self, uint32_t len)
{
	(void)self;
	vnic_send(&card.nic, len);
}

static void flush(void *self)
{
	(void)self;
	vnic_flush(&card.nic);
}

static void receive(void *self, const uint8_t *frame, uint32_t len)
{
	net_receive(self, frame, len);
}

static void serve(pv_port_t port, void *arg)
{
	bool more = vnic_poll(&card.nic, SHARE, receive, card.sw);

	(void)port;
	(void)arg;
	net_flush(card.sw);
	if (more)
		pv_event_timer(pv_clock_ns(), serve, NULL);
	if (card.nic.failed && !card.failure_said) {
		function_say(&card.fn, "card", card.nic.failed);
		card.failure_said = true;
	}
}

static void on_irq(pv_port_t port, void *arg)
{
	pv_port_eoi(port);
	serve(port, arg);
}

const struct net_card *card_open(struct net_switch *sw)
{
	static const struct net_card ops = { NULL, room, send, flush, PAIR_FRAME_MAX - FRAME_ETHERNET };
	struct function *fn = &card.fn;
	struct vnic_arena arena = { .bus = card.bus };
	const char *why = function_find(fn, 0);
	char text[80];

	card.sw = sw;
	if (!why && fn->kind != PCI_KIND_VIRTIO_CARD)
		why = function_stranger(fn, "card", text, sizeof(text));
	if (!why)
		why = function_virtio(fn);
	if (!why)
		why = function_arm(fn, card.bus, VNIC_ARENA_MAX, on_irq, NULL);
	arena.base = fn->arena;
	arena.pages = fn->pages;
	if (!why)
		why = vnic_init(&card.nic, &fn->vpci, &arena, FUNCTION_VECTOR, fn->remapped);
	if (why) {
		function_say(fn, "card", why);
		return NULL;
	}
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", card.nic.mac[0], card.nic.mac[1],
		 card.nic.mac[2], card.nic.mac[3], card.nic.mac[4], card.nic.mac[5]);
	function_say(fn, "card", text);
	return &ops;
}
