/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of an NVMe controller: made ready step by step, data through lists of pages that lie apart, requests
 * larger than a command, many at a time in either order; a controller that is silent, reset and asked again; and
 * those that lie: a sentence, and everything fails once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pci/kind.h>

#include "fakenvme.h"
#include "rig.h"
#include "storagerig.h"

static struct nvme nvme;
static unsigned armed;

const struct storagerig storagerig = {
	&nvme.storage, &nvme.cutter, &fakenvme.medium, FAKENVME_SECTORS, fakenvme_work,
};

static void on_armed(void *self)
{
	assert_ptr_equal(self, &armed);
	armed++;
}

static void step(void)
{
	for (unsigned i = 0; i < 20; i++)
		nvme_step(&nvme);
}

/* NULL: live; or why not, wherever that was noticed. */
static const char *start(void)
{
	const char *why = nvme_look(&nvme, fakenvme_registers(), FAKENVME_BYTES);

	if (why)
		return why;
	while (!nvme_stopped(&nvme))
		;
	why = nvme_start(&nvme, &fakenvme.arena, 3, on_armed, &armed);
	if (why)
		return why;
	step();
	return nvme.failed;
}

static void begin(void)
{
	fakenvme_init();
	armed = 0;
	assert_null(start());
	assert_int_equal(nvme.state, NVME_LIVE);
	fill_medium();
}

static void tick(unsigned seconds)
{
	while (seconds--)
		nvme_tick(&nvme, 1000);
}

/* ---- making it ready ---- */

static void knows_its_functions(void **state)
{
	(void)state;
	assert_int_equal(pci_kind(0x1af4, 0x1042, 0x010000), PCI_KIND_VIRTIO_DISK);
	assert_int_equal(pci_kind(0x1af4, 0x1001, 0x010000), PCI_KIND_VIRTIO_DISK);
	assert_int_equal(pci_kind(0x1af4, 0x1041, 0x020000), PCI_KIND_VIRTIO_CARD);
	assert_int_equal(pci_kind(0x1af4, 0x1044, 0x00ff00), PCI_KIND_NONE);
	assert_int_equal(pci_kind(0x1b36, 0x0010, 0x010802), PCI_KIND_NVME);
	assert_int_equal(pci_kind(0x144d, 0xa808, 0x010802), PCI_KIND_NVME);
	assert_int_equal(pci_kind(0x144d, 0xa808, 0x010803), PCI_KIND_NONE); /* an administrative controller */
	assert_int_equal(pci_kind(0x1234, 0x11e8, 0x00ff00), PCI_KIND_NONE);
}

static void makes_it_ready(void **state)
{
	(void)state;
	begin();
	assert_int_equal(nvme.storage.sectors, FAKENVME_SECTORS);
	assert_false(nvme.storage.read_only);
	assert_true(nvme.storage.can_discard && nvme.storage.can_zero && nvme.has_flush);
	assert_int_equal(nvme.cutter.count, 6);
	assert_int_equal(nvme.slot_bytes, SLOT);
	assert_int_equal(nvme.patience_ms, 2000);
	assert_int_equal(nvme.bytes, 0x1000 + 4 * 16);
	assert_int_equal(fakenvme.queues[1].size, 64);
	assert_int_equal(fakenvme.queues[1].sq, fakenvme.bus[2]);
	assert_int_equal(fakenvme.queues[1].cq, fakenvme.bus[3]);
	assert_int_equal(fakenvme.vector, 3);
	assert_int_equal(fakenvme.stops, 1);
	fakenvme_free();

	fakenvme_init();
	fakenvme.space[99] = 1;
	fakenvme.controller[77] = 2; /* 16 KiB */
	fakenvme.controller[520] = 0;
	fakenvme.controller[525] = 0;
	fakenvme_registers()->cap[0] = 3; /* four entries, as soon as can be */
	assert_null(start());
	assert_true(nvme.storage.read_only);
	assert_false(nvme.storage.can_discard || nvme.storage.can_zero || nvme.has_flush);
	assert_int_equal(nvme.slot_bytes, 4 * CUTTER_PAGE);
	assert_int_equal(nvme.cutter.count, 3);
	assert_int_equal(nvme.patience_ms, 1000);
	fakenvme_free();
}

