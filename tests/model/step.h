/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * step.h - one step of a test sequence, told in terms that keep their meaning when other steps are left out:
 * "the capability in slot 3", not its handle. So a sequence can be shrunk and replayed.
 */
#ifndef STEP_H
#define STEP_H

#include "model.h"

#include <stdio.h>

enum step_kind { S_CALL, S_LOAD, S_STORE, S_TAKE, S_IF, S_MASK, S_TIME, S_KINDS };
enum arg_kind { A_NUMBER, A_CAP /* slot of the caller's table */, A_NOW /* time from now */ };

struct arg {
	u32 kind;
	u64 value;
};

struct step {
	u32 kind; /* enum step_kind */
	u32 dom, vcpu;
	u64 nr;
	struct arg a[6]; /* LOAD, STORE: page, value; IF, MASK, TIME: one number */
	u64 batch[6];	 /* DOM_CREATE: variant, mem, kmem, vcpus, kind, affinity; VCPU_REGS: rip, rbx, mode */
};

void step_resolve(const struct model *m, const struct step *s, struct m_call *call);
/* The tests do without: what the model has no room for, what ends the machine. */
bool step_is_possible(struct model *m, const struct step *s, const struct m_call *call);
void step_print(FILE *out, const struct step *s);
bool step_parse(struct step *s, char *line); /* what step_print() wrote; the line is cut up */
const char *step_name(u64 nr);

/* gen.c */
struct random {
	u64 state;
};
u64 random_next(struct random *r);
u64 random_below(struct random *r, u64 n);
/* A step that says something in this state; false: nobody can run. */
bool step_generate(struct random *r, const struct model *m, struct step *s);

#endif
