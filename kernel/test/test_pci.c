// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_pci.c - finding PCI functions in a configuration space of the test's making, and what may be written there.
 *
 * Function 0 is a host bridge, 8 a device with every kind of BAR and capability, 10 a port of PCI Express with
 * device 100 behind it, 18 a bridge to an old bus with device 200.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arch.h"
#include "boot_info.h"
#include "cpu.h"
#include "log.h"
#include "mm.h"
#include "panic.h"
#include "pci.h"
#include "string.h"
#include "tlbflush.h"

#define DEV 0x08
#define PORT 0x10
#define OLD 0x18
#define BEHIND 0x100
#define OLD_BEHIND 0x200

#define PCIE 0x40
#define MSIX 0x70
#define MSI 0x80

struct function {
	u16 bdf;
	u8 cfg[256];
	u8 writable[256];
};

static struct function functions[72];
static u32 nr;
static u32 table[1024]; /* what arch_map_mmio() answers */
static paddr_t mapped;
static struct cpu cpu;
__thread struct cpu *host_cpu = &cpu;
struct boot_info boot_info;

/* ---- the machine ---- */

static struct function *at(u32 bdf)
{
	for (u32 i = 0; i < nr; i++)
		if (functions[i].bdf == bdf)
			return &functions[i];
	return NULL;
}

bool arch_pci_present(void)
{
	return true;
}

u32 arch_pci_read(u32 bdf, u32 off, u32 width)
{
	const struct function *f = at(bdf);
	u32 v = ~0u;

	assert_true(off + width <= 256 && off % width == 0);
	if (f) {
		v = 0;
		memcpy(&v, f->cfg + off, width);
	}
	return v;
}

void arch_pci_write(u32 bdf, u32 off, u32 width, u32 value)
{
	struct function *f = at(bdf);

	assert_true(off + width <= 256 && off % width == 0);
	for (u32 i = 0; i < width && f; i++) {
		u8 mask = f->writable[off + i];

		f->cfg[off + i] = (u8)((f->cfg[off + i] & ~mask) | (value >> 8 * i & mask));
	}
}

volatile void *arch_map_mmio(paddr_t pa, u64 size)
{
	assert_true(size <= sizeof(table));
	mapped = pa;
	return table;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level, (void)fmt;
}

void panic(const char *fmt, ...)
{
	(void)fmt;
	abort();
}

void cpu_relax(void)
{
}

void flush_serve_mailbox(void)
{
}

static void put(struct function *f, u32 off, u32 value, u32 width, u32 writable)
{
	memcpy(f->cfg + off, &value, width);
	memcpy(f->writable + off, &writable, width);
}

static struct function *add(u16 bdf, u32 id, u32 class_code, u8 header)
{
	struct function *f = &functions[nr++];

	*f = (struct function){ .bdf = bdf };
	put(f, 0x00, id, 4, 0);
	put(f, 0x04, 7, 2, 0xffff);
	put(f, 0x08, class_code << 8, 4, 0);
	put(f, 0x0e, header, 1, 0);
	put(f, 0x3c, 11, 1, 0xff);
	return f;
}

static void add_bridge(u16 bdf, u8 secondary, u8 pcie_type)
{
	struct function *f = add(bdf, 0xc1b36, 0x060400, 1);

	put(f, 0x19, secondary, 1, 0);
	if (!pcie_type)
		return;
	put(f, 0x06, 0x10, 2, 0);
	put(f, 0x34, PCIE, 1, 0);
	put(f, PCIE, 0x10, 1, 0);
	put(f, PCIE + 2, pcie_type << 4, 2, 0);
}