/* What is wrong with its registers is said before it is switched on. */
static void refuses_registers(void **state)
{
	struct nvme_registers *r = fakenvme_registers();

	(void)state;
	fakenvme_init();
	r->version = 0x10000;
	assert_string_equal(start(), "is older than NVM Express 1.1");
	r->version = 0x10100;
	r->cap[1] = FAKENVME_STRIDE;
	assert_string_equal(start(), "does not know the commands of a disk");
	r->cap[1] = FAKENVME_STRIDE | 1u << 5 | 1u << 16;
	assert_string_equal(start(), "has no pages of 4 KiB");
	r->cap[1] = 12 | 1u << 5; /* 4 doorbells 16 KiB apart */
	assert_string_equal(start(), "has doorbells outside its registers");
	r->cap[1] = FAKENVME_STRIDE | 1u << 5;
	r->cap[0] = 0;
	assert_string_equal(start(), "has queues of no use");
	assert_int_equal(fakenvme.stops + fakenvme.starts, 0);
	r->cap[0] = 1;
	fakenvme.slow_stop = true;
	fakenvme.arena.pages = NVME_ARENA_MIN - 1;
	assert_string_equal(start(), "has too little memory for transfers");
	fakenvme.arena.pages = NVME_ARENA_MIN;
	assert_null(start());
	assert_int_equal(nvme.cutter.count, 1);
	memset(fakenvme.registers, 0xff, sizeof(fakenvme.registers));
	assert_string_equal(start(), "is not there any more");
	fakenvme_free();
}

static void set32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, 4);
}

/* What it says of itself does not do. */
static void refuses_answers(void **state)
{
	static const struct {
		uint8_t opcode;
		const char *refused;
	} own[] = {
		{ 0x06, "refuses to say what it is" },
		{ 0x09, "refuses queues for commands" },
		{ 0x05, "refuses its queue of completions" },
		{ 0x01, "refuses its queue of commands" },
	};

	(void)state;
	fakenvme_init();
	for (unsigned i = 0; i < 4; i++) {
		fakenvme.refuses = own[i].opcode;
		assert_string_equal(start(), own[i].refused);
	}
	fakenvme.refuses = 0xff;
	fakenvme.controller[512] = 0x77;
	assert_string_equal(start(), "has queue entries of impossible sizes");
	fakenvme.controller[512] = 0x66;
	fakenvme.controller[513] = 0x33;
	assert_string_equal(start(), "has queue entries of impossible sizes");
	fakenvme.controller[513] = 0x44;
	fakenvme.list[0] = 0;
	assert_string_equal(start(), "has no namespace");
	fakenvme.list[0] = ~0u;
	assert_string_equal(start(), "has a namespace of an impossible number");
	fakenvme.list[0] = FAKENVME_NSID;
	set32(fakenvme.space, 0);
	assert_string_equal(start(), "is empty: its size is 0");
	set32(fakenvme.space + 4, 0x80000000);
	assert_string_equal(start(), "has an impossible size");
	set32(fakenvme.space + 4, 0);
	set32(fakenvme.space, 8);
	fakenvme.space[26] = 2;
	assert_string_equal(start(), "has a format that it does not list");
	fakenvme.space[26] = 0;
	assert_string_equal(start(), "has blocks of another size than 512 bytes");
	fakenvme.space[26] = 1;
	set32(fakenvme.space + 132, 9u << 16 | 8);
	assert_string_equal(start(), "has metadata with its blocks");
	set32(fakenvme.space + 132, 9u << 16);
	assert_null(start());
	fakenvme_free();
}

/* It does not get on: that is said when its time is over, and not before. */
static void does_not_get_ready(void **state)
{
	(void)state;
	fakenvme_init();
	fakenvme.never_starts = true;
	assert_null(start());
	tick(2);
	assert_null(nvme.failed);
	tick(1);
	assert_string_equal(nvme.failed, "does not become ready");
	fakenvme.fatal = true;
	assert_string_equal(start(), "says that it has failed for good");
	fakenvme.fatal = fakenvme.never_starts = false;
	fakenvme.mute = true;
	assert_null(start());
	tick(30);
	assert_null(nvme.failed);
	tick(1);
	assert_string_equal(nvme.failed, "does not say what it is");
	assert_false(nvme_tick(&nvme, 1000));
	fakenvme_free();
}

