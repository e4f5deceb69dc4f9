/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet frames of senders nobody trusts; see frame.h. */
#include "../ring/ring.h"
#include "frame.h"

#define ETHERTYPE_IP4 0x0800u
#define ETHERTYPE_ARP 0x0806u
#define IP FRAME_ETHERNET /* where the IPv4 header begins */
#define IP_BYTES 20u
#define TCP_BYTES 20u
#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define ARP_BYTES 28u
#define TCP_FIN 1u
#define TCP_PSH 8u
#define TCP_CWR 128u

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static bool same(const uint8_t *a, const uint8_t *b, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* Length of the IPv4 header, all of it in head, or 0. */
static uint32_t ip_header(const struct frame *frame)
{
	uint32_t len;

	if (frame->head_len < IP + IP_BYTES || get16(frame->head + 12) != ETHERTYPE_IP4)
		return 0;
	len = (frame->head[IP] & 15u) * 4u;
	if (frame->head[IP] >> 4 != 4 || len < IP_BYTES || frame->head_len < IP + len)
		return 0;
	return len;
}

static bool is_fragment(const struct frame *frame)
{
	return (get16(frame->head + IP + 6) & 0x3fff) != 0;
}

/* The checksum field is written to by whoever completes the frame, which is after its source was checked:
 * only the one of TCP or UDP behind an IPv4 header, where we can fill it in ourselves. Any other place
 * would let a sender forge what stands there. */
static bool check_checksum(const struct frame *frame)
{
	uint32_t ip = ip_header(frame), start = IP + ip;
	uint8_t proto = frame->head[IP + 9];
	uint32_t offset = proto == PROTO_TCP ? 16 : 6;

	return ip != 0 && !is_fragment(frame) && (proto == PROTO_TCP || proto == PROTO_UDP) &&
	       frame->hdr.csum_start == start && frame->hdr.csum_offset == offset &&
	       start + offset + 2 <= frame->head_len;
}

/* A TCP segment over IPv4 whose headers are whole and in head, with something to cut. check_checksum
 * has passed. */
static bool check_tso4(struct frame *frame, const struct frame_rules *rules)
{
	uint32_t ip = ip_header(frame), tcp = IP + ip, tcp_len;

	if (!rules->tso4 || ip == 0 || is_fragment(frame) || frame->head[IP + 9] != PROTO_TCP ||
	    frame->head_len < tcp + TCP_BYTES)
		return false;
	tcp_len = (frame->head[tcp + 12] >> 4) * 4u;
	if (tcp_len < TCP_BYTES || frame->head_len < tcp + tcp_len || frame->len <= tcp + tcp_len)
		return false;
	if (frame->hdr.gso_size < FRAME_GSO_MIN ||
	    frame->hdr.gso_size + ip + tcp_len > rules->mtu)
		return false;
	if (get16(frame->head + IP + 2) != frame->len - IP)
		return false;
	frame->headers = tcp + tcp_len;
	return true;
}

bool frame_check(struct frame *frame, const struct frame_rules *rules)
{
	const struct net_hdr said = frame->hdr;
	bool csum = said.flags == NET_HDR_NEEDS_CSUM;
	bool gso = said.gso_type == NET_GSO_TCPV4;

	if (frame->len < FRAME_ETHERNET || said.flags & ~NET_HDR_NEEDS_CSUM || (csum && !rules->csum))
		return false;
	if (csum && !check_checksum(frame))
		return false;
	if (gso ? !csum || frame->len > FRAME_ETHERNET + FRAME_GSO_MAX ||
			  !check_tso4(frame, rules) :
		  said.gso_type != NET_GSO_NONE || frame->len > FRAME_ETHERNET + rules->mtu)
		return false;
	frame->hdr = (struct net_hdr){ .flags = said.flags };
	if (csum) {
		frame->hdr.csum_start = said.csum_start;
		frame->hdr.csum_offset = said.csum_offset;
	}
	if (gso) {
		frame->hdr.gso_type = NET_GSO_TCPV4;
		frame->hdr.gso_size = said.gso_size;
		frame->hdr.hdr_len = (uint16_t)frame->headers;
	}
	return true;
}

static bool ip4_is(const uint8_t *said, const struct frame_rules *rules)
{
	return get32(rules->ip4) == 0 || same(said, rules->ip4, 4);
}

static bool arp_fits(const struct frame *frame, const struct frame_rules *rules)
{
	static const uint8_t zero[4];
	const uint8_t *arp = frame->head + FRAME_ETHERNET;
	uint32_t op;

	if (frame->head_len < FRAME_ETHERNET + ARP_BYTES || get16(arp) != 1 ||
	    get16(arp + 2) != ETHERTYPE_IP4 || arp[4] != FRAME_MAC || arp[5] != 4)
		return false;
	op = get16(arp + 6);
	if (op != 1 && op != 2)
		return false;
	/* A probe for an address has none yet. */
	return same(arp + 8, rules->mac, FRAME_MAC) &&
	       (ip4_is(arp + 14, rules) || (op == 1 && same(arp + 14, zero, 4)));
}

static bool ip4_fits(const struct frame *frame, const struct frame_rules *rules)
{
	uint32_t ip = ip_header(frame);
	const uint8_t *udp = frame->head + IP + ip;

	if (ip == 0)
		return false;
	if (ip4_is(frame->head + IP + 12, rules))
		return true;
	return get32(frame->head + IP + 12) == 0 && frame->head[IP + 9] == PROTO_UDP &&
	       !is_fragment(frame) && frame->head_len >= IP + ip + 8 && get16(udp) == 68 &&
	       get16(udp + 2) == 67;
}

bool frame_source_fits(const struct frame *frame, const struct frame_rules *rules)
{
	if (frame->head_len < FRAME_ETHERNET ||
	    !same(frame->head + FRAME_MAC, rules->mac, FRAME_MAC))
		return false;
	switch (get16(frame->head + 12)) {
	case ETHERTYPE_ARP:
		return arp_fits(frame, rules);
	case ETHERTYPE_IP4:
		return ip4_fits(frame, rules);
	default:
		return false;
	}
}

static uint64_t load64(const uint8_t *bytes)
{
	uint64_t word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	return word;
}

/* What is carried out of the top comes in at the bottom. */
static uint64_t add64(uint64_t total, uint64_t word)
{
	total += word;
	return total + (total < word);
}

/* The sum of words does not mind in which order their bytes are, so it is made of the processor's own and as long ones
 * as there are; `odd` only says which byte of the result is which. */
uint32_t frame_sum(uint32_t sum, const uint8_t *bytes, size_t len, bool odd)
{
	uint64_t total = 0, word = 0;

	for (; len >= 32; len -= 32, bytes += 32) {
		total = add64(total, load64(bytes));
		total = add64(total, load64(bytes + 8));
		total = add64(total, load64(bytes + 16));
		total = add64(total, load64(bytes + 24));
	}
	for (; len >= 8; len -= 8, bytes += 8)
		total = add64(total, load64(bytes));
	__builtin_memcpy(&word, bytes, len);
	total = add64(total, word);
	total = (total & 0xffffffff) + (total >> 32);
	total = (total & 0xffffffff) + (total >> 32);
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	if (!odd)
		total = __builtin_bswap16((uint16_t)total);
	total += sum;
	return (uint32_t)((total & 0xffffffff) + (total >> 32));
}

uint16_t frame_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

void frame_cut(struct frame *piece, const struct frame *whole, uint32_t at, uint32_t len)
{
	uint32_t ip = (whole->head[IP] & 15u) * 4u, tcp = IP + ip;
	uint32_t tcp_len = whole->headers - tcp + len;
	bool last = whole->headers + at + len == whole->len;
	uint32_t sum;
	uint8_t *head = piece->head;

	*piece = (struct frame){ .len = whole->headers + len, .head_len = whole->headers };
	vr_copy(head, whole->head, whole->headers);
	piece->hdr.flags = NET_HDR_NEEDS_CSUM;
	piece->hdr.csum_start = (uint16_t)tcp;
	piece->hdr.csum_offset = 16;

	put16(head + IP + 2, ip + tcp_len);
	put16(head + IP + 4, get16(head + IP + 4) + at / whole->hdr.gso_size);
	put16(head + IP + 10, 0);
	put16(head + IP + 10, (uint16_t)~frame_fold(frame_sum(0, head + IP, ip, false)));

	put32(head + tcp + 4, get32(head + tcp + 4) + at);
	if (!last)
		head[tcp + 13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (at)
		head[tcp + 13] &= (uint8_t)~TCP_CWR;
	sum = frame_sum(0, head + IP + 12, 8, false);
	put16(head + tcp + 16, frame_fold(sum + PROTO_TCP + tcp_len));
}
