// SPDX-License-Identifier: BSD-2-Clause
/*
 * pci.c - finding PCI functions, and what their configuration space lets whom do.
 *
 * Only the first 256 bytes are used, by the two I/O ports every PC has: what switches address translation
 * services or virtual functions on lies above and stays as reset has left it. pci_lock makes the port pair and
 * read-modify-write one step; it is a leaf.
 */
#include "pci.h"

#include "arch.h"
#include "bits.h"
#include "boot_info.h"
#include "log.h"
#include "mm.h"
#include "spinlock.h"

#define PCI_COMMAND 0x04
#define PCI_CLASS 0x08
#define PCI_HEADER 0x0e
#define PCI_BAR0 0x10
#define PCI_CAPS 0x34
#define PCI_IRQ_LINE 0x3c

#define COMMAND_DECODE 0x3
#define COMMAND_MEMORY 0x2
#define COMMAND_MASTER 0x4
#define COMMAND_NO_INTX 0x400
#define STATUS_CAPS 0x10

#define CAP_MSI 0x05
#define CAP_VENDOR 0x09
#define CAP_PCIE 0x10
#define CAP_MSIX 0x11
#define MAX_CAPS 48
#define PCIE_ABILITIES 4
#define PCIE_CAN_RESET BIT(28)
#define PCIE_CONTROL 8u
#define PCIE_RESET 0x8000u
#define PCIE_ROOT_PORT 4 /* types of PCI Express function; 5 is the upper end of a switch */
#define PCIE_DOWNSTREAM 6

#define MSI_CONTROL 2
#define MSI_ENABLE 0x1
#define MSI_MULTIPLE 0x70
#define MSI_64 0x80
#define MSI_MASKABLE 0x100
#define MSIX_ENABLE 0x8000
#define MSIX_MASK_ALL 0x4000
#define MSIX_ENTRY 16 /* bytes: address, data, vector control */
#define MSIX_MASKED 1

/* Chip sets keep their own registers here, the local APICs among them, and nobody's BAR. */
#define CHIPSET_START 0xfec00000ull
#define CHIPSET_END 0x100000000ull

struct pci_fn pci_fns[PCI_MAX];
u32 pci_count;

static struct spinlock pci_lock = SPINLOCK_INIT;

u32 pci_read(const struct pci_fn *fn, u32 off, u32 width)
{
	u32 value;

	spin_lock(&pci_lock);
	value = arch_pci_read(fn->bdf, off, width);
	spin_unlock(&pci_lock);
	return value;
}

static void update(const struct pci_fn *fn, u32 off, u32 width, u32 clear, u32 set)
{
	spin_lock(&pci_lock);
	arch_pci_write(fn->bdf, off, width, (arch_pci_read(fn->bdf, off, width) & ~clear) | set);
	spin_unlock(&pci_lock);
}

/* Of the command register alone: a dword would write the status register's ones back and clear them. */
static void command(const struct pci_fn *fn, u32 clear, u32 set)
{
	update(fn, PCI_COMMAND, 2, clear, set);
}

struct pci_fn *pci_find(u64 bdf)
{
	for (u32 i = 0; i < pci_count; i++)
		if (pci_fns[i].bdf == bdf)
			return &pci_fns[i];
	return NULL;
}

/* ---- what may be written ---- */

/* Bits of one byte that are anybody's, or the owner's; of status registers a one clears, so all are. */
static u8 open_bits(const struct pci_fn *fn, u32 off, bool owner)
{
	if (owner && fn->vendor_caps[off / 8] >> off % 8 & 1)
		return 0xff;
	switch (off) {
	case PCI_COMMAND: /* I/O, memory, bus master, parity */
		return 0x47;
	case PCI_COMMAND + 1: /* SERR, INTx disable */
		return 0x05;
	case PCI_COMMAND + 2:
	case PCI_COMMAND + 3:
	case PCI_CLASS + 4: /* cache line size, latency timer */
	case PCI_CLASS + 5:
	case PCI_IRQ_LINE:
		return 0xff;
	}
	if (fn->pcie && off >= fn->pcie + PCIE_CONTROL && off < fn->pcie + PCIE_CONTROL + 4) {
		/* device control without payload size, read request size and reset; device status */
		static const u8 control[] = { 0x1f, 0x0f, 0xff, 0xff };

		return control[off - fn->pcie - PCIE_CONTROL];
	}
	return 0;
}

