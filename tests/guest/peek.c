/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peek.c - what a program finds where its kernel is, for tests/system/fused.py: one read of each page of the
 * kernel's image window, which is answered or is a SIGSEGV. Prints how many were which.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#define IMAGE 0xffffffff80000000ul /* where x86-64 Linux links itself */
#define SPAN (16ul << 20)
#define PAGE 4096ul

static sigjmp_buf back;

static void fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

int main(void)
{
	struct sigaction action = { .sa_handler = fault, .sa_flags = SA_NODEFER };
	volatile unsigned read = 0, faults = 0;

	if (sigaction(SIGSEGV, &action, NULL))
		return 1;
	for (volatile uintptr_t va = IMAGE; va < IMAGE + SPAN; va += PAGE) {
		if (sigsetjmp(back, 0)) {
			faults++;
			continue;
		}
		(void)*(volatile const uint64_t *)va;
		read++;
	}
	printf("peek: %u read, %u faults\n", read, faults);
	return 0;
}