/* ---- data ---- */

static void reads_and_writes(void **state)
{
	(void)state;
	begin();
	reads_and_writes_of_lengths();
	assert_int_equal(fakenvme.largest, SLOT);
	assert_true(fakenvme.lists > 0);
	assert_int_equal(nvme.io.out, 0);
	assert_int_equal(fakenvme.queues[1].cq_head, fakenvme.queues[1].cq_tail); /* told of all */
	fakenvme_free();
}

static void flush_discard_zero(void **state)
{
	(void)state;
	begin();
	whole(STORAGE_FLUSH, 0, 0, true);
	assert_int_equal(fakenvme.flushes, 1);
	whole(STORAGE_ZERO, 512, 120 * 512, true);
	assert_int_equal(fakenvme.zeroes, 1);
	for (unsigned i = 512; i < 121 * 512; i++)
		assert_int_equal(fakenvme.medium[i], 0);
	assert_int_equal(fakenvme.medium[511], (uint8_t)511);
	assert_int_equal(fakenvme.medium[121 * 512], (uint8_t)(121 * 7));
	whole(STORAGE_DISCARD, 300 * 512, 200 * 512, true);
	assert_int_equal(fakenvme.discards, 1);
	assert_int_equal(fakenvme.medium[300 * 512 - 1], (uint8_t)(299 * 7 + 511));
	assert_int_equal(fakenvme.medium[500 * 512 - 1], 0xdd);
	assert_int_equal(fakenvme.medium[500 * 512], (uint8_t)(500 * 7));
	fakenvme_free();

	fakenvme_init();
	fakenvme.controller[525] = 0;
	assert_null(start());
	whole(STORAGE_FLUSH, 0, 0, true);
	assert_int_equal(fakenvme.commands, 0);
	fakenvme_free();
}

/* More than there are slots for, finished in any order; one with many commands waits for room. */
static void many_at_a_time(void **state)
{
	struct job jobs[STORAGERIG_JOBS], large;
	unsigned taken;

	(void)state;
	begin();
	taken = fill_slots(jobs);
	assert_int_equal(armed, 1);
	empty_slots(jobs, taken);
	job_init(&large, STORAGE_READ, 0, 9 * SLOT);
	assert_true(submit(&large));
	assert_ptr_equal(nvme.cutter.current, &large.io);
	run();
	assert_true(large.done == 1 && large.ok);
	assert_memory_equal(large.bytes, fakenvme.medium, 9 * SLOT);
	free(large.bytes);
	assert_int_equal(armed, 1); /* whoever counts the time is told once */
	assert_false(nvme_tick(&nvme, 1000));
	whole(STORAGE_READ, 0, 512, true);
	assert_int_equal(armed, 2);
	fakenvme_free();
}

static void errors_of_a_request(void **state)
{
	(void)state;
	begin();
	fakenvme.lie = FAKENVME_STATUS;
	whole(STORAGE_READ, 0, 20 * SLOT, false);
	assert_true(fakenvme.commands < 20); /* no more of it once one has failed */
	whole(STORAGE_FLUSH, 0, 0, false);
	whole(STORAGE_DISCARD, 0, 512, false);
	assert_null(nvme.failed);
	fakenvme.lie = FAKENVME_HONEST;
	whole(STORAGE_READ, 0, 20 * SLOT, true);
	fakenvme_free();
}

/* ---- silence ---- */

