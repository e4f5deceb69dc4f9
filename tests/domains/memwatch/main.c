/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memwatch - waits until a domain has ended, takes what memory it can get, fills it with a pattern, looks a
 * while later whether it still holds, gives it back, over and over. The memory of the dead comes by
 * here first: what a device of theirs still writes to it is seen.
 *
 * Options: seconds=N (6). Exit code 0: nothing changed. To be `privileged`, so that its quota is not its
 * heap already and it may see how many domains there are.
 */
#include <stdio.h>
#include <stdlib.h>

#include <pv/libpv.h>

#define GFN 0x4000000ull /* 256 GiB: nothing else is there */
#define STEP 64u
#define WORDS (PV_PAGE_SIZE / sizeof(uint64_t))
#define PAUSE (300 * PV_NSEC_PER_MSEC)
#define POLL (1 * PV_NSEC_PER_MSEC)

static uint64_t *const base = (uint64_t *)(GFN << PV_PAGE_SHIFT);

static uint64_t word_for(uint64_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15ull;
}

static uint64_t take_all(void)
{
	uint64_t pages = 0;
	int64_t r;

	while ((r = pv_mem_populate(PV_SELF, GFN + pages, STEP)) > 0 || pv_again(r))
		pages += r > 0 ? (uint64_t)r : 0;
	return pages;
}

static bool give_back(uint64_t pages)
{
	uint64_t done = 0;

	while (done < pages) {
		int64_t r = pv_as_unmap(PV_SELF, (GFN + done) << PV_PAGE_SHIFT,
					pages - done < STEP ? pages - done : STEP);

		if (r < 0 && !pv_again(r))
			return false;
		done += r > 0 ? (uint64_t)r : 0;
	}
	for (done = 0; done < pages;) {
		int64_t r = pv_mem_release(PV_SELF, GFN + done, pages - done < STEP ? pages - done : STEP);

		if (r < 0 && !pv_again(r))
			return false;
		done += r > 0 ? (uint64_t)r : 0;
	}
	return true;
}

/* Words that changed. */
static uint64_t watch(uint64_t pages)
{
	uint64_t bad = 0;

	for (uint64_t i = 0; i < pages * WORDS; i++)
		base[i] = word_for(i);
	pv_sleep_until(pv_clock_ns() + PAUSE);
	for (uint64_t i = 0; i < pages * WORDS; i++)
		if (((volatile uint64_t *)base)[i] != word_for(i) && !bad++)
			printf("page %llu is written to by somebody else\n",
			       (unsigned long long)(i / WORDS));
	return bad;
}

static uint64_t domains(void)
{
	struct pv_counters counters = { 0 };

	pv_info_counters(pv_start_info->host_handle, &counters);
	return counters.domains;
}

static void wait_for_an_end(pv_ns_t until)
{
	uint64_t most = domains();

	for (uint64_t now = most; now >= most && pv_clock_ns() < until; now = domains()) {
		most = now;
		pv_sleep_until(pv_clock_ns() + POLL);
	}
}

int main(void)
{
	uint64_t bad = 0, rounds = 0, pages = 0;
	char value[24];
	pv_ns_t end;

	end = pv_clock_ns() + (pv_cmdline_get("seconds", value, sizeof(value)) ?
				       strtoull(value, NULL, 10) : 6) * PV_NSEC_PER_SEC;
	wait_for_an_end(end);
	for (; pv_clock_ns() < end; rounds++) {
		pages = take_all();
		if (!pages || pv_as_map_all(PV_SELF, GFN << PV_PAGE_SHIFT, GFN, pages,
					    PV_PROT_READ | PV_PROT_WRITE) < 0) {
			printf("no memory to watch\n");
			return 2;
		}
		bad += watch(pages);
		if (!give_back(pages)) {
			printf("memory cannot be given back\n");
			return 2;
		}
	}
	printf("%llu rounds of %llu pages, %llu words changed\n", (unsigned long long)rounds,
	       (unsigned long long)pages, (unsigned long long)bad);
	return bad != 0;
}
