/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nospec.h - indices that came from a guest.
 *
 * After `if (i >= n) return error;` the CPU may still run ahead with i out of bounds. Passing the
 * index through idx_nospec() makes it 0 on that path, by data flow instead of by a branch.
 */
#ifndef RF_NOSPEC_H
#define RF_NOSPEC_H

#include "types.h"

static inline u64 idx_nospec(u64 idx, u64 size)
{
	u64 mask;

	__asm__ volatile("" : "+r"(idx)); /* the compiler must not know idx < size here */
	mask = (u64)(~(i64)(idx | (size - 1 - idx)) >> 63);
	return idx & mask;
}

#endif
