/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c - DEV_CTL: PCI functions in the hands of domains. QEMU's edu computes, interrupts and copies by DMA when
 * told to; a virtio rng that nobody drives has MSI-X with more vectors than there are places for.
 */
#include <string.h>

#include "../lib/abitest.h"

#define CFG_COMMAND 0x04
#define CFG_BAR 0x10
#define CFG_CAPS 0x34
#define CFG_LINE 0x3c
#define COMMAND_MEMORY 0x2ull
#define COMMAND_MASTER 0x4ull
#define COMMAND_NO_INTX 0x400ull
#define CAP_MSI 0x05
#define CAP_MSIX 0x11
#define CAP_VENDOR 0x09
#define VIRTIO_CONFIG 5 /* byte 3 of the capability: registers through configuration space */

#define RNG_TABLE_BAR 1
#define RNG_BAR 4
#define RNG_VECTORS 80
#define PLACES 64 /* message interrupts the kernel has room for */
#define UNANSWERED 64 /* interrupts without an EOI */

/* edu's registers by 32-bit word */
#define EDU_LIVE (0x04 / 4)
#define EDU_RAISE (0x60 / 4)
#define EDU_ACK (0x64 / 4)
#define EDU_DMA (0x80 / 8) /* by 64-bit word: from, to, bytes, command */
#define EDU_BUFFER 0x40000ull
#define COPIED 2048ull /* edu ends QEMU when the end of its buffer is touched */
#define EDU_START 1ull
#define EDU_TO_MEMORY 2ull

#define VA 0x30000000ull
static volatile u32 *const edu = (volatile u32 *)VA;

static u64 cfg(u64 dev, u64 off, u64 width)
{
	return TRY(OP(DEV_CTL, CFG_READ, dev, off, width));
}

static u64 capability(u64 dev, u64 id)
{
	u64 at = cfg(dev, CFG_CAPS, 1);

	while (at && cfg(dev, at, 1) != id)
		at = cfg(dev, at + 1, 1);
	CHECK(at);
	return at;
}

static bool is_pending(u64 port)
{
	return port_page->pending[port / 64] & 1ull << port % 64;
}

