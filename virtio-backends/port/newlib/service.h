/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service.h - a domain that serves virtio devices: one for each link of a kind that names it as its back
 * end. Opens the ends, follows them, runs the devices in turn. It keeps nothing over its own death.
 *
 *	setup	once, before all
 *	open	once for each link
 *	start	a driver is there: make the device for its window
 *	drain	it is gone: is anybody else at work for the device?
 *	stop	it is gone, or another is there: forget what start made; the window is unmapped already
 */
#ifndef VIRTIO_PORT_NEWLIB_SERVICE_H
#define VIRTIO_PORT_NEWLIB_SERVICE_H

#include "end.h"

struct service_client {
	struct end end;
	const struct service *service;
	bool serving;
	bool draining; /* its driver is gone, work for it is not */
	uint64_t wake; /* VDEV_IDLE: at the next event */
};

struct service {
	uint32_t kind;	    /* PV_LINK_* */
	size_t client_size; /* of a structure that begins with a struct service_client */
	/* Optional. False: the domain ends, and the log says why. */
	bool (*setup)(void);
	/* Optional. NULL, or what is wrong: then the domain ends. */
	const char *(*open)(struct service_client *client);
	/* The device, or NULL and *why. */
	struct vdev *(*start)(struct service_client *client, const char **why);
	/* Optional. False: not yet; it is asked again after service_wake(). Only then the window goes, and
	 * the creator of the link is answered. */
	bool (*drain)(struct service_client *client);
	/* Optional. Touches neither the window nor anything that lies in it. */
	void (*stop)(struct service_client *client);
};

/* Has all clients look again: something they share has done its work for one of them. */
void service_wake(void);

/* Returns only when there is nothing to serve or a link cannot be opened: the exit code. */
int service_run(const struct service *service);

#endif