/* Commands that take too long: it is reset, and asked for the same again. */
static void is_reset_when_silent(void **state)
{
	struct job jobs[6], large;

	(void)state;
	begin();
	fakenvme.lie = FAKENVME_SILENT;
	for (unsigned i = 0; i < 5; i++) {
		job_init(&jobs[i], i % 2 ? STORAGE_WRITE : STORAGE_READ, i * 4096, 4096);
		assert_true(submit(&jobs[i]));
	}
	job_init(&large, STORAGE_WRITE, SLOT, 3 * SLOT);
	assert_true(submit(&large)); /* one command of three is out */
	assert_int_equal(fakenvme_work(64, false), 6);
	tick(30);
	assert_int_equal(fakenvme.stops, 1);
	fakenvme.slow_stop = true;
	tick(1);
	assert_int_equal(fakenvme.stops, 2);
	assert_int_equal(nvme.state, NVME_STOPPING);
	job_init(&jobs[5], STORAGE_READ, 5 * 4096, 4096);
	assert_false(submit(&jobs[5])); /* it has no room meanwhile */
	fakenvme.lie = FAKENVME_HONEST;
	tick(4);
	assert_int_equal(nvme.state, NVME_LIVE);
	assert_int_equal(fakenvme.starts, 2);
	run();
	assert_true(large.done == 1 && large.ok);
	assert_memory_equal(large.bytes, fakenvme.medium + SLOT, 3 * SLOT);
	assert_int_equal(nvme.resets, 0);
	assert_int_equal(nvme.resets_ever, 1);
	complete(&jobs[5], true);
	for (unsigned i = 0; i < 6; i++) {
		assert_true(jobs[i].done == 1 && jobs[i].ok);
		assert_memory_equal(jobs[i].bytes, fakenvme.medium + i * 4096, 4096);
		free(jobs[i].bytes);
	}
	free(large.bytes);
	assert_false(nvme_tick(&nvme, 1000));
	fakenvme_free();
}

/* It stays silent: three resets, then everything fails. One that says it has failed is reset at once. */
static void fails_in_the_end(void **state)
{
	struct job job;

	(void)state;
	begin();
	fakenvme.lie = FAKENVME_SILENT;
	job_init(&job, STORAGE_WRITE, 0, 4096);
	assert_true(submit(&job));
	for (unsigned i = 0; i < 200 && !nvme.failed; i++) {
		fakenvme_work(64, false);
		tick(1);
		step();
	}
	assert_string_equal(nvme.failed, "does not do its commands, reset as often as it may be");
	assert_int_equal(fakenvme.starts, 1 + NVME_RESETS_MAX);
	assert_true(job.done == 1 && !job.ok);
	free(job.bytes);
	whole(STORAGE_READ, 0, 512, false);
	fakenvme_free();

	begin();
	job_init(&job, STORAGE_WRITE, 0, 4096);
	assert_true(submit(&job));
	fakenvme.fatal = true;
	storage_poll();
	fakenvme.fatal = false;
	step();
	run();
	assert_int_equal(fakenvme.starts, 2);
	assert_true(job.done == 1 && job.ok);
	free(job.bytes);
	fakenvme_free();
}

/* Behind a reset there must be the same disk. */
static void stays_the_same(void **state)
{
	struct job job;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		begin();
		job_init(&job, STORAGE_WRITE, 0, 4096);
		assert_true(submit(&job));
		fakenvme.fatal = true;
		storage_poll();
		fakenvme.fatal = false;
		if (i == 0)
			fakenvme.controller[4] ^= 1;
		else if (i == 1)
			fakenvme.list[0]++;
		else
			set32(fakenvme.space, FAKENVME_SECTORS - 1);
		step();
		assert_string_equal(nvme.failed, "has become another disk");
		assert_true(job.done == 1 && !job.ok);
		free(job.bytes);
		fakenvme_free();
	}
}

/* ---- lies ---- */

static void is_switched_off(const char *why, struct job *jobs, unsigned count)
{
	assert_string_equal(nvme.failed, why);
	assert_int_equal(fakenvme.stops, 2);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(jobs[i].done, 1);
		free(jobs[i].bytes);
	}
	whole(STORAGE_READ, 0, 512, false);
	whole(STORAGE_FLUSH, 0, 0, false);
	fakenvme_free();
}

