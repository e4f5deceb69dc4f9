// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_firmware.c - what loaders and firmware hand over: GRUB's tags and ACPI's tables, right, wrong and cut short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch.h"
#include "bits.h"
#include "boot_info.h"
#include "log.h"
#include "panic.h"
#include "paging.h"
#include "platform.h"

#define RAM MIB(2)

char *host_ram; /* the first megabytes of the machine */

static jmp_buf on_panic;
static u32 no_vga, ioapics, overrides;
static u32 last_gsi;

void panic(const char *fmt, ...)
{
	(void)fmt;
	longjmp(on_panic, 1);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level, (void)fmt;
}

void console_no_vga(void)
{
	no_vga++;
}

void ioapic_add(u32 id, paddr_t base, u32 gsi_base)
{
	(void)id, (void)base;
	ioapics++;
	last_gsi = gsi_base;
}

void ioapic_override(u8 isa_irq, u32 gsi, u16 flags)
{
	(void)isa_irq, (void)flags;
	overrides++;
	last_gsi = gsi;
}

const void *paging_map_firmware(paddr_t pa, u64 size)
{
	assert_true(pa + size <= RAM);
	return host_ram + pa;
}

static int setup(void **state)
{
	(void)state;
	free(host_ram);
	host_ram = calloc(1, RAM);
	memset(&boot_info, 0, sizeof(boot_info));
	memset(&acpi_info, 0, sizeof(acpi_info));
	no_vga = ioapics = overrides = 0;
	return 0;
}

static void put32(u64 at, u32 value)
{
	memcpy(host_ram + at, &value, 4);
}

/* ---- the kernel's first memory ---- */

/* The first hole that is large enough once it is aligned; what is handed out is zeroed, and never again. */
static void test_first_memory(void **state)
{
	(void)state;
	memset(host_ram, 0xaa, RAM);
	boot_add_range(0x10000, PAGE_SIZE, BOOT_MEM_USABLE);
	boot_add_range(0x23000, 0xe000, BOOT_MEM_USABLE); /* 0x30000 is in it, with a page behind it */
	boot_add_range(0x50000, 0x20000, BOOT_MEM_USABLE);
	assert_int_equal(boot_mem_alloc(2 * PAGE_SIZE, 0x10000), 0x50000);
	for (u32 i = 0; i < 2 * PAGE_SIZE; i++)
		assert_int_equal(host_ram[0x50000 + i], 0);
	assert_int_equal((u8)host_ram[0x52000], 0xaa);
	assert_int_equal(boot_mem_alloc(1, 1), 0x10000);
	assert_int_equal(boot_mem_alloc(PAGE_SIZE + 1, PAGE_SIZE), 0x23000);
	assert_int_equal(boot_mem_alloc(PAGE_SIZE, 0x10000), 0x30000);
	assert_int_equal(boot_mem_alloc(0x1e000, PAGE_SIZE), 0x52000);
	assert_int_equal(boot_mem_alloc(0xb000, PAGE_SIZE), 0x25000);
	if (!setjmp(on_panic)) {
		(void)boot_mem_alloc(PAGE_SIZE, PAGE_SIZE);
		fail_msg("there was memory left");
	}
}

/* ---- multiboot2 ---- */

#define INFO 0x10000u

static u32 info_end;

static void *tag(u32 type, u32 size)
{
	u32 *t = (u32 *)(host_ram + INFO + info_end);

	t[0] = type;
	t[1] = size;
	info_end = (u32)ALIGN_UP(info_end + size, 8);
	return t + 2;
}

static void info_begin(void)
{
	memset(host_ram + INFO, 0, 0x1000);
	memset(&boot_info, 0, sizeof(boot_info));
	info_end = 8;
}

static void parse(void)
{
	*(u32 *)(host_ram + INFO) = info_end;
	multiboot2_parse(INFO);
}

