// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_devices.c - who has which PCI function, and what it reaches, on a machine whose functions and IOMMU the
 * test plays. Function 0 is a bridge, 1 a device, 2 a device behind an old bridge.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch.h"
#include "boot_info.h"
#include "device.h"
#include "host.h"
#include "iommu.h"
#include "irq.h"
#include "log.h"
#include "mm.h"
#include "pci.h"
#include "port.h"
#include "world.h"

#define BRIDGE 0
#define DEV 1
#define OLD 2
#define NOBODY 0x1234u /* a sender that no function is */
#define COMMAND 4
#define MASTER 4u
#define MSI 0x80u
#define CUT_OFF 64u
#define FRAMES 0xfe000u /* of DEV's first BAR */

struct boot_info boot_info;

static u8 config[3][PCI_CONFIG_SIZE];
static u32 levels_of_iommu;
static bool covered;
static const u64 *attached;
static u32 flushes;
static u8 last_vector;
static u32 warnings;
static char last_warning[160];

static struct domain *root, *dom, *other;

/* ---- the machine ---- */

static u8 *config_of(u32 bdf)
{
	const struct pci_fn *fn = pci_find(bdf);

	assert_non_null(fn);
	return config[fn - pci_fns];
}

bool arch_pci_present(void)
{
	return true;
}

u32 arch_pci_read(u32 bdf, u32 off, u32 width)
{
	u32 value = 0;

	memcpy(&value, config_of(bdf) + off, width);
	return value;
}

void arch_pci_write(u32 bdf, u32 off, u32 width, u32 value)
{
	memcpy(config_of(bdf) + off, &value, width);
}

volatile void *arch_map_mmio(paddr_t pa, u64 size)
{
	(void)pa, (void)size;
	return NULL;
}

struct msi_message arch_msi_message(u32 place, u16 bdf, u8 vector, u32 dest_apic)
{
	(void)place, (void)bdf, (void)dest_apic;
	last_vector = vector;
	return (struct msi_message){ 0xfee00000, vector };
}

void arch_irq_forget(u32 place)
{
	(void)place;
}

u32 arch_iommu_levels(void)
{
	return levels_of_iommu;
}

bool arch_iommu_covers(u32 source)
{
	return covered && source != BRIDGE;
}

void arch_iommu_written(const void *p, size_t n)
{
	(void)p, (void)n;
}

void arch_iommu_attach(u16 bdf, u32 source, const u64 *table)
{
	assert_int_equal(pci_fns[source].bdf, bdf);
	attached = table;
}

void arch_iommu_flush(u32 source)
{
	assert_int_equal(source, DEV);
	flushes++;
}

void arch_iommu_detach(u16 bdf, u32 source)
{
	assert_int_equal(pci_fns[source].bdf, bdf);
	attached = NULL;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > LOG_WARN)
		return;
	warnings++;
	va_start(ap, fmt);
	vsnprintf(last_warning, sizeof(last_warning), fmt, ap);
	va_end(ap);
}

static int setup(void **state)
{
	int err;

	(void)state;
	memset(&boot_info, 0, sizeof(boot_info));
	memset(config, 0, sizeof(config));
	memset(pci_fns, 0, sizeof(pci_fns));
	pci_count = 3;
	pci_fns[BRIDGE] = (struct pci_fn){ .bdf = 0x00, .bridge = true, .class_code = 0x060000 };
	pci_fns[DEV] = (struct pci_fn){ .bdf = 0x08, .vectors = 1, .msi = MSI };
	pci_fns[DEV].bars[0] = (struct pv_dev_bar){ (u64)FRAMES << PAGE_SHIFT, 3 * PAGE_SIZE - 0x800, 0, 0 };
	pci_fns[DEV].bars[1] = (struct pv_dev_bar){ 0xc000, 32, PV_BAR_IO, 0 };
	pci_fns[OLD] = (struct pci_fn){ .bdf = 0x110, .vectors = 1, .msi = MSI, .hidden = true };
	levels_of_iommu = 0;
	covered = false;
	attached = NULL;
	flushes = warnings = 0;
	root = world_start(MIB(16));
	dom = world_child(root, "a", &err);
	other = world_child(root, "b", &err);
	return root && dom && other ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	(void)world_destroy(dom->self);
	(void)world_destroy(other->self);
	for (u32 nr = DEV; nr <= OLD; nr++)
		assert_int_equal(device_assign(nr, root, false), 0); /* nobody's again */
	device_release_all(root);
	return 0;
}

