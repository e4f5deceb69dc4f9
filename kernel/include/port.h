/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.h - event channels. Ports are numbers in their domain's own table, guarded by dom->lock;
 * port_send() follows two pointers without a lock: from an entry to the one it is connected to and to whose
 * that is. Both stay for as long as a CPU that found them may be in the kernel (destroy.c).
 */
#ifndef RF_PORT_H
#define RF_PORT_H

#include "compiler.h"
#include "domain.h"
#include "types.h"

struct port {
	u8 state; /* PV_PORT_*; written before peer */
	u8 vcpu;  /* which is told */
	u16 number; /* its own; this and owner never change */
	u32 line; /* VIRQ or IRQ number; free port: next free one */
	struct port *peer; /* INTERDOMAIN: the other end, which points back; else NULL */
	struct domain *owner;
	u64 spare; /* makes its size a power of two */
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
/* Destruction: closes some ports, false while there are more. Takes dom->lock and peers' locks. */
warn_unused_result bool port_destroy_step(struct domain *dom);
void port_free_pages(struct domain *dom); /* no CPU can reach the table any more */

#endif
