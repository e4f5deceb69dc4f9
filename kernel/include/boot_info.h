/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot_info.h - what the boot loader told us, in one form whichever loader it was, and the
 * allocator of the time before there is a frame table.
 *
 * Everything is copied out of loader memory, so only module contents stay where they were put.
 */
#ifndef RF_BOOT_INFO_H
#define RF_BOOT_INFO_H

#include "compiler.h"
#include "types.h"

#define BOOT_MAX_RANGES 192
#define BOOT_MAX_RESERVED 64
#define BOOT_MAX_MODULES 32
#define BOOT_CMDLINE_MAX 1024
#define BOOT_MODULE_CMDLINE_MAX 256

enum boot_mem_type {
	BOOT_MEM_USABLE = 1, /* numbers as in E820 */
	BOOT_MEM_RESERVED = 2,
	BOOT_MEM_ACPI = 3,
	BOOT_MEM_NVS = 4,
	BOOT_MEM_BAD = 5,
};

struct boot_range {
	paddr_t start;
	u64 size;
	u32 type;
};

struct boot_module {
	paddr_t start;
	u64 size;
	char cmdline[BOOT_MODULE_CMDLINE_MAX];
};

struct boot_info {
	const char *loader;
	char cmdline[BOOT_CMDLINE_MAX];
	u32 nr_ranges; /* sorted, not overlapping, usable ones page-aligned */
	struct boot_range ranges[BOOT_MAX_RANGES];
	u32 nr_reserved; /* sorted, merged, page-aligned: parts of usable ranges that are taken */
	struct boot_range reserved[BOOT_MAX_RESERVED];
	u32 nr_modules;
	struct boot_module modules[BOOT_MAX_MODULES];
	paddr_t rsdp; /* 0 if unknown */
};

extern struct boot_info boot_info;

/* What the loaders' parsers report; panics on input that makes no sense. */
void boot_add_range(paddr_t start, u64 size, u32 type);
void boot_add_module(paddr_t start, u64 size, const char *cmdline, size_t cmdline_max);

/* Marks [start, start+size) as taken. Boot only. */
void boot_mem_reserve(paddr_t start, u64 size);

/* Takes zeroed, reserved, page-aligned memory; panics when there is none. Boot only. */
paddr_t boot_mem_alloc(u64 size, u64 align);

/* From now on memory belongs to the frame table: a later boot_mem_alloc() would hand it out twice. */
void boot_mem_close(void);

/*
 * Walks usable memory that is not reserved: finds the first piece at or above *start, sets
 * *start and *size; false when there is no more. Continue with *start += *size.
 */
bool boot_mem_next_free(paddr_t *start, u64 *size);

u64 boot_mem_usable_total(void);
paddr_t boot_mem_top(void); /* end of the highest usable range */

/* Command line words: cmdline_has("nosmp"); cmdline_get("panic", buf, n) for "panic=exit". */
bool cmdline_has(const char *word);
bool cmdline_get(const char *key, char *buf, size_t n);

#endif
