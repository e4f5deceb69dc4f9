/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakenvme.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pci/mmio.h>

#include "fakebus.h"

#define ON 1u
#define READY 1u
#define FATAL 2u
#define FAILED 0x2002u /* invalid field, do not retry */

struct entry {
	uint32_t words[16];
};

struct fakenvme fakenvme;

struct nvme_registers *fakenvme_registers(void)
{
	return (struct nvme_registers *)fakenvme.registers;
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, 4);
}

void fakenvme_init(void)
{
	struct fakenvme *d = &fakenvme;

	memset(d, 0, sizeof(*d));
	/* 128 entries, must be contiguous, 2 s; doorbells apart, commands of a disk, pages of 4 KiB to 64 KiB */
	fakenvme_registers()->cap[0] = 127 | 1u << 16 | 4u << 24;
	fakenvme_registers()->cap[1] = FAKENVME_STRIDE | 1u << 5 | 4u << 20;
	fakenvme_registers()->version = 0x10400;
	memcpy(d->controller + 4, "serial number of it ", 20);
	d->controller[77] = 5; /* 128 KiB in a command */
	d->controller[512] = 0x66;
	d->controller[513] = 0x44;
	d->controller[520] = 1u << 2 | 1u << 3;
	d->controller[525] = 1;
	put32(d->space, FAKENVME_SECTORS);
	d->space[25] = 1;
	d->space[26] = 1;
	put32(d->space + 128, 12u << 16 | 8);
	put32(d->space + 132, 9u << 16);
	d->list[0] = FAKENVME_NSID;
	d->refuses = 0xff;
	d->medium = calloc(FAKENVME_SECTORS, 512);
	d->arena.base = fakebus_begin(d->bus, FAKENVME_PAGES);
	d->arena.bus = d->bus;
	d->arena.pages = FAKENVME_PAGES;
}

void fakenvme_free(void)
{
	free(fakenvme.medium);
	fakebus_end();
}

static uint64_t word64(const struct entry *entry, unsigned at)
{
	return entry->words[at] | (uint64_t)entry->words[at + 1] << 32;
}

/* ---- completions ---- */

static void post(unsigned id, uint16_t cid, uint16_t status, uint32_t result)
{
	struct fakenvme_queue *q = &fakenvme.queues[id];
	enum fakenvme_lie lie = id ? fakenvme.lie : FAKENVME_HONEST;
	uint32_t head = q->sq_head, *at = dma(q->cq + q->cq_tail * 16, 16);
	uint16_t phase = lie == FAKENVME_OLD_PHASE ? !q->phase : q->phase;

	assert_int_not_equal((q->cq_tail + 1) % q->size, q->cq_head); /* it has room */
	head = lie == FAKENVME_HEAD ? q->size : lie == FAKENVME_HEAD_AHEAD ? (q->sq_tail + 1) % q->size :
	       lie == FAKENVME_HEAD_BACK ? (head + q->size - 2) % q->size : head;
	at[0] = result;
	at[2] = head | (lie == FAKENVME_QUEUE ? 2u : id) << 16;
	at[3] = cid | (uint32_t)phase << 16 | (uint32_t)status << 17;
	q->last_cid = cid;
	if (++q->cq_tail == q->size) {
		q->cq_tail = 0;
		q->phase = !q->phase;
	}
}

/* ---- the controller's own commands ---- */

static uint16_t identify(const struct entry *entry)
{
	void *to = dma(word64(entry, 6), 4096);

	switch (entry->words[10]) {
	case 0:
		if (entry->words[1] != fakenvme.list[0])
			return FAILED;
		memcpy(to, fakenvme.space, 4096);
		return 0;
	case 1:
		memcpy(to, fakenvme.controller, 4096);
		return 0;
	case 2:
		memcpy(to, fakenvme.list, 4096);
		return 0;
	}
	return FAILED;
}

static uint16_t make_queue(const struct entry *entry, bool completions)
{
	struct fakenvme_queue *q = &fakenvme.queues[1];

	if (entry->words[10] != (1 | (q->size - 1) << 16) || !(entry->words[11] & 1))
		return FAILED;
	if (completions) {
		assert_true(entry->words[11] & 2);
		fakenvme.vector = entry->words[11] >> 16;
		q->cq = word64(entry, 6);
		return 0;
	}
	if (!q->cq || entry->words[11] >> 16 != 1)
		return FAILED;
	q->sq = word64(entry, 6);
	q->there = true;
	return 0;
}

static uint16_t own_command(const struct entry *entry)
{
	uint8_t op = entry->words[0] & 0xff;

	if (op == fakenvme.refuses)
		return FAILED;
	switch (op) {
	case 0x01:
	case 0x05:
		return make_queue(entry, op == 0x05);
	case 0x06:
		return identify(entry);
	case 0x09:
		return entry->words[10] == 7 && entry->words[11] == 0 ? 0 : FAILED;
	}
	return FAILED;
}

static void own_commands(void)
{
	struct fakenvme_queue *q = &fakenvme.queues[0];

	while (q->sq_head != q->sq_tail && !fakenvme.mute) {
		struct entry entry;

		memcpy(&entry, dma(q->sq + q->sq_head * 64, 64), 64);
		q->sq_head = (q->sq_head + 1) % q->size;
		post(0, (uint16_t)(entry.words[0] >> 16), own_command(&entry), 0x003f003f);
	}
}

/* ---- registers ---- */

void mmio_test_read(const void *reg)
{
	struct nvme_registers *r = fakenvme_registers();

	if (reg != &r->status || r->status == ~0u)
		return;
	if (!(r->config & ON) && fakenvme.slow_stop) {
		fakenvme.slow_stop = false;
		r->status = READY;
		return;
	}
	r->status = (r->config & ON) && !fakenvme.never_starts ? READY : 0;
	r->status |= fakenvme.fatal ? FATAL : 0;
}

