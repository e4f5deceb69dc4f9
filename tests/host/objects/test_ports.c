// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_ports.c - event ports; the random walk at the end compares every state
 * with a model that is a table of plain integers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "console.h"
#include "counters.h"
#include "host.h"
#include "irq.h"
#include "port.h"
#include "ports.h"
#include "world.h"

static void life_of_a_port(void **state)
{
	u64 pa = alloc(a), pb = alloc(b);

	(void)state;
	assert_int_equal(port_send(a, pa), -PV_ESTATE);
	assert_int_equal(port_send(a, pa + 1), -PV_ENOENT);
	assert_int_equal(port_send(a, PV_MAX_PORTS), -PV_ERANGE);
	assert_int_equal(port_connect(a, pa, b, pb), 0);
	assert_int_equal(port_connect(a, pa, b, pb), -PV_EBUSY);
	assert_int_equal(port_connect(a, pa, b, pb + 1), -PV_ENOENT); /* before EBUSY */
	assert_int_equal(status(a, pa), PV_PORT_INTERDOMAIN);
	assert_int_equal(port_send(a, pa), 0);
	assert_int_equal(port_send(a, pa), 1);
	assert_true(world_take_event(b, (u32)pb));
	assert_false(world_take_event(a, (u32)pa));
	assert_int_equal(port_send(b, pb), 0);
	assert_true(world_take_event(a, (u32)pa));
	assert_int_equal(port_close(a, pa), 0);
	assert_true(world_take_event(b, (u32)pb)); /* the peer is told */
	assert_int_equal(status(b, pb), PV_PORT_CLOSED_PEER);
	assert_int_equal(port_send(b, pb), -PV_EDEAD);
	assert_int_equal(status(a, pa), PV_PORT_FREE);
	assert_int_equal(port_close(a, pa), -PV_ENOENT);
	assert_int_equal(alloc(a), pa);
	assert_int_equal(port_send(b, pb), -PV_EDEAD); /* not the one that has the number now */
	assert_int_equal(port_connect(a, pa, b, pb), 0); /* unless it takes the place */
	assert_int_equal(port_send(b, pb), 0);
	assert_true(world_take_event(a, (u32)pa));
}

static void own_ends(void **state)
{
	u64 p = alloc(a), q = alloc(a);

	(void)state;
	assert_int_equal(port_connect(a, p, a, p), -PV_EINVAL);
	assert_int_equal(port_connect(a, p, a, q), 0);
	assert_int_equal(port_send(a, p), 0);
	assert_true(world_take_event(a, (u32)q));
	assert_int_equal(port_close(a, q), 0);
	assert_int_equal(status(a, p), PV_PORT_CLOSED_PEER);
}

static void all_ports(void **state)
{
	u64 before = levels[LVL_PORTS];
	i64 port = 0;
	u32 n = 0;

	(void)state;
	while ((port = port_alloc(a)) > 0)
		n++;
	assert_int_equal(port, -PV_ENOSPC);
	assert_int_equal(n, PV_MAX_PORTS - 1);
	assert_int_equal(port_close(a, 77), 0);
	assert_int_equal(port_alloc(a), 77);
	assert_int_equal(port_status(a, 0), PV_PORT_FREE);
	(void)world_destroy(a->self);
	assert_int_equal(levels[LVL_PORTS], before);
}

static void moving(void **state)
{
	u64 p = alloc(a);

	(void)state;
	assert_int_equal(port_move(a, p, 4), -PV_ERANGE);
	assert_int_equal(port_move(a, p, 1), -PV_ENOENT);
	world_vcpu(a, 1);
	assert_int_equal(port_move(a, p + 1, 1), -PV_ENOENT);
	assert_int_equal(port_move(a, p, 1), 0);
	assert_int_equal(port_status(a, p), PV_PORT_UNBOUND | 1 << 8);
}

static void virqs(void **state)
{
	u64 p = alloc(root), q = alloc(root);

	(void)state;
	assert_int_equal(port_bind_virq(root, p, 2), -PV_ERANGE);
	assert_int_equal(port_bind_virq(root, p, PV_VIRQ_CHILD), 0);
	assert_int_equal(port_bind_virq(root, q, PV_VIRQ_CHILD), -PV_EBUSY);
	assert_int_equal(port_bind_virq(root, p, PV_VIRQ_LOG), -PV_EBUSY);
	domain_shutdown(a, PV_REASON_PANIC, 7, 0, 0);
	assert_true(world_take_event(root, (u32)p));
	domain_shutdown(a, PV_REASON_HALT, 8, 0, 0); /* nothing changed */
	assert_false(world_take_event(root, (u32)p));
	assert_int_equal(a->reason, PV_REASON_PANIC);
	assert_int_equal(port_close(root, p), 0);
	assert_int_equal(port_bind_virq(root, q, PV_VIRQ_CHILD), 0);
	(void)world_destroy(a->self);
	assert_true(world_take_event(root, (u32)q));
}

