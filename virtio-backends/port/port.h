/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.h - what a device needs from the place it runs in, one of these per link. The other half of
 * the port is storage (blk/storage.h). A place also brings the loop:
 *
 *	at a doorbell, a link event or when the time link_run gave has come:
 *		link_run(link, now)     of every link (ring/link.h); gives the time it wants to run again
 *
 * All calls of one device come from one thread. Nothing here may block.
 */
#ifndef VIRTIO_PORT_H
#define VIRTIO_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORT_CONFIG UINT32_MAX /* notify: the configuration or the status changed */

struct port {
	void *self;

	/* Tell the driver that queue has used buffers, or PORT_CONFIG. May be lost and repeated as
	 * doorbells are: the driver looks at memory. */
	void (*notify)(void *self, uint32_t queue);

	/* Nanoseconds of a clock that never goes back. */
	uint64_t (*now)(void *self);

	/* Fills buf with bytes fit for keys, or false: none at the moment. */
	bool (*random)(void *self, void *buf, size_t len);

	/* One line without newline, for the log of the domain. */
	void (*log)(void *self, const char *line);
};

#endif
