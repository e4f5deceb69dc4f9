/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpv.c - libpv's calls in a process of a Linux driver VM; see include/pv/libpv.h.
 *
 * Grants of a list lie one behind the other in a range of addresses that is reserved first; each is a
 * mapping of its own in it. Detaching replaces them by the reservation before the kernel is told, so that no
 * address of ours ever names another domain's memory that is gone.
 */
#define _GNU_SOURCE
#include <pv/libpv.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "device.h"

#define SECOND UINT64_C(1000000000)
#define FUNCTIONS "/sys/bus/pci/devices"
#define AREAS_MAX (PV_MAX_LINKS * 4)
#define PIECES_MAX (PV_LINK_WINDOW_GRANTS + 1)

/* What pv_grant_attach_pieces() has made. */
struct area {
	uint8_t *base; /* NULL: free */
	uint64_t pages;
	unsigned count;
	uint64_t offsets[PIECES_MAX];
};

struct handler {
	pv_event_fn fn;
	void *arg;
};

static struct pv_start_info start_info;
const struct pv_start_info *pv_start_info = &start_info;

static int back = -1;
static struct area areas[AREAS_MAX];
static struct handler handlers[PV_MAX_PORTS];
static struct pollfd files[2] = { { .fd = -1 }, { .fd = -1 } }; /* the device; pv_event_file() */
static struct handler file_handler;

/* ---- start ---- */

