/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * links.c - virtio links between domains: init makes them, owns what neither end may forge, and
 * connects the ends anew whenever one of them has been started again.
 *
 *   link page, DEV page   frames of init; granted read-only, the DEV page writable to the back end
 *   window                frames of the front end at LINK_GFN, beyond its memory map; the control
 *                         pages granted read-only to the back end, the rest writable
 *   RAM disk              frames of a domain that never runs, so they outlive the back end; none when
 *                         the link is about a device of the back end (devices.c)
 *   ports                 one pair that says "the link page has changed" for each end's life, one
 *                         pair of doorbells for each epoch
 *
 *   DOWN --both ends run: ports connected, window granted, epoch + 1--> UP
 *   UP --one end is about to be destroyed--> DOWN
 *
 * When DOWN is left towards a new back end, the old one is destroyed: its vCPUs do not run and nothing
 * is mapped in it any more. That is the fence in front of every replay.
 */
#include "init.h"

#include <stdio.h>
#include <string.h>

#define LINK_GFN 0x1000000ull /* 64 GiB: far from what a guest takes for memory */
#define LINK_STRIDE 0x8000ull
#define LINK_QUEUES 4u /* room for so many in the control pages: desc and avail, used and log */
#define CONTROL_PAGES (1 + 2 * LINK_QUEUES)
#define DISK_KMEM_PAGES 64u

#define RO PV_RIGHT_GRANT_READ
#define RW (PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE)

struct end {
	struct guest *guest;
	pv_port_t port; /* of init: tells the end that the link page has changed; 0 = end not there */
	bool running;
	bool fresh; /* started since the link was last up */
};

struct link {
	const struct pv_manifest_link *spec;
	struct end front, back;
	pv_handle_t page_grant, dev_grant;
	pv_handle_t control_grant, window_grants[PV_LINK_WINDOW_GRANTS];
	unsigned window_count;
	pv_handle_t disk, disk_grants[PV_LINK_DISK_GRANTS];
	unsigned disk_count;
};

static struct link links[PV_MANIFEST_MAX_LINKS];
static struct pv_link pages[PV_MANIFEST_MAX_LINKS] __attribute__((aligned(4096)));
static struct pv_link_device devices[PV_MANIFEST_MAX_LINKS] __attribute__((aligned(4096)));

static struct pv_link *page_of(const struct link *link)
{
	return &pages[link - links];
}

/* ---- the link page: odd while it changes ---- */

static void page_begin(struct pv_link *page)
{
	__atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* the odd number before any field */
}

static void page_end(struct pv_link *page)
{
	__atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELEASE);
}

static void tell(const struct end *end)
{
	if (end->port)
		pv_port_send(end->port);
}

/* ---- at boot ---- */

/* Grants of n frames of dom from gfn, as few as may be. Returns how many, 0 on failure. */
static unsigned grant_all(pv_handle_t dom, pv_gfn_t gfn, uint64_t n, pv_handle_t *grants)
{
	unsigned count = 0;

	while (n) {
		uint64_t step = n < PV_MAX_GRANT_PAGES ? n : PV_MAX_GRANT_PAGES;
		int64_t grant = pv_grant_create(dom, gfn, step, RW);

		if (grant < 0)
			return 0;
		grants[count++] = (pv_handle_t)grant;
		gfn += step;
		n -= step;
	}
	return count;
}

static bool make_disk(struct link *link)
{
	struct pv_dom_create args = {
		.kind = PV_KIND_EXPLICIT,
		.mem_pages = link->spec->disk_pages,
		.kmem_pages = DISK_KMEM_PAGES,
		.max_vcpus = 1,
		.weight = 1,
	};
	int64_t dom;

	if (!link->spec->disk_pages)
		return true;
	memcpy(args.name, link->spec->name, sizeof(args.name));
	dom = pv_dom_create(init.host, &args);
	if (dom < 0 || pv_mem_populate_all((pv_handle_t)dom, 1, link->spec->disk_pages) < 0)
		return false;
	link->disk = (pv_handle_t)dom;
	link->disk_count = grant_all(link->disk, 1, link->spec->disk_pages, link->disk_grants);
	return link->disk_count != 0;
}

