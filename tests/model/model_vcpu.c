// SPDX-License-Identifier: BSD-2-Clause
/*
 * model_vcpu.c - vCPUs: their states, their pages, waiting, timers and interrupts of their own.
 */
#include "model.h"

/* ---- pages and what is pending in them ---- */

bool m_has_vcs(const struct m_vcpu *v)
{
	return v->vcs >= 0;
}

struct m_frame *m_frame(struct model *m, struct m_dom *dom, i64 gfn)
{
	return gfn < 0 ? NULL : &m->frames[dom->gfns[gfn].frame];
}

struct m_frame *m_vcs(struct model *m, struct m_dom *dom, struct m_vcpu *v)
{
	return m_has_vcs(v) ? m_frame(m, dom, v->vcs) : &v->none;
}

void m_wake(struct m_vcpu *v, i64 answer)
{
	if (v->run != M_BLOCKED)
		return;
	v->run = M_READY;
	v->answer = v->rewritten ? -1 : answer;
	v->deadline = PV_FOREVER;
	v->rewritten = false;
}

void m_post(struct model *m, struct m_dom *dom, u32 vcpu, u32 vector)
{
	struct m_vcpu *v = &dom->vcpus[vcpu];

	m_vcs(m, dom, v)->word[1 + vector / 64] |= 1ull << vector % 64;
	m_wake(v, 0);
}

static bool pending(struct model *m, struct m_dom *dom, struct m_vcpu *v)
{
	const u64 *word = m_vcs(m, dom, v)->word;

	return word[1] | word[2] | word[3] | word[4];
}

bool model_can_run(const struct model *m, u32 dom, u32 vcpu)
{
	const struct m_dom *d = &m->doms[dom];
	const struct m_vcpu *v = &d->vcpus[vcpu];

	return d->serial && d->state == PV_DOM_RUNNING && !d->pauses && v->exists && v->run == M_READY;
}

void model_take(struct model *m, u32 dom, u32 vcpu)
{
	struct m_dom *d = &m->doms[dom];
	struct m_frame *f = m_vcs(m, d, &d->vcpus[vcpu]);

	for (u32 i = 1; i < 6; i++)
		f->word[i] = 0;
	if (d->port_page >= 0)
		m_frame(m, d, d->port_page)->word[0] = 0;
}

void model_set_if(struct model *m, u32 dom, u32 vcpu, bool on)
{
	struct m_dom *d = &m->doms[dom];
	u64 *flags = &m_vcs(m, d, &d->vcpus[vcpu])->word[0];

	*flags = (*flags & ~(u64)PV_VCS_IF) | (on ? PV_VCS_IF : 0);
}

void model_time(struct model *m, u64 ns)
{
	m->now += ns;
	for (u32 d = 0; d < M_DOMS; d++) {
		struct m_dom *dom = &m->doms[d];

		for (u32 i = 0; dom->serial && i < M_VCPUS; i++) {
			struct m_vcpu *v = &dom->vcpus[i];

			if (!v->exists)
				continue;
			if (v->deadline <= m->now)
				m_wake(v, 1);
			if (v->timer > m->now)
				continue;
			v->timer = PV_FOREVER;
			m_post(m, dom, i, PV_VEC_TIMER);
		}
	}
}

/* ---- VCPU_CTL, VCPU_REGS ---- */

/* The vCPU a call names: NULL if there is none of that number. */
static u32 find(struct model *m, struct m_dom *me, const u64 *a, struct m_dom **dom, struct m_vcpu **v)
{
	u32 errs = a[2] >= PV_MAX_VCPUS ? E(ERANGE) : 0;

	*v = NULL;
	errs |= m_need_dom(m, me, a[1], PV_RIGHT_DOM_VCPU, dom);
	if (errs)
		return errs;
	if (a[2] >= (*dom)->max_vcpus)
		return E(ERANGE);
	if (a[2] < M_VCPUS && (*dom)->vcpus[a[2]].exists)
		*v = &(*dom)->vcpus[a[2]];
	return 0;
}

