// SPDX-License-Identifier: BSD-2-Clause
/*
 * port.c - event ports: allocation, binding, sending.
 *
 * Every change of an entry is made under the owner's dom->lock (both owners' for a connection, in
 * slot order). port_send() takes no lock: it follows the own entry to its peer, which must point back. What
 * can slip through between is a spurious event on a port of the same peer, never more.
 */
#include "port.h"

#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "console.h"
#include "counters.h"
#include "fail.h"
#include "irq.h"
#include "mm.h"
#include "nospec.h"
#include "panic.h"
#include "race.h"
#include "vcpu.h"

#define CLOSE_TRIES 4
#define DESTROY_PORTS_PER_STEP 32

BUILD_ASSERT(ARRAY_SIZE(((struct domain *)0)->port_pages) * PORTS_PER_PAGE == PV_MAX_PORTS);
BUILD_ASSERT(PV_MAX_PORTS - 1 <= UINT16_MAX);

/* nr < PV_MAX_PORTS. NULL if its page was never needed. */
static struct port *port_entry(const struct domain *dom, u64 nr)
{
	struct port *page;

	nr = idx_nospec(nr, PV_MAX_PORTS);
	page = atomic_load_acquire(&dom->port_pages[nr / PORTS_PER_PAGE]); /* pairs with alloc */
	return page ? &page[nr % PORTS_PER_PAGE] : NULL;
}

/* Pairs with port_send(): who finds no peer finds the state that goes with it. */
static void set_state_locked(struct port *p, u8 state)
{
	atomic_store_relaxed(&p->state, state);
	atomic_store_release(&p->peer, NULL);
}

/* An allocated port, or -PV_ERANGE / -PV_ENOENT. */
static int find_locked(const struct domain *dom, u64 nr, struct port **out)
{
	if (nr >= PV_MAX_PORTS)
		return -PV_ERANGE;
	*out = port_entry(dom, nr);
	return *out && (*out)->state != PV_PORT_FREE ? 0 : -PV_ENOENT;
}

static int find_unbound_locked(const struct domain *dom, u64 nr, struct port **out)
{
	int err = find_locked(dom, nr, out);

	if (err)
		return err;
	return (*out)->state == PV_PORT_UNBOUND ? 0 : -PV_EBUSY;
}

/* The page of a port that is the first of it to be needed. */
static struct port *add_page_locked(struct domain *dom, u32 nr)
{
	struct port *page = kmem_alloc(dom);

	if (!page)
		return NULL;
	for (u32 i = 0; i < PORTS_PER_PAGE; i++) {
		page[i].number = (u16)(nr / PORTS_PER_PAGE * PORTS_PER_PAGE + i);
		page[i].owner = dom;
	}
	atomic_store_release(&dom->port_pages[nr / PORTS_PER_PAGE], page);
	return &page[nr % PORTS_PER_PAGE];
}

static i64 alloc_locked(struct domain *dom)
{
	u32 nr = dom->port_free;
	struct port *p;

	if (domain_is_dying(dom))
		return -PV_EDEAD;
	if (FAIL_POINT(PV_ENOSPC))
		return -PV_ENOSPC;
	if (nr) {
		p = port_entry(dom, nr);
		dom->port_free = p->line;
	} else {
		nr = dom->port_top ? dom->port_top : 1;
		if (nr >= PV_MAX_PORTS)
			return -PV_ENOSPC;
		p = port_entry(dom, nr);
		if (!p)
			p = add_page_locked(dom, nr);
		if (!p)
			return -PV_ENOMEM;
		dom->port_top = nr + 1;
	}
	p->line = 0;
	atomic_store_relaxed(&p->vcpu, (u8)0);
	set_state_locked(p, PV_PORT_UNBOUND);
	level_add(LVL_PORTS, 1);
	return nr;
}

i64 port_alloc(struct domain *dom)
{
	i64 nr;

	spin_lock(&dom->lock);
	nr = alloc_locked(dom);
	spin_unlock(&dom->lock);
	return nr;
}

static void connect_half_locked(struct port *p, struct port *peer)
{
	atomic_store_relaxed(&p->state, (u8)PV_PORT_INTERDOMAIN);
	atomic_store_release(&p->peer, peer); /* pairs with port_send() */
}

/* One that has no peer: unbound, or its peer has gone and a successor may take the place. */
static int find_single_locked(const struct domain *dom, u64 nr, struct port **out)
{
	int err = find_locked(dom, nr, out);

	if (err)
		return err;
	return (*out)->state == PV_PORT_UNBOUND || (*out)->state == PV_PORT_CLOSED_PEER ? 0 : -PV_EBUSY;
}

