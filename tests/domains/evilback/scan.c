/* SPDX-License-Identifier: BSD-2-Clause */
#include "scan.h"

#include <stdio.h>
#include <string.h>

#define VIEW 0x600000000000ull	 /* where a page is looked at */
#define VIEW_GFN 0x5000000ull	 /* where a grant would appear */
#define HANDLES 1024u
#define LOW_GFNS 0x10000ull	 /* 256 MiB: more than the domain has */
#define LINK_GFN 0x1000000ull	 /* a front end's windows, if they were here */
#define DEVICE_GFN 0x2000000ull

static uint64_t pages_read, hits, breaches;

/* "Q9secret" with all bits turned over: as it is, it must stand nowhere in this domain. */
static const volatile uint64_t hidden = ~0x7465726365733951ull;

static uint64_t find(const void *bytes, uint64_t len)
{
	const uint8_t *at = bytes;
	uint64_t found = 0, word;

	for (uint64_t i = 0; i + sizeof(word) <= len; i++) {
		if (at[i] != 'Q')
			continue;
		memcpy(&word, at + i, sizeof(word));
		found += ~word == hidden;
	}
	return found;
}

static void look_at_gfns(uint64_t first, uint64_t count)
{
	for (uint64_t gfn = first; gfn < first + count; gfn++) {
		if (pv_as_map(PV_SELF, VIEW, gfn, 1, PV_PROT_READ) != 1)
			continue;
		pages_read++;
		hits += find((const void *)VIEW, PV_PAGE_SIZE);
		pv_as_unmap(PV_SELF, VIEW, 1);
	}
}

/* What any handle might give: a grant of some size, or a domain whose memory can be granted or mapped. */
static void try_handle(pv_handle_t handle)
{
	static const uint64_t sizes[] = { 1, 2, 9, 256, 503, 512, 1015, 1024, 2048 };

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (pv_grant_map(handle, VIEW_GFN, sizes[i], 0) < 0)
			continue;
		look_at_gfns(VIEW_GFN, sizes[i]);
		pv_grant_unmap(VIEW_GFN, sizes[i]);
	}
	for (uint64_t gfn = 0; gfn < 4096 && handle != PV_SELF; gfn += 512) {
		breaches += pv_grant_create(handle, gfn, 1, PV_RIGHT_GRANT_READ) >= 0;
		breaches += pv_as_map(handle, VIEW, gfn, 1, PV_PROT_READ) > 0;
		breaches += pv_mem_release(handle, gfn, 1) > 0;
	}
}

void scan(const struct end *end)
{
	uint64_t in_window;

	pages_read = hits = breaches = 0;
	look_at_gfns(0, LOW_GFNS);
	look_at_gfns(LINK_GFN, 0x8000);
	look_at_gfns(DEVICE_GFN, 0x4000);
	for (pv_handle_t handle = 0; handle < HANDLES; handle++)
		try_handle(handle);
	in_window = find(end->base, end->pages << PV_PAGE_SHIFT);
	printf("scan: %llu pages, secret %llu times, of the window %llu times, %llu breaches\n",
	       (unsigned long long)pages_read, (unsigned long long)hits, (unsigned long long)in_window,
	       (unsigned long long)breaches);
}
