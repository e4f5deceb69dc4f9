/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle.h - the reference model beside the kernel on its processor: play.c makes each step on both, puppet.c has
 * the domains do what they are told to, compare.c asks the kernel for what the model knows, driver.c is the case.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include "../../abi/lib/abitest.h"
#include "../../model/step.h"

/* ---- puppets: each domain but the root domain has two pages more than the model knows ---- */

#define PUPPET_PAGES 2u /* code, commands */

enum deed { C_CALL, C_LOAD, C_STORE, C_CLEAR };

/* What one vCPU shall do next; puppet.S knows the offsets. */
struct command {
	u64 posted, done; /* equal: nothing to do */
	u64 deed, nr, a[6], result; /* LOAD: address; STORE: address, value; CLEAR: address, words */
	u64 reserved[5];
};
_Static_assert(sizeof(struct command) == 128, "puppet.S");

/* A domain that the root domain has just made, and holds by `handle`. */
void puppet_make(u32 dom, u64 handle, u32 kind);
void puppet_end(u32 dom); /* it is gone */
u64 puppet_handle(u32 dom); /* the driver's own to it, with all rights */
/* A vCPU begins at the beginning; what it had not finished is over. */
struct pv_vcpu_gpr puppet_registers(u32 vcpu);
void puppet_new_vcpu(u32 dom, u32 vcpu);
void puppet_forget(u32 dom, u32 vcpu);
/* Has a vCPU do something. False: it has not come back, though there was time; by its state it does not run. */
bool puppet_does(u32 dom, u32 vcpu, u64 deed, u64 nr, const u64 *a, i64 *result);
/* What it could not finish then. False: it still has not. */
bool puppet_comes_back(u32 dom, u32 vcpu, i64 *result);
bool puppet_is_away(u32 dom, u32 vcpu);
u32 puppet_count(void);
u32 puppet_run_state(u32 dom, u32 vcpu); /* of struct pv_runstate */

/* ---- steps ---- */

enum plant { PLANT_NONE, PLANT_RESULT, PLANT_STATE };

/* The root domain becomes what the model begins with. */
void play_begin(struct model *m, u32 cpus);
/* Can it be played here? Some of what the model knows cannot. Changes deadlines to such as mean the same here. */
bool play_can(struct model *m, struct step *s);
/* Plays it on both. NULL: they agree. planted: the result is another one than the kernel's. */
const char *play_step(struct model *m, const struct step *s, bool planted, i64 *result);
/* Ends every domain on both sides. */
const char *play_end(struct model *m);
extern u64 play_away; /* calls that came back later or never: WAIT, STOP, SHUTDOWN */

/* ---- state ---- */

void compare_begin(const struct model *m);
/* NULL: what the kernel tells is what the model knows. */
const char *compare(const struct model *m);

#endif