/* Looks both up so that the error of higher precedence wins, whichever port it is about. */
static int find_pair_locked(struct domain *a, u64 port_a, struct domain *b, u64 port_b,
			    struct port **pa, struct port **pb)
{
	int err_a = find_single_locked(a, port_a, pa);
	int err_b = find_single_locked(b, port_b, pb);

	if (domain_is_dying(a) || domain_is_dying(b))
		return -PV_EDEAD;
	if (err_a && err_b)
		return MAX(err_a, err_b); /* codes ascend in order of precedence */
	return err_a ? err_a : err_b;
}

i64 port_connect(struct domain *a, u64 port_a, struct domain *b, u64 port_b)
{
	struct port *pa = NULL, *pb = NULL;
	int err;

	if (a == b && port_a == port_b)
		return -PV_EINVAL;
	domain_lock_two(a, b);
	err = find_pair_locked(a, port_a, b, port_b, &pa, &pb);
	if (!err) {
		connect_half_locked(pa, pb);
		connect_half_locked(pb, pa);
	}
	domain_unlock_two(a, b);
	return err;
}

i64 port_bind_virq(struct domain *dom, u64 nr, u64 virq)
{
	struct port *p;
	int err;

	if (virq >= ARRAY_SIZE(dom->virq_port))
		return -PV_ERANGE;
	virq = idx_nospec(virq, ARRAY_SIZE(dom->virq_port));
	spin_lock(&dom->lock);
	err = find_unbound_locked(dom, nr, &p);
	if (!err && dom->virq_port[virq])
		err = -PV_EBUSY;
	if (!err) {
		p->line = (u32)virq;
		set_state_locked(p, PV_PORT_VIRQ);
		atomic_store_release(&dom->virq_port[virq], (u32)nr);
		if (virq == PV_VIRQ_LOG)
			console_listen(dom, true);
	}
	spin_unlock(&dom->lock);
	return err;
}

i64 port_bind_irq(struct domain *dom, u64 nr, u32 line)
{
	struct port *p;
	int err;

	spin_lock(&dom->lock);
	err = domain_is_dying(dom) ? -PV_EDEAD : find_unbound_locked(dom, nr, &p);
	if (!err)
		err = irq_bind(line, dom, (u32)nr);
	if (!err) {
		p->line = line;
		set_state_locked(p, PV_PORT_IRQ);
	}
	spin_unlock(&dom->lock);
	return err;
}

i64 port_move(struct domain *dom, u64 nr, u64 vcpu)
{
	struct port *p;
	int err;

	if (vcpu >= dom->max_vcpus)
		return -PV_ERANGE;
	vcpu = idx_nospec(vcpu, PV_MAX_VCPUS);
	spin_lock(&dom->lock);
	err = find_locked(dom, nr, &p);
	if (!err && !dom->vcpus[vcpu])
		err = -PV_ENOENT;
	if (!err)
		atomic_store_relaxed(&p->vcpu, (u8)vcpu);
	spin_unlock(&dom->lock);
	return err;
}

i64 port_eoi(struct domain *dom, u64 nr)
{
	struct port *p;
	int err;

	spin_lock(&dom->lock);
	err = find_locked(dom, nr, &p);
	if (!err && p->state != PV_PORT_IRQ)
		err = -PV_ESTATE;
	if (!err)
		irq_eoi(p->line);
	spin_unlock(&dom->lock);
	return err;
}

i64 port_status(struct domain *dom, u64 nr)
{
	struct port *p;
	i64 result = PV_PORT_FREE;

	if (nr >= PV_MAX_PORTS)
		return -PV_ERANGE;
	spin_lock(&dom->lock);
	p = port_entry(dom, nr);
	if (p && p->state != PV_PORT_FREE)
		result = p->state | p->vcpu << 8;
	spin_unlock(&dom->lock);
	return result;
}

/* Undoes what the port is bound to; the domain of its peer is locked as well if it is interdomain. Returns true if
 * the peer is to be told. */
static bool unbind_locked(struct domain *dom, struct port *p)
{
	switch (p->state) {
	case PV_PORT_VIRQ:
		atomic_store_release(&dom->virq_port[p->line], 0u);
		if (p->line == PV_VIRQ_LOG)
			console_listen(dom, false);
		return false;
	case PV_PORT_IRQ:
		irq_unbind(p->line);
		return false;
	case PV_PORT_INTERDOMAIN:
		/* Both ends change together: with one of them connected the other one is there. */
		ASSERT(p->peer && p->peer->state == PV_PORT_INTERDOMAIN && p->peer->peer == p);
		set_state_locked(p->peer, PV_PORT_CLOSED_PEER);
		return true;
	default:
		return false;
	}
}

