// SPDX-License-Identifier: BSD-2-Clause
/*
 * model_cap.c - CAP_CTL; the machine: INFO, CONSOLE_WRITE, HOST_CTL.
 */
#include "model.h"

/* ---- CAP_CTL ---- */

static bool object_is_dead(struct model *m, const struct m_cap *cap)
{
	if (cap->type == PV_CAP_DOMAIN)
		return !m_dom_by(m, cap->object);
	if (cap->type != PV_CAP_GRANT)
		return false;
	for (u32 i = 0; i < M_GRANTS; i++)
		if (m->grants[i].serial == cap->object)
			return false;
	return true;
}

static const char *copy(struct model *m, struct m_dom *me, u64 handle, u64 dom, u64 rights, i64 r)
{
	struct m_cap *held = m_cap_by(me, handle), cap, to;
	struct m_dom *dst = NULL;
	u32 errs = !rights || rights >> 32 ? E(EINVAL) : 0;

	errs |= m_need(me, dom, PV_CAP_DOMAIN, PV_RIGHT_DOM_CAPS, &to);
	if (handle == PV_SELF)
		cap = (struct m_cap){ PV_CAP_DOMAIN, PV_RIGHT_DOM_ALL, 0, me->serial };
	else if (held)
		cap = *held;
	else
		return m_expect(errs | E(ECAP), r, 0, 0);
	if (rights & ~(u64)cap.rights)
		errs |= E(EPERM);
	if (errs)
		return m_expect(errs, r, 0, 0);
	dst = m_dom_by(m, to.object);
	if (!dst || object_is_dead(m, &cap))
		return m_expect(E(EDEAD), r, 0, 0);
	cap.rights = (u32)rights;
	return m_new_handle(dst, &cap, r);
}

const char *m_call_cap(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom];
	struct m_cap *cap = m_cap_by(me, c->a[1]);
	const char *wrong;
	u32 errs = 0;

	if (c->a[0] == PV_CAP_CTL_COPY)
		return copy(m, me, c->a[1], c->a[2], c->a[3], r);
	if (c->a[2] || c->a[3] || (c->a[0] == PV_CAP_CTL_DROP && c->a[1] == PV_SELF))
		errs |= E(EINVAL);
	if (!cap && c->a[1] != PV_SELF)
		errs |= E(ECAP);
	if (c->a[0] == PV_CAP_CTL_INSPECT) {
		i64 is = cap ? (i64)cap->type << 32 | cap->rights :
			       (i64)PV_CAP_DOMAIN << 32 | PV_RIGHT_DOM_ALL;

		return m_expect(errs, r, is, is);
	}
	wrong = m_expect(errs, r, 0, 0);
	if (!wrong && !errs)
		cap->type = PV_CAP_NONE; /* the handle is remembered: it must not come back */
	return wrong;
}

/* ---- the machine ---- */

static const char *info(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom];
	u64 leaf = c->a[0], handle = c->a[1];
	u32 errs = leaf != PV_INFO_COUNTERS && handle ? E(EINVAL) : 0;

	if (leaf == PV_INFO_COUNTERS)
		errs |= m_need_host(me, handle, PV_RIGHT_HOST_TRACE);
	if (leaf >= PV_INFO_SYSTEM && !m_has_vcs(&me->vcpus[c->vcpu]))
		errs |= E(ESTATE);
	if (leaf == PV_INFO_VERSION)
		return m_expect(errs, r, PV_ABI_MAJOR << 16 | PV_ABI_MINOR, PV_ABI_MAJOR << 16 | PV_ABI_MINOR);
	if (leaf == PV_INFO_FEATURES && me->flags & PV_CREATE_FUSED)
		return m_expect(errs, r, PV_FEAT_FUSED, PV_FEAT_FUSED | 7);
	return m_expect(errs, r, 0, leaf == PV_INFO_FEATURES ? 7 : 0);
}

static const char *console_write(struct model *m, const struct m_call *c, i64 r)
{
	u64 len = c->a[0];
	u32 errs = !len || len > PV_CONSOLE_MAX ? E(EINVAL) : 0;
	const char *wrong;

	if (!m_has_vcs(&m->doms[c->dom].vcpus[c->vcpu]))
		errs |= E(ESTATE);
	if (!errs && r == -PV_EAGAIN)
		return NULL; /* its rate is not modelled */
	wrong = m_expect(errs, r, 1, (i64)len);
	if (!wrong && !errs)
		m_tell_log(m);
	return wrong;
}

