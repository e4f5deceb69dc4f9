// SPDX-License-Identifier: BSD-2-Clause
/*
 * compare.c - the abstraction of the kernel's state: every table of the model beside what the kernel has for
 * it. What is not in the model (page tables, queues, kernel memory) is free.
 */
#include "machine_impl.h"

#include "cap.h"
#include "counters.h"
#include "mm_internal.h"
#include "port.h"
#include "vcpu.h"

#include <stdio.h>
#include <string.h>

static char text[240];

static bool differs(u32 dom, const char *what, u64 index, u64 kernel, u64 model)
{
	if (kernel == model)
		return false;
	snprintf(text, sizeof(text), "state: domain %u, %s %llu: kernel %llx, model %llx", dom, what,
		 (unsigned long long)index, (unsigned long long)kernel, (unsigned long long)model);
	return true;
}
#define DIFFERS(what, index, kernel, model) differs(d, what, index, (u64)(kernel), (u64)(model))

static u32 index_of(const struct model *m, u32 serial)
{
	for (u32 i = 0; i < M_DOMS; i++)
		if (serial && m->doms[i].serial == serial)
			return i;
	return M_DOMS;
}

static u64 slot_of(const struct model *m, u32 serial)
{
	u32 i = index_of(m, serial);

	return i == M_DOMS ? 0 : machine_refs[i].slot;
}

/* ---- tables of a domain ---- */

static bool domain_differs(struct model *m, u32 d, const struct domain *dom)
{
	const struct m_dom *is = &m->doms[d];
	u32 vcpus = 0;

	for (u32 i = 0; i < M_VCPUS; i++)
		vcpus += is->vcpus[i].exists;
	return DIFFERS("state", 0, dom->state, is->state) ||
	       DIFFERS("pause count", 0, dom->pause_count, is->pauses) ||
	       DIFFERS("reason", 0, dom->reason, is->reason) || DIFFERS("code", 0, dom->code, is->code) ||
	       DIFFERS("quota", 0, dom->mm.mem_quota, is->quota) ||
	       DIFFERS("frames used", 0, dom->mm.mem_used, is->used) ||
	       DIFFERS("kmem quota", 0, dom->mm.kmem_quota, is->kmem) ||
	       DIFFERS("weight", 0, dom->weight, is->weight) || DIFFERS("cap", 0, dom->cap, is->cap) ||
	       DIFFERS("affinity", 0, dom->affinity, is->affinity) ||
	       DIFFERS("vCPUs", 0, dom->nr_vcpus, vcpus) ||
	       DIFFERS("parent", 0, dom->parent.slot, slot_of(m, is->parent)) ||
	       DIFFERS("virq", 0, dom->virq_port[0], is->virq[0]) ||
	       DIFFERS("virq", 1, dom->virq_port[1], is->virq[1]) ||
	       DIFFERS("port page", 0, dom->port_page ? (i64)dom->port_page_gfn : -1, is->port_page);
}

static bool caps_differ(struct model *m, u32 d, struct domain *dom)
{
	for (u32 i = 0; i < M_CAPS; i++) {
		const struct m_cap *is = &m->doms[d].caps[i];
		struct cap cap = { .type = PV_CAP_NONE };

		if (is->type == PV_CAP_NONE)
			continue;
		if (cap_get(dom, is->handle, &cap))
			cap.type = PV_CAP_NONE;
		if (DIFFERS("type of handle", is->handle, cap.type, is->type) ||
		    DIFFERS("rights of handle", is->handle, cap.rights, is->rights))
			return true;
		if (is->type == PV_CAP_DOMAIN && index_of(m, is->object) != M_DOMS &&
		    DIFFERS("object of handle", is->handle, cap.dom.slot, slot_of(m, is->object)))
			return true;
		if (is->type == PV_CAP_IRQ && DIFFERS("line of handle", is->handle, cap.index, is->object))
			return true;
	}
	return false;
}

static bool ports_differ(struct model *m, u32 d, struct domain *dom)
{
	for (u32 i = 0; i < M_PORTS; i++) {
		const struct m_port *is = &m->doms[d].ports[i];
		const struct port *p = dom->port_pages[0] ? &dom->port_pages[0][i] : NULL;

		if (DIFFERS("port", i, port_status(dom, i), is->state | is->vcpu << 8))
			return true;
		if (is->state == PV_PORT_INTERDOMAIN &&
		    (DIFFERS("peer of port", i, p->peer->owner->self.slot, slot_of(m, is->peer)) ||
		     DIFFERS("peer's port of port", i, p->peer->number, is->peer_port)))
			return true;
	}
	for (u32 i = 0; i < 4; i++)
		if (DIFFERS("I/O ports", i, dom->ioports[i].first, m->doms[d].io_first[i]) ||
		    DIFFERS("I/O ports, count", i, dom->ioports[i].count, m->doms[d].io_count[i]))
			return true;
	return false;
}

