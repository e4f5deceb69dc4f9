/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.h - PCI functions as objects: capabilities name them, domains own them.
 *
 * A function belongs to one domain at a time, until that is destroyed. To it go its registers, its
 * interrupts, and what the function may reach in memory: the frames that were named, nothing else. Without an
 * IOMMU nobody keeps the function to them, so it may use DMA only if who assigns it says that it is trusted.
 *
 * All take a device number, which came from a capability.
 */
#ifndef RF_DEVICE_H
#define RF_DEVICE_H

#include "compiler.h"
#include "domain.h"
#include "types.h"

u32 device_count(void);
void device_info(u32 nr, struct pv_dev_info *out);

/* The first capability of the function. -PV_ENOENT: there is none; -PV_EBUSY: it has one, or is a bridge. */
warn_unused_result i64 device_claim(u64 bdf);
void device_cap_get(u32 nr);
void device_cap_put(u32 nr);

/* -PV_EDEAD, -PV_EBUSY; -PV_EAGAIN: it is being reset since its last domain ended */
warn_unused_result int device_assign(u32 nr, struct domain *dom, bool trusted);
/* dom is being destroyed and runs nowhere: its functions are nobody's and reach its memory no more. */
void device_release_all(struct domain *dom);

u32 device_cfg_read(u32 nr, u32 off, u32 width);
/* -PV_ESTATE, -PV_EBUSY; see pci_write() */
warn_unused_result int device_cfg_write(u32 nr, u32 off, u32 width, u32 value, bool owner);
/* Pages done, or -PV_ESTATE, -PV_EFAULT, -PV_ENOENT, -PV_EEXIST, -PV_ENOMEM. */
i64 device_map(u32 nr, u32 bar, u64 page, gfn_t gfn, u64 n);
/* To a port of dom. -PV_ESTATE, -PV_ENOENT, -PV_EBUSY, -PV_ENOSPC. */
i64 device_bind_msi(u32 nr, struct domain *dom, u32 index, u64 port);
/* Pages done, or -PV_ESTATE, -PV_EFAULT, -PV_EEXIST, -PV_ENOSPC. */
i64 device_dma_map(u32 nr, gfn_t gfn, u64 n);
/* The IOMMU has refused an access; interrupt context. */
void device_fault(u16 bdf, u64 address, u32 reason, bool read);
/* Bus address, or -PV_ESTATE, -PV_EFAULT. */
i64 device_dma_addr(u32 nr, gfn_t gfn);

#endif