static void forget(u64 port)
{
	__atomic_fetch_and(&port_page->pending[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
}

static u64 alloc(void)
{
	return TRY(OP(PORT_CTL, ALLOC, 0, PV_SELF));
}

/* ---- capabilities ---- */

PV_DRIVER_TEST(dev_list, "PVABI-DEV-001.1")
{
	struct pv_dev_info info[2] = { 0 };
	u64 count = 0, last = 0;
	i64 bdf;

	for (; (bdf = OP(DEV_CTL, LIST, host, count)) >= 0; count++) {
		batch_get(info, sizeof(info[0]));
		CHECK_EQ(info[0].bdf, bdf);
		CHECK(!count || (u64)bdf > last);
		for (u32 i = 0; i < PV_DEV_BARS; i++)
			CHECK_EQ(info[0].bars[i].reserved, 0);
		CHECK_EQ(info[0].reserved[0] | info[0].reserved[1], 0);
		last = (u64)bdf;
	}
	CHECK_EQ(bdf, -(i64)PV_ENOENT);
	CHECK(count >= 2);
	device_find(DEV_RNG, &info[0]);
	u64 dev = device_cap(DEV_RNG);

	CHECK_EQ(OP(CAP_CTL, INSPECT, dev), (u64)PV_CAP_DEV << 32 | PV_RIGHT_DEV_ALL);
	CHECK_EQ(OP(DEV_CTL, INFO, dev), info[0].bdf);
	batch_get(&info[1], sizeof(info[1]));
	CHECK(!memcmp(&info[0], &info[1], sizeof(info[0])));
	CHECK_ERR(OP(DEV_CTL, CAP, host, info[0].bdf), EBUSY);
	u64 copy = TRY(OP(CAP_CTL, COPY, dev, PV_SELF, PV_RIGHT_DEV_USE));

	CHECK_OK(OP(CAP_CTL, DROP, dev));
	CHECK_ERR(OP(DEV_CTL, CAP, host, info[0].bdf), EBUSY);
	CHECK_OK(OP(CAP_CTL, DROP, copy));
	dev = device_cap(DEV_RNG);
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

PV_DRIVER_TEST(dev_no_bridge, "PVABI-DEV-002.1")
{
	struct pv_dev_info info;
	u64 bridges = 0;

	(void)device_bdf(DEV_EDU);
	for (u64 i = 0; OP(DEV_CTL, LIST, host, i) >= 0; i++) {
		batch_get(&info, sizeof(info));
		if (!(info.flags & PV_DEV_BRIDGE))
			continue;
		CHECK_ERR(OP(DEV_CTL, CAP, host, info.bdf), EBUSY);
		bridges++;
	}
	CHECK(bridges);
	CHECK_ERR(OP(DEV_CTL, CAP, host, 0xffff), ENOENT);
}

PV_DRIVER_TEST(config_ports_kept, "PVABI-HST-010.1")
{
	u64 dom = empty_domain(4, 64);

	CHECK_ERR(OP(HOST_CTL, IOPORTS, host, dom, 0xcf8, 8), EBUSY);
	CHECK_ERR(OP(HOST_CTL, IOPORTS, host, dom, 0xcff, 1), EBUSY);
	CHECK_ERR(OP(HOST_CTL, IOPORTS, host, dom, 0xcc0, 64), EBUSY);
	CHECK_OK(OP(HOST_CTL, IOPORTS, host, dom, 0xd00, 1));
	CHECK_OK(OP(HOST_CTL, IOPORTS, host, dom, 0xcf7, 1));
	CHECK_OK(dom_destroy(dom));
}

PV_DRIVER_TEST(dev_assigned_once, "PVABI-DEV-003.1")
{
	u64 a = empty_domain(4, 64), b = empty_domain(4, 64), dev = device_cap(DEV_EDU);
	struct pv_dev_info info;
	struct pv_dom_status s;

	CHECK_OK(OP(DEV_CTL, ASSIGN, dev, a, 0));
	CHECK_ERR(OP(DEV_CTL, ASSIGN, dev, b, 0), EBUSY);
	CHECK_ERR(OP(DEV_CTL, ASSIGN, dev, a, 0), EBUSY);
	dom_status(a, &s);
	device_find(DEV_EDU, &info);
	CHECK_EQ(info.domain, s.id);
	CHECK_EQ(info.flags & (PV_DEV_ASSIGNED | PV_DEV_TRUSTED), PV_DEV_ASSIGNED);
	CHECK_OK(dom_destroy(a));
	device_find(DEV_EDU, &info);
	CHECK_EQ(info.domain, 0);
	CHECK_EQ(info.flags & PV_DEV_ASSIGNED, 0);
	CHECK_OK(OP(DEV_CTL, ASSIGN, dev, b, 0));
	CHECK_OK(dom_destroy(b));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

/* ---- configuration space ---- */

PV_DRIVER_TEST(dev_config_read, "PVABI-DEV-004.1")
{
	u64 dev = device_cap(DEV_EDU);

	CHECK_EQ(cfg(dev, 0, 4), DEV_EDU);
	CHECK_EQ(cfg(dev, 0, 2), DEV_EDU & 0xffff);
	CHECK_EQ(cfg(dev, 2, 2), DEV_EDU >> 16);
	CHECK_EQ(cfg(dev, 3, 1), DEV_EDU >> 24);
	(void)cfg(dev, 252, 4);
	(void)cfg(dev, 255, 1);
	CHECK_ERR(OP(DEV_CTL, CFG_READ, dev, 254, 4), EINVAL);
	CHECK_ERR(OP(DEV_CTL, CFG_READ, dev, 0, 3), EINVAL);
	CHECK_ERR(OP(DEV_CTL, CFG_READ, dev, 256, 1), ERANGE);
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

static void refused(u64 dev, u64 off, u64 width)
{
	u64 before = cfg(dev, off, width);

	CHECK_ERR(OP(DEV_CTL, CFG_WRITE, dev, off, width, ~before & ~0ull >> (64 - 8 * width)), EBUSY);
	CHECK_EQ(cfg(dev, off, width), before);
}

PV_DRIVER_TEST(dev_config_write, "PVABI-DEV-005.1")
{
	u64 dom = empty_domain(4, 64), dev = device_cap(DEV_RNG);
	u64 msix = capability(dev, CAP_MSIX), command = cfg(dev, CFG_COMMAND, 2);

	CHECK_OK(OP(DEV_CTL, ASSIGN, dev, dom, PV_DEV_TRUSTED));
	for (u64 bar = 0; bar < PV_DEV_BARS; bar++)
		refused(dev, CFG_BAR + 4 * bar, 4);
	refused(dev, 0x30, 4); /* ROM */
	refused(dev, 0, 4);
	refused(dev, msix + 2, 2);
	refused(dev, msix, 4);
	refused(dev, msix + 4, 4);
	refused(dev, 0x0c, 4); /* its first two bytes are open */
	CHECK_OK(OP(DEV_CTL, CFG_WRITE, dev, CFG_COMMAND, 2, command | COMMAND_NO_INTX | COMMAND_MASTER));
	CHECK_EQ(cfg(dev, CFG_COMMAND, 2), command | COMMAND_NO_INTX | COMMAND_MASTER);
	CHECK_OK(OP(DEV_CTL, CFG_WRITE, dev, CFG_COMMAND, 4, command | 0xf8000000));
	CHECK_EQ(cfg(dev, CFG_COMMAND, 2), command);
	CHECK_OK(OP(DEV_CTL, CFG_WRITE, dev, CFG_LINE, 1, 0x5a));
	CHECK_EQ(cfg(dev, CFG_LINE, 1), 0x5a);
	CHECK_OK(dom_destroy(dom));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

PV_DRIVER_TEST(dev_config_vendor, "PVABI-DEV-014.1")
{
	u64 dom = empty_domain(4, 64), dev = device_cap(DEV_RNG), at = capability(dev, CAP_VENDOR), use;

	while (at && (cfg(dev, at, 1) != CAP_VENDOR || cfg(dev, at + 3, 1) != VIRTIO_CONFIG))
		at = cfg(dev, at + 1, 1);
	CHECK(at);
	use = TRY(OP(CAP_CTL, COPY, dev, PV_SELF, PV_RIGHT_DEV_USE));
	CHECK_ERR(OP(DEV_CTL, CFG_WRITE, dev, at + 8, 4, 0x14), ESTATE);
	CHECK_OK(OP(DEV_CTL, ASSIGN, dev, dom, 0));
	CHECK_OK(OP(DEV_CTL, CFG_WRITE, dev, at + 8, 4, 0x14));
	CHECK_EQ(cfg(dev, at + 8, 4), 0x14);
	refused(dev, at, 4);
	refused(use, at + 8, 4);
	CHECK_OK(dom_destroy(dom));
	CHECK_OK(OP(CAP_CTL, DROP, use));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

/* ---- a driver, and what it needs of the creator ---- */

/* word[0]: the device, to be used; word[1]: where its memory may be reached by DMA, 0 = nowhere */
static struct child *driver_of(u32 id, u64 flags, u64 *dev)
{
	struct child *c = child_make(0);

	*dev = device_cap(id);
	CHECK_OK(OP(DEV_CTL, ASSIGN, *dev, c->dom, flags));
	c->share->word[0] = child_give(c, *dev, PV_RIGHT_DEV_USE);
	return c;
}

static void run_driver(u32 id, u64 flags)
{
	u64 dev;
	struct child *c = driver_of(id, flags, &dev);

	child_start(c);
	child_expect_pass(c);
	child_destroy(c);
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

static void run_driver_of_edu(void)
{
	run_driver(DEV_EDU, PV_DEV_TRUSTED);
}

static void run_driver_of_rng(void)
{
	run_driver(DEV_RNG, PV_DEV_TRUSTED);
}

static void map_edu(void)
{
	CHECK_OK(OP(DEV_CTL, CFG_WRITE, share->word[0], CFG_COMMAND, 2, COMMAND_MEMORY | COMMAND_MASTER));
	CHECK_EQ(OP(DEV_CTL, MAP, share->word[0], 0, 0, free_gfn(), 2), 2);
	map(PV_SELF, VA, free_gfn(), 2, RW);
	events_on(0);
}

static void use_registers(void)
{
	map_edu();
	CHECK_EQ(edu[0], 0x010000ed);
	for (u32 i = 0; i < 100; i++) {
		edu[EDU_LIVE] = i * 0x1234567;
		CHECK_EQ(edu[EDU_LIVE], ~(i * 0x1234567));
	}
	unmap(PV_SELF, VA, 2);
	CHECK_EQ(try_read(VA), 14);
	map(PV_SELF, VA, free_gfn(), 1, RX);
	CHECK_EQ(try_exec(VA), 14);
	CHECK_EQ(edu[0], 0x010000ed);
	/* the rest of the megabyte, in as many calls as it takes */
	for (u64 page = 2, n; page < 256; page += n)
		n = TRY(OP(DEV_CTL, MAP, share->word[0], 0, page, free_gfn() + page, 256 - page));
	CHECK_ERR(OP(DEV_CTL, MAP, share->word[0], 0, 256, free_gfn() + 256, 1), ENOENT);
}
PV_ROW(dev_registers, "PVABI-DEV-006.1", run_driver_of_edu, PARTS(use_registers));

static void map_what_is_not_there(void)
{
	u64 dev = share->word[0], gfn = free_gfn();

	CHECK_ERR(OP(DEV_CTL, MAP, dev, RNG_TABLE_BAR, 0, gfn, 1), EFAULT);
	CHECK_ERR(OP(DEV_CTL, MAP, dev, 0, 0, gfn, 1), ENOENT);
	CHECK_ERR(OP(DEV_CTL, MAP, dev, RNG_BAR + 1, 0, gfn, 1), ENOENT);
	CHECK_ERR(OP(DEV_CTL, MAP, dev, RNG_BAR, 4, gfn, 1), ENOENT);
	CHECK_ERR(OP(DEV_CTL, MAP, dev, RNG_BAR, 1ull << 52, gfn, 1), ENOENT);
	CHECK_ERR(OP(DEV_CTL, MAP, dev, RNG_BAR, ~0ull, gfn, 1), ENOENT);
	CHECK_ERR(OP(DEV_CTL, MAP, dev, RNG_BAR, 0, gfn_of(vcs0), 1), EEXIST);
	CHECK_EQ(OP(DEV_CTL, MAP, dev, RNG_BAR, 3, gfn, 4), 1);
	CHECK_ERR(OP(DEV_CTL, MAP, dev, RNG_BAR, 0, gfn, 1), EEXIST);
	CHECK_EQ(OP(DEV_CTL, MAP, dev, RNG_BAR, 0, gfn - 1, 2), 1);
}
PV_ROW(dev_map_refused, "PVABI-DEV-007.1", run_driver_of_rng, PARTS(map_what_is_not_there));

/* A page far from any other for each call: each needs tables. */
PV_DRIVER_TEST(dev_map_starved, "PVABI-DEV-007.1 PVABI-GEN-012.1")
{
	u64 dom = empty_domain(4, 64), dev = device_cap(DEV_EDU), gfn = 0;
	i64 result;

	CHECK_OK(OP(DEV_CTL, ASSIGN, dev, dom, 0));
	do {
		result = OP(DEV_CTL, MAP, dev, 0, 0, gfn, 1);
		gfn += 512;
	} while (result == 1);
	CHECK_EQ(result, -(i64)PV_ENOMEM);
	CHECK_EQ(OP(DEV_CTL, MAP, dev, 0, 0, 1, 1), 1); /* where there is a table */
	CHECK_OK(dom_destroy(dom));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

static void no_memory(void)
{
	u64 gfn = free_gfn(), own = gfn_of(pages_alloc(1));

	map_edu();
	CHECK_ERR(OP(MEM_CTL, RELEASE, PV_SELF, gfn, 1), EFAULT);
	CHECK_ERR(OP(MEM_CTL, POPULATE, PV_SELF, gfn, 1), EEXIST);
	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, own, 1, gfn), EFAULT);
	CHECK_ERR(OP(MEM_CTL, COPY, PV_SELF, gfn, 1, own), EFAULT);
	CHECK_ERR(OP(GRANT_CTL, CREATE, PV_SELF, gfn, 1, GRANT_RW), EFAULT);
	CHECK_ERR(OP(GRANT_CTL, UNMAP, 0, gfn, 1), EFAULT);
	CHECK_ERR(OP(VCPU_SETUP, SET_VCS, gfn), EFAULT);
	CHECK_EQ(edu[0], 0x010000ed);
}
PV_ROW(dev_no_memory, "PVABI-DEV-013.1", run_driver_of_edu, PARTS(no_memory));

/* In linear translation a gfn is where it says. */
static void no_page_table(void)
{
	u64 gfn = free_gfn();

	CHECK_EQ(OP(DEV_CTL, MAP, share->word[0], 0, 0, gfn, 1), 1);
	CHECK_ERR(OP(AS_CTL, SET_KERNEL_ROOT, gfn << PV_PAGE_SHIFT), EFAULT);
	CHECK_ERR(HC(AS_LOAD_ROOT, gfn << PV_PAGE_SHIFT, 0), EFAULT);
	events_on(0);
	CHECK_EQ(*(volatile u32 *)(gfn << PV_PAGE_SHIFT), 0x010000ed);
	CHECK_EQ(try_exec(gfn << PV_PAGE_SHIFT), 14);
}
PV_ROW(dev_no_page_table, "PVABI-DEV-013.1 PVABI-DEV-006.1", run_driver_of_edu, PARTS(no_page_table),
       .kind = PV_KIND_WALKED);

/* ---- interrupts ---- */

/* edu asks for an interrupt: does it come within so long? The next one will be a new one. */
static bool interrupts(u64 port, u64 ms)
{
	u64 end = clock_ns() + ms * MS;

	forget(port);
	edu[EDU_RAISE] = 1;
	(void)edu[0]; /* it has arrived */
	while (!is_pending(port) && clock_ns() < end)
		OP(VCPU_CTL, YIELD, PV_SELF);
	edu[EDU_ACK] = 1;
	return is_pending(port);
}

static void take_interrupts(void)
{
	u64 dev = share->word[0], port = alloc();

	map_edu();
	CHECK_OK(OP(DEV_CTL, BIND_MSI, dev, 0, port));
	CHECK_EQ(OP(PORT_CTL, STATUS, port), PV_PORT_IRQ);
	for (u32 i = 0; i < 3; i++) {
		CHECK(interrupts(port, 100 * PATIENCE));
		CHECK_OK(OP(PORT_CTL, EOI, port));
	}
	CHECK_OK(OP(PORT_CTL, CLOSE, port));
	CHECK_EQ(alloc(), port);
	CHECK(!interrupts(port, 5));
	CHECK_OK(OP(DEV_CTL, BIND_MSI, dev, 0, port));
	CHECK(interrupts(port, 100 * PATIENCE));
}
PV_ROW(dev_interrupt, "PVABI-DEV-008.1", run_driver_of_edu, PARTS(take_interrupts));

static void take(u64 port, u64 n)
{
	while (n--)
		CHECK(interrupts(port, 100 * PATIENCE));
}

static void never_say_eoi(void)
{
	u64 port = alloc();

	map_edu();
	CHECK_OK(OP(DEV_CTL, BIND_MSI, share->word[0], 0, port));
	for (u32 round = 0; round < 3; round++) {
		take(port, UNANSWERED);
		for (u32 i = 0; i < 5; i++)
			CHECK(!interrupts(port, 5));
		CHECK_OK(OP(PORT_CTL, EOI, port));
	}
	take(port, UNANSWERED - 1);
	CHECK_OK(OP(PORT_CTL, EOI, port));
	take(port, UNANSWERED);
}
PV_ROW(dev_interrupt_storm, "PVABI-DEV-009.1", run_driver_of_edu, PARTS(never_say_eoi));

static void bind_wrongly(void)
{
	u64 dev = share->word[0], port = alloc(), other = alloc(), ports[PLACES];

	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, PV_DEV_MSI_MAX, port), ERANGE);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 1ull << 32, port), ERANGE);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 0, PV_MAX_PORTS), ERANGE);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, PV_SELF, 0, port), ECAP);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev + 1, 0, port), ECAP);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, RNG_VECTORS, port), ENOENT);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 0, other + 1), ENOENT);
	CHECK_OK(OP(DEV_CTL, BIND_MSI, dev, 0, port));
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 1, port), EBUSY);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 0, other), EBUSY);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, RNG_VECTORS, port), ENOENT);
	for (u64 i = 1; i < PLACES; i++) {
		ports[i] = alloc();
		CHECK_OK(OP(DEV_CTL, BIND_MSI, dev, i, ports[i]));
	}
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, PLACES, other), ENOSPC);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 0, other), EBUSY);
	CHECK_OK(OP(PORT_CTL, CLOSE, ports[1]));
	CHECK_OK(OP(DEV_CTL, BIND_MSI, dev, PLACES, other));
}
PV_ROW(dev_bind_errors, "PVABI-GEN-012.1 PVABI-DEV-008.1", run_driver_of_rng, PARTS(bind_wrongly));

