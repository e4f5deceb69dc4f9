// SPDX-License-Identifier: BSD-2-Clause
/*
 * vtd.c - Intel's remapping hardware (VT-d, legacy mode): DMA and message interrupts of devices.
 *
 * Every unit gets the same tables and the same commands, so it does not matter which of them a function is
 * behind. A context table for each bus that has functions, all empty at first: nothing passes. Interrupts go through
 * one table of 256 entries, each good for one source; interrupts in the old format are not let through.
 *
 * Commands go through a queue and are waited for, under vtd_lock: a leaf, and the hardware needs nobody's help.
 */
#include "vtd.h"

#include "arch.h"
#include "bits.h"
#include "boot_info.h"
#include "device.h"
#include "dmar.h"
#include "iommu.h"
#include "log.h"
#include "panic.h"
#include "paging.h"
#include "pci.h"
#include "platform.h"
#include "spinlock.h"
#include "string.h"
#include "x86.h"

#define REG_CAP 0x08
#define REG_ECAP 0x10
#define REG_GCMD 0x18
#define REG_GSTS 0x1c
#define REG_ROOT 0x20
#define REG_FSTS 0x34
#define REG_FECTL 0x38
#define REG_FEDATA 0x3c
#define REG_FEADDR 0x40
#define REG_FEUADDR 0x44
#define REG_IQT 0x88
#define REG_IQA 0x90
#define REG_IRTA 0xb8

#define CAP_RWBF BIT(4)
#define CAP_LEVELS_3 BIT(9)
#define CAP_LEVELS_4 BIT(10)
#define CAP_DRAIN (BIT(54) | BIT(55))
#define CAP_DOMAINS(cap) ((cap)&7) /* 16 << 2n */
#define CAP_FAULT_OFFSET(cap) (((cap) >> 24 & 0x3ff) * 16)
#define CAP_FAULT_COUNT(cap) (((cap) >> 40 & 0xff) + 1)
#define ECAP_COHERENT BIT(0)
#define ECAP_QUEUE BIT(1)
#define ECAP_INTERRUPTS BIT(3)
#define ECAP_LONG_IDS BIT(4)

#define CMD_TRANSLATE BIT(31)
#define CMD_ROOT BIT(30)
#define CMD_QUEUE BIT(26)
#define CMD_INTERRUPTS BIT(25)
#define CMD_INTERRUPT_TABLE BIT(24)
#define CMD_STATES 0x96ffffffu /* of the status those bits that a command must repeat */

#define FSTS_FAULTS 0x2u
#define FSTS_CLEAR 0x7du
#define FAULT_VALID BIT(63) /* of the upper half of a record */
#define FAULT_READ BIT(62)

#define QUEUE_SIZE 256u
#define Q_CONTEXT 1ull
#define Q_IOTLB 2ull
#define Q_INTERRUPTS 4ull
#define Q_WAIT 5ull
#define Q_GLOBAL (1ull << 4)
#define Q_DOMAIN (2ull << 4)
#define Q_DEVICE (3ull << 4)
#define Q_DRAIN (3ull << 6)
#define Q_ONE (1ull << 4) /* interrupt entry */
#define Q_STATUS (1ull << 5)

#define PRESENT 1ull
#define IRTE_VERIFY BIT(18) /* of the upper half: the source must be this one */
#define IRTE_LEVEL BIT(4)

#define IRTA_LONG_IDS BIT(11)

#define TIMEOUT_NS 100000000ull

struct unit {
	volatile u8 *regs;
	paddr_t base;
	u64 cap;
	u64 (*queue)[2];
	u32 tail;
	volatile u32 done; /* the hardware writes it */
};

static struct unit units[DMAR_UNITS];
static u32 nr_units, levels;
static bool coherent = true;
static struct dmar dmar;
static u64 (*root_table)[2];
static u64 (*contexts[256])[2]; /* by bus; NULL: no functions there */
static u64 (*interrupts)[2];
static u64 confined; /* bit n: function n is behind a unit, and free to be given away */
static struct spinlock vtd_lock = SPINLOCK_INIT;

static u32 read32(const struct unit *u, u32 reg)
{
	return *(volatile u32 *)(u->regs + reg);
}

