/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.h - the port of a Linux process: doorbells are event file descriptors, randomness is the
 * kernel's, the log is standard error. For tests and for back ends in a Linux driver VM.
 */
#ifndef VIRTIO_HOST_H
#define VIRTIO_HOST_H

#include "../../ring/link.h"

struct host_port {
	struct port port; /* first; give &host.port to the device */
	struct link *link;
	int bell;	  /* eventfd: written to tell the driver; -1: nobody listens */
	const char *name; /* in front of log lines */
};

/* The port is complete but for its link, which is set once it exists. */
void host_port_init(struct host_port *host, const char *name, int bell);

/* Serves links until *stop is set: sleeps on their doorbells (eventfds, or -1) and on the times the
 * devices ask for. Returns 0, or an errno. */
int host_serve(struct link *const *links, const int *doorbells, unsigned count,
	       const volatile int *stop);

#endif
