/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h - what a run has really shown: which operation returned which error where a case expected
 * just that, and how many assertions held. Each domain writes its own record, a child in its share
 * page; the driver adds them up and prints them, and conform.py compares them with abi.toml.
 *
 * Calls of the cases that make noise (hc_call() itself) are not recorded: what comes back by luck
 * proves nothing.
 */
#ifndef ABI_RECORD_H
#define ABI_RECORD_H

#include "hc.h"

#define RECORD_OPS 10
#define RECORD_ERRORS 16

struct record {
	u64 checks;			     /* assertions that held */
	u64 good, bad;			     /* results and errors among them */
	u64 last_nr, last_op;		     /* of the last call */
	i64 last_result;
	u16 seen[PV_HC_COUNT][RECORD_OPS]; /* bit e: error e was expected and came; bit 0: a result */
};

extern struct record *abi_record;

/* An assertion held that wanted this value; if it is what the last call returned it was about that. */
void abi_checked(u64 value);
void record_add(struct record *to, const struct record *from);

#endif
