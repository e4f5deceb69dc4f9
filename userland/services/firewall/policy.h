/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h - which connections from inside may be made. Rules as the manifest tool writes them on the command
 * line (tools/manifest/network.py), the first that fits decides, and what none fits is denied:
 *
 *	ACTION,PROTOCOL,TARGET/PREFIX,FIRST-LAST,SOURCE/PREFIX;...
 *	allow,tcp,10.0.2.2/32,8000-8099,0.0.0.0/0;deny,any,10.0.0.0/8,0-65535,0.0.0.0/0
 *
 * Nothing from outside begins a connection: there is no rule for that.
 */
#ifndef FIREWALL_POLICY_H
#define FIREWALL_POLICY_H

#include "packet.h"

#define POLICY_RULES 32u

struct policy_rule {
	bool allow;
	uint8_t proto; /* 0: any */
	uint32_t target, target_mask, source, source_mask;
	uint16_t first, last; /* port at the target; means nothing to ICMP */
};

struct policy {
	struct policy_rule rules[POLICY_RULES];
	unsigned count;
};

/* NULL, or what is wrong with the text. */
const char *policy_parse(struct policy *policy, const char *text) __attribute__((warn_unused_result));

bool policy_allows(const struct policy *policy, const struct packet *packet);

/* A number, a dotted address, or an address with its prefix at *at, which moves behind it. False: there is
 * none. */
bool policy_take_number(const char **at, uint32_t most, uint32_t *value);
bool policy_take_address(const char **at, uint32_t *address);
bool policy_take_network(const char **at, uint32_t *address, uint32_t *mask);

#endif
