// SPDX-License-Identifier: BSD-2-Clause
/*
 * model_memory.c - frames, mappings and grants: MEM_CTL, AS_MAP, GRANT_CTL and the accesses they allow.
 */
#include "model.h"

#define LOW_HALF_END 0x800000000000ull

static struct m_gfn *gfn_at(struct m_dom *dom, u64 gfn)
{
	return gfn < M_GFNS ? &dom->gfns[gfn] : NULL;
}

static bool is_kind(struct m_dom *dom, u64 gfn, enum m_kind kind)
{
	return gfn < M_GFNS ? dom->gfns[gfn].kind == kind : kind == M_HOLE;
}

/* ---- frames ---- */

static void populate(struct model *m, struct m_dom *dom, u64 gfn)
{
	u32 f = 0;

	while (m->frames[f].used)
		f++;
	m->frames[f] = (struct m_frame){ .used = true };
	dom->gfns[gfn] = (struct m_gfn){ .kind = M_PRIVATE, .writable = true, .frame = f };
	dom->used++;
}

static void release(struct model *m, struct m_dom *dom, u64 gfn)
{
	m->frames[dom->gfns[gfn].frame].used = false;
	dom->gfns[gfn] = (struct m_gfn){ .kind = M_HOLE };
	dom->used--;
}

static void copy_frame(struct model *m, struct m_dom *dst, u64 to, struct m_dom *src, u64 from)
{
	struct m_frame *a = &m->frames[dst->gfns[to].frame];
	const struct m_frame *b = &m->frames[src->gfns[from].frame];

	for (u32 i = 0; i < 6; i++)
		a->word[i] = b->word[i];
	a->mask = b->mask;
	a->tag = b->tag;
}

/* What keeps one item of MEM_CTL from being done; items before it are done already. */
static u32 item_error(struct model *m, u64 op, struct m_dom *dom, u64 gfn, struct m_dom *me, u64 src, u64 done)
{
	const struct m_gfn *g = gfn_at(dom, gfn);
	u32 errs = 0;

	switch (op) {
	case PV_MEM_CTL_POPULATE:
		errs |= is_kind(dom, gfn, M_HOLE) ? 0 : E(EEXIST);
		return errs | (dom->used + done < dom->quota ? 0 : E(ENOMEM));
	case PV_MEM_CTL_RELEASE:
		if (is_kind(dom, gfn, M_HOLE))
			return E(ENOENT);
		if (g->kind != M_PRIVATE)
			return E(EFAULT);
		return m->frames[g->frame].grants || m->frames[g->frame].pins ? E(EBUSY) : 0;
	}
	if (!g || (g->kind != M_PRIVATE && g->kind != M_GRANTED) || !g->writable)
		return E(EFAULT);
	return is_kind(me, src, M_PRIVATE) || is_kind(me, src, M_GRANTED) ? 0 : E(EFAULT);
}

static void item_do(struct model *m, u64 op, struct m_dom *dom, u64 gfn, struct m_dom *me, u64 src)
{
	if (op == PV_MEM_CTL_POPULATE)
		populate(m, dom, gfn);
	else if (op == PV_MEM_CTL_RELEASE)
		release(m, dom, gfn);
	else
		copy_frame(m, dom, gfn, me, src);
}

static const char *mem_ctl(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	u64 op = a[0], gfn = a[2], n = a[3], src = a[4], good = 0;
	bool copying = op == PV_MEM_CTL_COPY;
	u32 errs = !n || (!copying && src) ? E(EINVAL) : 0, item = 0;
	struct m_dom *dom;
	const char *wrong;

	if (!m_gfns_valid(gfn, n) || (copying && !m_gfns_valid(src, n)))
		errs |= E(ERANGE);
	errs |= m_need_dom(m, me, a[1], PV_RIGHT_DOM_MEM, &dom);
	while (!errs && !item && good < n) {
		item = item_error(m, op, dom, gfn + good, me, src + good, good);
		good += !item;
	}
	if (!errs && op == PV_MEM_CTL_POPULATE && r == -PV_ENOMEM && !m_enough(dom))
		return NULL;
	wrong = m_items(errs, r, n, good, item);
	for (u64 i = 0; !wrong && r > 0 && i < (u64)r; i++)
		item_do(m, op, dom, gfn + i, me, src + i);
	return wrong;
}

