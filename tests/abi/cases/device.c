/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c - DEV_CTL: who has a PCI function, its configuration space, registers and interrupts.
 */
#include <string.h>

#include "../lib/devices.h"

#define CFG_BAR 0x10
#define CFG_CAPS 0x34
#define CFG_LINE 0x3c
#define CAP_MSI 0x05
#define CAP_MSIX 0x11
#define CAP_VENDOR 0x09
#define VIRTIO_CONFIG 5 /* byte 3 of the capability: registers through configuration space */

#define RNG_TABLE_BAR 1
#define RNG_BAR 4
#define RNG_VECTORS 80
#define PLACES 64     /* message interrupts the kernel has room for */
#define UNANSWERED 64 /* interrupts without an EOI */

static u64 capability(u64 dev, u64 id)
{
	u64 at = cfg(dev, CFG_CAPS, 1);

	while (at && cfg(dev, at, 1) != id)
		at = cfg(dev, at + 1, 1);
	CHECK(at);
	return at;
}

static void run_driver_of_edu(void)
{
	run_driver(DEV_EDU, PV_DEV_TRUSTED);
}

static void run_driver_of_rng(void)
{
	run_driver(DEV_RNG, PV_DEV_TRUSTED);
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
	u64 dev = device_cap(DEV_EDU), a = empty_domain(4, 64), b = empty_domain(4, 64);
	struct pv_dev_info info;
	struct pv_dom_status s;

	device_assign(dev, a, 0);
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
	device_assign(dev, b, 0);
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
	u64 dev = device_cap(DEV_RNG), dom = empty_domain(4, 64);
	u64 msix = capability(dev, CAP_MSIX), command = cfg(dev, CFG_COMMAND, 2);

	device_assign(dev, dom, PV_DEV_TRUSTED);
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
	u64 dev = device_cap(DEV_RNG), dom = empty_domain(4, 64), at = capability(dev, CAP_VENDOR), use;

	while (at && (cfg(dev, at, 1) != CAP_VENDOR || cfg(dev, at + 3, 1) != VIRTIO_CONFIG))
		at = cfg(dev, at + 1, 1);
	CHECK(at);
	use = TRY(OP(CAP_CTL, COPY, dev, PV_SELF, PV_RIGHT_DEV_USE));
	CHECK_ERR(OP(DEV_CTL, CFG_WRITE, dev, at + 8, 4, 0x14), ESTATE);
	device_assign(dev, dom, 0);
	CHECK_OK(OP(DEV_CTL, CFG_WRITE, dev, at + 8, 4, 0x14));
	CHECK_EQ(cfg(dev, at + 8, 4), 0x14);
	refused(dev, at, 4);
	refused(use, at + 8, 4);
	CHECK_OK(dom_destroy(dom));
	CHECK_OK(OP(CAP_CTL, DROP, use));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
}

/* ---- registers ---- */

static void use_registers(void)
{
	map_edu();
	CHECK_EQ(edu[0], 0x010000ed);
	for (u32 i = 0; i < 100; i++) {
		edu[EDU_LIVE] = i * 0x1234567;
		CHECK_EQ(edu[EDU_LIVE], ~(i * 0x1234567));
	}
	unmap(PV_SELF, EDU_VA, 2);
	CHECK_EQ(try_read(EDU_VA), 14);
	map(PV_SELF, EDU_VA, free_gfn(), 1, RX);
	CHECK_EQ(try_exec(EDU_VA), 14);
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
	u64 dev = device_cap(DEV_EDU), dom = empty_domain(4, 64), gfn = 0;
	i64 result;

	device_assign(dev, dom, 0);
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

	port_forget(port);
	edu[EDU_RAISE] = 1;
	(void)edu[0]; /* it has arrived */
	while (!port_pending(port) && clock_ns() < end)
		OP(VCPU_CTL, YIELD, PV_SELF);
	edu[EDU_ACK] = 1;
	return port_pending(port);
}