static u64 read64(const struct unit *u, u32 reg)
{
	return *(volatile u64 *)(u->regs + reg);
}

static void write32(const struct unit *u, u32 reg, u32 v)
{
	*(volatile u32 *)(u->regs + reg) = v;
}

static void write64(const struct unit *u, u32 reg, u64 v)
{
	*(volatile u64 *)(u->regs + reg) = v;
}

void arch_iommu_written(const void *p, size_t n)
{
	const char *line = (const char *)ALIGN_DOWN(p, 64);

	for (; !coherent && line < (const char *)p + n; line += 64)
		clflush(line);
}

/* High half first: the low one makes it valid. */
static void set_entry(u64 entry[2], u64 low, u64 high)
{
	WRITE_ONCE(entry[0], 0);
	compiler_barrier();
	WRITE_ONCE(entry[1], high);
	compiler_barrier();
	WRITE_ONCE(entry[0], low);
	arch_iommu_written(entry, 16);
}

/* ---- commands ---- */

static void __noreturn silent(const struct unit *u)
{
	panic("the IOMMU at %lx does not answer", u->base);
}

static void command(const struct unit *u, u64 bit, bool on)
{
	u32 now = read32(u, REG_GSTS) & CMD_STATES;
	u64 end = clock_now_ns() + TIMEOUT_NS;

	write32(u, REG_GCMD, on ? now | (u32)bit : now & ~(u32)bit);
	while (!(read32(u, REG_GSTS) & bit) == on)
		if (clock_now_ns() > end)
			silent(u);
}

static void queue(struct unit *u, u64 low, u64 high)
{
	u->queue[u->tail][0] = low;
	u->queue[u->tail][1] = high;
	arch_iommu_written(u->queue[u->tail], 16);
	u->tail = (u->tail + 1) % QUEUE_SIZE;
}

/* Up to here all is done when it returns. The queue is empty then. */
static void queue_wait(struct unit *u)
{
	u64 end = clock_now_ns() + TIMEOUT_NS;

	u->done = 0;
	arch_iommu_written((const void *)&u->done, sizeof(u->done));
	queue(u, Q_WAIT | Q_STATUS | 1ull << 32, image_to_paddr((const void *)&u->done));
	write64(u, REG_IQT, (u64)u->tail * 16);
	while (!u->done) {
		cpu_relax();
		if (clock_now_ns() > end)
			silent(u);
	}
}

/* One or two commands to all units; lock held. */
static void all_units(u64 first, u64 second)
{
	for (u32 i = 0; i < nr_units; i++) {
		struct unit *u = &units[i];

		if (first)
			queue(u, first, 0);
		if (second)
			queue(u, second | (u->cap & CAP_DRAIN) >> 48, 0);
		queue_wait(u);
	}
}

BUILD_ASSERT((CAP_DRAIN >> 48) == Q_DRAIN);

/* ---- DMA ---- */

static u64 domain_id(u32 source)
{
	return source + 1; /* 0 is the hardware's */
}

u32 arch_iommu_levels(void)
{
	return levels;
}

bool arch_iommu_covers(u32 source)
{
	return confined >> source & 1;
}

void arch_iommu_attach(u16 bdf, u32 source, const u64 *root)
{
	u64 id = domain_id(source);

	spin_lock(&vtd_lock);
	set_entry(contexts[bdf >> 8][bdf & 0xff], ptr_to_paddr(root) | PRESENT, id << 8 | (levels - 2));
	all_units(Q_CONTEXT | Q_DEVICE | id << 16 | (u64)bdf << 32, Q_IOTLB | Q_DOMAIN | id << 16);
	spin_unlock(&vtd_lock);
}

void arch_iommu_flush(u32 source)
{
	spin_lock(&vtd_lock);
	all_units(0, Q_IOTLB | Q_DOMAIN | domain_id(source) << 16);
	spin_unlock(&vtd_lock);
}

void arch_iommu_detach(u16 bdf, u32 source)
{
	u64 id = domain_id(source);

	spin_lock(&vtd_lock);
	set_entry(contexts[bdf >> 8][bdf & 0xff], 0, 0);
	all_units(Q_CONTEXT | Q_DEVICE | id << 16 | (u64)bdf << 32, Q_IOTLB | Q_DOMAIN | id << 16);
	spin_unlock(&vtd_lock);
}

