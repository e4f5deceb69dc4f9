// SPDX-License-Identifier: BSD-2-Clause
/*
 * model_port.c - PORT_CTL and PORT_SEND.
 */
#include "model.h"

/* ---- telling ---- */

i64 m_raise(struct model *m, struct m_dom *dom, u32 port)
{
	struct m_frame *page = m_frame(m, dom, dom->port_page);
	u32 vcpu = dom->ports[port].vcpu;
	u64 bit = 1ull << port;

	if (!page || !dom->vcpus[vcpu].exists)
		return 0;
	if (page->word[0] & bit)
		return 1;
	page->word[0] |= bit;
	if (page->mask & bit)
		return 0;
	m_vcs(m, dom, &dom->vcpus[vcpu])->word[5] |= 1;
	m_post(m, dom, vcpu, PV_VEC_PORTS);
	return 0;
}

void m_tell_virq(struct model *m, struct m_dom *dom, u32 virq)
{
	if (dom && dom->virq[virq])
		(void)m_raise(m, dom, dom->virq[virq]);
}

void m_tell_log(struct model *m)
{
	for (u32 i = 0; i < M_DOMS; i++)
		if (m->doms[i].serial)
			m_tell_virq(m, &m->doms[i], PV_VIRQ_LOG);
}

void model_mask(struct model *m, u32 dom, u32 ports)
{
	struct m_frame *page = m_frame(m, &m->doms[dom], m->doms[dom].port_page);

	if (page)
		page->mask = ports;
}

void m_port_close(struct model *m, struct m_dom *dom, u32 port)
{
	struct m_port *p = &dom->ports[port], was = *p;
	struct m_dom *peer = m_dom_by(m, was.peer);

	*p = (struct m_port){ .state = PV_PORT_FREE };
	if (was.state == PV_PORT_VIRQ)
		dom->virq[was.line] = 0;
	if (was.state == PV_PORT_IRQ)
		m->line_bound[was.line] = false;
	if (was.state != PV_PORT_INTERDOMAIN || !peer)
		return;
	peer->ports[was.peer_port].state = PV_PORT_CLOSED_PEER;
	peer->ports[was.peer_port].peer = 0;
	(void)m_raise(m, peer, was.peer_port);
}

/* ---- PORT_CTL ---- */

static u32 find(struct m_dom *dom, u64 port, struct m_port **p)
{
	*p = NULL;
	if (port >= PV_MAX_PORTS)
		return E(ERANGE);
	if (port >= M_PORTS || dom->ports[port].state == PV_PORT_FREE)
		return E(ENOENT);
	*p = &dom->ports[port];
	return 0;
}

static u32 find_unbound(struct m_dom *dom, u64 port, struct m_port **p)
{
	u32 errs = find(dom, port, p);

	return errs ? errs : (*p)->state == PV_PORT_UNBOUND ? 0 : E(EBUSY);
}

static u32 find_single(struct m_dom *dom, u64 port, struct m_port **p)
{
	u32 errs = find(dom, port, p);

	return errs || (*p)->state != PV_PORT_CLOSED_PEER ? find_unbound(dom, port, p) : 0;
}

static const char *alloc(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	struct m_dom *dom;
	u32 errs = a[1] || a[3] || a[4] ? E(EINVAL) : 0;

	errs |= m_need_dom(m, me, a[2], PV_RIGHT_DOM_PORT, &dom);
	if (errs)
		return m_expect(errs, r, 0, 0);
	if (r == -PV_ENOMEM && !m_enough(dom))
		return NULL;
	if (r < 0 || r >= M_PORTS || dom->ports[r].state != PV_PORT_FREE)
		return "a free port";
	dom->ports[r] = (struct m_port){ .state = PV_PORT_UNBOUND };
	return NULL;
}

static const char *connect(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	struct m_dom *da, *db;
	struct m_port *pa, *pb;
	u32 errs = a[1] >= PV_MAX_PORTS || a[4] >= PV_MAX_PORTS ? E(ERANGE) : 0;
	const char *wrong;

	errs |= m_need_dom(m, me, a[2], PV_RIGHT_DOM_PORT, &da);
	errs |= m_need_dom(m, me, a[3], PV_RIGHT_DOM_PORT, &db);
	if (!errs && da == db && a[1] == a[4])
		errs |= E(EINVAL);
	if (!errs)
		errs |= find_single(da, a[1], &pa) | find_single(db, a[4], &pb);
	wrong = m_expect(errs, r, 0, 0);
	if (wrong || errs)
		return wrong;
	pa->state = pb->state = PV_PORT_INTERDOMAIN;
	pa->peer = db->serial;
	pa->peer_port = (u32)a[4];
	pb->peer = da->serial;
	pb->peer_port = (u32)a[1];
	return NULL;
}

