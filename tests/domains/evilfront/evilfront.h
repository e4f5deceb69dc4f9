/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evilfront.h - what hostile front ends share: the link, attached as an honest one would, its doorbell, and random
 * numbers. What they do with it is their own.
 */
#ifndef EVILFRONT_H
#define EVILFRONT_H

#include <stdint.h>

#include <pv/libpv.h>
#include <ring/front.h>

#define EVIL_PAGE 4096u
#define EVIL_PATIENCE (5 * PV_NSEC_PER_SEC)

struct evilfront {
	const struct pv_link *page;
	struct front front;
	uint8_t *base; /* of the window */
	uint64_t control, window; /* bytes */
};

extern struct evilfront evil;
extern const char evil_name[]; /* the program's */

void evil_die(const char *what) __attribute__((noreturn));

void evil_seed(uint64_t seed); /* not 0 */
uint64_t evil_number(void);
static inline uint64_t evil_below(uint64_t n)
{
	return evil_number() % n;
}

/* `key=N` on the command line. */
uint64_t evil_option(const char *key, uint64_t otherwise);

/* The first link, which is of this kind, until a device of this id is there. */
void evil_open_link(uint32_t kind, uint32_t device_id);

/* The doorbell, if there is one now. */
void evil_ring(void);
/* What was asked of the device's status is acknowledged; else it is the end. */
void evil_wait_ack(void);

#endif