static int setup(void **state)
{
	struct function *f;
	(void)state;

	memset(&boot_info, 0, sizeof(boot_info));
	boot_info.nr_ranges = 1;
	boot_info.ranges[0] = (struct boot_range){ 0, MIB(512), BOOT_MEM_USABLE };
	memset(pci_fns, 0, sizeof(pci_fns));
	memset(table, 0, sizeof(table));
	pci_count = nr = 0;
	add(0, 0x29c08086, 0x060000, 0);
	f = add(DEV, 0x56781234, 0x020000, 0);
	put(f, 0x10, 0xfe000000, 4, 0xffff0000);     /* 64 KiB */
	put(f, 0x14, 0x0000000c, 4, 0x00000000);     /* 64 bits, prefetchable, 8 GiB */
	put(f, 0x18, 0x00000002, 4, 0xfffffffe);
	put(f, 0x1c, 0x0000c001, 4, 0x0000ffe0);     /* 32 ports */
	put(f, 0x20, 0x00000000, 4, 0xfffff000);     /* not placed */
	put(f, 0x24, 0xfe010800, 4, 0xfffff800);     /* 2 KiB */
	put(f, 0x06, 0x10, 2, 0);
	put(f, 0x34, PCIE, 1, 0);
	put(f, PCIE, 0x10 | MSIX << 8, 2, 0);
	put(f, PCIE + 4, 1u << 28, 4, 0);
	put(f, PCIE + 8, 0x2810, 2, 0xffff);
	put(f, MSIX, 0x11 | MSI << 8, 2, 0);
	put(f, MSIX + 2, 0xc000 | 15, 2, 0xc000); /* 16 vectors; firmware left it on */
	put(f, MSIX + 4, 0x2000, 4, 0);
	put(f, MSI, 0x05, 2, 0);
	put(f, MSI + 2, 0x81, 2, 0x71);
	add_bridge(PORT, 1, 4);
	add_bridge(OLD, 2, 0);
	add(BEHIND, 0x1, 0x010000, 0);
	add(OLD_BEHIND, 0x2, 0x010000, 0);
	return 0;
}

/* ---- cases ---- */

static void test_found(void **state)
{
	const struct pci_fn *fn;
	(void)state;

	pci_init();
	assert_int_equal(pci_count, 6);
	fn = pci_find(DEV);
	assert_int_equal(fn->vendor, 0x1234);
	assert_int_equal(fn->device, 0x5678);
	assert_int_equal(fn->class_code, 0x020000);
	assert_false(fn->bridge || fn->hidden);
	assert_int_equal(fn->pcie, PCIE);
	assert_int_equal(fn->msi, MSI);
	assert_int_equal(fn->vectors, 16);
	assert_int_equal(fn->table, 0xfe002000);
	assert_int_equal(mapped, 0xfe002000);
	for (u32 i = 0; i < 16; i++)
		assert_int_equal(table[4 * i + 3], 1);
	assert_int_equal(pci_read(fn, MSIX + 2, 2), 0x4000 | 15); /* off */
	assert_int_equal(pci_read(fn, MSI + 2, 2) & 1, 0);
	assert_int_equal(pci_read(fn, 4, 2), 3); /* no bus master */
	assert_true(pci_find(PORT)->bridge && pci_find(OLD)->bridge && pci_find(0)->bridge);
	assert_int_equal(pci_read(pci_find(PORT), 4, 2) & 4, 4);
	assert_false(pci_find(BEHIND)->hidden);
	assert_true(pci_find(OLD_BEHIND)->hidden);
	assert_null(pci_find(0x20));
	assert_null(pci_find(0x10000 | DEV));
}

static void check_bar(u32 i, u64 base, u64 size, u32 flags)
{
	const struct pv_dev_bar *bar = &pci_find(DEV)->bars[i];

	assert_int_equal(bar->base, base);
	assert_int_equal(bar->size, size);
	assert_int_equal(bar->flags, flags);
}

static void test_bars(void **state)
{
	(void)state;
	pci_init();
	check_bar(0, 0xfe000000, 0x10000, 0);
	check_bar(1, 2ull << 32, 8ull << 30, PV_BAR_64 | PV_BAR_PREFETCH);
	check_bar(2, 0, 0, 0);
	check_bar(3, 0xc000, 32, PV_BAR_IO);
	check_bar(4, 0, 0, 0);
	check_bar(5, 0xfe010800, 0x800, 0);
	assert_int_equal(pci_read(pci_find(DEV), 0x10, 4), 0xfe000000); /* as it was */
	assert_int_equal(pci_read(pci_find(DEV), 0x18, 4), 2);
}

