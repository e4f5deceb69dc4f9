/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections and their outside ports; see nat.h. */
#include "nat.h"

#include <stddef.h>
#include <string.h>

/* ---- the two ways to find a flow ---- */

static unsigned bucket(uint8_t proto, uint32_t a, uint32_t b, uint32_t ports)
{
	uint64_t mix = ((uint64_t)a << 32 | b) * UINT64_C(0x9e3779b97f4a7c15);

	mix ^= ((uint64_t)proto << 32 | ports) * UINT64_C(0xc2b2ae3d27d4eb4f);
	mix *= UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(mix >> 40) % NAT_BUCKETS;
}

static uint16_t *out_bucket(struct nat *nat, const struct nat_flow *f)
{
	return &nat->out[bucket(f->proto, f->inside, f->remote,
				(uint32_t)f->inside_port << 16 | f->remote_port)];
}

static uint16_t *in_bucket(struct nat *nat, const struct nat_flow *f)
{
	return &nat->in[bucket(f->proto, f->remote, 0,
			       (uint32_t)f->remote_port << 16 | f->outside_port)];
}

static struct nat_flow *flow_of(struct nat *nat, uint16_t index)
{
	return index ? &nat->flows[index - 1] : NULL;
}

static uint16_t index_of(const struct nat *nat, const struct nat_flow *flow)
{
	return (uint16_t)(flow - nat->flows + 1);
}

static void link_in(struct nat *nat, struct nat_flow *flow)
{
	uint16_t *out = out_bucket(nat, flow), *in = in_bucket(nat, flow);

	flow->next_out = *out;
	flow->next_in = *in;
	*out = *in = index_of(nat, flow);
	nat->used++;
}

static void forget(struct nat *nat, struct nat_flow *flow)
{
	uint16_t index = index_of(nat, flow);
	uint16_t *at = out_bucket(nat, flow);

	while (*at != index)
		at = &flow_of(nat, *at)->next_out;
	*at = flow->next_out;
	at = in_bucket(nat, flow);
	while (*at != index)
		at = &flow_of(nat, *at)->next_in;
	*at = flow->next_in;
	flow->state = NAT_FREE;
	nat->used--;
}

/* True: it was, and is no more. */
static bool expire(struct nat *nat, struct nat_flow *flow, uint64_t now)
{
	if (flow->state == NAT_FREE || now < flow->until)
		return false;
	forget(nat, flow);
	nat->counters.expired++;
	return true;
}

static uint16_t remote_port_of(const struct packet *packet, uint16_t port)
{
	return packet->proto == PROTO_ICMP ? 0 : port;
}

static struct nat_flow *find_out(struct nat *nat, const struct nat_flow *key, uint64_t now)
{
	struct nat_flow *flow = flow_of(nat, *out_bucket(nat, key));

	while (flow && !(flow->proto == key->proto && flow->inside == key->inside &&
			 flow->remote == key->remote && flow->inside_port == key->inside_port &&
			 flow->remote_port == key->remote_port && flow->of_us == key->of_us))
		flow = flow_of(nat, flow->next_out);
	return flow && expire(nat, flow, now) ? NULL : flow;
}

static struct nat_flow *find_in(struct nat *nat, const struct nat_flow *key, uint64_t now)
{
	struct nat_flow *flow = flow_of(nat, *in_bucket(nat, key));

	while (flow && !(flow->proto == key->proto && flow->remote == key->remote &&
			 flow->remote_port == key->remote_port &&
			 flow->outside_port == key->outside_port))
		flow = flow_of(nat, flow->next_in);
	return flow && expire(nat, flow, now) ? NULL : flow;
}

/* ---- a new connection ---- */

static uint32_t roll(struct nat *nat)
{
	nat->dice = nat->dice * 1664525u + 1013904223u;
	return nat->dice >> 8;
}

/* A place for another connection of this station. */
static struct nat_flow *place(struct nat *nat, uint32_t inside, uint64_t now)
{
	struct nat_flow *found = NULL;
	unsigned own = 0;

	for (unsigned i = 0; i < NAT_FLOWS; i++) {
		struct nat_flow *flow = &nat->flows[(nat->hand + i) % NAT_FLOWS];

		(void)expire(nat, flow, now);
		if (flow->state == NAT_FREE)
			found = found ? found : flow;
		else if (flow->inside == inside)
			own++;
	}
	if (own >= NAT_FLOWS_EACH) {
		nat->counters.full_each++;
		return NULL;
	}
	if (!found)
		nat->counters.full++;
	else
		nat->hand = (unsigned)(found - nat->flows + 1) % NAT_FLOWS;
	return found;
}