static void peer_dies(void **state)
{
	u64 pa = alloc(a), pb = alloc(b);

	(void)state;
	assert_int_equal(port_connect(a, pa, b, pb), 0);
	assert_int_equal(domain_destroy_step(b->self), -PV_EAGAIN);
	assert_int_equal(port_send(a, pa), -PV_EDEAD);
	(void)world_destroy(b->self);
	assert_int_equal(status(a, pa), PV_PORT_CLOSED_PEER);
	assert_true(world_take_event(a, (u32)pa));
}

/* Numbers behind the table, and domains that are about to go. */
static void out_of_reach(void **state)
{
	u64 pa = alloc(a), pb = alloc(b), q = alloc(a);
	i64 key = irq_claim(6);

	(void)state;
	assert_int_equal(port_close(a, PV_MAX_PORTS), -PV_ERANGE);
	assert_int_equal(port_eoi(a, PV_MAX_PORTS), -PV_ERANGE);
	assert_int_equal(port_move(a, PV_MAX_PORTS, 0), -PV_ERANGE);
	assert_int_equal(port_status(a, PV_MAX_PORTS), -PV_ERANGE);
	assert_int_equal(port_connect(a, PV_MAX_PORTS, b, pb), -PV_ERANGE);
	assert_int_equal(port_connect(a, pa, b, pb), 0);
	b->state = PV_DOM_DYING;
	assert_int_equal(port_send(a, pa), -PV_EDEAD);
	assert_false(world_take_event(b, (u32)pb));
	assert_int_equal(port_alloc(b), -PV_EDEAD);
	assert_int_equal(port_connect(a, q, b, pb), -PV_EDEAD);
	assert_int_equal(port_bind_irq(b, pb, (u32)key), -PV_EDEAD);
	b->state = PV_DOM_RUNNING;
	assert_int_equal(port_send(a, pa), 0);
	irq_cap_put((u32)key);
}

static void log_listeners(void **state)
{
	u64 p = alloc(root), q = alloc(root);

	(void)state;
	assert_int_equal(port_bind_virq(root, p, PV_VIRQ_LOG), 0);
	assert_int_equal(port_bind_virq(root, q, PV_VIRQ_CHILD), 0);
	console_notify();
	assert_true(world_take_event(root, (u32)p));
	assert_false(world_take_event(root, (u32)q));
	assert_int_equal(port_close(root, q), 0);
	console_notify();
	assert_true(world_take_event(root, (u32)p)); /* only its own port ends it */
	assert_int_equal(port_close(root, p), 0);
	console_notify();
	assert_false(world_take_event(root, (u32)p));
}

/* ---- what happens between two steps of a call ---- */

static u64 port_a, port_b;
static u32 moves;

static void peer_closes(void)
{
	assert_int_equal(port_close(b, port_b), 0);
	(void)world_take_event(a, (u32)port_a);
}

static void peer_goes(void)
{
	b->state = PV_DOM_DYING;
}

/* Sending while the other end goes: it arrived before, or the sender is told. */
static void send_meanwhile(void **state)
{
	static void (*const others[])(void) = { peer_closes, peer_goes };

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		u32 nth = 0;
		bool done;

		do {
			i64 r;

			port_a = alloc(a);
			port_b = alloc(b);
			assert_int_equal(port_connect(a, port_a, b, port_b), 0);
			host_between(++nth, false, others[i]);
			r = port_send(a, port_a);
			done = host_between_done();
			assert_true(r == 0 || r == -PV_EDEAD);
			assert_int_equal(world_take_event(b, (u32)port_b), r == 0);
			if (done && nth == 1)
				assert_int_equal(r, -PV_EDEAD);
			b->state = PV_DOM_RUNNING;
			assert_int_equal(port_close(a, port_a), 0);
			(void)port_close(b, port_b);
			(void)world_take_event(b, (u32)port_b);
		} while (done);
		assert_true(nth > 1);
	}
}