/* ---- memory ---- */

static u64 entry_of(struct domain *dom, u64 gfn)
{
	u64 entry;

	spin_lock(&dom->mm.lock);
	entry = gfn_get_locked(dom, gfn);
	spin_unlock(&dom->mm.lock);
	return entry;
}

/* Words that only the kernel and the guest's own calls write are compared with what was posted to the vCPUs
 * whose VCS the frame is: until a vCPU runs its posts wait in the kernel. */
static u64 posted(const struct domain *dom, const void *page, u32 word)
{
	u64 bits = 0;

	for (u32 i = 0; i < M_VCPUS; i++) {
		const struct vcpu *v = dom->vcpus[i];

		if (v && v->vcs == page && word)
			bits |= word == 5 ? v->post_port_sel : v->post[word - 1];
	}
	return bits;
}

static bool page_differs(u32 d, const struct domain *dom, u64 at, const u64 *page, const struct m_frame *is)
{
	for (u32 w = 0; w < 6; w++) {
		u64 hidden = w ? 0 : PV_VCS_IP;

		if (DIFFERS("word 0 to 5 of gfn * 8 +", at * 8 + w, (page[w] | posted(dom, page, w)) & ~hidden,
			    is->word[w] & ~hidden))
			return true;
	}
	return DIFFERS("mask in gfn", at, page[64], is->mask) || DIFFERS("tag in gfn", at, page[511], is->tag);
}

static bool own_frames_differ(struct model *m, u32 d, struct domain *dom, mfn_t *mfns)
{
	for (u32 i = 0; i < M_GFNS; i++) {
		const struct m_gfn *is = &m->doms[d].gfns[i];
		u64 e = entry_of(dom, i);
		const struct frame *f = frame_of(gfn_entry_mfn(e));

		if (DIFFERS("kind of gfn", i, gfn_entry_state(e), is->kind))
			return true;
		if (is->kind != M_PRIVATE)
			continue;
		mfns[is->frame] = gfn_entry_mfn(e);
		if (DIFFERS("grants of gfn", i, f->refs, m->frames[is->frame].grants) ||
		    DIFFERS("pins of gfn", i, f->pins, m->frames[is->frame].pins) ||
		    page_differs(d, dom, i, mfn_ptr(gfn_entry_mfn(e)), &m->frames[is->frame]))
			return true;
	}
	return false;
}

static bool foreign_frames_differ(struct model *m, u32 d, struct domain *dom, const mfn_t *mfns)
{
	for (u32 i = 0; i < M_GFNS; i++) {
		const struct m_gfn *is = &m->doms[d].gfns[i];
		u64 e = entry_of(dom, i);

		if (is->kind == M_GRANTED &&
		    (DIFFERS("frame of gfn", i, gfn_entry_mfn(e), mfns[is->frame]) ||
		     DIFFERS("writing of gfn", i, !!(e & GFN_WRITABLE), is->writable)))
			return true;
		if (is->kind == M_DUMMY && DIFFERS("dummy of gfn", i, gfn_entry_mfn(e), dom->mm.dummy))
			return true;
	}
	return dom->mm.dummy && DIFFERS("tag of the dummy page", 0, ((u64 *)mfn_ptr(dom->mm.dummy))[511],
					m->doms[d].dummy);
}

static u64 mapping_of(const struct domain *dom, vaddr_t va)
{
	const u64 *table = dom->mm.map_root;

	for (u32 shift = 39; table && shift > 12; shift -= 9)
		table = (const u64 *)table[va >> shift & 511];
	return table ? table[va >> 12 & 511] : 0;
}

static bool mappings_differ(struct model *m, u32 d, const struct domain *dom)
{
	for (u32 i = 1; dom->kind == PV_KIND_EXPLICIT && i < M_PAGES; i++) {
		const struct m_page *is = &m->doms[d].pages[i];
		u64 e = mapping_of(dom, i * PAGE_SIZE);
		u32 prot = !e ? 0 :
			   PV_PROT_READ | (e & PTE_W ? PV_PROT_WRITE : 0) | (e & PTE_NX ? 0 : PV_PROT_EXEC);

		if (DIFFERS("rights of page", i, prot, is->prot) ||
		    DIFFERS("gfn of page", i, (e & PTE_ADDR) >> PAGE_SHIFT, is->gfn))
			return true;
	}
	return false;
}