PV_DRIVER_TEST(dev_bind_not_mine, "PVABI-GEN-012.1 PVABI-DEV-008.1")
{
	u64 dom = empty_domain(4, 64), dev = device_cap(DEV_RNG), port = alloc();
	u64 weak = TRY(OP(CAP_CTL, COPY, dev, PV_SELF, PV_RIGHT_DEV_ASSIGN));

	CHECK_ERR(OP(DEV_CTL, BIND_MSI, weak, 0, port), EPERM);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 0, port), ESTATE);
	CHECK_OK(OP(DEV_CTL, ASSIGN, dev, dom, 0));
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 0, port), ESTATE);
	CHECK_OK(OP(CAP_CTL, DROP, weak));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
	CHECK_OK(OP(PORT_CTL, CLOSE, port));
	CHECK_OK(dom_destroy(dom));
}

/* ---- DMA ---- */

static bool has_iommu(u32 id)
{
	struct pv_dev_info info;

	device_find(id, &info);
	return info.flags & PV_DEV_REMAPPED;
}

PV_DRIVER_TEST(dev_dma_needs_trust, "PVABI-DEV-010.1")
{
	if (has_iommu(DEV_EDU))
		abi_skip("an IOMMU confines it");
	u64 dom = empty_domain(4, 64), dev = device_cap(DEV_EDU);
	u64 command = cfg(dev, CFG_COMMAND, 2);

	populate(dom, 16, 1);
	CHECK_ERR(OP(DEV_CTL, CFG_WRITE, dev, CFG_COMMAND, 2, command | COMMAND_MASTER), ESTATE);
	CHECK_OK(OP(DEV_CTL, ASSIGN, dev, dom, 0));
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
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, share->word[0], 0, alloc()), ESTATE);
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
	u64 dom = empty_domain(64, 64), dev = device_cap(DEV_EDU);

	populate(dom, 16, 40);
	CHECK_OK(OP(DEV_CTL, ASSIGN, dev, dom, PV_DEV_TRUSTED));
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