static const char *create(struct m_dom *dom, struct m_vcpu *v, u32 errs, u64 index, i64 r)
{
	const char *wrong;

	if (!errs && dom->state == PV_DOM_SHUTDOWN)
		errs |= E(ESTATE);
	if (!errs && v)
		errs |= E(EEXIST);
	if (!errs && r == -PV_ENOMEM && !m_enough(dom))
		return NULL;
	wrong = m_expect(errs, r, 0, 0);
	if (!wrong && !errs)
		dom->vcpus[index] = (struct m_vcpu){ .exists = true, .vcs = -1, .timer = PV_FOREVER,
						     .deadline = PV_FOREVER, .answer = -1 };
	return wrong;
}

static void stop(struct m_vcpu *v)
{
	m_wake(v, 0);
	v->run = M_STOPPED;
}

static void kick(struct m_vcpu *v)
{
	if (v->run == M_BLOCKED)
		m_wake(v, 0);
	else
		v->kicked = true;
}

static const char *vcpu_ctl(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom], *dom;
	const u64 *a = c->a;
	struct m_vcpu *v;
	const char *wrong;
	u32 errs;

	if (a[0] == PV_VCPU_CTL_YIELD)
		return m_expect(a[1] || a[2] || a[3] ? E(EINVAL) : 0, r, 0, 0);
	errs = find(m, me, a, &dom, &v);
	if ((a[0] == PV_VCPU_CTL_CREATE || a[0] == PV_VCPU_CTL_START) && a[3])
		errs |= E(EINVAL);
	if (a[0] == PV_VCPU_CTL_CREATE)
		return create(dom, v, errs, a[2], r);
	if (!errs && a[0] == PV_VCPU_CTL_STATUS && !m_has_vcs(&me->vcpus[c->vcpu]))
		errs |= E(ESTATE);
	if (!errs && !v)
		errs |= E(ENOENT);
	if (!errs && a[0] == PV_VCPU_CTL_START && (v->run != M_STOPPED || dom->state == PV_DOM_SHUTDOWN))
		errs |= E(ESTATE);
	wrong = m_expect(errs, r, 0, 0);
	if (wrong || errs)
		return wrong;
	if (a[0] == PV_VCPU_CTL_START)
		v->run = M_READY;
	else if (a[0] == PV_VCPU_CTL_STOP)
		stop(v);
	else if (a[0] == PV_VCPU_CTL_KICK)
		kick(v);
	return NULL;
}

static bool address_is_valid(u64 va)
{
	return (u64)((i64)(va << 16) >> 16) == va && (va < PV_HOLE_START || va >= PV_HOLE_END);
}

static const char *vcpu_regs(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom], *dom;
	const struct pv_vcpu_gpr *gpr = &c->batch.gpr;
	bool set = c->a[0] == PV_VCPU_REGS_SET, batch = m_has_vcs(&me->vcpus[c->vcpu]);
	struct m_vcpu *v;
	u32 errs = find(m, me, c->a, &dom, &v);
	const char *wrong;

	if (set && batch && (!address_is_valid(gpr->rip) || gpr->mode || gpr->reserved))
		errs |= E(EINVAL);
	if (!batch)
		errs |= E(ESTATE);
	if (!errs && !v)
		errs |= E(ENOENT);
	if (!errs && (v == &me->vcpus[c->vcpu] ||
		      (v->run != M_STOPPED && dom->state == PV_DOM_RUNNING && !dom->pauses)))
		errs |= E(ESTATE);
	wrong = m_expect(errs, r, 0, 0);
	if (!wrong && !errs && set) {
		v->rip = gpr->rip;
		v->rbx = gpr->rbx;
		v->answer = -1;
		v->rewritten = v->run == M_BLOCKED;
	}
	return wrong;
}

/* ---- VCPU_SETUP ---- */

static u32 registrable(struct m_dom *me, u64 gfn)
{
	if (gfn > PV_MAX_GFN)
		return E(ERANGE);
	return gfn >= M_GFNS || me->gfns[gfn].kind != M_PRIVATE ? E(EFAULT) : 0;
}

static const char *set_vcs(struct model *m, struct m_dom *me, struct m_vcpu *v, u64 gfn, i64 r)
{
	u32 errs = registrable(me, gfn);
	const char *wrong = m_expect(errs, r, 0, 0);
	struct m_frame *from, *to;

	if (wrong || errs)
		return wrong;
	from = m_vcs(m, me, v);
	to = m_frame(m, me, (i64)gfn);
	for (u32 i = 1; i < 6; i++)
		to->word[i] |= from->word[i]; /* nothing that was posted is lost */
	to->pins++;
	if (m_has_vcs(v))
		from->pins--;
	else
		v->none = (struct m_frame){ .used = false };
	v->vcs = (i64)gfn;
	return NULL;
}

