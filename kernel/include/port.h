/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.h - event channels. Ports are numbers in their domain's own table, guarded by dom->lock;
 * port_send() reads one entry without a lock (16 bytes, peer checked by generation).
 */
#ifndef RF_PORT_H
#define RF_PORT_H

#include "domain.h"
#include "types.h"

struct port {
	u8 state; /* PV_PORT_* */
	u8 vcpu;  /* which is told */
	u16 peer_port;
	struct domain_ref peer;
	u32 line; /* VIRQ or IRQ number */
};

i64 port_alloc(struct domain *dom);
i64 port_connect(struct domain *a, u64 port_a, struct domain *b, u64 port_b);
i64 port_bind_virq(struct domain *dom, u64 port, u64 virq);
i64 port_bind_irq(struct domain *dom, u64 port, u32 line);
i64 port_move(struct domain *dom, u64 port, u64 vcpu);
i64 port_eoi(struct domain *dom, u64 port);
i64 port_close(struct domain *dom, u64 port);
i64 port_status(struct domain *dom, u64 port);
i64 port_send(struct domain *dom, u64 port);
void port_virq(struct domain *dom, u32 virq); /* raises it, if bound */
void port_destroy_all(struct domain *dom);
void irq_release_all(struct domain *dom);

#endif