static void edu_copy(u64 from, u64 to, u64 bytes, u64 command)
{
	volatile u64 *dma = (volatile u64 *)VA + EDU_DMA;
	u64 end = clock_ns() + 1000 * MS;

	dma[0] = from;
	dma[1] = to;
	dma[2] = bytes;
	dma[3] = command | EDU_START;
	while (dma[3] & EDU_START && clock_ns() < end)
		HC(WAIT, 0, clock_ns() + MS);
	CHECK(!(dma[3] & EDU_START));
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

/* ---- behind an IOMMU: what a hostile device tries ---- */

#define NO_IOMMU "the machine has no IOMMU (pvrun.py --iommu)"
#define KERNEL_IMAGE 0x100000ull /* machine address */
#define MSI_PLAIN 0xfee00000ull
#define MSI_REMAPPED 0xfee00010ull
#define UNBOUND_ENTRY 100ull /* of a line nobody has */
#define CUT_OFF 64
#define CANARY 0x6361666562616265ull

/* word[2]: gfn of the one frame it may reach; word[3]: of one next to it, which holds a canary */
static volatile u64 *allowed(void)
{
	return (volatile u64 *)(share->word[2] << PV_PAGE_SHIFT);
}

static volatile u64 *canary(void)
{
	return (volatile u64 *)(share->word[3] << PV_PAGE_SHIFT);
}

static u64 faults(void)
{
	struct pv_dev_info info;

	TRY(OP(DEV_CTL, INFO, share->word[0]));
	batch_get(&info, sizeof(info));
	return info.faults;
}

/* The one attempt since has been counted: on another CPU it takes a moment. */
static u64 one_more_than(u64 before)
{
	u64 end = clock_ns() + 100 * PATIENCE * MS, now;

	while ((now = faults()) == before && clock_ns() < end)
		OP(VCPU_CTL, YIELD, PV_SELF);
	CHECK_EQ(now, before + 1);
	return now;
}

static void fill(volatile u64 *page, u64 value)
{
	for (u32 i = 0; i < PAGE_BYTES / 8; i++)
		page[i] = value;
}

/* What is in edu's buffer, by way of the frame it may write. */
static void edu_holds(u64 value)
{
	fill(allowed(), ~value);
	edu_copy(EDU_BUFFER, (u64)allowed(), COPIED, EDU_TO_MEMORY);
	for (u32 i = 0; i < COPIED / 8; i++)
		CHECK_EQ(allowed()[i], value);
}

static void reach_out(u64 address)
{
	u64 count = faults();

	fill(allowed(), 0);
	edu_copy((u64)allowed(), EDU_BUFFER, COPIED, 0);
	edu_copy(EDU_BUFFER, address, COPIED, EDU_TO_MEMORY); /* zeros over it */
	count = one_more_than(count);
	edu_copy(address, EDU_BUFFER, COPIED, 0);
	(void)one_more_than(count);
	edu_holds(0); /* nothing came: QEMU answers zeros */
}

static void attack_by_dma(void)
{
	u64 top = 0;

	map_edu();
	for (u32 i = 0; i < start->memmap_count; i++)
		top = start->memmap[i].base + start->memmap[i].size;
	CHECK_EQ(OP(DEV_CTL, DMA_ADDR, share->word[0], share->word[2]), (u64)allowed());
	fill(canary(), CANARY);
	fill(allowed(), CANARY);
	edu_copy((u64)allowed(), EDU_BUFFER, COPIED, 0);
	edu_holds(CANARY); /* what is allowed works */
	reach_out((u64)canary());
	reach_out((u64)canary() + PAGE_BYTES / 2);
	reach_out(gfn_of(vcs0) << PV_PAGE_SHIFT);
	reach_out(KERNEL_IMAGE);
	reach_out(0);
	reach_out(top);
	reach_out((u64)PV_MAX_GFN << PV_PAGE_SHIFT);
	reach_out(1ull << 40);
	for (u32 i = 0; i < PAGE_BYTES / 8; i++)
		CHECK_EQ(canary()[i], CANARY);
}

static void attack_until_cut_off(void)
{
	map_edu();
	fill(canary(), CANARY);
	for (u64 n = 0, count = faults(); n < CUT_OFF; n++) {
		CHECK(cfg(share->word[0], CFG_COMMAND, 2) & COMMAND_MASTER);
		edu_copy(EDU_BUFFER, (u64)canary(), COPIED, EDU_TO_MEMORY);
		count = one_more_than(count);
	}
	CHECK_EQ(cfg(share->word[0], CFG_COMMAND, 2) & COMMAND_MASTER, 0);
	CHECK_ERR(OP(DEV_CTL, CFG_WRITE, share->word[0], CFG_COMMAND, 2, COMMAND_MEMORY | COMMAND_MASTER), ESTATE);
	CHECK_ERR(OP(DEV_CTL, DMA_ADDR, share->word[0], share->word[2]), ESTATE);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, share->word[0], 0, alloc()), ESTATE);
	CHECK_EQ(canary()[0], CANARY);
}

