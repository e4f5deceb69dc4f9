/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pv/dev.h - PCI functions. ABI: DEV_CTL (26). A device capability names a function; registers are
 * named by BAR, DMA by the frames of the domain the function is assigned to.
 */
#ifndef PV_DEV_H
#define PV_DEV_H

#include <pv/call.h>
#include <string.h>

static inline int64_t pv_dev_info_from_batch(int64_t r, struct pv_dev_info *info)
{
	if (r >= 0)
		memcpy(info, pv_batch(), sizeof(*info));
	return r;
}

/* The index-th function of the machine. PV_RIGHT_HOST_DEV. ENOENT: past the last. Result: bdf. */
static inline int64_t pv_dev_list(pv_handle_t host, uint64_t index, struct pv_dev_info *info)
{
	int64_t r = pv_call6(PV_HC_DEV_CTL, PV_DEV_CTL_LIST, host, index, 0, 0, 0);

	return pv_dev_info_from_batch(r, info);
}

/* Result: a capability with every right. PV_RIGHT_HOST_DEV. EBUSY: there is one, or a bridge. */
static inline int64_t pv_dev_cap(pv_handle_t host, uint64_t bdf)
{
	return pv_call6(PV_HC_DEV_CTL, PV_DEV_CTL_CAP, host, bdf, 0, 0, 0);
}

/* PV_RIGHT_DEV_USE. Result: bdf. */
static inline int64_t pv_dev_info(pv_handle_t dev, struct pv_dev_info *info)
{
	int64_t r = pv_call6(PV_HC_DEV_CTL, PV_DEV_CTL_INFO, dev, 0, 0, 0, 0);

	return pv_dev_info_from_batch(r, info);
}

/* The function is dom's until dom is destroyed; flags: PV_DEV_TRUSTED or 0. PV_RIGHT_DEV_ASSIGN. EBUSY;
 * EAGAIN while it is being reset after its last domain. */
static inline int64_t pv_dev_assign(pv_handle_t dev, pv_handle_t dom, uint64_t flags)
{
	return pv_call6(PV_HC_DEV_CTL, PV_DEV_CTL_ASSIGN, dev, dom, flags, 0, 0);
}

/* width (1, 2, 4) bytes of configuration space. PV_RIGHT_DEV_USE. Result: the value. */
static inline int64_t pv_dev_cfg_read(pv_handle_t dev, uint64_t off, uint64_t width)
{
	return pv_call6(PV_HC_DEV_CTL, PV_DEV_CTL_CFG_READ, dev, off, width, 0, 0);
}

/* PV_RIGHT_DEV_USE. EBUSY: a register the kernel keeps; ESTATE: not assigned, or no DMA. */
static inline int64_t pv_dev_cfg_write(pv_handle_t dev, uint64_t off, uint64_t width, uint64_t value)
{
	return pv_call6(PV_HC_DEV_CTL, PV_DEV_CTL_CFG_WRITE, dev, off, width, value, 0);
}

/* n pages of a memory BAR from its page `first` appear at gfn of the function's domain. PV_RIGHT_DEV_USE.
 * EFAULT: pages the kernel keeps (MSI-X table); ENOENT: beyond the BAR. Result: pages done. */
static inline int64_t pv_dev_map(pv_handle_t dev, uint64_t bar, uint64_t first, pv_gfn_t gfn, uint64_t n)
{
	return pv_call6(PV_HC_DEV_CTL, PV_DEV_CTL_MAP, dev, bar, first, gfn, n);
}

/* Interrupt vector of the caller's function makes an unbound port pending; pv_port_eoi() after each
 * service. PV_RIGHT_DEV_USE. EBUSY, ENOENT, ENOSPC. */
static inline int64_t pv_dev_bind_msi(pv_handle_t dev, uint64_t vector, pv_port_t port)
{
	return pv_call6(PV_HC_DEV_CTL, PV_DEV_CTL_BIND_MSI, dev, vector, port, 0, 0);
}

/* The function may read and write n frames of its domain from gfn. PV_RIGHT_DEV_ASSIGN. ESTATE: neither
 * behind an IOMMU nor trusted. Result: pages done. */
static inline int64_t pv_dev_dma_map(pv_handle_t dev, pv_gfn_t gfn, uint64_t n)
{
	return pv_call6(PV_HC_DEV_CTL, PV_DEV_CTL_DMA_MAP, dev, gfn, n, 0, 0);
}

/* Result: the address by which the function reaches this frame. PV_RIGHT_DEV_USE. */
static inline int64_t pv_dev_dma_addr(pv_handle_t dev, pv_gfn_t gfn)
{
	return pv_call6(PV_HC_DEV_CTL, PV_DEV_CTL_DMA_ADDR, dev, gfn, 0, 0, 0);
}

#endif
