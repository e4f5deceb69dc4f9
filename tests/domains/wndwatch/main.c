/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wndwatch - a front end that lives twice. In its first life it gives its window to a back end, by waiting until
 * the link is up, and ends. In its second life it has a window of its own again: it fills it and watches for
 * seconds=N (2) whether anybody writes to it. Exit code 0: nobody did.
 */
#include <stdio.h>
#include <stdlib.h>

#include <pv/libpv.h>

static const struct pv_link *page;

static uint64_t word_for(uint64_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15ull;
}

static void nothing(pv_port_t port, void *arg)
{
	(void)port;
	(void)arg;
}

/* The back end must be at work in the window before this life may end. */
static int first_life(void)
{
	while (page->state != PV_LINK_UP)
		pv_event_run_once(pv_clock_ns() + PV_NSEC_PER_MSEC);
	pv_sleep_until(pv_clock_ns() + 500 * PV_NSEC_PER_MSEC);
	printf("first life over in epoch %u\n", page->epoch);
	fflush(stdout);
	return 0;
}

static int second_life(uint64_t *words, uint64_t count, unsigned seconds)
{
	pv_ns_t end = pv_clock_ns() + seconds * PV_NSEC_PER_SEC;
	uint64_t changed = 0, rounds = 0;

	for (uint64_t i = 0; i < count; i++)
		words[i] = word_for(i);
	for (; pv_clock_ns() < end; rounds++) {
		for (uint64_t i = 0; i < count; i++)
			changed += words[i] != word_for(i);
		pv_sleep_until(pv_clock_ns() + 50 * PV_NSEC_PER_MSEC);
	}
	printf("second life: %llu words watched %llu times, %llu changed, link %s\n",
	       (unsigned long long)count, (unsigned long long)rounds, (unsigned long long)changed,
	       page->state == PV_LINK_UP ? "up" : "down");
	fflush(stdout);
	return changed != 0;
}

int main(void)
{
	const struct pv_start_link *start = &pv_start_info->links[0];
	uint8_t *base = (uint8_t *)(start->window_gfn << PV_PAGE_SHIFT);
	char value[12] = "2";
	void *addr;

	if (!pv_start_info->link_count || pv_grant_attach(start->handle, 1, 0, &addr) < 0) {
		printf("no link\n");
		return 1;
	}
	page = addr;
	pv_event_bind(start->port, nothing, NULL);
	pv_cmdline_get("seconds", value, sizeof(value));
	if (!page->epoch || (page->epoch == 1 && page->state == PV_LINK_UP))
		return first_life();
	return second_life((uint64_t *)(base + (uint64_t)page->control_pages * PV_PAGE_SIZE),
			   (uint64_t)(page->window_pages - page->control_pages) * PV_PAGE_SIZE / 8,
			   (unsigned)strtoul(value, NULL, 10));
}
