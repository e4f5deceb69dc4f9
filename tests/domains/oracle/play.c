// SPDX-License-Identifier: BSD-2-Clause
/*
 * play.c - the steps of tests/model on a running kernel: those of the root domain the driver makes itself, those of
 * the others a puppet. What the driver does on the side (a puppet's pages, registers of a new vCPU) is nothing the
 * model could tell.
 */
#include <stdio.h>
#include <string.h>

#include "oracle.h"

#define TAG_OFFSET 4088u
#define NOW (1u << 20)		/* nanoseconds: long over by any clock */
#define SOME_HANDLE 0x7ffe7fff	/* a result a new capability might have */
#define ROOT_FRAMES 16u		/* that the model's begins with */
#define VCS_WORDS 5u		/* pend and port_sel, behind the flags */
#define MASK_OFFSET 512u	/* in a port page */
#define CONSOLE_SOME 16u

u64 play_away;

static struct model trial;

/* Would the model take this answer? What it is then, is in `trial`. */
static bool acceptable(const struct model *m, const struct m_call *c, i64 r)
{
	trial = *m;
	return !model_call(&trial, c, r);
}

void play_begin(struct model *m, u32 cpus)
{
	struct pv_dom_status status;

	populate(PV_SELF, 0, ROOT_FRAMES); /* its VCS and its port page are others: see play_can() */
	dom_status(PV_SELF, &status);
	model_start(m, cpus, status.mem_quota - status.mem_used + ROOT_FRAMES, status.kmem_quota, host);
	host = TRY(OP(CAP_CTL, COPY, host, PV_SELF, PV_RIGHT_HOST_ALL)); /* steps may drop theirs */
	m->now = NOW;
	m->doms[M_ROOT].max_vcpus = PV_MAX_VCPUS;
}

/* ---- what can be played ---- */

/* Where a vCPU can write to a frame of its domain. */
static bool address_of(const struct m_dom *dom, i64 gfn, u64 *va)
{
	if (gfn < 0)
		return false;
	*va = (u64)gfn * PAGE_BYTES;
	if (dom->kind == PV_KIND_WALKED)
		return true;
	for (u32 i = 1; i < M_PAGES; i++)
		if (dom->pages[i].prot & PV_PROT_WRITE && dom->pages[i].gfn == (u64)gfn) {
			*va = i * PAGE_BYTES;
			return true;
		}
	return false;
}

static bool take_can(const struct model *m, const struct step *s)
{
	const struct m_dom *dom = &m->doms[s->dom];
	u64 va;

	return s->dom != M_ROOT && address_of(dom, dom->vcpus[s->vcpu].vcs, &va) &&
	       (dom->port_page < 0 || address_of(dom, dom->port_page, &va));
}

/* Of the root domain the model knows another VCS, port page and number of vCPUs; the batch area of others is not
 * written. */
static bool own_call_can(const struct model *m, const struct m_call *c)
{
	const struct m_dom *me = &m->doms[c->dom];
	bool is_root = c->dom == M_ROOT;

	switch (c->nr) {
	case PV_HC_DOM_CREATE: /* with room for a puppet */
		return is_root && (!acceptable(m, c, SOME_HANDLE) ||
				   (c->batch.create.mem_pages >= 24 && c->batch.create.mem_pages < 4096 &&
				    c->batch.create.kmem_pages >= 2 * M_TIGHT && !c->batch.create.cap));
	case PV_HC_VCPU_REGS:
		return is_root || c->a[0] != PV_VCPU_REGS_SET;
	case PV_HC_VCPU_SETUP:
		return !is_root && (c->a[0] != PV_VCPU_SETUP_SET_ENTRY || c->a[1] || !m_has_vcs(&me->vcpus[c->vcpu]));
	case PV_HC_WAIT:
		return !is_root || !(c->a[0] & PV_WAIT_ENABLE);
	case PV_HC_CONSOLE_WRITE: /* what it would write is no text */
		return !acceptable(m, c, 1) || (!is_root && c->a[0] <= CONSOLE_SOME);
	case PV_HC_CAP_CTL: /* or there will be no more domains */
		return !is_root || c->a[0] != PV_CAP_CTL_DROP || c->a[1] != start->host_handle;
	case PV_HC_HOST_CTL:
		return c->a[0] != PV_HOST_CTL_LOG_WRITE || !acceptable(m, c, (i64)c->a[2]);
	case PV_HC_PORT_CTL: /* the log is written by others too */
		return c->a[0] != PV_PORT_CTL_BIND_VIRQ || c->a[2] != PV_VIRQ_LOG;
	}
	return true;
}