static void run_attacker(void)
{
	if (!has_iommu(DEV_EDU))
		abi_skip(NO_IOMMU);
	u64 dev = device_cap(DEV_EDU);

	for (u32 life = 0; life < 2; life++) {
		struct child *c = child_make(0);
		u64 gfn = c->info.heap_end / PAGE_BYTES - 3;

		CHECK_OK(OP(DEV_CTL, ASSIGN, dev, c->dom, 0)); /* trusted or not makes no difference */
		CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, gfn, 1), 1);
		c->share->word[0] = child_give(c, dev, PV_RIGHT_DEV_USE);
		c->share->word[2] = gfn;
		c->share->word[3] = gfn + 1;
		child_start(c);
		child_expect_pass(c);
		child_destroy(c);
	}
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}
PV_ROW(dev_hostile_dma, "PVABI-DEV-015.1", run_attacker, PARTS(attack_by_dma), .budget_ms = 60000);
PV_ROW(dev_cut_off, "PVABI-DEV-016.1", run_attacker, PARTS(attack_until_cut_off), .budget_ms = 60000);

/* word[4]: the address whose message would go to CPU 0 if nothing stood in between; all vectors devices have */
static void forge_messages(void)
{
	map_edu();
	for (u64 vector = 0x30; vector < 0x38; vector++) {
		allowed()[0] = vector;
		edu_copy(TRY(OP(DEV_CTL, DMA_ADDR, share->word[0], share->word[2])), EDU_BUFFER, 8, 0);
		edu_copy(EDU_BUFFER, share->word[4], 4, EDU_TO_MEMORY);
	}
}

