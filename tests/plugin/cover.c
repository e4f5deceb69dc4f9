/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cover.so: which instructions of a program a machine executes, and which ways its conditional jumps go.
 *
 *   out=FILE        written every second and at the end, one line an instruction that ran: `x ADDRESS`, and behind a
 *                   conditional jump ` n` if it fell through, ` t` if it was taken
 *   range=LOW-HIGH  what to watch, hexadecimal; may be given several times
 *
 * Instructions are counted before they run, so one that faults has run. Everything is a byte that is only
 * ever set, which two CPU threads may do at once.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qemu_plugin_api.h"

#define RANGES 4
#define CPUS 64u
#define PERIOD_US 1000000

enum { RAN = 1 };

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

static struct range {
	uint64_t low, size;
	uint8_t *ran, *fell, *taken; /* by address - low */
	uint8_t *length;             /* of an instruction that is a conditional jump */
} ranges[RANGES];
static unsigned int nr_ranges;
static char *path;
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

/* The conditional jump that each CPU executed last, until the next instruction tells where it went. */
static uint64_t pending[CPUS];

static struct range *range_of(uint64_t address)
{
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (address - ranges[i].low < ranges[i].size)
			return &ranges[i];
	return NULL;
}

static bool is_conditional_jump(const uint8_t *code, size_t size)
{
	if (size > 1 && (code[0] == 0x3e || code[0] == 0x2e)) {
		code++;
		size--;
	}
	return (code[0] & 0xf0) == 0x70 || (code[0] & 0xfc) == 0xe0 /* loop, jcxz */ ||
	       (size > 1 && code[0] == 0x0f && (code[1] & 0xf0) == 0x80);
}

static void at_insn(unsigned int cpu, void *data)
{
	uint64_t address = (uintptr_t)data, from = pending[cpu % CPUS];
	struct range *range = range_of(address);

	range->ran[address - range->low] = RAN;
	if (!from)
		return;
	pending[cpu % CPUS] = 0;
	range = range_of(from);
	if (address == from + range->length[from - range->low])
		range->fell[from - range->low] = RAN;
	else
		range->taken[from - range->low] = RAN;
}

static void at_jump(unsigned int cpu, void *data)
{
	pending[cpu % CPUS] = (uintptr_t)data;
}

/*
 * What has run is known for good: a block that is translated again calls for its first instruction only,
 * which is where a jump may have come to.
 */
static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		struct range *range = range_of(address);
		size_t size = qemu_plugin_insn_size(insn);

		if (!range)
			continue;
		if (!i || !range->ran[address - range->low])
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_insn, QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(uintptr_t)address);
		if (!is_conditional_jump(qemu_plugin_insn_data(insn), size))
			continue;
		range->length[address - range->low] = (uint8_t)size;
		qemu_plugin_register_vcpu_insn_exec_cb(insn, at_jump, QEMU_PLUGIN_CB_NO_REGS,
						       (void *)(uintptr_t)address);
	}
}

/* The file is whole at any time: a machine that stands still is killed. */
static void write_all(void)
{
	char scratch[4096];
	FILE *file;

	snprintf(scratch, sizeof(scratch), "%s.new", path);
	file = fopen(scratch, "w");
	if (!file) {
		perror(scratch);
		return;
	}
	for (struct range *r = ranges; r < ranges + nr_ranges; r++)
		for (uint64_t i = 0; i < r->size; i++)
			if (r->ran[i])
				fprintf(file, "x %llx%s%s\n", (unsigned long long)(r->low + i),
					r->fell[i] ? " n" : "", r->taken[i] ? " t" : "");
	fclose(file);
	rename(scratch, path);
}

static void at_end(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	pthread_mutex_lock(&writing);
	write_all();
}

static void *keep(void *data)
{
	for (;;) {
		usleep(PERIOD_US);
		pthread_mutex_lock(&writing);
		write_all();
		pthread_mutex_unlock(&writing);
	}
	return data;
}

static bool add_range(const char *text)
{
	struct range *range = &ranges[nr_ranges];
	char *end;
	uint64_t high;

	if (nr_ranges == RANGES)
		return false;
	range->low = strtoull(text, &end, 16);
	high = *end == '-' ? strtoull(end + 1, &end, 16) : 0;
	if (*end || high <= range->low)
		return false;
	range->size = high - range->low;
	range->ran = calloc(4, range->size);
	if (!range->ran)
		return false;
	range->fell = range->ran + range->size;
	range->taken = range->fell + range->size;
	range->length = range->taken + range->size;
	nr_ranges++;
	return true;
}

PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
				      char **argv);

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	pthread_t thread;

	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4)) {
			path = strdup(argv[i] + 4);
		} else if (strncmp(argv[i], "range=", 6) || !add_range(argv[i] + 6)) {
			fprintf(stderr, "cover: unknown option '%s'\n", argv[i]);
			return -1;
		}
	}
	if (!path || !nr_ranges) {
		fprintf(stderr, "cover: out=FILE and range=LOW-HIGH are needed\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, at_end, NULL);
	return pthread_create(&thread, NULL, keep, NULL) ? -1 : 0;
}
