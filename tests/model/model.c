// SPDX-License-Identifier: BSD-2-Clause
/*
 * model.c - names, errors and results; which file of the model a call belongs to.
 */
#include "model.h"

#include <stdio.h>
#include <string.h>

static const char *const error_names[] = {
	"?", "ENOSYS", "EINVAL", "ERANGE", "ECAP", "EPERM", "EDEAD", "ESTATE", "EFAULT", "ENOENT", "EEXIST",
	"EBUSY", "ENOSPC", "ENOMEM", "EAGAIN",
};

/* ---- results ---- */

static u32 first_error(u32 errs)
{
	u32 e = 1;

	while (!(errs >> e & 1))
		e++;
	return e;
}

const char *m_expect(u32 errs, i64 result, i64 lo, i64 hi)
{
	static char text[80];

	if (errs) {
		u32 e = first_error(errs);

		if (result == -(i64)e)
			return NULL;
		snprintf(text, sizeof(text), "-%s", error_names[e]);
		return text;
	}
	if (result >= lo && result <= hi)
		return NULL;
	if (lo == hi)
		snprintf(text, sizeof(text), "%lld", (long long)lo);
	else
		snprintf(text, sizeof(text), "%lld to %lld", (long long)lo, (long long)hi);
	return text;
}

const char *m_items(u32 errs, i64 result, u64 n, u64 good, u32 item_err)
{
	if (errs || good)
		return m_expect(errs, result, 1, (i64)(good < n ? good : n));
	return m_expect(item_err, result, 0, 0);
}

const char *m_new_handle(struct m_dom *holder, const struct m_cap *cap, i64 result)
{
	if (result == -PV_ENOMEM && !m_enough(holder))
		return NULL;
	if (result <= 0 || result >> 31)
		return "a handle";
	for (u32 i = 0; i < M_CAPS; i++)
		if (holder->caps[i].handle == (u64)result)
			return "a handle that was not in use a moment ago";
	for (u32 i = 0; i < M_CAPS; i++) {
		if (holder->caps[i].type != PV_CAP_NONE)
			continue;
		holder->caps[i] = *cap;
		holder->caps[i].handle = (u64)result;
		return NULL;
	}
	return "no more capabilities than the model has room for";
}

/* ---- names ---- */

struct m_dom *m_dom_by(struct model *m, u32 serial)
{
	for (u32 i = 0; i < M_DOMS; i++)
		if (serial && m->doms[i].serial == serial)
			return &m->doms[i];
	return NULL;
}

struct m_cap *m_cap_by(struct m_dom *dom, u64 handle)
{
	for (u32 i = 0; i < M_CAPS; i++)
		if (dom->caps[i].type != PV_CAP_NONE && dom->caps[i].handle == handle)
			return &dom->caps[i];
	return NULL;
}

u32 m_need(struct m_dom *dom, u64 handle, u32 type, u32 rights, struct m_cap *out)
{
	struct m_cap *cap = m_cap_by(dom, handle);

	if (handle == PV_SELF)
		*out = (struct m_cap){ .type = PV_CAP_DOMAIN, .rights = PV_RIGHT_DOM_ALL, .object = dom->serial };
	else if (cap)
		*out = *cap;
	else
		return E(ECAP);
	if (out->type != type)
		return E(ECAP);
	return (out->rights & rights) == rights ? 0 : E(EPERM);
}

u32 m_need_dom(struct model *m, struct m_dom *caller, u64 handle, u32 rights, struct m_dom **out)
{
	struct m_cap cap;
	u32 errs = m_need(caller, handle, PV_CAP_DOMAIN, rights, &cap);

	*out = NULL;
	if (errs)
		return errs;
	*out = m_dom_by(m, cap.object);
	return *out ? 0 : E(EDEAD);
}

u32 m_need_host(struct m_dom *caller, u64 handle, u32 rights)
{
	struct m_cap cap;

	return m_need(caller, handle, PV_CAP_HOST, rights, &cap);
}

bool m_enough(const struct m_dom *dom)
{
	return dom->kmem >= M_TIGHT;
}

bool m_gfns_valid(u64 gfn, u64 n)
{
	return gfn <= PV_MAX_GFN && n <= PV_MAX_GFN + 1 - gfn;
}

/* ---- the start ---- */

void model_start(struct model *m, u32 cpus, u64 root_frames, u64 root_kmem, u64 host_handle)
{
	struct m_dom *root = &m->doms[M_ROOT];

	memset(m, 0, sizeof(*m));
	m->cpus = cpus;
	*root = (struct m_dom){
		.serial = ++m->last_serial, .state = PV_DOM_RUNNING, .quota = root_frames, .used = 16,
		.kmem = root_kmem, .max_vcpus = 4, .weight = 256, .port_page = 1, .dummy = ~0ull,
	};
	for (u32 i = 0; i < 16; i++) {
		m->frames[i].used = true;
		root->gfns[i] = (struct m_gfn){ .kind = M_PRIVATE, .writable = true, .frame = i };
	}
	m->frames[0].pins = m->frames[1].pins = 1;
	for (u32 i = 0; i < M_VCPUS; i++)
		root->vcpus[i].vcs = -1;
	root->vcpus[0] = (struct m_vcpu){ .exists = true, .run = M_READY, .timer = PV_FOREVER,
					  .deadline = PV_FOREVER, .answer = -1 };
	root->caps[0] = (struct m_cap){ PV_CAP_HOST, PV_RIGHT_HOST_ALL, host_handle, 0 };
}

/* ---- calls ---- */

static u64 operations(u64 nr)
{
#define PV_CALL(number, NAME, name, nargs, nops, max_insns) nops,
	static const u64 ops[] = {
#include <pv/calls.def>
	};
#undef PV_CALL
	return ops[nr];
}

const char *model_call(struct model *m, const struct m_call *c, i64 r)
{
	if (c->nr >= PV_HC_COUNT || (operations(c->nr) && c->a[0] >= operations(c->nr)))
		return m_expect(E(ENOSYS), r, 0, 0);
	switch (c->nr) {
	case PV_HC_CAP_CTL:
		return m_call_cap(m, c, r);
	case PV_HC_DOM_CREATE:
	case PV_HC_DOM_CTL:
	case PV_HC_SCHED_CTL:
		return m_call_domain(m, c, r);
	case PV_HC_VCPU_CTL:
	case PV_HC_VCPU_REGS:
	case PV_HC_VCPU_SETUP:
	case PV_HC_WAIT:
	case PV_HC_TIMER_SET:
	case PV_HC_IRQ_WIN:
	case PV_HC_SEND_IPI:
		return m_call_vcpu(m, c, r);
	case PV_HC_AS_LOAD_ROOT:
	case PV_HC_AS_FLUSH:
	case PV_HC_AS_CTL:
	case PV_HC_AS_MAP:
	case PV_HC_MEM_CTL:
	case PV_HC_GRANT_CTL:
		return m_call_memory(m, c, r);
	case PV_HC_PORT_CTL:
	case PV_HC_PORT_SEND:
		return m_call_port(m, c, r);
	case PV_HC_INFO:
	case PV_HC_CONSOLE_WRITE:
	case PV_HC_HOST_CTL:
		return m_call_host(m, c, r);
	}
	return NULL; /* SEG_CTL, DEBUG_REG, MSR, CPUID: the processor's, not modelled */
}