/* Its own port if that is free towards this remote, else another. */
static bool choose_port(struct nat *nat, struct nat_flow *key, uint64_t now)
{
	key->outside_port = key->inside_port;
	for (unsigned i = 0; i < NAT_PORT_TRIES; i++) {
		if (!find_in(nat, key, now))
			return true;
		key->outside_port =
			(uint16_t)(NAT_PORT_FIRST + roll(nat) % (65536 - NAT_PORT_FIRST));
	}
	nat->counters.no_port++;
	return false;
}

static struct nat_flow *make(struct nat *nat, struct nat_flow *key, uint64_t now)
{
	struct nat_flow *flow = place(nat, key->inside, now);

	if (!flow || !choose_port(nat, key, now))
		return NULL;
	*flow = *key;
	flow->state = NAT_NEW;
	link_in(nat, flow);
	nat->counters.made++;
	return flow;
}

/* ---- how long it lives ---- */

static uint64_t life(const struct nat_flow *flow)
{
	if (flow->proto == PROTO_ICMP)
		return NAT_ICMP;
	if (flow->proto == PROTO_UDP)
		return flow->state == NAT_NEW ? NAT_UDP_NEW : NAT_UDP_LIVE;
	return flow->state == NAT_NEW ? NAT_TCP_NEW :
	       flow->state == NAT_LIVE ? NAT_TCP_LIVE : NAT_TCP_ENDED;
}

/* One more packet of it, from inside or not. A reset ends it for who believes it; until then it stays. */
static void follow(struct nat_flow *flow, const struct packet *packet, bool inside, uint64_t now)
{
	if (flow->state == NAT_NEW && !inside)
		flow->state = NAT_LIVE;
	if (flow->proto == PROTO_TCP) {
		*(inside ? &flow->fin_in : &flow->fin_out) |= (packet->flags & TCP_FIN) != 0;
		if ((packet->flags & TCP_RST) || (flow->fin_in && flow->fin_out))
			flow->state = NAT_ENDED;
		if (inside && (packet->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
		    flow->state == NAT_ENDED) { /* the ports are used again */
			flow->state = NAT_NEW;
			flow->fin_in = flow->fin_out = false;
		}
	}
	flow->until = now + life(flow);
}

/* ---- packets ---- */

void nat_init(struct nat *nat, uint32_t outside, uint32_t seed)
{
	memset(nat, 0, sizeof(*nat));
	nat->outside = outside;
	nat->dice = seed;
}

static struct nat_flow out_key(const struct packet *packet)
{
	return (struct nat_flow){
		.proto = packet->proto, .of_us = packet->of_us, .inside = packet->source, .remote = packet->target,
		.inside_port = packet->from, .remote_port = remote_port_of(packet, packet->to),
	};
}

bool nat_out(struct nat *nat, struct packet *packet, uint64_t now)
{
	struct nat_flow key = out_key(packet);
	struct nat_flow *flow = find_out(nat, &key, now);

	if (packet->proto == PROTO_ICMP && packet->icmp != ICMP_ECHO)
		return false;
	if (!flow)
		flow = make(nat, &key, now);
	if (!flow)
		return false;
	follow(flow, packet, true, now);
	packet_set_source(packet, nat->outside, flow->outside_port);
	return true;
}

/* The connection of the packet that an ICMP error is about; it does not live longer for that. */
static bool error_in(struct nat *nat, struct packet *packet, uint64_t now)
{
	struct nat_flow key = {
		.proto = packet->quoted_proto, .remote = packet->quoted_target,
		.remote_port = packet->quoted_to, .outside_port = packet->quoted_from,
	};
	struct nat_flow *flow = NULL;

	if (packet->target == nat->outside && packet->quoted_source == nat->outside)
		flow = find_in(nat, &key, now);
	if (!flow || flow->of_us) { /* the station has not heard of who is quoted */
		nat->counters.unasked++;
		return false;
	}
	packet_set_target(packet, flow->inside, packet->to);
	packet_set_quoted_source(packet, flow->inside, flow->inside_port);
	return true;
}

bool nat_in(struct nat *nat, struct packet *packet, uint64_t now)
{
	struct nat_flow key = {
		.proto = packet->proto, .remote = packet->source,
		.remote_port = remote_port_of(packet, packet->from), .outside_port = packet->to,
	};
	struct nat_flow *flow = NULL;

	if (packet->quoted)
		return error_in(nat, packet, now);
	if (packet->target == nat->outside &&
	    (packet->proto != PROTO_ICMP || packet->icmp == ICMP_ECHO_REPLY))
		flow = find_in(nat, &key, now);
	if (!flow) {
		nat->counters.unasked++;
		return false;
	}
	follow(flow, packet, false, now);
	packet_set_target(packet, flow->inside, flow->inside_port);
	packet->of_us = flow->of_us;
	return true;
}
