// SPDX-License-Identifier: BSD-2-Clause
/*
 * boot.c - first C code: loader information into boot_info, final page tables, own stack.
 *
 * Runs on the boot address space (first 4 GiB visible through the direct map). Whatever a loader
 * says is checked before use; input that makes no sense ends in a message on every sink.
 */
#include "boot_info.h"

#include "arch.h"
#include "atomic.h"
#include "bits.h"
#include "cpu.h"
#include "cpu_features.h"
#include "fsgsbase.h"
#include "init.h"
#include "log.h"
#include "paging.h"
#include "panic.h"
#include "platform.h"
#include "string.h"

extern const char image_end[];

/* Where the map contradicts itself the more careful reading wins. */
static void reserve_conflicts(void)
{
	const struct boot_range *r = boot_info.ranges;

	for (u32 i = 0; i < boot_info.nr_ranges; i++) {
		for (u32 j = i + 1; j < boot_info.nr_ranges; j++) {
			paddr_t end = MIN(r[i].start + r[i].size, r[j].start + r[j].size);

			if (r[j].start >= r[i].start + r[i].size)
				break;
			if (r[i].type == BOOT_MEM_USABLE && r[j].type == BOOT_MEM_USABLE)
				panic("boot loader: usable memory listed twice at %lx", r[j].start);
			boot_mem_reserve(r[j].start, end - r[j].start);
		}
	}
}

static void check_boot_info(void)
{
	u64 image_size = image_to_paddr(image_end) - KERNEL_PHYS;

	if (!boot_mem_usable_total())
		panic("boot loader %s gave no usable memory", boot_info.loader);
	boot_mem_reserve(0, MIB(1));
	boot_mem_reserve(KERNEL_PHYS, image_size);
	for (u32 i = 0; i < boot_info.nr_modules; i++) {
		const struct boot_module *m = &boot_info.modules[i];

		if (m->size && m->start < KERNEL_PHYS + image_size &&
		    m->start + m->size > KERNEL_PHYS)
			panic("boot loader: module %u lies over the kernel", i);
		boot_mem_reserve(m->start, m->size);
	}
	reserve_conflicts();
}

static void boot_continue(void)
{
	kernel_init(&boot_info);
}

void boot_main(u32 magic, u32 info)
{
	struct cpuid_values values;
	const char *missing;

	traps_init();
	traps_load();
	arch_console_init();
	if (magic == MB2_LOADER_MAGIC)
		multiboot2_parse(info);
	else
		pvh_parse(info);
	check_boot_info();

	cpuid_collect(&values);
	cpu_features_decide(&cpu_features, &values);
	missing = cpu_features_missing(&cpu_features);
	if (missing)
		panic("this CPU (%s) lacks %s, which Ringfence requires", values.vendor, missing);
	fsgsbase_init();
	cpu_features_enable();

	paging_init();
	percpu_create(&cpus[0]);
	percpu_load(&cpus[0]);
	traps_use_ist();
	atomic_store_release(&cpus[0].state, (u32)CPU_ONLINE);
	boot_switch_stack(cpus[0].stack_top, boot_continue);
}