static const char *bind_virq(struct m_dom *me, const u64 *a, i64 r)
{
	u64 virq = a[2];
	struct m_port *p;
	u32 errs = virq != PV_VIRQ_LOG && a[3] ? E(EINVAL) : 0;
	const char *wrong;

	errs |= virq > PV_VIRQ_LOG || a[1] >= PV_MAX_PORTS ? E(ERANGE) : 0;
	if (virq == PV_VIRQ_LOG)
		errs |= m_need_host(me, a[3], PV_RIGHT_HOST_LOG);
	if (!errs)
		errs |= find_unbound(me, a[1], &p) | (me->virq[virq] ? E(EBUSY) : 0);
	wrong = m_expect(errs, r, 0, 0);
	if (wrong || errs)
		return wrong;
	p->state = PV_PORT_VIRQ;
	p->line = (u32)virq;
	me->virq[virq] = (u32)a[1];
	return NULL;
}

static const char *bind_irq(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	struct m_cap cap;
	struct m_port *p;
	u32 errs = m_need(me, a[2], PV_CAP_IRQ, PV_RIGHT_IRQ_BIND, &cap) |
		   (a[1] >= PV_MAX_PORTS ? E(ERANGE) : 0);
	const char *wrong;

	if (!errs)
		errs |= find_unbound(me, a[1], &p) | (m->line_bound[cap.object] ? E(EBUSY) : 0);
	wrong = m_expect(errs, r, 0, 0);
	if (wrong || errs)
		return wrong;
	p->state = PV_PORT_IRQ;
	p->line = cap.object;
	m->line_bound[cap.object] = true;
	return NULL;
}

static const char *move(struct m_dom *me, const u64 *a, i64 r)
{
	struct m_port *p;
	u32 errs = find(me, a[1], &p) | (a[2] >= me->max_vcpus ? E(ERANGE) : 0);
	const char *wrong;

	if (a[2] >= M_VCPUS || !me->vcpus[a[2]].exists)
		errs |= E(ENOENT);
	wrong = m_expect(errs, r, 0, 0);
	if (!wrong && !errs)
		p->vcpu = (u32)a[2];
	return wrong;
}

static const char *port_ctl(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	struct m_port *p;
	const char *wrong;
	i64 state;
	u32 errs;

	switch (a[0]) {
	case PV_PORT_CTL_ALLOC:
		return alloc(m, me, a, r);
	case PV_PORT_CTL_CONNECT:
		return connect(m, me, a, r);
	case PV_PORT_CTL_BIND_VIRQ:
		return bind_virq(me, a, r);
	case PV_PORT_CTL_BIND_IRQ:
		return bind_irq(m, me, a, r);
	case PV_PORT_CTL_MOVE:
		return move(me, a, r);
	}
	errs = find(me, a[1], &p);
	if (a[0] == PV_PORT_CTL_STATUS) {
		state = p ? (i64)(p->state | p->vcpu << 8) : PV_PORT_FREE;
		return m_expect(errs & E(ERANGE), r, state, state);
	}
	if (a[0] == PV_PORT_CTL_EOI && p && p->state != PV_PORT_IRQ)
		errs |= E(ESTATE);
	wrong = m_expect(errs, r, 0, 0);
	if (!wrong && !errs && a[0] == PV_PORT_CTL_CLOSE)
		m_port_close(m, me, (u32)a[1]);
	return wrong;
}

static const char *port_send(struct model *m, struct m_dom *me, u64 port, i64 r)
{
	struct m_port *p;
	u32 errs = find(me, port, &p);
	i64 was;

	if (p && p->state == PV_PORT_CLOSED_PEER)
		errs |= E(EDEAD);
	else if (p && p->state != PV_PORT_INTERDOMAIN)
		errs |= E(ESTATE);
	if (errs)
		return m_expect(errs, r, 0, 0);
	was = m_raise(m, m_dom_by(m, p->peer), p->peer_port);
	return m_expect(0, r, was, was);
}

const char *m_call_port(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom];

	return c->nr == PV_HC_PORT_CTL ? port_ctl(m, me, c->a, r) : port_send(m, me, c->a[0], r);
}
