/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The card, virtio or 82574L; see card.h. Its interrupt hands what it has received to the switch in fair shares:
 * between two of them the links have their turn.
 */
#include "card.h"

#include <stdio.h>

#include <pci/e1000e.h>
#include <pci/vnic.h>
#include <port/newlib/function.h>

#define SHARE 64u /* frames taken before others have their turn */
#define RESET_MS 1000u
#define PAGES_MAX (VNIC_ARENA_MAX > E1000E_ARENA_MAX ? VNIC_ARENA_MAX : E1000E_ARENA_MAX)

_Static_assert(PAIR_FRAME_MAX == E1000E_FRAME_MAX, "the switch's frames are both cards'");

static struct {
	struct function fn;
	union {
		struct vnic vnic;
		struct e1000e e1000e;
	};
	uint64_t bus[PAGES_MAX];
	struct net_switch *sw;
	bool link_said, failure_said;
} card;

static bool is_e1000e(void)
{
	return card.fn.kind == PCI_KIND_E1000E;
}

static uint8_t *room(void *self)
{
	(void)self;
	return is_e1000e() ? e1000e_room(&card.e1000e) : vnic_room(&card.vnic);
}

static void send(void *self, uint32_t len)
{
	(void)self;
	if (is_e1000e())
		e1000e_send(&card.e1000e, len);
	else
		vnic_send(&card.vnic, len);
}

static void flush(void *self)
{
	(void)self;
	if (is_e1000e())
		e1000e_flush(&card.e1000e);
	else
		vnic_flush(&card.vnic);
}

static void receive(void *self, const uint8_t *frame, uint32_t len)
{
	net_receive(self, frame, len);
}

/* A virtio card's link is not asked for. */
static void say_link(void)
{
	if (!is_e1000e() || card.e1000e.link_up == card.link_said)
		return;
	card.link_said = card.e1000e.link_up;
	function_say(&card.fn, "card", card.link_said ? "its link is up" : "its link is down");
}

static void say_failure(void)
{
	const char *failed = is_e1000e() ? card.e1000e.failed : card.vnic.failed;

	if (failed && !card.failure_said) {
		function_say(&card.fn, "card", failed);
		card.failure_said = true;
	}
}

static void serve(pv_port_t port, void *arg)
{
	bool more = is_e1000e() ? e1000e_poll(&card.e1000e, SHARE, receive, card.sw) :
				  vnic_poll(&card.vnic, SHARE, receive, card.sw);

	(void)port;
	(void)arg;
	net_flush(card.sw);
	if (more)
		pv_event_timer(pv_clock_ns(), serve, NULL);
	say_link();
	say_failure();
}

static void on_irq(pv_port_t port, void *arg)
{
	pv_port_eoi(port);
	serve(port, arg);
}

/* ---- finding it ---- */

static const char *open_virtio(const uint8_t **mac)
{
	struct function *fn = &card.fn;
	const char *why = function_virtio(fn);

	if (!why)
		why = function_arm(fn, card.bus, VNIC_ARENA_MAX, on_irq, NULL);
	*mac = card.vnic.mac;
	return why ? why : vnic_init(&card.vnic, &fn->vpci, &fn->arena, FUNCTION_VECTOR, fn->remapped);
}

static bool is_reset(void *nic)
{
	return e1000e_reset_done(nic);
}

/* Reset before it has the bus, so that it has let go of whatever a predecessor asked of it. */
static const char *open_e1000e(const uint8_t **mac)
{
	struct function *fn = &card.fn;
	const struct pci_region region = { .bar = 0, .len = E1000E_REGISTERS };
	const char *why = function_map(fn, &region);

	if (!why)
		why = e1000e_look(&card.e1000e, fn->bars[0], fn->info.bars[0].size);
	if (!why && !function_wait(is_reset, &card.e1000e, RESET_MS))
		why = "does not finish its reset";
	if (!why)
		why = function_arm(fn, card.bus, E1000E_ARENA_MAX, on_irq, NULL);
	*mac = card.e1000e.mac;
	return why ? why : e1000e_start(&card.e1000e, &fn->arena);
}

static const char *open_any(const uint8_t **mac, char *text, size_t size)
{
	const char *why = function_find(&card.fn, 0);

	if (why)
		return why;
	switch (card.fn.kind) {
	case PCI_KIND_VIRTIO_CARD:
		return open_virtio(mac);
	case PCI_KIND_E1000E:
		return open_e1000e(mac);
	default:
		return function_stranger(&card.fn, "card", text, size);
	}
}

const struct net_card *card_open(struct net_switch *sw)
{
	static const struct net_card ops = { NULL, room, send, flush, PAIR_FRAME_MAX - FRAME_ETHERNET };
	const uint8_t *mac = NULL;
	char text[80];
	const char *why;

	card.sw = sw;
	why = open_any(&mac, text, sizeof(text));
	if (why) {
		function_say(&card.fn, "card", why);
		return NULL;
	}
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x%s", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5], is_e1000e() ? ", 82574L" : "");
	function_say(&card.fn, "card", text);
	say_link();
	return &ops;
}
