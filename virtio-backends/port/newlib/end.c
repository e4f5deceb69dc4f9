/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * end.c - a back end's end of a link; see end.h.
 *
 * The link page belongs to the domain that made the link, and is believed. The window belongs to the
 * driver: its first pages are mapped read-only here, and what lies in the rest is checked by the ring
 * library. A window whose owner is gone has become this domain's dummy page; it is unmapped when the
 * link page says so. Each state of that page is answered once it has been followed: the creator waits for
 * that before the next epoch, so nothing of an earlier one stays here.
 */
#include "end.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <random.h>

#define READ_TRIES 1000
#define CPUID_RDRAND (1u << 30) /* leaf 1, ECX */

/* ---- the place the device library runs in ---- */

static void end_notify(void *self, uint32_t queue)
{
	struct end *end = self;

	link_count_used(&end->link, queue); /* nothing for PORT_CONFIG */
	if (end->doorbell)
		pv_port_send(end->doorbell);
}

static uint64_t end_now(void *self)
{
	(void)self;
	return pv_clock_ns();
}

/* Four words of the processor's own, or none of them if it has no such instruction. */
static void stir(struct random *random)
{
	uint64_t words[4] = { 0 };
	uint32_t a = 1, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d) : "c"(0));
	for (unsigned i = 0; i < 4 && (c & CPUID_RDRAND); i++)
		__asm__ volatile("rdrand %0" : "=r"(words[i]) : : "cc");
	random_stir(random, words);
}

/* The seed is this domain's own; a domain that is started again gets another. */
static bool end_random(void *self, void *buf, size_t len)
{
	static struct random random;
	static bool ready;

	(void)self;
	if (!ready)
		random_init(&random, pv_start_info->seed);
	ready = true;
	stir(&random);
	random_fill(&random, buf, len);
	return true;
}

static void end_log(void *self, const char *line)
{
	const struct end *end = self;

	printf("%s: %s\n", (const char *)end->page->name, line);
}

/* ---- pages ---- */

int64_t end_open(struct end *end, const struct pv_start_link *start)
{
	void *page, *device;
	int64_t r = pv_grant_attach(start->handle, 1, 0, &page);

	memset(end, 0, sizeof(*end));
	if (r < 0)
		return r;
	end->page = page;
	if (end->page->magic != PV_LINK_MAGIC || end->page->version != PV_LINK_VERSION)
		return -PV_EINVAL;
	r = pv_grant_attach(end->page->back_dev, 1, 1, &device);
	if (r < 0)
		return r;
	end->device = device;
	end->changed = start->port;
	end->port = (struct port){ end, end_notify, end_now, end_random, end_log };
	return 0;
}

/* A consistent copy; false: the creator is in the middle of a change and will tell us. */
static bool read_page(const struct end *end, struct pv_link *copy)
{
	const struct pv_link *page = end->page;

	for (unsigned i = 0; i < READ_TRIES; i++) {
		uint32_t seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);

		memcpy(copy, page, sizeof(*copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(seq & 1) && seq == __atomic_load_n(&page->seq, __ATOMIC_RELAXED))
			return true;
		pv_yield();
	}
	return false;
}

static void list_pieces(struct end *end, const struct pv_link *page)
{
	uint64_t left = page->window_pages - page->control_pages;

	end->pieces[0] = (struct pv_grant_piece){ page->back_control, page->control_pages, 0 };
	end->count = 1;
	for (unsigned i = 0; i < page->back_window_count; i++) {
		uint64_t n = left < PV_MAX_GRANT_PAGES ? left : PV_MAX_GRANT_PAGES;

		end->pieces[end->count++] = (struct pv_grant_piece){ page->back_window[i], n, 1 };
		left -= n;
	}
}

static void drop_window(struct end *end)
{
	if (end->base)
		pv_grant_detach(end->base, end->pages);
	for (unsigned i = 0; i < end->count; i++)
		pv_cap_drop(end->pieces[i].grant);
	if (end->doorbell) {
		pv_event_unbind(end->doorbell);
		pv_port_close(end->doorbell);
	}
	end->base = NULL;
	end->count = 0;
	end->doorbell = 0;
	end->epoch = 0;
}

static int64_t take_window(struct end *end, const struct pv_link *page)
{
	uint64_t control = (uint64_t)page->control_pages << PV_PAGE_SHIFT;
	uint64_t len = (uint64_t)page->window_pages << PV_PAGE_SHIFT;
	uint8_t *base;
	int64_t r;

	list_pieces(end, page);
	end->doorbell = page->back_port;
	end->pages = page->window_pages;
	r = pv_grant_attach_pieces(end->pieces, end->count, &end->base);
	if (r < 0)
		return r;
	base = end->base;
	end->driver = end->base;
	end->window = (struct vr_window){
		.driver = { base, 0, control },
		.device = { base + control, control, len - control },
		.data = { base + control, control, len - control },
	};
	end->epoch = page->epoch;
	return 0;
}

static enum end_news follow(struct end *end, const struct pv_link *page)
{
	bool had = end->epoch != 0;
	int64_t r;

	if (page->state == PV_LINK_UP && page->epoch == end->epoch)
		return END_SAME;
	drop_window(end);
	if (page->state != PV_LINK_UP)
		return had ? END_GONE : END_SAME;
	r = take_window(end, page);
	if (!r)
		return END_NEW;
	printf("%s: the window cannot be mapped: %s\n", (const char *)page->name, pv_strerror(r));
	drop_window(end);
	return END_GONE;
}

enum end_news end_update(struct end *end)
{
	struct pv_link page;
	enum end_news news;

	if (!read_page(end, &page))
		return END_SAME;
	news = follow(end, &page);
	__atomic_store_n(&end->device->page_seen, page.seq, __ATOMIC_RELEASE);
	pv_port_send(end->changed);
	return news;
}

bool end_stale(const struct end *end)
{
	return __atomic_load_n(&end->page->state, __ATOMIC_RELAXED) != PV_LINK_UP ||
	       __atomic_load_n(&end->page->epoch, __ATOMIC_RELAXED) != end->epoch;
}

int64_t end_map_disk(const struct end *end, void **addr)
{
	struct pv_grant_piece pieces[PV_LINK_DISK_GRANTS];
	const struct pv_link *page = end->page;
	uint64_t left = page->disk_pages;

	for (unsigned i = 0; i < page->back_disk_count; i++) {
		uint64_t n = left < PV_MAX_GRANT_PAGES ? left : PV_MAX_GRANT_PAGES;

		pieces[i] = (struct pv_grant_piece){ page->back_disk[i], n,
						     !(page->flags & PV_LINK_READ_ONLY) };
		left -= n;
	}
	return pv_grant_attach_pieces(pieces, page->back_disk_count, addr);
}
