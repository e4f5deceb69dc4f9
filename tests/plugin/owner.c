/* SPDX-License-Identifier: BSD-2-Clause */
/* owner.c - see owner.h. Each CPU thread writes its own row only, so that nothing is lost. */
#include "owner.h"

#include <stdio.h>

#define CPUS 16u
#define VCPUS 256u

struct vcpu_sum {
	uint64_t key; /* address of its state, 0 = free */
	uint64_t insns;
	uint32_t id; /* of the VM it said it belongs to; 0 = has not */
};

static struct row {
	uint64_t open; /* executed since the owner was read last */
	struct vcpu_sum *current;
	struct vcpu_sum sums[VCPUS];
} rows[CPUS];

static uint64_t watched;
static uint64_t switches;

void owner_watch(uint64_t pc)
{
	watched = pc;
}

bool owner_watching(void)
{
	return watched != 0;
}

static void at_block(unsigned int cpu, void *data)
{
	rows[cpu % CPUS].open += (uintptr_t)data;
}

static struct vcpu_sum *find(struct row *row, uint64_t key)
{
	unsigned int i = 0;

	while (i < VCPUS - 1 && row->sums[i].key && row->sums[i].key != key)
		i++;
	row->sums[i].key = key;
	return &row->sums[i];
}

static void at_read(unsigned int cpu, uint32_t info, uint64_t address, void *data)
{
	struct row *row = &rows[cpu % CPUS];

	(void)info;
	(void)data;
	if (row->current)
		row->current->insns += row->open;
	row->open = 0;
	switches += row->current && row->current->key != address;
	row->current = find(row, address);
}

static void at_name(unsigned int cpu, void *data)
{
	struct row *row = &rows[cpu % CPUS];

	if (row->current)
		row->current->id = (uint32_t)(uintptr_t)data;
}

void owner_count_block(struct qemu_plugin_tb *tb, size_t n)
{
	qemu_plugin_register_vcpu_tb_exec_cb(tb, at_block, QEMU_PLUGIN_CB_NO_REGS,
					     (void *)(uintptr_t)n);
}

void owner_look_at(struct qemu_plugin_insn *insn, uint32_t displacement)
{
	/* It only reads, but QEMU 7.2 does not call back for MEM_R alone. */
	if (qemu_plugin_insn_vaddr(insn) == watched)
		qemu_plugin_register_vcpu_mem_cb(insn, at_read, QEMU_PLUGIN_CB_NO_REGS,
						 QEMU_PLUGIN_MEM_RW, NULL);
	else if (displacement - OWNER_BASE - 1 < OWNER_IDS - 1)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, at_name, QEMU_PLUGIN_CB_NO_REGS,
						       (void *)(uintptr_t)(displacement - OWNER_BASE));
}

/* A vCPU has a sum in each row whose CPU it ran on, and may have said its name on one of them only. */
static uint32_t id_of(uint64_t key)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		for (unsigned int i = 0; i < VCPUS; i++)
			if (rows[cpu].sums[i].key == key && rows[cpu].sums[i].id)
				return rows[cpu].sums[i].id;
	return 0;
}

uint64_t owner_switches(void)
{
	return switches;
}

void owner_print(void)
{
	uint64_t sums[OWNER_IDS] = { 0 };

	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		for (unsigned int i = 0; i < VCPUS; i++)
			if (rows[cpu].sums[i].key)
				sums[id_of(rows[cpu].sums[i].key)] += rows[cpu].sums[i].insns;
	for (unsigned int id = 0; id < OWNER_IDS; id++)
		if (sums[id])
			fprintf(stderr, "OWNER %u insns=%llu\n", id, (unsigned long long)sums[id]);
}