int pci_write(const struct pci_fn *fn, u32 off, u32 width, u32 value, bool dma, bool owner)
{
	u32 open = 0;

	for (u32 i = 0; i < width; i++) {
		u32 bits = open_bits(fn, off + i, owner);

		if (!bits)
			return -PV_EBUSY;
		open |= bits << 8 * i;
	}
	if (off == PCI_COMMAND && (value & COMMAND_MASTER) && !dma)
		return -PV_ESTATE;
	update(fn, off, width, open, value & open);
	return 0;
}

void pci_bus_master_off(const struct pci_fn *fn)
{
	command(fn, COMMAND_MASTER, 0);
}

/* ---- reset ---- */

bool pci_reset_start(const struct pci_fn *fn)
{
	if (fn->can_reset)
		update(fn, fn->pcie + PCIE_CONTROL, 2, 0, PCIE_RESET);
	return fn->can_reset;
}

void pci_reset_end(const struct pci_fn *fn)
{
	spin_lock(&pci_lock);
	for (u32 i = 0; i < PV_DEV_BARS; i++) {
		const struct pv_dev_bar *bar = &fn->bars[i];

		if (!bar->size)
			continue;
		arch_pci_write(fn->bdf, PCI_BAR0 + 4 * i, 4, (u32)bar->base);
		if (bar->flags & PV_BAR_64)
			arch_pci_write(fn->bdf, PCI_BAR0 + 4 * i + 4, 4, (u32)(bar->base >> 32));
	}
	arch_pci_write(fn->bdf, PCI_IRQ_LINE, 1, fn->irq_line);
	arch_pci_write(fn->bdf, fn->pcie + PCIE_CONTROL, 2, fn->control);
	arch_pci_write(fn->bdf, PCI_COMMAND, 2, fn->command);
	spin_unlock(&pci_lock);
}

/* ---- what may be mapped ---- */

static bool meets(u64 start, u64 size, u64 other, u64 other_size)
{
	return start < other + other_size && other < start + size;
}

/* Not of memory, not of the machine itself. */
static bool is_device_range(paddr_t start, u64 size)
{
	if (start + size < start || start + size > DIRECTMAP_SIZE || start < MIB(1) ||
	    meets(start, size, CHIPSET_START, CHIPSET_END - CHIPSET_START))
		return false;
	for (u32 i = 0; i < boot_info.nr_ranges; i++) {
		const struct boot_range *r = &boot_info.ranges[i];

		if (r->type != BOOT_MEM_RESERVED && meets(start, size, r->start, r->size))
			return false;
	}
	return true;
}

bool pci_frame_ok(const struct pci_fn *fn, mfn_t mfn)
{
	paddr_t pa = mfn << PAGE_SHIFT;

	if (!is_device_range(pa, PAGE_SIZE))
		return false;
	if (fn->msix && meets(pa, PAGE_SIZE, fn->table, (u64)fn->vectors * MSIX_ENTRY))
		return false;
	for (u32 i = 0; i < pci_count; i++)
		for (u32 b = 0; b < PV_DEV_BARS && &pci_fns[i] != fn; b++) {
			const struct pv_dev_bar *bar = &pci_fns[i].bars[b];

			if (!(bar->flags & PV_BAR_IO) && meets(pa, PAGE_SIZE, bar->base, bar->size))
				return false;
		}
	return true;
}

/* ---- message interrupts ---- */

static volatile u32 *table_entry(const struct pci_fn *fn, u32 index)
{
	return fn->table_regs + index * MSIX_ENTRY / sizeof(u32);
}

static void msi_route(const struct pci_fn *fn, u64 address, u32 data)
{
	bool wide = pci_read(fn, fn->msi + MSI_CONTROL, 2) & MSI_64;

	spin_lock(&pci_lock);
	arch_pci_write(fn->bdf, fn->msi + 4u, 4, (u32)address);
	if (wide)
		arch_pci_write(fn->bdf, fn->msi + 8u, 4, (u32)(address >> 32));
	arch_pci_write(fn->bdf, fn->msi + (wide ? 12u : 8u), 2, data);
	spin_unlock(&pci_lock);
	command(fn, 0, COMMAND_NO_INTX);
}

void pci_msi_route(const struct pci_fn *fn, u32 index, u64 address, u32 data)
{
	if (fn->msix) {
		volatile u32 *entry = table_entry(fn, index);

		command(fn, 0, COMMAND_MEMORY);
		entry[0] = (u32)address;
		entry[1] = (u32)(address >> 32);
		entry[2] = data;
		update(fn, fn->msix + MSI_CONTROL, 2, MSIX_MASK_ALL, MSIX_ENABLE);
	} else {
		msi_route(fn, address, data);
	}
	pci_msi_mask(fn, index, false);
}