/* A device may say of its table what it likes. */
static void test_table_refused(void **state)
{
	static const u32 where[] = { 0xff08, 0x10000, 0xfffffff8, 2, 3, 4, 6, 7 };
	(void)state;

	for (u32 i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		setup(NULL);
		mapped = 0;
		put(at(DEV), MSIX + 4, where[i], 4, 0);
		pci_init();
		assert_int_equal(mapped, 0);
		assert_int_equal(pci_find(DEV)->msix, 0);
		assert_int_equal(pci_find(DEV)->vectors, 1); /* MSI is left */
	}
	setup(NULL);
	boot_info.ranges[0].size = 0xff000000; /* firmware has put the BAR over memory */
	pci_init();
	assert_int_equal(mapped, 0);
	assert_int_equal(pci_find(DEV)->msix, 0);
}

static void test_frames(void **state)
{
	const struct pci_fn *fn;
	(void)state;

	put(at(BEHIND), 0x10, 0xfe010000, 4, 0xfffffc00); /* shares a page with DEV's last BAR */
	pci_init();
	fn = pci_find(DEV);
	assert_true(pci_frame_ok(fn, 0xfe000));
	assert_true(pci_frame_ok(fn, 0xfe001));
	assert_false(pci_frame_ok(fn, 0xfe002)); /* the table */
	assert_true(pci_frame_ok(fn, 0xfe003));
	assert_false(pci_frame_ok(fn, 0xfe010));
	assert_true(pci_frame_ok(fn, 0x200000));
	assert_false(pci_frame_ok(fn, 0x100)); /* memory */
	assert_false(pci_frame_ok(fn, 0xfec00)); /* an I/O APIC's */
	assert_false(pci_frame_ok(fn, 0xfee00));
	assert_false(pci_frame_ok(fn, DIRECTMAP_SIZE >> PAGE_SHIFT));
	assert_true(pci_frame_ok(fn, 0x100000));
	boot_info.nr_ranges = 3;
	boot_info.ranges[1] = (struct boot_range){ 0xfe001000, PAGE_SIZE, BOOT_MEM_RESERVED };
	boot_info.ranges[2] = (struct boot_range){ 0xfe003000, PAGE_SIZE, BOOT_MEM_ACPI };
	assert_true(pci_frame_ok(fn, 0xfe000));
	assert_true(pci_frame_ok(fn, 0xfe001)); /* firmware marks registers so */
	assert_false(pci_frame_ok(fn, 0xfe003));
}

/* Not even the first frame of the machine, nor one at the end of what there is of addresses. */
static void test_frames_at_the_ends(void **state)
{
	const struct pci_fn *fn;
	(void)state;

	pci_init();
	fn = pci_find(DEV);
	boot_info.nr_ranges = 0;
	assert_false(pci_frame_ok(fn, 0));
	assert_false(pci_frame_ok(fn, 0xff));
	assert_false(pci_frame_ok(fn, ~0ull >> 12));
}

/* A function without PCI Express has no such registers to write to. */
static void test_plain_writes(void **state)
{
	const struct pci_fn *fn;
	(void)state;

	pci_init();
	fn = pci_find(BEHIND);
	assert_int_equal(fn->pcie, 0);
	memset(at(BEHIND)->writable, 0xff, sizeof(at(BEHIND)->writable));
	for (u32 off = 0; off < 256; off++) {
		bool open = off == 4 || off == 5 || off == 6 || off == 7 || off == 0xc || off == 0xd || off == 0x3c;

		assert_int_equal(pci_write(fn, off, 1, 0, false, false), open ? 0 : -PV_EBUSY);
	}
}

/* More functions than there is room for: those that are found first count. */
static void test_too_many(void **state)
{
	(void)state;
	for (u32 i = 0; nr < ARRAY_SIZE(functions); i++)
		(void)add((u16)(0x40 + i), 0x9, 0x010000, 0x80);
	pci_init();
	assert_int_equal(pci_count, PCI_MAX);
}

