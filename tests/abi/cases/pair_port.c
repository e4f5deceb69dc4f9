/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_port.c - two vCPUs of a domain at one event port, or at both ends of a connection; see lib/pair.h.
 */
#include "../lib/pair.h"
#include "../lib/turns.h"

#define CLOSE(port) DO(PORT_CTL, CLOSE, IT(port))
#define CONNECT(from, to) DO(PORT_CTL, CONNECT, IT(from), PV_SELF, PV_SELF, IT(to))
#define SEND VALUE_OF(PORT_SEND, IT(PORT))
#define DESTROY_IT DO(DOM_CTL, DESTROY, IT(DOM))
#define PORT_PAIR(name, ...) \
	PV_ROW(pair_##name, "PVABI-PAR-006.1", pair_run, \
	       PAIR(.state = ports_there, .clear = ports_clear, ##__VA_ARGS__))

/* ---- allocating and closing ---- */

static void nothing(void)
{
}

static u64 numbers_differ(void)
{
	return pair_made[0] && pair_made[1] && pair_made[0] != pair_made[1];
}

static void close_made(void)
{
	for (u32 i = 0; i < 2; i++)
		CHECK_OK(OP(PORT_CTL, CLOSE, pair_made[i]));
}

#define ALLOC DO(PORT_CTL, ALLOC, 0, PV_SELF)
PORT_PAIR(alloc_alloc, .setup = nothing, .state = numbers_differ, .clear = close_made, .a = ALLOC, .b = ALLOC);

static void alloc_clear(void)
{
	if (pair_made[0])
		CHECK_OK(OP(PORT_CTL, CLOSE, pair_made[0]));
	if (pair_made[0] != things[PORT])
		OP(PORT_CTL, CLOSE, things[PORT]);
	OP(PORT_CTL, CLOSE, things[PEER]);
	OP(PORT_CTL, CLOSE, things[THIRD]);
}

PORT_PAIR(alloc_close, .setup = ports, .state = NULL, .clear = alloc_clear, .a = ALLOC, .b = CLOSE(PORT));
PORT_PAIR(close_close, .setup = connected, .a = CLOSE(PORT), .b = CLOSE(PORT));
/* Each end may be busy with the other, for as long as that lasts. */
PORT_PAIR(close_close_peer, .setup = connected, .a = CLOSE(PORT), .b = CLOSE(PEER));
PORT_PAIR(status_close, .setup = connected, .a = VALUE_OF(PORT_CTL, PV_PORT_CTL_STATUS, IT(PORT)), .b = CLOSE(PORT));
PORT_PAIR(status_close_peer, .setup = connected, .a = VALUE_OF(PORT_CTL, PV_PORT_CTL_STATUS, IT(PORT)),
	  .b = CLOSE(PEER));

/* ---- connecting and binding ---- */

PORT_PAIR(connect_connect, .setup = ports, .a = CONNECT(PORT, PEER), .b = CONNECT(THIRD, PORT));
PORT_PAIR(connect_back, .setup = ports, .a = CONNECT(PORT, PEER), .b = CONNECT(PEER, PORT));
PORT_PAIR(connect_close, .setup = ports, .a = CONNECT(PORT, PEER), .b = CLOSE(PEER));
PORT_PAIR(connect_virq, .setup = ports, .a = CONNECT(PORT, PEER), .b = DO(PORT_CTL, BIND_VIRQ, IT(PEER), PV_VIRQ_CHILD));
PORT_PAIR(virq_virq, .setup = ports, .a = DO(PORT_CTL, BIND_VIRQ, IT(PORT), PV_VIRQ_CHILD),
	  .b = DO(PORT_CTL, BIND_VIRQ, IT(PEER), PV_VIRQ_CHILD));
PORT_PAIR(virq_close, .setup = ports, .a = DO(PORT_CTL, BIND_VIRQ, IT(PORT), PV_VIRQ_CHILD), .b = CLOSE(PORT));
PORT_PAIR(virq_unbind_bind, .setup = ports, .a = DO(PORT_CTL, BIND_VIRQ, IT(PORT), PV_VIRQ_CHILD),
	  .b = CONNECT(PORT, THIRD));

/* ---- sending ---- */

/* In which vCPU's pending vectors the ports stand, once both have left the kernel. */
static u64 who_is_told(void)
{
	u64 told = 0, end = clock_ns() + 1500 * MS * PATIENCE;

	for (u32 looks = 0; looks < 4 || (!told && clock_ns() < end); looks++) {
		rest();
		for (u32 i = 0; i < 2; i++)
			told |= (load_acquire(&abi_cpus[i].vcs->pend[0]) >> PV_VEC_PORTS & 1) << i;
	}
	return told;
}

static u64 pending_and_state(void)
{
	u64 pending = port_page->pending[things[PEER] / 64] >> things[PEER] % 64 & 1;

	return ports_there() << 1 | pending;
}

PORT_PAIR(send_send, .setup = connected, .state = pending_and_state, .a = SEND, .b = SEND);
/* The peer is told before the port is free: what is sent at that moment finds it closed, or told already. */
PORT_PAIR(send_close, .setup = connected, .a = SEND, .b = CLOSE(PORT), ALSO(MAY(-PV_EDEAD, 0), MAY(1, 0)));
PORT_PAIR(send_close_peer, .setup = connected, .a = SEND, .b = CLOSE(PEER));
PORT_PAIR(send_connect, .setup = ports, .state = pending_and_state, .a = SEND, .b = CONNECT(PORT, PEER));
PORT_PAIR(send_move, .setup = connected, .state = who_is_told, .a = SEND, .b = DO(PORT_CTL, MOVE, IT(PEER), 1));
PORT_PAIR(move_close, .setup = connected, .a = DO(PORT_CTL, MOVE, IT(PORT), 1), .b = CLOSE(PORT));
PORT_PAIR(move_connect, .setup = ports, .a = DO(PORT_CTL, MOVE, IT(PORT), 1), .b = CONNECT(PORT, PEER));
PORT_PAIR(move_close_peer, .setup = connected, .a = DO(PORT_CTL, MOVE, IT(PORT), 1), .b = CLOSE(PEER));

/* ---- a peer that is destroyed ---- */

static void ports_and_domain(void)
{
	ports();
	domain_spinning();
	things[FAR] = TRY(OP(PORT_CTL, ALLOC, 0, things[DOM]));
}

static void connected_to_domain(void)
{
	ports_and_domain();
	CHECK_OK(OP(PORT_CTL, CONNECT, things[PORT], PV_SELF, things[DOM], things[FAR]));
}

static void domain_and_ports_clear(void)
{
	ports_clear();
	domain_clear();
}

#define PEER_PAIR(name, before, what, ...) \
	PORT_PAIR(name##_destroy, .setup = before, .clear = domain_and_ports_clear, .a = what, .b = DESTROY_IT, \
		  ##__VA_ARGS__)
PEER_PAIR(send, connected_to_domain, SEND);
PEER_PAIR(close, connected_to_domain, CLOSE(PORT));
PEER_PAIR(move, connected_to_domain, DO(PORT_CTL, MOVE, IT(PORT), 1));
PEER_PAIR(connect, ports_and_domain, DO(PORT_CTL, CONNECT, IT(PORT), PV_SELF, IT(DOM), IT(FAR)), ALSO(MAY(-PV_EDEAD, 0)));
PEER_PAIR(alloc, ports_and_domain, DO(PORT_CTL, ALLOC, 0, IT(DOM)), ALSO(MAY(-PV_EDEAD, 0)));

/* ---- interrupt lines ---- */

#define LINE 11u

static void ports_and_line(void)
{
	ports();
	things[HANDLE] = TRY(OP(HOST_CTL, IRQ_CAP, things[HOST], LINE));
}

static void line_bound(void)
{
	ports_and_line();
	CHECK_OK(OP(PORT_CTL, BIND_IRQ, things[PORT], things[HANDLE]));
}

static void line_clear(void)
{
	ports_clear();
	pair_drop(things[HANDLE]);
}

#define BIND(port) DO(PORT_CTL, BIND_IRQ, IT(port), IT(HANDLE))
#define LINE_PAIR(name, ...) PORT_PAIR(name, .clear = line_clear, ##__VA_ARGS__)
LINE_PAIR(irq_irq, .setup = ports_and_line, .a = BIND(PORT), .b = BIND(PEER));
LINE_PAIR(irq_close, .setup = ports_and_line, .a = BIND(PORT), .b = CLOSE(PORT));
LINE_PAIR(irq_drop, .setup = ports_and_line, .a = BIND(PORT), .b = DO(CAP_CTL, DROP, IT(HANDLE)));
LINE_PAIR(irq_rebind, .setup = line_bound, .a = BIND(PEER), .b = CLOSE(PORT));
LINE_PAIR(irq_eoi_close, .setup = line_bound, .a = DO(PORT_CTL, EOI, IT(PORT)), .b = CLOSE(PORT));
LINE_PAIR(irq_eoi_eoi, .setup = line_bound, .a = DO(PORT_CTL, EOI, IT(PORT)), .b = DO(PORT_CTL, EOI, IT(PORT)));
