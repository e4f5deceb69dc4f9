// SPDX-License-Identifier: BSD-2-Clause
/*
 * gen.c - random steps that mostly mean something: handles that exist, frames that are there, and now and then
 * a stale handle or a number at a boundary.
 */
#include "step.h"

#include <string.h>

u64 random_next(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state * 0x2545f4914f6cdd1dull;
}

u64 random_below(struct random *r, u64 n)
{
	return (random_next(r) >> 33) % n;
}

static bool percent(struct random *r, u32 p)
{
	return random_below(r, 100) < p;
}

#define ONE_OF(r, ...)                                                                             \
	({                                                                                         \
		static const u64 list_[] = { __VA_ARGS__ };                                        \
		list_[random_below(r, sizeof(list_) / sizeof(list_[0]))];                          \
	})

static struct arg num(u64 value)
{
	return (struct arg){ A_NUMBER, value };
}

/* ---- arguments ---- */

static struct arg some_cap(struct random *r, const struct m_dom *me, u32 type)
{
	u32 start = (u32)random_below(r, M_CAPS);

	for (u32 i = 0; i < M_CAPS; i++) {
		u32 slot = (start + i) % M_CAPS;

		if (me->caps[slot].type == type)
			return (struct arg){ A_CAP, slot };
	}
	return (struct arg){ A_CAP, start };
}

static struct arg handle(struct random *r, const struct m_dom *me, u32 type, bool self)
{
	if (self && percent(r, 45))
		return num(PV_SELF);
	if (percent(r, 90))
		return some_cap(r, me, type);
	if (percent(r, 70))
		return (struct arg){ A_CAP, random_below(r, M_CAPS) };
	return num(ONE_OF(r, PV_SELF, 1, 0x10001, 0x7fff0001, 0x80010001, 0x100010001, ~0ull));
}

static struct arg gfn(struct random *r)
{
	if (percent(r, 95))
		return num(random_below(r, percent(r, 60) ? 10 : M_GFNS));
	return num(ONE_OF(r, M_GFNS, PV_MAX_GFN, PV_MAX_GFN + 1ull, 1ull << 32, ~0ull, 0x8000000000000ull));
}

/* Mostly one where n gfns of this kind begin. */
static struct arg gfn_of(struct random *r, const struct m_dom *dom, enum m_kind kind, u64 n)
{
	u32 start = (u32)random_below(r, M_GFNS), run = 0;

	if (percent(r, 30))
		return gfn(r);
	for (u32 i = 0; i < 2 * M_GFNS; i++) {
		u32 at = (start + i) % M_GFNS;

		run = at && dom->gfns[at].kind == kind ? run + 1 : 0;
		if (run >= n && run <= M_GFNS)
			return num(at + 1 - n);
	}
	return gfn(r);
}

/* Frames of the grant behind a capability, as far as it is one. */
static u64 grant_size(const struct model *m, const struct m_dom *me, const struct arg *cap)
{
	const struct m_cap *c = cap->kind == A_CAP ? &me->caps[cap->value % M_CAPS] : NULL;

	for (u32 i = 0; c && i < M_GRANTS; i++)
		if (c->type == PV_CAP_GRANT && m->grants[i].serial == c->object)
			return m->grants[i].n;
	return 1;
}

static struct arg count(struct random *r)
{
	if (percent(r, 93))
		return num(1 + random_below(r, 4));
	return num(ONE_OF(r, 0, 0, 16, 17, 20, 32, 512, 513, PV_MAX_GFN + 1ull, ~0ull));
}

static struct arg va(struct random *r)
{
	if (percent(r, 94))
		return num((1 + random_below(r, M_PAGES - 1)) * 4096);
	return num(ONE_OF(r, 0, 0x1001, 0x7ffffffff000, 0x800000000000, PV_HOLE_START, 0xfffffffffffff000, 0xfff));
}

static struct arg prot(struct random *r)
{
	return num(percent(r, 90) ? ONE_OF(r, 1, 3, 3, 5) : ONE_OF(r, 0, 2, 4, 6, 7, 8, 1ull << 32));
}

static struct arg port(struct random *r)
{
	if (percent(r, 95))
		return num(random_below(r, M_PORTS));
	return num(ONE_OF(r, 8, 100, PV_MAX_PORTS - 1, PV_MAX_PORTS, 1ull << 32, ~0ull));
}

static struct arg vcpu(struct random *r)
{
	if (percent(r, 95))
		return num(random_below(r, percent(r, 70) ? 2 : M_VCPUS));
	return num(ONE_OF(r, 4, 15, 16, 64, ~0ull));
}

