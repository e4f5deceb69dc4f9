// SPDX-License-Identifier: BSD-2-Clause
/*
 * port.c - event ports: allocation, binding, sending.
 *
 * Every change of an entry is made under the owner's dom->lock (both owners' for a connection, in
 * slot order) and ends with one store of its first word. port_send() takes no lock: it reads the
 * own entry, finds the peer by slot and generation, and checks that the peer's entry points back.
 * What can slip through between is a spurious event on a port of the same peer, never more.
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

/* nr < PV_MAX_PORTS. NULL if its page was never needed. */
static struct port *port_entry(const struct domain *dom, u64 nr)
{
	struct port *page;

	nr = idx_nospec(nr, PV_MAX_PORTS);
	page = atomic_load_acquire(&dom->port_pages[nr / PORTS_PER_PAGE]); /* pairs with alloc */
	return page ? &page[nr % PORTS_PER_PAGE] : NULL;
}

static union port_word word_of(const struct port *p)
{
	return (union port_word){ .all = atomic_load_acquire(&p->w.all) };
}

static void set_word(struct port *p, union port_word w)
{
	atomic_store_release(&p->w.all, w.all); /* pairs with word_of() */
}

static void set_state_locked(struct port *p, u8 state)
{
	union port_word w = { .state = state, .vcpu = p->w.vcpu };

	set_word(p, w);
}

/* An allocated port, or -PV_ERANGE / -PV_ENOENT. */
static int find_locked(const struct domain *dom, u64 nr, struct port **out)
{
	if (nr >= PV_MAX_PORTS)
		return -PV_ERANGE;
	*out = port_entry(dom, nr);
	return *out && (*out)->w.state != PV_PORT_FREE ? 0 : -PV_ENOENT;
}

static int find_unbound_locked(const struct domain *dom, u64 nr, struct port **out)
{
	int err = find_locked(dom, nr, out);

	if (err)
		return err;
	return (*out)->w.state == PV_PORT_UNBOUND ? 0 : -PV_EBUSY;
}

static i64 alloc_locked(struct domain *dom)
{
	u32 nr = dom->port_free;
	struct port *page, *p;

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
		if (!p) {
			page = kmem_alloc(dom);
			if (!page)
				return -PV_ENOMEM;
			atomic_store_release(&dom->port_pages[nr / PORTS_PER_PAGE], page);
			p = &page[nr % PORTS_PER_PAGE];
		}
		dom->port_top = nr + 1;
	}
	p->peer_gen = 0;
	p->line = 0;
	set_word(p, (union port_word){ .state = PV_PORT_UNBOUND });
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

static void connect_half_locked(struct port *p, const struct domain *peer, u64 peer_port)
{
	p->peer_gen = peer->self.gen;
	set_word(p, (union port_word){
			    .state = PV_PORT_INTERDOMAIN,
			    .vcpu = p->w.vcpu,
			    .peer_port = (u16)peer_port,
			    .peer_slot = peer->self.slot,
		    });
}

/* One that has no peer: unbound, or its peer has gone and a successor may take the place. */
static int find_single_locked(const struct domain *dom, u64 nr, struct port **out)
{
	int err = find_locked(dom, nr, out);

	if (err)
		return err;
	return (*out)->w.state == PV_PORT_UNBOUND || (*out)->w.state == PV_PORT_CLOSED_PEER ? 0 : -PV_EBUSY;
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
		connect_half_locked(pa, b, port_b);
		connect_half_locked(pb, a, port_a);
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
	union port_word w;
	struct port *p;
	int err;

	if (vcpu >= dom->max_vcpus)
		return -PV_ERANGE;
	vcpu = idx_nospec(vcpu, PV_MAX_VCPUS);
	spin_lock(&dom->lock);
	err = find_locked(dom, nr, &p);
	if (!err && !dom->vcpus[vcpu])
		err = -PV_ENOENT;
	if (!err) {
		w = p->w;
		w.vcpu = (u8)vcpu;
		set_word(p, w);
	}
	spin_unlock(&dom->lock);
	return err;
}

i64 port_eoi(struct domain *dom, u64 nr)
{
	struct port *p;
	int err;

	spin_lock(&dom->lock);
	err = find_locked(dom, nr, &p);
	if (!err && p->w.state != PV_PORT_IRQ)
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
	if (p && p->w.state != PV_PORT_FREE)
		result = p->w.state | p->w.vcpu << 8;
	spin_unlock(&dom->lock);
	return result;
}

/* Undoes what the port is bound to; peer is locked as well if it is interdomain. Returns true if
 * the peer is to be told. */
