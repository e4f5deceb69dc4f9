// SPDX-License-Identifier: BSD-2-Clause
/*
 * world.c - scheduler, vCPUs, interrupt controllers and log, as far as the objects under test notice.
 */
#include "world.h"

#include "arch.h"
#include "counters.h"
#include "cpu.h"
#include "domain_impl.h"
#include "grant.h"
#include "host.h"
#include "irq.h"
#include "log.h"
#include "mm.h"
#include "port.h"
#include "rootdom.h"
#include "sched.h"
#include "tlbflush.h"
#include "trace.h"
#include "vcpu.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool pending[MAX_DOMAINS][PV_MAX_PORTS];
u32 world_events;
char world_log[65536];
static size_t log_used;
bool world_masked[WORLD_LINES], world_routed[WORLD_LINES];
static u8 line_vector[WORLD_LINES];
static vector_handler_t handlers[256];
bool world_root_died;
u32 world_lines, world_isa_gsi;
bool world_no_route;

/* ---- vCPUs and scheduling ---- */

int vcpu_create(struct domain *dom, u32 index)
{
	struct vcpu *v = kmem_alloc(dom);

	if (!v)
		return -PV_ENOMEM;
	v->dom = dom;
	v->index = index;
	v->state = VCPU_STOPPED;
	mm_vcpu_init(v);
	dom->vcpus[index] = v;
	dom->nr_vcpus++;
	level_add(LVL_VCPUS, 1);
	return 0;
}

void vcpu_destroy(struct vcpu *v)
{
	struct domain *dom = v->dom;

	dom->vcpus[v->index] = NULL;
	level_add(LVL_VCPUS, -1);
	kmem_free(dom, v);
}

int vcpu_start(struct vcpu *v)
{
	if (v->state != VCPU_STOPPED)
		return -PV_ESTATE;
	v->state = VCPU_RUNNABLE;
	return 0;
}

void sched_domain_stop(struct domain *dom)
{
	for (u32 i = 0; i < PV_MAX_VCPUS; i++)
		if (dom->vcpus[i] && dom->vcpus[i]->state == VCPU_RUNNING)
			dom->vcpus[i]->state = VCPU_RUNNABLE;
}

bool sched_runs(struct vcpu *v)
{
	return v->state == VCPU_RUNNING;
}

void sched_times(struct vcpu *v, u64 *run_ns, u64 *steal_ns)
{
	*run_ns = v->run_ns;
	*steal_ns = v->steal_ns;
}

void sched_domain_resume(struct domain *dom)
{
	(void)dom;
}

void sched_vcpu_exit(struct vcpu *v)
{
	v->state = VCPU_STOPPED;
}

i64 vcpu_post_port(struct vcpu *v, u32 port)
{
	bool was = pending[v->dom->self.slot][port];

	pending[v->dom->self.slot][port] = true;
	world_events++;
	return was;
}

bool world_take_event(const struct domain *dom, u32 port)
{
	bool was = pending[dom->self.slot][port];

	pending[dom->self.slot][port] = false;
	return was;
}

/* ---- interrupt controllers ---- */

u32 ioapic_nr_gsi(void)
{
	return world_lines;
}

struct irq_line ioapic_isa_line(u8 isa_irq)
{
	return (struct irq_line){ .gsi = isa_irq == 0 ? world_isa_gsi : isa_irq, .level = isa_irq == 9 };
}

int ioapic_route(u32 gsi, u8 vector, u32 dest, bool level, bool active_low, bool masked)
{
	(void)dest;
	(void)level;
	(void)active_low;
	if (world_no_route)
		return -1;
	line_vector[gsi] = vector;
	world_routed[gsi] = true;
	world_masked[gsi] = masked;
	return 0;
}

void ioapic_mask(u32 gsi)
{
	world_masked[gsi] = true;
}

void ioapic_unmask(u32 gsi)
{
	world_masked[gsi] = false;
}

void arch_vector_set(u8 vector, vector_handler_t fn)
{
	handlers[vector] = fn;
}

void world_interrupt(u32 line)
{
	if (world_routed[line] && !world_masked[line])
		handlers[line_vector[line]](line_vector[line]);
}

u8 world_vector_of(u32 line)
{
	return line_vector[line];
}

void world_vector(u8 vector)
{
	handlers[vector](vector);
}

/* ---- the rest ---- */

void trace(enum trace_event event, u64 a, u64 b)
{
	(void)event;
	(void)a;
	(void)b;
}

void log_write(const char *s, size_t n)
{
	if (log_used + n < sizeof(world_log)) {
		memcpy(world_log + log_used, s, n);
		log_used += n;
	}
}

void root_domain_died(const struct domain *dom)
{
	(void)dom;
	world_root_died = true;
	abort();
}

/* ---- what tests ask for ---- */

static struct pv_dom_create parameters(const char *name, u64 mem, u64 kmem)
{
	struct pv_dom_create args = {
		.kind = PV_KIND_EXPLICIT,
		.mem_pages = mem,
		.kmem_pages = kmem,
		.max_vcpus = 4,
		.vtlb_tables = PV_VTLB_MAX,
		.weight = 256,
	};

	snprintf((char *)args.name, sizeof(args.name), "%s", name);
	return args;
}

struct domain *world_start(u64 ram_bytes)
{
	struct pv_dom_create args;
	struct domain *root;

	memset(pending, 0, sizeof(pending));
	memset(domains, 0, sizeof(domains));
	memset(world_log, 0, sizeof(world_log));
	memset(levels, 0, sizeof(levels));
	log_used = 0;
	world_lines = WORLD_LINES;
	world_isa_gsi = 2;
	world_no_route = false;
	host_machine_init(ram_bytes, 2, "");
	for (u32 i = 0; i < MAX_DOMAINS; i++)
		domain_slot_free((struct domain_ref){ i, 0 });
	args = parameters("root", frame_free_count() - 1024, 1024);
	if (domain_create(NULL, &args, &root))
		return NULL;
	world_vcpu(root, 0);
	root->state = PV_DOM_RUNNING;
	return root;
}

void world_vcpu(struct domain *dom, u32 index)
{
	spin_lock(&dom->lock);
	if (vcpu_create(dom, index))
		abort();
	spin_unlock(&dom->lock);
}

struct domain *world_child_sized(struct domain *parent, u64 mem, u64 kmem, int *err)
{
	struct pv_dom_create args = parameters("child", mem, kmem);
	struct domain *dom = NULL;

	*err = domain_create(parent, &args, &dom);
	return *err ? NULL : dom;
}

struct domain *world_child(struct domain *parent, const char *name, int *err)
{
	struct pv_dom_create args = parameters(name, 64, 64);
	struct domain *dom = NULL;

	*err = domain_create(parent, &args, &dom);
	if (*err)
		return NULL;
	world_vcpu(dom, 0);
	if (domain_unpause(dom))
		abort();
	return dom;
}

u32 world_destroy(struct domain_ref ref)
{
	u32 steps = 1;

	while (domain_destroy_step(ref) == -PV_EAGAIN) {
		host_enter_guest();
		host_leave_guest();
		steps++;
	}
	return steps;
}
