/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - the event ring of each CPU: 32 bytes an event, always on, dumped by a panic.
 */
#ifndef RF_TRACE_H
#define RF_TRACE_H

#include "types.h"

enum trace_event {
	TRACE_NONE, TRACE_HYPERCALL, TRACE_FAULT, TRACE_FILL, TRACE_INJECT, TRACE_SWITCH, TRACE_IRQ,
	TRACE_FLUSH, TRACE_ROOT, TRACE_PORT, TRACE_DOMAIN, TRACE_EMULATE, TRACE_COUNT
};
struct trace_entry {
	u64 tsc;
	u32 event;
	u16 domain;
	u16 vcpu;
	u64 a, b;
};
/* Hypercalls and injections are too hot to record always: with `trace` on the command line, and where there are
 * race points. All entries go through C then. */
extern bool trace_hot;
void trace_init(void);

void trace(enum trace_event event, u64 a, u64 b); /* domain and vCPU: the current ones */
u64 trace_read(u32 cpu, struct trace_entry *out, u64 max); /* newest max, oldest first */
void trace_dump_last(void);

#endif