/* ---- mappings ---- */

static u32 check_map(u64 op, u64 va, u64 gfn, u64 n, u64 prot)
{
	const u64 all = PV_PROT_READ | PV_PROT_WRITE | PV_PROT_EXEC;
	bool bad = op == PV_AS_MAP_UNMAP ? prot != 0 :
					   prot & ~all || !(prot & PV_PROT_READ) ||
						   (prot & (all - 1)) == (PV_PROT_WRITE | PV_PROT_EXEC);
	u32 errs = va % 4096 || !n || bad || (op != PV_AS_MAP_MAP && gfn) ? E(EINVAL) : 0;

	if (n > PV_MAX_MAP_PAGES || va < 4096 || va >= LOW_HALF_END || n > (LOW_HALF_END - va) / 4096 ||
	    !m_gfns_valid(gfn, n))
		errs |= E(ERANGE);
	return errs;
}

static u32 page_error(struct m_dom *dom, u64 op, u64 page, u64 gfn, u64 prot)
{
	const struct m_page *p = page < M_PAGES ? &dom->pages[page] : NULL;
	const struct m_gfn *g;
	u32 errs = 0;

	if (op != PV_AS_MAP_MAP) {
		if (!p || !p->prot)
			return E(ENOENT);
		gfn = p->gfn;
	} else if (p && p->prot) {
		errs |= E(EEXIST);
	}
	if (op == PV_AS_MAP_UNMAP)
		return errs;
	g = gfn_at(dom, gfn);
	if (!g || g->kind == M_HOLE)
		return errs | E(EFAULT);
	return errs | (prot & PV_PROT_WRITE && !g->writable ? E(EPERM) : 0);
}

static const char *as_map(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	u64 op = a[0], page = a[2] / 4096, gfn = a[3], n = a[4], prot = a[5], good = 0;
	u32 errs = check_map(op, a[2], gfn, n, prot), item = 0;
	struct m_dom *dom;
	const char *wrong;

	errs |= m_need_dom(m, me, a[1], PV_RIGHT_DOM_MEM, &dom);
	if (!errs && dom->kind == PV_KIND_WALKED)
		errs |= E(ESTATE);
	while (!errs && !item && good < n) {
		item = page_error(dom, op, page + good, gfn + good, prot);
		good += !item;
	}
	if (!errs && op == PV_AS_MAP_MAP && r == -PV_ENOMEM && !m_enough(dom))
		return NULL;
	wrong = m_items(errs, r, n, good, item);
	for (u64 i = 0; !wrong && r > 0 && i < (u64)r; i++) {
		struct m_page *p = &dom->pages[page + i];

		p->prot = (u32)prot;
		if (op != PV_AS_MAP_PROTECT)
			p->gfn = op == PV_AS_MAP_MAP ? (u32)(gfn + i) : 0;
	}
	return wrong;
}

u64 *model_access(struct model *m, u32 dom, u32 page, bool write)
{
	struct m_dom *d = &m->doms[dom];
	struct m_gfn *g;

	if (d->kind == PV_KIND_EXPLICIT) {
		if (!(d->pages[page].prot & (write ? PV_PROT_WRITE : PV_PROT_READ)))
			return NULL;
		page = d->pages[page].gfn;
	}
	g = gfn_at(d, page);
	if (!g || g->kind == M_HOLE || (write && !g->writable))
		return NULL;
	return g->kind == M_DUMMY ? &d->dummy : &m->frames[g->frame].tag;
}

/* ---- grants ---- */

static struct m_grant *grant_by(struct model *m, u32 serial)
{
	for (u32 i = 0; i < M_GRANTS; i++)
		if (m->grants[i].serial == serial)
			return &m->grants[i];
	return NULL;
}

