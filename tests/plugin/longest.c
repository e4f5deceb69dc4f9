/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * longest.so: the longest stretches of kernel instructions, between two guests.
 *
 *   LONGEST name=N
 *       at the end, for each name: the most instructions the kernel executed in one stretch, from its entry to the
 *       return to a guest (whichever), to STI or to HLT. Ringfence runs with interrupts off, so that is
 *       also how long they were off. A stretch has the name of the function it came to last, see below.
 *
 * Options: names=FILE, lines of a hexadecimal address and a name. Stretches that come to none of these count as
 * "other". What ends before the first of these is not counted: the boot. Exact with -icount.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin_api.h"

#define HOLE_START 0xffff800000000000u
#define HOLE_END 0xffff880000000000u
#define CPUS 16u
#define NAMES 64u

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

static struct name {
	uint64_t address, longest;
	char text[40];
} names[NAMES] = { { 0, 0, "other" } };
static unsigned int nr_names = 1;

static struct row {
	uint64_t open;	   /* instructions of the stretch so far */
	unsigned int name;
} rows[CPUS];
static bool started; /* a guest has come to the kernel: the boot is over */

static void end_stretch(struct row *row)
{
	struct name *name = &names[row->name];

	if (started && row->open > name->longest)
		name->longest = row->open;
	row->open = 0;
	row->name = 0;
}

static void at_kernel(unsigned int cpu, void *data)
{
	rows[cpu % CPUS].open += (uintptr_t)data;
}

static void at_guest(unsigned int cpu, void *data)
{
	struct row *row = &rows[cpu % CPUS];

	(void)data;
	if (row->open)
		end_stretch(row);
}

static void at_open(unsigned int cpu, void *data)
{
	(void)data;
	end_stretch(&rows[cpu % CPUS]);
}

static void at_name(unsigned int cpu, void *data)
{
	rows[cpu % CPUS].name = (unsigned int)(uintptr_t)data;
	started = true;
}

/* sti, hlt, iretq, sysretq: the next instruction may fault at once, and is a stretch of its own then. */
static bool lets_interrupts_in(const uint8_t *code, size_t size)
{
	if (size == 1)
		return code[0] == 0xfb || code[0] == 0xf4;
	if (code[0] != 0x48)
		return false;
	return (size == 2 && code[1] == 0xcf) || (size == 3 && code[1] == 0x0f && code[2] == 0x07);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t start = qemu_plugin_tb_vaddr(tb);
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	if (start < HOLE_START || start >= HOLE_END) {
		qemu_plugin_register_vcpu_tb_exec_cb(tb, at_guest, QEMU_PLUGIN_CB_NO_REGS, NULL);
		return;
	}
	qemu_plugin_register_vcpu_tb_exec_cb(tb, at_kernel, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);

		if (lets_interrupts_in(code, qemu_plugin_insn_size(insn)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_open, QEMU_PLUGIN_CB_NO_REGS, NULL);
		for (unsigned int name = 1; name < nr_names; name++)
			if (qemu_plugin_insn_vaddr(insn) == names[name].address)
				qemu_plugin_register_vcpu_insn_exec_cb(insn, at_name, QEMU_PLUGIN_CB_NO_REGS,
								       (void *)(uintptr_t)name);
	}
}

static void at_end(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	for (unsigned int i = 0; i < nr_names; i++)
		fprintf(stderr, "LONGEST %s=%llu\n", names[i].text, (unsigned long long)names[i].longest);
}

static bool read_names(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long long address;

	if (!file) {
		perror(path);
		return false;
	}
	while (nr_names < NAMES && fscanf(file, "%llx %39s", &address, names[nr_names].text) == 2)
		names[nr_names++].address = address;
	fclose(file);
	return nr_names > 1;
}

PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
				      char **argv);

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "names=", 6) || !read_names(argv[0] + 6)) {
		fprintf(stderr, "longest: names=FILE is needed\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, at_end, NULL);
	return 0;
}
