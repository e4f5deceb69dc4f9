// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_vtd.c - remapping units that QEMU does not make: several, not coherent, with three levels, left on by
 * firmware, unfit in every way, silent. The unit is played while the kernel waits for it: it carries out the
 * commands in its queue and notes them.
 */
#include "board.h"

#include "arch.h"
#include "bits.h"
#include "boot_info.h"
#include "cpu.h"
#include "device.h"
#include "iommu.h"
#include "pci.h"
#include "platform.h"
#include "vtd.h"

#define UNIT(i) (0xfed90000u + (i) * 0x1000u)
#define RAM MIB(1)
#define CAP_GOOD (BIT(10) | 6 | BIT(54) | BIT(55) | 0x20ull << 24 | 1ull << 40) /* 4 levels, faults at 0x200, two */
#define ECAP_GOOD 0xfull
#define GSTS 0x1c
#define FSTS 0x34

bool lapic_x2;
struct acpi_info acpi_info;
struct pci_fn pci_fns[PCI_MAX];
u32 pci_count;

static u64 now;
static paddr_t ram_used;
static u8 dmar_table[512];
static vector_handler_t on_vector;
static bool silent;	  /* no unit answers any more */
static u32 silent_after; /* or only so many more commands of a queue are carried out; 0: all */

static struct {
	u32 status, head;
	u64 commands[64][2];
	u32 nr_commands;
} played[8];

static struct {
	u16 bdf;
	u64 address;
	u32 reason, count;
	bool read;
} fault;

static u64 *reg64(u32 unit, u32 off)
{
	return (u64 *)((char *)board_page(UNIT(unit)) + off);
}

static u32 *reg32(u32 unit, u32 off)
{
	return (u32 *)((char *)board_page(UNIT(unit)) + off);
}

static void serve_queue(u32 i)
{
	const u64(*queue)[2] = paddr_to_ptr(*reg64(i, 0x90));

	for (; played[i].head != *reg64(i, 0x88) / 16; played[i].head = (played[i].head + 1) % 256) {
		const u64 *command = queue[played[i].head];

		if (silent_after && !--silent_after) {
			silent = true;
			return;
		}
		memcpy(played[i].commands[played[i].nr_commands++ % 64], command, 16);
		if ((command[0] & 15) == 5)
			*(volatile u32 *)paddr_to_ptr(command[1]) = (u32)(command[0] >> 32);
	}
}

static void serve(void)
{
	for (u32 i = 0; i < 8 && !silent; i++) {
		if (!*reg64(i, 8))
			continue;
		played[i].status = *reg32(i, 0x18) | (played[i].status & (BIT(30) | BIT(24)));
		*reg32(i, GSTS) = played[i].status;
		if (played[i].status & BIT(26))
			serve_queue(i);
	}
}

u64 clock_now_ns(void)
{
	serve();
	return now += 1000000;
}

paddr_t boot_mem_alloc(u64 size, u64 align)
{
	paddr_t at = ALIGN_UP(ram_used, align);

	ram_used = at + size;
	assert_true(ram_used <= RAM);
	return at;
}

void arch_vector_set(u8 vector, vector_handler_t fn)
{
	assert_int_equal(vector, VEC_IOMMU);
	on_vector = fn;
}

void device_fault(u16 bdf, u64 address, u32 reason, bool read)
{
	fault.bdf = bdf;
	fault.address = address;
	fault.reason = reason;
	fault.read = read;
	fault.count++;
}

struct pci_fn *pci_find(u64 bdf)
{
	for (u32 i = 0; i < pci_count; i++)
		if (pci_fns[i].bdf == bdf)
			return &pci_fns[i];
	return NULL;
}

/* The bridge's buses are in its line, which nobody asks for here. */
u32 pci_read(const struct pci_fn *fn, u32 off, u32 width)
{
	assert_int_equal(width, 1);
	return off == PCI_SECONDARY ? fn->irq_line : fn->irq_line + 1u;
}

/* ---- the firmware's table ---- */

static void put(u64 value, u32 bytes)
{
	memcpy(dmar_table + acpi_info.dmar_size, &value, bytes);
	acpi_info.dmar_size += bytes;
}

static void table_begin(void)
{
	memset(dmar_table, 0, sizeof(dmar_table));
	acpi_info.dmar = dmar_table;
	acpi_info.dmar_size = 48;
}

static void unit(u32 i, bool all, u32 scope_bytes)
{
	put(0, 2);
	put(16 + scope_bytes, 2);
	put(all, 1);
	put(0, 3);
	put(UNIT(i), 8);
}