/* word[2]: how many of its ports are told */
static void listen(void)
{
	u64 ports[4], told = 0;

	for (u64 i = 0; i < 4; i++) {
		ports[i] = alloc();
		CHECK_OK(OP(DEV_CTL, BIND_MSI, share->word[0], i, ports[i]));
	}
	CHECK(wait_for(&share->word[1], 1, 30000));
	for (u64 i = 0; i < 4; i++)
		told += is_pending(ports[i]);
	share->word[2] = told;
}

/* The next owner of the function, who was given nothing yet; word[2] is what the last one was given. */
static void attack_as_heir(void)
{
	map_edu();
	u64 count = faults();

	edu_copy(EDU_BUFFER, (u64)allowed(), COPIED, EDU_TO_MEMORY);
	count = one_more_than(count);
	edu_copy((u64)allowed(), EDU_BUFFER, COPIED, 0);
	(void)one_more_than(count);
	CHECK_ERR(OP(DEV_CTL, DMA_ADDR, share->word[0], share->word[2]), EFAULT);
}

static void use_what_is_given(void)
{
	map_edu();
	fill(allowed(), CANARY);
	edu_copy((u64)allowed(), EDU_BUFFER, COPIED, 0);
	edu_holds(CANARY);
}

PV_DRIVER_TEST(dev_nothing_inherited, "PVABI-DEV-012.1 PVABI-DEV-015.1", PARTS(use_what_is_given, attack_as_heir),
	       .budget_ms = 60000)
{
	if (!has_iommu(DEV_EDU))
		abi_skip(NO_IOMMU);
	u64 dev = device_cap(DEV_EDU);

	for (u32 part = 0; part < 2; part++) {
		struct child *c = child_make(part);
		u64 gfn = c->info.heap_end / PAGE_BYTES - 3;

		CHECK_OK(OP(DEV_CTL, ASSIGN, dev, c->dom, 0));
		if (!part)
			CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, gfn, 1), 1);
		c->share->word[0] = child_give(c, dev, PV_RIGHT_DEV_USE);
		c->share->word[2] = gfn;
		child_start(c);
		child_expect_pass(c);
		child_destroy(c);
	}
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

