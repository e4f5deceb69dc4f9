/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vnic.h - a virtio network card on the PCI bus, driver's side: frames out, frames in (net/pair.h).
 *
 * The device reads and writes an arena and nothing else: the queues' pages and the buffers. It may be
 * hostile: one that breaks a rule is reset and not used any more.
 */
#ifndef VIRTIO_VNIC_H
#define VIRTIO_VNIC_H

#include "../net/pair.h"
#include "arena.h"
#include "vpci.h"

#define VNIC_PAGE PAIR_PAGE
#define VNIC_CONTROL_PAGES 6u /* descriptors, available ring, used ring of two queues */
#define VNIC_MAC 6u
/* Pages of the arena: as many at least, and no more than those are used. */
#define VNIC_ARENA_MIN (VNIC_CONTROL_PAGES + 8u)
#define VNIC_ARENA_MAX (VNIC_CONTROL_PAGES + 2u * PAIR_QUEUE * PAIR_BUFFER / VNIC_PAGE)

struct vnic {
	struct vpci *vpci;
	struct pci_arena arena;
	struct pair pair;
	uint16_t *doorbells[2];
	uint8_t mac[VNIC_MAC]; /* zero: it says none */
	const char *failed;    /* why the device is not used any more, or NULL */
};

/*
 * Makes a device that has just been reset (vpci_reset) ready, and offers it buffers to receive into. vector:
 * MSI-X vector that says a frame has come, bound. NULL, or what is wrong with the device; it is then of
 * no use.
 */
const char *vnic_init(struct vnic *nic, struct vpci *vpci, const struct pci_arena *arena,
		      uint16_t vector, bool remapped) __attribute__((warn_unused_result));

/* Where to write the next frame to send, PAIR_FRAME_MAX bytes, or NULL: no buffer is free. */
uint8_t *vnic_room(struct vnic *nic);

/* Sends what was written there, len from PAIR_FRAME_MIN to PAIR_FRAME_MAX. */
void vnic_send(struct vnic *nic, uint32_t len);

/* Tells the device of what was sent and offered since the last time. */
void vnic_flush(struct vnic *nic);

/* Hands at most `limit` frames to receive() and offers their buffers again. True: there may be more, call
 * again; false: an interrupt will say so. Follow with vnic_flush. */
bool vnic_poll(struct vnic *nic, unsigned limit, pair_receive_fn receive, void *self);

#endif
