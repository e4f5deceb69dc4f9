/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain.h - the one kind of thing that runs, and the table that names them.
 *
 * A domain is reached by (slot, generation); capabilities, ports and grants store that pair, never
 * a pointer. domain_lookup() gives a pointer that stays valid until this CPU leaves the kernel:
 * the last page of a domain is freed only after an epoch (epoch.h), so no reference is counted.
 * Before committing anything under a lock of the domain, re-check dom->state under that lock.
 *
 * Locks, in the order they may be taken:
 *   domain_table_lock > dom->lock (of two domains: lower slot first) > dom->mm.lock (likewise)
 *   > run queue locks > frame lock. All are leaves for the TLB mailbox (spinlock.h).
 */
#ifndef RF_DOMAIN_H
#define RF_DOMAIN_H

#include <pv/abi.h>

#include "cpu.h"
#include "mm.h"
#include "spinlock.h"
#include "types.h"

#define MAX_DOMAINS 256
#define PORTS_PER_PAGE 128

struct vcpu;
struct cap;
struct port;
struct grant;

/* Names a domain for longer than one stay in the kernel. */
struct domain_ref {
	u32 slot;
	u32 gen; /* 0 = nobody */
};

struct io_range {
	u16 first;
	u16 count; /* 0 = unused */
};

struct domain {
	struct domain_ref self;
	struct domain_ref parent; /* gets VIRQ_CHILD and the quota back */
	char name[PV_NAME_LEN];
	u32 kind; /* PV_KIND_* */

	struct spinlock lock; /* everything below down to mm */
	u32 state;	      /* PV_DOM_BUILT, RUNNING, SHUTDOWN or DYING; PAUSED is pause_count != 0 */
	u32 pause_count;
	u32 reason; /* PV_REASON_* once state is SHUTDOWN */
	u64 code, detail, fault_rip;
	u32 destroy_stage;  /* where a restarted DESTROY goes on; see domain_destroy_step() */
	u32 destroy_cursor; /* within that stage */
	u32 destroy_busy;   /* one CPU at a time */
	u64 destroy_epoch;

	u32 max_vcpus;
	u32 nr_vcpus;
	struct vcpu *vcpus[PV_MAX_VCPUS];

	u32 cap_top, cap_free;	     /* entries ever used; first free one, 0 = none */
	struct cap *cap_pages[8];    /* 128 entries each, on demand */
	u32 port_top, port_free;     /* likewise */
	struct port *port_pages[PV_MAX_PORTS / PORTS_PER_PAGE]; /* on demand */
	struct grant *grant_pages[8];
	u32 virq_port[2]; /* port bound to each PV_VIRQ_*, 0 = none */
	struct pv_port_page __guest *port_page; /* registered page through the direct map, or NULL */
	gfn_t port_page_gfn;

	struct io_range ioports[4];

	u32 weight, cap; /* scheduling, read by sched.c */
	u32 busy_vcpus;
	u64 affinity;
	u64 cap_window_ns, cap_used_ns; /* start of the window the cap is measured in, CPU time in it */

	struct mm mm; /* memory: quotas, gfn map, address spaces */

	u64 console_tokens; /* rate limit of CONSOLE_WRITE */
	u64 console_refill_ns;
	char console_line[256]; /* CONSOLE_WRITE text up to the newline */
	u32 console_len;

	u64 faults, fills; /* statistics, updated without lock */
};

BUILD_ASSERT(sizeof(struct domain) <= PAGE_SIZE); /* it lives in one page of its own kmem */

extern struct spinlock domain_table_lock;
extern struct domain *domains[MAX_DOMAINS]; /* slots; NULL = free. Slot 0 is never used */

#define ROOT_SLOT 1

struct domain *domain_lookup(struct domain_ref ref); /* NULL if it is gone; it may be dying */
static inline bool domain_is_root(const struct domain *dom) { return dom->self.slot == ROOT_SLOT; }
static inline bool domain_is_child(const struct domain *child, const struct domain *dom)
{
	return child->parent.slot == dom->self.slot && child->parent.gen == dom->self.gen;
}
void domain_lock_two(struct domain *a, struct domain *b); /* a == b is allowed */
void domain_unlock_two(struct domain *a, struct domain *b);

/* What a create call asks for has been checked by the caller. On success *out is BUILT and
 * the quotas have left the parent. -PV_ENOSPC, -PV_ENOMEM. parent NULL: the root domain. */
warn_unused_result int domain_create(struct domain *parent, const struct pv_dom_create *args,
				     struct domain **out);

/* Stops the domain for good, from any context (fault, SHUTDOWN): vCPUs stop, the parent is told.
 * The first caller's reason stays. Never blocks. */
void domain_shutdown(struct domain *dom, u32 reason, u64 code, u64 detail, u64 rip);

/* One bounded step of destruction; -PV_EAGAIN while work remains, 0 when all is freed, -PV_EDEAD
 * if there is no such domain. */
warn_unused_result int domain_destroy_step(struct domain_ref ref);

/* When it returns 0 no vCPU of the domain runs. -PV_ESTATE, -PV_EDEAD; -PV_EAGAIN: this CPU's own
 * vCPU was asked to stop while waiting, nothing has changed. */
warn_unused_result int domain_pause(struct domain *dom);
warn_unused_result int domain_unpause(struct domain *dom);

void domain_status(struct domain *dom, struct pv_dom_status *out);
u64 domain_hypercalls(const struct domain *dom); /* made by all its vCPUs up to now */
const char *domain_reason_name(u32 reason);

/* Runnable at all: RUNNING and not paused. Read without lock by the scheduler. */
static inline bool domain_may_run(const struct domain *dom)
{
	return atomic_load_relaxed(&dom->state) == PV_DOM_RUNNING &&
	       atomic_load_relaxed(&dom->pause_count) == 0;
}

/* No operation on it may start any more. */
static inline bool domain_is_dying(const struct domain *dom)
{
	return atomic_load_relaxed(&dom->state) == PV_DOM_DYING;
}

#endif
