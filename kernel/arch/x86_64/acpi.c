// SPDX-License-Identifier: BSD-2-Clause
/*
 * acpi.c - the little that is taken from ACPI's static tables: CPUs, interrupt controllers, where the IOMMU's
 * table is, and how to switch the machine off. Nothing is interpreted but the one package _S5_.
 *
 * Tables are the firmware's word: lengths and checksums are checked, and a machine without usable
 * ACPI runs with one CPU.
 */
#include "arch.h"
#include "bits.h"
#include "log.h"
#include "paging.h"
#include "platform.h"
#include "string.h"

#define TABLE_MAX MIB(1)

struct rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
} __packed;

struct header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
} __packed;

struct madt {
	struct header h;
	u32 lapic_base, flags;
} __packed;

struct fadt {
	struct header h;
	u32 facs, dsdt;
	u8 skip1[64 - 44];
	u32 pm1a_cnt, pm1b_cnt;
	u8 skip2[112 - 72];
	u32 flags;
	u8 reset_space, reset_width, reset_offset, reset_access;
	u64 reset_addr;
	u8 reset_value;
} __packed;

BUILD_ASSERT(offsetof(struct fadt, pm1a_cnt) == 64);
BUILD_ASSERT(offsetof(struct fadt, reset_value) == 128);

#define FADT_RESET_SUPPORTED BIT(10)

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_ADDR = 5, MADT_X2APIC = 9 };

struct acpi_info acpi_info;

static bool sum_ok(const void *p, u64 n)
{
	const u8 *b = p;
	u8 sum = 0;

	while (n--)
		sum = (u8)(sum + *b++);
	return !sum;
}

static const struct rsdp *scan_rsdp(paddr_t from, u64 size)
{
	const char *p = paddr_to_ptr(from);

	for (u64 i = 0; i + 20 <= size; i += 16)
		if (!memcmp(p + i, "RSD PTR ", 8) && sum_ok(p + i, 20))
			return (const void *)(p + i);
	return NULL;
}

static const struct rsdp *find_rsdp(void)
{
	const struct rsdp *r;
	u16 ebda = *(const u16 *)paddr_to_ptr(0x40e);

	if (boot_info.rsdp) {
		r = paging_map_firmware(boot_info.rsdp, sizeof(*r));
		if (!memcmp(r->signature, "RSD PTR ", 8) && sum_ok(r, 20))
			return r;
	}
	r = ebda >= 0x8000 && ebda < 0xa000 ? scan_rsdp((paddr_t)ebda << 4, 1024) : NULL;
	return r ? r : scan_rsdp(0xe0000, 0x20000);
}

static const struct header *map_table(paddr_t pa)
{
	const struct header *h;

	if (!pa)
		return NULL;
	h = paging_map_firmware(pa, sizeof(*h));
	if (h->length < sizeof(*h) || h->length > TABLE_MAX)
		return NULL;
	h = paging_map_firmware(pa, h->length);
	return sum_ok(h, h->length) ? h : NULL;
}

static void parse_madt_entry(const u8 *e, u32 len)
{
	u32 id = 0, flags = 0;
	u64 addr;

	switch (e[0]) {
	case MADT_LAPIC:
		if (len < 8)
			return;
		id = e[3];
		memcpy(&flags, e + 4, 4);
		break;
	case MADT_X2APIC:
		if (len < 16)
			return;
		memcpy(&id, e + 4, 4);
		memcpy(&flags, e + 8, 4);
		break;
	case MADT_LAPIC_ADDR:
		if (len >= 12) {
			memcpy(&addr, e + 4, 8);
			acpi_info.lapic_base = addr;
		}
		return;
	default:
		return;
	}
	if ((flags & 1) && acpi_info.nr_cpus < ARRAY_SIZE(acpi_info.cpu_apic_ids))
		acpi_info.cpu_apic_ids[acpi_info.nr_cpus++] = id;
}

static void parse_madt_irq(const u8 *e, u32 len)
{
	u32 base, gsi;
	u16 flags;

	if (e[0] == MADT_IOAPIC && len >= 12) {
		memcpy(&base, e + 4, 4);
		memcpy(&gsi, e + 8, 4);
		ioapic_add(e[2], base, gsi);
	} else if (e[0] == MADT_OVERRIDE && len >= 10) {
		memcpy(&gsi, e + 4, 4);
		memcpy(&flags, e + 8, 2);
		ioapic_override(e[3], gsi, flags);
	}
}

static void parse_madt(const struct madt *m)
{
	const u8 *e = (const u8 *)(m + 1), *end = (const u8 *)m + m->h.length;

	acpi_info.lapic_base = m->lapic_base;
	while (e + 2 <= end && e[1] >= 2 && e + e[1] <= end) {
		parse_madt_entry(e, e[1]);
		parse_madt_irq(e, e[1]);
		e += e[1];
	}
}

/* One AML integer of a package: a constant op or a byte with its prefix. Returns bytes used. */
static u32 aml_byte(const u8 *p, u8 *v)
{
	if (*p == 0x0a) {
		*v = p[1];
		return 2;
	}
	*v = *p; /* Zero (0) and One (1) are their own opcodes */
	return 1;
}

/* Name(_S5_, Package { a, b, ... }): the values for SLP_TYPa and SLP_TYPb. */
static void parse_s5(const struct header *dsdt)
{
	const u8 *p = (const u8 *)(dsdt + 1), *end = (const u8 *)dsdt + dsdt->length - 16;

	for (; p < end; p++) {
		if (memcmp(p, "_S5_\x12", 5))
			continue;
		p += 5;
		p += (*p >> 6) + 2; /* package length (1 to 4 bytes), number of elements */
		p += aml_byte(p, &acpi_info.s5_a);
		aml_byte(p, &acpi_info.s5_b);
		acpi_info.s5_valid = true;
		return;
	}
}

static void parse_fadt(const struct fadt *f)
{
	const struct header *dsdt;

	if (f->h.length < offsetof(struct fadt, flags))
		return;
	acpi_info.pm1a_cnt = (u16)f->pm1a_cnt;
	acpi_info.pm1b_cnt = (u16)f->pm1b_cnt;
	dsdt = map_table(f->dsdt);
	if (dsdt)
		parse_s5(dsdt);
	if (f->h.length >= sizeof(*f) && (f->flags & FADT_RESET_SUPPORTED) && f->reset_space == 1) {
		acpi_info.reset_valid = true;
		acpi_info.reset_port = (u16)f->reset_addr;
		acpi_info.reset_value = f->reset_value;
	}
}

void acpi_init(void)
{
	const struct rsdp *rsdp = find_rsdp();
	const struct header *root = NULL;
	u32 width = 8, n;

	if (rsdp && rsdp->revision >= 2)
		root = map_table(rsdp->xsdt);
	if (rsdp && !root) {
		root = map_table(rsdp->rsdt);
		width = 4;
	}
	if (!root) {
		log_warn("no usable ACPI tables: one CPU, no device interrupts\n");
		return;
	}
	n = (root->length - (u32)sizeof(*root)) / width;
	for (u32 i = 0; i < n; i++) {
		const struct header *h;
		paddr_t pa = 0;

		memcpy(&pa, (const u8 *)(root + 1) + i * width, width);
		h = map_table(pa);
		if (h && !memcmp(h->signature, "APIC", 4))
			parse_madt((const void *)h);
		else if (h && !memcmp(h->signature, "FACP", 4))
			parse_fadt((const void *)h);
		else if (h && !memcmp(h->signature, "DMAR", 4)) {
			acpi_info.dmar = h;
			acpi_info.dmar_size = h->length;
		}
	}
}
