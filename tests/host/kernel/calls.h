/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls.h - hypercalls of domains on the whole core, as tests write them.
 */
#ifndef TEST_CALLS_H
#define TEST_CALLS_H

#include <pv/abi.h>

#include "domain.h"
#include "vcpu.h"
#include "whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

extern struct domain *root;

int calls_start(void **state); /* set-up of a group: a machine with two CPUs */

/* A call of v, which must be able to run. */
#define CALL(v, nr, ...) calls_make(v, PV_HC_##nr, (u64[6]){ __VA_ARGS__ })
i64 calls_make(struct vcpu *v, u64 nr, const u64 *args);

/* A domain of four frames, mapped from 0x1000 on, that has not started; returns root's handle. */
u64 child_make(struct domain **out);
/* The same running on the CPUs of the mask `where`, with its first frame as VCS. */
u64 child_run(struct domain **out, u64 where);
void end(u64 handle);

#endif