#define REFUSED(...)                                                                               \
	do {                                                                                       \
		info_begin();                                                                      \
		if (!setjmp(on_panic)) {                                                           \
			__VA_ARGS__;                                                               \
			parse();                                                                   \
			fail_msg("accepted: %s", #__VA_ARGS__);                                    \
		}                                                                                  \
	} while (0)

static void mmap_tag(u32 entry_size, u32 size)
{
	u32 *t = tag(6, size);

	t[0] = entry_size;
}

static void mb2_good(void **state)
{
	u64 *e;
	u32 *m;
	u8 *fb;

	(void)state;
	info_begin();
	strcpy(tag(1, 8 + 6), "a=b c");
	m = tag(3, 16 + 5);
	m[0] = 0x100000;
	m[1] = 0x100100;
	strcpy((char *)&m[2], "init");
	m = tag(6, 16 + 2 * 24);
	m[0] = 24;
	e = (u64 *)&m[2];
	e[0] = 0x100000;
	e[1] = 0x100000;
	e[2] = BOOT_MEM_USABLE;
	e[3] = 0x300000;
	e[4] = 0x1000;
	e[5] = BOOT_MEM_RESERVED;
	fb = tag(8, 32);
	fb[21] = 1; /* direct colour */
	strcpy(tag(14, 8 + 20), "RSD PTR old");
	strcpy(tag(14, 8 + 20), "RSD PTR another");
	(void)tag(99, 12); /* nothing we know */
	(void)tag(0, 8);
	parse();
	assert_string_equal(boot_info.cmdline, "a=b c");
	assert_int_equal(boot_info.nr_modules, 1);
	assert_int_equal(boot_info.modules[0].size, 0x100);
	assert_string_equal(boot_info.modules[0].cmdline, "init");
	assert_int_equal(boot_info.nr_ranges, 2);
	assert_int_equal(no_vga, 1);
	assert_string_equal(host_ram + boot_info.rsdp, "RSD PTR old"); /* the first of the old ones */

	info_begin();
	fb = tag(8, 32);
	fb[21] = 2; /* text */
	strcpy(tag(14, 8 + 20), "RSD PTR old");
	strcpy(tag(15, 8 + 100), "RSD PTR new"); /* longer than is kept */
	(void)tag(0, 8);
	parse();
	assert_int_equal(no_vga, 1);
	assert_string_equal(host_ram + boot_info.rsdp, "RSD PTR new");
}

static void module_tag(u32 start, u32 end, u32 size)
{
	u32 *m = tag(3, size);

	m[0] = start;
	m[1] = end;
}

static void mb2_bad(void **state)
{
	(void)state;
	REFUSED((void)tag(99, 16)); /* no end */
	REFUSED(info_end = 12);
	REFUSED((void)tag(99, 4), info_end = 24);
	REFUSED((void)tag(99, 64), info_end = 32); /* longer than all */
	REFUSED(mmap_tag(16, 16), (void)tag(0, 8));
	REFUSED(mmap_tag(24, 12), (void)tag(0, 8));
	REFUSED(module_tag(0x2000, 0x1000, 20), (void)tag(0, 8));
	REFUSED(module_tag(0x1000, 0x2000, 12), (void)tag(0, 8));
	info_begin();
	(void)tag(0, 8); /* its end would be found, were it looked for */
	if (!setjmp(on_panic)) {
		*(u32 *)(host_ram + INFO) = MIB(1) + 8;
		multiboot2_parse(INFO);
		fail_msg("a megabyte of information was accepted");
	}
	if (!setjmp(on_panic)) {
		*(u32 *)host_ram = 64;
		put32(12, 8);
		multiboot2_parse(0);
		fail_msg("information at 0 was accepted");
	}
}

/* ---- ACPI ---- */

#define RSDT 0x20000u
#define XSDT 0x21000u
#define MADT 0x22000u
#define FADT 0x23000u
#define DSDT 0x24000u

static void seal(void *p, u64 n, u64 at)
{
	u8 *b = p, sum = 0;

	b[at] = 0;
	for (u64 i = 0; i < n; i++)
		sum = (u8)(sum + b[i]);
	b[at] = (u8)-sum;
}

static void put64(u64 at, u64 value)
{
	memcpy(host_ram + at, &value, 8);
}

static void table(u32 at, const char *name, u32 length)
{
	memcpy(host_ram + at, name, 4);
	put32(at + 4, length);
	seal(host_ram + at, length, 9);
}

static void rsdp(u64 at, u8 revision)
{
	memcpy(host_ram + at, "RSD PTR ", 8);
	host_ram[at + 15] = (char)revision;
	put32(at + 16, RSDT);
	put64(at + 24, revision >= 2 ? XSDT : 0);
	seal(host_ram + at, 20, 8);
}

/* Two CPUs (one by x2APIC), one that is off, an I/O APIC, an override, things cut short. */
static u32 madt(void)
{
	static const u8 entries[] = {
		0, 8, 0, 5, 1, 0, 0, 0,		 0, 8, 0, 6, 0, 0, 0, 0,	/* on, off */
		9, 16, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
		1, 12, 2, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0,			/* I/O APIC at GSI 24 */
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,					/* ISA 0 is GSI 2 */
		5, 12, 0, 0, 0, 0, 0xe1, 0xfe, 0, 0, 0, 0,
		0, 4, 0, 9, 9, 4, 0, 0, 2, 4, 0, 0, 1, 4, 0, 0, 5, 4, 0, 0,	/* too short each: what follows is no flag */
		77, 3, 0, 0, 1,							/* unknown; an end that is none */
	};

	memcpy(host_ram + MADT + 44, entries, sizeof(entries));
	put32(MADT + 36, 0xfee00000);
	table(MADT, "APIC", 44 + sizeof(entries));
	return 44 + sizeof(entries);
}

static void fadt(u32 length, u8 space)
{
	static const u8 s5[] = { '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x01, 0x00, 0x00 };

	memset(host_ram + DSDT, 0, 200);
	memcpy(host_ram + DSDT + 60, s5, sizeof(s5));
	table(DSDT, "DSDT", 200);
	put32(FADT + 40, DSDT);
	put32(FADT + 64, 0x604);
	put32(FADT + 112, 1u << 10);
	host_ram[FADT + 116] = (char)space;
	put64(FADT + 120, 0xcf9);
	host_ram[FADT + 128] = 6;
	table(FADT, "FACP", length);
}

static void roots(void)
{
	put32(RSDT + 36, MADT);
	put32(RSDT + 40, FADT);
	put32(RSDT + 44, 0);
	table(RSDT, "RSDT", 48);
	put64(XSDT + 36, MADT);
	put64(XSDT + 44, FADT);
	table(XSDT, "XSDT", 52);
}

static void acpi_good(void **state)
{
	(void)state;
	for (u32 how = 0; how < 4; how++) {
		(void)setup(NULL);
		(void)madt();
		fadt(129, 1);
		roots();
		if (how == 0) {
			boot_info.rsdp = 0x30000;
			rsdp(0x30000, 2);
		} else if (how == 1) {
			boot_info.rsdp = 0x30000; /* nothing there */
			rsdp(0xe0010, 0);
		} else if (how == 2) {
			put32(0x40e, 0x9f00);
			rsdp(0x9f000, 0);
		} else {
			rsdp(0xe0010, 2);
			put32(XSDT + 4, 8); /* its new root is broken: the old one counts */
		}
		acpi_init();
		assert_int_equal(acpi_info.nr_cpus, 2);
		assert_int_equal(acpi_info.cpu_apic_ids[0], 5);
		assert_int_equal(acpi_info.cpu_apic_ids[1], 7);
		assert_int_equal(acpi_info.lapic_base, 0xfee10000);
		assert_int_equal(ioapics, 1);
		assert_int_equal(overrides, 1);
		assert_int_equal(acpi_info.pm1a_cnt, 0x604);
		assert_true(acpi_info.s5_valid);
		assert_int_equal(acpi_info.s5_a, 5);
		assert_int_equal(acpi_info.s5_b, 1);
		assert_true(acpi_info.reset_valid);
		assert_int_equal(acpi_info.reset_port, 0xcf9);
	}
}

/* What is passed by on the way to what is looked for. */
static void acpi_crooked(void **state)
{
	static const u8 last_entry_too_long[] = { 0, 8, 0, 3, 1, 0, 0, 0, 0, 9, 0, 4, 1, 0, 0, 0 };
	static const u8 last_entry_too_short[] = { 0, 8, 0, 3, 1, 0, 0, 0, 0, 1, 0, 4, 1, 0, 0, 0 };
	static const u8 s5[] = { '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x01, 0x0a, 0x07, 0x00, 0x00 };

	(void)state;
	memcpy(host_ram + 0xe0000, "RSD PTR ", 8); /* its sum is wrong */
	host_ram[0xe0008] = 1;
	rsdp(0xe0020, 0);
	boot_info.rsdp = 0x30000; /* the right name, a wrong sum */
	memcpy(host_ram + 0x30000, "RSD PTR ", 8);
	put32(0x40e, 0x9f00);
	memcpy(host_ram + MADT + 44, last_entry_too_long, 16);
	put32(MADT + 36, 0xfee00000);
	table(MADT, "APIC", 60);
	memset(host_ram + DSDT, 0, 200);
	memcpy(host_ram + DSDT + 60, s5, sizeof(s5));
	table(DSDT, "DSDT", 200);
	put32(FADT + 40, DSDT);
	put32(FADT + 64, 0x604);
	table(FADT, "FACP", 129);
	roots();
	acpi_init();
	assert_int_equal(acpi_info.nr_cpus, 1);
	assert_int_equal(acpi_info.cpu_apic_ids[0], 3);
	assert_int_equal(acpi_info.s5_a, 1); /* One, then a byte */
	assert_int_equal(acpi_info.s5_b, 7);
	assert_null(acpi_info.dmar);

	memcpy(host_ram + MADT + 44, last_entry_too_short, 16);
	table(MADT, "APIC", 60);
	memset(host_ram + DSDT + 36, 0, 164); /* a DSDT without _S5_ */
	table(DSDT, "DSDT", 200);
	table(RSDT + 0x100, "DMAR", 48);
	put32(RSDT + 44, RSDT + 0x100);
	table(RSDT, "RSDT", 48);
	memset(&acpi_info, 0, sizeof(acpi_info));
	acpi_init();
	assert_int_equal(acpi_info.nr_cpus, 1);
	assert_false(acpi_info.s5_valid);
	assert_non_null(acpi_info.dmar);
	assert_int_equal(acpi_info.dmar_size, 48);
	put32(RSDT + 44, DSDT); /* a table of no interest */
	table(RSDT, "RSDT", 48);
	memset(&acpi_info, 0, sizeof(acpi_info));
	acpi_init();
	assert_null(acpi_info.dmar);
}

static void acpi_bad(void **state)
{
	(void)state;
	acpi_init(); /* none at all */
	assert_int_equal(acpi_info.nr_cpus, 0);
	rsdp(0xe0000, 0); /* roots that are no tables */
	put32(RSDT + 4, MIB(1) + 1);
	acpi_init();
	put32(RSDT + 4, 40);
	acpi_init();
	put32(0x40e, 0x100); /* no such place for an EBDA */
	(void)madt();
	host_ram[MADT + 9]++; /* a checksum is wrong: the table is passed by */
	fadt(100, 1);		/* too old to say how to switch off */
	roots();
	acpi_init();
	assert_int_equal(acpi_info.nr_cpus, 0);
	assert_false(acpi_info.s5_valid);
	assert_false(acpi_info.reset_valid);
	fadt(116, 1); /* long enough for that, not for the reset register */
	roots();
	acpi_init();
	assert_true(acpi_info.s5_valid);
	assert_false(acpi_info.reset_valid);
	fadt(129, 0); /* a reset register that is no I/O port */
	acpi_init();
	assert_false(acpi_info.reset_valid);
	put32(FADT + 112, 0);
	table(FADT, "FACP", 129);
	acpi_init();
	assert_false(acpi_info.reset_valid);
	acpi_info.s5_valid = false;
	put32(FADT + 40, 0); /* no DSDT */
	table(FADT, "FACP", 129);
	acpi_init();
	assert_false(acpi_info.s5_valid);
	for (u32 i = 0; i < 100; i++) { /* more CPUs than there is room for */
		static const u8 cpu[8] = { 0, 8, 0, 1, 1, 0, 0, 0 };

		memcpy(host_ram + MADT + 44 + 8 * i, cpu, 8);
	}
	table(MADT, "APIC", 44 + 800);
	acpi_init();
	assert_int_equal(acpi_info.nr_cpus, ARRAY_SIZE(acpi_info.cpu_apic_ids));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_first_memory, setup),
		cmocka_unit_test_setup(mb2_good, setup),
		cmocka_unit_test_setup(mb2_bad, setup),
		cmocka_unit_test_setup(acpi_good, setup),
		cmocka_unit_test_setup(acpi_crooked, setup),
		cmocka_unit_test_setup(acpi_bad, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
