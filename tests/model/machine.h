/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine.h - the kernel under test, played step by step, and compared with the model.
 */
#ifndef MODEL_MACHINE_H
#define MODEL_MACHINE_H

#include "step.h"

#define MACHINE_CPUS 2

/* A fresh kernel and a fresh model of it. Once per process. */
bool machine_start(struct model *m);

/* Plays one step on both. NULL: they agree so far; else what is wrong. *result: of a call. */
const char *machine_step(struct model *m, const struct step *s, i64 *result);

/* The same while the nth point of fail.h says that nothing is left. */
struct failing {
	u64 nth; /* 0 = none does */
	const struct fail_site *site; /* which it was; NULL: fewer were passed, or none was to fail */
	bool refused; /* for want of it nothing was done, and the model has not seen the step */
};
const char *machine_step_failing(struct model *m, const struct step *s, struct failing *f, i64 *result);

/* The whole state of the kernel, seen the model's way (compare.c). NULL: the same. */
const char *machine_compare(struct model *m);

/* Ends every domain but the root domain on both sides; afterwards nothing of them may be left. */
const char *machine_end(struct model *m);

#endif
