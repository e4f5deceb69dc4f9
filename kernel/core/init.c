// SPDX-License-Identifier: BSD-2-Clause
/*
 * init.c - start-up in one page: what is brought up, in which order.
 *
 * The architecture has parsed the loader's information, runs on the final page tables and on the
 * boot CPU's own stack. Everything here runs once, on CPU 0, before any domain exists.
 */
#include "init.h"

#include "arch.h"
#include "cpu.h"
#include "log.h"
#include "mm.h"
#include "panic.h"
#include "race.h"
#include "rootdom.h"
#include "sched.h"
#include "tlbflush.h"

#define MIN_MEMORY_MIB 8

struct cpu cpus[MAX_CPUS];
u32 nr_cpus = 1;

static void print_memory(const struct boot_info *bi)
{
	log_info("memory: %lu MiB usable in %u ranges, %u modules, loader %s\n",
		 boot_mem_usable_total() >> 20, bi->nr_ranges, bi->nr_modules, bi->loader);
	for (u32 i = 0; i < bi->nr_ranges; i++)
		log_debug("  %012lx-%012lx type %u\n", bi->ranges[i].start,
			  bi->ranges[i].start + bi->ranges[i].size - 1, bi->ranges[i].type);
	for (u32 i = 0; i < bi->nr_modules; i++)
		log_info("  module %u: %lu KiB at %lx '%s'\n", i, bi->modules[i].size >> 10,
			 bi->modules[i].start, bi->modules[i].cmdline);
}

static void on_flush(u8 vector)
{
	(void)vector;
	flush_serve_mailbox();
}

static void init_cpu(void)
{
	sched_init_cpu();
	timer_init_cpu();
}

void kernel_init(struct boot_info *bi)
{
	log_info("Ringfence microkernel, command line '%s'\n", bi->cmdline);
	RACE_INIT();
	print_memory(bi);
	if (boot_mem_usable_total() < MIB(MIN_MEMORY_MIB))
		panic("too little memory: needs %u MiB, has %lu MiB", MIN_MEMORY_MIB,
		      boot_mem_usable_total() >> 20);
	arch_init_platform();
	arch_vector_set(VEC_FLUSH, on_flush);
	arch_vector_set(VEC_LOG, log_interrupt);
	arch_start_cpus();
	frame_init(); /* the last to take boot memory decides what is free */
	boot_mem_close();
	log_info("ringfence: kernel up, %u CPUs\n", nr_cpus);
	boot_test();
	init_cpu();
	root_domain_start(bi);
	log_queue(true);
	sched_idle_loop();
}

void kernel_init_ap(void)
{
	init_cpu();
	sched_idle_loop();
}

/*
 * What runs where a layer above is not linked in: the kernel then comes up, says so and stops,
 * which is what the boot tests look at.
 */
__weak void boot_test(void)
{
}

__weak void frame_init(void)
{
}

__weak void sched_init_cpu(void)
{
}

__weak void timer_init_cpu(void)
{
}

__weak void root_domain_start(const struct boot_info *bi)
{
	(void)bi;
	arch_debug_exit(0);
}

__weak void sched_idle_loop(void)
{
	for (;;)
		arch_idle();
}

__weak void flush_serve_mailbox(void)
{
}