static void use_iommu(void)
{
	levels_of_iommu = 3;
	covered = true;
}

static u32 flags_of(u32 nr)
{
	struct pv_dev_info info;

	device_info(nr, &info);
	return info.flags;
}

static u32 faults_of(u32 nr)
{
	struct pv_dev_info info;

	device_info(nr, &info);
	return info.faults;
}

static bool is_master(u32 nr)
{
	return config[nr][COMMAND] & MASTER;
}

static u64 entry_at(gfn_t gfn)
{
	u64 entry;

	spin_lock(&dom->mm.lock);
	entry = gfn_get_locked(dom, gfn);
	spin_unlock(&dom->mm.lock);
	return entry;
}

/* ---- cases ---- */

static void claims(void **state)
{
	i64 nr;

	(void)state;
	assert_int_equal(device_claim(NOBODY), -PV_ENOENT);
	assert_int_equal(device_claim(0x00), -PV_EBUSY); /* a bridge is the kernel's */
	nr = device_claim(0x08);
	assert_int_equal(nr, DEV);
	assert_int_equal(device_claim(0x08), -PV_EBUSY);
	device_cap_put((u32)nr);
	assert_int_equal(device_claim(0x08), DEV);
	device_cap_put(DEV);
}

static void one_owner(void **state)
{
	(void)state;
	assert_int_equal(device_assign(DEV, dom, false), 0);
	assert_int_equal(flags_of(DEV), PV_DEV_ASSIGNED);
	assert_int_equal(device_assign(DEV, other, false), -PV_EBUSY);
	assert_int_equal(device_bind_msi(DEV, other, 0, 1), -PV_ESTATE);
	device_release_all(other);
	assert_int_equal(device_assign(DEV, other, false), -PV_EBUSY);
	config[DEV][COMMAND] = 0xff;
	device_release_all(dom);
	assert_false(is_master(DEV));
	assert_int_equal(device_assign(DEV, other, true), 0);
	assert_int_equal(flags_of(DEV), PV_DEV_ASSIGNED | PV_DEV_TRUSTED);
	assert_int_equal(warnings, 1); /* trust is told */
}

/* While it is reset nobody gets it. */
static void being_reset(void **state)
{
	(void)state;
	pci_fns[DEV].pcie = 0x40;
	pci_fns[DEV].can_reset = true;
	assert_int_equal(device_assign(DEV, dom, false), 0);
	device_release_all(dom);
	assert_int_equal(device_assign(DEV, other, false), -PV_EAGAIN);
	host_ns += PCI_RESET_NS - 1;
	assert_int_equal(device_assign(DEV, other, false), -PV_EAGAIN);
	host_ns += 1;
	assert_int_equal(device_assign(DEV, other, false), 0);
	pci_fns[DEV].can_reset = false;
}

/* Without an IOMMU whoever is not trusted reaches no memory, with one who is not confined by it. */
static void who_may(void **state)
{
	(void)state;
	assert_int_equal(device_assign(DEV, dom, false), 0);
	assert_int_equal(device_cfg_write(DEV, COMMAND, 2, MASTER, true), -PV_ESTATE);
	assert_int_equal(device_dma_map(DEV, 0, 1), -PV_ESTATE);
	assert_int_equal(device_dma_addr(DEV, 0), -PV_ESTATE);
	use_iommu();
	assert_int_equal(flags_of(DEV), PV_DEV_ASSIGNED | PV_DEV_REMAPPED);
	assert_int_equal(device_cfg_write(DEV, COMMAND, 2, MASTER, true), 0);
	assert_true(is_master(DEV));
	covered = false;
	assert_int_equal(flags_of(DEV), PV_DEV_ASSIGNED);
	assert_int_equal(device_dma_addr(DEV, 0), -PV_ESTATE);
	covered = true;
	/* Behind an old bridge it sends in the bridge's name: trust does not help it past the IOMMU. */
	assert_int_equal(device_assign(OLD, dom, true), 0);
	assert_int_equal(flags_of(OLD), PV_DEV_ASSIGNED | PV_DEV_TRUSTED);
	assert_int_equal(device_cfg_write(OLD, COMMAND, 2, MASTER, true), -PV_ESTATE);
	assert_int_equal(device_dma_map(OLD, 0, 1), -PV_ESTATE);
	assert_int_equal(device_bind_msi(OLD, dom, 0, 1), -PV_ESTATE);
}