static struct arg rights(struct random *r)
{
	if (percent(r, 50))
		return num(ONE_OF(r, 0x3f, 0x1f, 7, 3, 1));
	return num(percent(r, 90) ? random_below(r, 64) : ONE_OF(r, 0, 0x40, 1ull << 31, 1ull << 32, ~0ull));
}

static struct arg deadline(struct random *r)
{
	if (percent(r, 40))
		return (struct arg){ A_NOW, random_below(r, 5000) };
	return num(ONE_OF(r, 0, PV_FOREVER, PV_FOREVER, 1, 1ull << 63));
}

/* What is 0 in a well-formed call, and seldom something else. */
static struct arg zero(struct random *r)
{
	return num(percent(r, 97) ? 0 : ONE_OF(r, 1, 2, 1ull << 32, ~0ull));
}

/* ---- calls ---- */

static void cap_ctl(struct random *r, const struct m_dom *me, struct step *s)
{
	u32 type = (u32)ONE_OF(r, PV_CAP_DOMAIN, PV_CAP_DOMAIN, PV_CAP_GRANT, PV_CAP_GRANT, PV_CAP_IRQ, PV_CAP_HOST);
	u64 op = ONE_OF(r, PV_CAP_CTL_COPY, PV_CAP_CTL_COPY, PV_CAP_CTL_COPY, PV_CAP_CTL_DROP, PV_CAP_CTL_INSPECT);

	s->a[0] = num(op);
	s->a[1] = handle(r, me, type, type == PV_CAP_DOMAIN);
	s->a[2] = op == PV_CAP_CTL_COPY ? handle(r, me, PV_CAP_DOMAIN, true) : zero(r);
	s->a[3] = op == PV_CAP_CTL_COPY ? rights(r) : zero(r);
}

static void dom_create(struct random *r, const struct m_dom *me, struct step *s)
{
	s->a[0] = handle(r, me, PV_CAP_HOST, false);
	s->batch[0] = percent(r, 80) ? 0 : random_below(r, 9);
	s->batch[1] = percent(r, 90) ? 16 + random_below(r, 64) : ONE_OF(r, 0, 1, 100000, PV_MAX_GFN, PV_MAX_GFN + 1ull, ~0ull);
	s->batch[2] = percent(r, 85) ? 128 : ONE_OF(r, 31, 32, 40, 48, PV_MAX_GFN + 1ull, ~0ull);
	s->batch[3] = percent(r, 95) ? 1 + random_below(r, M_VCPUS) : ONE_OF(r, 0, 17);
	s->batch[4] = percent(r, 85) ? PV_KIND_EXPLICIT : ONE_OF(r, 1, 1, 1, 2);
	s->batch[5] = percent(r, 90) ? 0 : ONE_OF(r, 1, 2, 4);
}

static void dom_ctl(struct random *r, const struct m_dom *me, struct step *s)
{
	u64 op = percent(r, 4) ? ONE_OF(r, PV_DOM_CTL_DESTROY, PV_DOM_CTL_SHUTDOWN) :
				 ONE_OF(r, PV_DOM_CTL_PAUSE, PV_DOM_CTL_UNPAUSE, PV_DOM_CTL_UNPAUSE, PV_DOM_CTL_STATUS);

	s->a[0] = num(op);
	s->a[1] = op == PV_DOM_CTL_SHUTDOWN ? zero(r) : handle(r, me, PV_CAP_DOMAIN, percent(r, 5));
	s->a[2] = op == PV_DOM_CTL_SHUTDOWN ? num(random_below(r, 6) << 32 | random_below(r, 9)) : zero(r);
}

static void vcpu_ctl(struct random *r, const struct m_dom *me, struct step *s)
{
	u64 op = percent(r, 8) ? PV_VCPU_CTL_STOP : ONE_OF(r, 0, 1, 1, 3, 4, 4, 5);

	s->a[0] = num(op);
	s->a[1] = op == PV_VCPU_CTL_YIELD ? zero(r) : handle(r, me, PV_CAP_DOMAIN, true);
	s->a[2] = op == PV_VCPU_CTL_YIELD ? zero(r) : vcpu(r);
	s->a[3] = op > PV_VCPU_CTL_START && op != PV_VCPU_CTL_YIELD ? num(0) : zero(r);
}

