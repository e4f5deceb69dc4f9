/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rngd - the entropy domain: a virtio entropy source for each of its links, out of the seed this domain was
 * started with and what the processor has.
 */
#include <port/newlib/service.h>
#include <rng/rng.h>

#include "../crash.h"

#define BYTES_PER_SECOND 65536u /* of one client */

struct client {
	struct service_client base; /* first */
	struct rng rng;
};

static struct vdev *client_start(struct service_client *base, const char **why)
{
	struct client *client = (struct client *)base;

	(void)why;
	rng_init(&client->rng, &base->end.port, &base->end.window, BYTES_PER_SECOND);
	crash_epoch(base->end.epoch);
	return &client->rng.dev;
}

int main(void)
{
	static const struct service rngd = {
		.kind = PV_LINK_RNG,
		.client_size = sizeof(struct client),
		.start = client_start,
	};

	crash_setup();
	return service_run(&rngd);
}
