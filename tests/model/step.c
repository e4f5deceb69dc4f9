// SPDX-License-Identifier: BSD-2-Clause
/*
 * step.c - from a step to a call, and to text.
 */
#include "step.h"

#include <stdlib.h>
#include <string.h>

#define LOW_HALF_END 0x800000000000ull

const char *step_name(u64 nr)
{
#define PV_CALL(number, NAME, name, nargs, nops, max_insns) #NAME,
	static const char *const names[] = {
#include <pv/calls.def>
	};
#undef PV_CALL
	return nr < PV_HC_COUNT ? names[nr] : "?";
}

/* ---- resolving ---- */

static u64 number(const struct model *m, const struct step *s, const struct arg *a)
{
	const struct m_cap *cap;

	if (a->kind == A_NOW)
		return m->now + a->value;
	if (a->kind == A_NUMBER)
		return a->value;
	cap = &m->doms[s->dom].caps[a->value % M_CAPS];
	return cap->handle ? cap->handle : 0x7fff0000 | a->value;
}

static void fill_create(struct pv_dom_create *p, const u64 *b)
{
	*p = (struct pv_dom_create){ .name = "d", .mem_pages = b[1], .kmem_pages = b[2],
				     .max_vcpus = (u32)b[3], .kind = (u32)b[4], .affinity = b[5],
				     .vtlb_tables = PV_VTLB_MAX, .weight = 256 };
	switch (b[0]) {
	case 1:
		p->name[0] = 0;
		break;
	case 2:
		p->name[1] = ' ';
		break;
	case 3:
		p->flags = PV_CREATE_FUSED; /* wrong unless it is walked */
		break;
	case 4:
		p->reserved[1] = 1;
		break;
	case 5:
		p->weight = 65536;
		break;
	case 6:
		p->cap = 201;
		break;
	case 7:
		p->vtlb_tables = 0;
		break;
	case 8:
		p->flags = 2;
		break;
	}
}

void step_resolve(const struct model *m, const struct step *s, struct m_call *call)
{
	*call = (struct m_call){ .dom = s->dom, .vcpu = s->vcpu, .nr = s->nr };
	for (u32 i = 0; i < 6; i++)
		call->a[i] = number(m, s, &s->a[i]);
	if (s->nr == PV_HC_DOM_CREATE)
		fill_create(&call->batch.create, s->batch);
	if (s->nr == PV_HC_VCPU_REGS)
		call->batch.gpr = (struct pv_vcpu_gpr){ .rip = s->batch[0], .rbx = s->batch[1],
							.mode = s->batch[2], .root = PV_FOREVER };
}

/* ---- what is left out ---- */

static u32 ports_of(const struct m_dom *dom)
{
	u32 n = 0;

	for (u32 i = 0; i < M_PORTS; i++)
		n += dom->ports[i].state != PV_PORT_FREE;
	return n;
}

static u32 caps_of(const struct m_dom *dom)
{
	u32 n = 0;

	for (u32 i = 0; i < M_CAPS; i++)
		n += dom->caps[i].type != PV_CAP_NONE;
	return n;
}

static bool is_beyond(u64 first, u64 n, u64 room)
{
	return first >= room || n > room - first;
}

static bool object_fits(struct model *m, const struct m_call *c)
{
	struct m_dom *me = &m->doms[c->dom], *dom;
	bool room = caps_of(me) < M_CAPS, free_dom = false, free_grant = false;

	for (u32 i = 0; i < M_DOMS; i++)
		free_dom |= !m->doms[i].serial;
	for (u32 i = 0; i < M_GRANTS; i++)
		free_grant |= !m->grants[i].serial;
	switch (c->nr) {
	case PV_HC_CAP_CTL:
		return c->a[0] || m_need_dom(m, me, c->a[2], 0, &dom) || caps_of(dom) < M_CAPS;
	case PV_HC_DOM_CREATE:
		return room && free_dom;
	case PV_HC_GRANT_CTL:
		if (c->a[0] == PV_GRANT_CTL_CREATE)
			return room && free_grant;
		return c->a[0] != PV_GRANT_CTL_MAP || !is_beyond(c->a[2], c->a[3], M_GFNS) ||
		       !m_gfns_valid(c->a[2], c->a[3]);
	case PV_HC_PORT_CTL:
		return c->a[0] || m_need_dom(m, me, c->a[2], 0, &dom) || ports_of(dom) < M_PORTS - 1;
	case PV_HC_MEM_CTL:
		return c->a[0] != PV_MEM_CTL_POPULATE || !is_beyond(c->a[2], c->a[3], M_GFNS) ||
		       !m_gfns_valid(c->a[2], c->a[3]);
	case PV_HC_AS_MAP:
		return c->a[0] != PV_AS_MAP_MAP || !is_beyond(c->a[2] / 4096, c->a[4], M_PAGES) ||
		       c->a[2] >= LOW_HALF_END;
	case PV_HC_HOST_CTL:
		return c->a[0] != PV_HOST_CTL_IRQ_CAP || room;
	}
	return true;
}

static bool is_pinned(const struct model *m, const struct m_dom *dom, u64 gfn)
{
	const struct m_gfn *g = gfn < M_GFNS ? &dom->gfns[gfn] : NULL;

	return g && (g->kind == M_PRIVATE || g->kind == M_GRANTED) && m->frames[g->frame].pins;
}

/* When what was posted to a vCPU that does not run stands in its VCS is the kernel's business: nobody but its
 * vCPU looks there. */