/* Whatever is written, with and without the right to DMA, changes open bits or nothing. */
static void test_writes(void **state)
{
	static const u8 open[256] = {
		[4] = 0x47, [5] = 0x05, [6] = 0xff, [7] = 0xff, [0xc] = 0xff, [0xd] = 0xff, [0x3c] = 0xff,
		[PCIE + 8] = 0x1f, [PCIE + 9] = 0x0f, [PCIE + 10] = 0xff, [PCIE + 11] = 0xff,
	};
	struct function *f = at(DEV);
	const struct pci_fn *fn;
	(void)state;

	pci_init();
	fn = pci_find(DEV);
	memset(f->writable, 0xff, sizeof(f->writable));
	for (u32 width = 1; width <= 4; width *= 2)
		for (u32 off = 0; off < 256; off += width)
			for (u32 pattern = 0; pattern < 4; pattern++) {
				u32 value = (pattern & 1 ? ~0u : 0x5a5a5a5a) >> (32 - 8 * width);
				bool dma = pattern & 2, all = true;
				u8 before[256];
				int err;

				memcpy(before, f->cfg, 256);
				err = pci_write(fn, off, width, value, dma, false);
				for (u32 i = 0; i < width; i++)
					all &= open[off + i] != 0;
				assert_int_equal(err, !all ? -PV_EBUSY :
						 off == 4 && (value & 4) && !dma ? -PV_ESTATE : 0);
				for (u32 i = 0; i < 256; i++) {
					u8 bits = !err && i >= off && i < off + width ? open[i] : 0;
					u8 want = (u8)(before[i] & ~bits);

					if (bits)
						want = (u8)(want | (value >> 8 * (i - off) & bits));
					assert_int_equal(f->cfg[i], want);
				}
			}
}

/* What lies behind the head of a vendor's capability is the owner's. */
static void test_vendor_write(void **state)
{
	struct function *f = at(DEV);
	struct pci_fn *fn;
	(void)state;

	pci_init();
	fn = pci_find(DEV);
	memset(f->writable, 0xff, sizeof(f->writable));
	memset(fn->vendor_caps, 0, sizeof(fn->vendor_caps));
	fn->vendor_caps[0xc4 / 8] = 0xf0; /* bytes 0xc4 to 0xc7 */
	f->cfg[0xc4] = 1;
	assert_int_equal(pci_write(fn, 0xc4, 1, 0x5a, false, false), -PV_EBUSY);
	assert_int_equal(pci_write(fn, 0xc0, 4, 0, false, true), -PV_EBUSY);
	assert_int_equal(pci_write(fn, 0xc8, 1, 0, false, true), -PV_EBUSY);
	assert_int_equal(f->cfg[0xc4], 1);
	assert_int_equal(pci_write(fn, 0xc4, 4, 0x12345678, false, true), 0);
	assert_int_equal(f->cfg[0xc4], 0x78);
	assert_int_equal(f->cfg[0xc7], 0x12);
}

static void test_reset(void **state)
{
	struct function *f = at(DEV);
	const struct pci_fn *fn;
	u8 before[256];
	(void)state;

	pci_init();
	fn = pci_find(DEV);
	memcpy(before, f->cfg, 256);
	assert_false(pci_reset_start(pci_find(BEHIND)));
	assert_true(pci_reset_start(fn));
	assert_int_equal(pci_read(fn, PCIE + 8, 2), 0xa810);
	for (u32 i = 4; i < 64; i++)
		f->cfg[i] &= (u8)~f->writable[i];
	put(f, PCIE + 8, 0x2000, 2, 0xffff);
	pci_reset_end(fn);
	assert_memory_equal(before, f->cfg, 256);
}

static void test_messages(void **state)
{
	const struct pci_fn *fn;
	(void)state;

	pci_init();
	fn = pci_find(DEV);
	pci_msi_route(fn, 15, 0x123fee00ff0, 0x4321);
	assert_int_equal(table[60], 0xfee00ff0);
	assert_int_equal(table[61], 0x123);
	assert_int_equal(table[62], 0x4321);
	assert_int_equal(table[63], 0);
	assert_int_equal(pci_read(fn, MSIX + 2, 2), 0x8000 | 15);
	pci_msi_mask(fn, 15, true);
	assert_int_equal(table[63], 1);
	assert_int_equal(table[59], 1);
}

