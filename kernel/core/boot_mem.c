// SPDX-License-Identifier: BSD-2-Clause
/*
 * boot_mem.c - who owns which memory before there is a frame table, and the command line.
 *
 * The memory map stays as the loader gave it; what is taken is a second, sorted list. Allocation
 * is first fit from below, so the boot-time tables stay together near the kernel image and the
 * rest of memory stays in large pieces.
 */
#include "boot_info.h"

#include "arch.h"
#include "bits.h"
#include "log.h"
#include "panic.h"
#include "string.h"

struct boot_info boot_info;

static bool closed; /* the frame table has taken over */

void boot_add_range(paddr_t start, u64 size, u32 type)
{
	struct boot_range *r = boot_info.ranges;
	u32 n = boot_info.nr_ranges, at = n;

	if (!size)
		return;
	if (start + size < start)
		panic("boot loader: memory range at %lx with size %lx wraps", start, size);
	if (type < BOOT_MEM_USABLE || type > BOOT_MEM_BAD)
		type = BOOT_MEM_RESERVED;
	if (start >= DIRECTMAP_SIZE)
		return;
	size = MIN(size, DIRECTMAP_SIZE - start);
	if (type == BOOT_MEM_USABLE) {
		paddr_t end = ALIGN_DOWN(start + size, PAGE_SIZE);

		start = ALIGN_UP(start, PAGE_SIZE);
		if (start >= end)
			return;
		size = end - start;
	}
	while (at && r[at - 1].start > start)
		at--;
	if (at && r[at - 1].type == type && r[at - 1].start + r[at - 1].size == start) {
		r[at - 1].size += size;
		return;
	}
	if (n == BOOT_MAX_RANGES)
		panic("boot loader: more than %u memory ranges", BOOT_MAX_RANGES);
	memmove(&r[at + 1], &r[at], (n - at) * sizeof(*r));
	r[at] = (struct boot_range){ start, size, type };
	boot_info.nr_ranges++;
}

void boot_add_module(paddr_t start, u64 size, const char *cmdline, size_t cmdline_max)
{
	struct boot_module *m = &boot_info.modules[boot_info.nr_modules];
	size_t len = strnlen(cmdline, cmdline_max);

	if (boot_info.nr_modules == BOOT_MAX_MODULES)
		panic("boot loader: more than %u modules", BOOT_MAX_MODULES);
	if (!start || start + size < start || start + size > DIRECTMAP_SIZE)
		panic("boot loader: module at %lx with size %lx is out of bounds", start, size);
	m->start = start;
	m->size = size;
	len = MIN(len, sizeof(m->cmdline) - 1);
	memcpy(m->cmdline, cmdline, len);
	m->cmdline[len] = '\0';
	boot_info.nr_modules++;
}

void boot_mem_reserve(paddr_t start, u64 size)
{
	struct boot_range *r = boot_info.reserved;
	paddr_t end = ALIGN_UP(start + size, PAGE_SIZE);
	u32 n = boot_info.nr_reserved;
	u32 first = 0, last;

	if (!size)
		return;
	start = ALIGN_DOWN(start, PAGE_SIZE);
	/* [first, last) are the entries that touch the new one: they become one with it */
	while (first < n && r[first].start + r[first].size < start)
		first++;
	for (last = first; last < n && r[last].start <= end; last++) {
		start = MIN(start, r[last].start);
		end = MAX(end, r[last].start + r[last].size);
	}
	if (first == last) {
		if (n == BOOT_MAX_RESERVED)
			panic("more than %u reserved memory ranges", BOOT_MAX_RESERVED);
		memmove(&r[first + 1], &r[first], (n - first) * sizeof(*r));
		n++;
	} else {
		memmove(&r[first + 1], &r[last], (n - last) * sizeof(*r));
		n -= last - first - 1;
	}
	r[first] = (struct boot_range){ start, end - start, BOOT_MEM_RESERVED };
	boot_info.nr_reserved = n;
}

/* First free piece of one usable range at or above at; 0 size if there is none. */
static u64 free_in_range(const struct boot_range *range, paddr_t *at)
{
	paddr_t start = MAX(*at, range->start), end = range->start + range->size;

	for (u32 i = 0; i < boot_info.nr_reserved; i++) {
		const struct boot_range *r = &boot_info.reserved[i];

		if (r->start + r->size <= start)
			continue;
		if (r->start > start) {
			end = MIN(end, r->start);
			break;
		}
		start = r->start + r->size;
	}
	*at = start;
	return start < end ? end - start : 0;
}

bool boot_mem_next_free(paddr_t *start, u64 *size)
{
	for (u32 i = 0; i < boot_info.nr_ranges; i++) {
		const struct boot_range *r = &boot_info.ranges[i];
		paddr_t at = *start;

		if (r->type != BOOT_MEM_USABLE || r->start + r->size <= at)
			continue;
		*size = free_in_range(r, &at);
		if (*size) {
			*start = at;
			return true;
		}
	}
	return false;
}

void boot_mem_close(void)
{
	closed = true;
}

paddr_t boot_mem_alloc(u64 size, u64 align)
{
	paddr_t start = 0;
	u64 piece;

	ASSERT(!closed);
	size = ALIGN_UP(size, PAGE_SIZE);
	for (; boot_mem_next_free(&start, &piece); start += piece) {
		paddr_t at = ALIGN_UP(start, MAX(align, PAGE_SIZE));

		if (at + size > start + piece)
			continue;
		boot_mem_reserve(at, size);
		memset(paddr_to_ptr(at), 0, size);
		return at;
	}
	panic("too little memory: needs %lu KiB more, has %lu KiB in all", size >> 10,
	      boot_mem_usable_total() >> 10);
}

u64 boot_mem_usable_total(void)
{
	u64 total = 0;

	for (u32 i = 0; i < boot_info.nr_ranges; i++)
		if (boot_info.ranges[i].type == BOOT_MEM_USABLE)
			total += boot_info.ranges[i].size;
	return total;
}

paddr_t boot_mem_top(void)
{
	paddr_t top = 0;

	for (u32 i = 0; i < boot_info.nr_ranges; i++)
		if (boot_info.ranges[i].type == BOOT_MEM_USABLE)
			top = MAX(top, boot_info.ranges[i].start + boot_info.ranges[i].size);
	return top;
}

/* The place after key in a command-line word that is key followed by end (or by nothing). */
static const char *find_word(const char *key, char end)
{
	size_t len = strlen(key);
	const char *p = boot_info.cmdline;

	while (*p) {
		while (*p == ' ')
			p++;
		if (!strncmp(p, key, len) && (p[len] == end || (end == ' ' && !p[len])))
			return p + len;
		while (*p && *p != ' ')
			p++;
	}
	return NULL;
}

bool cmdline_has(const char *word)
{
	return find_word(word, ' ') != NULL;
}

bool cmdline_get(const char *key, char *buf, size_t n)
{
	const char *v = find_word(key, '=');
	size_t len = 0;

	if (!v)
		return false;
	for (v++; v[len] && v[len] != ' ' && len + 1 < n; len++)
		buf[len] = v[len];
	buf[len] = '\0';
	return true;
}
