// SPDX-License-Identifier: BSD-2-Clause
/* memory.c - mappings come, change and go; what is read is always what was last written. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"

static uint64_t stamp(uint64_t seed, size_t i)
{
	return (seed + i) * 0x9e3779b97f4a7c15ull;
}

/* Map, write, give parts back, read the rest; what is mapped anew is zero. */
static void op_mmap(struct worker *w)
{
	size_t n = 1 + below(w, 200), holes = below(w, 6);
	uint64_t *area = pages(n), seed = next_random(w);
	uint8_t gone[200] = { 0 };

	for (size_t i = 0; i < n; i++)
		area[i * 512 + 1] = stamp(seed, i);
	for (size_t h = 0; h < holes; h++) {
		size_t at = below(w, n);

		SYS(munmap(area + at * 512, PAGE));
		gone[at] = 1;
		if (below(w, 2)) {
			SYS(mmap(area + at * 512, PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
			gone[at] = 2;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (gone[i] != 1 && area[i * 512 + 1] != (gone[i] ? 0 : stamp(seed, i)))
			wrong("mmap: page %zu of %zu holds %#lx", i, n, area[i * 512 + 1]);
	SYS(munmap(area, n * PAGE));
}

static sigjmp_buf fault_jump;

static void on_fault(int signo)
{
	siglongjmp(fault_jump, signo);
}

/* 1 if writing there is refused. */
static int write_faults(volatile uint64_t *where)
{
	struct sigaction action = { .sa_handler = on_fault }, old;
	volatile int faulted = 0;

	SYS(sigaction(SIGSEGV, &action, &old));
	if (!sigsetjmp(fault_jump, 1))
		*where = 1;
	else
		faulted = 1;
	SYS(sigaction(SIGSEGV, &old, NULL));
	return faulted;
}

static void op_mprotect(struct worker *w)
{
	size_t n = 1 + below(w, 40), at = below(w, n);
	uint64_t *area = pages(n), seed = next_random(w);

	for (size_t i = 0; i < n; i++)
		area[i * 512] = stamp(seed, i);
	SYS(mprotect(area, n * PAGE, PROT_READ));
	if (!write_faults(&area[at * 512]))
		wrong("mprotect: a read-only page was written");
	for (size_t i = 0; i < n; i++)
		if (area[i * 512] != stamp(seed, i))
			wrong("mprotect: page %zu changed", i);
	SYS(mprotect(area + at * 512, PAGE, PROT_READ | PROT_WRITE));
	if (write_faults(&area[at * 512 + 3]))
		wrong("mprotect: a writable page was refused");
	SYS(mprotect(area, n * PAGE, PROT_NONE));
	if (!write_faults(&area[at * 512]))
		wrong("mprotect: a page without rights was written");
	SYS(munmap(area, n * PAGE));
}

/* Page tables at all levels: single pages far apart, taken away and put back. */
static void op_tables(struct worker *w)
{
	static const uintptr_t base = 0x100000000000;
	uint64_t seed = next_random(w);
	uintptr_t spots[24];
	size_t n = 1 + below(w, 24);

	for (size_t i = 0; i < n; i++) {
		static const unsigned int strides[] = { 12, 21, 30, 39 };
		unsigned int shift = strides[below(w, 4)];
		uintptr_t offset = below(w, shift == 39 ? 4 : 60) << shift; /* below 1 << 41 */

		spots[i] = base + ((uintptr_t)i << 41) + offset;
		SYS(mmap((void *)spots[i], PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		if (*(uint64_t *)spots[i])
			wrong("tables: a fresh page is not zero");
		*(uint64_t *)spots[i] = stamp(seed, i);
	}
	for (size_t i = 0; i < n; i++)
		if (*(uint64_t *)spots[i] != stamp(seed, i))
			wrong("tables: spot %zu changed", i);
	for (size_t i = 0; i < n; i++)
		SYS(munmap((void *)spots[i], PAGE));
}

static void op_mremap(struct worker *w)
{
	size_t n = 2 + below(w, 60);
	uint64_t *area = pages(n), *to = pages(n), seed = next_random(w);

	for (size_t i = 0; i < n; i++)
		area[i * 512] = stamp(seed, i);
	to = SYS(mremap(area, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	for (size_t i = 0; i < n; i++)
		if (to[i * 512] != stamp(seed, i))
			wrong("mremap: page %zu did not move along", i);
	SYS(munmap(to, n * PAGE));
}

static void op_dontneed(struct worker *w)
{
	size_t n = 1 + below(w, 60);
	uint64_t *area = pages(n);

	memset(area, 0x5a, n * PAGE);
	SYS(madvise(area, n * PAGE, MADV_DONTNEED));
	for (size_t i = 0; i < n; i++)
		if (area[i * 512])
			wrong("dontneed: page %zu is not zero", i);
	SYS(munmap(area, n * PAGE));
}

/* 2 MiB at once where Linux can, broken up again by a hole in the middle. */
static void op_huge(struct worker *w)
{
	const size_t n = 1024;
	uint64_t *area = pages(n), seed = next_random(w);
	uint64_t *aligned = (uint64_t *)(((uintptr_t)area + (2ul << 20) - 1) & ~((2ul << 20) - 1));

	(void)madvise(area, n * PAGE, MADV_HUGEPAGE);
	for (size_t i = 0; i < 512; i++)
		aligned[i * 512] = stamp(seed, i);
	SYS(munmap(aligned + (100 + below(w, 300)) * 512, PAGE));
	for (size_t i = 0; i < 100; i++)
		if (aligned[i * 512] != stamp(seed, i))
			wrong("huge: page %zu changed when another one went", i);
	SYS(munmap(area, n * PAGE));
}

const struct operation memory_operations[] = {
	{ "mmap", op_mmap, 10 },     { "mprotect", op_mprotect, 8 }, { "tables", op_tables, 8 },
	{ "mremap", op_mremap, 4 },  { "dontneed", op_dontneed, 4 }, { "huge", op_huge, 3 },
	{ NULL, NULL, 0 },
};