/* One message, by the capability alone, whose data lies behind an address of one word or two. */
static void test_one_message(void **state)
{
	const struct pci_fn *fn;
	(void)state;

	for (u32 wide = 0; wide <= 1; wide++) {
		setup(NULL);
		put(at(DEV), MSIX + 4, 7, 4, 0); /* no use of its table */
		put(at(DEV), MSI + 2, wide ? 0x81 : 0x01, 2, 0x71);
		memset(at(DEV)->writable + MSI + 4, 0xff, 12);
		pci_init();
		fn = pci_find(DEV);
		assert_int_equal(fn->vectors, 1);
		pci_msi_route(fn, 0, 0x123fee00ff0, 0x4321);
		assert_int_equal(pci_read(fn, MSI + 4, 4), 0xfee00ff0);
		assert_int_equal(pci_read(fn, MSI + 8, 4), wide ? 0x123 : 0x4321);
		assert_int_equal(pci_read(fn, MSI + 12, 4), wide ? 0x4321 : 0);
		assert_int_equal(pci_read(fn, MSI + 2, 2) & 0x71, 1);
		assert_int_equal(pci_read(fn, 4, 2) & 0x400, 0x400); /* no INTx beside it */
		pci_msi_mask(fn, 0, true);
		assert_int_equal(pci_read(fn, MSI + 2, 2) & 0x71, 0);
	}
}

/* A capability says how long it is: one that reaches out of the page ends with it. */
static void test_vendor_found(void **state)
{
	static const struct {
		u8 at, length;
	} shapes[] = { { 0xc0, 0 }, { 0xc0, 4 }, { 0xc0, 9 }, { 0xf0, 0x10 }, { 0xf0, 0xff }, { 0xfc, 0xff } };
	(void)state;

	for (u32 i = 0; i < ARRAY_SIZE(shapes); i++) {
		u32 first = shapes[i].at + 4u, end = shapes[i].at + shapes[i].length;

		setup(NULL);
		put(at(BEHIND), 0x06, 0x10, 2, 0);
		put(at(BEHIND), 0x34, shapes[i].at, 1, 0);
		put(at(BEHIND), shapes[i].at, 9u | (u32)shapes[i].length << 16, 4, 0);
		pci_init();
		for (u32 off = 0; off < 256; off++)
			assert_int_equal(pci_find(BEHIND)->vendor_caps[off / 8] >> off % 8 & 1,
					 off >= first && off < end);
	}
}

/* Ports that firmware has given no place; a table of which the device says that it lies among them. */
static void test_ports_without_place(void **state)
{
	(void)state;
	put(at(DEV), 0x1c, 1, 4, 0xffe0);
	put(at(DEV), MSIX + 4, 3, 4, 0);
	pci_init();
	check_bar(3, 0, 0, 0);
	assert_int_equal(pci_find(DEV)->msix, 0);
}

/* Requests keep their sender's name behind ports of PCI Express, and behind nothing else. */
static void test_who_hides(void **state)
{
	(void)state;
	for (u8 type = 1; type < 16; type++) {
		setup(NULL);
		put(at(PORT), 0x06, 0x10, 2, 0);
		put(at(PORT), PCIE + 2, (u32)type << 4, 2, 0);
		pci_init();
		assert_int_equal(pci_find(BEHIND)->hidden, type < 4 || type > 6);
	}
	setup(NULL);
	add_bridge(OLD_BEHIND + 8, 3, 4); /* a port, but behind the old bridge */
	add(0x300, 0x3, 0x010000, 0);
	pci_init();
	assert_true(pci_find(0x300)->hidden);
}

/* A bridge that names its own bus: nothing is found twice. */
static void test_leads_back(void **state)
{
	(void)state;
	put(at(PORT), 0x19, 0, 1, 0);
	put(at(DEV), 0x0e, 0x80, 1, 0);
	pci_init();
	assert_null(pci_find(BEHIND));
	assert_int_equal(pci_count, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_found, setup),
		cmocka_unit_test_setup(test_bars, setup),
		cmocka_unit_test_setup(test_table_refused, setup),
		cmocka_unit_test_setup(test_frames, setup),
		cmocka_unit_test_setup(test_frames_at_the_ends, setup),
		cmocka_unit_test_setup(test_plain_writes, setup),
		cmocka_unit_test_setup(test_too_many, setup),
		cmocka_unit_test_setup(test_writes, setup),
		cmocka_unit_test_setup(test_vendor_write, setup),
		cmocka_unit_test_setup(test_reset, setup),
		cmocka_unit_test_setup(test_messages, setup),
		cmocka_unit_test_setup(test_one_message, setup),
		cmocka_unit_test_setup(test_vendor_found, setup),
		cmocka_unit_test_setup(test_ports_without_place, setup),
		cmocka_unit_test_setup(test_who_hides, setup),
		cmocka_unit_test_setup(test_leads_back, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
