/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firewall's DHCP client against a server of the test's own: what it asks for and when, what it takes for an
 * answer, how a lease is renewed, moved and lost, and what is said of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dhcp.h>

#include "sums.h"

#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define OURS IP4(192, 0, 2, 15)
#define SERVER IP4(192, 0, 2, 2)
#define OTHER IP4(192, 0, 2, 3)
#define S DHCP_SECOND

static const uint8_t mac[6] = { 2, 0x52, 0x46, 0, 0, 4 }, server_mac[6] = { 0x52, 0x55, 10, 0, 2, 2 };
static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static struct dhcp dhcp;
static uint8_t sent[DHCP_FRAME], frame[600];
static uint32_t frame_len;
static unsigned sent_count, log_count;
static char last_log[256];
static bool no_room;
static uint64_t now;

static uint8_t *room(void *self)
{
	(void)self;
	return no_room ? NULL : sent;
}

static void send(void *self, uint32_t len)
{
	(void)self;
	assert_int_equal(len, DHCP_FRAME);
	sent_count++;
}

static void keep_log(void *self, const char *line)
{
	(void)self;
	snprintf(last_log, sizeof(last_log), "%s", line);
	log_count++;
}

static const struct dhcp_ops ops = { NULL, room, send, keep_log };

/* ---- what was asked ---- */

/* An option of what was sent, as a number; 0: not there. */
static uint32_t option(unsigned code)
{
	const uint8_t *at = sent + 42 + 240;
	uint32_t value = 0;

	while (*at != 255) {
		if (*at == code) {
			for (unsigned i = 0; i < at[1] && i < 4; i++)
				value = value << 8 | at[2 + i];
			return value;
		}
		at += 2 + at[1];
		assert_true(at < sent + sizeof(sent));
	}
	return 0;
}

static void asked(unsigned type, uint32_t own, uint32_t to)
{
	const uint8_t *ip = sent + 14;

	assert_int_equal(sent_count, 1);
	sent_count = 0;
	assert_memory_equal(sent, to ? server_mac : everybody, 6);
	assert_memory_equal(sent + 6, mac, 6);
	assert_int_equal(get32(ip + 12), own);
	assert_int_equal(get32(ip + 16), to ? to : ~0u);
	assert_int_equal(add(0, ip, 20), 0xffff);
	assert_int_equal(add(17 + 308, ip + 12, 8 + 308), 0xffff);
	assert_int_equal(get16(ip + 20), 68);
	assert_int_equal(get16(ip + 22), 67);
	assert_int_equal(get32(sent + 42 + 12), own);
	assert_memory_equal(sent + 42 + 28, mac, 6);
	assert_int_equal(option(53), type);
}

static void quiet(void)
{
	assert_int_equal(sent_count, 0);
}

/* ---- the server ---- */

static uint8_t *put(uint8_t *at, unsigned code, uint32_t value)
{
	at[0] = (uint8_t)code;
	at[1] = 4;
	put32(at + 2, value);
	return at + 6;
}

static void seal(void)
{
	uint8_t *ip = frame + 14;
	unsigned len = frame_len - 34;

	put16(ip + 2, 20 + len);
	put16(ip + 24, len);
	put16(ip + 10, 0);
	put16(ip + 10, ~add(0, ip, 20) & 0xffff);
	put16(ip + 26, 0);
	put16(ip + 26, ~add(17 + len, ip + 12, 8 + len) & 0xffff);
}

/* An answer to what was sent last. A lease of seconds 0 has no times. */
static uint8_t *answer(unsigned type, uint32_t address, uint32_t server, uint32_t gateway, uint32_t seconds)
{
	uint8_t *ip = frame + 14, *bootp = frame + 42, *at = bootp + 240;

	memset(frame, 0, sizeof(frame));
	memcpy(frame, everybody, 6);
	memcpy(frame + 6, server_mac, 6);
	put16(frame + 12, 0x800);
	ip[0] = 0x45;
	ip[8] = 64;
	ip[9] = 17;
	put32(ip + 12, server);
	put32(ip + 16, ~0u);
	put16(ip + 20, 67);
	put16(ip + 22, 68);
	bootp[0] = 2;
	bootp[1] = 1;
	bootp[2] = 6;
	memcpy(bootp + 4, sent + 46, 4);
	put32(bootp + 16, address);
	memcpy(bootp + 28, mac, 6);
	put32(bootp + 236, 0x63825363);
	*at++ = 53;
	*at++ = 1;
	*at++ = (uint8_t)type;
	at = put(at, 54, server);
	if (seconds) {
		at = put(at, 1, 0xffffff00);
		at = put(at, 3, gateway);
		at = put(at, 6, OTHER);
		at = put(at, 51, seconds);
	}
	*at = 255;
	frame_len = (uint32_t)(at + 1 - frame);
	seal();
	return at;
}

