// SPDX-License-Identifier: BSD-2-Clause
/*
 * failing.c - see failing.h.
 *
 * A call that finds something used up answers ENOSPC or ENOMEM, as the point says, and has no effect; or it does
 * without. These two errors are the last of the ABI's table: a call that is wrong for another reason says so,
 * whatever is used up.
 */
#include "failing.h"

#include "fail.h"

#include <string.h>

#define MAX_POINTS 200u

extern const struct fail_site __start_fail_sites[], __stop_fail_sites[];

static bool is_shortage(i64 result)
{
	return result == -PV_ENOSPC || result == -PV_ENOMEM;
}

/* Whole blocks are more than the model's domains can ask for: tests/host/kernel/test_failing.c does. */
static bool is_beyond_the_model(const struct fail_site *site)
{
	return !strcmp(site->function, "frame_alloc_large");
}

/* Of a step that was refused at sites[0..n) and answered refusals[] then, and does `result` in the end. */
static const char *judge(const struct fail_site *const *sites, const i64 *refusals, u64 n, i64 result)
{
	static char text[160];

	for (u64 i = 0; i < n; i++) {
		if (refusals[i] && result < 0 && !is_shortage(result)) {
			snprintf(text, sizeof(text), "%s asked for what was used up before %lld was found",
				 sites[i]->function, (long long)result);
			return text;
		}
		if (refusals[i] && !is_shortage(result) && refusals[i] != -(i64)sites[i]->error) {
			snprintf(text, sizeof(text), "nothing left in %s: %lld, expected %d", sites[i]->function,
				 (long long)refusals[i], -(int)sites[i]->error);
			return text;
		}
	}
	return NULL;
}

const char *failing_step(struct model *m, const struct step *s, struct failing_count *counts, i64 *result)
{
	const struct fail_site *sites[MAX_POINTS];
	i64 refusals[MAX_POINTS];
	struct failing f = { .nth = 1 };
	const char *wrong;
	u64 n = 0;

	for (;; f.nth++, n++) {
		wrong = machine_step_failing(m, s, &f, result);
		if (f.site)
			counts[f.site - __start_fail_sites].failed++;
		if (wrong || !f.refused)
			break;
		counts[f.site - __start_fail_sites].refused++;
		if (n == MAX_POINTS)
			return "a step asks for too many things";
		sites[n] = f.site;
		refusals[n] = *result; /* 0: an access */
		wrong = machine_compare(m);
		if (wrong)
			break;
	}
	return wrong ? wrong : judge(sites, refusals, n, *result);
}

bool failing_report(const struct failing_count *counts)
{
	u64 n = (u64)(__stop_fail_sites - __start_fail_sites);
	bool all = true;

	for (u64 i = 0; i < n; i++) {
		const struct fail_site *site = &__start_fail_sites[i];

		printf("%-20s line %4u: nothing left %8llu times, refused %8llu%s\n", site->function, site->line,
		       (unsigned long long)counts[i].failed, (unsigned long long)counts[i].refused,
		       counts[i].failed ? "" : "  NEVER");
		all &= counts[i].failed || is_beyond_the_model(site);
	}
	return all;
}
