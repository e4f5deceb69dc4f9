/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/port.h - event ports: bare calls. What arrives is taken by pv/event.h.
 * ABI: PORT_CTL (17), PORT_SEND (18), SEND_IPI (19).
 */
#ifndef PV_PORT_H
#define PV_PORT_H

#include <pv/call.h>

/* Result: a fresh unbound port of dom (PV_RIGHT_DOM_PORT). ENOSPC, ENOMEM. */
static inline int64_t pv_port_alloc(pv_handle_t dom)
{
	return pv_call5(PV_HC_PORT_CTL, PV_PORT_CTL_ALLOC, 0, dom, 0, 0);
}

/*
 * Connects port_a of domain a with port_b of domain b, each unbound or left by its peer (else EBUSY).
 * ENOENT: free.
 */
static inline int64_t pv_port_connect(pv_handle_t a, pv_port_t port_a, pv_handle_t b,
				      pv_port_t port_b)
{
	return pv_call5(PV_HC_PORT_CTL, PV_PORT_CTL_CONNECT, port_a, a, b, port_b);
}

/* Binds an unbound port to PV_VIRQ_*; host for PV_VIRQ_LOG, else 0. EBUSY: bound elsewhere. */
static inline int64_t pv_port_bind_virq(pv_port_t port, uint64_t virq, pv_handle_t host)
{
	return pv_call5(PV_HC_PORT_CTL, PV_PORT_CTL_BIND_VIRQ, port, virq, host, 0);
}

/* Binds an unbound port to a hardware interrupt (PV_RIGHT_IRQ_BIND). EBUSY: line bound elsewhere. */
static inline int64_t pv_port_bind_irq(pv_port_t port, pv_handle_t irq)
{
	return pv_call5(PV_HC_PORT_CTL, PV_PORT_CTL_BIND_IRQ, port, irq, 0, 0);
}

/* vCPU `vcpu` is told of this port from now on. */
static inline int64_t pv_port_move(pv_port_t port, uint64_t vcpu)
{
	return pv_call5(PV_HC_PORT_CTL, PV_PORT_CTL_MOVE, port, vcpu, 0, 0);
}

/* The hardware interrupt has been served: let it come again. ESTATE: not bound to one. */
static inline int64_t pv_port_eoi(pv_port_t port)
{
	return pv_call5(PV_HC_PORT_CTL, PV_PORT_CTL_EOI, port, 0, 0, 0);
}

/* Frees the port; its peer becomes PV_PORT_CLOSED_PEER and is told. ENOENT. */
static inline int64_t pv_port_close(pv_port_t port)
{
	return pv_call5(PV_HC_PORT_CTL, PV_PORT_CTL_CLOSE, port, 0, 0, 0);
}

/* Result: PV_PORT_* | vcpu << 8. ERANGE: number. */
static inline int64_t pv_port_status(pv_port_t port)
{
	return pv_call5(PV_HC_PORT_CTL, PV_PORT_CTL_STATUS, port, 0, 0, 0);
}

/* Makes the peer pending. Result: 1 if it was already. EDEAD: peer gone; ESTATE, ENOENT. */
static inline int64_t pv_port_send(pv_port_t port)
{
	return pv_call1(PV_HC_PORT_SEND, port);
}

/* Posts vector (PV_VEC_IPI_MIN..255) to the own vCPUs of the mask. ENOENT: one does not exist. */
static inline int64_t pv_send_ipi(uint64_t vcpus, uint64_t vector)
{
	return pv_call2(PV_HC_SEND_IPI, vcpus, vector);
}

#endif
