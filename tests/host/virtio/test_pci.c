/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration space read without trust: what an honest function says, and what is made of
 * capability lists that loop and of registers outside BARs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pci/pci.h>

/* A configuration space in memory. */
static uint8_t space[256];
static unsigned next_cap, last_cap, reads, writes;
static bool closed; /* no write is let through */

static const uint64_t bars[PCI_BARS] = { [1] = 0x1000, [4] = 0x4000 };

static uint32_t space_read(void *self, unsigned off, unsigned width)
{
	uint32_t value = 0;

	(void)self;
	reads++;
	assert_true((width == 1 || width == 2 || width == 4) && off % width == 0);
	assert_true(off + width <= 256);
	memcpy(&value, space + off, width);
	return value;
}

static bool space_write(void *self, unsigned off, unsigned width, uint32_t value)
{
	(void)self;
	assert_true(off % width == 0 && off + width <= 256);
	if (closed)
		return false;
	writes++;
	memcpy(space + off, &value, width);
	return true;
}

static const struct pci_config config = { NULL, space_read, space_write };

static void set(unsigned off, unsigned width, uint32_t value)
{
	memcpy(space + off, &value, width);
}

static unsigned add_cap(uint8_t id, unsigned len)
{
	unsigned at = next_cap;

	set(PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
	set(last_cap + 1, 1, at);
	set(at, 1, id);
	last_cap = at;
	next_cap = (at + len + 3) & ~3u;
	return at;
}

static unsigned add_virtio(uint8_t type, uint8_t bar, uint32_t off, uint32_t len)
{
	unsigned bytes = type == 2 || type == 5 ? 20 : 16, at = add_cap(PCI_CAP_VENDOR, bytes);

	set(at + 2, 1, bytes);
	set(at + 3, 1, type);
	set(at + 4, 1, bar);
	set(at + 8, 4, off);
	set(at + 12, 4, len);
	if (type == 2)
		set(at + 16, 4, 4);
	return at;
}

static void begin(void)
{
	memset(space, 0, sizeof(space));
	next_cap = 0x40;
	last_cap = PCI_CAPABILITIES - 1;
	reads = writes = 0;
	closed = false;
}

/* As QEMU makes it. */
static void begin_honest(void)
{
	begin();
	add_cap(0x11, 12);
	add_virtio(5, 0, 0, 0);
	add_virtio(2, 4, 0x3000, 0x1000);
	add_virtio(4, 4, 0x2000, 0x1000);
	add_virtio(3, 4, 0x1000, 0x1000);
	add_virtio(1, 4, 0, 0x1000);
}

static void honest_device(void **state)
{
	struct pci_virtio virtio;

	(void)state;
	begin_honest();
	assert_null(pci_find_virtio(&config, bars, &virtio));
	assert_int_equal(virtio.common.bar, 4);
	assert_int_equal(virtio.common.off, 0);
	assert_int_equal(virtio.isr.off, 0x1000);
	assert_int_equal(virtio.device.off, 0x2000);
	assert_int_equal(virtio.notify.off, 0x3000);
	assert_int_equal(virtio.notify.len, 0x1000);
	assert_int_equal(virtio.notify_multiplier, 4);
	assert_int_equal(pci_find_cap(&config, 0x11, 0), 0x40);
	assert_int_equal(pci_find_cap(&config, 0x05, 0), 0);
	assert_int_equal(writes, 0);
}

static void endless_lists(void **state)
{
	struct pci_virtio virtio;
	unsigned first, second;

	(void)state;
	begin_honest();
	first = pci_find_cap(&config, PCI_CAP_VENDOR, 0);
	second = pci_find_cap(&config, PCI_CAP_VENDOR, first);
	assert_true(first && second && first != second);
	set(second + 1, 1, first);
	assert_non_null(pci_find_virtio(&config, bars, &virtio));
	assert_int_equal(pci_find_cap(&config, 0x05, 0), 0);
	/* into itself, into the header, unaligned, to the last bytes */
	set(first + 1, 1, first);
	assert_int_equal(pci_find_cap(&config, 0x05, 0), 0);
	set(first + 1, 1, 0x10);
	assert_int_equal(pci_find_cap(&config, PCI_CAP_VENDOR, first), 0);
	set(first + 1, 1, second | 3);
	assert_int_equal(pci_find_cap(&config, PCI_CAP_VENDOR, first), second);
	for (unsigned type = 0; type < 256; type++) {
		set(first + 1, 1, 0xfc);
		set(0xfc, 1, PCI_CAP_VENDOR);
		set(0xfe, 1, 0xff);
		set(0xff, 1, type);
		assert_non_null(pci_find_virtio(&config, bars, &virtio));
	}
	assert_true(reads < 100000);
	set(PCI_STATUS, 2, 0);
	assert_int_equal(pci_find_cap(&config, PCI_CAP_VENDOR, 0), 0);
	memset(space, 0xff, sizeof(space)); /* nobody there */
	assert_non_null(pci_find_virtio(&config, bars, &virtio));
}

static void outside_bars(void **state)
{
	static const struct {
		uint8_t bar;
		uint32_t off, len;
	} bad[] = {
		{ 4, 0, 55 },	   { 4, 0, 0 },	     { 4, 0, 0x4001 },	    { 4, 0x3fc8, 57 },
		{ 4, 0x4000, 56 }, { 4, 2, 0x1000 }, { 4, 0xfffffffc, 56 }, { 4, 0, 0xffffffff },
		{ 5, 0, 56 },	   { 0, 0, 56 },     { 6, 0, 56 },	    { 255, 0, 56 },
		{ 1, 0xfcc, 56 },
	};
	struct pci_virtio virtio;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin();
		add_virtio(1, bad[i].bar, bad[i].off, bad[i].len);
		assert_string_equal(pci_find_virtio(&config, bars, &virtio),
				    "has no common registers of a modern virtio device");
		/* one that fits, further down the list, counts; of two the first */
		add_virtio(1, 4, 0x40, 56);
		add_virtio(1, 4, 0x80, 56);
		assert_string_equal(pci_find_virtio(&config, bars, &virtio),
				    "has no doorbell registers of a modern virtio device");
		assert_int_equal(virtio.common.off, 0x40);
	}
	begin();
	add_virtio(1, 1, 0xfc8, 56); /* up to the last byte */
	add_virtio(2, 4, 0x3ffe, 2);
	assert_string_equal(pci_find_virtio(&config, bars, &virtio),
			    "has no interrupt status register of a modern virtio device");
}