/* A path of one or two steps. */
static void scope(u8 type, u8 id, u8 bus, u16 first, u16 second)
{
	put(type, 1);
	put(second ? 10 : 8, 1);
	put(0, 2);
	put(id, 1);
	put(bus, 1);
	put(first >> 3 | (first & 7) << 8, 2);
	if (second)
		put(second >> 3 | (second & 7) << 8, 2);
}

static void function(u16 bdf, u8 bridge_to)
{
	pci_fns[pci_count].bdf = bdf;
	pci_fns[pci_count].bridge = bridge_to;
	pci_fns[pci_count++].irq_line = bridge_to;
}

static int setup(void **state)
{
	(void)state;
	board_reset();
	free(host_ram);
	host_ram = aligned_alloc(PAGE_SIZE, RAM);
	memset(host_ram, 0, RAM);
	memset(&acpi_info, 0, sizeof(acpi_info));
	memset(pci_fns, 0, sizeof(pci_fns));
	memset(played, 0, sizeof(played));
	memset(&fault, 0, sizeof(fault));
	pci_count = 0;
	ram_used = PAGE_SIZE;
	now = 1;
	silent = lapic_x2 = false;
	silent_after = 0;
	board_relax = serve;
	for (u32 i = 0; i < 8; i++)
		*reg64(i, 0x10) = ECAP_GOOD;
	return 0;
}

static void one_unit(void)
{
	*reg64(0, 8) = CAP_GOOD;
	table_begin();
	unit(0, true, 8);
	scope(3, 5, 0xff, 0, 0);
	function(8, 0);
}

/* ---- without ---- */

static void not_used(const char *why)
{
	arch_iommu_init();
	LOGGED(why);
	assert_int_equal(arch_iommu_levels(), 0);
	assert_false(arch_iommu_covers(0));
	assert_false(vtd_interrupts());
	assert_true(arch_msi_message(3, 8, 0x31, 2).address == (0xfee00000 | 2 << 12));
	assert_true(arch_msi_message(3, 8, 0x31, 2).data == 0x31);
	arch_irq_forget(3);
}

static void no_table(void)
{
	not_used("the machine has none");
}

static void bad_table(void)
{
	one_unit();
	acpi_info.dmar_size--;
	not_used("the DMAR table is malformed");
}

#define UNFIT(name, register, value, why)                                                          \
	static void name(void)                                                                     \
	{                                                                                          \
		one_unit();                                                                        \
		*reg64(0, register) = value;                                                       \
		not_used(why);                                                                     \
	}

UNFIT(no_queue, 0x10, ECAP_GOOD & ~BIT(1), "has no command queue")
UNFIT(no_interrupts, 0x10, ECAP_GOOD & ~BIT(3), "does not remap interrupts")
UNFIT(write_buffer, 8, CAP_GOOD | BIT(4), "needs its write buffer flushed")
UNFIT(few_domains, 8, CAP_GOOD & ~6ull, "has too few domains")
UNFIT(far_faults, 8, CAP_GOOD | 0xffull << 24, "reports faults beyond its first page")
UNFIT(no_format, 8, CAP_GOOD & ~BIT(10), "the units agree on no table format")

static void short_ids(void)
{
	one_unit();
	lapic_x2 = true;
	not_used("does not know the local APICs' long ids");
}

static void different_formats(void)
{
	*reg64(0, 8) = CAP_GOOD;
	*reg64(1, 8) = (CAP_GOOD & ~BIT(10)) | BIT(9);
	table_begin();
	unit(0, false, 0);
	unit(1, true, 0);
	not_used("the units agree on no table format");
}

static void test_not_used(void **state)
{
	static void (*const stories[])(void) = { no_table, bad_table, no_queue, no_interrupts, write_buffer,
						 few_domains, far_faults, no_format, short_ids, different_formats };

	for (u32 i = 0; i < ARRAY_SIZE(stories); i++) {
		setup(state);
		board_alone(stories[i]);
	}
}

/* ---- with ---- */

/* The last command of a unit but the one that waits. */
static const u64 *last(u32 i, u32 before)
{
	return played[i].commands[(played[i].nr_commands - 2 - before) % 64];
}

static const u64 (*table_at(u64 entry))[2]
{
	assert_int_equal(entry & 0xfff, 1);
	return paddr_to_ptr(entry & ~0xfffull);
}