/* ---- vCPUs ---- */

static u32 run_of(const struct vcpu *v)
{
	return v->state == VCPU_STOPPED ? M_STOPPED : v->state == VCPU_BLOCKED ? M_BLOCKED : M_READY;
}

static bool vcpu_differs(struct model *m, u32 d, u32 i, const struct vcpu *v)
{
	const struct m_vcpu *is = &m->doms[d].vcpus[i];
	bool can_run = v && domain_may_run(v->dom) &&
		       (v->state == VCPU_RUNNING || (v->state == VCPU_RUNNABLE && v->queued));

	if (DIFFERS("existence of vCPU", i, v != NULL, is->exists) ||
	    DIFFERS("readiness of vCPU", i, can_run, model_can_run(m, d, i)))
		return true;
	if (!v)
		return false;
	return DIFFERS("run state of vCPU", i, run_of(v), is->run) ||
	       DIFFERS("VCS of vCPU", i, v->vcs_mfn ? (i64)v->vcs_gfn : -1, is->vcs) ||
	       DIFFERS("kick of vCPU", i, v->kicked, is->kicked) ||
	       DIFFERS("timer of vCPU", i, v->timer_deadline, is->timer) ||
	       (is->run == M_BLOCKED && DIFFERS("deadline of vCPU", i, v->wait_deadline, is->deadline)) ||
	       (is->run == M_READY && is->answer >= 0 &&
		DIFFERS("answer of the WAIT of vCPU", i, v->regs.rax, is->answer)) ||
	       (!v->vcs_mfn && page_differs(d, v->dom, 1000 + i, (const u64 *)v->no_vcs, &is->none));
}

/* ---- all ---- */

static u64 sum_of_caps(const struct model *m)
{
	u64 n = 0;

	for (u32 d = 0; d < M_DOMS; d++)
		for (u32 i = 0; m->doms[d].serial && i < M_CAPS; i++)
			n += m->doms[d].caps[i].type != PV_CAP_NONE;
	return n;
}

static bool levels_differ(const struct model *m)
{
	u64 doms = 0, ports = 0, grants = 0, maps = 0, vcpus = 0;
	u32 d = 0;

	for (u32 i = 0; i < M_DOMS; i++) {
		const struct m_dom *dom = &m->doms[i];

		if (!dom->serial)
			continue;
		doms++;
		for (u32 p = 0; p < M_PORTS; p++)
			ports += dom->ports[p].state != PV_PORT_FREE;
		for (u32 v = 0; v < M_VCPUS; v++)
			vcpus += dom->vcpus[v].exists;
	}
	for (u32 i = 0; i < M_GRANTS; i++) {
		grants += m->grants[i].serial != 0;
		for (u32 u = 0; m->grants[i].serial && u < M_USES; u++)
			maps += m->grants[i].uses[u].serial ? m->grants[i].uses[u].left : 0;
	}
	return DIFFERS("level of domains", 0, levels[LVL_DOMAINS], doms) ||
	       DIFFERS("level of vCPUs", 0, levels[LVL_VCPUS], vcpus) ||
	       DIFFERS("level of ports", 0, levels[LVL_PORTS], ports) ||
	       DIFFERS("level of grants", 0, levels[LVL_GRANTS], grants) ||
	       DIFFERS("level of granted frames mapped", 0, levels[LVL_GRANT_MAPS], maps) ||
	       DIFFERS("level of capabilities", 0, levels[LVL_CAPS], sum_of_caps(m));
}

const char *machine_compare(struct model *m)
{
	mfn_t mfns[M_FRAMES] = { 0 };

	for (u32 d = 0; d < M_DOMS; d++) {
		struct domain *dom = machine_domain(d);

		if (!m->doms[d].serial)
			continue;
		if (DIFFERS("existence", 0, dom != NULL, 1))
			return text;
		if (domain_differs(m, d, dom) || caps_differ(m, d, dom) || ports_differ(m, d, dom) ||
		    own_frames_differ(m, d, dom, mfns) || mappings_differ(m, d, dom))
			return text;
		for (u32 i = 0; i < M_VCPUS; i++)
			if (vcpu_differs(m, d, i, dom->vcpus[i]))
				return text;
	}
	for (u32 d = 0; d < M_DOMS; d++)
		if (m->doms[d].serial && foreign_frames_differ(m, d, machine_domain(d), mfns))
			return text;
	return levels_differ(m) ? text : NULL;
}
