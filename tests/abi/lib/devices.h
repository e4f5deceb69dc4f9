/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices.h - the PCI functions that cases play with. QEMU's edu computes, interrupts and copies by DMA when told to;
 * a virtio rng that nobody drives has MSI-X with more vectors than there are places for.
 */
#ifndef ABI_DEVICES_H
#define ABI_DEVICES_H

#include "abitest.h"

/* device << 16 | vendor. The case is skipped where there is no such function, except by device_is_there(). */
enum { DEV_EDU = 0x11e81234, DEV_RNG = 0x10441af4 };
bool device_is_there(u32 id, struct pv_dev_info *out);
void device_find(u32 id, struct pv_dev_info *out); /* what LIST says of it */
u64 device_bdf(u32 id);
u64 device_cap(u32 id); /* a capability with every right */
bool has_iommu(u32 id);
void device_assign(u64 dev, u64 dom, u64 flags); /* once its reset is over */

#define CFG_COMMAND 0x04
#define COMMAND_MEMORY 0x2ull
#define COMMAND_MASTER 0x4ull
#define COMMAND_NO_INTX 0x400ull
u64 cfg(u64 dev, u64 off, u64 width);

/* ---- drivers, as the case's driver sees them ---- */

/* Part 0, with the function assigned to it: word[0] is its handle. *dev: the function's, with every right. */
struct child *driver_of(u32 id, u64 flags, u64 *dev);
void run_driver(u32 id, u64 flags); /* from its making to its end */

/* ---- in a child whose word[0] is edu ---- */

#define EDU_VA 0x30000000ull
static volatile u32 *const edu = (volatile u32 *)EDU_VA; /* registers by 32-bit word */
#define EDU_LIVE (0x04 / 4)
#define EDU_RAISE (0x60 / 4)
#define EDU_ACK (0x64 / 4)
#define EDU_BUFFER 0x40000ull
#define EDU_TO_MEMORY 2ull
#define COPIED 2048ull /* edu ends QEMU when the end of its buffer is touched */
void map_edu(void); /* registers at `edu`, bus mastering and events on */
void edu_copy(u64 from, u64 to, u64 bytes, u64 command); /* waits for the end */

/* ---- ports ---- */

u64 port_new(void);
bool port_pending(u64 port);
void port_forget(u64 port);

#endif
