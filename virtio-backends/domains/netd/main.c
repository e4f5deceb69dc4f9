/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netd - the network driver domain: a switch, one virtio network card for each of its links, and the card
 * of the machine (virtio or 82574L) if it was given one. A link's addresses are those of the link page; frames from
 * others are dropped, and a frame for one link is shown to no other. Killed and started again it goes on: frames
 * that were on their way are lost, as on any wire.
 *
 * Option: uplink=LINK,...: these links speak for addresses that are no link's (docs/network.md).
 */
#include <stdlib.h>
#include <string.h>

#include <net/net.h>
#include <port/newlib/service.h>

#include "../crash.h"
#include "card.h"

struct client {
	struct service_client base; /* first */
	struct net_link card;
};

static struct net_switch net;

/* Is a link one of those the manifest calls an uplink? */
static bool is_uplink(const char *name)
{
	char list[256];

	if (!pv_cmdline_get("uplink", list, sizeof(list)))
		return false;
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ","))
		if (!strcmp(word, name))
			return true;
	return false;
}

static struct vdev *client_start(struct service_client *base, const char **why)
{
	struct client *client = (struct client *)base;
	const struct end *end = &base->end;
	struct net_options options = { .uplink = is_uplink((const char *)end->page->name) };

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

static bool setup(void)
{
	const struct net_card *card = NULL;

	if (pv_start_info->device_count) {
		card = card_open(&net);
		if (!card)
			return false;
	}
	net_switch_init(&net, card);
	return true;
}

int main(void)
{
	static const struct service netd = {
		.kind = PV_LINK_NET,
		.client_size = sizeof(struct client),
		.setup = setup,
		.start = client_start,
		.stop = client_stop,
	};

	crash_setup();
	return service_run(&netd);
}
