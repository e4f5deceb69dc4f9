/* SPDX-License-Identifier: BSD-2-Clause */
/* A DHCP client; see dhcp.h. The messages themselves are dhcpmsg.c's. */
#include "dhcp.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "dhcpmsg.h"

#define FIRST_WAIT DHCP_SECOND
#define LONGEST_WAIT (64 * DHCP_SECOND)
#define REQUEST_TRIES 4u
#define SILENT_TRIES 4u /* before it is said that nobody answers */
#define FOR_EVER UINT32_MAX

/* ---- what is said ---- */

#define QUAD "%u.%u.%u.%u"
#define QUAD_OF(a) (a) >> 24, (a) >> 16 & 255, (a) >> 8 & 255, (a) & 255

static void say(struct dhcp *dhcp, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct dhcp *dhcp, const char *format, ...)
{
	char line[160];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	dhcp->ops->log(dhcp->ops->self, line);
}

/* False: enough was said. Servers may go on refusing and being refused for ever. */
static bool may_say(struct dhcp *dhcp)
{
	return dhcp->lines < DHCP_LINES && ++dhcp->lines;
}

static void say_lease(struct dhcp *dhcp)
{
	const struct dhcp_lease *lease = &dhcp->lease;
	char time[32];

	if (!may_say(dhcp))
		return;
	if (lease->seconds == FOR_EVER)
		snprintf(time, sizeof(time), "for ever");
	else
		snprintf(time, sizeof(time), "for %u s", (unsigned)lease->seconds);
	say(dhcp, "dhcp: " QUAD "/%u, router " QUAD ", name server " QUAD ", of " QUAD " %s", QUAD_OF(lease->address),
	    (unsigned)__builtin_popcount(lease->mask), QUAD_OF(lease->gateway), QUAD_OF(lease->dns),
	    QUAD_OF(lease->server), time);
}

/* ---- time ---- */

static uint32_t roll(struct dhcp *dhcp)
{
	dhcp->dice = dhcp->dice * 1664525u + 1013904223u;
	return dhcp->dice >> 8;
}

/* Twice as long each time, give or take an eighth: many clients start at once when the lights go on. */
static uint64_t patience(struct dhcp *dhcp)
{
	unsigned doubled = dhcp->tries < 7 ? dhcp->tries : 7;
	uint64_t wait = FIRST_WAIT << (doubled ? doubled - 1 : 0);

	if (wait > LONGEST_WAIT)
		wait = LONGEST_WAIT;
	return wait - wait / 8 + roll(dhcp) % 1024 * (wait / 4096);
}

static uint64_t end_of(const struct dhcp *dhcp, uint32_t seconds)
{
	return seconds == FOR_EVER ? DHCP_NEVER : dhcp->since + seconds * DHCP_SECOND;
}

/* Half of what is left, but not more often than makes sense for such a lease. */
static uint64_t ask_again(const struct dhcp *dhcp, uint64_t now, uint64_t end)
{
	uint64_t least = dhcp->lease.seconds / 16 * DHCP_SECOND, wait = end > now ? (end - now) / 2 : 0;

	least = least < DHCP_SECOND ? DHCP_SECOND : least > 60 * DHCP_SECOND ? 60 * DHCP_SECOND : least;
	wait = wait < least ? least : wait;
	return now + wait < end ? now + wait : end;
}

/* ---- questions ---- */

static void ask(struct dhcp *dhcp, uint64_t now)
{
	const struct dhcp_lease *lease = &dhcp->lease;
	struct dhcpmsg_question question = { .xid = dhcp->xid, .mac = dhcp->mac };
	uint8_t *at = dhcp->ops->room(dhcp->ops->self);

	if (dhcp->tries++ == 0)
		dhcp->asked = now;
	question.type = dhcp->state == DHCP_SELECTING ? DHCPMSG_DISCOVER : DHCPMSG_REQUEST;
	if (dhcp->state == DHCP_REQUESTING) {
		question.wanted = lease->address;
		question.server = lease->server;
	} else if (dhcp->state != DHCP_SELECTING) {
		question.own = lease->address;
	}
	if (dhcp->state == DHCP_RENEWING) {
		question.to = lease->server;
		question.to_mac = lease->server_mac;
	}
	question.seconds = (uint16_t)((now - dhcp->asked) / DHCP_SECOND);
	if (!at)
		return;
	dhcp->ops->send(dhcp->ops->self, dhcpmsg_write(at, &question));
}

