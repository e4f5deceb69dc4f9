/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - what the manifest tool writes on the firewall's command line (tools/manifest/network.py):
 *
 *	net=LINK:ADDRESS/PREFIX,LINK:ADDRESS/PREFIX gateway=LINK:ADDRESS policy=...
 *	net=LINK:ADDRESS/PREFIX,LINK:dhcp policy=...
 *
 * LINK counts the links the domain drives, from 0. The one with a gateway, or of which DHCP says the rest, is the way
 * out.
 */
#ifndef FIREWALL_OPTIONS_H
#define FIREWALL_OPTIONS_H

#include "router.h"

struct options {
	struct router_config config; /* but for MAC addresses and the seed */
	unsigned links[ROUTER_SIDES];
};

/* The values of the three words; NULL for one that is not there. NULL, or what is wrong. */
const char *options_parse(struct options *options, const char *net, const char *gateway,
			  const char *policy) __attribute__((warn_unused_result));

#endif