/* ---- interrupts ---- */

bool vtd_interrupts(void)
{
	return levels;
}

void vtd_interrupt_set(u32 index, u16 source, u8 vector, u32 dest_apic, bool level)
{
	u64 dest = (u64)dest_apic << (lapic_x2 ? 32 : 40);

	spin_lock(&vtd_lock);
	set_entry(interrupts[index], PRESENT | (level ? IRTE_LEVEL : 0) | (u64)vector << 16 | dest,
		  source | IRTE_VERIFY);
	all_units(Q_INTERRUPTS | Q_ONE | (u64)index << 32, 0);
	spin_unlock(&vtd_lock);
}

void vtd_interrupt_clear(u32 index)
{
	spin_lock(&vtd_lock);
	set_entry(interrupts[index], 0, 0);
	all_units(Q_INTERRUPTS | Q_ONE | (u64)index << 32, 0);
	spin_unlock(&vtd_lock);
}

bool vtd_ioapic_source(u32 id, u16 *source)
{
	for (u32 i = 0; i < dmar.nr_ioapics; i++)
		if (dmar.ioapics[i].id == id) {
			*source = dmar.ioapics[i].source;
			return true;
		}
	return false;
}

/* ---- faults ---- */

/* A record is free before its fault is counted: who sees the count may cause the next one, which finds no room else. */
static void take_faults(const struct unit *u)
{
	u32 at = (u32)CAP_FAULT_OFFSET(u->cap);

	for (u32 i = 0; i < CAP_FAULT_COUNT(u->cap); i++, at += 16) {
		u64 high = read64(u, at + 8), low = read64(u, at);

		if (!(high & FAULT_VALID))
			continue;
		write32(u, at + 12, (u32)(FAULT_VALID >> 32));
		device_fault((u16)high, low, (u32)(high >> 32 & 0xff), high & FAULT_READ);
	}
	write32(u, REG_FSTS, FSTS_CLEAR);
}

/* Interrupt context: no lock is held by this CPU. */
static void on_fault(u8 vector)
{
	(void)vector;
	for (u32 i = 0; i < nr_units; i++)
		if (read32(&units[i], REG_FSTS))
			take_faults(&units[i]);
}

/* ---- start ---- */

/* NULL: it can be used. */
static const char *unfit(const struct unit *u)
{
	u64 ecap = read64(u, REG_ECAP);

	if (!(ecap & ECAP_QUEUE))
		return "has no command queue";
	if (!(ecap & ECAP_INTERRUPTS))
		return "does not remap interrupts";
	if (lapic_x2 && !(ecap & ECAP_LONG_IDS))
		return "does not know the local APICs' long ids";
	if (u->cap & CAP_RWBF)
		return "needs its write buffer flushed";
	if (CAP_DOMAINS(u->cap) < 2) /* 256 */
		return "has too few domains";
	if (CAP_FAULT_OFFSET(u->cap) + CAP_FAULT_COUNT(u->cap) * 16 > PAGE_SIZE)
		return "reports faults beyond its first page";
	return NULL;
}

static const char *find_units(void)
{
	u64 common = CAP_LEVELS_3 | CAP_LEVELS_4;

	if (!dmar_parse(acpi_info.dmar, acpi_info.dmar_size, &dmar))
		return "the DMAR table is malformed";
	for (u32 i = 0; i < dmar.nr_units; i++) {
		struct unit *u = &units[i];
		const char *why;

		u->base = dmar.units[i];
		u->regs = paging_map_mmio(u->base, PAGE_SIZE);
		u->cap = read64(u, REG_CAP);
		why = unfit(u);
		if (why)
			return why;
		common &= u->cap;
		coherent &= read64(u, REG_ECAP) & ECAP_COHERENT;
	}
	if (!common)
		return "the units agree on no table format";
	levels = common & CAP_LEVELS_3 ? 3 : 4;
	return NULL;
}

/* Where a path of bridges leads; NULL: there is nothing. */
static const struct pci_fn *follow(const struct dmar_path *path)
{
	const struct pci_fn *fn = NULL;
	u32 bus = path->bus;

	for (u32 i = 0; i < path->depth; i++) {
		if (fn)
			bus = pci_read(fn, PCI_SECONDARY, 1);
		fn = pci_find(bus << 8 | (u32)path->step[i].device << 3 | path->step[i].function);
		if (!fn)
			return NULL;
	}
	return fn;
}

