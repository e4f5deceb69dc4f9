// SPDX-License-Identifier: BSD-2-Clause
/*
 * hc_dev.c - DEV_CTL: PCI functions in the hands of domains. The checks that need no table, and the handles.
 */
#include "hypercall.h"

#include "bits.h"
#include "cap.h"
#include "device.h"
#include "mm.h"
#include "pci.h"
#include "vcpu.h"

static int cfg_check(u64 off, u64 width, u64 value)
{
	if ((width != 1 && width != 2 && width != 4) || off % width)
		return -PV_EINVAL;
	return off >= PCI_CONFIG_SIZE || value >> 8 * width ? -PV_ERANGE : 0;
}

/* Everything that can be said about the arguments alone. */
static int dev_check(u64 op, const struct hc_args *args)
{
	u64 a = args->a2, b = args->a3, c = args->a4, d = args->a5;

	switch (op) {
	case PV_DEV_CTL_CAP:
		return a > 0xffff ? -PV_ERANGE : 0;
	case PV_DEV_CTL_ASSIGN:
		return b & ~(u64)PV_DEV_TRUSTED ? -PV_EINVAL : 0;
	case PV_DEV_CTL_CFG_READ:
		return cfg_check(a, b, 0);
	case PV_DEV_CTL_CFG_WRITE:
		return cfg_check(a, b, c);
	case PV_DEV_CTL_MAP:
		if (!d)
			return -PV_EINVAL;
		return a >= PV_DEV_BARS || d > PV_MAX_MAP_PAGES || !gfns_valid(c, d) ? -PV_ERANGE : 0;
	case PV_DEV_CTL_BIND_MSI:
		return a >= PV_DEV_MSI_MAX || b >= PV_MAX_PORTS ? -PV_ERANGE : 0;
	case PV_DEV_CTL_DMA_MAP:
		if (!b)
			return -PV_EINVAL;
		return gfns_valid(a, b) ? 0 : -PV_ERANGE;
	case PV_DEV_CTL_DMA_ADDR:
		return gfns_valid(a, 1) ? 0 : -PV_ERANGE;
	}
	return 0;
}

static i64 put_info(struct vcpu *v, u32 nr)
{
	void __guest *batch = vcpu_batch(v);
	struct pv_dev_info info;

	device_info(nr, &info);
	guest_write(batch, &info, sizeof(info));
	return info.bdf;
}

static i64 make_cap(struct domain *dom, u64 bdf)
{
	struct cap cap = { .type = PV_CAP_DEV, .rights = PV_RIGHT_DEV_ALL };
	i64 nr = device_claim(bdf);

	if (nr < 0)
		return nr;
	cap.index = (u32)nr;
	return cap_insert(dom, &cap);
}

/* LIST and CAP, which need authority over the machine. */
static i64 host_op(struct vcpu *v, u64 op, u64 host, u64 a)
{
	int err = cap_host(v->dom, host, PV_RIGHT_HOST_DEV);

	if (err)
		return err;
	if (op == PV_DEV_CTL_CAP)
		return make_cap(v->dom, a);
	if (!vcpu_batch(v))
		return -PV_ESTATE;
	return a < device_count() ? put_info(v, (u32)a) : -PV_ENOENT;
}

static i64 assign(struct vcpu *v, const struct hc_args *args)
{
	struct domain *dom;
	struct cap cap;
	int err = cap_lookup(v->dom, args->a1, PV_CAP_DEV, PV_RIGHT_DEV_ASSIGN, &cap);

	err = first_error(err, cap_domain(v->dom, args->a2, PV_RIGHT_DOM_CTL, &dom));
	return err ? err : device_assign(cap.index, dom, args->a3 & PV_DEV_TRUSTED);
}

i64 hc_dev_ctl(struct vcpu *v, const struct hc_args *args)
{
	u64 op = args->a0, a = args->a2, b = args->a3, c = args->a4;
	struct cap cap;
	int err = dev_check(op, args);

	if (err)
		return err;
	if (op == PV_DEV_CTL_LIST || op == PV_DEV_CTL_CAP)
		return host_op(v, op, args->a1, a);
	if (op == PV_DEV_CTL_ASSIGN)
		return assign(v, args);
	err = cap_lookup(v->dom, args->a1, PV_CAP_DEV,
			 op == PV_DEV_CTL_DMA_MAP ? PV_RIGHT_DEV_ASSIGN : PV_RIGHT_DEV_USE, &cap);
	if (err)
		return err;
	switch (op) {
	case PV_DEV_CTL_INFO:
		return vcpu_batch(v) ? put_info(v, cap.index) : -PV_ESTATE;
	case PV_DEV_CTL_CFG_READ:
		return device_cfg_read(cap.index, (u32)a, (u32)b);
	case PV_DEV_CTL_CFG_WRITE:
		return device_cfg_write(cap.index, (u32)a, (u32)b, (u32)c, cap.rights & PV_RIGHT_DEV_ASSIGN);
	case PV_DEV_CTL_MAP:
		return device_map(cap.index, (u32)a, b, c, args->a5);
	case PV_DEV_CTL_BIND_MSI:
		return device_bind_msi(cap.index, v->dom, (u32)a, b);
	case PV_DEV_CTL_DMA_MAP:
		return device_dma_map(cap.index, a, b);
	case PV_DEV_CTL_DMA_ADDR:
		return device_dma_addr(cap.index, a);
	}
	return -PV_ENOSYS;
}