static void vcpu_regs(struct random *r, const struct m_dom *me, struct step *s)
{
	s->a[0] = num(random_below(r, 2));
	s->a[1] = handle(r, me, PV_CAP_DOMAIN, true);
	s->a[2] = vcpu(r);
	s->batch[0] = percent(r, 80) ? random_below(r, 1 << 20) : ONE_OF(r, PV_HOLE_START, PV_HOLE_END, 1ull << 47, ~0ull);
	s->batch[1] = random_next(r);
	s->batch[2] = percent(r, 92) ? 0 : 1;
}

static void vcpu_setup(struct random *r, struct step *s)
{
	u64 op = ONE_OF(r, 0, 0, 0, 1, 2, 3);

	s->a[0] = num(op);
	s->a[1] = op == PV_VCPU_SETUP_SET_ENTRY ? num(1) : gfn(r);
	if (op == PV_VCPU_SETUP_SET_KERNEL_GS)
		s->a[1] = num(ONE_OF(r, 0, 0x1000, 0x7fffffffffff, 1ull << 47, PV_HOLE_START, PV_HOLE_END, ~0ull));
}

static void as_map(struct random *r, const struct m_dom *me, struct step *s)
{
	u64 op = ONE_OF(r, 0, 0, 1, 2);

	s->a[0] = num(op);
	s->a[1] = handle(r, me, PV_CAP_DOMAIN, true);
	s->a[2] = va(r);
	s->a[3] = op == PV_AS_MAP_MAP ? gfn(r) : zero(r);
	s->a[4] = count(r);
	s->a[5] = op == PV_AS_MAP_UNMAP ? zero(r) : prot(r);
}

static void mem_ctl(struct random *r, const struct m_dom *me, struct step *s)
{
	u64 op = ONE_OF(r, 0, 0, 0, 1, 1, 2, 2);

	s->a[0] = num(op);
	s->a[1] = handle(r, me, PV_CAP_DOMAIN, true);
	s->a[2] = gfn_of(r, me, op == PV_MEM_CTL_POPULATE ? M_HOLE : M_PRIVATE, 1);
	s->a[3] = count(r);
	s->a[4] = op == PV_MEM_CTL_COPY ? gfn(r) : zero(r);
}

static void grant_ctl(struct random *r, const struct model *m, const struct m_dom *me, struct step *s)
{
	u64 op = ONE_OF(r, 0, 0, 1, 1, 1, 2, 2, 3);

	s->a[0] = num(op);
	switch (op) {
	case PV_GRANT_CTL_CREATE:
		s->a[1] = handle(r, me, PV_CAP_DOMAIN, true);
		s->a[3] = count(r);
		s->a[2] = gfn_of(r, me, M_PRIVATE, s->a[3].value);
		s->a[4] = num(percent(r, 95) ? ONE_OF(r, 1, 3, 3) : ONE_OF(r, 0, 2, 4, 7, 1ull << 32));
		break;
	case PV_GRANT_CTL_MAP:
		s->a[1] = handle(r, me, PV_CAP_GRANT, false);
		s->a[3] = percent(r, 90) ? num(grant_size(m, me, &s->a[1])) : count(r);
		s->a[2] = gfn_of(r, me, M_HOLE, s->a[3].value);
		s->a[4] = num(percent(r, 97) ? random_below(r, 2) : 2);
		break;
	case PV_GRANT_CTL_UNMAP:
		s->a[1] = zero(r);
		s->a[2] = gfn_of(r, me, M_GRANTED, 1);
		s->a[3] = count(r);
		s->a[4] = zero(r);
		break;
	default:
		s->a[1] = handle(r, me, PV_CAP_GRANT, false);
		s->a[2] = zero(r);
		break;
	}
}

static void port_ctl(struct random *r, const struct m_dom *me, struct step *s)
{
	u64 op = ONE_OF(r, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7);

	s->a[0] = num(op);
	s->a[1] = op == PV_PORT_CTL_ALLOC ? zero(r) : port(r);
	switch (op) {
	case PV_PORT_CTL_ALLOC:
		s->a[2] = handle(r, me, PV_CAP_DOMAIN, true);
		s->a[3] = zero(r);
		break;
	case PV_PORT_CTL_CONNECT:
		s->a[2] = handle(r, me, PV_CAP_DOMAIN, true);
		s->a[3] = handle(r, me, PV_CAP_DOMAIN, true);
		s->a[4] = port(r);
		break;
	case PV_PORT_CTL_BIND_VIRQ:
		s->a[2] = num(percent(r, 95) ? random_below(r, 2) : ONE_OF(r, 2, 1ull << 32));
		s->a[3] = s->a[2].value ? handle(r, me, PV_CAP_HOST, false) : zero(r);
		break;
	case PV_PORT_CTL_BIND_IRQ:
		s->a[2] = handle(r, me, PV_CAP_IRQ, false);
		break;
	case PV_PORT_CTL_MOVE:
		s->a[2] = vcpu(r);
		break;
	}
}