/* The functions that paths lead to, those behind bridges included. */
static u64 functions_of(const struct dmar_path *paths, u32 count)
{
	u64 found = 0;

	for (u32 p = 0; p < count; p++) {
		const struct pci_fn *fn = follow(&paths[p]);
		u32 first = fn && paths[p].bridge ? pci_read(fn, PCI_SECONDARY, 1) : 256;
		u32 last = fn && paths[p].bridge ? pci_read(fn, PCI_SUBORDINATE, 1) : 0;

		for (u32 i = 0; i < pci_count; i++)
			if (&pci_fns[i] == fn || (pci_fns[i].bdf >> 8 >= first && pci_fns[i].bdf >> 8 <= last))
				found |= BIT(i);
	}
	return found;
}

BUILD_ASSERT(PCI_MAX <= 64);

static void *table(void)
{
	void *page = paddr_to_ptr(boot_mem_alloc(PAGE_SIZE, PAGE_SIZE));

	arch_iommu_written(page, PAGE_SIZE);
	return page;
}

static void make_tables(void)
{
	root_table = table();
	interrupts = table();
	for (u32 i = 0; i < pci_count; i++) {
		u32 bus = pci_fns[i].bdf >> 8;

		if (contexts[bus])
			continue;
		contexts[bus] = table();
		set_entry(root_table[bus], ptr_to_paddr(contexts[bus]) | PRESENT, 0);
	}
	confined = dmar.covers_all ? ~0ull : functions_of(dmar.scopes, dmar.nr_scopes);
	confined &= ~functions_of(dmar.reserved, dmar.nr_reserved);
}

static void start(struct unit *u)
{
	static const u32 may_be_on[] = { CMD_TRANSLATE, CMD_INTERRUPTS, CMD_QUEUE }; /* from firmware */

	for (u32 i = 0; i < ARRAY_SIZE(may_be_on); i++)
		if (read32(u, REG_GSTS) & may_be_on[i])
			command(u, may_be_on[i], false);
	u->queue = table();
	u->tail = 0;
	write64(u, REG_ROOT, ptr_to_paddr(root_table));
	command(u, CMD_ROOT, true);
	write64(u, REG_IQT, 0);
	write64(u, REG_IQA, ptr_to_paddr(u->queue));
	command(u, CMD_QUEUE, true);
	write64(u, REG_IRTA, ptr_to_paddr(interrupts) | (lapic_x2 ? IRTA_LONG_IDS : 0) | 7); /* 2^8 entries */
	command(u, CMD_INTERRUPT_TABLE, true);
	queue(u, Q_CONTEXT | Q_GLOBAL, 0);
	queue(u, Q_IOTLB | Q_GLOBAL, 0);
	queue(u, Q_INTERRUPTS, 0);
	queue_wait(u);
	take_faults(u);
	write32(u, REG_FEADDR, MSI_ADDRESS | cpus[0].apic_id << 12);
	write32(u, REG_FEUADDR, 0);
	write32(u, REG_FEDATA, VEC_IOMMU);
	write32(u, REG_FECTL, 0);
	command(u, CMD_INTERRUPTS, true);
	command(u, CMD_TRANSLATE, true);
}

void arch_iommu_init(void)
{
	const char *why = acpi_info.dmar ? find_units() : "the machine has none";

	if (why) {
		levels = 0;
		log_info("iommu: not used, %s: a device with DMA has to be trusted\n", why);
		return;
	}
	make_tables();
	arch_vector_set(VEC_IOMMU, on_fault);
	nr_units = dmar.nr_units;
	for (u32 i = 0; i < nr_units; i++)
		start(&units[i]);
	log_info("iommu: VT-d, %u units, %u-level tables: no DMA but what is named\n", nr_units, levels);
	for (u32 i = 0; i < pci_count; i++)
		if (!pci_fns[i].bridge && !(confined >> i & 1))
			log_warn("iommu: no DMA for %x: firmware uses it, or no unit confines it\n",
				 pci_fns[i].bdf);
}
