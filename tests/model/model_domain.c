// SPDX-License-Identifier: BSD-2-Clause
/*
 * model_domain.c - DOM_CREATE, DOM_CTL, SCHED_CTL: the life of domains.
 */
#include "model.h"

#include <string.h>

/* ---- creation ---- */

static bool name_is_valid(const unsigned char *name)
{
	u32 len = 0;

	for (; len < PV_NAME_LEN && name[len]; len++)
		if (name[len] <= ' ' || name[len] > '~')
			return false;
	return len && len < PV_NAME_LEN;
}

static bool affinity_is_valid(const struct model *m, u64 mask)
{
	return !mask || mask & ((1ull << m->cpus) - 1);
}

static u32 check_parameters(const struct model *m, const struct pv_dom_create *p)
{
	u32 errs = 0;

	if (!name_is_valid(p->name) || p->kind > PV_KIND_WALKED || p->reserved[0] || p->reserved[1])
		errs |= E(EINVAL);
	if (p->flags && (p->flags != PV_CREATE_FUSED || p->kind != PV_KIND_WALKED))
		errs |= E(EINVAL);
	if (!p->mem_pages || p->mem_pages > PV_MAX_GFN || p->kmem_pages < 32 || p->kmem_pages > PV_MAX_GFN)
		errs |= E(ERANGE);
	if (!p->max_vcpus || p->max_vcpus > PV_MAX_VCPUS || !p->weight || p->weight > 65535)
		errs |= E(ERANGE);
	if (p->cap > 100 * m->cpus || !affinity_is_valid(m, p->affinity))
		errs |= E(ERANGE);
	return errs;
}

static void fresh(struct model *m, struct m_dom *dom, u32 parent, const struct pv_dom_create *p)
{
	*dom = (struct m_dom){
		.serial = ++m->last_serial, .parent = parent, .kind = p->kind, .flags = p->flags, .state = PV_DOM_BUILT,
		.quota = p->mem_pages, .kmem = p->kmem_pages, .max_vcpus = p->max_vcpus, .weight = p->weight,
		.cap = p->cap, .affinity = p->affinity, .port_page = -1, .dummy = ~0ull,
	};
	for (u32 i = 0; i < M_VCPUS; i++)
		dom->vcpus[i].vcs = -1;
}

static const char *create(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom], *dom = m->doms;
	const struct pv_dom_create *p = &c->batch.create;
	struct m_cap cap = { PV_CAP_DOMAIN, PV_RIGHT_DOM_ALL, 0, m->last_serial + 1 };
	u32 errs = m_need_host(me, c->a[0], PV_RIGHT_HOST_CREATE);
	const char *wrong;

	errs |= m_has_vcs(&me->vcpus[c->vcpu]) ? check_parameters(m, p) : E(ESTATE);
	if (!errs && p->mem_pages + p->kmem_pages > me->quota - me->used)
		errs |= E(ENOMEM);
	if (errs)
		return m_expect(errs, r, 0, 0);
	wrong = m_new_handle(me, &cap, r);
	if (wrong || r < 0)
		return wrong;
	while (dom->serial)
		dom++; /* the tests see to it that there is one */
	me->quota -= p->mem_pages + p->kmem_pages;
	fresh(m, dom, me->serial, p);
	return NULL;
}

/* ---- the end ---- */

void m_destroy(struct model *m, struct m_dom *dom)
{
	u32 serial = dom->serial;
	struct m_dom *heir = m_dom_by(m, dom->parent);

	for (u32 i = 0; i < M_PORTS; i++)
		if (dom->ports[i].state != PV_PORT_FREE)
			m_port_close(m, dom, i);
	for (u32 i = 0; i < M_GRANTS; i++) {
		struct m_grant *g = &m->grants[i];

		for (u32 u = 0; u < M_USES; u++)
			if (g->serial && g->uses[u].serial && g->uses[u].holder == serial)
				g->uses[u].serial = 0;
		if (g->serial && g->owner == serial)
			m_grant_end(m, g);
	}
	for (u32 i = 0; i < M_GFNS; i++)
		if (dom->gfns[i].kind == M_PRIVATE)
			m->frames[dom->gfns[i].frame].used = false;
	for (u32 i = 0; i < M_DOMS; i++)
		if (m->doms[i].serial && m->doms[i].parent == serial)
			m->doms[i].parent = m->doms[M_ROOT].serial;
	heir = heir ? heir : &m->doms[M_ROOT];
	heir->quota += dom->quota + dom->kmem;
	memset(dom, 0, sizeof(*dom));
	m_tell_virq(m, heir, PV_VIRQ_CHILD);
}