static void breaks_rules(void **state)
{
	static const struct {
		enum fakenvme_lie lie;
		const char *why;
		bool first; /* the first command is done all the same */
	} lies[] = {
		{ FAKENVME_UNKNOWN, "completes a command that is not out", false },
		{ FAKENVME_STALE, "completes a command that is not out", false },
		{ FAKENVME_TWICE, "completes a command twice", true },
		{ FAKENVME_QUEUE, "completes a command of another queue", false },
		{ FAKENVME_HEAD, "says that its queue's head is where it cannot be", false },
		{ FAKENVME_HEAD_AHEAD, "says that its queue's head is where it cannot be", false },
		{ FAKENVME_HEAD_BACK, "says that its queue's head is where it cannot be", false },
	};
	struct job jobs[4];

	(void)state;
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		begin();
		for (unsigned j = 0; j < 70; j++) /* once round its queue */
			whole(STORAGE_READ, 0, 512, true);
		for (unsigned j = 0; j < 3; j++) {
			job_init(&jobs[j], STORAGE_READ, 0, 4096);
			assert_true(submit(&jobs[j]));
		}
		job_init(&jobs[3], STORAGE_WRITE, 0, 30 * SLOT);
		assert_true(submit(&jobs[3]));
		assert_ptr_equal(nvme.cutter.current, &jobs[3].io);
		fakenvme.lie = lies[i].lie;
		fakenvme_work(1, false);
		storage_poll();
		for (unsigned j = 0; j < 4; j++)
			assert_int_equal(jobs[j].ok, j == 0 && lies[i].first);
		assert_null(nvme.cutter.current);
		is_switched_off(lies[i].why, jobs, 4);
	}
}

/* A completion for nobody is noticed when nothing is out, too. */
static void completes_unasked(void **state)
{
	uint32_t *entry;

	(void)state;
	begin();
	entry = (uint32_t *)(fakenvme.arena.base + 3 * 4096);
	entry[2] = 1u << 16;
	entry[3] = 1u << 16 | 77;
	storage_poll();
	is_switched_off("completes a command that is not out", NULL, 0);
}

/* Completions that do not look new are none: it is silent. */
static void plays_with_phases(void **state)
{
	struct job job;

	(void)state;
	begin();
	job_init(&job, STORAGE_READ, 0, 4096);
	assert_true(submit(&job));
	fakenvme.lie = FAKENVME_OLD_PHASE;
	fakenvme_work(1, false);
	storage_poll();
	assert_int_equal(job.done, 0);
	tick(31);
	assert_int_equal(fakenvme.stops, 2);
	fakenvme.lie = FAKENVME_HONEST;
	tick(2);
	run();
	assert_true(job.done == 1 && job.ok);
	free(job.bytes);
	fakenvme_free();
}

/* Its last word changes between two looks. */
static void change_completion(void)
{
	static unsigned looks;

	if (++looks == 3) /* last word, result, head: the next look is at the last word again */
		((uint32_t *)(fakenvme.arena.base + 3 * 4096))[3] ^= 1u << 20;
}

static void changes_what_is_read(void **state)
{
	struct job job;

	(void)state;
	begin();
	job_init(&job, STORAGE_READ, 0, 4096);
	assert_true(submit(&job));
	fakenvme_work(1, false);
	rig_on_load = change_completion;
	storage_poll();
	rig_on_load = NULL;
	assert_true(job.done == 1 && !job.ok);
	is_switched_off("changes a completion while it is read", &job, 1);
}

/* It has left the bus: everything reads as ones. */
static void goes_away(void **state)
{
	struct job job;

	(void)state;
	begin();
	job_init(&job, STORAGE_READ, 0, 4096);
	assert_true(submit(&job));
	memset(fakenvme.registers, 0xff, sizeof(fakenvme.registers));
	storage_poll();
	assert_true(job.done == 1 && !job.ok);
	assert_string_equal(nvme.failed, "is not there any more");
	free(job.bytes);
	fakenvme_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_its_functions),	cmocka_unit_test(makes_it_ready),
		cmocka_unit_test(refuses_registers),	cmocka_unit_test(refuses_answers),
		cmocka_unit_test(does_not_get_ready),	cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(flush_discard_zero),	cmocka_unit_test(many_at_a_time),
		cmocka_unit_test(errors_of_a_request),	cmocka_unit_test(is_reset_when_silent),
		cmocka_unit_test(fails_in_the_end),	cmocka_unit_test(stays_the_same),
		cmocka_unit_test(breaks_rules),		cmocka_unit_test(completes_unasked),
		cmocka_unit_test(plays_with_phases),	cmocka_unit_test(changes_what_is_read),
		cmocka_unit_test(goes_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
