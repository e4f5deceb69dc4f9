/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * firewall - a router between two networks: inside, where VMs are, and outside, where the network driver
 * domain has the card. It drives the card at the other end of a link of each and keeps nothing over its
 * own death but what the command line says. router.c is what it does, this file is where frames come from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <net/netfront.h>
#include <port/newlib/fore.h>

#include "dhcp.h"
#include "options.h"
#include "router.h"

#define SHARE 64u /* frames of a side before the other has its turn */
#define WORDS 2048u

static struct side {
	const char *name;
	struct fore fore;
	struct netfront card;
	unsigned resets; /* said so far */
	bool more, live;
} sides[ROUTER_SIDES] = { [INSIDE] = { .name = "inside" }, [OUTSIDE] = { .name = "outside" } };

static struct router router;
static struct dhcp dhcp;
static unsigned changes; /* of the lease, that the router knows */

static enum router_side number_of(const struct side *side)
{
	return side == &sides[INSIDE] ? INSIDE : OUTSIDE;
}

/* ---- the router's place ---- */

static uint8_t *room(void *self, enum router_side side)
{
	(void)self;
	return netfront_room(&sides[side].card);
}

static void send(void *self, enum router_side side, uint32_t len)
{
	(void)self;
	netfront_send(&sides[side].card, len);
}

static void say(void *self, const char *line)
{
	(void)self;
	printf("%s\n", line);
}

static uint8_t *dhcp_room(void *self)
{
	return room(self, OUTSIDE);
}

static void dhcp_send(void *self, uint32_t len)
{
	send(self, OUTSIDE, len);
}

static void receive(void *arg, const uint8_t *frame, uint32_t len)
{
	uint8_t copy[PACKET_MAX];

	if (router.config.dhcp && arg == &sides[OUTSIDE] && len <= sizeof(copy)) {
		memcpy(copy, frame, len); /* the other side may change it meanwhile */
		if (dhcp_input(&dhcp, copy, len, pv_clock_ns()))
			return;
		frame = copy;
	}
	router_input(&router, number_of(arg), frame, len, pv_clock_ns());
}

/* What the lease says is what the router goes by. Returns when there is something to do for it again. */
static uint64_t follow_lease(void)
{
	uint64_t due = PV_FOREVER;

	if (!router.config.dhcp)
		return due;
	if (sides[OUTSIDE].live)
		due = dhcp_run(&dhcp, pv_clock_ns());
	if (changes != dhcp.changes)
		router_set_way_out(&router, dhcp.lease.address, dhcp.lease.mask, dhcp.lease.gateway, dhcp.lease.dns);
	changes = dhcp.changes;
	return due;
}

/* ---- events ---- */

static void say_state(struct side *side)
{
	const struct netfront *card = &side->card;

	if (card->state == NETFRONT_LIVE && !side->live) {
		side->live = true;
		printf("%s is up\n", side->name);
	} else if (card->state == NETFRONT_REFUSED && side->resets != ~0u) {
		side->resets = ~0u;
		printf("%s: its back end has no card we can drive\n", side->name);
	} else if (card->resets > side->resets && side->resets < 8) {
		side->resets = card->resets;
		printf("%s: its back end broke a rule and was reset\n", side->name);
	}
}

/* Returns when it is to be called again at the latest. */
static uint64_t run(void)
{
	uint64_t due;

	for (unsigned i = 0; i < ROUTER_SIDES; i++) {
		struct side *side = &sides[i];

		side->more = netfront_run(&side->card) &&
			     netfront_poll(&side->card, SHARE, receive, side) == SHARE;
		say_state(side);
	}
	due = follow_lease();
	for (unsigned i = 0; i < ROUTER_SIDES; i++)
		netfront_flush(&sides[i].card);
	return due;
}

static void on_event(void *arg, bool anew)
{
	struct side *side = arg;

	if (anew)
		netfront_anew(&side->card);
	side->more = true;
}

/* ---- start ---- */

static const char *value_of(const char *key, char *buf, size_t size)
{
	return pv_cmdline_get(key, buf, size) ? buf : NULL;
}

/* The n-th link this domain drives. */
static const struct pv_start_link *front_link(unsigned n)
{
	for (unsigned i = 0; i < pv_start_info->link_count; i++) {
		const struct pv_start_link *link = &pv_start_info->links[i];

		if (link->role == PV_LINK_FRONT && n-- == 0)
			return link;
	}
	return NULL;
}

static const char *open_side(struct side *side, const struct pv_start_link *link,
			     struct router_net *net)
{
	struct fore *fore = &side->fore;
	int64_t r;

	if (!link || link->kind != PV_LINK_NET)
		return "names a link it does not have";
	r = fore_open(fore, link, on_event, side);
	if (r < 0)
		return pv_strerror(r);
	memcpy(net->mac, fore->page->mac, sizeof(net->mac));
	if (!netfront_init(&side->card, fore->window, fore->page->control_pages,
			   fore->page->window_pages, fore->device, fore_ring, fore))
		return "the window of a link is too small";
	return NULL;
}

static const char *start(void)
{
	static const struct router_ops ops = { NULL, room, send, say };
	static const struct dhcp_ops dhcp_ops = { NULL, dhcp_room, dhcp_send, say };
	static char net[64], gateway[32], policy[WORDS];
	static struct options options;
	const char *why = options_parse(&options, value_of("net", net, sizeof(net)),
					value_of("gateway", gateway, sizeof(gateway)),
					value_of("policy", policy, sizeof(policy)));

	for (unsigned i = 0; i < ROUTER_SIDES && !why; i++)
		why = open_side(&sides[i], front_link(options.links[i]), &options.config.nets[i]);
	if (why)
		return why;
	memcpy(&options.config.seed, pv_start_info->seed, sizeof(options.config.seed));
	router_init(&router, &options.config, &ops);
	if (options.config.dhcp)
		dhcp_init(&dhcp, options.config.nets[OUTSIDE].mac, options.config.nets[INSIDE].address,
			  options.config.nets[INSIDE].mask, options.config.seed, &dhcp_ops);
	printf("%u rules\n", options.config.policy.count);
	return NULL;
}

int main(void)
{
	const char *why;

	setvbuf(stdout, NULL, _IOLBF, 256);
	why = start();
	if (why) {
		printf("the firewall cannot begin: %s\n", why);
		return 1;
	}
	for (unsigned i = 0; i < ROUTER_SIDES; i++)
		fore_follow(&sides[i].fore);
	for (;;) {
		uint64_t due = run();

		pv_event_run_once(sides[INSIDE].more || sides[OUTSIDE].more ? 0 : due);
	}
}
