/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network card on the PCI bus; see vnic.h. The arena:
 *
 *	desc, avail, used of rx; desc, avail, used of tx; buffers
 */
#include "vnic.h"

#define QUEUE_PAGES 3u
#define F_MAC 5

_Static_assert(VR_DESC_BYTES(PAIR_QUEUE) <= VNIC_PAGE, "a table fits a page");
_Static_assert(2 * QUEUE_PAGES == VNIC_CONTROL_PAGES, "two queues");

/* It is not to be trusted with anything any more: nothing goes out, nothing comes in. */
static void fail(struct vnic *nic, const char *why)
{
	if (nic->failed)
		return;
	nic->failed = why;
	vpci_reset(nic->vpci); /* asking is enough: the arena is not used again */
}

static void check(struct vnic *nic)
{
	if (pair_broken(&nic->pair))
		fail(nic, "breaks the rules of its queue");
}

uint8_t *vnic_room(struct vnic *nic)
{
	uint8_t *at;

	if (nic->failed)
		return NULL;
	at = pair_room(&nic->pair);
	check(nic);
	return at;
}

void vnic_send(struct vnic *nic, uint32_t len)
{
	if (!nic->failed)
		pair_send(&nic->pair, len);
}

bool vnic_poll(struct vnic *nic, unsigned limit, pair_receive_fn receive, void *self)
{
	unsigned count;

	if (nic->failed)
		return false;
	count = pair_poll(&nic->pair, limit, receive, self);
	check(nic);
	if (!nic->failed && count == 0 && vpci_broken(nic->vpci))
		fail(nic, "asks for a reset");
	return !nic->failed && count == limit;
}

void vnic_flush(struct vnic *nic)
{
	for (uint16_t i = PAIR_RX; i <= PAIR_TX && !nic->failed; i++)
		if (drvq_should_kick(&nic->pair.queues[i].ring))
			vpci_kick(nic->doorbells[i], i);
}

/* ---- making it ready ---- */

static const char *start_queue(struct vnic *nic, uint16_t number, uint16_t vector)
{
	unsigned page = number * QUEUE_PAGES;
	uint64_t at = (uint64_t)page * VNIC_PAGE;
	const struct vr_window window = {
		.driver = { nic->arena.base + at, at, 2 * VNIC_PAGE },
		.device = { nic->arena.base + at + 2 * VNIC_PAGE, at + 2 * VNIC_PAGE, VNIC_PAGE },
	};
	uint16_t size = vpci_queue_max(nic->vpci, number);
	struct vr_place place = { .desc = at, .avail = at + VNIC_PAGE, .used = at + 2 * VNIC_PAGE };
	struct vpci_place bus = {
		.desc = nic->arena.bus[page],
		.avail = nic->arena.bus[page + 1],
		.used = nic->arena.bus[page + 2],
		.vector = vector,
	};

	place.size = bus.size = size < PAIR_QUEUE ? size : PAIR_QUEUE;
	if (!vr_size_valid(place.size))
		return "has a queue of no use";
	if (!pair_start(&nic->pair, number, &window, &place,
			nic->vpci->features & VIRTIO_BIT(VIRTIO_F_EVENT_IDX)))
		return "has an arena that does not fit";
	return vpci_queue(nic->vpci, number, &bus, &nic->doorbells[number]);
}

static const char *read_mac(struct vnic *nic)
{
	uint32_t words[2];

	if (!(nic->vpci->features & VIRTIO_BIT(F_MAC)))
		return NULL;
	if (!vpci_config(nic->vpci, 0, words, 2))
		return "has a configuration that cannot be read";
	vr_copy(nic->mac, words, VNIC_MAC);
	return nic->mac[0] & 1 ? "has a MAC address that is not one station's" : NULL;
}

const char *vnic_init(struct vnic *nic, struct vpci *vpci, const struct pci_arena *arena,
		      uint16_t vector, bool remapped)
{
	const uint64_t wanted = VIRTIO_BIT(F_MAC) | VIRTIO_BIT(VIRTIO_F_EVENT_IDX);
	unsigned pages = arena->pages < VNIC_ARENA_MAX ? arena->pages : VNIC_ARENA_MAX;
	const struct pair_memory memory = {
		.base = arena->base + VNIC_CONTROL_PAGES * VNIC_PAGE,
		.bus = arena->bus + VNIC_CONTROL_PAGES,
		.buffers = (pages - VNIC_CONTROL_PAGES) * (VNIC_PAGE / PAIR_BUFFER),
	};
	const char *why;

	*nic = (struct vnic){ .vpci = vpci, .arena = *arena };
	if (pages < VNIC_ARENA_MIN)
		return "has too little memory for transfers";
	pair_init(&nic->pair, &memory);
	why = vpci_negotiate(vpci, wanted, remapped);
	if (!why)
		why = read_mac(nic);
	if (!why)
		why = start_queue(nic, PAIR_RX, vector);
	if (!why)
		why = start_queue(nic, PAIR_TX, VPCI_NO_VECTOR);
	if (why)
		return why;
	vpci_driver_ok(vpci);
	vnic_flush(nic); /* a device may look at no queue before it is told */
	return NULL;
}