static bool looks_into_vcs(struct model *m, const struct m_call *c)
{
	struct m_dom *me = &m->doms[c->dom], *dom;

	if (c->nr == PV_HC_VCPU_SETUP)
		return c->a[0] == PV_VCPU_SETUP_SET_VCS && is_pinned(m, me, c->a[1]);
	if (c->nr != PV_HC_MEM_CTL || c->a[0] != PV_MEM_CTL_COPY || m_need_dom(m, me, c->a[1], 0, &dom))
		return false;
	for (u32 i = 0; i < M_GFNS && i < c->a[3]; i++)
		if (is_pinned(m, dom, c->a[2] + i) || is_pinned(m, me, c->a[4] + i))
			return true;
	return false;
}

/* The root domain goes on for ever, and the machine with it. */
static bool hurts_root(struct model *m, const struct m_call *c)
{
	struct m_dom *me = &m->doms[c->dom], *dom;
	bool is_root = c->dom == M_ROOT;

	switch (c->nr) {
	case PV_HC_DOM_CTL:
		if (c->a[0] == PV_DOM_CTL_SHUTDOWN)
			return is_root;
		return c->a[0] == PV_DOM_CTL_PAUSE && !m_need_dom(m, me, c->a[1], 0, &dom) &&
		       dom == &m->doms[M_ROOT];
	case PV_HC_VCPU_CTL:
		return c->a[0] == PV_VCPU_CTL_STOP && !m_need_dom(m, me, c->a[1], 0, &dom) &&
		       dom == &m->doms[M_ROOT];
	case PV_HC_WAIT:
		return is_root && c->a[1] > m->now;
	case PV_HC_HOST_CTL:
		if (c->a[0] == PV_HOST_CTL_LOG_READ)
			return c->a[3] > 16 && c->a[3] <= 2040; /* it would overwrite the page's tag */
		if (c->a[0] == PV_HOST_CTL_POWEROFF)
			return c->a[2] <= 127;
		return c->a[0] == PV_HOST_CTL_REBOOT || c->a[0] == PV_HOST_CTL_TRACE_READ;
	case PV_HC_AS_LOAD_ROOT:
	case PV_HC_AS_CTL:
		return me->kind == PV_KIND_WALKED; /* accesses would go by the guest's own tables */
	}
	return false;
}

bool step_is_possible(struct model *m, const struct step *s, const struct m_call *call)
{
	if (s->kind == S_TIME)
		return true;
	if (!model_can_run(m, s->dom, s->vcpu))
		return false;
	if (s->kind == S_TAKE || s->kind == S_IF)
		return m_has_vcs(&m->doms[s->dom].vcpus[s->vcpu]);
	return s->kind != S_CALL || (object_fits(m, call) && !looks_into_vcs(m, call) && !hurts_root(m, call));
}

/* ---- text ---- */

static const char *const kinds[S_KINDS] = { "call", "load", "store", "take", "if", "mask", "time" };

void step_print(FILE *out, const struct step *s)
{
	u32 last = 0;

	fprintf(out, "d%u.%u %s", s->dom, s->vcpu, s->kind == S_CALL ? step_name(s->nr) : kinds[s->kind]);
	for (u32 i = 0; i < 6; i++)
		if (s->a[i].kind != A_NUMBER || s->a[i].value)
			last = i + 1;
	for (u32 i = 0; i < last; i++)
		fprintf(out, " %s%llx", s->a[i].kind == A_CAP ? "cap:" : s->a[i].kind == A_NOW ? "now+" : "",
			(unsigned long long)s->a[i].value);
	if (s->kind == S_CALL && (s->nr == PV_HC_DOM_CREATE || s->nr == PV_HC_VCPU_REGS)) {
		fprintf(out, " {");
		for (u32 i = 0; i < 6; i++)
			fprintf(out, " %llx", (unsigned long long)s->batch[i]);
		fprintf(out, " }");
	}
	fputc('\n', out);
}

static bool parse_kind(struct step *s, const char *word)
{
	for (u32 i = 1; i < S_KINDS; i++) {
		s->kind = i;
		if (!strcmp(word, kinds[i]))
			return true;
	}
	s->kind = S_CALL;
	for (s->nr = 0; s->nr < PV_HC_COUNT; s->nr++)
		if (!strcmp(word, step_name(s->nr)))
			return true;
	return false;
}

static struct arg parse_arg(const char *word)
{
	if (!strncmp(word, "cap:", 4))
		return (struct arg){ A_CAP, strtoull(word + 4, NULL, 16) };
	if (!strncmp(word, "now+", 4))
		return (struct arg){ A_NOW, strtoull(word + 4, NULL, 16) };
	return (struct arg){ A_NUMBER, strtoull(word, NULL, 16) };
}

bool step_parse(struct step *s, char *line)
{
	char *rest = NULL, *word = strtok_r(line, " \n", &rest);
	bool batch = false;
	u32 n = 0;

	memset(s, 0, sizeof(*s));
	if (!word || sscanf(word, "d%u.%u", &s->dom, &s->vcpu) != 2)
		return false;
	word = strtok_r(NULL, " \n", &rest);
	if (!word || !parse_kind(s, word) || s->dom >= M_DOMS || s->vcpu >= M_VCPUS)
		return false;
	while ((word = strtok_r(NULL, " \n", &rest)) && *word != '#') {
		if (*word == '{' || *word == '}') {
			batch = true;
			n = 0;
			continue;
		}
		if (n == 6)
			return false;
		if (batch)
			s->batch[n++] = parse_arg(word).value;
		else
			s->a[n++] = parse_arg(word);
	}
	return true;
}
