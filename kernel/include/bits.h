/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bits.h - integers seen as bits: rounding, bit numbers, bitmaps of 64-bit words.
 */
#ifndef RF_BITS_H
#define RF_BITS_H

#include "types.h"

#define BIT(n) (1ull << (n))
/* The lesser one is evaluated twice: no calls and no loads of what others change. */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* a is a power of two */
#define ALIGN_DOWN(x, a) ((u64)(x) & ~((u64)(a)-1))
#define ALIGN_UP(x, a) (((u64)(x) + (u64)(a)-1) & ~((u64)(a)-1))
#define IS_ALIGNED(x, a) (((u64)(x) & ((u64)(a)-1)) == 0)

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline bool is_pow2(u64 x)
{
	return x && !(x & (x - 1));
}

/* Lowest and highest set bit; the argument must not be zero. */
static inline u32 bit_lowest(u64 x)
{
	return (u32)__builtin_ctzll(x);
}

static inline u32 bit_highest(u64 x)
{
	return 63u - (u32)__builtin_clzll(x);
}

static inline void bitmap_set(u64 *map, u32 bit)
{
	map[bit / 64] |= BIT(bit % 64);
}

static inline void bitmap_clear(u64 *map, u32 bit)
{
	map[bit / 64] &= ~BIT(bit % 64);
}

static inline bool bitmap_test(const u64 *map, u32 bit)
{
	return (map[bit / 64] >> (bit % 64)) & 1;
}

/* (a * b) >> shift without losing the upper half; shift is 0..63 and the result must fit. */
static inline u64 mul_shift_u64(u64 a, u64 b, u32 shift)
{
	return (u64)(((unsigned __int128)a * b) >> shift);
}

#endif
