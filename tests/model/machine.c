// SPDX-License-Identifier: BSD-2-Clause
/*
 * machine.c - see machine.h.
 */
#include "machine_impl.h"

#include "bits.h"
#include "cap.h"
#include "counters.h"
#include "host.h"
#include "mm.h"
#include "vcpu.h"
#include "whole.h"

#include <stdio.h>
#include <string.h>

#define RAM MIB(32)
#define TAG_OFFSET 4088
#define MAX_REPEATS 100000

struct domain_ref machine_refs[M_DOMS];

static u64 start_levels[LVL_COUNT];

struct domain *machine_domain(u32 index)
{
	return domain_lookup(machine_refs[index]);
}

bool machine_start(struct model *m)
{
	struct domain *root = whole_start(RAM, MACHINE_CPUS);

	if (!root)
		return false;
	model_start(m, MACHINE_CPUS, root->mm.mem_quota, root->mm.kmem_quota, whole_host_handle);
	/* As SET_VCS and SET_PORT_PAGE of whole_start() leave it. */
	m->doms[M_ROOT].vcpus[0].vcs = 0;
	machine_refs[M_ROOT] = root->self;
	memcpy(start_levels, levels, sizeof(levels));
	return true;
}

static struct vcpu *vcpu_of(const struct step *s)
{
	struct domain *dom = machine_domain(s->dom);

	return dom ? dom->vcpus[s->vcpu] : NULL;
}

/* ---- calls ---- */

static bool is_restartable(const struct m_call *c)
{
	return (c->nr == PV_HC_DOM_CTL && c->a[0] == PV_DOM_CTL_DESTROY) ||
	       (c->nr == PV_HC_GRANT_CTL && c->a[0] == PV_GRANT_CTL_REVOKE);
}

static void fill_batch(struct vcpu *v, const struct m_call *c)
{
	u32 size = c->nr == PV_HC_DOM_CREATE ? sizeof(c->batch.create) :
		   c->nr == PV_HC_VCPU_REGS  ? sizeof(c->batch.gpr) :
					       sizeof(struct pv_entry);

	if (vcpu_batch(v) && (c->nr == PV_HC_DOM_CREATE || c->nr == PV_HC_VCPU_REGS ||
			      c->nr == PV_HC_VCPU_SETUP))
		memcpy(vcpu_batch(v), &c->batch, size);
}

static i64 call(struct vcpu *v, const struct m_call *c)
{
	i64 r;

	fill_batch(v, c);
	r = whole_call(v, c->nr, c->a);
	for (u32 i = 0; r == -PV_EAGAIN && is_restartable(c) && i < MAX_REPEATS; i++) {
		if (!whole_run(v))
			return r;
		r = whole_call(v, c->nr, c->a);
	}
	return r;
}

/* The new domain's name on this side; the model put it in the first free place. */
static void note_created(u32 place, struct domain *creator, u64 handle)
{
	struct cap cap;

	if (!cap_get(creator, handle, &cap))
		machine_refs[place] = cap.dom;
}

static u32 first_free(const struct model *m)
{
	u32 i = 0;

	while (i < M_DOMS && m->doms[i].serial)
		i++;
	return i;
}

static const char *call_both(struct model *m, struct vcpu *v, const struct m_call *c, struct failing *f, i64 *result)
{
	static char text[200];
	u32 place = first_free(m);
	const char *expected;

	m->doms[c->dom].vcpus[c->vcpu].answer = -1;
	host_fail_arm(f->nth);
	*result = call(v, c);
	f->site = host_fail_disarm();
	f->refused = f->site && (*result == -PV_ENOMEM || *result == -PV_ENOSPC);
	if (f->refused)
		return NULL;
	expected = model_call(m, c, *result);
	if (expected) {
		snprintf(text, sizeof(text), "%s returned %lld, expected %s", step_name(c->nr),
			 (long long)*result, expected);
		return text;
	}
	if (c->nr == PV_HC_DOM_CREATE && *result > 0)
		note_created(place, v->dom, (u64)*result);
	return NULL;
}

/* ---- what a guest does itself ---- */