/* Two units, one left on by firmware; a bridge at 0:1.0 with buses 1 and 2 behind it; a device that firmware uses. */
static void two_units(void)
{
	static u64 root[512];
	const u64(*buses)[2], (*devices)[2], (*irqs)[2];

	*reg64(0, 8) = CAP_GOOD | BIT(9);
	*reg64(1, 8) = (CAP_GOOD & ~(BIT(54) | BIT(55))) | BIT(9);
	*reg64(1, 0x10) = ECAP_GOOD & ~1ull; /* looks past the cache */
	*reg32(1, 0x18) = *reg32(1, GSTS) = (u32)(BIT(31) | BIT(26) | BIT(25));
	*reg64(0, 0x208) = BIT(63) | BIT(62) | 5ull << 32 | 0x10; /* a fault of before */
	*reg64(0, 0x200) = 0x7000;
	table_begin();
	unit(0, false, 18);
	scope(2, 0, 0, 8, 0);
	scope(1, 0, 0, 0x10, 0x18); /* nothing is there: 0x10 is no bridge that leads anywhere */
	unit(1, false, 16);
	scope(1, 0, 0, 0x20, 0);
	scope(3, 5, 0xf0, 0x1f, 0);
	put(1, 2); /* firmware's memory of 0:4.0, and of a device behind the bridge */
	put(24 + 18, 2);
	put(0, 4);
	put(0, 8);
	put(0, 8);
	scope(1, 0, 0, 0x20, 0);
	scope(1, 0, 0, 8, 0x18);
	function(8, 1);
	function(0x10, 0);
	function(0x20, 0);
	function(0x28, 0);
	function(1 << 8 | 0x18, 0);
	function(2 << 8, 0);
	function(3 << 8, 0);
	arch_iommu_init();
	LOGGED("VT-d, 2 units, 3-level tables");
	LOGGED("no DMA for 20:");
	LOGGED("no DMA for 118:");
	LOGGED("no DMA for 28:");
	assert_null(strstr(board_log, "no DMA for 200:"));
	assert_null(strstr(board_log, "no DMA for 8:"));
	assert_int_equal(arch_iommu_levels(), 3);
	assert_true(arch_iommu_covers(5) && !arch_iommu_covers(2) && !arch_iommu_covers(4) && !arch_iommu_covers(6));
	assert_true(board_flushed > 0);
	for (u32 i = 0; i < 2; i++)
		assert_int_equal(*reg32(i, GSTS), BIT(31) | BIT(30) | BIT(26) | BIT(25) | BIT(24));
	assert_int_equal(fault.count, 1);
	assert_true(fault.read && fault.bdf == 0x10 && fault.address == 0x7000 && fault.reason == 5);
	assert_int_equal(*reg32(0, 0x20c), BIT(31));
	assert_int_equal(*reg32(0, 0x40), 0xfee00000);

	/* function 5, 2:0.0, gets a table */
	buses = paddr_to_ptr(*reg64(0, 0x20));
	devices = table_at(buses[2][0]);
	assert_int_equal(devices[0][0], 0);
	assert_int_equal(buses[9][0], 0);
	arch_iommu_attach(2 << 8, 5, root);
	assert_int_equal(devices[0][0], ptr_to_paddr(root) | 1);
	assert_int_equal(devices[0][1], 6 << 8 | 1);
	assert_int_equal(last(0, 1)[0], 1 | 3 << 4 | 6 << 16 | 0x200ull << 32);
	assert_int_equal(last(0, 0)[0], 2 | 2 << 4 | 3 << 6 | 6 << 16);
	assert_int_equal(last(1, 0)[0], 2 | 2 << 4 | 6 << 16); /* it cannot drain */
	arch_iommu_flush(5);
	assert_int_equal(last(0, 0)[0], 2 | 2 << 4 | 3 << 6 | 6 << 16);
	arch_iommu_detach(2 << 8, 5);
	assert_int_equal(devices[0][0], 0);
	for (u32 i = 0; i < 300; i++) /* the queue goes round */
		arch_iommu_flush(5);

	/* interrupts */
	irqs = paddr_to_ptr(*reg64(0, 0xb8) & ~0xfffull);
	assert_int_equal(*reg64(0, 0xb8) & 0xfff, 7);
	assert_true(arch_msi_message(40, 0x200, 0x55, 3).address == (0xfee00000 | 0x10 | 40 << 5));
	assert_int_equal(irqs[40][0], 1 | 0x55 << 16 | 3ull << 40);
	assert_int_equal(irqs[40][1], 0x200 | BIT(18));
	assert_int_equal(last(1, 0)[0], 4 | 1 << 4 | 40ull << 32);
	arch_irq_forget(40);
	assert_int_equal(irqs[40][0], 0);
	vtd_interrupt_set(4, 0xf0f8, 0x31, 1, true);
	assert_int_equal(irqs[4][0], 1 | 1 << 4 | 0x31 << 16 | 1ull << 40);
}