/* Trusted without an IOMMU it can, which shows that the attack is one. */
PV_DRIVER_TEST(dev_forged_message, "PVABI-DEV-017.1", PARTS(forge_messages, listen), .budget_ms = 60000)
{
	bool safe = has_iommu(DEV_EDU);
	u64 edu_cap = device_cap(DEV_EDU), rng = device_cap(DEV_RNG);
	struct child *attacker = child_make(0), *victim = child_make(1);
	u64 gfn = attacker->info.heap_end / PAGE_BYTES - 3;

	CHECK_OK(OP(DEV_CTL, ASSIGN, edu_cap, attacker->dom, PV_DEV_TRUSTED));
	CHECK_OK(OP(DEV_CTL, ASSIGN, rng, victim->dom, PV_DEV_TRUSTED));
	CHECK_EQ(OP(DEV_CTL, DMA_MAP, edu_cap, gfn, 1), 1);
	attacker->share->word[0] = child_give(attacker, edu_cap, PV_RIGHT_DEV_USE);
	attacker->share->word[2] = gfn;
	attacker->share->word[4] = safe ? MSI_REMAPPED | UNBOUND_ENTRY << 5 : MSI_PLAIN;
	victim->share->word[0] = child_give(victim, rng, PV_RIGHT_DEV_USE);
	child_start(victim);
	sleep_ms(5);
	child_start(attacker);
	child_expect_pass(attacker);
	__atomic_store_n(&victim->share->word[1], 1, __ATOMIC_RELEASE);
	child_expect_pass(victim);
	CHECK_EQ(victim->share->word[2], safe ? 0 : 4);
	child_destroy(attacker);
	child_destroy(victim);
	CHECK_OK(OP(CAP_CTL, DROP, edu_cap));
	CHECK_OK(OP(CAP_CTL, DROP, rng));
}

