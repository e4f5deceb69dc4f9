/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * time.so: how long the host's processor is at what stands between two markers (count.c), for tests/bench/wall.py.
 *
 *   MARK id ns=N	processor time of the thread that runs the guest's only CPU
 *
 * Nothing but the markers is instrumented, so the translator runs as without a plugin. It is the thread's own time
 * and not the clock's: what else the host does meanwhile stretches the one and hardly the other.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "qemu_plugin_api.h"

#define MARK_BASE 0x52460000u
#define MARK_IDS 256

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

static uint64_t begun[MARK_IDS];

static uint64_t thread_ns(void)
{
	struct timespec now = { 0, 0 };

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* data: the marker's number; even starts, odd ends. */
static void at_mark(unsigned int vcpu, void *data)
{
	unsigned int mark = (unsigned int)(uintptr_t)data, id = mark / 2;
	uint64_t now = thread_ns();

	(void)vcpu;
	if (mark & 1)
		fprintf(stderr, "MARK %u ns=%llu\n", id, (unsigned long long)(now - begun[id]));
	begun[id] = thread_ns();
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);
		uint32_t value = 0;

		if (qemu_plugin_insn_size(insn) != 7 || code[0] != 0x0f || code[1] != 0x1f || code[2] != 0x80)
			continue;
		memcpy(&value, code + 3, sizeof(value));
		if (value - MARK_BASE < 2 * MARK_IDS)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_mark, QEMU_PLUGIN_CB_NO_REGS,
							       (void *)(uintptr_t)(value - MARK_BASE));
	}
}

PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
