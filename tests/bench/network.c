// SPDX-License-Identifier: BSD-2-Clause
/*
 * network.c - round trips, streams and small packets between two machines: `network serve` is one, `network
 * ADDRESS` measures against it. With `world ADDRESS PORT` it measures against a server of the same protocol that
 * listens on three ports (network.py), behind a firewall and a card.
 *
 * Each operation is repeated RUNS times between the markers of the counting plugin, which counts the whole machine:
 * both ends, what is between them, and the microkernel. The reader takes the least, because ticks only ever add.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "measure.h"

#define RUNS 3
#define PORT 7000u
#define ECHO 0u /* a byte back for each */
#define SINK 1u /* a byte back for each STREAM */
#define SOURCE 2u /* a STREAM back for each byte */
#define PACKETS 3u /* UDP: the last of BURST packets back */
#define PACKET_ECHO 4u /* UDP: each packet back */
#define BLOCK 65536u
#define BLOCKS 64u
#define STREAM (BLOCK * BLOCKS)
#define PACKET 64u
#define BURST 32u
#define PATIENCE 20 /* s: a lost packet is an error here, not a reason to wait for ever */

/* An operation that does `each` at a time. */
#define MEASURE(id, name, calls, each, body) MEASURE_RUNS(id, name, RUNS, calls, calls, each, body)

static uint8_t block[BLOCK];

static void write_all(int fd, size_t len)
{
	while (len) {
		ssize_t n = write(fd, block, len < BLOCK ? len : BLOCK);

		if (n <= 0)
			die("write");
		len -= (size_t)n;
	}
}

/* False at the end of the connection. */
static int read_all(int fd, size_t len)
{
	while (len) {
		ssize_t n = read(fd, block, len < BLOCK ? len : BLOCK);

		if (n < 0)
			die("read");
		if (n == 0)
			return 0;
		len -= (size_t)n;
	}
	return 1;
}

static struct sockaddr_in address_of(const char *text, unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
		die("address");
	return address;
}

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* ---- the other end ---- */

static void serve_packets(unsigned what, unsigned every)
{
	struct sockaddr_in own = address_of("0.0.0.0", PORT + what), from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (bind(fd, (struct sockaddr *)&own, sizeof(own)))
		die("bind");
	for (unsigned i = 1;; i++) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, block, sizeof(block), 0, (struct sockaddr *)&from, &len);

		if (n != PACKET)
			die("recvfrom");
		if (i % every == 0)
			sendto(fd, block, PACKET, 0, (struct sockaddr *)&from, len);
	}
}

static void serve_stream(unsigned what)
{
	struct sockaddr_in own = address_of("0.0.0.0", PORT + what);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	if (bind(listener, (struct sockaddr *)&own, sizeof(own)) || listen(listener, 1))
		die("listen");
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			die("accept");
		if (what == ECHO)
			no_delay(fd);
		while (read_all(fd, what == SINK ? STREAM : 1))
			write_all(fd, what == SOURCE ? STREAM : 1);
		close(fd);
	}
}

static void serve(void)
{
	for (unsigned what = ECHO; what <= PACKET_ECHO; what++) {
		if (fork())
			continue;
		if (what <= SOURCE)
			serve_stream(what);
		serve_packets(what, what == PACKETS ? BURST : 1);
	}
	for (;;)
		pause();
}

/* ---- who measures ---- */

/* Streams are left to the stack, as whoever sends much leaves them: it makes segments of what it was given. */
static int meet(const char *address, unsigned port, unsigned what)
{
	struct sockaddr_in there = address_of(address, port + what);
	int fd;

	for (unsigned tries = 0; tries < 300; tries++, usleep(100000)) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, (struct sockaddr *)&there, sizeof(there))) {
			if (what == ECHO)
				no_delay(fd);
			return fd;
		}
		close(fd);
	}
	die("connect");
	return -1;
}

static int aim(const char *address, unsigned port)
{
	struct sockaddr_in there = address_of(address, port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct timeval patience = { .tv_sec = PATIENCE };

	if (connect(fd, (struct sockaddr *)&there, sizeof(there)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("connect");
	return fd;
}

static void exchange(int fd, size_t out, size_t in)
{
	write_all(fd, out);
	if (!read_all(fd, in))
		die("the other end is gone");
}

static void burst(int fd, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (send(fd, block, PACKET, 0) != PACKET)
			die("send");
	if (recv(fd, block, PACKET, 0) != PACKET)
		die("a packet was lost");
}

static void neighbour(const char *address)
{
	int echo = meet(address, PORT, ECHO), sink = meet(address, PORT, SINK);
	int source = meet(address, PORT, SOURCE), packets = aim(address, PORT + PACKETS);
	int packet = aim(address, PORT + PACKET_ECHO);

	MEASURE(64, "tcp_round_trip", 200, 1, exchange(echo, 1, 1));
	MEASURE(65, "tcp_64k_out", 1, BLOCKS, exchange(sink, STREAM, 1));
	MEASURE(66, "tcp_64k_in", 1, BLOCKS, exchange(source, 1, STREAM));
	MEASURE(67, "udp_64_round_trip", 200, 1, burst(packet, 1));
	MEASURE(68, "udp_64_packet", 20, BURST, burst(packets, BURST));
}

static void world(const char *address, unsigned port)
{
	int echo = meet(address, port, ECHO), sink = meet(address, port, SINK), source = meet(address, port, SOURCE);

	MEASURE(69, "world_round_trip", 50, 1, exchange(echo, 1, 1));
	MEASURE(70, "world_64k_out", 1, BLOCKS, exchange(sink, STREAM, 1));
	MEASURE(71, "world_64k_in", 1, BLOCKS, exchange(source, 1, STREAM));
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "serve"))
		serve();
	printf("BENCH-START\n");
	fflush(stdout);
	sleep(1); /* lets the boot's own background work settle */
	if (argc == 2)
		neighbour(argv[1]);
	else if (argc == 4 && !strcmp(argv[1], "world"))
		world(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	else
		die("usage: network serve | ADDRESS | world ADDRESS PORT");
	printf("BENCH-END\n");
	return 0;
}
