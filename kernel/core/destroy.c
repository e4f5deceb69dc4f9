// SPDX-License-Identifier: BSD-2-Clause
/*
 * destroy.c - how a domain ends, in bounded steps that the destroyer repeats.
 *
 *   MARK      it is dying: no lookup succeeds for work from here on; its children go to root
 *   STOP      no CPU runs its vCPUs any more
 *   PORTS     peers are told; interrupt lines are let go
 *   QUIESCE   every CPU has left the kernel since MARK, so nobody holds a pointer from before it, nor
 *             a place that was reserved in its capability table
 *   CAPS      I/O ports, devices (which reach its memory no more) and capabilities are let go
 *   GRANTS    what it granted is revoked, what it mapped is given back
 *   MEMORY    tables and frames
 *   UNLINK    it leaves the slot table and waits among the leaving for another epoch
 *   then      its kernel pages are freed, the quotas go back, the parent is told
 *
 * One CPU works on a domain at a time (destroy_busy); others get EAGAIN. The last stage is reached
 * by slot and generation only, under domain_table_lock, since no pointer may be held any more.
 */
#include "atomic.h"
#include "cap.h"
#include "console.h"
#include "counters.h"
#include "device.h"
#include "domain.h"
#include "domain_impl.h"
#include "grant.h"
#include "nospec.h"
#include "port.h"
#include "sched.h"
#include "tlbflush.h"
#include "trace.h"
#include "vcpu.h"

enum stage { MARK, STOP, PORTS, QUIESCE, CAPS, GRANTS, MEMORY, UNLINK };

static struct domain *leaving[MAX_DOMAINS]; /* domain_table_lock; unlinked, waiting for an epoch */

/* Children keep running; the root domain answers for them from now on. */
static void reparent_children(struct domain *dom)
{
	struct domain_ref root;

	spin_lock(&domain_table_lock);
	root = domains[ROOT_SLOT]->self;
	for (u32 i = ROOT_SLOT; i < MAX_DOMAINS; i++) {
		struct domain *child = domains[i];

		if (child && domain_is_child(child, dom))
			child->parent = root;
		child = leaving[i];
		if (child && domain_is_child(child, dom))
			child->parent = root;
	}
	spin_unlock(&domain_table_lock);
}

static bool stage_mark(struct domain *dom)
{
	spin_lock(&dom->lock);
	atomic_store_release(&dom->state, (u32)PV_DOM_DYING);
	spin_unlock(&dom->lock);
	sched_domain_stop(dom);
	reparent_children(dom);
	console_flush(dom);
	trace(TRACE_DOMAIN, dom->self.slot, PV_DOM_DYING);
	return true;
}

static bool stage_stop(struct domain *dom)
{
	if (domain_runs(dom)) {
		sched_domain_stop(dom);
		return false;
	}
	for (u32 i = 0; i < dom->max_vcpus; i++)
		if (dom->vcpus[i])
			sched_vcpu_exit(dom->vcpus[i]);
	dom->destroy_epoch = epoch_start();
	return true;
}

static bool stage_quiesce(struct domain *dom)
{
	if (!epoch_passed(dom->destroy_epoch))
		return false;
	for (u32 i = 0; i < dom->max_vcpus; i++)
		if (dom->vcpus[i])
			mm_vcpu_exit(dom->vcpus[i]);
	return true;
}

static bool stage_caps(struct domain *dom)
{
	for (u32 i = 0; i < ARRAY_SIZE(dom->ioports); i++)
		dom->ioports[i] = (struct io_range){ 0, 0 };
	device_release_all(dom);
	return cap_destroy_step(dom);
}

static bool stage_unlink(struct domain *dom)
{
	spin_lock(&domain_table_lock);
	leaving[dom->self.slot] = dom;
	atomic_store_release(&domains[dom->self.slot], NULL);
	spin_unlock(&domain_table_lock);
	dom->destroy_epoch = epoch_start();
	return false;
}

/* One step; true if the stage is over. */
static bool run_stage(struct domain *dom)
{
	switch ((enum stage)dom->destroy_stage) {
	case MARK:
		return stage_mark(dom);
	case STOP:
		return stage_stop(dom);
	case PORTS:
		return port_destroy_step(dom);
	case QUIESCE:
		return stage_quiesce(dom);
	case CAPS:
		return stage_caps(dom);
	case GRANTS:
		return grant_destroy_step(dom);
	case MEMORY:
		return mm_destroy_step(dom);
	case UNLINK:
		return stage_unlink(dom);
	}
	return true;
}

/* Unlinked, epoch passed: nobody can reach it but us. */
static void free_pages(struct domain *dom)
{
	struct domain_ref self = dom->self, parent = dom->parent;
	u64 pages = dom->mm.mem_quota + dom->mm.kmem_quota;

	counters_keep_hypercalls(domain_hypercalls(dom));
	for (u32 i = 0; i < dom->max_vcpus; i++)
		if (dom->vcpus[i])
			vcpu_destroy(dom->vcpus[i]);
	port_free_pages(dom);
	for (u32 i = 0; i < ARRAY_SIZE(dom->grant_pages); i++)
		if (dom->grant_pages[i])
			kmem_free(dom, dom->grant_pages[i]);
	ASSERT(dom->mm.kmem_used == 1);
	domain_page_free(dom);
	level_add(LVL_DOMAINS, -1);
	domain_quota_return(parent, pages);
	domain_slot_free(self);
	domain_notify_parent(parent);
}

static int reap(struct domain_ref ref)
{
	struct domain *dom;
	int err = -PV_EDEAD;

	spin_lock(&domain_table_lock);
	dom = leaving[idx_nospec(ref.slot, MAX_DOMAINS)];
	if (dom && dom->self.gen == ref.gen) {
		err = -PV_EAGAIN;
		if (epoch_passed(dom->destroy_epoch)) {
			leaving[ref.slot] = NULL;
			err = 0;
		}
	}
	spin_unlock(&domain_table_lock);
	if (!err)
		free_pages(dom);
	return err;
}

int domain_destroy_step(struct domain_ref ref)
{
	struct domain *dom = domain_lookup(ref);

	if (!dom)
		return reap(ref);
	if (atomic_xchg(&dom->destroy_busy, 1u))
		return -PV_EAGAIN;
	if (run_stage(dom)) {
		dom->destroy_stage++;
		dom->destroy_cursor = 0;
	}
	atomic_store_release(&dom->destroy_busy, 0u); /* still there: this CPU is in the kernel */
	return -PV_EAGAIN;
}
