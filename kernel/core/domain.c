// SPDX-License-Identifier: BSD-2-Clause
/*
 * domain.c - the domain table and the life of a domain: create, run, pause, stop.
 *
 * A domain's struct lives in a page of its own kmem. The slot table is read without a lock and
 * changed under domain_table_lock. How a domain ends is told in destroy.c.
 */
#include "domain.h"

#include "arch.h"
#include "atomic.h"
#include "console.h"
#include "counters.h"
#include "domain_impl.h"
#include "fail.h"
#include "log.h"
#include "nospec.h"
#include "panic.h"
#include "port.h"
#include "rootdom.h"
#include "sched.h"
#include "string.h"
#include "trace.h"
#include "vcpu.h"

struct spinlock domain_table_lock;
struct domain *domains[MAX_DOMAINS];

static bool slot_taken[MAX_DOMAINS]; /* domain_table_lock; set before and after domains[] is */
static u32 slot_gen[MAX_DOMAINS];    /* domain_table_lock; of the last domain there */

struct domain *domain_lookup(struct domain_ref ref)
{
	struct domain *dom;

	ASSERT(ref.slot < MAX_DOMAINS); /* a reference is the kernel's own, never a guest's number */
	dom = atomic_load_acquire(&domains[idx_nospec(ref.slot, MAX_DOMAINS)]);
	return dom && dom->self.gen == ref.gen ? dom : NULL;
}

