/* SPDX-License-Identifier: BSD-2-Clause */
/* evilback.h - the two honest devices behind a hostile back end; main.c makes them lie. */
#ifndef EVILBACK_H
#define EVILBACK_H

#include <port/newlib/service.h>

struct evil_kind {
	uint32_t kind; /* PV_LINK_* */
	size_t client_size;
	const char *(*open)(struct service_client *client);
	struct vdev *(*start)(struct service_client *client, const char **why);
	/* Fills a configuration space with what no such device has. */
	void (*nonsense)(void *config);
};

extern const struct evil_kind evil_disk, evil_card;

uint64_t number(void);

#endif