/* Another question begins. */
static void turn_to(struct dhcp *dhcp, enum dhcp_state state, uint64_t now)
{
	dhcp->state = state;
	dhcp->tries = 0;
	dhcp->due = now;
	/* A request names the offer it is about by the number of the question that was answered. */
	if (state != DHCP_REQUESTING)
		dhcp->xid = roll(dhcp) << 16 ^ roll(dhcp);
}

/* From the beginning, after a moment: who refuses at once would be asked at once, for ever. */
static void lose(struct dhcp *dhcp, uint64_t now)
{
	dhcp->changes += dhcp->leased;
	dhcp->leased = false;
	dhcp->lease = (struct dhcp_lease){ .address = 0 };
	turn_to(dhcp, DHCP_SELECTING, now + FIRST_WAIT);
}

static void on_due(struct dhcp *dhcp, uint64_t now)
{
	switch (dhcp->state) {
	case DHCP_SELECTING:
		if (dhcp->tries == SILENT_TRIES && !dhcp->silence_said) {
			dhcp->silence_said = true;
			if (may_say(dhcp))
				say(dhcp, "dhcp: nobody offers an address that could be used; still asking");
		}
		ask(dhcp, now);
		dhcp->due = now + patience(dhcp);
		return;
	case DHCP_REQUESTING:
		if (dhcp->tries == REQUEST_TRIES) {
			if (may_say(dhcp))
				say(dhcp, "dhcp: " QUAD " does not keep its offer of " QUAD,
				    QUAD_OF(dhcp->lease.server), QUAD_OF(dhcp->lease.address));
			lose(dhcp, now);
			return;
		}
		ask(dhcp, now);
		dhcp->due = now + patience(dhcp);
		return;
	case DHCP_BOUND:
		turn_to(dhcp, DHCP_RENEWING, now);
		return;
	case DHCP_RENEWING:
		if (now >= end_of(dhcp, dhcp->lease.rebind)) {
			turn_to(dhcp, DHCP_REBINDING, now);
			return;
		}
		ask(dhcp, now);
		dhcp->due = ask_again(dhcp, now, end_of(dhcp, dhcp->lease.rebind));
		return;
	case DHCP_REBINDING:
		if (now >= end_of(dhcp, dhcp->lease.seconds)) {
			if (may_say(dhcp))
				say(dhcp, "dhcp: the lease of " QUAD " is over: nobody renewed it",
				    QUAD_OF(dhcp->lease.address));
			lose(dhcp, now);
			return;
		}
		ask(dhcp, now);
		dhcp->due = ask_again(dhcp, now, end_of(dhcp, dhcp->lease.seconds));
		return;
	}
}

uint64_t dhcp_run(struct dhcp *dhcp, uint64_t now)
{
	/* Each step that asks nothing leads to one that does. */
	while (dhcp->due <= now)
		on_due(dhcp, now);
	return dhcp->due;
}

/* ---- answers ---- */

/* One station of the network? */
static bool is_station(uint32_t address, uint32_t mask)
{
	uint32_t top = address >> 24, host = address & ~mask;

	return top != 0 && top != 127 && top < 224 && ((mask | 1) == ~0u || (host != 0 && host != ~mask));
}

/* NULL, or why this cannot be ours. */
static const char *refuse(const struct dhcp *dhcp, const struct dhcp_lease *lease)
{
	uint32_t mask = lease->mask;

	if (!lease->mask || (~mask & (~mask + 1)) || !(mask >> 24))
		return "it names no network";
	if (!is_station(lease->address, mask))
		return "it is no address of one station";
	if (!lease->server)
		return "it does not say of whom";
	if (!lease->gateway)
		return "it names no router";
	if (((lease->gateway ^ lease->address) & mask) != 0 || lease->gateway == lease->address ||
	    !is_station(lease->gateway, mask))
		return "its router is no neighbour";
	if (((lease->address ^ dhcp->inside) & mask & dhcp->inside_mask) == 0)
		return "it lies in the network inside";
	if (lease->seconds < DHCP_SHORTEST)
		return "it is too short";
	return NULL;
}

