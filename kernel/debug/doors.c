// SPDX-License-Identifier: BSD-2-Clause
/*
 * doors.c - boottest=doors: goes through the doors of the IDT that nothing else uses.
 *
 * An interrupt comes through each one that has no owner. INT n stands for the exceptions: it takes the
 * same door, but pushes no error code, so those that have one are left out, and so are #DF and #MC,
 * which nobody survives. A fix-up behind the INT makes the others harmless; NMI and #DB return by
 * themselves, which no guest can make happen while the kernel runs.
 */
#include "boottest.h"

#include "arch.h"
#include "extable.h"
#include "log.h"
#include "panic.h"

static volatile u32 ticks;
static u32 tried;

#define TRY(vector)                                                                                \
	do {                                                                                       \
		__asm__ volatile("int %0\n1:\tnop\n2:\n\t" EX_TABLE(1b, 2b)::"i"(vector) : "memory");  \
		tried++;                                                                           \
	} while (0)

static void on_door(u8 vector)
{
	(void)vector;
	ticks++;
}

static void try_interrupts(void)
{
	for (u32 vector = 0x20; vector < VEC_SPURIOUS; vector++) {
		if (vector >= VEC_TIMER && vector <= VEC_HALT)
			continue; /* have owners */
		arch_vector_set((u8)vector, on_door);
		arch_ipi_send(0, (u8)vector);
		tried++;
		while (ticks < tried)
			arch_idle();
		ASSERT(ticks == tried);
		arch_vector_set((u8)vector, NULL);
	}
}

static void try_exceptions(void)
{
	TRY(0);
	TRY(1);
	TRY(2);
	TRY(3);
	TRY(4);
	TRY(5);
	TRY(6);
	TRY(7);
	TRY(9);
	TRY(15);
	TRY(16);
	TRY(19);
	TRY(20);
	TRY(22);
	TRY(23);
	TRY(24);
	TRY(25);
	TRY(26);
	TRY(27);
	TRY(28);
	TRY(31);
}

void boot_test_doors(void)
{
	try_interrupts();
	try_exceptions();
	log_info("boottest: doors: %u\n", tried);
	arch_debug_exit(0);
}
