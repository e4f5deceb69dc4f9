// SPDX-License-Identifier: BSD-2-Clause
/*
 * smp.c - from one CPU to all of them.
 *
 * All application processors are started at once; each finds its own struct by APIC id, so their
 * order does not matter and one that never answers costs a bounded wait and nothing else.
 */
#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "cpu.h"
#include "cpu_features.h"
#include "init.h"
#include "log.h"
#include "paging.h"
#include "platform.h"
#include "string.h"

#define START_TIMEOUT_NS 2000000000ull

extern const u8 trampoline_start[], trampoline_end[], trampoline_jump32[], trampoline_jump64[];

static u32 cpus_go; /* set when the number of CPUs is final */

static bool in_module(paddr_t page)
{
	for (u32 i = 0; i < boot_info.nr_modules; i++) {
		const struct boot_module *m = &boot_info.modules[i];

		if (m->start < page + PAGE_SIZE && m->start + m->size > page)
			return true;
	}
	return false;
}

/* A whole page of usable memory below 640 KiB, as high as possible; 0 if there is none. */
static paddr_t trampoline_page(void)
{
	for (u32 i = boot_info.nr_ranges; i--;) {
		const struct boot_range *r = &boot_info.ranges[i];
		paddr_t page = ALIGN_DOWN(MIN(r->start + r->size, 0x9f000ull), PAGE_SIZE);

		if (r->type != BOOT_MEM_USABLE)
			continue;
		for (; page > r->start && page > PAGE_SIZE; page -= PAGE_SIZE)
			if (!in_module(page - PAGE_SIZE))
				return page - PAGE_SIZE;
	}
	return 0;
}

static void put_trampoline(paddr_t page)
{
	u8 *p = paddr_to_ptr(page);

	memcpy(p, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	*(u32 *)(p + (trampoline_jump32 - trampoline_start)) += (u32)page;
	*(u32 *)(p + (trampoline_jump64 - trampoline_start)) += (u32)page;
}

/* Gives each CPU of the MADT a struct and stacks; returns how many there are with CPU 0. */
static u32 prepare_cpus(void)
{
	u32 n = 1;

	for (u32 i = 0; i < acpi_info.nr_cpus; i++) {
		u32 id = acpi_info.cpu_apic_ids[i];

		if (id == cpus[0].apic_id || (!lapic_x2 && id > 0xfe))
			continue;
		if (n == MAX_CPUS) {
			log_warn("only %u of %u CPUs are used\n", MAX_CPUS, acpi_info.nr_cpus);
			break;
		}
		cpus[n].id = n;
		cpus[n].apic_id = id;
		percpu_create(&cpus[n]);
		atomic_store_release(&cpus[n].state, (u32)CPU_STARTING);
		n++;
	}
	return n;
}

static bool wait_online(u32 n)
{
	u64 end = clock_now_ns() + START_TIMEOUT_NS;

	for (u32 i = 1; i < n; i++)
		while (atomic_load_acquire(&cpus[i].state) != CPU_ONLINE) {
			if (clock_now_ns() > end)
				return false;
			cpu_relax();
		}
	return true;
}

/* CPUs that did not come are taken out; ids stay dense because the rest moves up. */
static u32 drop_missing(u32 n)
{
	for (u32 i = 1; i < n; i++) {
		u32 starting = CPU_STARTING;

		if (!atomic_cmpxchg(&cpus[i].state, &starting, (u32)CPU_FAILED))
			continue;
		log_error("CPU with APIC id %u did not start\n", cpus[i].apic_id);
	}
	for (u32 i = 1; i < n; i++)
		if (atomic_load_acquire(&cpus[i].state) != CPU_ONLINE)
			return i; /* those behind it wait for ever in ap_main() */
	return n;
}

void arch_start_cpus(void)
{
	paddr_t page = trampoline_page();
	i64 worst = 0;
	u32 n = 1;

	if (page && !cmdline_has("nosmp") && acpi_info.nr_cpus > 1) {
		n = prepare_cpus();
		put_trampoline(page);
		lapic_start_others((u8)(page >> PAGE_SHIFT));
		if (!wait_online(n))
			n = drop_missing(n);
	}
	for (u32 i = 1; i < n; i++) {
		clock_check_master(&cpus[i]);
		worst = MIN(worst, cpus[i].tsc_warp);
	}
	clock_decide(worst);
	nr_cpus = n;
	atomic_store_release(&cpus_go, 1u); /* pairs with ap_main() */
	if (n > 1)
		arch_ipi_send_others(VEC_KICK);
}

void ap_main(void)
{
	struct cpu *cpu = this_cpu();
	u32 starting = CPU_STARTING;

	traps_load();
	percpu_load(cpu);
	cpu_features_enable();
	lapic_init();
	if (!atomic_cmpxchg(&cpu->state, &starting, (u32)CPU_ONLINE))
		arch_halt(); /* given up on */
	clock_check_slave(cpu);
	while (!atomic_load_acquire(&cpus_go))
		arch_idle();
	kernel_init_ap();
}