/* PV_SELF, the caller's own domain by another handle, and for DESTROY the root domain. */
static u32 not_own(struct model *m, struct m_dom *me, const u64 *a, struct m_dom **dom)
{
	u32 errs = a[1] == PV_SELF || a[2] ? E(EINVAL) : 0;

	errs |= m_need_dom(m, me, a[1], PV_RIGHT_DOM_CTL, dom);
	if (!errs && (*dom == me || (a[0] == PV_DOM_CTL_DESTROY && *dom == &m->doms[M_ROOT])))
		errs |= E(EINVAL);
	return errs;
}

static const char *destroy(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	struct m_dom *dom;
	u32 errs = not_own(m, me, a, &dom);
	const char *wrong = m_expect(errs, r, 0, 0);

	if (wrong || errs)
		return wrong;
	m_destroy(m, dom);
	m_cap_by(me, a[1])->type = PV_CAP_NONE;
	return NULL;
}

/* ---- stopping and going on ---- */

static const char *pause_it(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	struct m_dom *dom;
	u32 errs = not_own(m, me, a, &dom);
	const char *wrong;

	if (!errs && dom->state == PV_DOM_SHUTDOWN)
		errs |= E(ESTATE);
	wrong = m_expect(errs, r, 0, 0);
	if (wrong || errs)
		return wrong;
	dom->pauses++;
	m_tell_virq(m, m_dom_by(m, dom->parent), PV_VIRQ_CHILD);
	return NULL;
}

static const char *unpause(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	struct m_dom *dom;
	u32 errs = not_own(m, me, a, &dom);
	const char *wrong;

	if (!errs && (dom->state == PV_DOM_SHUTDOWN || (dom->state == PV_DOM_RUNNING && !dom->pauses) ||
		      (dom->state == PV_DOM_BUILT && dom->pauses <= 1 && !dom->vcpus[0].exists)))
		errs |= E(ESTATE);
	wrong = m_expect(errs, r, 0, 0);
	if (wrong || errs)
		return wrong;
	if (dom->pauses)
		dom->pauses--;
	if (dom->pauses)
		return NULL;
	if (dom->state == PV_DOM_BUILT) {
		dom->state = PV_DOM_RUNNING;
		if (dom->vcpus[0].run == M_STOPPED)
			dom->vcpus[0].run = M_READY;
	}
	m_tell_virq(m, m_dom_by(m, dom->parent), PV_VIRQ_CHILD);
	return NULL;
}

static const char *status(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom], *dom;
	u32 errs = c->a[2] ? E(EINVAL) : 0;

	errs |= m_need_dom(m, me, c->a[1], PV_RIGHT_DOM_STATUS, &dom);
	if (!m_has_vcs(&me->vcpus[c->vcpu]))
		errs |= E(ESTATE);
	return m_expect(errs, r, 0, 0);
}

static const char *shutdown(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	u64 reason = a[2] >> 32;
	u32 errs = a[1] != PV_SELF || reason < PV_REASON_POWEROFF || reason > PV_REASON_HALT ? E(EINVAL) : 0;
	const char *wrong = m_expect(errs, r, 0, 0);

	if (wrong || errs)
		return wrong;
	me->state = PV_DOM_SHUTDOWN;
	me->reason = (u32)reason;
	me->code = a[2] & 0xffffffff;
	m_tell_virq(m, m_dom_by(m, me->parent), PV_VIRQ_CHILD);
	m_tell_log(m);
	return NULL;
}

static const char *sched_ctl(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	u64 value = a[2];
	struct m_dom *dom;
	u32 errs = m_need_dom(m, me, a[1], PV_RIGHT_DOM_CTL, &dom);
	bool ok = a[0] == PV_SCHED_CTL_SET_WEIGHT ? value && value <= 65535 :
		  a[0] == PV_SCHED_CTL_SET_CAP	  ? value <= 100 * m->cpus :
						    affinity_is_valid(m, value);
	const char *wrong;

	errs |= ok ? 0 : E(ERANGE);
	if (dom && me != &m->doms[M_ROOT] && dom->parent != me->serial)
		errs |= E(EPERM);
	wrong = m_expect(errs, r, 0, 0);
	if (wrong || errs)
		return wrong;
	if (a[0] == PV_SCHED_CTL_SET_WEIGHT)
		dom->weight = (u32)value;
	else if (a[0] == PV_SCHED_CTL_SET_CAP)
		dom->cap = (u32)value;
	else
		dom->affinity = value;
	return NULL;
}

const char *m_call_domain(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom];

	if (c->nr == PV_HC_DOM_CREATE)
		return create(m, c, r);
	if (c->nr == PV_HC_SCHED_CTL)
		return sched_ctl(m, me, c->a, r);
	switch (c->a[0]) {
	case PV_DOM_CTL_PAUSE:
		return pause_it(m, me, c->a, r);
	case PV_DOM_CTL_UNPAUSE:
		return unpause(m, me, c->a, r);
	case PV_DOM_CTL_DESTROY:
		return destroy(m, me, c->a, r);
	case PV_DOM_CTL_STATUS:
		return status(m, c, r);
	}
	return shutdown(m, me, c->a, r);
}
