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
 *   DOWN --both ends run and hold nothing of an earlier epoch: ports connected, window granted,
 *          epoch + 1--> UP
 *   UP --one end is about to be destroyed--> DOWN
 *
 * An end that lives through DOWN gives back what the epoch brought it and answers, by the page's seq in
 * its own page and its port. One that does not answer is named, and the link stays down until it does.
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
#define ANSWER_PATIENCE (10 * PV_NSEC_PER_SEC) /* until an end that does not answer is named */

#define RO PV_RIGHT_GRANT_READ
#define RW (PV_RIGHT_GRANT_READ | PV_RIGHT_GRANT_WRITE)

struct end {
	struct guest *guest;
	pv_port_t port; /* of init: tells the end that the link page has changed; 0 = end not there */
	bool running;
	bool fresh;	      /* started since the link was last up: it holds nothing */
	uint32_t told;	      /* page->seq when it was last told */
	const uint64_t *seen; /* page->seq that it says it has followed */
};

struct link {
	const struct pv_manifest_link *spec;
	struct end front, back;
	pv_handle_t page_grant, dev_grant;
	pv_handle_t control_grant, window_grants[PV_LINK_WINDOW_GRANTS];
	unsigned window_count;
	pv_ns_t deadline; /* of an end's answer; PV_FOREVER = none is waited for */
	bool named;	  /* who does not answer has been said */
	bool full;	  /* it could not be brought up; only another end can change that */
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

static void tell(const struct link *link, struct end *end)
{
	end->told = page_of(link)->seq;
	if (end->port)
		pv_port_send(end->port);
}

static bool has_answered(const struct end *end)
{
	uint32_t seen = (uint32_t)__atomic_load_n(end->seen, __ATOMIC_ACQUIRE);

	return (int32_t)(seen - end->told) >= 0;
}

/* Does it hold nothing of an earlier epoch? A lie is to its own harm: it fills its own tables. */
static bool has_let_go(const struct end *end)
{
	return end->fresh || has_answered(end);
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

/* What only links of its kind have. */
static void fill_config(struct pv_link *page, const struct pv_manifest_link *spec)
{
	if (spec->kind == PV_LINK_BLK) {
		struct pv_manifest_link_blk blk = mf_link_blk(spec);

		page->device = blk.device;
		page->first = blk.first;
		page->sectors = blk.sectors;
	} else if (spec->kind == PV_LINK_NET) {
		struct pv_manifest_link_net net = mf_link_net(spec);

		memcpy(page->mac, net.mac, sizeof(page->mac));
		memcpy(page->ip4, net.ip4, sizeof(page->ip4));
	}
}

static bool make_page(struct link *link)
{
	const struct pv_manifest_link *spec = link->spec;
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
	fill_config(page, spec);
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
		link->back.seen = &devices[i].page_seen;
		link->deadline = PV_FOREVER;
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

static void on_answer(pv_port_t port, void *arg);

static const char *connect_end(struct link *link, struct end *end, struct pv_start_link *info)
{
	pv_handle_t dom = end->guest->dom;
	int64_t handle = pv_cap_copy(link->page_grant, dom, RO);
	int64_t theirs = pv_port_alloc(dom), own = pv_port_alloc(PV_SELF);

	if (own >= 0)
		end->port = (pv_port_t)own;
	if (handle < 0 || theirs < 0 || own < 0 ||
	    pv_port_connect(PV_SELF, end->port, dom, (pv_port_t)theirs) < 0 ||
	    pv_event_bind(end->port, on_answer, link) < 0)
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

/* The control pages, to read the front end's answers in the first of them. */
static const char *watch_front(struct link *link)
{
	const struct pv_link_driver *page;
	void *addr;

	if (pv_grant_attach(link->control_grant, CONTROL_PAGES, 0, &addr) < 0)
		return "its answers cannot be read";
	page = addr;
	link->front.seen = &page->page_seen;
	/* page tables come with the first look: now, not in the middle of a back end's life */
	(void)__atomic_load_n(link->front.seen, __ATOMIC_RELAXED);
	return NULL;
}

static const char *prepare_front(struct link *link, struct pv_start_link *info)
{
	const char *why = make_window(link, info);
	int64_t dev = pv_cap_copy(link->dev_grant, link->front.guest->dom, RO);

	if (!why)
		why = watch_front(link);
	if (why || dev < 0)
		return why ? why : "it can hold no more capabilities";
	info->role = PV_LINK_FRONT;
	page_of(link)->front_dev = (uint32_t)dev;
	return connect_end(link, &link->front, info);
}

/* Copies of grants in another domain's table, whose handles go to a page. */
static bool give_all(pv_handle_t dom, uint64_t rights, const pv_handle_t *grants, unsigned count,
		     uint32_t *handles)
{
	for (unsigned i = 0; i < count; i++) {
		int64_t handle = pv_cap_copy(grants[i], dom, rights);

		if (handle < 0)
			return false;
		handles[i] = (uint32_t)handle;
	}
	return true;
}

static const char *prepare_back(struct link *link, struct pv_start_link *info)
{
	pv_handle_t dom = link->back.guest->dom;
	const uint64_t rights = link->spec->flags & PV_LINK_READ_ONLY ? RO : RW;
	struct pv_link *page = page_of(link);

	page->back_disk_count = link->disk_count;
	if (!give_all(dom, RW, &link->dev_grant, 1, &page->back_dev) ||
	    !give_all(dom, rights, link->disk_grants, link->disk_count, page->back_disk))
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

	page->back_window_count = link->window_count;
	return give_all(back, RO, &link->control_grant, 1, &page->back_control) &&
	       give_all(back, RW, link->window_grants, link->window_count, page->back_window);
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
		link->full = true;
		printf("link %s: its ends can hold no more capabilities or ports\n",
		       (const char *)link->spec->name);
	}
	page_end(page);
	tell(link, &link->front);
	tell(link, &link->back);
}

/* The end of a link that is down and could be up if it answered, or NULL. */
static const struct end *awaited(const struct link *link)
{
	if (page_of(link)->state == PV_LINK_UP || !link->front.running || !link->back.running)
		return NULL;
	if (!has_let_go(&link->front))
		return &link->front;
	return has_let_go(&link->back) ? NULL : &link->back;
}

static void try_up(struct link *link)
{
	if (page_of(link)->state == PV_LINK_UP || !link->front.running || !link->back.running)
		return;
	if (!awaited(link)) {
		link->deadline = PV_FOREVER;
		if (!link->full)
			bring_up(link);
	} else if (!link->named && link->deadline == PV_FOREVER) {
		link->deadline = pv_clock_ns() + ANSWER_PATIENCE;
		supervise_schedule();
	}
}

static void on_answer(pv_port_t port, void *arg)
{
	const struct link *link = arg;

	(void)port;
	try_up(arg);
	if (page_of(link)->state == PV_LINK_UP && has_answered(&link->back))
		kills_serves(link->back.guest);
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
		try_up(link);
	}
}

static void drop_window(struct link *link)
{
	if (link->front.seen)
		pv_grant_detach((void *)((uint64_t)link->front.seen & ~(uint64_t)(PV_PAGE_SIZE - 1)),
				CONTROL_PAGES);
	link->front.seen = NULL;
	if (link->control_grant)
		pv_cap_drop(link->control_grant);
	for (unsigned i = 0; i < link->window_count; i++)
		pv_cap_drop(link->window_grants[i]);
	link->control_grant = 0;
	link->window_count = 0;
}

static void end_down(struct link *link, struct end *end, struct end *other)
{
	struct pv_link *page = page_of(link);

	page_begin(page);
	page->state = PV_LINK_DOWN;
	page_end(page);
	tell(link, other);
	if (end->port) {
		pv_event_unbind(end->port);
		pv_port_close(end->port);
	}
	end->port = 0;
	end->running = false;
	link->named = link->full = false;
	link->deadline = PV_FOREVER;
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

pv_ns_t links_deadline(void)
{
	pv_ns_t next = PV_FOREVER;

	for (unsigned i = 0; i < init.manifest.link_count; i++)
		if (links[i].deadline < next)
			next = links[i].deadline;
	return next;
}

void links_expire(pv_ns_t now)
{
	for (unsigned i = 0; i < init.manifest.link_count; i++) {
		struct link *link = &links[i];
		const struct end *end = awaited(link);

		if (link->deadline > now)
			continue;
		link->deadline = PV_FOREVER;
		link->named = true;
		if (end)
			printf("link %s: %s does not answer; down until it does\n",
			       (const char *)link->spec->name, (const char *)end->guest->spec->name);
	}
}

/* ---- is a back end still alive? ---- */

void links_ask(const struct guest *back)
{
	for (unsigned i = 0; i < init.manifest.link_count; i++) {
		struct link *link = &links[i];

		if (link->back.guest != back)
			continue;
		page_begin(page_of(link)); /* a new number to answer, and nothing else */
		page_end(page_of(link));
		tell(link, &link->back);
	}
}

bool links_answered(const struct guest *back)
{
	for (unsigned i = 0; i < init.manifest.link_count; i++)
		if (links[i].back.guest == back && !has_answered(&links[i].back))
			return false;
	return true;
}

static void list(const struct link *link)
{
	const struct pv_link *page = page_of(link);
	const struct end *end = awaited(link);

	char disk[32] = "";

	if (page->disk_pages)
		snprintf(disk, sizeof(disk), ", disk %u KiB", page->disk_pages * 4);
	ctl_answer("%-16s %s -> %s  %s%s%s, epoch %u, window %u KiB%s", (const char *)page->name,
		   (const char *)page->front_name, (const char *)page->back_name,
		   page->state == PV_LINK_UP ? "up" : "down", end ? ", waits for " : "",
		   end ? (const char *)end->guest->spec->name : "", page->epoch,
		   page->window_pages * 4, disk);
}

void links_list(void)
{
	for (unsigned i = 0; i < init.manifest.link_count; i++)
		list(&links[i]);
	if (!init.manifest.link_count)
		ctl_answer("no links");
}
