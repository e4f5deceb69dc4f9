/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices.c - see devices.h.
 */
#include "devices.h"

#define EDU_DMA (0x80 / 8) /* by 64-bit word: from, to, bytes, command */
#define EDU_START 1ull

bool device_is_there(u32 id, struct pv_dev_info *out)
{
	for (u64 i = 0; OP(DEV_CTL, LIST, host, i) >= 0; i++) {
		batch_get(out, sizeof(*out));
		if (((u32)out->device << 16 | out->vendor) == id)
			return true;
	}
	return false;
}

void device_find(u32 id, struct pv_dev_info *out)
{
	if (!device_is_there(id, out))
		abi_skip("the machine has no such device (pvrun.py --devices)");
}

u64 device_bdf(u32 id)
{
	struct pv_dev_info info;

	device_find(id, &info);
	return info.bdf;
}

void device_assign(u64 dev, u64 dom, u64 flags)
{
	u64 end = clock_ns() + 1000 * PATIENCE * MS;
	i64 result;

	do
		result = OP(DEV_CTL, ASSIGN, dev, dom, flags);
	while (result == -PV_EAGAIN && clock_ns() < end && HC(WAIT, 0, clock_ns() + MS) >= 0);
	CHECK_OK(result);
}

u64 device_cap(u32 id)
{
	return TRY(OP(DEV_CTL, CAP, host, device_bdf(id)));
}

bool has_iommu(u32 id)
{
	struct pv_dev_info info;

	device_find(id, &info);
	return info.flags & PV_DEV_REMAPPED;
}

u64 cfg(u64 dev, u64 off, u64 width)
{
	return TRY(OP(DEV_CTL, CFG_READ, dev, off, width));
}

struct child *driver_of(u32 id, u64 flags, u64 *dev)
{
	struct child *c;

	*dev = device_cap(id); /* first: a machine without it skips the case */
	c = child_make(0);
	device_assign(*dev, c->dom, flags);
	c->share->word[0] = child_give(c, *dev, PV_RIGHT_DEV_USE);
	return c;
}

void run_driver(u32 id, u64 flags)
{
	u64 dev;
	struct child *c = driver_of(id, flags, &dev);

	child_start(c);
	child_expect_pass(c);
	child_destroy(c);
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

void map_edu(void)
{
	CHECK_OK(OP(DEV_CTL, CFG_WRITE, share->word[0], CFG_COMMAND, 2, COMMAND_MEMORY | COMMAND_MASTER));
	CHECK_EQ(OP(DEV_CTL, MAP, share->word[0], 0, 0, free_gfn(), 2), 2);
	map(PV_SELF, EDU_VA, free_gfn(), 2, RW);
	events_on(0);
}

void edu_copy(u64 from, u64 to, u64 bytes, u64 command)
{
	volatile u64 *dma = (volatile u64 *)EDU_VA + EDU_DMA;
	u64 end = clock_ns() + 1000 * MS;

	dma[0] = from;
	dma[1] = to;
	dma[2] = bytes;
	dma[3] = command | EDU_START;
	while (dma[3] & EDU_START && clock_ns() < end)
		HC(WAIT, 0, clock_ns() + MS);
	CHECK(!(dma[3] & EDU_START));
}

bool port_pending(u64 port)
{
	return port_page->pending[port / 64] & 1ull << port % 64;
}

void port_forget(u64 port)
{
	__atomic_fetch_and(&port_page->pending[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
}

u64 port_new(void)
{
	return TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
}