static bool unbind_locked(struct domain *dom, struct port *p, __maybe_unused u32 nr, struct domain *peer)
{
	struct port *q;

	switch (p->w.state) {
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
		ASSERT(peer);
		q = port_entry(peer, p->w.peer_port);
		ASSERT(q->w.state == PV_PORT_INTERDOMAIN && q->w.peer_port == nr &&
		       q->w.peer_slot == dom->self.slot && q->peer_gen == dom->self.gen);
		set_state_locked(q, PV_PORT_CLOSED_PEER);
		return true;
	default:
		return false;
	}
}

static void free_locked(struct domain *dom, struct port *p, u32 nr)
{
	set_word(p, (union port_word){ .state = PV_PORT_FREE });
	p->line = dom->port_free;
	dom->port_free = nr;
	level_add(LVL_PORTS, -1);
}

/* One attempt; -PV_EAGAIN if the port changed between finding its peer and locking both. */
static int close_once(struct domain *dom, u64 nr)
{
	struct domain *peer = NULL;
	union port_word seen = { .all = 0 };
	struct port *p = NULL;
	u32 peer_vcpu = 0;
	bool tell = false;
	int err;

	spin_lock(&dom->lock);
	err = find_locked(dom, nr, &p);
	if (!err) {
		seen = p->w;
		if (seen.state == PV_PORT_INTERDOMAIN)
			peer = domain_lookup((struct domain_ref){ seen.peer_slot, p->peer_gen });
	}
	spin_unlock(&dom->lock);
	if (err)
		return err;

	domain_lock_two(dom, peer ? peer : dom);
	if (p->w.all != seen.all || (peer && p->peer_gen != peer->self.gen)) {
		err = -PV_EAGAIN;
	} else {
		tell = unbind_locked(dom, p, (u32)nr, peer);
		if (tell)
			peer_vcpu = port_entry(peer, seen.peer_port)->w.vcpu;
		free_locked(dom, p, (u32)nr);
	}
	domain_unlock_two(dom, peer ? peer : dom);
	if (tell)
		(void)port_post(peer, seen.peer_port, peer_vcpu);
	return err;
}

i64 port_close(struct domain *dom, u64 nr)
{
	int err = -PV_EAGAIN;

	for (u32 i = 0; i < CLOSE_TRIES && err == -PV_EAGAIN; i++)
		err = close_once(dom, nr);
	return err == -PV_EAGAIN ? -PV_EBUSY : err; /* its owner is changing it on another CPU */
}

bool port_post(struct domain *dom, u32 port, u32 vcpu)
{
	struct vcpu *v = atomic_load_acquire(&dom->vcpus[vcpu]);

	return v ? vcpu_post_port(v, port) : false;
}

/* The number stands in an entry: the kernel's own, which needs no idx_nospec(). */
static struct port *peer_entry(const struct domain *peer, u32 nr)
{
	struct port *page = atomic_load_acquire(&peer->port_pages[nr / PORTS_PER_PAGE]);

	ASSERT(page); /* it was connected, and pages of ports stay as long as a CPU may reach them */
	return &page[nr % PORTS_PER_PAGE];
}

static __noinline i64 cannot_send(u8 state)
{
	return state == PV_PORT_FREE ? -PV_ENOENT : state == PV_PORT_CLOSED_PEER ? -PV_EDEAD : -PV_ESTATE;
}

i64 port_send(struct domain *dom, u64 nr)
{
	union port_word w, back, want;
	struct domain *peer;
	struct port *p;

	if (unlikely(nr >= PV_MAX_PORTS))
		return -PV_ERANGE;
	p = port_entry(dom, nr);
	if (unlikely(!p))
		return -PV_ENOENT;
	w = word_of(p);
	if (unlikely(w.state != PV_PORT_INTERDOMAIN))
		return cannot_send(w.state);
	peer = atomic_load_acquire(&domains[w.peer_slot]);
	RACE_POINT();
	if (unlikely(!peer || peer->self.gen != atomic_load_relaxed(&p->peer_gen) || domain_is_dying(peer)))
		return -PV_EDEAD;
	back = word_of(peer_entry(peer, w.peer_port));
	want = (union port_word){
		.state = PV_PORT_INTERDOMAIN, .vcpu = back.vcpu, .peer_port = (u16)nr, .peer_slot = dom->self.slot
	};
	if (unlikely(back.all != want.all))
		return -PV_EDEAD;
	count(CNT_PORT_SENDS);
	RACE_POINT();
	return port_post(peer, w.peer_port, back.vcpu);
}

void port_raise(struct domain *dom, u32 nr)
{
	struct port *p = port_entry(dom, nr);

	if (p)
		(void)port_post(dom, nr, word_of(p).vcpu);
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
		if (p && word_of(p).state != PV_PORT_FREE && close_once(dom, dom->destroy_cursor))
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
