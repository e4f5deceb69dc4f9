/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 packets of senders nobody trusts; see packet.h. */
#include "packet.h"

#include <stddef.h>

#define IP_BYTES 20u
#define TCP_BYTES 20u
#define UDP_BYTES 8u
#define ICMP_BYTES 8u

uint16_t packet_sum(const uint8_t *bytes, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < len; i += 2)
		sum += get16(bytes + i);
	if (len & 1)
		sum += (uint32_t)bytes[len - 1] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

/* A 16-bit word below a checksum changes (RFC 1624). */
static void adjust16(uint8_t *check, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint16_t)~get16(check) + (uint32_t)(uint16_t)~before + after;

	sum = (sum & 0xffff) + (sum >> 16);
	put16(check, (uint16_t)~((sum & 0xffff) + (sum >> 16)));
}

static void adjust32(uint8_t *check, uint32_t before, uint32_t after)
{
	adjust16(check, (uint16_t)(before >> 16), (uint16_t)(after >> 16));
	adjust16(check, (uint16_t)before, (uint16_t)after);
}

static const char *parse_tcp(struct packet *packet, uint32_t len)
{
	uint8_t *tcp = packet->body;
	uint32_t header;

	if (len < TCP_BYTES)
		return "TCP cut short";
	header = (tcp[12] >> 4) * 4u;
	if (header < TCP_BYTES || header > len)
		return "TCP with an impossible header";
	packet->flags = tcp[13];
	packet->check = tcp + 16;
	return NULL;
}

static const char *parse_udp(struct packet *packet, uint32_t len)
{
	uint8_t *udp = packet->body;

	if (len < UDP_BYTES || get16(udp + 4) < UDP_BYTES || get16(udp + 4) > len)
		return "UDP with an impossible length";
	packet->check = udp + 6;
	return NULL;
}

static bool is_error(uint8_t type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_EXPIRED || type == ICMP_PARAMETER;
}

/* The packet an ICMP error is about: its IPv4 header and 8 bytes, which is where its ports are. */
static const char *parse_quoted(struct packet *packet, uint32_t len)
{
	uint8_t *ip = packet->body + ICMP_BYTES, *body = ip + IP_BYTES;

	if (len < ICMP_BYTES + IP_BYTES + ICMP_BYTES || ip[0] != 0x45 || (get16(ip + 6) & 0x1fff))
		return "ICMP about something unknown";
	packet->quoted_proto = ip[9];
	packet->quoted_source = get32(ip + 12);
	packet->quoted_target = get32(ip + 16);
	packet->quoted_from_at = body;
	if (ip[9] == PROTO_ICMP && body[0] == ICMP_ECHO)
		packet->quoted_from_at = body + 4;
	else if (ip[9] != PROTO_TCP && ip[9] != PROTO_UDP)
		return "ICMP about another protocol";
	packet->quoted_from = get16(packet->quoted_from_at);
	packet->quoted_to = ip[9] == PROTO_ICMP ? 0 : get16(body + 2);
	packet->quoted = ip;
	return NULL;
}

static const char *parse_icmp(struct packet *packet, uint32_t len)
{
	uint8_t *icmp = packet->body;

	if (len < ICMP_BYTES)
		return "ICMP cut short";
	packet->icmp = icmp[0];
	packet->check = icmp + 2;
	packet->from_at = packet->to_at = icmp + 4;
	if (is_error(icmp[0]))
		return parse_quoted(packet, len);
	if ((icmp[0] != ICMP_ECHO && icmp[0] != ICMP_ECHO_REPLY) || icmp[1] != 0)
		return "ICMP that is neither echo nor error";
	return NULL;
}

static const char *parse_body(struct packet *packet, uint32_t len)
{
	packet->from_at = packet->body;
	packet->to_at = packet->body + 2;
	switch (packet->proto) {
	case PROTO_TCP:
		return parse_tcp(packet, len);
	case PROTO_UDP:
		return parse_udp(packet, len);
	case PROTO_ICMP:
		return parse_icmp(packet, len);
	default:
		return "another protocol";
	}
}

const char *packet_parse(struct packet *packet)
{
	uint8_t *ip = packet->bytes + PACKET_ETHERNET;
	const char *why;
	uint32_t total;

	if (packet->len < PACKET_ETHERNET + IP_BYTES || get16(packet->bytes + 12) != ETHERTYPE_IP4)
		return "no IPv4";
	if (ip[0] != 0x45)
		return "IPv4 with options, or another version";
	total = get16(ip + 2);
	if (total < IP_BYTES || total > packet->len - PACKET_ETHERNET)
		return "IPv4 with an impossible length";
	if (packet_sum(ip, IP_BYTES))
		return "IPv4 with a wrong checksum";
	if (get16(ip + 6) & 0xbfff)
		return "a fragment";
	packet->len = PACKET_ETHERNET + total; /* without what pads the frame */
	packet->ip = ip;
	packet->body = ip + IP_BYTES;
	packet->proto = ip[9];
	packet->flags = packet->icmp = 0;
	packet->quoted = NULL;
	packet->of_us = false;
	packet->source = get32(ip + 12);
	packet->target = get32(ip + 16);
	why = parse_body(packet, total - IP_BYTES);
	if (why)
		return why;
	packet->from = get16(packet->from_at);
	packet->to = get16(packet->to_at);
	return NULL;
}

/* An address and a port, and the checksums that cover them. UDP's may be absent, and is then left so. */
static void translate(struct packet *packet, uint8_t *address_at, uint8_t *port_at, uint32_t address,
		      uint16_t port)
{
	bool none = packet->proto == PROTO_UDP && !get16(packet->check);
	uint32_t address_before = get32(address_at);
	uint16_t port_before = get16(port_at);

	put32(address_at, address);
	put16(port_at, port);
	adjust32(packet->ip + 10, address_before, address);
	if (none)
		return;
	if (packet->proto != PROTO_ICMP)
		adjust32(packet->check, address_before, address);
	adjust16(packet->check, port_before, port);
	if (packet->proto == PROTO_UDP && !get16(packet->check))
		put16(packet->check, 0xffff); /* 0 would mean that there is none */
}

void packet_set_source(struct packet *packet, uint32_t address, uint16_t port)
{
	translate(packet, packet->ip + 12, packet->from_at, address, port);
	packet->source = address;
	packet->from = port;
}

void packet_set_target(struct packet *packet, uint32_t address, uint16_t port)
{
	translate(packet, packet->ip + 16, packet->to_at, address, port);
	packet->target = address;
	packet->to = port;
}

/* The sum over the quoted header stays, with its checksum adjusted: only the port is left to be told. */
void packet_set_quoted_source(struct packet *packet, uint32_t address, uint16_t port)
{
	uint8_t *ip = packet->quoted;

	adjust32(ip + 10, packet->quoted_source, address);
	put32(ip + 12, address);
	adjust16(packet->check, packet->quoted_from, port);
	put16(packet->quoted_from_at, port);
	packet->quoted_source = address;
	packet->quoted_from = port;
}

bool packet_age(struct packet *packet)
{
	uint16_t before = get16(packet->ip + 8);

	if (packet->ip[8] <= 1)
		return false;
	packet->ip[8]--;
	adjust16(packet->ip + 10, before, get16(packet->ip + 8));
	return true;
}

void packet_answer(struct packet *packet)
{
	uint32_t source = packet->source;
	uint16_t before = get16(packet->body);

	packet->body[0] = packet->icmp = ICMP_ECHO_REPLY;
	adjust16(packet->check, before, get16(packet->body));
	packet_set_source(packet, packet->target, packet->from);
	packet_set_target(packet, source, packet->to);
}
