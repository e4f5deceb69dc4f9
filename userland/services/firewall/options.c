/* SPDX-License-Identifier: BSD-2-Clause */
/* The firewall's command line; see options.h. */
#include "options.h"

#include <stddef.h>
#include <string.h>

#define LINKS_MOST 15u

struct card {
	uint32_t link, address, mask; /* address 0: DHCP will say */
};

static bool take_card(const char **at, struct card *card)
{
	static const char dhcp[] = "dhcp";

	if (!policy_take_number(at, LINKS_MOST, &card->link) || *(*at)++ != ':')
		return false;
	if (!strncmp(*at, dhcp, sizeof(dhcp) - 1)) {
		*at += sizeof(dhcp) - 1;
		card->address = card->mask = 0;
		return true;
	}
	return policy_take_network(at, &card->address, &card->mask) && card->address;
}

static const char *parse_net(const char *net, struct card cards[2])
{
	if (!net || !take_card(&net, &cards[0]) || *net++ != ',' || !take_card(&net, &cards[1]) || *net)
		return "its two links need addresses: net=0:10.0.0.254/24,1:10.0.2.15/24";
	if (cards[0].link == cards[1].link)
		return "both its addresses are one link's";
	if (!cards[0].address || !cards[1].address)
		return cards[0].address || cards[1].address ? NULL : "both its addresses are to come from DHCP";
	if (((cards[0].address ^ cards[1].address) & cards[0].mask & cards[1].mask) == 0)
		return "its two links are one network";
	return NULL;
}

/* Which of the cards is the way out? NULL, or what is wrong. */
static const char *find_way_out(const struct card cards[2], const char *gateway, uint32_t *address, unsigned *outside)
{
	uint32_t link;

	*address = 0;
	*outside = cards[1].address == 0;
	if (!cards[*outside].address)
		return gateway ? "its gateway is to come from DHCP, and is given as well" : NULL;
	if (!gateway || !policy_take_number(&gateway, LINKS_MOST, &link) || *gateway++ != ':' ||
	    !policy_take_address(&gateway, address) || *gateway)
		return "its way out needs a gateway: gateway=1:10.0.2.2";
	*outside = cards[1].link == link;
	if (cards[*outside].link != link)
		return "its gateway is another link's";
	if (((*address ^ cards[*outside].address) & cards[*outside].mask) != 0 || *address == cards[*outside].address)
		return "its gateway is not in the network of its way out";
	return NULL;
}

const char *options_parse(struct options *options, const char *net, const char *gateway,
			  const char *policy)
{
	struct router_config *config = &options->config;
	struct card cards[2];
	const char *why = parse_net(net, cards);
	unsigned outside;

	*options = (struct options){ .links = { 0 } };
	if (why)
		return why;
	why = find_way_out(cards, gateway, &config->gateway, &outside);
	if (why)
		return why;
	config->dhcp = !cards[outside].address;
	for (unsigned i = 0; i < 2; i++) {
		enum router_side side = i == outside ? OUTSIDE : INSIDE;

		options->links[side] = cards[i].link;
		config->nets[side].address = cards[i].address;
		config->nets[side].mask = cards[i].mask;
	}
	return policy_parse(&config->policy, policy ? policy : "");
}
