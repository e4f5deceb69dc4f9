// SPDX-License-Identifier: BSD-2-Clause
/*
 * cap.c - the table of things a domain may name.
 *
 * Entries come from pages of the holder's kmem, handed out in order and then recycled through a
 * free list. A capability holds no reference: what it names is found by slot and generation, so a
 * dead object costs nothing. What the machine has once is the exception: interrupt lines and devices count
 * their capabilities.
 */
#include "cap.h"

#include "counters.h"
#include "device.h"
#include "fail.h"
#include "irq.h"
#include "mm.h"
#include "nospec.h"

#define HANDLE_INDEX(h) ((h)&0xffff)
#define HANDLE_GEN_SHIFT 16
#define GEN_MAX 0x7fff

BUILD_ASSERT(ARRAY_SIZE(((struct domain *)0)->cap_pages) * CAPS_PER_PAGE == PV_MAX_CAPS);

void cap_object_get(const struct cap *cap)
{
	if (cap->type == PV_CAP_IRQ)
		irq_cap_get(cap->index);
	else if (cap->type == PV_CAP_DEV)
		device_cap_get(cap->index);
}

void cap_object_put(const struct cap *cap)
{
	if (cap->type == PV_CAP_IRQ)
		irq_cap_put(cap->index);
	else if (cap->type == PV_CAP_DEV)
		device_cap_put(cap->index);
}

static struct cap *entry_locked(const struct domain *dom, u64 index)
{
	struct cap *page;

	if (index >= PV_MAX_CAPS)
		return NULL;
	index = idx_nospec(index, PV_MAX_CAPS);
	page = dom->cap_pages[index / CAPS_PER_PAGE];
	return page ? &page[index % CAPS_PER_PAGE] : NULL;
}

static struct cap *find_locked(const struct domain *dom, u64 handle)
{
	struct cap *cap = entry_locked(dom, HANDLE_INDEX(handle));

	if (!cap || cap->type == PV_CAP_NONE || cap->gen != handle >> HANDLE_GEN_SHIFT)
		return NULL;
	return cap;
}

static void release_locked(struct domain *dom, struct cap *cap, u32 index)
{
	u16 gen = cap->gen;

	*cap = (struct cap){
		.gen = (u16)(gen == GEN_MAX ? 1 : gen + 1),
		.index = dom->cap_free,
	};
	dom->cap_free = index;
}

/* An index that no handle names yet, or -error. */
static i64 take_index_locked(struct domain *dom)
{
	u32 index = dom->cap_free;
	struct cap **page;

	if (FAIL_POINT(PV_ENOSPC))
		return -PV_ENOSPC;
	if (index) {
		dom->cap_free = entry_locked(dom, index)->index;
		return index;
	}
	index = dom->cap_top ? dom->cap_top : 1;
	if (index >= PV_MAX_CAPS)
		return -PV_ENOSPC;
	page = &dom->cap_pages[index / CAPS_PER_PAGE];
	if (!*page)
		*page = kmem_alloc(dom);
	if (!*page)
		return -PV_ENOMEM;
	(*page)[index % CAPS_PER_PAGE].gen = 1;
	dom->cap_top = index + 1;
	return index;
}

i64 cap_reserve(struct domain *dom)
{
	i64 index = -PV_EDEAD;

	spin_lock(&dom->lock);
	if (!domain_is_dying(dom))
		index = take_index_locked(dom);
	if (index >= 0)
		index |= (i64)entry_locked(dom, (u64)index)->gen << HANDLE_GEN_SHIFT;
	spin_unlock(&dom->lock);
	return index;
}

void cap_fill_nofail(struct domain *dom, u64 handle, const struct cap *cap)
{
	struct cap *entry;
	u16 gen;

	spin_lock(&dom->lock);
	entry = entry_locked(dom, HANDLE_INDEX(handle));
	gen = entry->gen;
	*entry = *cap;
	entry->gen = gen;
	spin_unlock(&dom->lock);
	level_add(LVL_CAPS, 1);
}

void cap_unreserve(struct domain *dom, u64 handle)
{
	u32 index = (u32)HANDLE_INDEX(handle);

	spin_lock(&dom->lock);
	release_locked(dom, entry_locked(dom, index), index);
	spin_unlock(&dom->lock);
}

i64 cap_insert(struct domain *dom, const struct cap *cap)
{
	i64 handle = cap_reserve(dom);

	if (handle >= 0)
		cap_fill_nofail(dom, (u64)handle, cap);
	else
		cap_object_put(cap);
	return handle;
}

int cap_get(struct domain *dom, u64 handle, struct cap *out)
{
	struct cap *cap;

	if (handle == PV_SELF) {
		*out = (struct cap){
			.type = PV_CAP_DOMAIN, .rights = PV_RIGHT_DOM_ALL, .dom = dom->self
		};
		return 0;
	}
	spin_lock(&dom->lock);
	cap = find_locked(dom, handle);
	if (cap)
		*out = *cap;
	spin_unlock(&dom->lock);
	return cap ? 0 : -PV_ECAP;
}

int cap_lookup(struct domain *dom, u64 handle, u32 type, u32 rights, struct cap *out)
{
	int err = cap_get(dom, handle, out);

	if (err)
		return err;
	if (out->type != type)
		return -PV_ECAP;
	return (out->rights & rights) == rights ? 0 : -PV_EPERM;
}

int cap_domain(struct domain *caller, u64 handle, u32 rights, struct domain **out)
{
	struct cap cap;
	int err;

	err = cap_lookup(caller, handle, PV_CAP_DOMAIN, rights, &cap);
	if (err)
		return err;
	*out = domain_lookup(cap.dom);
	return *out && !domain_is_dying(*out) ? 0 : -PV_EDEAD;
}

int cap_host(struct domain *caller, u64 handle, u32 rights)
{
	struct cap cap;

	return cap_lookup(caller, handle, PV_CAP_HOST, rights, &cap);
}

i64 cap_drop(struct domain *dom, u64 handle)
{
	struct cap *cap, old;

	spin_lock(&dom->lock);
	cap = find_locked(dom, handle);
	if (!cap) {
		spin_unlock(&dom->lock);
		return -PV_ECAP;
	}
	old = *cap;
	release_locked(dom, cap, (u32)HANDLE_INDEX(handle));
	spin_unlock(&dom->lock);
	cap_object_put(&old);
	level_add(LVL_CAPS, -1);
	return 0;
}

bool cap_destroy_step(struct domain *dom)
{
	for (u32 p = 0; p < ARRAY_SIZE(dom->cap_pages); p++) {
		struct cap *page = dom->cap_pages[p];

		if (!page)
			continue;
		for (u32 i = 0; i < CAPS_PER_PAGE; i++) {
			if (page[i].type == PV_CAP_NONE)
				continue;
			cap_object_put(&page[i]);
			level_add(LVL_CAPS, -1);
		}
		dom->cap_pages[p] = NULL;
		kmem_free(dom, page);
		return false;
	}
	return true;
}
