/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm86.c - see vm86.h.
 */
#include "vm86.h"

#include <stdio.h>
#include <unistd.h>

#define CPUS 64u
#define WORD 4u
#define POPS 9u /* eip, cs, eflags, esp, ss, es, ds, fs, gs */

static struct pops {
	unsigned int n;
	uint64_t last;
} pops[CPUS];

static void (*tell)(void);

static void at_iretd(unsigned int cpu, void *data)
{
	(void)data;
	pops[cpu % CPUS].n = 0;
}

static void at_load(unsigned int cpu, uint32_t info, uint64_t address, void *data)
{
	struct pops *p = &pops[cpu % CPUS];

	(void)info;
	(void)data;
	p->n = p->n && address == p->last + WORD ? p->n + 1 : 1;
	p->last = address;
	if (p->n < POPS)
		return;
	fprintf(stderr, "vm86: an IRETD has set the VM flag in long mode\n");
	tell();
	_exit(VM86_STATUS);
}

/* Without REX.W, and not with 16-bit operands, which have no VM flag. */
static bool is_iretd(const uint8_t *code, size_t size)
{
	for (; size > 1; code++, size--)
		if (code[0] == 0x66 || (code[0] & 0xf8) == 0x48)
			return false;
	return code[0] == 0xcf;
}

void vm86_look_at(struct qemu_plugin_insn *insn, const uint8_t *code, size_t size, void (*end)(void))
{
	if (!is_iretd(code, size))
		return;
	tell = end;
	qemu_plugin_register_vcpu_insn_exec_cb(insn, at_iretd, QEMU_PLUGIN_CB_NO_REGS, NULL);
	qemu_plugin_register_vcpu_mem_cb(insn, at_load, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_R, NULL);
}