void domain_lock_two(struct domain *a, struct domain *b)
{
	if (a->self.slot > b->self.slot) {
		struct domain *t = a;

		a = b;
		b = t;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock(&b->lock);
}

void domain_unlock_two(struct domain *a, struct domain *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* ---- creation ---- */

static struct domain_ref slot_take(void)
{
	struct domain_ref ref = { 0, 0 };

	if (FAIL_POINT(PV_ENOSPC))
		return ref;
	spin_lock(&domain_table_lock);
	for (u32 i = ROOT_SLOT; i < MAX_DOMAINS && !ref.gen; i++) {
		if (slot_taken[i])
			continue;
		slot_taken[i] = true;
		ref = (struct domain_ref){ i, ++slot_gen[i] };
	}
	spin_unlock(&domain_table_lock);
	return ref;
}

void domain_slot_free(struct domain_ref ref)
{
	spin_lock(&domain_table_lock);
	slot_taken[ref.slot] = false;
	spin_unlock(&domain_table_lock);
}

static int quota_take(struct domain *parent, u64 pages)
{
	struct mm *mm;
	int err = -PV_ENOMEM;

	if (!parent)
		return 0;
	if (FAIL_POINT(PV_ENOMEM))
		return err;
	mm = &parent->mm;
	spin_lock(&mm->lock);
	if (mm->mem_quota - mm->mem_used >= pages) {
		mm->mem_quota -= pages;
		err = 0;
	}
	spin_unlock(&mm->lock);
	return err;
}

/* Back to the parent, or to the root domain if the parent is gone or going. */
void domain_quota_return(struct domain_ref parent, u64 pages)
{
	struct domain *dom = domain_lookup(parent);

	if (dom)
		spin_lock(&dom->lock);
	if (dom && domain_is_dying(dom)) { /* its own quota may have gone back already */
		spin_unlock(&dom->lock);
		dom = NULL;
	}
	if (!dom) {
		dom = domains[ROOT_SLOT];
		spin_lock(&dom->lock);
	}
	spin_lock(&dom->mm.lock);
	dom->mm.mem_quota += pages;
	spin_unlock(&dom->mm.lock);
	spin_unlock(&dom->lock);
}

/* The first page of the kmem: it holds the domain that kmem is accounted in. */
static struct domain *domain_page_alloc(struct domain_ref self)
{
	mfn_t mfn = frame_alloc();
	struct domain *dom;

	if (!mfn)
		return NULL;
	frame_of(mfn)->owner = (u16)self.slot;
	frame_of(mfn)->state = FRAME_KMEM;
	dom = mfn_ptr(mfn);
	memset(dom, 0, PAGE_SIZE);
	dom->self = self;
	dom->mm.kmem_used = 1;
	level_add(LVL_KMEM, 1);
	return dom;
}

void domain_page_free(struct domain *dom)
{
	level_add(LVL_KMEM, -1);
	frame_free(ptr_to_mfn(dom));
}

static void set_parameters(struct domain *dom, const struct pv_dom_create *args)
{
	memcpy(dom->name, args->name, sizeof(dom->name));
	dom->name[sizeof(dom->name) - 1] = '\0';
	dom->kind = args->kind;
	dom->mm.fused = args->flags & PV_CREATE_FUSED;
	dom->state = PV_DOM_BUILT;
	dom->max_vcpus = args->max_vcpus;
	dom->weight = args->weight;
	dom->cap = args->cap;
	dom->affinity = args->affinity;
	dom->console_tokens = CONSOLE_BURST;
	dom->console_refill_ns = clock_now_ns();
}

/* Makes it visible. A parent that began to die meanwhile has re-parented its children already. */
static void publish(struct domain *dom, struct domain *parent)
{
	spin_lock(&domain_table_lock);
	if (parent && domain_is_dying(parent))
		parent = domains[ROOT_SLOT];
	if (parent)
		dom->parent = parent->self;
	atomic_store_release(&domains[dom->self.slot], dom); /* pairs with domain_lookup() */
	spin_unlock(&domain_table_lock);
	level_add(LVL_DOMAINS, 1);
	trace(TRACE_DOMAIN, dom->self.slot, PV_DOM_BUILT);
}

int domain_create(struct domain *parent, const struct pv_dom_create *args, struct domain **out)
{
	u64 pages = args->mem_pages + args->kmem_pages;
	struct domain_ref self = slot_take();
	struct domain *dom;
	int err;

	if (!self.gen)
		return -PV_ENOSPC;
	err = quota_take(parent, pages);
	if (err)
		goto out_slot;
	err = -PV_ENOMEM;
	dom = domain_page_alloc(self);
	if (!dom)
		goto out_quota;
	set_parameters(dom, args);
	err = mm_init(dom, args->mem_pages, args->kmem_pages, args->vtlb_tables);
	if (err)
		goto out_page;
	publish(dom, parent);
	*out = dom;
	return 0;

out_page:
	domain_page_free(dom);
out_quota:
	if (parent)
		domain_quota_return(parent->self, pages);
out_slot:
	domain_slot_free(self);
	return err;
}

/* ---- stopping and going on ---- */

void domain_notify_parent(struct domain_ref ref)
{
	struct domain *parent = domain_lookup(ref);

	if (parent && !domain_is_dying(parent))
		port_virq(parent, PV_VIRQ_CHILD);
}

static struct domain_ref parent_of(struct domain *dom)
{
	struct domain_ref ref;

	spin_lock(&domain_table_lock); /* a dying parent's children are handed over under it */
	ref = dom->parent;
	spin_unlock(&domain_table_lock);
	return ref;
}

bool domain_runs(struct domain *dom)
{
	struct vcpu *self = this_cpu()->current;

	for (u32 i = 0; i < dom->max_vcpus; i++) {
		struct vcpu *v = atomic_load_acquire(&dom->vcpus[i]);

		if (v && v != self && sched_runs(v))
			return true;
	}
	return false;
}

/* The vCPU in whose name this CPU waits is itself to stop: whoever asked may wait for us. */
static bool must_stop_waiting(void)
{
	struct vcpu *v = this_cpu()->current;

	return v && (!domain_may_run(v->dom) || atomic_load_relaxed(&v->exit_work) & WORK_STOP);
}

static void undo_pause(struct domain *dom)
{
	spin_lock(&dom->lock);
	atomic_store_release(&dom->pause_count, dom->pause_count - 1);
	spin_unlock(&dom->lock);
	sched_domain_resume(dom);
}

int domain_pause(struct domain *dom)
{
	int err = 0;

	spin_lock(&dom->lock);
	if (dom->state == PV_DOM_DYING)
		err = -PV_EDEAD;
	else if (dom->state == PV_DOM_SHUTDOWN || dom->pause_count == PAUSE_MAX)
		err = -PV_ESTATE;
	else
		atomic_store_release(&dom->pause_count, dom->pause_count + 1);
	spin_unlock(&dom->lock);
	if (err)
		return err;

	sched_domain_stop(dom);
	while (!domain_may_run(dom) && domain_runs(dom)) { /* else somebody has taken the pause back already */
		if (must_stop_waiting()) {
			undo_pause(dom);
			return -PV_EAGAIN;
		}
		cpu_relax();
		flush_serve_mailbox();
	}
	trace(TRACE_DOMAIN, dom->self.slot, PV_DOM_PAUSED);
	domain_notify_parent(parent_of(dom));
	return 0;
}

/* Takes one from the count, or gives a built domain its start. 1: the domain may run now. */
static int unpause_locked(struct domain *dom)
{
	if (dom->state == PV_DOM_DYING)
		return -PV_EDEAD;
	if (dom->state == PV_DOM_SHUTDOWN && !dom->pause_count)
		return -PV_ESTATE;
	if (dom->state == PV_DOM_RUNNING && !dom->pause_count)
		return -PV_ESTATE;
	if (dom->state == PV_DOM_BUILT && dom->pause_count <= 1) {
		if (!dom->vcpus[0])
			return -PV_ESTATE;
		atomic_store_release(&dom->state, (u32)PV_DOM_RUNNING);
	}
	if (dom->pause_count)
		atomic_store_release(&dom->pause_count, dom->pause_count - 1);
	return domain_may_run(dom);
}

int domain_unpause(struct domain *dom)
{
	bool first;
	int result;

	spin_lock(&dom->lock);
	first = dom->state == PV_DOM_BUILT;
	result = unpause_locked(dom);
	if (result > 0 && first)
		(void)vcpu_start(dom->vcpus[0]); /* -PV_ESTATE: started explicitly before */
	spin_unlock(&dom->lock);
	if (result < 0)
		return result;
	if (result) {
		sched_domain_resume(dom);
		trace(TRACE_DOMAIN, dom->self.slot, PV_DOM_RUNNING);
		domain_notify_parent(parent_of(dom));
	}
	return 0;
}

/* ---- the end, as far as the guest is concerned ---- */

const char *domain_reason_name(u32 reason)
{
	static const char *const names[] = {
		[PV_REASON_NONE] = "none",
		[PV_REASON_POWEROFF] = "power off",
		[PV_REASON_REBOOT] = "reboot",
		[PV_REASON_PANIC] = "panic",
		[PV_REASON_HALT] = "halt",
		[PV_REASON_FAULT] = "unhandled exception",
		[PV_REASON_DOUBLE_FAULT] = "double fault",
		[PV_REASON_KMEM] = "out of kernel memory",
	};

	return reason < ARRAY_SIZE(names) ? names[reason] : "unknown";
}

static void report(const struct domain *dom)
{
	if (dom->reason == PV_REASON_KMEM) /* of an exception more has been said, see event.c */
		log_warn("%s (domain %u) stopped: %s, code %lu, address %lx, rip %lx\n", dom->name,
			 dom->self.slot, domain_reason_name(dom->reason), dom->code, dom->detail,
			 dom->fault_rip);
	else
		log_printf(dom->reason >= PV_REASON_FAULT ? LOG_WARN : LOG_INFO,
			   "%s (domain %u) stopped: %s, code %lu\n", dom->name, dom->self.slot,
			 domain_reason_name(dom->reason), dom->code);
}

void domain_shutdown(struct domain *dom, u32 reason, u64 code, u64 detail, u64 rip)
{
	bool first = false;

	spin_lock(&dom->lock);
	if (dom->state == PV_DOM_BUILT || dom->state == PV_DOM_RUNNING) {
		first = true;
		dom->reason = reason;
		dom->code = code;
		dom->detail = detail;
		dom->fault_rip = rip;
		atomic_store_release(&dom->state, (u32)PV_DOM_SHUTDOWN);
	}
	spin_unlock(&dom->lock);
	sched_domain_stop(dom);
	if (!first)
		return;
	trace(TRACE_DOMAIN, dom->self.slot, PV_DOM_SHUTDOWN);
	console_flush(dom);
	report(dom);
	if (domain_is_root(dom))
		root_domain_died(dom);
	domain_notify_parent(parent_of(dom));
	console_notify();
}

/* ---- what it tells about itself ---- */

static u32 visible_state(const struct domain *dom)
{
	if (dom->state == PV_DOM_RUNNING && dom->pause_count)
		return PV_DOM_PAUSED;
	return dom->state;
}

u64 domain_hypercalls(const struct domain *dom)
{
	u64 total = 0;

	for (u32 i = 0; i < dom->max_vcpus; i++) {
		const struct vcpu *v = atomic_load_acquire(&dom->vcpus[i]);

		if (v)
			total += atomic_load_relaxed(&v->hypercalls);
	}
	return total;
}

void domain_status(struct domain *dom, struct pv_dom_status *out)
{
	memset(out, 0, sizeof(*out));
	spin_lock(&dom->lock);
	memcpy(out->name, dom->name, sizeof(out->name));
	out->id = dom->self.slot;
	out->state = visible_state(dom);
	out->reason = dom->reason;
	out->pause_count = dom->pause_count;
	out->code = dom->code;
	out->detail = dom->detail;
	out->fault_rip = dom->fault_rip;
	out->weight = dom->weight;
	out->cap = dom->cap;
	for (u32 i = 0; i < dom->max_vcpus; i++) {
		struct vcpu *v = dom->vcpus[i];
		u64 run_ns, steal_ns;

		if (!v)
			continue;
		sched_times(v, &run_ns, &steal_ns);
		out->vcpus++;
		out->run_ns += run_ns;
		out->steal_ns += steal_ns;
	}
	spin_lock(&dom->mm.lock);
	out->mem_quota = dom->mm.mem_quota;
	out->mem_used = dom->mm.mem_used;
	out->kmem_quota = dom->mm.kmem_quota;
	out->kmem_used = dom->mm.kmem_used;
	out->audit_findings = (u32)dom->mm.audit_findings;
	spin_unlock(&dom->mm.lock);
	spin_unlock(&dom->lock);
	out->hypercalls = domain_hypercalls(dom);
	out->faults = dom->faults;
	out->fills = dom->fills;
}
