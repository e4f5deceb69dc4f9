/* SPDX-License-Identifier: BSD-2-Clause */
/* evilblk.h - what the deeds (deeds.c) have of the link and the queue (main.c). */
#ifndef EVILBLK_H
#define EVILBLK_H

#include <stdbool.h>
#include <stdint.h>

#include "../evilfront/evilfront.h"

#define EVIL_SIZE 64u /* of the queue */

enum evil_end {
	EVIL_NOTHING, /* for so long that it will not come */
	EVIL_SERVED,
	EVIL_FAILED,
	EVIL_BROKEN, /* NEEDS_RESET */
};

struct evil_deed {
	const char *name; /* NULL: the last */
	bool (*act)(void); /* did it end as it must? */
	bool live; /* the device is started before */
};

extern const struct evil_deed evil_deeds[];

uint64_t evil_buffer(unsigned i);   /* offset of a page for data: 0 header, 1 data, 2 status, 3... free */
uint8_t *evil_at(uint64_t off);
struct vr_place evil_place(void);   /* where an honest queue is */

void evil_reset(void);
bool evil_start(const struct vr_place *place); /* live? */
void evil_desc(unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next);
void evil_request(uint32_t type, uint64_t sector, uint32_t header, uint32_t len); /* descriptors 0 to 2 */
void evil_offer(uint16_t head);
void evil_set_avail(uint16_t idx);
void evil_kick(void);
enum evil_end evil_end(unsigned requests); /* of what was offered last */

#endif