static void give(void)
{
	assert_true(dhcp_input(&dhcp, frame, frame_len, now));
	(void)dhcp_run(&dhcp, now);
}

static void begin(void)
{
	now = 7 * S;
	sent_count = log_count = 0;
	no_room = false;
	last_log[0] = 0;
	dhcp_init(&dhcp, mac, IP4(10, 0, 0, 254), 0xffffff00, 1, &ops);
	(void)dhcp_run(&dhcp, now);
	asked(1, 0, 0);
}

static void bind_for(uint32_t seconds)
{
	begin();
	answer(2, OURS, SERVER, SERVER, seconds);
	give();
	asked(3, 0, 0);
	assert_int_equal(option(50), OURS);
	assert_int_equal(option(54), SERVER);
	answer(5, OURS, SERVER, SERVER, seconds);
	give();
	quiet();
	assert_true(dhcp.leased);
	assert_int_equal(dhcp.lease.address, OURS);
	assert_int_equal(dhcp.lease.gateway, SERVER);
	assert_int_equal(dhcp.lease.dns, OTHER);
	assert_int_equal(dhcp.changes, 1);
}

/* On to when the client wants to be called. */
static void wait(void)
{
	now = dhcp_run(&dhcp, now);
	(void)dhcp_run(&dhcp, now);
}

static void lease(void **state)
{
	(void)state;
	bind_for(1000);
	assert_string_equal(last_log, "dhcp: 192.0.2.15/24, router 192.0.2.2, name server 192.0.2.3, of 192.0.2.2 "
				      "for 1000 s");
	assert_int_equal(dhcp.due, now + 500 * S);
	bind_for(0xffffffff);
	assert_string_equal(last_log, "dhcp: 192.0.2.15/24, router 192.0.2.2, name server 192.0.2.3, of 192.0.2.2 "
				      "for ever");
	assert_int_equal(dhcp.due, DHCP_NEVER);
}

/* Nobody answers: again and again, ever more seldom, and it is said once. */
static void silence(void **state)
{
	uint64_t before;

	(void)state;
	begin();
	for (unsigned i = 0; i < 20; i++) {
		before = now;
		wait();
		asked(1, 0, 0);
		assert_true(now - before >= 7 * S / 8 && now - before <= 72 * S);
	}
	assert_true(now - before > 50 * S);
	assert_int_equal(log_count, 1);
	assert_string_equal(last_log, "dhcp: nobody offers an address that could be used; still asking");
	no_room = true; /* what finds no room is lost, and asked again */
	wait();
	quiet();
	no_room = false;
	wait();
	asked(1, 0, 0);
}

/* T1: its own server, to its address and by the way its answer came. */
static void renewal(void **state)
{
	(void)state;
	bind_for(1000);
	for (unsigned i = 0; i < 5; i++) {
		wait();
		asked(3, OURS, SERVER);
		assert_int_equal(option(50) | option(54), 0);
		now += S / 10;
		answer(5, OURS, SERVER, SERVER, 1000);
		give();
		quiet();
		assert_int_equal(dhcp.state, DHCP_BOUND);
		assert_int_equal(dhcp.due, now - S / 10 + 500 * S); /* from when it was asked */
	}
	assert_int_equal(log_count, 1);
	assert_int_equal(dhcp.changes, 1);
	wait(); /* the same address with another router is news */
	asked(3, OURS, SERVER);
	answer(5, OURS, SERVER, OTHER, 1000);
	give();
	assert_int_equal(dhcp.changes, 2);
	assert_int_equal(dhcp.lease.gateway, OTHER);
}