static void add_grants(struct model *m, const struct m_grant *g, u32 add)
{
	struct m_dom *owner = m_dom_by(m, g->owner);

	for (u32 i = 0; i < g->n; i++)
		m->frames[owner->gfns[g->gfn + i].frame].grants += add;
}

static const char *grant_create(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	u64 gfn = a[2], n = a[3], rights = a[4];
	struct m_cap cap = { PV_CAP_GRANT, (u32)rights | PV_RIGHT_GRANT_REVOKE, 0, m->last_serial + 1 };
	u32 errs = !n || (rights != PV_RIGHT_GRANT_READ && rights != 3) ? E(EINVAL) : 0;
	struct m_dom *owner;
	struct m_grant *g;
	const char *wrong;

	errs |= n > PV_MAX_GRANT_PAGES || !m_gfns_valid(gfn, n) ? E(ERANGE) : 0;
	errs |= m_need_dom(m, me, a[1], PV_RIGHT_DOM_MEM, &owner);
	for (u64 i = 0; !errs && i < n; i++)
		errs |= is_kind(owner, gfn + i, M_PRIVATE) ? 0 : E(EFAULT);
	if (errs)
		return m_expect(errs, r, 0, 0);
	if (r == -PV_ENOMEM && !m_enough(owner))
		return NULL;
	wrong = m_new_handle(me, &cap, r);
	if (wrong || r < 0)
		return wrong;
	g = grant_by(m, 0); /* the tests see to it that there is one */
	*g = (struct m_grant){ .serial = ++m->last_serial, .owner = owner->serial, .gfn = (u32)gfn,
			       .n = (u32)n };
	add_grants(m, g, 1);
	return NULL;
}

static const char *grant_map(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	u64 gfn = a[2], n = a[3], writable = a[4];
	u32 errs = !n || writable > 1 ? E(EINVAL) : 0;
	struct m_use *use = NULL;
	struct m_grant *g;
	struct m_cap cap;
	const char *wrong;

	errs |= n > PV_MAX_GRANT_PAGES || !m_gfns_valid(gfn, n) ? E(ERANGE) : 0;
	errs |= m_need(me, a[1], PV_CAP_GRANT, PV_RIGHT_GRANT_READ | (writable == 1 ? PV_RIGHT_GRANT_WRITE : 0),
		       &cap);
	if (errs)
		return m_expect(errs, r, 0, 0);
	g = grant_by(m, cap.object);
	if (!g)
		return m_expect(E(EDEAD), r, 0, 0);
	errs |= n == g->n ? 0 : E(EINVAL);
	for (u64 i = 0; i < n; i++)
		errs |= is_kind(me, gfn + i, M_HOLE) ? 0 : E(EEXIST);
	for (u32 i = 0; i < M_USES && !use; i++)
		use = g->uses[i].serial ? NULL : &g->uses[i];
	errs |= use ? 0 : E(ENOSPC);
	if (!errs && r == -PV_ENOMEM && !m_enough(me))
		return NULL;
	wrong = m_expect(errs, r, (i64)n, (i64)n);
	if (wrong || errs)
		return wrong;
	*use = (struct m_use){ ++m->last_serial, me->serial, (u32)n };
	for (u64 i = 0; i < n; i++)
		me->gfns[gfn + i] = (struct m_gfn){ M_GRANTED, writable == 1,
						    m_dom_by(m, g->owner)->gfns[g->gfn + i].frame,
						    use->serial };
	return NULL;
}

static void use_shrink(struct model *m, u32 serial)
{
	for (u32 i = 0; i < M_GRANTS; i++)
		for (u32 u = 0; u < M_USES; u++) {
			struct m_use *use = &m->grants[i].uses[u];

			if (use->serial == serial && --use->left == 0)
				use->serial = 0;
		}
}