/* A function that cannot mask its one message is switched off: what it sends meanwhile is lost. */
void pci_msi_mask(const struct pci_fn *fn, u32 index, bool mask)
{
	if (fn->msix) {
		table_entry(fn, index)[3] = mask ? MSIX_MASKED : 0;
		(void)table_entry(fn, index)[3]; /* has arrived when this returns */
		return;
	}
	update(fn, fn->msi + MSI_CONTROL, 2, MSI_ENABLE | MSI_MULTIPLE, mask ? 0 : MSI_ENABLE);
}

/* ---- finding them ---- */

static u32 raw(const struct pci_fn *fn, u32 off, u32 width)
{
	return arch_pci_read(fn->bdf, off, width);
}

/* What stays zero when ones are written says the size. */
static u32 probe_bar(const struct pci_fn *fn, u32 off)
{
	u32 old = raw(fn, off, 4), mask;

	arch_pci_write(fn->bdf, off, 4, ~0u);
	mask = raw(fn, off, 4);
	arch_pci_write(fn->bdf, off, 4, old);
	return mask;
}

/* Returns registers passed. */
static u32 read_bar(struct pci_fn *fn, u32 index)
{
	struct pv_dev_bar *bar = &fn->bars[index];
	u32 off = PCI_BAR0 + 4 * index, old = raw(fn, off, 4), mask = probe_bar(fn, off);
	u64 base, ones;

	if (!mask)
		return 1;
	if (mask & 1) {
		if (old & 0xfffc)
			*bar = (struct pv_dev_bar){ old & 0xfffc, (~mask & 0xfffc) + 4, PV_BAR_IO, 0 };
		return 1;
	}
	base = old & ~0xfu;
	ones = (mask & ~0xfu) | ~0ull << 32;
	if (mask & 4) {
		base |= (u64)raw(fn, off + 4, 4) << 32;
		ones = (mask & ~0xfu) | (u64)probe_bar(fn, off + 4) << 32;
		bar->flags |= PV_BAR_64;
	}
	if (mask & 8)
		bar->flags |= PV_BAR_PREFETCH;
	if (base) { /* else firmware has not placed it */
		bar->base = base;
		bar->size = -ones;
	}
	return mask & 4 ? 2 : 1;
}

static void read_bars(struct pci_fn *fn, u32 count)
{
	u32 before = raw(fn, PCI_COMMAND, 2);

	arch_pci_write(fn->bdf, PCI_COMMAND, 2, before & ~(u32)COMMAND_DECODE);
	for (u32 i = 0; i < count;)
		i += read_bar(fn, i);
	arch_pci_write(fn->bdf, PCI_COMMAND, 2, before);
}

/* Sets the capability up if its table lies where a table can lie. */
static bool read_msix(struct pci_fn *fn)
{
	u32 vectors = (raw(fn, fn->msix + MSI_CONTROL, 2) & 0x7ff) + 1, where = raw(fn, fn->msix + 4u, 4);
	u32 index = where & 7, off = where & ~7u, size = vectors * MSIX_ENTRY;
	const struct pv_dev_bar *bar = &fn->bars[index];

	if (index >= PV_DEV_BARS || bar->flags & PV_BAR_IO || off > bar->size || size > bar->size - off ||
	    !is_device_range(bar->base + off, size))
		return false;
	fn->vectors = (u16)vectors;
	fn->table = bar->base + off;
	fn->table_regs = arch_map_mmio(fn->table, size);
	command(fn, 0, COMMAND_MEMORY);
	for (u32 i = 0; i < vectors; i++)
		table_entry(fn, i)[3] = MSIX_MASKED;
	update(fn, fn->msix + MSI_CONTROL, 2, MSIX_ENABLE, 0);
	return true;
}

/* What lies behind the head of a capability of the vendor's own. */
static void note_vendor_cap(struct pci_fn *fn, u32 at)
{
	u32 end = at + (raw(fn, at + 2, 1) & 0xff);

	for (u32 off = at + 4; off < end && off < PCI_CONFIG_SIZE; off++)
		fn->vendor_caps[off / 8] |= (u8)(1u << off % 8);
}

