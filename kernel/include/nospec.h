/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nospec.h - indices that came from a guest.
 *
 * After `if (i >= n) return error;` the CPU may still run ahead with i out of bounds. Passing the
 * index through idx_nospec() makes it 0 on that path, by data flow instead of by a branch.
 */
#ifndef RF_NOSPEC_H
#define RF_NOSPEC_H

#include "cpu.h"
#include "types.h"

static inline u64 idx_nospec(u64 idx, u64 size)
{
	return idx & arch_mask_below(idx, size);
}

#endif
