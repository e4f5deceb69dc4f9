/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * echo - the smallest service: says who it is and gives back every line typed at its console.
 *
 * Options, for demonstrations and tests of init's supervision:
 *   exit=CODE   ends at once with this code
 *   wait=MS     waits so long before that, or before the misdeed
 *   do=NAME     misbehaves: null, opcode, stack, divide, loop, chatter, memory, hypercalls, abort
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pv/libpv.h>

/* Down through the guard page; the loop never ends by itself. */
static void deep(const char *here)
{
	for (volatile char *p = (volatile char *)&here;; p -= 1024)
		*p = 0;
}

static void eat_memory(void)
{
	size_t total = 0;
	void *block;

	while ((block = malloc(1 << 16))) {
		memset(block, 1, 1 << 16);
		total += 1 << 16;
	}
	printf("out of memory after %zu KiB\n", total / 1024);
}

/* Everything but what would end the domain in order. */
static void wild_hypercalls(void)
{
	uint64_t x = 88172645463325252ull, v[6];

	for (unsigned i = 0; i < 200000; i++) {
		uint64_t nr;

		for (unsigned j = 0; j < 6; j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			v[j] = x >> (x % 64);
		}
		nr = v[0] % (PV_HC_COUNT + 2);
		if (nr == PV_HC_CONSOLE_WRITE || nr == PV_HC_WAIT || nr == PV_HC_VCPU_SETUP || nr == PV_HC_DOM_CTL ||
		    nr == PV_HC_VCPU_CTL || nr == PV_HC_AS_MAP)
			continue;
		pv_call(nr, v[0] % 9, v[1], v[2], v[3], v[4], v[5]);
	}
	printf("still here after wild hypercalls\n");
}

static void misbehave(const char *how)
{
	volatile int zero = 0, one = 1;

	printf("about to do: %s\n", how);
	if (!strcmp(how, "null"))
		*(volatile char *)(uintptr_t)zero = 1;
	if (!strcmp(how, "opcode"))
		__builtin_trap();
	if (!strcmp(how, "stack"))
		deep(how);
	if (!strcmp(how, "divide"))
		printf("%d\n", one / zero);
	if (!strcmp(how, "memory"))
		eat_memory();
	if (!strcmp(how, "hypercalls"))
		wild_hypercalls();
	if (!strcmp(how, "abort"))
		abort();
	while (!strcmp(how, "chatter"))
		printf("blah blah blah blah blah blah blah\n");
	while (!strcmp(how, "loop"))
		;
}

int main(int argc, char **argv)
{
	char value[32], line[256];

	printf("hello from %s (%d arguments), %llu ms after boot\n", argv[0], argc - 1,
	       (unsigned long long)(pv_clock_ns() / PV_NSEC_PER_MSEC));
	if (pv_cmdline_get("wait", value, sizeof(value)))
		pv_sleep_until(pv_clock_ns() + strtoul(value, NULL, 10) * PV_NSEC_PER_MSEC);
	if (pv_cmdline_get("do", value, sizeof(value)))
		misbehave(value);
	if (pv_cmdline_get("exit", value, sizeof(value)))
		return (int)strtol(value, NULL, 10);
	while (fgets(line, sizeof(line), stdin))
		printf("%s: %s", argv[0], line);
	printf("no console to listen to\n");
	return 0;
}