/* Frames far apart, then no kernel memory for more tables. */
PV_DRIVER_TEST(dev_dma_starved, "PVABI-DEV-015.1 PVABI-GEN-012.1")
{
	if (!has_iommu(DEV_EDU))
		abi_skip(NO_IOMMU);
	u64 dom = empty_domain(256, 64), dev = device_cap(DEV_EDU), gfn = 0;
	i64 result;

	CHECK_OK(OP(DEV_CTL, ASSIGN, dev, dom, 0));
	populate(dom, 16, 2);
	CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, 16, 1), 1);
	do {
		gfn += 1ull << 18;
		result = OP(MEM_CTL, POPULATE, dom, gfn, 1);
	} while (result == 1);
	CHECK_EQ(result, -(i64)PV_ENOMEM);
	for (u32 i = 0; i < 2; i++)
		CHECK_ERR(OP(DEV_CTL, DMA_MAP, dev, 1ull << 18, 1), ENOMEM);
	CHECK_EQ(OP(MEM_CTL, RELEASE, dom, 1ull << 18, 1), 1); /* it is not pinned */
	CHECK_EQ(OP(DEV_CTL, DMA_MAP, dev, 17, 1), 1); /* where there is a table */
	CHECK_OK(dom_destroy(dom));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

/* ---- the end of its domain ---- */

static void leave_all_as_it_is(void)
{
	map_edu();
	CHECK_OK(OP(DEV_CTL, BIND_MSI, share->word[0], 0, alloc()));
}

PV_DRIVER_TEST(dev_lives_again, "PVABI-DEV-012.1", PARTS(leave_all_as_it_is))
{
	u64 dev = device_cap(DEV_EDU), msi = capability(dev, CAP_MSI);

	for (u32 life = 0; life < 3; life++) {
		struct child *c = child_make(0);

		CHECK_OK(OP(DEV_CTL, ASSIGN, dev, c->dom, PV_DEV_TRUSTED));
		c->share->word[0] = child_give(c, dev, PV_RIGHT_DEV_USE);
		child_start(c);
		child_expect_pass(c);
		CHECK_EQ(cfg(dev, msi + 2, 2) & 1, 1);
		child_destroy(c);
		CHECK_EQ(cfg(dev, CFG_COMMAND, 2) & COMMAND_MASTER, 0);
		CHECK_EQ(cfg(dev, msi + 2, 2) & 1, 0);
	}
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}
