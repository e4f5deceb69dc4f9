/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000e.h - an Intel 82574L network card on the PCI bus, driver's side: frames out, frames in.
 *
 *	e1000e_look -> e1000e_reset_done until true -> e1000e_start
 *
 * The card reads and writes an arena and nothing else: two rings of descriptors, and a buffer for each. It may be
 * hostile. A descriptor is looked at in its turn and only while it is the card's, its words are read once, and it
 * is written whole before the card gets it again. A length that no frame has is a frame lost.
 *
 * Frames are lost as on any wire: what finds no buffer is not sent, and nobody waits. No offload is used.
 */
#ifndef VIRTIO_E1000E_H
#define VIRTIO_E1000E_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"

#define E1000E_PAGE 4096u
#define E1000E_BUFFER 2048u
#define E1000E_FRAME_MIN 14u
#define E1000E_FRAME_MAX 1514u
#define E1000E_MAC 6u
#define E1000E_RING_MAX 256u	 /* descriptors of a page */
#define E1000E_RING_STEP 8u	 /* a ring is a multiple of so many */
#define E1000E_REGISTERS 0x6000u /* of its first BAR from the start */
#define E1000E_CONTROL_PAGES 2u	 /* the rings */
/* Pages of the arena: as many at least, and no more than those are used. */
#define E1000E_ARENA_MIN (E1000E_CONTROL_PAGES + 2u * E1000E_RING_STEP * E1000E_BUFFER / E1000E_PAGE)
#define E1000E_ARENA_MAX (E1000E_CONTROL_PAGES + 2u * E1000E_RING_MAX * E1000E_BUFFER / E1000E_PAGE)

/* Both kinds: what the second word says differs. */
struct e1000e_descriptor {
	uint64_t address, word;
};

struct e1000e_counters {
	uint64_t sent, received;
	uint64_t full;	    /* not sent: every buffer is out */
	uint64_t malformed; /* lengths no frame has, frames the card calls damaged */
};

struct e1000e {
	uint8_t *registers;
	struct pci_arena arena;
	struct e1000e_descriptor *rx, *tx;
	unsigned size;		   /* of each ring */
	unsigned rx_next, rx_told; /* to look at; the one that is nobody's, as the card knows it */
	unsigned tx_tail, tx_told, tx_clean; /* to fill, as the card knows it, out for the longest */
	bool in_pieces;		   /* what comes next is the rest of a frame */
	uint8_t mac[E1000E_MAC];
	bool link_up;
	struct e1000e_counters counters;
	const char *failed; /* why it is not used any more, or NULL */
};

typedef void (*e1000e_receive_fn)(void *self, const uint8_t *frame, uint32_t len);

/* Begins to reset the card of which E1000E_REGISTERS bytes are mapped. NULL, or why it is of no use. */
const char *e1000e_look(struct e1000e *nic, uint8_t *registers, uint64_t bar_bytes)
	__attribute__((warn_unused_result));

/* True: it has let go of all memory, and knows its address. Ask again until then, a second at most. */
bool e1000e_reset_done(const struct e1000e *nic);

/* Makes it ready, and offers it buffers to receive into; its interrupts all go to the first vector. NULL, or what
 * is wrong; it is then of no use. */
const char *e1000e_start(struct e1000e *nic, const struct pci_arena *arena) __attribute__((warn_unused_result));

/* Where to write the next frame to send, E1000E_FRAME_MAX bytes, or NULL: no buffer is free. */
uint8_t *e1000e_room(struct e1000e *nic);

/* Sends what was written there, len from E1000E_FRAME_MIN to E1000E_FRAME_MAX. */
void e1000e_send(struct e1000e *nic, uint32_t len);

/* Tells the card of what was sent and offered since the last time. */
void e1000e_flush(struct e1000e *nic);

/* Hands at most `limit` frames to receive() and offers their buffers again. True: there may be more, call
 * again; false: an interrupt will say so. Follow with e1000e_flush. */
bool e1000e_poll(struct e1000e *nic, unsigned limit, e1000e_receive_fn receive, void *self);

#endif
