/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blkfront.h - a front end of a block link for tests: blocks of a page, several requests at a time. Like
 * any driver it looks at the link page only for its doorbell: it does not know whether its back end died
 * meanwhile. What goes wrong ends the domain with exit code 1 and a line that says what.
 */
#ifndef TESTS_BLKFRONT_H
#define TESTS_BLKFRONT_H

#include <stdbool.h>
#include <stdint.h>

#include <pv/libpv.h>

#define BLKFRONT_PAGE 4096u
#define BLKFRONT_SLOTS 16u
#define BLKFRONT_WORDS (BLKFRONT_PAGE / sizeof(uint64_t))

struct blkfront_request {
	bool busy;
	bool reading;
	uint32_t zeroes; /* instead: so many blocks become zero */
	uint64_t block;
	uint64_t stamp; /* the caller's own */
	uint64_t off;	/* in the window: header, status at 64, data a page further */
};

/* Waits for the back end and starts the device. Returns the blocks of the disk. */
uint64_t blkfront_open(void);

/* One that is not busy, or NULL. */
struct blkfront_request *blkfront_free(void);

/* Its block of data, shared with the back end. */
uint64_t *blkfront_data(const struct blkfront_request *request);

/* Submits it: block, reading, zeroes and, for a write, the data are set. */
void blkfront_submit(struct blkfront_request *request);

/* Calls done() for each request that is finished; `good`: the device said so. */
void blkfront_harvest(void (*done)(struct blkfront_request *request, bool good));

/* Waits for something to happen, unless there is something to harvest. */
void blkfront_wait(void);

/* How often the link has come up. */
uint32_t blkfront_epoch(void);

/* Stops following the link. */
void blkfront_go_deaf(void);

void blkfront_die(const char *what) __attribute__((noreturn));

/* A number of the command line. */
uint64_t blkfront_number(const char *key, uint64_t otherwise);

#endif
