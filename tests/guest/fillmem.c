// SPDX-License-Identifier: BSD-2-Clause
/*
 * fillmem - writes nearly all memory of the machine it runs on and reads it back.
 *
 *   fillmem KEEP_MIB STRIDE
 *
 * Takes what /proc/meminfo calls available less KEEP_MIB, writes one 8-byte word in every STRIDE bytes,
 * each a value of its own, then compares all of them. Two pages that are one, or a page that loses what
 * was written, come out as a wrong word. Prints `fillmem: N MiB, W words, B wrong`.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB (1ull << 20)

static uint64_t available(void)
{
	char line[128];
	unsigned long long kib = 0;
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib << 10;
}

/* A bijection, so no two words have the same value (the finalizer of splitmix64). */
static uint64_t value_of(uint64_t index)
{
	uint64_t x = index + 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

int main(int argc, char **argv)
{
	uint64_t keep = argc > 1 ? strtoull(argv[1], NULL, 10) * MIB : 0;
	uint64_t step = (argc > 2 ? strtoull(argv[2], NULL, 10) : 8) / 8;
	uint64_t size = available(), words, wrong = 0;
	uint64_t *memory;

	if (size <= keep || !step) {
		printf("fillmem: %llu MiB are too few\n", (unsigned long long)(size / MIB));
		return 2;
	}
	size = (size - keep) & ~(MIB - 1);
	words = size / 8;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		      0);
	if (memory == MAP_FAILED) {
		perror("fillmem");
		return 2;
	}
	for (uint64_t i = 0; i < words; i += step)
		memory[i] = value_of(i);
	for (uint64_t i = 0; i < words; i += step)
		wrong += memory[i] != value_of(i);
	printf("fillmem: %llu MiB, %llu words, %llu wrong\n", (unsigned long long)(size / MIB),
	       (unsigned long long)((words + step - 1) / step), (unsigned long long)wrong);
	return wrong != 0;
}