static void host_ctl(struct random *r, const struct m_dom *me, struct step *s)
{
	u64 op = ONE_OF(r, 0, 2, 3, 3, 4, 6);

	s->a[0] = num(op);
	s->a[1] = handle(r, me, PV_CAP_HOST, false);
	switch (op) {
	case PV_HOST_CTL_POWEROFF:
		s->a[2] = num(ONE_OF(r, 128, ~0ull));
		break;
	case PV_HOST_CTL_LOG_READ:
		s->a[3] = num(percent(r, 80) ? random_below(r, 17) : ONE_OF(r, 2041, ~0ull));
		break;
	case PV_HOST_CTL_IRQ_CAP:
		s->a[2] = num(percent(r, 90) ? 4 + random_below(r, 4) : ONE_OF(r, 24, 1000, ~0ull));
		break;
	case PV_HOST_CTL_IOPORTS:
		s->a[2] = handle(r, me, PV_CAP_DOMAIN, true);
		s->a[3] = num(percent(r, 90) ? 0x300 + random_below(r, 64) : ONE_OF(r, 0xffff, 0x10000, ~0ull));
		s->a[4] = num(percent(r, 90) ? 1 + random_below(r, 4) : ONE_OF(r, 0, 64, 65, ~0ull));
		break;
	default:
		s->a[2] = num(percent(r, 80) ? 1 + random_below(r, 8) : ONE_OF(r, 0, 2049, ~0ull));
	}
}

static void small_calls(struct random *r, const struct m_dom *me, struct step *s)
{
	switch (s->nr) {
	case PV_HC_INFO:
		s->a[0] = num(random_below(r, 5));
		s->a[1] = percent(r, 60) ? num(0) : handle(r, me, PV_CAP_HOST, false);
		break;
	case PV_HC_CONSOLE_WRITE:
		s->a[0] = num(ONE_OF(r, 0, 1, 5, PV_CONSOLE_MAX, PV_CONSOLE_MAX + 1, ~0ull));
		break;
	case PV_HC_WAIT:
		s->a[0] = num(percent(r, 95) ? random_below(r, 2) : 2);
		s->a[1] = deadline(r);
		break;
	case PV_HC_TIMER_SET:
		s->a[0] = deadline(r);
		break;
	case PV_HC_AS_LOAD_ROOT:
		s->a[0] = num(ONE_OF(r, 0, 0x1000, 0x1001, 1ull << 40));
		s->a[1] = num(random_below(r, 3));
		break;
	case PV_HC_AS_FLUSH:
		s->a[0] = num(ONE_OF(r, PV_FOREVER, PV_FOREVER, 0, 0x1000, 0x1001, 1ull << 40));
		s->a[1] = va(r);
		s->a[2] = percent(r, 40) ? num(0) : va(r);
		s->a[3] = num(random_below(r, 5));
		break;
	case PV_HC_AS_CTL:
		s->a[0] = num(random_below(r, 3));
		s->a[1] = num(ONE_OF(r, 0, 0x1000, 0x1001, 1ull << 40));
		break;
	case PV_HC_PORT_SEND:
		s->a[0] = port(r);
		break;
	case PV_HC_SEND_IPI:
		s->a[0] = num(percent(r, 90) ? 1 + random_below(r, 3) : ONE_OF(r, 0, 8, 1ull << 15, 1ull << 16, ~0ull));
		s->a[1] = num(percent(r, 90) ? 0x30 + random_below(r, 4) : ONE_OF(r, 0x2f, 0x21, 255, 256, ~0ull));
		break;
	case PV_HC_SCHED_CTL:
		s->a[0] = num(random_below(r, 3));
		s->a[1] = handle(r, me, PV_CAP_DOMAIN, true);
		s->a[2] = num(ONE_OF(r, 0, 1, 2, 3, 4, 100, 200, 201, 65535, 65536, ~0ull));
		break;
	}
}