/* Closing both ends at once: each is closed once, nobody is told of a port that is no more. */
static void close_meanwhile(void **state)
{
	u64 before = levels[LVL_PORTS];
	u32 nth = 0;
	bool done;

	(void)state;
	do {
		port_a = alloc(a);
		port_b = alloc(b);
		assert_int_equal(port_connect(a, port_a, b, port_b), 0);
		host_between(++nth, false, peer_closes);
		assert_int_equal(port_close(a, port_a), 0);
		done = host_between_done();
		if (!done)
			peer_closes();
		assert_int_equal(levels[LVL_PORTS], before);
		assert_int_equal(status(a, port_a), PV_PORT_FREE);
		(void)world_take_event(b, (u32)port_b);
	} while (done);
	assert_true(nth > 2);
}

static void peer_closes_quietly(void)
{
	assert_int_equal(port_close(b, port_b), 0);
}

/* The same when one of them ends: nothing may be left of it. */
static void end_meanwhile(void **state)
{
	u64 before = levels[LVL_PORTS];
	u32 nth = 0;
	bool done;
	int err;

	(void)state;
	do {
		port_a = alloc(a);
		port_b = alloc(b);
		assert_int_equal(port_connect(a, port_a, b, port_b), 0);
		host_between(++nth, false, peer_closes_quietly);
		(void)world_destroy(a->self);
		done = host_between_done();
		if (!done && status(b, port_b) != PV_PORT_FREE)
			assert_int_equal(port_close(b, port_b), 0);
		assert_int_equal(levels[LVL_PORTS], before);
		(void)world_take_event(b, (u32)port_b);
		a = world_child(root, "again", &err);
		for (u32 p = 1; p < 32; p++)
			(void)world_take_event(a, p);
	} while (done && nth < 40);
	assert_true(nth > 4);
}

/* One call of DESTROY does not close a thousand ports. */
static void end_is_bounded(void **state)
{
	u64 before = levels[LVL_PORTS];

	(void)state;
	for (u32 i = 0; i < 1000; i++)
		(void)alloc(a);
	assert_int_equal(domain_destroy_step(a->self), -PV_EAGAIN);
	assert_true(levels[LVL_PORTS] > before + 900);
	(void)world_destroy(a->self);
	assert_int_equal(levels[LVL_PORTS], before);
}

static void moves_on(void)
{
	assert_int_equal(port_move(a, port_a, moves % 2), 0);
	if (++moves < 100)
		host_between(1, false, moves_on);
}

/* Who changes a port all the time cannot keep another CPU in the kernel. */
static void close_gives_up(void **state)
{
	i64 r = 0;

	(void)state;
	world_vcpu(a, 1);
	port_a = alloc(a);
	for (u32 nth = 1; nth < 4 && r != -PV_EBUSY; nth++) {
		moves = 1;
		host_between(nth, false, moves_on);
		r = port_close(a, port_a);
		(void)host_between_done();
		if (!r)
			port_a = alloc(a);
	}
	assert_int_equal(r, -PV_EBUSY);
	assert_int_equal(port_close(a, port_a), 0);
}

/* Who has no vCPU yet has nowhere to keep an event: nothing is sent, and nothing breaks. */
static void nobody_there(void **state)
{
	struct domain *c;
	u64 pa = alloc(a), pc;
	u32 events;
	int err;

	(void)state;
	c = world_child_sized(root, 16, 64, &err);
	pc = alloc(c);
	assert_int_equal(port_connect(a, pa, c, pc), 0);
	events = world_events;
	assert_int_equal(port_send(a, pa), 0);
	assert_int_equal(world_events, events);
	world_vcpu(c, 0);
	assert_int_equal(port_send(a, pa), 0);
	assert_int_equal(world_events, events + 1);
	assert_true(world_take_event(c, (u32)pc));
	(void)world_destroy(c->self);
	assert_int_equal(port_send(a, pa), -PV_EDEAD);
}

/* ---- a random walk beside a model ---- */

#define DOMS 3
#define PORTS 24
#define WALK 60000

static struct {
	int state; /* PV_PORT_* */
	int peer_dom, peer_port;
} model[DOMS][PORTS];

static u64 seed = 0x9e3779b97f4a7c15ull;

static u32 dice(u32 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 33) % n;
}

static bool is_single(int state)
{
	return state == PV_PORT_UNBOUND || state == PV_PORT_CLOSED_PEER;
}

static void walk_connect(struct domain **d)
{
	u32 x = dice(DOMS), y = dice(DOMS), p = 1 + dice(PORTS - 1), q = 1 + dice(PORTS - 1);
	bool free_port = !model[x][p].state || !model[y][q].state;
	bool ok = is_single(model[x][p].state) && is_single(model[y][q].state);
	bool same = x == y && p == q;
	i64 r = port_connect(d[x], p, d[y], q);

	assert_int_equal(r, same ? -PV_EINVAL : free_port ? -PV_ENOENT : ok ? 0 : -PV_EBUSY);
	if (r)
		return;
	model[x][p].state = model[y][q].state = PV_PORT_INTERDOMAIN;
	model[x][p].peer_dom = (int)y;
	model[x][p].peer_port = (int)q;
	model[y][q].peer_dom = (int)x;
	model[y][q].peer_port = (int)p;
}

