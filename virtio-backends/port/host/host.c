/* SPDX-License-Identifier: BSD-2-Clause */
/* The port of a Linux process; see host.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

#define LINKS_MAX 64u
#define SECOND UINT64_C(1000000000)

static void ring_bell(void *self, uint32_t queue)
{
	struct host_port *host = self;
	const uint64_t one = 1;

	if (host->link && queue != PORT_CONFIG)
		link_count_used(host->link, queue);
	/* A full counter has been rung already. */
	if (host->bell >= 0 && write(host->bell, &one, sizeof(one)) < 0 && errno != EAGAIN)
		perror(host->name);
}

static uint64_t host_now(void *self)
{
	struct timespec ts;

	(void)self;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static bool host_random(void *self, void *buf, size_t len)
{
	(void)self;
	return getrandom(buf, len, GRND_NONBLOCK) == (ssize_t)len;
}

static void host_log(void *self, const char *line)
{
	fprintf(stderr, "%s: %s\n", ((struct host_port *)self)->name, line);
}

void host_port_init(struct host_port *host, const char *name, int bell)
{
	*host = (struct host_port){
		.port = { host, ring_bell, host_now, host_random, host_log },
		.bell = bell,
		.name = name,
	};
}

/* Runs every link once; when the earliest wants to run again. */
static uint64_t run_all(struct link *const *links, unsigned count)
{
	uint64_t wake = VDEV_IDLE;

	for (unsigned i = 0; i < count; i++) {
		uint64_t at = link_run(links[i], host_now(NULL));

		wake = at < wake ? at : wake;
	}
	return wake;
}

int host_serve(struct link *const *links, const int *doorbells, unsigned count,
	       const volatile int *stop)
{
	struct pollfd fds[LINKS_MAX];

	if (count > LINKS_MAX)
		return E2BIG;
	for (unsigned i = 0; i < count; i++)
		fds[i] = (struct pollfd){ .fd = doorbells[i], .events = POLLIN };
	while (!*stop) {
		uint64_t wake = run_all(links, count), now = host_now(NULL);
		uint64_t wait = wake > now ? wake - now : 0;
		struct timespec limit = { (time_t)(wait / SECOND), (long)(wait % SECOND) };
		uint64_t rung;

		if (ppoll(fds, count, wake == VDEV_IDLE ? NULL : &limit, NULL) < 0 && errno != EINTR)
			return errno;
		for (unsigned i = 0; i < count; i++)
			if (fds[i].fd >= 0 && (fds[i].revents & POLLIN) &&
			    read(fds[i].fd, &rung, sizeof(rung)) < 0 && errno != EAGAIN)
				return errno;
	}
	return 0;
}