static const char *access_both(struct model *m, const struct step *s, bool write, struct failing *f)
{
	u32 page = (u32)s->a[0].value % M_PAGES;
	u64 *expected = model_access(m, s->dom, page, write), error, got;
	enum host_result r;
	char *p;

	if (m->doms[s->dom].kind == PV_KIND_WALKED && !expected)
		return NULL; /* absent memory reads as ones: not in the model */
	host_fail_arm(f->nth);
	r = host_access((u64)page * PAGE_SIZE + TAG_OFFSET, write ? HOST_WRITE : HOST_READ, &p, &error);
	f->site = host_fail_disarm();
	f->refused = f->site && r == HOST_FATAL;
	if (f->refused)
		return NULL;
	if (r == HOST_FATAL && !m_enough(&m->doms[s->dom]))
		return NULL;
	if ((r == HOST_OK) != (expected != NULL))
		return r == HOST_OK ? "an access works that should fault" : "an access faults that should work";
	if (r != HOST_OK)
		return NULL;
	if (write) {
		memcpy(p, &s->a[1].value, sizeof(got));
		*expected = s->a[1].value;
	}
	memcpy(&got, p, sizeof(got));
	return got == *expected ? NULL : "a load gives another value";
}

static void take_both(struct model *m, const struct step *s, struct vcpu *v)
{
	memset(v->vcs->pend, 0, sizeof(v->vcs->pend));
	v->vcs->port_sel = 0;
	if (v->dom->port_page)
		v->dom->port_page->pending[0] = 0;
	model_take(m, s->dom, s->vcpu);
}

static void set_if_both(struct model *m, const struct step *s, struct vcpu *v)
{
	bool on = s->a[0].value & 1;

	v->vcs->flags = (v->vcs->flags & ~(u64)PV_VCS_IF) | (on ? PV_VCS_IF : 0);
	model_set_if(m, s->dom, s->vcpu, on);
}

const char *machine_step_failing(struct model *m, const struct step *s, struct failing *f, i64 *result)
{
	struct vcpu *v;
	struct m_call c;

	*result = 0;
	f->site = NULL;
	f->refused = false;
	if (s->kind == S_TIME) {
		whole_time(s->a[0].value);
		model_time(m, s->a[0].value);
		return NULL;
	}
	step_resolve(m, s, &c);
	v = vcpu_of(s);
	if (!v || !whole_run(v))
		return "a vCPU does not run that should";
	switch (s->kind) {
	case S_CALL:
		return call_both(m, v, &c, f, result);
	case S_LOAD:
	case S_STORE:
		return access_both(m, s, s->kind == S_STORE, f);
	case S_TAKE:
		take_both(m, s, v);
		break;
	case S_IF:
		set_if_both(m, s, v);
		break;
	case S_MASK:
		if (v->dom->port_page)
			v->dom->port_page->mask[0] = s->a[0].value;
		model_mask(m, s->dom, (u32)s->a[0].value);
		break;
	}
	return NULL;
}

const char *machine_step(struct model *m, const struct step *s, i64 *result)
{
	struct failing none = { .nth = 0 };

	return machine_step_failing(m, s, &none, result);
}

/* ---- the end ---- */

const char *machine_end(struct model *m)
{
	struct domain *root = machine_domain(M_ROOT);
	const char *wrong;

	if (!whole_run(root->vcpus[0]))
		return "the root domain does not run";
	for (u32 i = 1; i < M_DOMS; i++) {
		if (!m->doms[i].serial)
			continue;
		whole_destroy(machine_refs[i]);
		m_destroy(m, &m->doms[i]);
	}
	wrong = machine_compare(m);
	if (wrong)
		return wrong;
	if (levels[LVL_KMEM] != root->mm.kmem_used)
		return "kernel memory of dead domains is left";
	if (frame_free_count() != root->mm.mem_quota + root->mm.kmem_quota - root->mm.mem_used -
					  root->mm.kmem_used)
		return "frames of dead domains are left";
	return levels[LVL_DOMAINS] == 1 ? NULL : "a dead domain is left";
}