static void free_locked(struct domain *dom, struct port *p)
{
	set_state_locked(p, PV_PORT_FREE);
	p->line = dom->port_free;
	dom->port_free = p->number;
	level_add(LVL_PORTS, -1);
}

/* Which is told; NULL while it does not exist. */
static struct vcpu *vcpu_of(const struct port *p)
{
	return atomic_load_acquire(&p->owner->vcpus[atomic_load_relaxed(&p->vcpu)]);
}

static void post_to(const struct port *p)
{
	struct vcpu *v = vcpu_of(p);

	if (v)
		(void)vcpu_post_port(v, p->number);
}

/*
 * One attempt; -PV_EAGAIN if the port changed between finding its peer and locking both. The peer's domain may be gone
 * by then, but not before this CPU leaves the kernel.
 */
static int close_once(struct domain *dom, u64 nr)
{
	struct port seen = { .peer = NULL };
	struct port *p = NULL, *peer;
	struct domain *other;
	bool tell = false;
	int err;

	spin_lock(&dom->lock);
	err = find_locked(dom, nr, &p);
	if (!err)
		seen = *p;
	spin_unlock(&dom->lock);
	if (err)
		return err;

	peer = seen.peer;
	other = peer ? peer->owner : dom;
	domain_lock_two(dom, other);
	if (p->peer != peer || p->state != seen.state || p->vcpu != seen.vcpu) {
		err = -PV_EAGAIN;
	} else {
		tell = unbind_locked(dom, p);
		free_locked(dom, p);
	}
	domain_unlock_two(dom, other);
	if (tell)
		post_to(peer);
	return err;
}

i64 port_close(struct domain *dom, u64 nr)
{
	int err = -PV_EAGAIN;

	for (u32 i = 0; i < CLOSE_TRIES && err == -PV_EAGAIN; i++)
		err = close_once(dom, nr);
	return err == -PV_EAGAIN ? -PV_EBUSY : err; /* its owner is changing it on another CPU */
}

static __noinline i64 cannot_send(u8 state)
{
	return state == PV_PORT_FREE ? -PV_ENOENT : state == PV_PORT_CLOSED_PEER ? -PV_EDEAD : -PV_ESTATE;
}

/* A jump at the end: the compiler need not keep a frame for it. */
i64 port_send(struct domain *dom, u64 nr)
{
	struct port *p, *peer;
	struct vcpu *v;

	if (unlikely(nr >= PV_MAX_PORTS))
		return -PV_ERANGE;
	p = port_entry(dom, nr);
	if (unlikely(!p))
		return -PV_ENOENT;
	/* Pairs with connect_half_locked() and set_state_locked(). */
	while (unlikely(!(peer = atomic_load_acquire(&p->peer)))) {
		u8 state = atomic_load_relaxed(&p->state);

		if (state != PV_PORT_INTERDOMAIN) /* else it has got one this very moment */
			return cannot_send(state);
	}
	RACE_POINT();
	if (unlikely(domain_is_dying(peer->owner) || atomic_load_acquire(&peer->peer) != p))
		return -PV_EDEAD;
	count(CNT_PORT_SENDS);
	RACE_POINT();
	v = vcpu_of(peer);
	return likely(v) ? vcpu_post_port(v, peer->number) : 0;
}

void port_raise(struct domain *dom, u32 nr)
{
	struct port *p = port_entry(dom, nr);

	if (p)
		post_to(p);
}

void port_virq(struct domain *dom, u32 virq)
{
	u32 nr = atomic_load_acquire(&dom->virq_port[virq]);

	if (nr)
		port_raise(dom, nr);
}

bool port_destroy_step(struct domain *dom)
{
	u32 n = 0;

	for (; dom->destroy_cursor < dom->port_top; dom->destroy_cursor++) {
		struct port *p = port_entry(dom, dom->destroy_cursor);

		if (n++ == DESTROY_PORTS_PER_STEP)
			return false;
		if (p && atomic_load_relaxed(&p->state) != PV_PORT_FREE && close_once(dom, dom->destroy_cursor))
			return false;
	}
	return true;
}

void port_free_pages(struct domain *dom)
{
	for (u32 i = 0; i < ARRAY_SIZE(dom->port_pages); i++) {
		if (dom->port_pages[i])
			kmem_free(dom, dom->port_pages[i]);
		dom->port_pages[i] = NULL;
	}
}