/* What a driver is to tell its device: with an IOMMU the address is the guest's own. */
static void addresses(void **state)
{
	(void)state;
	assert_true(mem_populate(dom, 0, 8) == 8);
	for (u32 iommu = 0; iommu <= 1; iommu++) {
		if (iommu)
			use_iommu();
		assert_int_equal(device_assign(DEV, dom, true), 0);
		assert_int_equal(device_dma_addr(DEV, 3), -PV_EFAULT);
		assert_int_equal(device_dma_map(DEV, 3, 2), 2);
		assert_int_equal(device_dma_map(DEV, 4, 1), -PV_EEXIST);
		assert_int_equal(device_dma_addr(DEV, 2), -PV_EFAULT);
		assert_int_equal(device_dma_addr(DEV, 5), -PV_EFAULT);
		for (gfn_t gfn = 3; gfn < 5; gfn++) {
			u64 want = iommu ? gfn : gfn_entry_mfn(entry_at(gfn));

			assert_int_equal(device_dma_addr(DEV, gfn), want << PAGE_SHIFT);
		}
		assert_int_equal(attached != NULL, iommu);
		assert_int_equal(device_dma_map(DEV, 5, 1), 1);
		assert_int_equal(flushes, iommu);
		device_release_all(dom);
		assert_null(attached);
	}
}

/* Only pages of a BAR of memory, and only those it has. */
static void pages_of_bars(void **state)
{
	(void)state;
	assert_int_equal(device_map(DEV, 0, 0, 100, 1), -PV_ESTATE);
	assert_int_equal(device_assign(DEV, dom, false), 0);
	assert_int_equal(device_map(DEV, 1, 0, 100, 1), -PV_ENOENT);
	assert_int_equal(device_map(DEV, 2, 0, 100, 1), -PV_ENOENT);
	assert_int_equal(device_map(DEV, 0, 3, 100, 1), -PV_ENOENT);
	assert_int_equal(device_map(DEV, 0, 1, 100, 9), 2);
	assert_int_equal(gfn_entry_mfn(entry_at(100)), FRAMES + 1);
	assert_int_equal(gfn_entry_mfn(entry_at(101)), FRAMES + 2);
	assert_int_equal(gfn_entry_state(entry_at(101)), GFN_IO);
	assert_int_equal(device_map(DEV, 0, 0, 101, 1), -PV_EEXIST);
	assert_int_equal(device_map(DEV, 0, 0, 99, 2), 1); /* as far as there is room */
	pci_fns[OLD].bars[0] = (struct pv_dev_bar){ (FRAMES + 2ull) << PAGE_SHIFT, PAGE_SIZE, 0, 0 };
	assert_int_equal(device_map(DEV, 0, 2, 110, 1), -PV_EFAULT); /* another one's registers are there as well */
	assert_int_equal(device_map(DEV, 0, 0, 110, 3), 2);
}