static unsigned count_functions(void)
{
	DIR *directory = opendir(FUNCTIONS);
	const struct dirent *entry;
	unsigned count = 0;

	while (directory && (entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return count < PV_MAX_DEVICES ? count : PV_MAX_DEVICES;
}

/* Before main(), as a domain finds its start_info. */
static __attribute__((constructor)) void start(void)
{
	struct back_link link = { 0 };

	back = open(BACK_FILE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (back < 0) {
		perror(errno == ENOENT ? BACK_FILE ": this machine serves no links" : BACK_FILE);
		exit(1);
	}
	files[0] = (struct pollfd){ .fd = back, .events = POLLIN };
	for (; link.index < PV_MAX_LINKS && !ioctl(back, BACK_LINK, &link); link.index++)
		start_info.links[start_info.link_count++] = (struct pv_start_link){
			.handle = link.handle,
			.port = link.port,
			.role = PV_LINK_BACK,
			.kind = link.kind,
		};
	start_info.device_count = count_functions();
	if (getrandom(start_info.seed, sizeof(start_info.seed), 0) != sizeof(start_info.seed)) {
		perror("getrandom");
		exit(1);
	}
}

const char *pv_strerror(int64_t result)
{
	return strerror((int)-result);
}

pv_ns_t pv_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

void pv_yield(void)
{
	sched_yield();
}

/* ---- granted memory ---- */

/* Nothing is there any more, but the addresses stay ours. */
static void *reserve(void *at, uint64_t pages)
{
	return mmap(at, pages << PV_PAGE_SHIFT, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);
}

static void area_free(struct area *area)
{
	munmap(area->base, area->pages << PV_PAGE_SHIFT);
	for (unsigned i = 0; i < area->count; i++)
		if (ioctl(back, BACK_UNMAP, area->offsets[i]))
			perror("a grant cannot be unmapped");
	area->base = NULL;
}

static int64_t map_piece(struct area *area, const struct pv_grant_piece *piece, uint8_t *at)
{
	struct back_map map = {
		.handle = (uint32_t)piece->grant,
		.pages = (uint32_t)piece->pages,
		.write = piece->writable != 0,
	};
	int prot = PROT_READ | (piece->writable ? PROT_WRITE : 0);

	if (ioctl(back, BACK_MAP, &map))
		return -errno;
	area->offsets[area->count++] = map.offset;
	if (mmap(at, piece->pages << PV_PAGE_SHIFT, prot, MAP_SHARED | MAP_FIXED, back,
		 (off_t)map.offset) == MAP_FAILED)
		return -errno;
	return 0;
}

int64_t pv_grant_attach_pieces(const struct pv_grant_piece *pieces, unsigned count, void **addr)
{
	struct area *area = areas;
	uint64_t pages = 0;
	int64_t r = 0;
	uint8_t *at;

	while (area < areas + AREAS_MAX && area->base)
		area++;
	if (area == areas + AREAS_MAX || count > PIECES_MAX)
		return -ENOSPC;
	for (unsigned i = 0; i < count; i++)
		pages += pieces[i].pages;
	at = reserve(NULL, pages);
	if (at == MAP_FAILED)
		return -ENOMEM;
	*area = (struct area){ .base = at, .pages = pages };
	for (unsigned i = 0; i < count && !r; i++) {
		r = map_piece(area, &pieces[i], at);
		at += pieces[i].pages << PV_PAGE_SHIFT;
	}
	if (r) {
		area_free(area);
		return r;
	}
	*addr = area->base;
	return 0;
}

int64_t pv_grant_attach(pv_handle_t grant, uint64_t n, int writable, void **addr)
{
	const struct pv_grant_piece piece = { grant, n, writable };

	return pv_grant_attach_pieces(&piece, 1, addr);
}

int64_t pv_grant_detach(void *addr, uint64_t n)
{
	for (struct area *area = areas; area < areas + AREAS_MAX; area++) {
		if (area->base != addr || area->pages != n)
			continue;
		area_free(area);
		return 0;
	}
	return -EINVAL;
}

int64_t pv_cap_drop(pv_handle_t handle)
{
	return ioctl(back, BACK_DROP, handle) ? -errno : 0;
}

/* ---- ports and the loop ---- */

int64_t pv_port_send(pv_port_t port)
{
	return ioctl(back, BACK_SEND, port) ? -errno : 0;
}

int64_t pv_port_close(pv_port_t port)
{
	return ioctl(back, BACK_CLOSE, port) ? -errno : 0;
}

int pv_event_bind(pv_port_t port, pv_event_fn fn, void *arg)
{
	if (port >= PV_MAX_PORTS)
		return -ERANGE;
	if (!handlers[port].fn && ioctl(back, BACK_BIND, port))
		return -errno;
	handlers[port] = (struct handler){ fn, arg };
	return 0;
}

/* The port stays bound until it is closed: what it still tells, nobody hears. */
void pv_event_unbind(pv_port_t port)
{
	if (port < PV_MAX_PORTS)
		handlers[port].fn = NULL;
}

void pv_event_file(int fd, pv_event_fn fn, void *arg)
{
	files[1] = (struct pollfd){ .fd = fd, .events = POLLIN };
	file_handler = (struct handler){ fn, arg };
}

static unsigned dispatch_ports(void)
{
	uint32_t ports[64];
	ssize_t n = read(back, ports, sizeof(ports));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(ports[0]); i++)
		if (ports[i] < PV_MAX_PORTS && handlers[ports[i]].fn)
			handlers[ports[i]].fn(ports[i], handlers[ports[i]].arg);
	return n > 0;
}

static unsigned dispatch_file(void)
{
	uint64_t count;

	if (read(files[1].fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	file_handler.fn(0, file_handler.arg);
	return 1;
}

unsigned pv_event_run_once(pv_ns_t deadline)
{
	pv_ns_t now = deadline == PV_FOREVER || !deadline ? 0 : pv_clock_ns();
	uint64_t wait = deadline > now ? deadline - now : 0;
	struct timespec limit = { (time_t)(wait / SECOND), (long)(wait % SECOND) };
	unsigned called = 0;

	if (ppoll(files, 2, deadline == PV_FOREVER ? NULL : &limit, NULL) <= 0)
		return 0;
	if (files[0].revents & POLLIN)
		called += dispatch_ports();
	if (files[1].revents & POLLIN)
		called += dispatch_file();
	return called;
}
