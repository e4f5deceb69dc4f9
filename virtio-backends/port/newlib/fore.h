/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fore.h - the front end's end of a link in a newlib domain: the link page and the doorbell. The window is
 * memory of this domain from its start; a back end that comes and goes changes the doorbell, nothing else.
 */
#ifndef VIRTIO_PORT_NEWLIB_FORE_H
#define VIRTIO_PORT_NEWLIB_FORE_H

#include <pv/libpv.h>

#include <ring/link.h>

struct fore {
	const struct pv_link *page; /* the creator's, read-only */
	const struct link_device_page *device;
	uint8_t *window;
	pv_port_t changed, doorbell;
	uint32_t epoch;
	/* The device has rung (anew false), or another device is there and has heard nothing (true). */
	void (*on_event)(void *arg, bool anew);
	void *arg;
};

/* 0 or -PV_E*. Follows nothing before fore_follow(). */
int64_t fore_open(struct fore *fore, const struct pv_start_link *start,
		  void (*on_event)(void *arg, bool anew), void *arg);

/* Looks at the link page; from then on events do. */
void fore_follow(struct fore *fore);

/* Rings the device, if there is one; arg is the fore. */
void fore_ring(void *fore);

#endif