/* Its server is silent: asked again until T2, then all are, then the lease is over and all begins anew. */
static void expiry(void **state)
{
	uint64_t begun;
	unsigned renews = 0, rebinds = 0;

	(void)state;
	bind_for(1000);
	begun = now;
	for (wait(); now < begun + 875 * S; wait(), renews++)
		asked(3, OURS, SERVER);
	assert_int_equal(now, begun + 875 * S);
	for (; now < begun + 1000 * S; wait(), rebinds++)
		asked(3, OURS, 0);
	assert_int_equal(now, begun + 1000 * S);
	assert_true(renews >= 2 && renews <= 8 && rebinds >= 1 && rebinds <= 4);
	quiet();
	assert_false(dhcp.leased);
	assert_int_equal(dhcp.lease.address, 0);
	assert_int_equal(dhcp.changes, 2);
	assert_string_equal(last_log, "dhcp: the lease of 192.0.2.15 is over: nobody renewed it");
	wait();
	asked(1, 0, 0);
}

static void rebinding(void **state)
{
	(void)state;
	bind_for(1000);
	while (dhcp.state != DHCP_REBINDING)
		wait();
	sent_count = 1;
	asked(3, OURS, 0);
	answer(5, OURS, OTHER, OTHER, 1000); /* another server has taken over */
	give();
	assert_int_equal(dhcp.state, DHCP_BOUND);
	assert_int_equal(dhcp.lease.server, OTHER);
}

static void refusal(void **state)
{
	(void)state;
	bind_for(1000);
	wait();
	asked(3, OURS, SERVER);
	answer(6, 0, OTHER, 0, 0); /* not his to say */
	give();
	assert_true(dhcp.leased);
	answer(6, 0, SERVER, 0, 0);
	give();
	assert_false(dhcp.leased);
	assert_string_equal(last_log, "dhcp: 192.0.2.2 refuses us 192.0.2.15");
	quiet(); /* not at once: it would go on like this for ever */
	wait();
	asked(1, 0, 0);
	answer(2, OURS + 1, SERVER, SERVER, 1000);
	give();
	asked(3, 0, 0);
	answer(5, OURS + 1, SERVER, SERVER, 1000);
	give();
	assert_int_equal(dhcp.lease.address, OURS + 1);
}

/* An offer that is not kept. */
static void broken_offer(void **state)
{
	(void)state;
	begin();
	answer(2, OURS, SERVER, SERVER, 1000);
	give();
	for (unsigned i = 0; i < 4; i++, wait())
		asked(3, 0, 0);
	quiet();
	assert_string_equal(last_log, "dhcp: 192.0.2.2 does not keep its offer of 192.0.2.15");
	wait();
	asked(1, 0, 0);
	answer(2, OURS, SERVER, SERVER, 1000);
	give();
	asked(3, 0, 0);
	answer(5, OURS + 9, SERVER, SERVER, 1000);
	give();
	assert_false(dhcp.leased);
	assert_string_equal(last_log,
			    "dhcp: 192.0.2.2 grants 192.0.2.24, which is of no use: it is not what was asked for");
}

static void useless(uint32_t address, uint32_t server, uint32_t gateway, uint32_t seconds, const char *why)
{
	char line[256];

	begin();
	answer(2, address, server, gateway, seconds);
	give();
	quiet();
	snprintf(line, sizeof(line), "dhcp: an offer of %u.%u.%u.%u by %u.%u.%u.%u is of no use: %s", address >> 24,
		 address >> 16 & 255, address >> 8 & 255, address & 255, server >> 24, server >> 16 & 255,
		 server >> 8 & 255, server & 255, why);
	assert_string_equal(last_log, line);
}

static void useless_offers(void **state)
{
	(void)state;
	useless(OURS, SERVER, 0, 1000, "it names no router");
	useless(OURS, SERVER, OURS, 1000, "its router is no neighbour");
	useless(OURS, SERVER, IP4(192, 0, 3, 1), 1000, "its router is no neighbour");
	useless(OURS, SERVER, IP4(192, 0, 2, 255), 1000, "its router is no neighbour");
	useless(OURS, 0, SERVER, 1000, "it does not say of whom");
	useless(OURS, SERVER, SERVER, 9, "it is too short");
	useless(OURS, SERVER, SERVER, 0, "it names no network");
	useless(IP4(10, 0, 0, 7), SERVER, IP4(10, 0, 0, 1), 1000, "it lies in the network inside");
	useless(IP4(192, 0, 2, 0), SERVER, SERVER, 1000, "it is no address of one station");
	useless(IP4(192, 0, 2, 255), SERVER, SERVER, 1000, "it is no address of one station");
	useless(IP4(127, 0, 0, 5), SERVER, IP4(127, 0, 0, 1), 1000, "it is no address of one station");
	useless(IP4(224, 0, 0, 5), SERVER, IP4(224, 0, 0, 1), 1000, "it is no address of one station");
	/* For ever, but not in the log. */
	for (unsigned i = 0; i < 100; i++) {
		answer(2, OURS, SERVER, 0, 1000);
		give();
	}
	assert_int_equal(log_count, DHCP_LINES);
}

