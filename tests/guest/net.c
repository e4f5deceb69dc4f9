/* SPDX-License-Identifier: BSD-2-Clause */
/* net.c - sockets on the loopback interface and in the file system. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "gt.h"

static struct sockaddr_in loopback(unsigned short port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int listener(unsigned short *port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t length = sizeof(address);
	int fd = SYS(socket(AF_INET, SOCK_STREAM, 0));

	SYS(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	SYS(listen(fd, 8));
	SYS(getsockname(fd, (struct sockaddr *)&address, &length));
	*port = ntohs(address.sin_port);
	return fd;
}

static void read_all(int fd, void *to, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = SYS(read(fd, (char *)to + done, bytes - done));

		CHECK(n > 0);
		done += (size_t)n;
	}
}

static void write_all(int fd, const void *from, size_t bytes)
{
	for (size_t done = 0; done < bytes;)
		done += (size_t)SYS(write(fd, (const char *)from + done, bytes - done));
}

static void tcp_echo(void)
{
	unsigned int rounds = gt_rounds(20);
	size_t size = 20000;
	unsigned char *out = malloc(size), *back = malloc(size);
	unsigned short port;
	int server = listener(&port), fd, one = 1;
	struct sockaddr_in address = loopback(port);
	pid_t pid = SYS(fork());

	if (pid == 0) {
		fd = SYS(accept(server, NULL, NULL));
		for (unsigned int i = 0; i < rounds; i++) {
			read_all(fd, back, size);
			write_all(fd, back, size);
		}
		_exit(0);
	}
	fd = SYS(socket(AF_INET, SOCK_STREAM, 0));
	SYS(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	SYS(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	for (unsigned int i = 0; i < rounds; i++) {
		for (size_t k = 0; k < size; k++)
			out[k] = (unsigned char)gt_mix(i * size + k);
		write_all(fd, out, size);
		read_all(fd, back, size);
		CHECK_EQ(memcmp(out, back, size), 0);
	}
	gt_join(pid);
	free(out);
	free(back);
}

static void tcp_connections(void)
{
	unsigned short port;
	int server = listener(&port);
	struct sockaddr_in address = loopback(port);
	unsigned int rounds = gt_rounds(100);
	pid_t pid = SYS(fork());

	if (pid == 0) {
		for (unsigned int i = 0; i < rounds; i++) {
			int fd = SYS(accept(server, NULL, NULL));

			write_all(fd, &i, sizeof(i));
			close(fd);
		}
		_exit(0);
	}
	for (unsigned int i = 0, got; i < rounds; i++) {
		int fd = SYS(socket(AF_INET, SOCK_STREAM, 0));

		SYS(connect(fd, (struct sockaddr *)&address, sizeof(address)));
		read_all(fd, &got, sizeof(got));
		CHECK_EQ(got, i);
		CHECK_EQ(read(fd, &got, 1), 0);
		close(fd);
	}
	gt_join(pid);
}

static void nobody_listens(void)
{
	unsigned short port;
	int fd, server = listener(&port);
	struct sockaddr_in address = loopback(port);

	close(server);
	fd = SYS(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
	CHECK_EQ(errno, ECONNREFUSED);
}

static void udp(void)
{
	struct sockaddr_in address = loopback(0), from;
	socklen_t length = sizeof(address);
	int in = SYS(socket(AF_INET, SOCK_DGRAM, 0)), out = SYS(socket(AF_INET, SOCK_DGRAM, 0));

	SYS(bind(in, (struct sockaddr *)&address, sizeof(address)));
	SYS(getsockname(in, (struct sockaddr *)&address, &length));
	for (unsigned int i = 0; i < gt_rounds(200); i++) {
		unsigned char packet[1400], got[1500];
		size_t size = 1 + i * 37 % 1400;

		memset(packet, (int)i, size);
		CHECK_EQ(sendto(out, packet, size, 0, (struct sockaddr *)&address,
				sizeof(address)), (long)size);
		length = sizeof(from);
		CHECK_EQ(recvfrom(in, got, sizeof(got), 0, (struct sockaddr *)&from, &length),
			 (long)size);
		CHECK_EQ(memcmp(packet, got, size), 0);
	}
}

/* Receive time stamps switch a static branch of the network path on and off while packets flow. */
static void time_stamps_patch_kernel(void)
{
	struct sockaddr_in address = loopback(0);
	socklen_t length = sizeof(address);
	int in = SYS(socket(AF_INET, SOCK_DGRAM, 0)), out = SYS(socket(AF_INET, SOCK_DGRAM, 0));
	volatile uint32_t *stop = gt_shared(PAGE);
	pid_t pid;

	SYS(bind(in, (struct sockaddr *)&address, sizeof(address)));
	SYS(getsockname(in, (struct sockaddr *)&address, &length));
	pid = SYS(fork());
	if (pid == 0) {
		int a = SYS(socket(AF_INET, SOCK_DGRAM, 0));
		char byte;

		address = loopback(0);
		SYS(bind(a, (struct sockaddr *)&address, sizeof(address)));
		SYS(getsockname(a, (struct sockaddr *)&address, &length));
		while (!*stop) {
			CHECK_EQ(sendto(a, "x", 1, 0, (struct sockaddr *)&address, length), 1);
			CHECK_EQ(recv(a, &byte, 1, 0), 1);
		}
		_exit(0);
	}
	for (unsigned int i = 0; i < gt_rounds(30); i++) {
		int on = !(i & 1);
		char byte, control[128];
		struct iovec iov = { &byte, 1 };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				      .msg_controllen = sizeof(control) };

		SYS(setsockopt(in, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)));
		CHECK_EQ(sendto(out, "y", 1, 0, (struct sockaddr *)&address, sizeof(address)), 1);
		CHECK_EQ(recvmsg(in, &msg, 0), 1);
		CHECK_EQ(CMSG_FIRSTHDR(&msg) != NULL, on);
	}
	*stop = 1;
	gt_join(pid);
}

