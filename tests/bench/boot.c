/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot.c - in the VMs of the benchmark of starts and footprint (boot.py).
 *
 *   /init                goes on as the shell's /init: what counts is when this program's first instruction runs
 *   /init idle AFTER S   sleeps AFTER seconds, then S seconds between two markers: what the whole machine
 *                        executes while nobody has anything to do
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void sleep_for(time_t seconds)
{
	struct timespec left = { .tv_sec = seconds };

	while (nanosleep(&left, &left))
		;
}

static int idle(time_t after, time_t seconds)
{
	sleep_for(after);
	__asm__ volatile("nopl 0x52460000(%%rax)" ::: "memory");
	sleep_for(seconds);
	__asm__ volatile("nopl 0x52460001(%%rax)" ::: "memory");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "idle"))
		return idle(atol(argv[2]), atol(argv[3]));
	execl("/bin/sh", "sh", "/bin/shell-init", (char *)NULL);
	perror("/bin/sh");
	return 1;
}