static void doorbells(void **state)
{
	static const struct {
		uint32_t multiplier;
		bool good;
	} cases[] = { { 0, true }, { 1, false }, { 2, true },	   { 3, false },
		      { 4, true }, { 6, false }, { 0x1000, true }, { 0xffffffff, false } };
	struct pci_virtio virtio;
	unsigned notify;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		add_virtio(1, 4, 0, 56);
		add_virtio(3, 4, 0x1001, 1);
		notify = add_virtio(2, 4, 0x3000, 0x1000);
		set(notify + 16, 4, cases[i].multiplier);
		assert_int_equal(pci_find_virtio(&config, bars, &virtio) == NULL, cases[i].good);
		assert_int_equal(virtio.device.len, 0);
		set(notify + 2, 1, 16); /* too short for its multiplier */
		assert_non_null(pci_find_virtio(&config, bars, &virtio));
	}
}

/* Registers reached through configuration space. */
static void through_config(void **state)
{
	struct pci_virtio virtio;
	uint32_t value, at;

	(void)state;
	begin_honest();
	assert_null(pci_find_virtio(&config, bars, &virtio));
	at = virtio.config_cap;
	assert_int_equal(at, 0x4c);
	set(at + 16, 4, 0x12345678);
	assert_true(pci_virtio_read(&config, &virtio, 20, 1, &value));
	assert_int_equal(value, 0x78);
	assert_int_equal(space[at + 4], 4);
	assert_int_equal(space_read(NULL, at + 8, 4), 20);
	assert_int_equal(space_read(NULL, at + 12, 4), 1);
	assert_true(pci_virtio_write(&config, &virtio, 52, 4, 0xabcdef01));
	assert_int_equal(space_read(NULL, at + 8, 4), 52);
	assert_int_equal(space_read(NULL, at + 16, 4), 0xabcdef01);
	assert_false(pci_virtio_write(&config, &virtio, 53, 4, 0));
	assert_false(pci_virtio_read(&config, &virtio, 56, 1, &value));
	closed = true;
	assert_false(pci_virtio_write(&config, &virtio, 20, 1, 0));
	assert_false(pci_virtio_read(&config, &virtio, 20, 1, &value));
	closed = false;
	virtio.config_cap = 0;
	assert_false(pci_virtio_write(&config, &virtio, 20, 1, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest_device), cmocka_unit_test(endless_lists),
		cmocka_unit_test(outside_bars),	 cmocka_unit_test(doorbells),
		cmocka_unit_test(through_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
