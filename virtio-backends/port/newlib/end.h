/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * end.h - the back end's end of a link in a newlib domain: the link page, the window, the doorbell.
 *
 *	end_open()	once for each of start_info's links
 *	end_update()	when the end's port is pending: is there a driver, another one, none?
 *	...		while end->epoch is not 0 the window is there; end_notify() is port.notify
 */
#ifndef VIRTIO_PORT_NEWLIB_END_H
#define VIRTIO_PORT_NEWLIB_END_H

#include <pv/libpv.h>

#include <port/port.h>
#include <ring/link.h>

#define END_PIECES (1 + PV_LINK_WINDOW_GRANTS)

enum end_news {
	END_SAME,
	END_GONE, /* the window is no more: forget every pointer into it */
	END_NEW,  /* a driver's window is there, perhaps in place of another's */
};

struct end {
	const struct pv_link *page; /* the creator's, read-only */
	struct link_device_page *device;
	const struct link_driver_page *driver; /* first page of the window */
	pv_port_t changed;
	pv_port_t doorbell;
	uint32_t epoch; /* of the window, 0 = none */
	struct vr_window window;
	struct link link;
	struct port port;
	void *base;
	uint64_t pages;
	struct pv_grant_piece pieces[END_PIECES];
	unsigned count;
};

/* 0 or -PV_E*. */
int64_t end_open(struct end *end, const struct pv_start_link *start);

/* Follows the link page and answers it. What fails is said in the log and leaves the end without a
 * window. */
enum end_news end_update(struct end *end);

/* Has the link page moved on from this window? A cheap look; end_update() is the way to follow. */
bool end_stale(const struct end *end);

/* Maps the RAM disk behind the link. */
int64_t end_map_disk(const struct end *end, void **addr);

#endif