static bool call_on_other_can(struct model *m, const struct m_call *c)
{
	struct m_dom *dom;

	if (m_need_dom(m, &m->doms[c->dom], c->a[1], 0, &dom))
		return true;
	switch (c->nr) {
	case PV_HC_VCPU_CTL:
	case PV_HC_VCPU_REGS:
		return dom != &m->doms[M_ROOT] || c->a[0] == PV_VCPU_CTL_YIELD || !c->a[2] || c->a[2] >= PV_MAX_VCPUS;
	case PV_HC_MEM_CTL:
		return dom != &m->doms[M_ROOT] || c->a[0] != PV_MEM_CTL_RELEASE || c->a[2] > 1;
	case PV_HC_SCHED_CTL: /* a puppet that hardly runs is not to be waited for */
		if (!acceptable(m, c, 0))
			return true;
		return c->a[0] == PV_SCHED_CTL_SET_CAP	  ? !c->a[2] :
		       c->a[0] == PV_SCHED_CTL_SET_WEIGHT ? c->a[2] >= 100 && c->a[2] < 1000 :
							    true;
	}
	return true;
}

/* Time passes by itself here: a deadline is over, or never comes. */
static void settle_deadline(struct step *s)
{
	struct arg *a = s->nr == PV_HC_WAIT ? &s->a[1] : &s->a[0];

	if (s->kind == S_CALL && (s->nr == PV_HC_WAIT || s->nr == PV_HC_TIMER_SET) && a->kind == A_NOW)
		*a = (struct arg){ A_NUMBER, PV_FOREVER };
}

bool play_can(struct model *m, struct step *s)
{
	struct m_dom *dom = &m->doms[s->dom];
	struct m_call c;

	settle_deadline(s);
	step_resolve(m, s, &c);
	if (!step_is_possible(m, s, &c))
		return false;
	switch (s->kind) {
	case S_CALL:
		return own_call_can(m, &c) && call_on_other_can(m, &c);
	case S_LOAD:
	case S_STORE: /* a fault would be the end of it */
		return model_access(m, s->dom, (u32)s->a[0].value % M_PAGES, s->kind == S_STORE) != NULL;
	case S_TAKE:
	case S_MASK:
		return take_can(m, s) && (s->kind == S_TAKE || dom->port_page >= 0);
	}
	return false; /* the virtual IF and time */
}

/* ---- calls ---- */

static u32 first_free(const struct model *m)
{
	u32 i = 0;

	while (i < M_DOMS && m->doms[i].serial)
		i++;
	return i;
}

static bool is_restartable(const struct m_call *c)
{
	return (c->nr == PV_HC_DOM_CTL && c->a[0] == PV_DOM_CTL_DESTROY) ||
	       (c->nr == PV_HC_GRANT_CTL && c->a[0] == PV_GRANT_CTL_REVOKE);
}

/* Registers that are right become a puppet's, but for one that means nothing to it. */
static void fill_batch(const struct model *m, const struct m_call *c)
{
	struct pv_vcpu_gpr gpr = c->batch.gpr;

	if (c->nr == PV_HC_DOM_CREATE)
		batch_put(&c->batch.create, sizeof(c->batch.create));
	if (c->nr != PV_HC_VCPU_REGS || c->a[0] != PV_VCPU_REGS_SET)
		return;
	if (acceptable(m, c, 0)) {
		gpr = puppet_registers((u32)c->a[2]);
		gpr.rbx = c->batch.gpr.rbx;
	}
	batch_put(&gpr, sizeof(gpr));
}

/* NULL, or what is wrong about when it came back. */
static const char *call_of_puppet(const struct model *m, const struct m_call *c, i64 *r)
{
	bool goes = acceptable(m, c, 0) && !model_can_run(&trial, c->dom, c->vcpu);

	do {
		if (!puppet_does(c->dom, c->vcpu, C_CALL, c->nr, c->a, r)) {
			*r = 0;
			play_away++;
			return goes ? NULL : "it does not come back";
		}
	} while (*r == -PV_EAGAIN && is_restartable(c));
	return goes ? "it came back" : NULL;
}

static const char *call_of_root(const struct model *m, const struct m_call *c, i64 *r)
{
	fill_batch(m, c);
	while ((*r = hc_call(c->nr, c->a)) == -PV_EAGAIN && is_restartable(c))
		__asm__ volatile("pause" ::: "memory"); /* where CPUs take turns, it passes the turn on */
	return NULL;
}

/* What a call that was done means for puppets: a new one, a new vCPU, one that is no more. */
static void follow(const struct model *m, const struct m_call *c, i64 r, u32 place, const u32 *serials)
{
	struct m_dom *dom;

	for (u32 i = 1; i < M_DOMS; i++)
		if (serials[i] && m->doms[i].serial != serials[i])
			puppet_end(i);
	if (c->nr == PV_HC_DOM_CREATE && r > 0)
		puppet_make(place, (u64)r, c->batch.create.kind);
	if (r || (c->nr != PV_HC_VCPU_CTL && c->nr != PV_HC_VCPU_REGS) ||
	    m_need_dom((struct model *)m, (struct m_dom *)&m->doms[c->dom], c->a[1], 0, &dom))
		return;
	if (c->nr == PV_HC_VCPU_CTL && c->a[0] == PV_VCPU_CTL_CREATE)
		puppet_new_vcpu((u32)(dom - m->doms), (u32)c->a[2]);
	if (c->nr == PV_HC_VCPU_REGS && c->a[0] == PV_VCPU_REGS_SET)
		puppet_forget((u32)(dom - m->doms), (u32)c->a[2]);
}