static bool make_page(struct link *link)
{
	const struct pv_manifest_link *spec = link->spec;
	struct pv_manifest_link_blk blk = mf_link_blk(spec);
	struct pv_link *page = page_of(link);
	pv_gfn_t dev = (uint64_t)&devices[link - links] >> PV_PAGE_SHIFT;
	int64_t grant = pv_grant_create(PV_SELF, (uint64_t)page >> PV_PAGE_SHIFT, 1, RO);

	page->magic = PV_LINK_MAGIC;
	page->version = PV_LINK_VERSION;
	page->kind = spec->kind;
	page->flags = spec->flags;
	page->window_pages = spec->window_pages;
	page->control_pages = CONTROL_PAGES;
	page->disk_pages = spec->disk_pages;
	page->device = blk.device;
	page->first = blk.first;
	page->sectors = blk.sectors;
	memcpy(page->name, spec->name, sizeof(page->name));
	memcpy(page->front_name, link->front.guest->spec->name, sizeof(page->front_name));
	memcpy(page->back_name, link->back.guest->spec->name, sizeof(page->back_name));
	if (grant < 0)
		return false;
	link->page_grant = (pv_handle_t)grant;
	grant = pv_grant_create(PV_SELF, dev, 1, RW);
	link->dev_grant = (pv_handle_t)grant;
	return grant >= 0;
}

void links_setup(void)
{
	for (unsigned i = 0; i < init.manifest.link_count; i++) {
		struct link *link = &links[i];

		link->spec = &init.manifest.links[i];
		link->front.guest = &init.guests[link->spec->front];
		link->back.guest = &init.guests[link->spec->back];
		if (!make_page(link) || !make_disk(link))
			fatal("link %s cannot be made", (const char *)link->spec->name);
	}
}

uint64_t links_pages(void)
{
	uint64_t pages_needed = 0;

	for (unsigned i = 0; i < init.manifest.link_count; i++) {
		const struct pv_manifest_link *spec = &init.manifest.links[i];

		pages_needed += spec->window_pages;
		if (spec->disk_pages)
			pages_needed += spec->disk_pages + DISK_KMEM_PAGES;
	}
	return pages_needed;
}

uint64_t links_window_pages(const struct guest *guest)
{
	uint64_t pages_needed = 0;

	for (unsigned i = 0; i < init.manifest.link_count; i++)
		if (&init.guests[init.manifest.links[i].front] == guest)
			pages_needed += init.manifest.links[i].window_pages;
	return pages_needed;
}

/* ---- an end is built ---- */

static const char *connect_end(struct link *link, struct end *end, struct pv_start_link *info)
{
	pv_handle_t dom = end->guest->dom;
	int64_t handle = pv_cap_copy(link->page_grant, dom, RO);
	int64_t theirs = pv_port_alloc(dom), own = pv_port_alloc(PV_SELF);

	if (own >= 0)
		end->port = (pv_port_t)own;
	if (handle < 0 || theirs < 0 || own < 0 ||
	    pv_port_connect(PV_SELF, end->port, dom, (pv_port_t)theirs) < 0)
		return "its end of a link cannot be made";
	info->handle = (uint32_t)handle;
	info->port = (uint32_t)theirs;
	info->kind = link->spec->kind;
	end->fresh = true;
	return NULL;
}

/* The window: frames of the front end that it alone has until a back end is attached. */
static const char *make_window(struct link *link, struct pv_start_link *info)
{
	struct guest *guest = link->front.guest;
	pv_gfn_t gfn = LINK_GFN + (uint64_t)(link - links) * LINK_STRIDE;
	uint64_t pages_all = link->spec->window_pages;
	int64_t control;

	if (pv_mem_populate_all(guest->dom, gfn, pages_all) < 0)
		return "the window of a link cannot be populated";
	if (guest->spec->kind == PV_KIND_EXPLICIT &&
	    pv_as_map_all(guest->dom, gfn << PV_PAGE_SHIFT, gfn, pages_all,
			  PV_PROT_READ | PV_PROT_WRITE) < 0)
		return "kmem is too small for the window of a link";
	control = pv_grant_create(guest->dom, gfn, CONTROL_PAGES, RO);
	if (control < 0)
		return "the window of a link cannot be granted";
	link->control_grant = (pv_handle_t)control;
	link->window_count = grant_all(guest->dom, gfn + CONTROL_PAGES, pages_all - CONTROL_PAGES,
				       link->window_grants);
	if (!link->window_count)
		return "the window of a link cannot be granted";
	info->window_gfn = gfn;
	info->window_pages = (uint32_t)pages_all;
	return NULL;
}

static const char *prepare_front(struct link *link, struct pv_start_link *info)
{
	const char *why = make_window(link, info);
	int64_t dev = pv_cap_copy(link->dev_grant, link->front.guest->dom, RO);

	if (why || dev < 0)
		return why ? why : "it can hold no more capabilities";
	info->role = PV_LINK_FRONT;
	page_of(link)->front_dev = (uint32_t)dev;
	return connect_end(link, &link->front, info);
}