static void call(struct random *r, const struct model *m, const struct m_dom *me, struct step *s)
{
	s->kind = S_CALL;
	s->nr = ONE_OF(r, PV_HC_INFO, PV_HC_CONSOLE_WRITE, PV_HC_CAP_CTL, PV_HC_CAP_CTL, PV_HC_CAP_CTL,
		       PV_HC_CAP_CTL, PV_HC_DOM_CREATE, PV_HC_DOM_CREATE, PV_HC_DOM_CTL, PV_HC_DOM_CTL,
		       PV_HC_DOM_CTL, PV_HC_VCPU_CTL, PV_HC_VCPU_CTL, PV_HC_VCPU_CTL, PV_HC_VCPU_CTL,
		       PV_HC_VCPU_REGS, PV_HC_VCPU_SETUP, PV_HC_VCPU_SETUP, PV_HC_WAIT, PV_HC_TIMER_SET,
		       PV_HC_IRQ_WIN, PV_HC_AS_LOAD_ROOT, PV_HC_AS_FLUSH, PV_HC_AS_CTL, PV_HC_AS_MAP,
		       PV_HC_AS_MAP, PV_HC_AS_MAP, PV_HC_AS_MAP, PV_HC_MEM_CTL, PV_HC_MEM_CTL, PV_HC_MEM_CTL,
		       PV_HC_MEM_CTL, PV_HC_GRANT_CTL, PV_HC_GRANT_CTL, PV_HC_GRANT_CTL, PV_HC_GRANT_CTL,
		       PV_HC_GRANT_CTL, PV_HC_PORT_CTL, PV_HC_PORT_CTL, PV_HC_PORT_CTL, PV_HC_PORT_CTL,
		       PV_HC_PORT_SEND, PV_HC_PORT_SEND, PV_HC_SEND_IPI, PV_HC_SCHED_CTL, PV_HC_HOST_CTL);
	if (percent(r, 1))
		s->nr = ONE_OF(r, PV_HC_COUNT, 100, 1ull << 32, ~0ull);
	switch (s->nr) {
	case PV_HC_CAP_CTL:
		cap_ctl(r, me, s);
		break;
	case PV_HC_DOM_CREATE:
		dom_create(r, me, s);
		break;
	case PV_HC_DOM_CTL:
		dom_ctl(r, me, s);
		break;
	case PV_HC_VCPU_CTL:
		vcpu_ctl(r, me, s);
		break;
	case PV_HC_VCPU_REGS:
		vcpu_regs(r, me, s);
		break;
	case PV_HC_VCPU_SETUP:
		vcpu_setup(r, s);
		break;
	case PV_HC_AS_MAP:
		as_map(r, me, s);
		break;
	case PV_HC_MEM_CTL:
		mem_ctl(r, me, s);
		break;
	case PV_HC_GRANT_CTL:
		grant_ctl(r, m, me, s);
		break;
	case PV_HC_PORT_CTL:
		port_ctl(r, me, s);
		break;
	case PV_HC_HOST_CTL:
		host_ctl(r, me, s);
		break;
	default:
		small_calls(r, me, s);
	}
	if (percent(r, 1))
		s->a[0] = num(ONE_OF(r, 8, 100, 1ull << 32, ~0ull));
}

/* Any vCPU that can run. */
static bool choose_caller(struct random *r, const struct model *m, struct step *s)
{
	u32 start = (u32)random_below(r, M_DOMS * M_VCPUS);

	for (u32 i = 0; i < M_DOMS * M_VCPUS; i++) {
		u32 at = (start + i) % (M_DOMS * M_VCPUS);

		s->dom = at / M_VCPUS;
		s->vcpu = at % M_VCPUS;
		if (model_can_run(m, s->dom, s->vcpu))
			return true;
	}
	return false;
}

bool step_generate(struct random *r, const struct model *m, struct step *s)
{
	u64 x = random_below(r, 100);

	memset(s, 0, sizeof(*s));
	if (!choose_caller(r, m, s))
		return false;
	if (x < 80) {
		call(r, m, &m->doms[s->dom], s);
		return true;
	}
	s->kind = x < 87 ? S_LOAD : x < 94 ? S_STORE : x < 96 ? S_TAKE : x < 97 ? S_IF : x < 98 ? S_MASK : S_TIME;
	s->a[0] = num(s->kind == S_IF ? random_below(r, 2) : 1 + random_below(r, M_PAGES - 1));
	if (s->kind == S_STORE)
		s->a[1] = num(random_next(r));
	if (s->kind == S_MASK)
		s->a[0] = num(random_below(r, 256));
	if (s->kind == S_TIME)
		s->a[0] = num(random_below(r, 4000));
	return true;
}