static const char *play_call(struct model *m, const struct m_call *c, bool planted, i64 *r)
{
	u32 place = first_free(m), serials[M_DOMS];
	const char *wrong;

	for (u32 i = 0; i < M_DOMS; i++)
		serials[i] = m->doms[i].serial;
	wrong = c->dom == M_ROOT ? call_of_root(m, c, r) : call_of_puppet(m, c, r);
	if (wrong)
		return wrong;
	m->doms[c->dom].vcpus[c->vcpu].answer = -1;
	if (planted)
		*r = *r < 0 ? 0 : -PV_EBUSY;
	wrong = model_call(m, c, *r);
	if (wrong)
		return wrong;
	if (c->nr == PV_HC_DOM_CREATE && *r > 0)
		m->doms[place].used += PUPPET_PAGES;
	follow(m, c, *r, place, serials);
	return NULL;
}

/* ---- what a guest does itself ---- */

static bool does(const struct step *s, u64 deed, u64 address, u64 value, u64 *got)
{
	const u64 a[6] = { address, value };
	i64 r = 0;

	if (!puppet_does(s->dom, s->vcpu, deed, 0, a, &r))
		return false;
	*got = (u64)r;
	return true;
}

static const char *play_access(struct model *m, const struct step *s)
{
	u32 page = (u32)s->a[0].value % M_PAGES;
	u64 *expected = model_access(m, s->dom, page, s->kind == S_STORE), at = page * PAGE_BYTES + TAG_OFFSET, got;

	if (s->kind == S_STORE)
		*expected = s->a[1].value;
	if (s->dom == M_ROOT) {
		volatile u64 *word = (volatile u64 *)at;

		if (s->kind == S_STORE)
			*word = s->a[1].value;
		got = *word;
	} else if (!does(s, s->kind == S_STORE ? C_STORE : C_LOAD, at, s->a[1].value, &got)) {
		return "an access does not end";
	}
	return got == *expected ? NULL : "a load gives another value";
}

static const char *play_take(struct model *m, const struct step *s)
{
	const struct m_dom *dom = &m->doms[s->dom];
	u64 vcs = 0, ports = 0, got;

	(void)address_of(dom, dom->vcpus[s->vcpu].vcs, &vcs);
	if (!does(s, C_CLEAR, vcs + 8, VCS_WORDS, &got))
		return "taking what is pending does not end";
	if (address_of(dom, dom->port_page, &ports) && !does(s, C_CLEAR, ports, 1, &got))
		return "taking ports does not end";
	model_take(m, s->dom, s->vcpu);
	return NULL;
}

static const char *play_mask(struct model *m, const struct step *s)
{
	u64 ports = 0, got;

	(void)address_of(&m->doms[s->dom], m->doms[s->dom].port_page, &ports);
	if (!does(s, C_STORE, ports + MASK_OFFSET, s->a[0].value, &got))
		return "a store does not end";
	model_mask(m, s->dom, (u32)s->a[0].value);
	return NULL;
}

/* A vCPU that was away can run again: then it has come back, and WAIT has returned what the model says. */
static const char *welcome(const struct model *m, const struct step *s)
{
	i64 answer = m->doms[s->dom].vcpus[s->vcpu].answer, got = 0;

	if (s->dom == M_ROOT || !puppet_is_away(s->dom, s->vcpu))
		return NULL;
	if (!puppet_comes_back(s->dom, s->vcpu, &got))
		return "a vCPU does not run that should";
	return answer >= 0 && got != answer ? "a WAIT returned another result" : NULL;
}

const char *play_step(struct model *m, const struct step *s, bool planted, i64 *result)
{
	static char text[200];
	const char *wrong = welcome(m, s);
	struct m_call c;

	*result = 0;
	if (wrong)
		return wrong;
	switch (s->kind) {
	case S_CALL:
		step_resolve(m, s, &c);
		wrong = play_call(m, &c, planted, result);
		if (!wrong)
			return NULL;
		snprintf(text, sizeof(text), "%s returned %lld, expected %s", step_name(c.nr), (long long)*result, wrong);
		return text;
	case S_LOAD:
	case S_STORE:
		return play_access(m, s);
	case S_TAKE:
		return play_take(m, s);
	}
	return play_mask(m, s);
}

const char *play_end(struct model *m)
{
	for (u32 i = 1; i < M_DOMS; i++) {
		u64 dom = puppet_handle(i);

		if (!m->doms[i].serial)
			continue;
		/* The driver's handle goes with the domain: it may not be dropped once more. */
		dom = TRY(OP(CAP_CTL, COPY, dom, PV_SELF, PV_RIGHT_DOM_ALL));
		CHECK_OK(dom_destroy(dom));
		puppet_end(i);
		m_destroy(m, &m->doms[i]);
	}
	return compare(m);
}
