/* SPDX-License-Identifier: BSD-2-Clause */
/* A front end follows its link page; see fore.h. Each state is answered once it has been followed. */
#include "fore.h"

#include <string.h>

static void on_doorbell(pv_port_t port, void *arg)
{
	struct fore *fore = arg;

	(void)port;
	fore->on_event(fore->arg, false);
}

static void take_doorbell(struct fore *fore, pv_port_t port)
{
	if (fore->doorbell) {
		pv_event_unbind(fore->doorbell);
		pv_port_close(fore->doorbell);
	}
	fore->doorbell = port;
	if (port)
		pv_event_bind(port, on_doorbell, fore);
}

static void on_change(pv_port_t port, void *arg)
{
	struct fore *fore = arg;
	const struct pv_link *page = fore->page;
	uint32_t seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);
	uint32_t state = page->state, epoch = page->epoch, doorbell = page->front_port;
	struct link_driver_page *driver = (struct link_driver_page *)fore->window;
	bool anew = false;

	(void)port;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if ((seq & 1) || seq != __atomic_load_n(&page->seq, __ATOMIC_RELAXED))
		return; /* it is said again when the change is over */
	if (state != PV_LINK_UP) {
		take_doorbell(fore, 0);
	} else if (epoch != fore->epoch) {
		fore->epoch = epoch;
		take_doorbell(fore, doorbell);
		anew = true;
	}
	__atomic_store_n(&driver->page_seen, seq, __ATOMIC_RELEASE);
	pv_port_send(fore->changed);
	if (anew)
		fore->on_event(fore->arg, true);
}

void fore_follow(struct fore *fore)
{
	on_change(fore->changed, fore);
}

int64_t fore_open(struct fore *fore, const struct pv_start_link *start,
		  void (*on_event)(void *arg, bool anew), void *arg)
{
	void *page, *device;
	int64_t r = pv_grant_attach(start->handle, 1, 0, &page);

	memset(fore, 0, sizeof(*fore));
	if (r < 0)
		return r;
	fore->page = page;
	if (start->role != PV_LINK_FRONT || fore->page->magic != PV_LINK_MAGIC ||
	    fore->page->version != PV_LINK_VERSION)
		return -PV_EINVAL;
	r = pv_grant_attach(fore->page->front_dev, 1, 0, &device);
	if (r < 0)
		return r;
	fore->device = device;
	fore->window = (uint8_t *)(start->window_gfn << PV_PAGE_SHIFT);
	fore->changed = start->port;
	fore->on_event = on_event;
	fore->arg = arg;
	return pv_event_bind(fore->changed, on_change, fore);
}

void fore_ring(void *fore)
{
	if (((struct fore *)fore)->doorbell)
		pv_port_send(((struct fore *)fore)->doorbell);
}
