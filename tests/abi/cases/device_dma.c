/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device_dma.c - DEV_CTL: what a function may reach, and who may let it.
 */
#include "../lib/devices.h"

/* ---- DMA ---- */

PV_DRIVER_TEST(dev_dma_needs_trust, "PVABI-DEV-010.1")
{
	if (has_iommu(DEV_EDU))
		abi_skip("an IOMMU confines it");
	u64 dev = device_cap(DEV_EDU), dom = empty_domain(4, 64);
	u64 command = cfg(dev, CFG_COMMAND, 2);

	populate(dom, 16, 1);
	CHECK_ERR(OP(DEV_CTL, CFG_WRITE, dev, CFG_COMMAND, 2, command | COMMAND_MASTER), ESTATE);
	device_assign(dev, dom, 0);
	CHECK_ERR(OP(DEV_CTL, DMA_MAP, dev, 16, 1), ESTATE);
	CHECK_ERR(OP(DEV_CTL, DMA_ADDR, dev, 16), ESTATE);
	CHECK_ERR(OP(DEV_CTL, CFG_WRITE, dev, CFG_COMMAND, 2, command | COMMAND_MASTER), ESTATE);
	CHECK_ERR(OP(DEV_CTL, CFG_WRITE, dev, CFG_COMMAND, 1, COMMAND_MASTER), ESTATE);
	CHECK_ERR(OP(DEV_CTL, CFG_WRITE, dev, CFG_COMMAND, 4, command | COMMAND_MASTER), ESTATE);
	CHECK_EQ(cfg(dev, CFG_COMMAND, 2), command);
	CHECK_OK(dom_destroy(dom));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

static void bind_without_dma(void)
{
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, share->word[0], 0, port_new()), ESTATE);
}

static void run_untrusted_driver(void)
{
	if (has_iommu(DEV_EDU))
		abi_skip("an IOMMU confines it");
	run_driver(DEV_EDU, 0);
}
PV_ROW(dev_message_needs_trust, "PVABI-DEV-010.1", run_untrusted_driver, PARTS(bind_without_dma));

PV_DRIVER_TEST(dev_dma_ranges, "PVABI-DEV-011.1 PVABI-GEN-012.1")
{
	u64 dev = device_cap(DEV_EDU), dom = empty_domain(64, 64);

	populate(dom, 16, 40);
	device_assign(dev, dom, PV_DEV_TRUSTED);
	for (u64 i = 0; i < PV_DEV_DMA_RANGES; i++)
		CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, 16 + 4 * i, 2), 2);
	CHECK_ERR(OP(DEV_CTL, DMA_MAP, dev, 52, 1), ENOSPC);
	CHECK_ERR(OP(DEV_CTL, DMA_MAP, dev, 100, 1), EFAULT);
	CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, 18, 10), 2); /* goes on where one ends, up to the next */
	CHECK_ERR(OP(DEV_CTL, DMA_MAP, dev, 19, 1), EEXIST);
	CHECK_ERR(OP(DEV_CTL, DMA_ADDR, dev, 46 + 1), EFAULT);
	for (u64 gfn = 16; gfn < 22; gfn++) {
		CHECK_EQ(TRY(OP(DEV_CTL, DMA_ADDR, dev, gfn)) % PAGE_BYTES, 0);
		CHECK_ERR(OP(MEM_CTL, RELEASE, dom, gfn, 1), EBUSY);
	}
	CHECK_EQ(OP(MEM_CTL, RELEASE, dom, 52, 1), 1); /* was refused, is not pinned */
	CHECK_OK(dom_destroy(dom));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

/* word[2], word[3]: gfns of two frames it may reach */
static void copy_by_dma(void)
{
	u64 dev = share->word[0], a = share->word[2], b = share->word[3];
	volatile u64 *from = (volatile u64 *)(a << PV_PAGE_SHIFT), *to = (volatile u64 *)(b << PV_PAGE_SHIFT);

	map_edu();
	for (u32 i = 0; i < COPIED / 8; i++)
		from[i] = i * 0x9e3779b97f4a7c15ull;
	edu_copy(TRY(OP(DEV_CTL, DMA_ADDR, dev, a)), EDU_BUFFER, COPIED, 0);
	edu_copy(EDU_BUFFER, TRY(OP(DEV_CTL, DMA_ADDR, dev, b)), COPIED, EDU_TO_MEMORY);
	for (u32 i = 0; i < COPIED / 8; i++)
		CHECK_EQ(to[i], i * 0x9e3779b97f4a7c15ull);
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, a, 1), EBUSY);
	CHECK_ERR(OP(DEV_CTL, DMA_ADDR, dev, gfn_of(vcs0)), EFAULT);
}

static void let_edu_copy(void)
{
	u64 dev;
	struct child *c = driver_of(DEV_EDU, PV_DEV_TRUSTED, &dev);
	u64 gfn = c->info.heap_end / PAGE_BYTES - 2;

	for (u64 i = 0; i < 2; i++) {
		CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, gfn + i, 1), 1);
		c->share->word[2 + i] = gfn + i;
	}
	child_start(c);
	child_expect_pass(c);
	CHECK(cfg(dev, CFG_COMMAND, 2) & COMMAND_MASTER);
	child_destroy(c);
	CHECK_EQ(cfg(dev, CFG_COMMAND, 2) & COMMAND_MASTER, 0);
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}
PV_ROW(dev_dma_copies, "PVABI-DEV-011.1 PVABI-DEV-012.1", let_edu_copy, PARTS(copy_by_dma));