static void configure(struct nvme_registers *r)
{
	struct fakenvme_queue *q = fakenvme.queues;

	memset(q, 0, sizeof(fakenvme.queues));
	if (!(r->config & ON)) {
		fakenvme.stops++;
		return;
	}
	assert_int_equal(r->config, 1 | 6u << 16 | 4u << 20);
	assert_int_equal(r->admin_sizes >> 16, r->admin_sizes & 0xffff);
	fakenvme.starts++;
	q->sq = r->admin_sq[0] | (uint64_t)r->admin_sq[1] << 32;
	q->cq = r->admin_cq[0] | (uint64_t)r->admin_cq[1] << 32;
	q->there = true;
	q[0].size = q[1].size = (r->admin_sizes & 0xffff) + 1;
	q[0].phase = q[1].phase = 1;
}

void mmio_test_write(void *reg)
{
	size_t at = (size_t)((uint8_t *)reg - fakenvme.registers), bell;
	struct fakenvme_queue *q;

	if (reg == &fakenvme_registers()->config) {
		configure(fakenvme_registers());
		return;
	}
	if (at < NVME_DOORBELLS)
		return;
	bell = (at - NVME_DOORBELLS) / (4u << FAKENVME_STRIDE);
	assert_int_equal((at - NVME_DOORBELLS) % (4u << FAKENVME_STRIDE), 0);
	assert_true(bell < 4);
	q = &fakenvme.queues[bell / 2];
	assert_true(q->there && *(uint32_t *)reg < q->size);
	*(bell % 2 ? &q->cq_head : &q->sq_tail) = *(uint32_t *)reg;
	if (bell == 0)
		own_commands();
}

/* ---- the namespace's commands ---- */

static uint64_t page_of(const struct entry *entry, unsigned index, unsigned pages)
{
	if (index == 0)
		return word64(entry, 6);
	if (pages == 2)
		return word64(entry, 8);
	fakenvme.lists++;
	return *(uint64_t *)dma(word64(entry, 8) + (index - 1) * 8, 8);
}

static uint16_t transfer(const struct entry *entry, bool writing)
{
	uint64_t at = word64(entry, 10) * 512, len = ((entry->words[12] & 0xffff) + 1) * 512;
	unsigned pages = (unsigned)((len + 4095) / 4096);

	fakenvme.largest = len > fakenvme.largest ? (unsigned)len : fakenvme.largest;
	if (at + len > FAKENVME_SECTORS * 512ull)
		return 0x80; /* beyond its end */
	assert_int_equal(word64(entry, 6) % 4096, 0);
	for (unsigned i = 0; i < pages; i++) {
		uint64_t n = len - i * 4096ull < 4096 ? len - i * 4096ull : 4096;
		void *bytes = dma(page_of(entry, i, pages), n);

		if (writing)
			memcpy(fakenvme.medium + at + i * 4096ull, bytes, n);
		else
			memcpy(bytes, fakenvme.medium + at + i * 4096ull, n);
	}
	return 0;
}

static uint16_t discard(const struct entry *entry)
{
	const uint32_t *range = dma(word64(entry, 6), 16);
	uint64_t sector = range[2] | (uint64_t)range[3] << 32;

	assert_int_equal(entry->words[10], 0);
	assert_int_equal(entry->words[11], 4);
	assert_true(range[1] && sector + range[1] <= FAKENVME_SECTORS);
	memset(fakenvme.medium + sector * 512, 0xdd, range[1] * 512ull);
	fakenvme.discards++;
	return 0;
}

static uint16_t zero(const struct entry *entry)
{
	uint64_t sector = word64(entry, 10), sectors = (entry->words[12] & 0xffff) + 1;

	assert_true(sector + sectors <= FAKENVME_SECTORS);
	memset(fakenvme.medium + sector * 512, 0, sectors * 512);
	fakenvme.zeroes++;
	return 0;
}

static uint16_t execute(const struct entry *entry)
{
	fakenvme.commands++;
	assert_int_equal(entry->words[1], FAKENVME_NSID);
	if (fakenvme.lie == FAKENVME_STATUS)
		return 0x281;
	switch (entry->words[0] & 0xffff) {
	case 0:
		fakenvme.flushes++;
		return 0;
	case 1:
	case 2:
		return transfer(entry, (entry->words[0] & 0xff) == 1);
	case 8:
		return zero(entry);
	case 9:
		return discard(entry);
	}
	fail_msg("command %#x", entry->words[0]);
	return FAILED;
}

static void complete(const struct entry *entry)
{
	uint16_t cid = (uint16_t)(entry->words[0] >> 16), status = execute(entry);

	switch (fakenvme.lie) {
	case FAKENVME_SILENT:
		return;
	case FAKENVME_UNKNOWN:
		post(1, cid ^ 0x8000, status, 0);
		return;
	case FAKENVME_STALE:
		post(1, (uint16_t)(cid - 64), status, 0);
		return;
	case FAKENVME_TWICE:
		post(1, cid, status, 0);
		break;
	default:
		break;
	}
	post(1, cid, status, 0);
}

unsigned fakenvme_work(unsigned limit, bool backwards)
{
	struct fakenvme_queue *q = &fakenvme.queues[1];
	struct entry entries[64];
	unsigned n = 0;

	if (!q->there)
		return 0;
	while (q->sq_head != q->sq_tail && n < limit) {
		memcpy(&entries[n++], dma(q->sq + q->sq_head * 64, 64), 64);
		q->sq_head = (q->sq_head + 1) % q->size;
	}
	for (unsigned i = 0; i < n; i++)
		complete(&entries[backwards ? n - 1 - i : i]);
	return n;
}