static const char *prepare_back(struct link *link, struct pv_start_link *info)
{
	pv_handle_t dom = link->back.guest->dom;
	const uint64_t rights = link->spec->flags & PV_LINK_READ_ONLY ? RO : RW;
	struct pv_link *page = page_of(link);
	int64_t handle = pv_cap_copy(link->dev_grant, dom, RW);

	page->back_dev = (uint32_t)handle;
	page->back_disk_count = link->disk_count;
	for (unsigned i = 0; i < link->disk_count && handle >= 0; i++) {
		handle = pv_cap_copy(link->disk_grants[i], dom, rights);
		page->back_disk[i] = (uint32_t)handle;
	}
	if (handle < 0)
		return "it can hold no more capabilities";
	info->role = PV_LINK_BACK;
	return connect_end(link, &link->back, info);
}

const char *links_prepare(struct guest *guest, struct built *built)
{
	struct pv_start_info *info = &built->info;
	const char *why = NULL;

	for (unsigned i = 0; i < init.manifest.link_count && !why; i++) {
		struct link *link = &links[i];

		if (link->front.guest == guest)
			why = prepare_front(link, &info->links[info->link_count++]);
		else if (link->back.guest == guest)
			why = prepare_back(link, &info->links[info->link_count++]);
	}
	return why;
}

/* ---- up and down ---- */

static bool give_window(struct link *link, struct pv_link *page)
{
	pv_handle_t back = link->back.guest->dom;
	int64_t handle = pv_cap_copy(link->control_grant, back, RO);

	page->back_control = (uint32_t)handle;
	page->back_window_count = link->window_count;
	for (unsigned i = 0; i < link->window_count && handle >= 0; i++) {
		handle = pv_cap_copy(link->window_grants[i], back, RW);
		page->back_window[i] = (uint32_t)handle;
	}
	return handle >= 0;
}

static bool give_doorbells(struct link *link, struct pv_link *page)
{
	pv_handle_t front = link->front.guest->dom, back = link->back.guest->dom;
	int64_t a = pv_port_alloc(front), b = pv_port_alloc(back);

	if (a < 0 || b < 0 || pv_port_connect(front, (pv_port_t)a, back, (pv_port_t)b) < 0)
		return false;
	page->front_port = (uint32_t)a;
	page->back_port = (uint32_t)b;
	return true;
}

static void bring_up(struct link *link)
{
	struct pv_link *page = page_of(link);

	page_begin(page);
	if (link->front.fresh)
		memset(&devices[link - links], 0, sizeof(devices[0]));
	if (give_window(link, page) && give_doorbells(link, page)) {
		page->epoch++;
		page->state = PV_LINK_UP;
		link->front.fresh = link->back.fresh = false;
	} else {
		printf("link %s: its ends can hold no more capabilities or ports\n",
		       (const char *)link->spec->name);
	}
	page_end(page);
	tell(&link->front);
	tell(&link->back);
}

void links_up(struct guest *guest)
{
	for (unsigned i = 0; i < init.manifest.link_count; i++) {
		struct link *link = &links[i];

		if (link->front.guest == guest)
			link->front.running = true;
		else if (link->back.guest == guest)
			link->back.running = true;
		else
			continue;
		if (link->front.running && link->back.running)
			bring_up(link);
	}
}

static void drop_window(struct link *link)
{
	if (link->control_grant)
		pv_cap_drop(link->control_grant);
	for (unsigned i = 0; i < link->window_count; i++)
		pv_cap_drop(link->window_grants[i]);
	link->control_grant = 0;
	link->window_count = 0;
}

static void end_down(struct link *link, struct end *end, const struct end *other)
{
	struct pv_link *page = page_of(link);

	page_begin(page);
	page->state = PV_LINK_DOWN;
	page_end(page);
	tell(other);
	if (end->port)
		pv_port_close(end->port);
	end->port = 0;
	end->running = false;
	if (end == &link->front)
		drop_window(link);
}

void links_down(struct guest *guest)
{
	for (unsigned i = 0; i < init.manifest.link_count; i++) {
		struct link *link = &links[i];

		if (link->front.guest == guest)
			end_down(link, &link->front, &link->back);
		else if (link->back.guest == guest)
			end_down(link, &link->back, &link->front);
	}
}

void links_list(void)
{
	for (unsigned i = 0; i < init.manifest.link_count; i++) {
		const struct pv_link *page = &pages[i];

		ctl_answer("%-16s %s -> %s  %s, epoch %u, window %u KiB, disk %u KiB",
			   (const char *)page->name, (const char *)page->front_name,
			   (const char *)page->back_name,
			   page->state == PV_LINK_UP ? "up" : "down", page->epoch,
			   page->window_pages * 4, page->disk_pages * 4);
	}
	if (!init.manifest.link_count)
		ctl_answer("no links");
}
