/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.h - event channels. Ports are numbers in their domain's own table, guarded by dom->lock;
 * port_send() reads two entries without a lock: the first eight bytes of an entry change in one
 * store, and the peer is checked by generation.
 */
#ifndef RF_PORT_H
#define RF_PORT_H

#include "compiler.h"
#include "domain.h"
#include "types.h"

#define PORTS_PER_PAGE 256

union port_word {
	struct {
		u8 state; /* PV_PORT_* */
		u8 vcpu;  /* which is told */
		u16 peer_port;
		u32 peer_slot;
	};
	u64 all;
};

struct port {
	union port_word w;
	u32 peer_gen; /* written before w */
	u32 line;     /* VIRQ or IRQ number; free port: next free one */
};

BUILD_ASSERT(sizeof(struct port) * PORTS_PER_PAGE == PAGE_SIZE);

/* Port 0 is never handed out, so that 0 can say "none". */
i64 port_alloc(struct domain *dom);
i64 port_connect(struct domain *a, u64 port_a, struct domain *b, u64 port_b);
i64 port_bind_virq(struct domain *dom, u64 port, u64 virq);
i64 port_bind_irq(struct domain *dom, u64 port, u32 line);
i64 port_move(struct domain *dom, u64 port, u64 vcpu);
i64 port_eoi(struct domain *dom, u64 port);
i64 port_close(struct domain *dom, u64 port);
i64 port_status(struct domain *dom, u64 port);
i64 port_send(struct domain *dom, u64 port);

/* Raises it, if bound. Takes no lock of the domain. */
void port_virq(struct domain *dom, u32 virq);
/* The hardware interrupt or other source bound to port fired. */
void port_raise(struct domain *dom, u32 port);
/* Makes a port of dom pending and tells its vCPU; true if it was pending already. */
bool port_post(struct domain *dom, u32 port, u32 vcpu);

/* Destruction: closes some ports, false while there are more. Takes dom->lock and peers' locks. */
warn_unused_result bool port_destroy_step(struct domain *dom);
void port_free_pages(struct domain *dom); /* no CPU can reach the table any more */

#endif
