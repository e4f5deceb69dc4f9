/* SPDX-License-Identifier: BSD-2-Clause */
/* The frames of DHCP; see dhcpmsg.h. */
#include "dhcpmsg.h"

#include <stddef.h>
#include <string.h>

#define IP PACKET_ETHERNET
#define IP_BYTES 20u
#define UDP (IP + IP_BYTES)
#define UDP_BYTES 8u
#define BOOTP (UDP + UDP_BYTES)
#define BOOTP_BYTES 300u /* older servers and relays drop shorter ones */
#define COOKIE_AT 236u
#define OPTIONS_AT 240u
#define COOKIE 0x63825363u
#define BROADCAST 0x8000u /* flags: an answer cannot reach an address we do not have yet */

enum option {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_WANTED = 50,
	OPT_SECONDS = 51,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_ASKED_FOR = 55,
	OPT_SIZE = 57,
	OPT_RENEW = 58,
	OPT_REBIND = 59,
	OPT_CLIENT = 61,
	OPT_END = 255,
};

_Static_assert(BOOTP + BOOTP_BYTES == DHCP_FRAME, "what dhcp.h promises");

/* ---- sums ---- */

/* Of UDP's pseudo-header: addresses, protocol, length. */
static uint16_t udp_sum(const uint8_t *frame, uint32_t udp_len)
{
	uint32_t sum = PROTO_UDP + udp_len;
	uint16_t body = (uint16_t)~packet_sum(frame + UDP, udp_len);

	for (unsigned i = 12; i < IP_BYTES; i += 2)
		sum += get16(frame + IP + i);
	sum += body;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

/* ---- questions ---- */

static uint8_t *put_option(uint8_t *at, enum option code, const void *bytes, uint8_t len)
{
	at[0] = (uint8_t)code;
	at[1] = len;
	memcpy(at + 2, bytes, len);
	return at + 2 + len;
}

static uint8_t *put_option32(uint8_t *at, enum option code, uint32_t value)
{
	uint8_t bytes[4];

	put32(bytes, value);
	return value ? put_option(at, code, bytes, sizeof(bytes)) : at;
}

static void write_bootp(uint8_t *bootp, const struct dhcpmsg_question *question)
{
	static const uint8_t asked_for[] = { OPT_MASK,	 OPT_ROUTER, OPT_DNS,	OPT_SECONDS,
					     OPT_SERVER, OPT_RENEW,  OPT_REBIND };
	static const uint8_t size[] = { 1500 >> 8, 1500 & 255 };
	uint8_t client[1 + PACKET_MAC] = { 1 }, type = (uint8_t)question->type;
	uint8_t *at = bootp + OPTIONS_AT;

	bootp[0] = 1;
	bootp[1] = 1;
	bootp[2] = PACKET_MAC;
	put32(bootp + 4, question->xid);
	put16(bootp + 8, question->seconds);
	put16(bootp + 10, question->own ? 0 : BROADCAST);
	put32(bootp + 12, question->own);
	memcpy(bootp + 28, question->mac, PACKET_MAC);
	put32(bootp + COOKIE_AT, COOKIE);
	memcpy(client + 1, question->mac, PACKET_MAC);
	at = put_option(at, OPT_TYPE, &type, 1);
	at = put_option(at, OPT_CLIENT, client, sizeof(client));
	at = put_option32(at, OPT_WANTED, question->wanted);
	at = put_option32(at, OPT_SERVER, question->server);
	at = put_option(at, OPT_SIZE, size, sizeof(size));
	at = put_option(at, OPT_ASKED_FOR, asked_for, sizeof(asked_for));
	*at = OPT_END;
}

uint32_t dhcpmsg_write(uint8_t *frame, const struct dhcpmsg_question *question)
{
	uint8_t *ip = frame + IP, *udp = frame + UDP;
	uint16_t sum;

	memset(frame, 0, DHCP_FRAME);
	if (question->to)
		memcpy(frame, question->to_mac, PACKET_MAC);
	else
		memset(frame, 0xff, PACKET_MAC);
	memcpy(frame + PACKET_MAC, question->mac, PACKET_MAC);
	put16(frame + 12, ETHERTYPE_IP4);
	ip[0] = 0x45;
	put16(ip + 2, IP_BYTES + UDP_BYTES + BOOTP_BYTES);
	ip[8] = 64;
	ip[9] = PROTO_UDP;
	put32(ip + 12, question->own);
	put32(ip + 16, question->to ? question->to : ~0u);
	put16(ip + 10, packet_sum(ip, IP_BYTES));
	put16(udp, DHCP_CLIENT_PORT);
	put16(udp + 2, DHCP_SERVER_PORT);
	put16(udp + 4, UDP_BYTES + BOOTP_BYTES);
	write_bootp(frame + BOOTP, question);
	sum = udp_sum(frame, UDP_BYTES + BOOTP_BYTES);
	put16(udp + 6, sum ? sum : 0xffff);
	return DHCP_FRAME;
}

/* ---- answers ---- */

/* Length of the UDP datagram of a whole IPv4 packet without options, or 0. */
static uint32_t udp_length(const uint8_t *frame, uint32_t len)
{
	const uint8_t *ip = frame + IP;
	uint32_t total, udp;

	if (len < BOOTP || get16(frame + 12) != ETHERTYPE_IP4 || ip[0] != 0x45 || ip[9] != PROTO_UDP ||
	    (get16(ip + 6) & 0x3fff))
		return 0;
	total = get16(ip + 2);
	udp = get16(frame + UDP + 4);
	if (total < IP_BYTES + UDP_BYTES || total > len - IP || udp < UDP_BYTES || udp > total - IP_BYTES)
		return 0;
	return udp;
}

bool dhcpmsg_is(const uint8_t *frame, uint32_t len)
{
	return udp_length(frame, len) && get16(frame + UDP) == DHCP_SERVER_PORT &&
	       get16(frame + UDP + 2) == DHCP_CLIENT_PORT;
}

/* The first address of a list, or one number. */
static bool take32(const uint8_t *at, uint8_t len, bool list, uint32_t *value)
{
	if (len < 4 || len % 4 || (!list && len != 4))
		return false;
	*value = get32(at);
	return true;
}

static bool take_option(struct dhcpmsg_answer *answer, uint8_t code, const uint8_t *at, uint8_t len)
{
	struct dhcp_lease *lease = &answer->lease;

	switch (code) {
	case OPT_MASK:
		return take32(at, len, false, &lease->mask);
	case OPT_ROUTER:
		return take32(at, len, true, &lease->gateway);
	case OPT_DNS:
		return take32(at, len, true, &lease->dns);
	case OPT_SECONDS:
		return take32(at, len, false, &lease->seconds);
	case OPT_SERVER:
		return take32(at, len, false, &lease->server);
	case OPT_RENEW:
		return take32(at, len, false, &lease->renew);
	case OPT_REBIND:
		return take32(at, len, false, &lease->rebind);
	case OPT_TYPE:
		answer->type = at[0];
		return len == 1;
	default:
		return true;
	}
}

/* All options, up to their end, which must be there. */
static bool take_options(struct dhcpmsg_answer *answer, const uint8_t *at, uint32_t len)
{
	while (len) {
		uint8_t code = at[0];

		if (code == OPT_END)
			return answer->type != 0;
		if (code == OPT_PAD) {
			at++;
			len--;
			continue;
		}
		if (len < 3 || at[1] == 0 || at[1] > len - 2 || !take_option(answer, code, at + 2, at[1]))
			return false;
		len -= 2u + at[1];
		at += 2 + at[1];
	}
	return false;
}

bool dhcpmsg_read(struct dhcpmsg_answer *answer, const uint8_t *frame, uint32_t len, const uint8_t mac[PACKET_MAC])
{
	static const uint8_t all[PACKET_MAC] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint32_t udp = udp_length(frame, len);
	const uint8_t *bootp = frame + BOOTP;

	*answer = (struct dhcpmsg_answer){ .type = 0 };
	if (udp < UDP_BYTES + OPTIONS_AT || packet_sum(frame + IP, IP_BYTES) ||
	    (get16(frame + UDP + 6) && udp_sum(frame, udp)))
		return false;
	if (memcmp(frame, mac, PACKET_MAC) && memcmp(frame, all, PACKET_MAC))
		return false;
	if (bootp[0] != 2 || bootp[1] != 1 || bootp[2] != PACKET_MAC || memcmp(bootp + 28, mac, PACKET_MAC) ||
	    get32(bootp + COOKIE_AT) != COOKIE || (frame[PACKET_MAC] & 1))
		return false;
	answer->xid = get32(bootp + 4);
	answer->lease.address = get32(bootp + 16);
	memcpy(answer->lease.server_mac, frame + PACKET_MAC, PACKET_MAC);
	return take_options(answer, bootp + OPTIONS_AT, udp - UDP_BYTES - OPTIONS_AT);
}