/* The two moments that may be left to us, and those that make no sense. */
static void fill_times(struct dhcp_lease *lease)
{
	if (lease->seconds == FOR_EVER) {
		lease->renew = lease->rebind = FOR_EVER;
		return;
	}
	if (lease->renew && !lease->rebind)
		lease->rebind = lease->renew + (lease->seconds - lease->renew) * 3 / 4;
	if (!lease->renew || lease->renew >= lease->rebind || lease->rebind >= lease->seconds) {
		lease->renew = lease->seconds / 2;
		lease->rebind = (uint32_t)((uint64_t)lease->seconds * 7 / 8);
	}
}

static void take_offer(struct dhcp *dhcp, const struct dhcp_lease *offer, uint64_t now)
{
	const char *why = refuse(dhcp, offer);

	if (why) {
		if (may_say(dhcp))
			say(dhcp, "dhcp: an offer of " QUAD " by " QUAD " is of no use: %s", QUAD_OF(offer->address),
			    QUAD_OF(offer->server), why);
		return;
	}
	dhcp->lease = *offer;
	turn_to(dhcp, DHCP_REQUESTING, now);
}

static void take_ack(struct dhcp *dhcp, struct dhcp_lease *granted, uint64_t now)
{
	const struct dhcp_lease *had = &dhcp->lease;
	const char *why = refuse(dhcp, granted);
	bool same;

	if (!why && granted->address != had->address)
		why = "it is not what was asked for";
	if (why) {
		if (may_say(dhcp))
			say(dhcp, "dhcp: " QUAD " grants " QUAD ", which is of no use: %s", QUAD_OF(granted->server),
			    QUAD_OF(granted->address), why);
		if (!dhcp->leased)
			lose(dhcp, now);
		return;
	}
	same = dhcp->leased && granted->mask == had->mask && granted->gateway == had->gateway &&
	       granted->dns == had->dns;
	fill_times(granted);
	dhcp->lease = *granted;
	dhcp->since = dhcp->asked;
	dhcp->leased = true;
	dhcp->state = DHCP_BOUND;
	dhcp->due = end_of(dhcp, granted->renew);
	dhcp->silence_said = false;
	if (!same) {
		dhcp->changes++;
		say_lease(dhcp);
	}
}

static void take_nak(struct dhcp *dhcp, uint32_t server, uint64_t now)
{
	if (may_say(dhcp))
		say(dhcp, "dhcp: " QUAD " refuses us " QUAD, QUAD_OF(server), QUAD_OF(dhcp->lease.address));
	lose(dhcp, now);
}

/* Only the server we have chosen may answer, until we ask all of them. */
static bool may_answer(const struct dhcp *dhcp, uint32_t server)
{
	return dhcp->state == DHCP_REBINDING || server == dhcp->lease.server;
}

bool dhcp_input(struct dhcp *dhcp, const uint8_t *frame, uint32_t len, uint64_t now)
{
	struct dhcpmsg_answer answer;

	if (!dhcpmsg_is(frame, len))
		return false;
	if (!dhcpmsg_read(&answer, frame, len, dhcp->mac) || answer.xid != dhcp->xid || !dhcp->tries)
		return true;
	if (answer.type == DHCPMSG_OFFER) {
		if (dhcp->state == DHCP_SELECTING)
			take_offer(dhcp, &answer.lease, now);
	} else if (dhcp->state != DHCP_SELECTING && dhcp->state != DHCP_BOUND &&
		   may_answer(dhcp, answer.lease.server)) {
		if (answer.type == DHCPMSG_ACK)
			take_ack(dhcp, &answer.lease, now);
		else if (answer.type == DHCPMSG_NAK)
			take_nak(dhcp, answer.lease.server, now);
	}
	return true;
}

void dhcp_init(struct dhcp *dhcp, const uint8_t mac[PACKET_MAC], uint32_t inside, uint32_t inside_mask, uint32_t seed,
	       const struct dhcp_ops *ops)
{
	memset(dhcp, 0, sizeof(*dhcp));
	dhcp->ops = ops;
	memcpy(dhcp->mac, mac, PACKET_MAC);
	dhcp->inside = inside;
	dhcp->inside_mask = inside_mask;
	dhcp->dice = seed;
	turn_to(dhcp, DHCP_SELECTING, 0);
}