/* What is no answer to us changes nothing, and is nobody else's business either. */
static void not_ours(void **state)
{
	uint8_t *end;

	(void)state;
	begin();
#define WRONG(change)                                                                                                  \
	do {                                                                                                           \
		end = answer(2, OURS, SERVER, SERVER, 1000);                                                           \
		change;                                                                                                \
		seal();                                                                                                \
		give();                                                                                                \
		quiet();                                                                                               \
		assert_int_equal(dhcp.state, DHCP_SELECTING);                                                          \
	} while (0)
	WRONG(frame[46] ^= 1);		    /* another question's */
	WRONG(frame[42] = 1);		    /* a question */
	WRONG(frame[42 + 28] ^= 1);	    /* another station's */
	WRONG(frame[0] = 0);		    /* likewise */
	WRONG(frame[42 + 236] ^= 1);	    /* BOOTP */
	WRONG(frame[6] |= 1);		    /* of a group */
	WRONG(*end = 0);		    /* no end */
	WRONG(end[-5] = 5);		    /* beyond the end */
	WRONG(end[-5] = 0);		    /* empty */
	WRONG(frame[42 + 240 + 1] = 2);	    /* a type of two bytes */
	WRONG(frame[42 + 240] = 12);	    /* of no type */
	WRONG(frame_len = 42 + 240);	    /* no options at all */
	answer(2, OURS, SERVER, SERVER, 1000);
	frame[300] ^= 1; /* sums that are wrong */
	give();
	answer(2, OURS, SERVER, SERVER, 1000);
	frame[24] ^= 1;
	give();
	answer(5, OURS, SERVER, SERVER, 1000); /* nothing was asked for yet */
	give();
	quiet();
	assert_int_equal(dhcp.state, DHCP_SELECTING);
	answer(2, OURS, SERVER, SERVER, 1000);
	put16(frame + 34, 66); /* other ports, other protocols, fragments: the router's business */
	assert_false(dhcp_input(&dhcp, frame, frame_len, now));
	answer(2, OURS, SERVER, SERVER, 1000);
	frame[23] = 6;
	assert_false(dhcp_input(&dhcp, frame, frame_len, now));
	answer(2, OURS, SERVER, SERVER, 1000);
	frame[20] = 0x20;
	assert_false(dhcp_input(&dhcp, frame, frame_len, now));
	for (unsigned len = 0; len < 42; len++)
		assert_false(dhcp_input(&dhcp, frame, len, now));
	answer(2, OURS, SERVER, SERVER, 1000);
	put16(frame + 40, 0); /* no sum is no wrong sum */
	give();
	assert_int_equal(dhcp.state, DHCP_REQUESTING);
}

/* Times of the server's own, and those that make no sense. */
static void times(uint32_t renew, uint32_t rebind, uint32_t expect_renew, uint32_t expect_rebind)
{
	uint8_t *at;

	begin();
	answer(2, OURS, SERVER, SERVER, 1000);
	give();
	sent_count = 0;
	at = answer(5, OURS, SERVER, SERVER, 1000);
	at = put(at, 58, renew);
	at = put(at, 59, rebind);
	*at = 255;
	frame_len = (uint32_t)(at + 1 - frame);
	seal();
	give();
	assert_int_equal(dhcp.lease.renew, expect_renew);
	assert_int_equal(dhcp.lease.rebind, expect_rebind);
	assert_int_equal(dhcp.due, now + expect_renew * S);
}

static void own_times(void **state)
{
	(void)state;
	times(100, 200, 100, 200);
	times(100, 0, 100, 775);
	times(0, 200, 500, 875);
	times(200, 100, 500, 875);
	times(100, 1000, 500, 875);
	times(~0u, ~0u, 500, 875);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lease),	  cmocka_unit_test(silence),
		cmocka_unit_test(renewal),	  cmocka_unit_test(expiry),
		cmocka_unit_test(rebinding),	  cmocka_unit_test(refusal),
		cmocka_unit_test(broken_offer),	  cmocka_unit_test(useless_offers),
		cmocka_unit_test(not_ours),	  cmocka_unit_test(own_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