static const char *grant_unmap(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	u64 gfn = a[2], n = a[3], good = 0;
	u32 errs = !n || a[1] || a[4] ? E(EINVAL) : 0, item = 0;
	const char *wrong;

	errs |= m_gfns_valid(gfn, n) ? 0 : E(ERANGE);
	while (!errs && !item && good < n) {
		if (is_kind(me, gfn + good, M_HOLE))
			item = E(ENOENT);
		else if (is_kind(me, gfn + good, M_PRIVATE))
			item = E(EFAULT);
		else
			good++;
	}
	wrong = m_items(errs, r, n, good, item);
	for (u64 i = 0; !wrong && r > 0 && i < (u64)r; i++) {
		if (me->gfns[gfn + i].kind == M_GRANTED)
			use_shrink(m, me->gfns[gfn + i].use);
		me->gfns[gfn + i] = (struct m_gfn){ .kind = M_HOLE };
	}
	return wrong;
}

void m_grant_end(struct model *m, struct m_grant *g)
{
	for (u32 u = 0; u < M_USES; u++) {
		struct m_dom *holder = m_dom_by(m, g->uses[u].holder);

		for (u32 i = 0; g->uses[u].serial && holder && i < M_GFNS; i++)
			if (holder->gfns[i].kind == M_GRANTED && holder->gfns[i].use == g->uses[u].serial)
				holder->gfns[i].kind = M_DUMMY;
	}
	add_grants(m, g, (u32)-1);
	*g = (struct m_grant){ .serial = 0 };
}

static const char *grant_revoke(struct model *m, struct m_dom *me, const u64 *a, i64 r)
{
	u32 errs = a[2] || a[3] || a[4] ? E(EINVAL) : 0;
	struct m_grant *g = NULL;
	struct m_cap cap;
	const char *wrong;

	errs |= m_need(me, a[1], PV_CAP_GRANT, PV_RIGHT_GRANT_REVOKE, &cap);
	if (!errs) {
		g = grant_by(m, cap.object);
		errs |= g ? 0 : E(EDEAD);
	}
	wrong = m_expect(errs, r, 0, 0);
	if (wrong || errs)
		return wrong;
	m_grant_end(m, g);
	m_cap_by(me, a[1])->type = PV_CAP_NONE;
	return NULL;
}

/* ---- walked spaces: only what is refused, and what changes nothing ---- */

static const char *walked(struct model *m, struct m_dom *me, const struct m_call *c, i64 r)
{
	const u64 *a = c->a;
	u64 root = c->nr == PV_HC_AS_CTL ? a[1] : a[0];
	u32 errs = me->kind == PV_KIND_WALKED ? 0 : E(ESTATE);

	(void)m;
	if (c->nr != PV_HC_AS_FLUSH || root != PV_FOREVER) {
		errs |= root % 4096 ? E(EINVAL) : 0;
		errs |= root / 4096 > PV_MAX_GFN ? E(ERANGE) : 0;
	}
	if (c->nr == PV_HC_AS_LOAD_ROOT)
		errs |= a[1] & ~(u64)PV_ROOT_KEEP ? E(EINVAL) : 0;
	if (c->nr == PV_HC_AS_FLUSH) {
		bool kernel = a[3] & PV_FLUSH_KERNEL;

		if (a[3] & ~(u64)3 || a[1] % 4096 || a[2] % 4096 || (a[2] && a[2] <= a[1]) ||
		    (kernel && root != PV_FOREVER))
			errs |= E(EINVAL);
		if (a[2] && (kernel ? a[1] < PV_HOLE_START : a[2] > LOW_HALF_END))
			errs |= E(ERANGE);
	}
	return m_expect(errs, r, 0, 0);
}

const char *m_call_memory(struct model *m, const struct m_call *c, i64 r)
{
	struct m_dom *me = &m->doms[c->dom];

	if (c->nr == PV_HC_MEM_CTL)
		return mem_ctl(m, me, c->a, r);
	if (c->nr == PV_HC_AS_MAP)
		return as_map(m, me, c->a, r);
	if (c->nr != PV_HC_GRANT_CTL)
		return walked(m, me, c, r);
	switch (c->a[0]) {
	case PV_GRANT_CTL_CREATE:
		return grant_create(m, me, c->a, r);
	case PV_GRANT_CTL_MAP:
		return grant_map(m, me, c->a, r);
	case PV_GRANT_CTL_UNMAP:
		return grant_unmap(m, me, c->a, r);
	}
	return grant_revoke(m, me, c->a, r);
}
