/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake82574.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <pci/mmio.h>

#include "fakebus.h"

#define CTRL 0x0000u
#define STATUS 0x0008u
#define EEC 0x0010u
#define ICR 0x00c0u
#define IMS 0x00d0u
#define IMC 0x00d8u
#define IVAR 0x00e4u
#define RCTL 0x0100u
#define TCTL 0x0400u
#define RING_RX 0x2800u
#define RING_TX 0x3800u
#define LENGTH 0x08u
#define HEAD 0x10u
#define TAIL 0x18u
#define RESET (1u << 26)

struct fake82574 fake82574;

static uint32_t enabled; /* causes that interrupt: IMS sets, IMC clears */
static uint32_t causes;

uint32_t *fake82574_register(uint32_t at)
{
	return (uint32_t *)(fake82574.registers + at);
}

void fake82574_init(void)
{
	struct fake82574 *d = &fake82574;

	memset(d, 0, sizeof(*d));
	enabled = causes = 0;
	*fake82574_register(STATUS) = 2;
	*fake82574_register(EEC) = 0x200;
	*fake82574_register(0x5400) = 0x12005452;
	*fake82574_register(0x5404) = 0x80005634;
	d->arena.base = fakebus_begin(d->bus, FAKE82574_PAGES);
	d->arena.bus = d->bus;
	d->arena.pages = FAKE82574_PAGES;
}

void fake82574_free(void)
{
	fakebus_end();
}

/* ---- registers ---- */

static bool gone(void)
{
	return *fake82574_register(STATUS) == ~0u;
}

static void cause(uint32_t bits)
{
	uint32_t before = causes & enabled;

	causes |= bits;
	if ((causes & enabled) != before)
		fake82574.interrupts++;
}

void mmio_test_read(const void *reg)
{
	if (gone())
		return;
	if (reg == fake82574_register(ICR))
		*fake82574_register(ICR) = causes;
	else if (reg == fake82574_register(CTRL) && !fake82574.slow_reset)
		*fake82574_register(CTRL) &= ~RESET;
	else if (reg == fake82574_register(EEC))
		*fake82574_register(EEC) = fake82574.slow_eeprom ? 0 : 0x200;
	fake82574.slow_reset = fake82574.slow_reset && reg != fake82574_register(CTRL);
}

void mmio_test_write(void *reg)
{
	if (reg == fake82574_register(ICR)) {
		causes &= ~*fake82574_register(ICR);
	} else if (reg == fake82574_register(IMS)) {
		enabled |= *fake82574_register(IMS);
	} else if (reg == fake82574_register(IMC)) {
		enabled &= ~*fake82574_register(IMC);
	} else if (reg == fake82574_register(CTRL) && *fake82574_register(CTRL) & RESET) {
		/* nothing is going on by then, and it forgets little: see the driver */
		assert_int_equal(*fake82574_register(RCTL) | *fake82574_register(TCTL) | enabled, 0);
		fake82574.resets++;
	} else if (reg == fake82574_register(RING_RX + TAIL) || reg == fake82574_register(RING_TX + TAIL)) {
		fake82574.tail_writes++;
	}
}

/* ---- rings ---- */

struct descriptor {
	uint64_t address;
	uint16_t len;
	uint8_t checksum_at, command; /* tx; rx: the checksum */
	uint8_t status, errors;
	uint16_t special;
};

/* The next descriptor the card has, or NULL. */
static struct descriptor *next_of(uint32_t ring)
{
	uint32_t head = *fake82574_register(ring + HEAD), tail = *fake82574_register(ring + TAIL);
	uint32_t size = *fake82574_register(ring + LENGTH) / 16;
	uint64_t base = *fake82574_register(ring) | (uint64_t)*fake82574_register(ring + 4) << 32;

	assert_true(size % 8 == 0 && head < size && tail < size);
	return head == tail ? NULL : dma(base + head * 16, 16);
}

static void pass(uint32_t ring)
{
	uint32_t *head = fake82574_register(ring + HEAD);

	*head = (*head + 1) % (*fake82574_register(ring + LENGTH) / 16);
}

unsigned fake82574_transmit(unsigned limit)
{
	struct descriptor *d;
	unsigned n = 0;

	while (n < limit && *fake82574_register(TCTL) & 2 && (d = next_of(RING_TX))) {
		assert_true(d->len >= 14 && d->len <= E1000E_FRAME_MAX);
		assert_int_equal(d->command, 0xb); /* a whole frame, checksum of the wire, tell me */
		assert_int_equal(d->status, 0);
		memcpy(fake82574.sent, dma(d->address, d->len), d->len);
		fake82574.sent_len = d->len;
		d->status = 1;
		if (fake82574.lie == FAKE82574_SCRIBBLES)
			d->address = 0x1234567000;
		pass(RING_TX);
		n++;
	}
	return n;
}

static bool put_piece(const uint8_t *bytes, uint32_t len, bool last)
{
	struct descriptor *d = next_of(RING_RX);

	if (!d)
		return false;
	memcpy(dma(d->address, 2048), bytes, len);
	d->len = fake82574.lie == FAKE82574_EMPTY ? 0 : fake82574.lie == FAKE82574_LONG ? 0xffff : (uint16_t)len;
	/* a wrong checksum of TCP is not the card's matter */
	d->errors = fake82574.lie == FAKE82574_DAMAGED ? 1 : 0x20;
	d->status = last ? 3 : 1;
	if (fake82574.lie == FAKE82574_SCRIBBLES)
		d->address = 0x1234567000;
	pass(RING_RX);
	return true;
}

bool fake82574_receive(const uint8_t *frame, uint32_t len, uint32_t piece)
{
	if (!(*fake82574_register(RCTL) & 2))
		return false;
	for (uint32_t at = 0; at < len; at += piece) {
		uint32_t n = len - at < piece ? len - at : piece;

		if (!put_piece(frame + at, n, at + n == len)) {
			cause(1u << 6);
			return false;
		}
	}
	cause(1u << 7 | 1u << 20);
	return true;
}

void fake82574_link(bool up)
{
	*fake82574_register(STATUS) = up ? 2 : 0;
	cause(1u << 2 | 1u << 24);
}
