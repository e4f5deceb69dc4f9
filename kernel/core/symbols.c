// SPDX-License-Identifier: BSD-2-Clause
/*
 * symbols.c - names for kernel text addresses, from the table the second link adds.
 *
 * The table is sorted by offset from text_start; the first link has an empty one.
 */
#include "panic.h"

struct symbol {
	u32 offset; /* from text_start */
	u32 name;   /* from symstr_start */
};

extern const char text_start[], text_end[], symstr_start[];
extern const struct symbol symtab_start[], symtab_end[];

const char *symbol_lookup(vaddr_t addr, u64 *offset)
{
	u64 low = 0, high = (u64)(symtab_end - symtab_start);
	u64 target = addr - (vaddr_t)text_start;

	*offset = 0;
	if (addr < (vaddr_t)text_start || addr >= (vaddr_t)text_end || !high)
		return NULL;
	while (high - low > 1) {
		u64 mid = low + (high - low) / 2;

		if (symtab_start[mid].offset <= target)
			low = mid;
		else
			high = mid;
	}
	if (symtab_start[low].offset > target)
		return NULL;
	*offset = target - symtab_start[low].offset;
	return symstr_start + symtab_start[low].name;
}