static void io_apics_and_faults(void)
{
	u16 source = 0;

	one_unit();
	arch_iommu_init();
	assert_int_equal(arch_iommu_levels(), 4);
	assert_true(arch_iommu_covers(0));
	assert_int_equal(played[0].commands[0][0], 1 | 1 << 4); /* whatever it remembers from before is forgotten */
	assert_int_equal(played[0].commands[1][0], 2 | 1 << 4);
	assert_int_equal(played[0].commands[2][0], 4);
	assert_true(vtd_ioapic_source(5, &source));
	assert_int_equal(source, 0xff00);
	assert_false(vtd_ioapic_source(6, &source));
	*reg32(0, FSTS) = 0;
	on_vector(VEC_IOMMU); /* nothing there */
	assert_int_equal(fault.count, 0);
	*reg32(0, FSTS) = 2;
	*reg64(0, 0x218) = BIT(63) | 2ull << 32 | 0x300;
	*reg64(0, 0x210) = 0x123000;
	on_vector(VEC_IOMMU);
	assert_int_equal(fault.count, 1);
	assert_true(!fault.read && fault.bdf == 0x300 && fault.address == 0x123000 && fault.reason == 2);
	assert_int_equal(*reg32(0, FSTS), 0x7d);
	assert_int_equal(board_flushed, 0); /* it is coherent */
}

static void with_long_ids(void)
{
	one_unit();
	*reg64(0, 0x10) |= BIT(4);
	lapic_x2 = true;
	arch_iommu_init();
	assert_int_equal(*reg64(0, 0xb8) & 0xfff, 7 | BIT(11));
	vtd_interrupt_set(4, 8, 0x31, 0x12345, false);
	assert_int_equal(((u64(*)[2])paddr_to_ptr(*reg64(0, 0xb8) & ~0xfffull))[4][0], 1 | 0x31 << 16 | 0x12345ull << 32);
}

static void test_used(void **state)
{
	static void (*const stories[])(void) = { two_units, io_apics_and_faults, with_long_ids };

	for (u32 i = 0; i < ARRAY_SIZE(stories); i++) {
		setup(state);
		board_alone(stories[i]);
	}
}

static void says_nothing(void)
{
	one_unit();
	silent = true;
	PANICS("the IOMMU at fed90000 does not answer", arch_iommu_init());
}

static void stops_in_its_queue(void)
{
	one_unit();
	arch_iommu_init();
	silent_after = 2;
	PANICS("the IOMMU at fed90000 does not answer", arch_iommu_flush(0));
}

static void test_silent(void **state)
{
	(void)state;
	board_alone(says_nothing);
	setup(NULL);
	board_alone(stops_in_its_queue);
}

/* ---- configuration space, beside it in pci_ports.c ---- */

static u32 address;
static bool no_pci;

static bool in_config(u16 port, u32 width, u32 *v)
{
	(void)width;
	*v = port == 0xcf8 ? address : address + (port - 0xcfcu);
	return !no_pci && port >= 0xcf8 && port < 0xd00;
}

static void out_config(u16 port, u32 width, u32 v)
{
	(void)width;
	if (port == 0xcf8)
		address = v;
}

static void test_config_space(void **state)
{
	(void)state;
	board_on_in = in_config;
	board_on_out = out_config;
	assert_true(arch_pci_present());
	assert_int_equal(arch_pci_read(0x120, 0x44, 4), 0x80012044);
	assert_int_equal(arch_pci_read(0x120, 0x46, 2), 0x2046);
	assert_int_equal(arch_pci_read(0x120, 0x47, 1), 0x47);
	for (u32 width = 1; width <= 4; width *= 2) {
		arch_pci_write(0x120, 0x44, width, 0x99887766);
		assert_int_equal(board_outs[board_nr_outs - 1].width, width);
		assert_int_equal(board_outs[board_nr_outs - 1].value,
				 width == 1 ? 0x66 : width == 2 ? 0x7766 : 0x99887766);
		assert_int_equal(address, 0x80012044);
	}
	no_pci = true;
	assert_false(arch_pci_present());
	assert_ptr_equal(arch_map_mmio(0xfeb00010, 16), (char *)board_page(0xfeb00000) + 0x10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_not_used, setup),
		cmocka_unit_test_setup(test_used, setup),
		cmocka_unit_test_setup(test_silent, setup),
		cmocka_unit_test_setup(test_config_space, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
