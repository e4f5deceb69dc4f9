/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile.so: which functions an operation executes, and how often each is entered.
 *
 *   PROFILE id name insns=N calls=N
 *       for each stretch between two markers (see count.c) that has ended, and each function that ran in it:
 *       the instructions executed at its addresses, and how often its first instruction was. Assembly labels
 *       are functions too, so that the calls tell why the kernel was entered: guest_syscall, guest_trap_entry,
 *       hc_*, mm_guest_fault, arch_irq_dispatch.
 *   PROFILE-MARK n
 *       into QEMU's own log, if that has `-d plugin`: marker n was passed; even numbers start a stretch.
 *   PROFILE-OTHER id insns=N
 *       the rest of the stretch: below the first name, which is user mode's.
 *
 * Options: names=FILE, lines of a hexadecimal address and a name in ascending order; of the kernel, of a guest's
 * kernel, or of both. Each instruction is counted by itself, so a block that faults half-way is not counted
 * whole. What other CPUs do meanwhile is counted too: for use with one CPU and -icount.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin_api.h"

#define MARK_BASE 0x52460000u
#define MARK_IDS 256u

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

struct sums {
	uint64_t insns, calls;
};

static struct name {
	uint64_t address;
	char text[64];
} *names;
static size_t nr_names;
static struct sums *now, *before; /* by name; one more for what has none, at index 0 */

static void print_stretch(unsigned int id)
{
	for (size_t i = 1; i <= nr_names; i++)
		if (now[i].insns != before[i].insns)
			fprintf(stderr, "PROFILE %u %s insns=%llu calls=%llu\n", id, names[i - 1].text,
				(unsigned long long)(now[i].insns - before[i].insns),
				(unsigned long long)(now[i].calls - before[i].calls));
	fprintf(stderr, "PROFILE-OTHER %u insns=%llu\n", id,
		(unsigned long long)(now[0].insns - before[0].insns));
}

/* data: the marker's number; even starts, odd ends. */
static void at_mark(unsigned int cpu, void *data)
{
	unsigned int mark = (unsigned int)(uintptr_t)data;
	char line[32];

	(void)cpu;
	snprintf(line, sizeof(line), "PROFILE-MARK %u\n", mark);
	qemu_plugin_outs(line);
	if (mark & 1)
		print_stretch(mark / 2);
	else
		memcpy(before, now, (nr_names + 1) * sizeof(*now));
}

/* 1 + index of the last name at or below the address; 0: none. */
static size_t name_of(uint64_t address)
{
	size_t low = 0, high = nr_names;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (names[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		size_t name = name_of(address);
		uint32_t mark = 0;

		qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
							   &now[name].insns, 1);
		if (name && names[name - 1].address == address)
			qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
								   &now[name].calls, 1);
		if (qemu_plugin_insn_size(insn) != 7 || code[0] != 0x0f || code[1] != 0x1f || code[2] != 0x80)
			continue;
		memcpy(&mark, code + 3, sizeof(mark));
		mark -= MARK_BASE;
		if (mark < 2 * MARK_IDS)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_mark, QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(uintptr_t)mark);
	}
}

static bool read_names(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long long address;
	struct name name, *more;

	if (!file) {
		perror(path);
		return false;
	}
	while (fscanf(file, "%llx %63s%*[^\n]", &address, name.text) == 2) {
		name.address = address;
		if (!(nr_names & (nr_names - 1))) {
			more = realloc(names, (nr_names ? 2 * nr_names : 1) * sizeof(*names));
			if (!more)
				break;
			names = more;
		}
		names[nr_names++] = name;
	}
	fclose(file);
	now = calloc(nr_names + 1, sizeof(*now));
	before = calloc(nr_names + 1, sizeof(*before));
	return nr_names && now && before;
}

PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
				      char **argv);

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "names=", 6) || !read_names(argv[0] + 6)) {
		fprintf(stderr, "profile: names=FILE is needed\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
