/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netd - the network driver domain: a switch, one virtio network card for each of its links. A card's
 * addresses are those of the link page; frames from others are dropped, and a frame for one card is
 * shown to no other. Killed and started again it goes on: frames that were on their way are lost, as on
 * any wire.
 */
#include <string.h>

#include <net/net.h>
#include <port/newlib/service.h>

#include "../crash.h"

struct client {
	struct service_client base; /* first */
	struct net_link card;
};

static struct net_switch net;

static struct vdev *client_start(struct service_client *base, const char **why)
{
	struct client *client = (struct client *)base;
	const struct end *end = &base->end;
	struct net_options options = { 0 };

	memcpy(options.mac, end->page->mac, sizeof(options.mac));
	memcpy(options.ip4, end->page->ip4, sizeof(options.ip4));
	*why = net_link_init(&client->card, &net, &options, &end->port, &end->window);
	crash_epoch(end->epoch);
	return *why ? NULL : &client->card.dev;
}

static void client_stop(struct service_client *base)
{
	net_link_remove(&((struct client *)base)->card);
}

int main(void)
{
	static const struct service netd = {
		.kind = PV_LINK_NET,
		.client_size = sizeof(struct client),
		.start = client_start,
		.stop = client_stop,
	};

	crash_setup();
	net_switch_init(&net);
	return service_run(&netd);
}