/* A sender that is no function is told of; one that goes on is cut off until somebody has it anew. */
static void refused_accesses(void **state)
{
	u32 before = faults_of(DEV);

	(void)state;
	use_iommu();
	device_fault(NOBODY, 0x1000, 5, true); /* the first of all */
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(last_warning, "device 1234 may not read 1000 (reason 5)"));
	assert_int_equal(device_assign(DEV, dom, false), 0);
	assert_int_equal(device_cfg_write(DEV, COMMAND, 2, MASTER, true), 0);
	for (u32 i = 1; i < CUT_OFF; i++)
		device_fault(0x08, 0x2000, 6, false);
	assert_int_equal(faults_of(DEV), before + CUT_OFF - 1);
	assert_int_equal(warnings, 7); /* of the 2nd, 4th, 8th, ... 64th */
	assert_null(strstr(last_warning, "cut off"));
	assert_true(is_master(DEV));
	device_fault(0x08, 0x2000, 6, false);
	assert_int_equal(warnings, 8);
	assert_non_null(strstr(last_warning, "device 8 may not write 2000 (reason 6), fault 65: cut off"));
	assert_false(is_master(DEV));
	assert_int_equal(device_cfg_write(DEV, COMMAND, 2, MASTER, true), -PV_ESTATE);
	config[DEV][COMMAND] |= MASTER; /* however it has come to be one again */
	device_fault(0x08, 0x2000, 6, false);
	assert_false(is_master(DEV));
	assert_int_equal(warnings, 8);
	device_release_all(dom);
	assert_int_equal(device_assign(DEV, other, false), 0);
	assert_int_equal(device_cfg_write(DEV, COMMAND, 2, MASTER, true), 0);
	assert_int_equal(faults_of(DEV), before + CUT_OFF + 1); /* since boot */
}

static u64 new_port(struct domain *owner)
{
	i64 port = port_alloc(owner);

	assert_true(port > 0);
	return (u64)port;
}

/* Who sends messages without end is masked until somebody says EOI. */
static void messages_without_end(void **state)
{
	u64 port = new_port(dom);
	u32 key = irq_msi_key(DEV, 0);

	(void)state;
	use_iommu();
	assert_int_equal(device_assign(DEV, dom, false), 0);
	assert_int_equal(device_bind_msi(DEV, dom, 1, port), -PV_ENOENT);
	assert_int_equal(device_bind_msi(DEV, dom, 0, port), 0);
	assert_true(config[DEV][MSI + 2] & 1);
	for (u32 round = 0; round < 2; round++) {
		for (u32 i = 0; i < 63; i++)
			world_vector(last_vector);
		assert_true(world_take_event(dom, (u32)port));
		assert_true(config[DEV][MSI + 2] & 1);
		world_vector(last_vector);
		assert_false(config[DEV][MSI + 2] & 1);
		assert_int_equal(port_eoi(dom, port), 0);
		assert_true(config[DEV][MSI + 2] & 1);
	}
	world_vector(last_vector);
	assert_int_equal(port_eoi(dom, port), 0); /* of one that was not masked */
	assert_true(config[DEV][MSI + 2] & 1);
	irq_unbind(key);
	assert_false(config[DEV][MSI + 2] & 1);
	irq_unbind(key);
	irq_eoi(key);
	assert_false(config[DEV][MSI + 2] & 1);
}

/* When all places are taken a message that has none is refused, not given somebody's. */
static void messages_too_many(void **state)
{
	u64 port = new_port(dom);
	u32 n = 0;
	int err;

	(void)state;
	use_iommu();
	pci_fns[DEV].vectors = 500;
	assert_int_equal(device_assign(DEV, dom, false), 0);
	while (!(err = irq_bind(irq_msi_key(DEV, n), dom, (u32)port)))
		n++;
	assert_int_equal(err, -PV_ENOSPC);
	assert_int_equal(n, 64);
	assert_int_equal(device_bind_msi(DEV, dom, n, port), -PV_ENOSPC);
	assert_int_equal(irq_bind(irq_msi_key(DEV, 5), dom, (u32)port), -PV_EBUSY);
	irq_unbind(irq_msi_key(DEV, n));
	irq_eoi(irq_msi_key(DEV, n));
	for (u32 i = 0; i < n; i++)
		irq_unbind(irq_msi_key(DEV, i));
	assert_int_equal(irq_bind(irq_msi_key(DEV, n), dom, (u32)port), 0);
	irq_unbind(irq_msi_key(DEV, n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refused_accesses, setup, teardown), /* counts from boot on */
		cmocka_unit_test_setup_teardown(claims, setup, teardown),
		cmocka_unit_test_setup_teardown(one_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(being_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(who_may, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_of_bars, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_without_end, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_too_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