static void read_caps(struct pci_fn *fn)
{
	u32 at = raw(fn, PCI_COMMAND, 4) >> 16 & STATUS_CAPS ? raw(fn, PCI_CAPS, 1) & ~3u : 0;

	for (u32 i = 0; at && i < MAX_CAPS; i++) {
		u8 id = (u8)raw(fn, at, 1);

		if (id == CAP_MSI)
			fn->msi = (u8)at;
		else if (id == CAP_MSIX)
			fn->msix = (u8)at;
		else if (id == CAP_PCIE)
			fn->pcie = (u8)at;
		else if (id == CAP_VENDOR)
			note_vendor_cap(fn, at);
		at = raw(fn, at + 1, 1) & ~3u;
	}
}

static void set_up(struct pci_fn *fn)
{
	command(fn, COMMAND_MASTER, 0);
	fn->command = (u16)raw(fn, PCI_COMMAND, 2);
	if (fn->pcie) {
		fn->can_reset = raw(fn, fn->pcie + PCIE_ABILITIES, 4) & PCIE_CAN_RESET;
		fn->control = (u16)(raw(fn, fn->pcie + PCIE_CONTROL, 2) & ~PCIE_RESET);
	}
	if (fn->msix && !read_msix(fn)) {
		log_warn("pci: %x: no use of its MSI-X table\n", fn->bdf);
		fn->msix = 0;
	}
	if (!fn->msix && fn->msi)
		fn->vectors = 1;
	if (fn->msi)
		update(fn, fn->msi + MSI_CONTROL, 2, MSI_ENABLE, 0);
}

/* A bridge that is no port of PCI Express sends what comes from behind it under its own name. */
static bool hides(const struct pci_fn *fn)
{
	u32 type = fn->pcie ? raw(fn, fn->pcie + 2u, 2) >> 4 & 15 : 0;

	return fn->hidden || type < PCIE_ROOT_PORT || type > PCIE_DOWNSTREAM;
}

/* Returns the bus behind it, 0 if there is none. */
static u32 found(struct pci_fn *fn)
{
	u32 id = raw(fn, 0, 4), header = raw(fn, PCI_HEADER, 1) & 0x7f;

	fn->vendor = (u16)id;
	fn->device = (u16)(id >> 16);
	fn->class_code = raw(fn, PCI_CLASS, 4) >> 8;
	fn->bridge = fn->class_code >> 16 == 6 || header;
	fn->irq_line = (u8)raw(fn, PCI_IRQ_LINE, 1);
	if (fn->class_code >> 8 != 0x600) /* a host bridge's are the machine's own */
		read_bars(fn, header == 0 ? 6 : header == 1 ? 2 : 0);
	read_caps(fn);
	if (!fn->bridge)
		set_up(fn);
	else if (header == 1) /* lets through what those behind it send, once they may */
		command(fn, 0, COMMAND_MASTER);
	return header == 1 ? raw(fn, PCI_SECONDARY, 1) : 0;
}

struct buses {
	u64 there[4], hidden[4];
};

static void scan_device(u32 bdf, struct buses *buses)
{
	for (u32 function = 0; function < 8; function++, bdf++) {
		struct pci_fn *fn = &pci_fns[pci_count];
		u32 behind;

		if ((arch_pci_read(bdf, 0, 4) & 0xffff) == 0xffff) {
			if (!function)
				return;
			continue;
		}
		if (pci_count == PCI_MAX) {
			log_warn("pci: %x and more ignored: more than %u functions\n", bdf, PCI_MAX);
			return;
		}
		*fn = (struct pci_fn){ .bdf = (u16)bdf, .hidden = bitmap_test(buses->hidden, bdf >> 8) };
		pci_count++;
		behind = found(fn);
		if (behind > bdf >> 8) { /* firmware numbers buses downwards */
			bitmap_set(buses->there, behind);
			if (hides(fn))
				bitmap_set(buses->hidden, behind);
		}
		log_debug("  pci %x: %x:%x class %x, %u vectors\n", bdf, fn->vendor, fn->device,
			  fn->class_code, fn->vectors);
		if (!function && !(arch_pci_read(bdf, PCI_HEADER, 1) & 0x80))
			return;
	}
}

void pci_init(void)
{
	struct buses buses = { .there = { 1 } };

	if (!arch_pci_present())
		return;
	for (u32 bus = 0; bus < 256; bus++)
		for (u32 device = 0; bitmap_test(buses.there, bus) && device < 32; device++)
			scan_device(bus << 8 | device << 3, &buses);
	log_info("pci: %u functions\n", pci_count);
}