static void take_interrupts(void)
{
	u64 dev = share->word[0], port = port_new();

	map_edu();
	CHECK_OK(OP(DEV_CTL, BIND_MSI, dev, 0, port));
	CHECK_EQ(OP(PORT_CTL, STATUS, port), PV_PORT_IRQ);
	for (u32 i = 0; i < 3; i++) {
		CHECK(interrupts(port, 100 * PATIENCE));
		CHECK_OK(OP(PORT_CTL, EOI, port));
	}
	CHECK_OK(OP(PORT_CTL, CLOSE, port));
	CHECK_EQ(port_new(), port);
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
	u64 port = port_new();

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
	u64 dev = share->word[0], port = port_new(), other = port_new(), ports[PLACES];

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
		ports[i] = port_new();
		CHECK_OK(OP(DEV_CTL, BIND_MSI, dev, i, ports[i]));
	}
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, PLACES, other), ENOSPC);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 0, other), EBUSY);
	CHECK_OK(OP(PORT_CTL, CLOSE, ports[1]));
	CHECK_OK(OP(DEV_CTL, BIND_MSI, dev, PLACES, other));
}
PV_ROW(dev_bind_errors, "PVABI-DEV-008.1 PVABI-GEN-012.1", run_driver_of_rng, PARTS(bind_wrongly));

PV_DRIVER_TEST(dev_bind_not_mine, "PVABI-DEV-008.1 PVABI-GEN-012.1")
{
	u64 dev = device_cap(DEV_RNG), dom = empty_domain(4, 64), port = port_new();
	u64 weak = TRY(OP(CAP_CTL, COPY, dev, PV_SELF, PV_RIGHT_DEV_ASSIGN));

	CHECK_ERR(OP(DEV_CTL, BIND_MSI, weak, 0, port), EPERM);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 0, port), ESTATE);
	device_assign(dev, dom, 0);
	CHECK_ERR(OP(DEV_CTL, BIND_MSI, dev, 0, port), ESTATE);
	CHECK_OK(OP(CAP_CTL, DROP, weak));
	CHECK_OK(OP(CAP_CTL, DROP, dev));
	CHECK_OK(OP(PORT_CTL, CLOSE, port));
	CHECK_OK(dom_destroy(dom));
}

/* ---- the end of its domain ---- */

static void leave_all_as_it_is(void)
{
	map_edu();
	CHECK_OK(OP(DEV_CTL, BIND_MSI, share->word[0], 0, port_new()));
}

PV_DRIVER_TEST(dev_lives_again, "PVABI-DEV-012.1", PARTS(leave_all_as_it_is))
{
	u64 dev = device_cap(DEV_EDU), msi = capability(dev, CAP_MSI);

	for (u32 life = 0; life < 3; life++) {
		struct child *c = child_make(0);

		device_assign(dev, c->dom, PV_DEV_TRUSTED);
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

/* A virtio device's status register, in the common configuration at the start of its BAR. */
#define VIRTIO_STATUS 0x14
#define ACKNOWLEDGED 1

static void drive_rng(void)
{
	CHECK_EQ(OP(DEV_CTL, MAP, share->word[0], RNG_BAR, 0, free_gfn(), 1), 1);
	map(PV_SELF, EDU_VA, free_gfn(), 1, RW);
	volatile u8 *status = (volatile u8 *)EDU_VA + VIRTIO_STATUS;

	CHECK_EQ(*status, 0);
	*status = ACKNOWLEDGED;
	CHECK_EQ(*status, ACKNOWLEDGED);
}

PV_DRIVER_TEST(dev_reset, "PVABI-DEV-018.1 PVABI-GEN-012.1", PARTS(drive_rng))
{
	u64 dev, bars[PV_DEV_BARS];

	for (u32 life = 0; life < 3; life++) {
		struct child *c = driver_of(DEV_RNG, PV_DEV_TRUSTED, &dev);

		for (u32 i = 0; i < PV_DEV_BARS; i++) {
			u64 bar = cfg(dev, CFG_BAR + 4 * i, 4);

			CHECK_EQ(bar, life ? bars[i] : bar);
			bars[i] = bar;
		}
		child_start(c);
		child_expect_pass(c);
		child_destroy(c);
		u64 dom = empty_domain(4, 64);
		i64 result = OP(DEV_CTL, ASSIGN, dev, dom, 0);

		if (result)
			CHECK_EQ(result, -(i64)PV_EAGAIN);
		CHECK_OK(dom_destroy(dom));
		CHECK_OK(OP(CAP_CTL, DROP, dev));
		if (!result)
			abi_skip("the function has no reset of its own (pvrun.py --iommu)");
	}
}
