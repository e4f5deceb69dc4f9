/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failing.h - what a step does when something it needs is used up.
 */
#ifndef MODEL_FAILING_H
#define MODEL_FAILING_H

#include "machine.h"

#define FAILING_MAX 64 /* points of fail.h in the kernel */

struct failing_count {
	u64 failed;  /* times this point said that nothing is left */
	u64 refused; /* of them: the call failed, or the access ended the domain */
};

/* Plays a step with its first point failing, then its second, as long as it is refused; in the end it is done. After
 * each refusal kernel and model must be the same, and the error the right one. NULL, or what is wrong. */
const char *failing_step(struct model *m, const struct step *s, struct failing_count *counts, i64 *result);

/* Prints what each point did; false if there is one that no step came by. */
bool failing_report(const struct failing_count *counts);

#endif