static void pass_descriptor(void)
{
	int pair[2], fds[2], got;
	char byte = 'x', control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	pid_t pid;

	SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = SYS(fork());
	if (pid == 0) {
		CHECK_EQ(recvmsg(pair[1], &msg, 0), 1);
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
		CHECK_EQ(write(got, "through", 7), 7);
		_exit(0);
	}
	SYS(pipe(fds));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fds[1], sizeof(int));
	CHECK_EQ(sendmsg(pair[0], &msg, 0), 1);
	gt_join(pid);
	CHECK_EQ(read(fds[0], control, 7), 7);
	CHECK_EQ(memcmp(control, "through", 7), 0);
}

static void unix_ping_pong(void)
{
	unsigned int rounds = gt_rounds(500);
	int pair[2];
	pid_t pid;

	SYS(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	pid = SYS(fork());
	for (unsigned int i = 0, value; i < rounds; i++) {
		if (pid == 0) {
			CHECK_EQ(read(pair[1], &value, 4), 4);
			CHECK_EQ(write(pair[1], &value, 4), 4);
		} else {
			CHECK_EQ(write(pair[0], &i, 4), 4);
			CHECK_EQ(read(pair[0], &value, 4), 4);
			CHECK_EQ(value, i);
		}
	}
	if (pid == 0)
		_exit(0);
	gt_join(pid);
}

ROOM(net,
	{ "tcp_echo", tcp_echo, 0 },
	{ "tcp_connections", tcp_connections, 0 },
	{ "nobody_listens", nobody_listens, 0 },
	{ "udp", udp, 0 },
	{ "time_stamps_patch_kernel", time_stamps_patch_kernel, 0 },
	{ "pass_descriptor", pass_descriptor, 0 },
	{ "unix_ping_pong", unix_ping_pong, 0 });