/* A capability exists, or the line is still bound. */
static bool line_taken(const struct model *m, u64 line)
{
	for (u32 d = 0; d < M_DOMS; d++)
		for (u32 i = 0; m->doms[d].serial && i < M_CAPS; i++)
			if (m->doms[d].caps[i].type == PV_CAP_IRQ && m->doms[d].caps[i].object == line)
				return true;
	return m->line_bound[line];
}

static const char *irq_cap(struct model *m, struct m_dom *me, u32 errs, u64 line, i64 r)
{
	struct m_cap cap = { PV_CAP_IRQ, PV_RIGHT_IRQ_BIND, 0, (u32)line };

	errs |= line >= M_LINES ? E(ERANGE) : 0;
	if (!errs && line_taken(m, line))
		errs |= E(EBUSY);
	return errs ? m_expect(errs, r, 0, 0) : m_new_handle(me, &cap, r);
}

static u32 ports_taken(const struct model *m, const struct m_dom *dom, u64 first, u64 count)
{
	bool full = true;

	for (u32 d = 0; d < M_DOMS; d++) {
		const struct m_dom *other = &m->doms[d];

		for (u32 i = 0; other->serial && i < 4; i++) {
			if (other == dom)
				full = full && other->io_count[i];
			else if (first < other->io_first[i] + (u64)other->io_count[i] &&
				 other->io_first[i] < first + count)
				return E(EBUSY);
		}
	}
	return full ? E(ENOSPC) : 0;
}

static const char *ioports(struct model *m, struct m_dom *me, u32 errs, const u64 *a, i64 r)
{
	u64 first = a[3], count = a[4];
	struct m_dom *dom;
	const char *wrong;

	errs |= !count ? E(EINVAL) : 0;
	if (first > 0xffff || count > 64 || first + count > 0x10000)
		errs |= E(ERANGE);
	errs |= m_need_dom(m, me, a[2], PV_RIGHT_DOM_CTL, &dom);
	if (!errs)
		errs |= ports_taken(m, dom, first, count);
	wrong = m_expect(errs, r, 0, 0);
	for (u32 i = 0; !wrong && !errs && i < 4; i++) {
		if (dom->io_count[i])
			continue;
		dom->io_first[i] = (u32)first;
		dom->io_count[i] = (u32)count;
		break;
	}
	return wrong;
}

static const char *host_ctl(struct model *m, const struct m_call *c, i64 r)
{
	static const u32 right[] = { PV_RIGHT_HOST_POWER, PV_RIGHT_HOST_POWER, PV_RIGHT_HOST_LOG,
				     PV_RIGHT_HOST_DEV,	  PV_RIGHT_HOST_DEV,   PV_RIGHT_HOST_TRACE,
				     PV_RIGHT_HOST_LOG };
	struct m_dom *me = &m->doms[c->dom];
	u64 op = c->a[0], a = c->a[2], b = c->a[3];
	bool batch = m_has_vcs(&me->vcpus[c->vcpu]);
	u32 errs = m_need_host(me, c->a[1], right[op]);
	const char *wrong;

	switch (op) {
	case PV_HOST_CTL_POWEROFF:
		return m_expect(errs | (a > 127 ? E(ERANGE) : 0), r, 0, 0);
	case PV_HOST_CTL_LOG_READ:
		errs |= !b ? E(EINVAL) : b > 2040 ? E(ERANGE) : 0;
		return m_expect(errs | (batch ? 0 : E(ESTATE)), r, 0, (i64)b);
	case PV_HOST_CTL_IRQ_CAP:
		return irq_cap(m, me, errs, a, r);
	case PV_HOST_CTL_IOPORTS:
		return ioports(m, me, errs, c->a, r);
	case PV_HOST_CTL_TRACE_READ:
		return m_expect(errs | (a >= m->cpus ? E(ERANGE) : 0) | (batch ? 0 : E(ESTATE)), r, 0, 64);
	case PV_HOST_CTL_LOG_WRITE:
		errs |= !a ? E(EINVAL) : a > 2048 ? E(ERANGE) : 0;
		errs |= batch ? 0 : E(ESTATE);
		wrong = m_expect(errs, r, (i64)a, (i64)a);
		if (!wrong && !errs)
			m_tell_log(m);
		return wrong;
	}
	return m_expect(errs, r, 0, 0);
}

const char *m_call_host(struct model *m, const struct m_call *c, i64 r)
{
	if (c->nr == PV_HC_INFO)
		return info(m, c, r);
	return c->nr == PV_HC_CONSOLE_WRITE ? console_write(m, c, r) : host_ctl(m, c, r);
}