static void walk_close(struct domain **d)
{
	u32 x = dice(DOMS), p = 1 + dice(PORTS - 1);
	int y = model[x][p].peer_dom, q = model[x][p].peer_port;
	i64 r = port_close(d[x], p);

	assert_int_equal(r, model[x][p].state ? 0 : -PV_ENOENT);
	if (r)
		return;
	if (model[x][p].state == PV_PORT_INTERDOMAIN) {
		assert_true(world_take_event(d[y], (u32)q));
		model[y][q].state = PV_PORT_CLOSED_PEER;
	}
	model[x][p].state = PV_PORT_FREE;
}

static void walk_send(struct domain **d)
{
	static const int wants[] = {
		[PV_PORT_FREE] = -PV_ENOENT, [PV_PORT_UNBOUND] = -PV_ESTATE,
		[PV_PORT_INTERDOMAIN] = 0, [PV_PORT_CLOSED_PEER] = -PV_EDEAD,
	};
	u32 x = dice(DOMS), p = 1 + dice(PORTS - 1);

	assert_int_equal(port_send(d[x], p), wants[model[x][p].state]);
	if (model[x][p].state == PV_PORT_INTERDOMAIN)
		assert_true(world_take_event(d[model[x][p].peer_dom],
					     (u32)model[x][p].peer_port));
}

static void walk_alloc(struct domain **d)
{
	u32 x = dice(DOMS), used = 0;
	i64 r;

	for (u32 p = 1; p < PORTS; p++)
		used += model[x][p].state != PV_PORT_FREE;
	if (used == PORTS - 1)
		return;
	r = port_alloc(d[x]);
	assert_true(r > 0 && r < PORTS);
	assert_int_equal(model[x][r].state, PV_PORT_FREE);
	model[x][r].state = PV_PORT_UNBOUND;
}

static void walk_reborn(struct domain **d)
{
	u32 x = dice(DOMS);
	int err;

	(void)world_destroy(d[x]->self);
	for (u32 p = 1; p < PORTS; p++) {
		int y = model[x][p].peer_dom, q = model[x][p].peer_port;

		if (model[x][p].state == PV_PORT_INTERDOMAIN && (u32)y != x) {
			assert_true(world_take_event(d[y], (u32)q));
			model[y][q].state = PV_PORT_CLOSED_PEER;
		}
	}
	memset(model[x], 0, sizeof(model[x]));
	d[x] = world_child(root, "reborn", &err);
	assert_non_null(d[x]);
	for (u32 p = 1; p < PORTS; p++)
		(void)world_take_event(d[x], p);
}

static void random_walk(void **state)
{
	struct domain *d[DOMS] = { root, a, b };
	int err;

	(void)state;
	d[0] = world_child(root, "c", &err);
	for (u32 i = 0; i < WALK; i++) {
		switch (dice(8)) {
		case 0:
		case 1:
			walk_alloc(d);
			break;
		case 2:
		case 3:
			walk_connect(d);
			break;
		case 4:
			walk_close(d);
			break;
		case 5:
			if (!dice(200))
				walk_reborn(d);
			break;
		default:
			walk_send(d);
		}
		for (u32 x = 0; x < DOMS; x++)
			for (u32 p = 1; p < PORTS; p++)
				assert_int_equal(status(d[x], p), model[x][p].state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(life_of_a_port, ports_setup),
		cmocka_unit_test_setup(own_ends, ports_setup),
		cmocka_unit_test_setup(all_ports, ports_setup),
		cmocka_unit_test_setup(moving, ports_setup),
		cmocka_unit_test_setup(virqs, ports_setup),
		cmocka_unit_test_setup(peer_dies, ports_setup),
		cmocka_unit_test_setup(out_of_reach, ports_setup),
		cmocka_unit_test_setup(log_listeners, ports_setup),
		cmocka_unit_test_setup(send_meanwhile, ports_setup),
		cmocka_unit_test_setup(close_meanwhile, ports_setup),
		cmocka_unit_test_setup(close_gives_up, ports_setup),
		cmocka_unit_test_setup(end_meanwhile, ports_setup),
		cmocka_unit_test_setup(end_is_bounded, ports_setup),
		cmocka_unit_test_setup(nobody_there, ports_setup),
		cmocka_unit_test_setup(random_walk, ports_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
