// SPDX-License-Identifier: BSD-2-Clause
/*
 * hc_port.c - PORT_CTL and PORT_SEND.
 */
#include "hypercall.h"

#include "bits.h"
#include "cap.h"
#include "port.h"
#include "vcpu.h"

static i64 alloc(struct vcpu *v, u64 port, u64 handle, u64 b, u64 c)
{
	struct domain *dom;
	int err;

	if (port || b || c)
		return -PV_EINVAL;
	err = cap_domain(v->dom, handle, PV_RIGHT_DOM_PORT, &dom);
	return err ? err : port_alloc(dom);
}

static i64 connect(struct vcpu *v, u64 port_a, u64 handle_a, u64 handle_b, u64 port_b)
{
	struct domain *a, *b;
	int err_a, err_b;

	if (port_a >= PV_MAX_PORTS || port_b >= PV_MAX_PORTS)
		return -PV_ERANGE;
	err_a = cap_domain(v->dom, handle_a, PV_RIGHT_DOM_PORT, &a);
	err_b = cap_domain(v->dom, handle_b, PV_RIGHT_DOM_PORT, &b);
	err_a = first_error(err_a, err_b);
	return err_a ? err_a : port_connect(a, port_a, b, port_b);
}

static i64 bind_virq(struct vcpu *v, u64 port, u64 virq, u64 host)
{
	int err;

	if (virq != PV_VIRQ_LOG && host)
		return -PV_EINVAL;
	if (port >= PV_MAX_PORTS || virq > PV_VIRQ_LOG)
		return -PV_ERANGE;
	if (virq == PV_VIRQ_LOG) {
		err = cap_host(v->dom, host, PV_RIGHT_HOST_LOG);
		if (err)
			return err;
	}
	return port_bind_virq(v->dom, port, virq);
}

static i64 bind_irq(struct vcpu *v, u64 port, u64 handle)
{
	struct cap cap;
	int err;

	if (port >= PV_MAX_PORTS)
		return -PV_ERANGE;
	err = cap_lookup(v->dom, handle, PV_CAP_IRQ, PV_RIGHT_IRQ_BIND, &cap);
	return err ? err : port_bind_irq(v->dom, port, cap.index);
}

i64 hc_port_ctl(struct vcpu *v, const struct hc_args *args)
{
	u64 port = args->a1, a = args->a2, b = args->a3, c = args->a4;

	switch (args->a0) {
	case PV_PORT_CTL_ALLOC:
		return alloc(v, port, a, b, c);
	case PV_PORT_CTL_CONNECT:
		return connect(v, port, a, b, c);
	case PV_PORT_CTL_BIND_VIRQ:
		return bind_virq(v, port, a, b);
	case PV_PORT_CTL_BIND_IRQ:
		return bind_irq(v, port, a);
	case PV_PORT_CTL_MOVE:
		return port_move(v->dom, port, a);
	case PV_PORT_CTL_EOI:
		return port_eoi(v->dom, port);
	case PV_PORT_CTL_CLOSE:
		return port_close(v->dom, port);
	case PV_PORT_CTL_STATUS:
		return port_status(v->dom, port);
	}
	return -PV_ENOSYS;
}

i64 hc_port_send(struct vcpu *v, const struct hc_args *args)
{
	return port_send(v->dom, args->a0);
}
