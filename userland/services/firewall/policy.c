/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of the firewall; see policy.h. */
#include "policy.h"

#include <stddef.h>
#include <string.h>

static bool take(const char **at, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*at, word, len))
		return false;
	*at += len;
	return true;
}

bool policy_take_number(const char **at, uint32_t most, uint32_t *value)
{
	const char *digits = *at;
	uint64_t number = 0;

	for (; **at >= '0' && **at <= '9' && *at - digits < 10; ++*at)
		number = number * 10 + (uint64_t)(**at - '0');
	*value = (uint32_t)number;
	return *at != digits && number <= most;
}

bool policy_take_address(const char **at, uint32_t *address)
{
	uint32_t part;

	*address = 0;
	for (unsigned i = 0; i < 4; i++) {
		if ((i && !take(at, ".")) || !policy_take_number(at, 255, &part))
			return false;
		*address = *address << 8 | part;
	}
	return true;
}

bool policy_take_network(const char **at, uint32_t *address, uint32_t *mask)
{
	uint32_t prefix;

	if (!policy_take_address(at, address) || !take(at, "/") || !policy_take_number(at, 32, &prefix))
		return false;
	*mask = prefix ? ~0u << (32 - prefix) : 0;
	return true;
}

static bool take_proto(const char **at, uint8_t *proto)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} known[] = { { "any", 0 }, { "tcp", PROTO_TCP }, { "udp", PROTO_UDP }, { "icmp", PROTO_ICMP } };

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		*proto = known[i].proto;
		if (take(at, known[i].name))
			return true;
	}
	return false;
}

static const char *take_rule(const char **at, struct policy_rule *rule)
{
	uint32_t first, last;

	rule->allow = take(at, "allow");
	if (!rule->allow && !take(at, "deny"))
		return "a rule that neither allows nor denies";
	if (!take(at, ",") || !take_proto(at, &rule->proto))
		return "a rule with an unknown protocol";
	if (!take(at, ",") || !policy_take_network(at, &rule->target, &rule->target_mask))
		return "a rule with an impossible target";
	if (!take(at, ",") || !policy_take_number(at, 65535, &first) || !take(at, "-") ||
	    !policy_take_number(at, 65535, &last) || first > last)
		return "a rule with impossible ports";
	if (!take(at, ",") || !policy_take_network(at, &rule->source, &rule->source_mask))
		return "a rule with an impossible source";
	rule->first = (uint16_t)first;
	rule->last = (uint16_t)last;
	return NULL;
}

const char *policy_parse(struct policy *policy, const char *text)
{
	*policy = (struct policy){ .count = 0 };
	while (*text) {
		const char *why;

		if (policy->count == POLICY_RULES)
			return "too many rules";
		why = take_rule(&text, &policy->rules[policy->count]);
		if (why)
			return why;
		policy->count++;
		if (*text && !take(&text, ";"))
			return "something behind a rule";
	}
	return NULL;
}

static bool fits(const struct policy_rule *rule, const struct packet *packet)
{
	if ((rule->proto && rule->proto != packet->proto) ||
	    ((packet->target ^ rule->target) & rule->target_mask) ||
	    ((packet->source ^ rule->source) & rule->source_mask))
		return false;
	return packet->proto == PROTO_ICMP || (packet->to >= rule->first && packet->to <= rule->last);
}

bool policy_allows(const struct policy *policy, const struct packet *packet)
{
	for (unsigned i = 0; i < policy->count; i++)
		if (fits(&policy->rules[i], packet))
			return policy->rules[i].allow;
	return false;
}
