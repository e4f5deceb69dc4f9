/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.c - address spaces that change shape: map, unmap, move, reuse, discard, and what the kernel
 * learns from accessed and dirty bits. Each case checks contents, which a stale translation spoils.
 */
#include <fcntl.h>
#include "gt.h"

static void write_byte(void *p)
{
	*(volatile char *)p = 1;
}

static void stamp(void *area, size_t pages, uint64_t seed)
{
	for (size_t i = 0; i < pages; i++)
		*(volatile uint64_t *)((char *)area + i * PAGE) = gt_mix(seed + i);
}

static void stamped(const void *area, size_t pages, uint64_t seed)
{
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(*(volatile const uint64_t *)((const char *)area + i * PAGE),
			 gt_mix(seed + i));
}

/* Unmap and map again at the same place, at once: the old contents must be gone. */
static void reuse(void)
{
	char *p = gt_pages(8 * PAGE, PROT_READ | PROT_WRITE);

	for (unsigned int i = 0; i < gt_rounds(500); i++) {
		stamp(p, 8, i);
		stamped(p, 8, i);
		SYS(munmap(p, 8 * PAGE));
		CHECK_EQ((uintptr_t)mmap(p, 8 * PAGE, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 (uintptr_t)p);
		for (size_t k = 0; k < 8; k++)
			CHECK_EQ(*(volatile uint64_t *)(p + k * PAGE), 0);
	}
}

/* Map over an existing mapping without unmapping first. */
static void replace(void)
{
	char *p = gt_pages(4 * PAGE, PROT_READ | PROT_WRITE);
	int fd = SYS(memfd_create("gt", 0));

	SYS(ftruncate(fd, 4 * PAGE));
	for (size_t i = 0; i < 4; i++)
		CHECK_EQ(pwrite(fd, &(uint64_t){ gt_mix(1000 + i) }, 8, (off_t)(i * PAGE)), 8);
	for (unsigned int i = 0; i < gt_rounds(200); i++) {
		CHECK(mmap(p, 4 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
		stamp(p, 4, i);
		stamped(p, 4, i);
		CHECK(mmap(p, 4 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == p);
		stamped(p, 4, 1000);
	}
}

/* Page tables move with the pages; the old place is empty, the new one complete. */
static void move(void)
{
	size_t pages = 64;
	char *p = gt_pages(pages * PAGE, PROT_READ | PROT_WRITE);
	struct caught caught;

	stamp(p, pages, 1);
	for (unsigned int i = 0; i < gt_rounds(20); i++) {
		char *hole = gt_pages((pages + 600) * PAGE, PROT_NONE), *q;

		q = mremap(p, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			   hole + (i % 2 ? 512 * PAGE : PAGE));
		CHECK(q != MAP_FAILED);
		stamped(q, pages, 1);
		if (q != p)
			CHECK_EQ(gt_catch(write_byte, p, &caught), SIGSEGV);
		p = q;
	}
}

static void grow_and_shrink(void)
{
	size_t pages = 4;
	char *p = gt_pages(pages * PAGE, PROT_READ | PROT_WRITE);

	stamp(p, pages, 5);
	for (unsigned int i = 0; i < gt_rounds(40); i++) {
		size_t next = 4 + (i * 13) % 200, common = next < pages ? next : pages;

		p = mremap(p, pages * PAGE, next * PAGE, MREMAP_MAYMOVE);
		CHECK(p != MAP_FAILED);
		stamped(p, common, 5);
		for (size_t k = common; k < next; k++)
			CHECK_EQ(p[k * PAGE], 0);
		stamp(p, next, 5);
		pages = next;
	}
}

static void break_up_and_down(void)
{
	for (unsigned int i = 0; i < gt_rounds(40); i++) {
		char *start = sbrk((intptr_t)(16 * PAGE));

		CHECK(start != (void *)-1);
		for (size_t k = 0; k < 15; k++)
			CHECK_EQ(start[k * PAGE + PAGE - 1], 0);
		memset(start, 0x5a, 16 * PAGE);
		CHECK(sbrk(-(intptr_t)(16 * PAGE)) != (void *)-1);
	}
}

/* Discarded pages come back as zeros, their neighbours stay. */
static void discard(void)
{
	size_t pages = 64;
	char *p = gt_pages(pages * PAGE, PROT_READ | PROT_WRITE);

	for (unsigned int i = 0; i < gt_rounds(40); i++) {
		stamp(p, pages, i);
		SYS(madvise(p + 16 * PAGE, 16 * PAGE, MADV_DONTNEED));
		stamped(p, 16, i);
		for (size_t k = 16; k < 32; k++)
			CHECK_EQ(*(volatile uint64_t *)(p + k * PAGE), 0);
		stamped(p + 32 * PAGE, 32, i + 32);
	}
	SYS(madvise(p, pages * PAGE, MADV_FREE));
	stamp(p, pages, 7);
	stamped(p, pages, 7);
}

/* A large sparse mapping: tables of every level come and go. */
static void sparse(void)
{
	size_t size = 64ul << 30;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	for (unsigned int round = 0; round < 2; round++) {
		for (size_t at = 0; at < size; at += 1ul << 30)
			*(volatile uint64_t *)(p + at) = at + round + 1;
		for (size_t at = 0; at < size; at += 1ul << 30)
			CHECK_EQ(*(volatile uint64_t *)(p + at), at + round + 1);
		SYS(madvise(p, size, MADV_DONTNEED));
		for (size_t at = 0; at < size; at += 4ul << 30)
			CHECK_EQ(*(volatile uint64_t *)(p + at), 0);
	}
	SYS(munmap(p, size));
}

/* Far apart: every top-level entry of user memory that can be had. */
static void all_over_the_space(void)
{
	unsigned int got = 0;

	for (unsigned long top = 1; top < 256; top += gt_scale > 1 ? 17 : 5) {
		char *p = mmap((void *)(top << 39), PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (p == MAP_FAILED)
			continue;
		*(volatile unsigned long *)p = top;
		got++;
	}
	CHECK(got > 10);
	for (unsigned long top = 1; top < 256; top += gt_scale > 1 ? 17 : 5) {
		unsigned char vec;

		if (mincore((void *)(top << 39), PAGE, &vec) == 0)
			SYS(munmap((void *)(top << 39), PAGE));
	}
}

/* A larger working set, walked in an order that no cache likes. */
static void large_walk(void)
{
	size_t pages = gt_rounds(8192), step = 1237;
	char *p = gt_pages(pages * PAGE, PROT_READ | PROT_WRITE);

	stamp(p, pages, 11);
	for (size_t i = 0, at = 0; i < pages; i++, at = (at + step) % pages)
		CHECK_EQ(*(volatile uint64_t *)(p + at * PAGE), gt_mix(11 + at));
	SYS(mprotect(p, pages * PAGE, PROT_READ));
	stamped(p, pages, 11);
	SYS(munmap(p, pages * PAGE));
}

static uint64_t pagemap_entry(const void *p)
{
	int fd = SYS(open("/proc/self/pagemap", O_RDONLY));
	uint64_t entry;

	CHECK_EQ(pread(fd, &entry, 8, (off_t)((uintptr_t)p / PAGE * 8)), 8);
	close(fd);
	return entry;
}

/* What the kernel says about presence is what was touched. */
static void presence(void)
{
	char *p = gt_pages(32 * PAGE, PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < 32; i += 3)
		p[i * PAGE] = 1;
	for (size_t i = 0; i < 32; i++)
		CHECK_EQ(pagemap_entry(p + i * PAGE) >> 63, i % 3 == 0);
	SYS(madvise(p, 32 * PAGE, MADV_DONTNEED));
	for (size_t i = 0; i < 32; i++)
		CHECK_EQ(pagemap_entry(p + i * PAGE) >> 63, 0);
}

/* One value, in kB, of the mapping at @p in /proc/self/smaps. */
static long smaps_value(const void *p, const char *key)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[256];
	bool inside = false;
	long value = -1;

	CHECK(f != NULL);
	while (value < 0 && fgets(line, sizeof(line), f)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)p >= start && (uintptr_t)p < end;
		else if (inside && strncmp(line, key, strlen(key)) == 0)
			value = atol(line + strlen(key) + 1);
	}
	fclose(f);
	CHECK(value >= 0);
	return value;
}

static void clear_refs(const char *what)
{
	int fd = SYS(open("/proc/self/clear_refs", O_WRONLY));

	CHECK_EQ(write(fd, what, 1), 1);
	close(fd);
}

/* Accessed bits: cleared by the kernel, set again by the next access and by nothing else. */
static void accessed_bits(void)
{
	size_t pages = 64;
	char *p = gt_pages(pages * PAGE, PROT_READ | PROT_WRITE);

	for (unsigned int round = 0; round < 4; round++) {
		memset(p, 1, pages * PAGE);
		CHECK_EQ(smaps_value(p, "Referenced:"), pages * 4);
		clear_refs("1");
		/* Clearing alone does not flush; a change of rights does. */
		SYS(mprotect(p, pages * PAGE, PROT_READ));
		SYS(mprotect(p, pages * PAGE, PROT_READ | PROT_WRITE));
		CHECK_EQ(smaps_value(p, "Referenced:"), 0);
		for (size_t i = 0; i < 10; i++)
			(void)*(volatile char *)(p + i * 5 * PAGE);
		CHECK_EQ(smaps_value(p, "Referenced:"), 40);
	}
}

/* Dirty bits of a shared file mapping follow writes, and only writes. */
static void dirty_bits(void)
{
	size_t pages = 32;
	int fd = SYS(memfd_create("gt", 0));
	char *p, *first;

	SYS(ftruncate(fd, (off_t)(pages * PAGE)));
	first = gt_pages((pages + 2) * PAGE, PROT_NONE) + PAGE;
	p = mmap(first, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	CHECK(p == first);
	for (size_t i = 0; i < pages; i++)
		(void)*(volatile char *)(p + i * PAGE);
	CHECK_EQ(smaps_value(p, "Rss:"), pages * 4);
	for (size_t i = 0; i < 8; i++)
		p[i * PAGE] = 1;
	CHECK(smaps_value(p, "Private_Dirty:") + smaps_value(p, "Shared_Dirty:") >= 32);
}

static void locked_pages(void)
{
	char *p = gt_pages(32 * PAGE, PROT_READ | PROT_WRITE);
	unsigned char vec[32];

	SYS(mlock(p, 32 * PAGE));
	SYS(mincore(p, 32 * PAGE, vec));
	for (int i = 0; i < 32; i++)
		CHECK_EQ(vec[i] & 1, 1);
	SYS(munlock(p, 32 * PAGE));
	stamp(p, 32, 3);
	stamped(p, 32, 3);
}

/* Many mappings of one page in one program, written through each in turn. */
static void aliases(void)
{
	volatile uint64_t *view[64];
	int fd = SYS(memfd_create("gt", 0));

	SYS(ftruncate(fd, PAGE));
	for (int i = 0; i < 64; i++) {
		view[i] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		CHECK(view[i] != MAP_FAILED);
	}
	for (uint64_t i = 0; i < 64; i++) {
		*view[i] = i + 1;
		for (int k = 0; k < 64; k++)
			CHECK_EQ(*view[k], i + 1);
	}
}

ROOM(map,
	{ "reuse", reuse, 0 },
	{ "replace", replace, 0 },
	{ "move", move, 0 },
	{ "grow_and_shrink", grow_and_shrink, 0 },
	{ "break_up_and_down", break_up_and_down, 0 },
	{ "discard", discard, 0 },
	{ "sparse", sparse, 0 },
	{ "all_over_the_space", all_over_the_space, 0 },
	{ "large_walk", large_walk, GT_LONG },
	{ "presence", presence, 0 },
	{ "accessed_bits", accessed_bits, 0 },
	{ "dirty_bits", dirty_bits, 0 },
	{ "locked_pages", locked_pages, 0 },
	{ "aliases", aliases, 0 });
