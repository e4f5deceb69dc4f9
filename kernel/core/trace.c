// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace.c - the last events of each CPU, always recorded, for panics and for TRACE_READ.
 *
 * Each CPU writes its own ring; a reader on another CPU may see the oldest entry half overwritten,
 * which a debugging aid can live with.
 */
#include "trace.h"

#include "atomic.h"
#include "bits.h"
#include "boot_info.h"
#include "cpu.h"
#include "log.h"
#include "panic.h"
#include "vcpu.h"

#define RING_ENTRIES 256u
#define DUMP_ENTRIES 24u

static struct {
	u64 head; /* entries ever written */
	struct trace_entry ring[RING_ENTRIES];
} rings[MAX_CPUS];

#ifdef CONFIG_RACE_POINTS
bool trace_hot = true;
#else
bool trace_hot;
#endif

void trace_init(void)
{
	trace_hot |= cmdline_has("trace");
}

BUILD_ASSERT(sizeof(struct trace_entry) == 32);

void trace(enum trace_event event, u64 a, u64 b)
{
	const struct cpu *cpu = this_cpu();
	const struct vcpu *v = cpu->current;
	struct trace_entry *e = &rings[cpu->id].ring[rings[cpu->id].head++ % RING_ENTRIES];

	e->tsc = arch_cycles();
	e->event = event;
	e->domain = v ? (u16)v->dom->self.slot : 0;
	e->vcpu = v ? (u16)v->index : 0;
	e->a = a;
	e->b = b;
}

u64 trace_read(u32 cpu, struct trace_entry *out, u64 max)
{
	u64 head = atomic_load_acquire(&rings[cpu].head);
	u64 n = MIN(max, MIN(head, RING_ENTRIES));

	for (u64 i = 0; i < n; i++)
		out[i] = rings[cpu].ring[(head - n + i) % RING_ENTRIES];
	return n;
}

static const char *event_name(u32 event)
{
	static const char *const names[TRACE_COUNT] = {
		"none", "hypercall", "fault", "fill", "inject", "switch",
		"irq", "flush", "root", "port", "domain", "emulate",
	};

	return event < TRACE_COUNT ? names[event] : "?";
}

/* Called by a panic only: this CPU's events, newest last. */
void trace_dump_last(void)
{
	struct trace_entry e[DUMP_ENTRIES];
	u64 n = trace_read(this_cpu()->id, e, DUMP_ENTRIES);

	log_raw("last events of CPU %u:\n", this_cpu()->id);
	for (u64 i = 0; i < n; i++)
		log_raw("  %lu d%u.%u %s %lx %lx\n", e[i].tsc, e[i].domain, e[i].vcpu,
			event_name(e[i].event), e[i].a, e[i].b);
}