static const char *vcpu_setup(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom];
	struct m_vcpu *v = &me->vcpus[c->vcpu];
	const char *wrong;
	u32 errs;

	switch (c->a[0]) {
	case PV_VCPU_SETUP_SET_VCS:
		return set_vcs(m, me, v, c->a[1], r);
	case PV_VCPU_SETUP_SET_ENTRY: /* of zeros: no events are delivered in these tests */
		return m_expect((c->a[1] ? E(EINVAL) : 0) | (m_has_vcs(v) ? 0 : E(ESTATE)), r, 0, 0);
	case PV_VCPU_SETUP_SET_KERNEL_GS:
		return m_expect(address_is_valid(c->a[1]) ? 0 : E(EINVAL), r, 0, 0);
	}
	errs = registrable(me, c->a[1]) | (me->port_page >= 0 ? E(EBUSY) : 0);
	wrong = m_expect(errs, r, 0, 0);
	if (wrong || errs)
		return wrong;
	me->port_page = (i64)c->a[1];
	m_frame(m, me, me->port_page)->pins++;
	return NULL;
}

/* ---- waiting and being told ---- */

static const char *wait(struct model *m, struct m_dom *me, struct m_vcpu *v, const u64 *a, i64 r)
{
	u32 errs = (a[0] & ~(u64)PV_WAIT_ENABLE ? E(EINVAL) : 0) | (m_has_vcs(v) ? 0 : E(ESTATE));

	if (errs)
		return m_expect(errs, r, 0, 0);
	if (a[0] & PV_WAIT_ENABLE)
		m_vcs(m, me, v)->word[0] |= PV_VCS_IF;
	if (pending(m, me, v))
		return m_expect(0, r, 0, 0);
	if (v->kicked) {
		v->kicked = false;
		return m_expect(0, r, 0, 0);
	}
	if (a[1] != PV_FOREVER && a[1] <= m->now)
		return m_expect(0, r, 1, 1);
	v->run = M_BLOCKED;
	v->deadline = a[1];
	return NULL; /* it has not returned */
}

static const char *send_ipi(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	u64 mask = a[0];
	u32 errs = (mask ? 0 : E(EINVAL)) | (a[1] < PV_VEC_IPI_MIN || a[1] > 255 ? E(ERANGE) : 0);
	const char *wrong;

	for (u32 i = 0; i < 64; i++)
		if (mask >> i & 1 && (i >= M_VCPUS || !me->vcpus[i].exists))
			errs |= E(ENOENT);
	wrong = m_expect(errs, r, 0, 0);
	for (u32 i = 0; !wrong && !errs && i < M_VCPUS; i++)
		if (mask >> i & 1)
			m_post(m, me, i, (u32)a[1]);
	return wrong;
}

static const char *timer_set(struct model *m, struct m_dom *me, u32 vcpu, u64 deadline, i64 r)
{
	struct m_vcpu *v = &me->vcpus[vcpu];

	v->timer = deadline;
	if (deadline <= m->now) {
		v->timer = PV_FOREVER;
		m_post(m, me, vcpu, PV_VEC_TIMER);
	}
	return m_expect(0, r, 0, 0);
}

const char *m_call_vcpu(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom];
	struct m_vcpu *v = &me->vcpus[c->vcpu];

	switch (c->nr) {
	case PV_HC_VCPU_CTL:
		return vcpu_ctl(m, c, r);
	case PV_HC_VCPU_REGS:
		return vcpu_regs(m, c, r);
	case PV_HC_VCPU_SETUP:
		return vcpu_setup(m, c, r);
	case PV_HC_WAIT:
		return wait(m, me, v, c->a, r);
	case PV_HC_TIMER_SET:
		return timer_set(m, me, c->vcpu, c->a[0], r);
	case PV_HC_SEND_IPI:
		return send_ipi(m, me, c->a, r);
	}
	/* IRQ_WIN */
	return m_expect(m_has_vcs(v) && m_vcs(m, me, v)->word[0] & PV_VCS_IF ? 0 : E(ESTATE), r, 0, 0);
}
