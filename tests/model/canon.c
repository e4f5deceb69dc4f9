// SPDX-License-Identifier: BSD-2-Clause
/*
 * canon.c - a number that is the same for two states that mean the same: without the values of handles, without
 * serial numbers, with times told from now.
 */
#include "canon.h"

struct hash {
	u64 value;
};

static void feed(struct hash *h, u64 x)
{
	h->value = (h->value ^ x) * 0x9e3779b97f4a7c15ull;
	h->value ^= h->value >> 32;
}

static u64 domain_index(const struct model *m, u32 serial)
{
	for (u32 i = 0; i < M_DOMS; i++)
		if (serial && m->doms[i].serial == serial)
			return i;
	return M_DOMS;
}

static u64 grant_index(const struct model *m, u32 serial)
{
	for (u32 i = 0; i < M_GRANTS; i++)
		if (m->grants[i].serial == serial)
			return i;
	return M_GRANTS;
}

/* Grant and place in it of a use. */
static u64 use_index(const struct model *m, u32 serial)
{
	for (u32 i = 0; i < M_GRANTS; i++)
		for (u32 u = 0; u < M_USES; u++)
			if (m->grants[i].serial && m->grants[i].uses[u].serial == serial)
				return i * M_USES + u;
	return M_GRANTS * M_USES;
}

static u64 object(const struct model *m, const struct m_cap *cap)
{
	if (cap->type == PV_CAP_DOMAIN)
		return domain_index(m, cap->object);
	return cap->type == PV_CAP_GRANT ? grant_index(m, cap->object) : cap->object;
}

static void frame(struct hash *h, const struct m_frame *f)
{
	feed(h, f->grants);
	feed(h, f->pins);
	feed(h, f->mask);
	feed(h, f->tag);
	for (u32 i = 0; i < 6; i++)
		feed(h, f->word[i]);
}

static u64 when(const struct model *m, u64 time)
{
	return time == PV_FOREVER ? time : time - m->now;
}

static void vcpu(const struct model *m, struct hash *h, const struct m_vcpu *v)
{
	feed(h, v->exists);
	if (!v->exists)
		return;
	feed(h, v->kicked);
	feed(h, v->run);
	feed(h, (u64)v->vcs);
	feed(h, when(m, v->timer));
	feed(h, when(m, v->deadline));
	feed(h, (u64)v->answer);
	feed(h, v->rip);
	feed(h, v->rbx);
	frame(h, &v->none);
}

static void memory(const struct model *m, struct hash *h, const struct m_dom *dom)
{
	for (u32 i = 0; i < M_GFNS; i++) {
		const struct m_gfn *g = &dom->gfns[i];

		feed(h, g->kind << 1 | g->writable);
		if (g->kind == M_GRANTED)
			feed(h, use_index(m, g->use));
		if (g->kind == M_PRIVATE)
			frame(h, &m->frames[g->frame]);
	}
	for (u32 i = 0; i < M_PAGES; i++)
		feed(h, (u64)dom->pages[i].gfn << 8 | dom->pages[i].prot);
	feed(h, dom->dummy);
}

static void domain(const struct model *m, struct hash *h, const struct m_dom *dom)
{
	feed(h, dom->serial != 0);
	if (!dom->serial)
		return;
	feed(h, domain_index(m, dom->parent));
	feed(h, dom->kind << 16 | dom->state << 8 | dom->reason);
	feed(h, dom->pauses);
	feed(h, dom->code);
	feed(h, dom->quota);
	feed(h, dom->used);
	feed(h, dom->weight);
	feed(h, dom->cap);
	feed(h, dom->affinity);
	feed(h, (u64)dom->port_page);
	feed(h, (u64)dom->virq[0] << 32 | dom->virq[1]);
	for (u32 i = 0; i < M_VCPUS; i++)
		vcpu(m, h, &dom->vcpus[i]);
	for (u32 i = 0; i < M_CAPS; i++) {
		feed(h, dom->caps[i].type);
		if (dom->caps[i].type == PV_CAP_NONE)
			continue; /* what it was is not a part of the state */
		feed(h, dom->caps[i].rights);
		feed(h, object(m, &dom->caps[i]));
	}
	for (u32 i = 0; i < M_PORTS; i++) {
		const struct m_port *p = &dom->ports[i];

		feed(h, p->state << 8 | p->vcpu);
		if (p->state == PV_PORT_INTERDOMAIN)
			feed(h, domain_index(m, p->peer) << 32 | p->peer_port);
		feed(h, p->line);
	}
	memory(m, h, dom);
}

u64 model_canon(const struct model *m)
{
	struct hash h = { 1 };

	for (u32 i = 0; i < M_DOMS; i++)
		domain(m, &h, &m->doms[i]);
	for (u32 i = 0; i < M_GRANTS; i++) {
		const struct m_grant *g = &m->grants[i];

		feed(&h, g->serial ? domain_index(m, g->owner) + 1 : 0);
		if (!g->serial)
			continue;
		feed(&h, (u64)g->gfn << 32 | g->n);
		for (u32 u = 0; u < M_USES; u++)
			feed(&h, g->uses[u].serial ? domain_index(m, g->uses[u].holder) << 32 | g->uses[u].left : 0);
	}
	return h.value;
}
