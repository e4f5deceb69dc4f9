/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cardrig.h - a network card's driver with its card, whichever they are, and a wire: frames that are known again by
 * their length and a seed, and what holds of every card that sends and receives them.
 */
#ifndef VIRTIO_CARDRIG_H
#define VIRTIO_CARDRIG_H

#include <stdbool.h>
#include <stdint.h>

#define CARDRIG_FRAME_MIN 14u
#define CARDRIG_FRAME_MAX 1514u

typedef void (*cardrig_keep_fn)(void *self, const uint8_t *frame, uint32_t len);

/* The test's. */
struct cardrig {
	/* the driver */
	uint8_t *(*room)(void);
	void (*send)(uint32_t len);
	void (*flush)(void);
	bool (*poll)(unsigned limit, cardrig_keep_fn keep, void *self);
	const uint64_t *full; /* its counter of frames it had no buffer for */
	const char *const *failed;
	/* the card: sends `limit` frames at most; has one from the wire, false: nowhere to put it */
	unsigned (*transmit)(unsigned limit);
	bool (*receive)(const uint8_t *frame, uint32_t len);
	const uint8_t *sent; /* the last */
	const uint32_t *sent_len;
	/* where the buffers are: in an arena, from here to there */
	uint8_t *const *arena;
	uint32_t begin, end;
};

extern const struct cardrig cardrig;

/* The frames that came in, and the last of them. */
extern uint8_t got[CARDRIG_FRAME_MAX];
extern uint32_t got_len;
extern unsigned got_count;

/* Whether there may be more than those taken. */
bool card_poll(unsigned limit);

/* A frame out, false: no room; and what the card sends next is that one. */
bool card_send(uint32_t len, unsigned seed);
void expect_sent(uint32_t len, unsigned seed);

/* A frame in, for which the card has a buffer. */
void arrive(uint32_t len, unsigned seed);

/* So many frames both ways, in turn, of all kinds of lengths. */
void frames_of_lengths(unsigned rounds);

/* Lengths that no frame has. */
void send_no_frames(void);

/* A slow card with `most` buffers: what finds none is lost and counted, and what was taken goes out in order. */
void send_more_than(unsigned most);

/* It has failed, and why; nothing comes of it any more. */
void expect_dead(const char *why);

#endif
